--- INI files taken apart.

local ini = require "cr.credentials.ini"

local function parsed(text)
  return (assert(ini.parse(text)))
end

local function refused(text)
  local sections, reason = ini.parse(text)
  assert.is_nil(sections)
  return reason
end

describe("an ini file", function()
  it("has sections of keys and values", function()
    local sections, names = ini.parse "[b]\nx = 1\ny = 2\n[a]\nx = 3\n"
    assert.same({ a = { x = "3" }, b = { x = "1", y = "2" } }, sections)
    assert.same({ "b", "a" }, names)
  end)

  it("may be empty, or have an empty section", function()
    for _, text in ipairs { "", "\n", "\n\n  \n", "# nothing\n; at all" } do
      local sections, names = ini.parse(text)
      assert.same({}, sections)
      assert.same({}, names)
    end
    assert.same({ a = {} }, parsed "[a]")
  end)

  it("may have line ends of any system, and none at its end", function()
    for _, text in ipairs { "[a]\nx=1\ny=2", "[a]\r\nx=1\r\ny=2\r\n", "[a]\rx=1\ry=2\r",
      "[a]\n\r\nx=1\r\n\ny=2\n\n" } do
      assert.same({ a = { x = "1", y = "2" } }, parsed(text))
    end
  end)

  it("may have blanks anywhere around, or nowhere", function()
    for _, text in ipairs { "[a]\nx=1", "[a]\nx = 1", "  [ a ]  \n\t x\t=\t1 \t", "[a ]\nx= 1" } do
      assert.same({ a = { x = "1" } }, parsed(text))
    end
    assert.same({ ["a b"] = { ["x y"] = "1 2" } }, parsed "[a b]\nx y = 1 2")
  end)

  it("has comments behind # and ;", function()
    assert.same({ a = { x = "1", y = "2", z = "" } }, parsed [[
      # first
      ; second
      [a] # here
      #x = 3
      ;x = 4
      x = 1 # one
      y = 2	; two
      z = # three
    ]])
    assert.same({ a = {}, b = {} }, parsed "[a];b\n[b]#c")
  end)

  it("has values with = and, without a blank in front, # and ;", function()
    assert.same({ a = { x = "a=b==", y = "a#b;c", z = "=" } },
      parsed "[a]\nx = a=b==\ny = a#b;c\nz==")
  end)

  it("has quotes that do not belong to the value", function()
    assert.same({ a = { x = "1", y = " 2 ", z = "a # b ; c", e = "" } },
      parsed "[a]\nx = \"1\"\ny = ' 2 '\nz = \"a # b ; c\"\ne = ''")
    assert.same({ a = { x = "1", y = "2 # 3", z = '4' } },
      parsed "[a]\nx = \"1\" # one\ny = '2 # 3' ; two\nz = \"4\" # say \"four\"")
    assert.same({ a = { x = '{"a": "b # c"}', y = "it's", z = '"open' } },
      parsed "[a]\nx = \"{\"a\": \"b # c\"}\"\ny = it's\nz = \"open # comment")
  end)

  it("has JSON that is taken whole", function()
    assert.same({ a = { policy = '{"Version": "1" ;"x" #"y"}', list = '["a" #]' } },
      parsed '[a]\npolicy = {"Version": "1" ;"x" #"y"}\nlist = ["a" #]')
  end)

  it("may go on with a section; the last value of a key is taken", function()
    local sections, names = ini.parse "[a]\nx=1\nz=0\n[b]\n[a]\nx=2\ny=3"
    assert.same({ a = { x = "2", y = "3", z = "0" }, b = {} }, sections)
    assert.same({ "a", "b" }, names)
  end)

  it("has nothing else; the line is told by its number", function()
    for text, number in pairs {
      ["hunter2"] = 1, ["[a]\nhunter2"] = 2, ["[a]\r\n\r\nx=1\r\nhunter2\r\ny=2"] = 4,
      ["[]"] = 1, ["[ ]"] = 1, ["[a"] = 1, ["a]"] = 1, ["[a]\n= hunter2"] = 2, ["[a] hunter2"] = 1,
      ["[a]]"] = 1, ["[a]x=hunter2"] = 1, ["[a]\n[x=hunter2"] = 2, ["[a]\n\255\254"] = 2,
    } do
      assert.equal(("line %d: neither [section] nor key = value"):format(number), refused(text))
    end
    assert.equal("line 2: a key before the first [section]", refused "# x\nsecret = hunter2\n[a]")
  end)
end)
