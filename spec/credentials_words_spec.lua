--- Command lines taken apart: as a POSIX shell does it, and no further.

local child = require "spec.support.child"
local split = require "cr.credentials.words"

describe("words", function()
  it("are what blanks part", function()
    assert.same({ "a" }, split "a")
    assert.same({ "a", "b", "c" }, split "a b c")
    assert.same({ "a", "b", "c" }, split "  a\t b \n c\r\n")
    assert.same({ "/usr/bin/aliyun", "--mode=x", "-n" }, split "/usr/bin/aliyun --mode=x -n")
  end)

  it("in single quotes are kept as they are", function()
    assert.same({ "a b" }, split "'a b'")
    assert.same({ [[a\b"c$d`e]] }, split [['a\b"c$d`e']])
    assert.same({ "" }, split "''")
    assert.same({ "a", "", "b" }, split "a '' b")
  end)

  it("in double quotes know four things behind a backslash", function()
    assert.same({ "a b" }, split '"a b"')
    assert.same({ [[a"b\c$d`e]] }, split [["a\"b\\c\$d\`e"]])
    assert.same({ [[\a\ \'\n]] }, split [["\a\ \'\n"]])
    assert.same({ "it's" }, split [["it's"]])
    assert.same({ "" }, split '""')
  end)

  it("outside of quotes have the character behind a backslash", function()
    assert.same({ "a b", "c" }, split [[a\ b c]])
    assert.same({ [["'\]] }, split [[\"\'\\]])
    assert.same({ "$HOME" }, split [[\$HOME]])
  end)

  it("are made of pieces", function()
    assert.same({ "abcd" }, split [[a'b'"c"\d]])
    assert.same({ "--name=my profile", "x" }, split [[--name="my profile" x]])
  end)

  it("are not what a shell would make of them", function()
    assert.same({ "$HOME", "*", "`id`", "$(id)", "a;b", "|", ">x", "&", "#", "~" },
      split "$HOME * `id` $(id) a;b | >x & # ~")
  end)

  it("of any bytes pass", function()
    assert.same({ "Grüße", "\255\1" }, split "Grüße \255\1")
    local long = ("x"):rep(8192)
    assert.same({ long }, split(long))
    assert.equal(4096, #split(("x "):rep(4096)))
  end)

  it("must be there, and their quotes closed", function()
    for text, reason in pairs {
      [""] = "it is empty", ["  \t\n"] = "it is empty",
      ["a 'b"] = "a single quote is never closed", ["'"] = "a single quote is never closed",
      ['a "b'] = "a double quote is never closed", ['"a\\"'] = "a double quote is never closed",
      ["'a\\'b'"] = "a single quote is never closed",
    } do
      local words, why = split(text)
      assert.is_nil(words)
      assert.equal(reason, why)
    end
  end)

  it("are those of sh", function()
    for _, text in ipairs {
      [[a b]], [['a b' "c d" e\ f]], [["\$x\`\\\"" '\' \\]], [[a"b"'c'd '' ""]], [["a'b" 'a"b']],
      [[\a\b\c "\a"]], [[x"" ""x '']],
    } do
      local output = child.shell([[for word in ]] .. text .. [[; do printf '<%s>' "$word"; done]])
      assert.equal(output, "<" .. table.concat(split(text), "><") .. ">")
    end
  end)
end)
