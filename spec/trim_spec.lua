--- Blanks at the ends of texts of other sides.

local new_error = require "cr.error"
local ini = require "cr.credentials.ini"
local trim = require "cr.trim"

describe("trim", function()
  it("takes blanks of every kind from both ends", function()
    for text, expected in pairs {
      [""] = "", [" \t\r\n"] = "", ["a"] = "a", [" a b \n"] = "a b", ["a  "] = "a", ["\n\na"] = "a",
    } do
      assert.equal(expected, (trim(text)))
    end
  end)
end)

-- A pattern that takes the square of the length would not come back from these in minutes.
describe("a text with half a million blanks", function()
  local blanks = (" "):rep(500000)

  it("is trimmed", function()
    assert.equal("a" .. blanks .. "b", trim("a" .. blanks .. "b"))
  end)

  it("may be the message of an error", function()
    local err = new_error { kind = "service", code = "X", message = "a" .. blanks .. "b" }
    assert.equal("X: a" .. blanks .. "b.", tostring(err))
    err.message = "a" .. ("\n"):rep(500000) .. "b"
    assert.equal("X: a b.", tostring(err))
  end)

  it("may stand in an ini file", function()
    assert.equal("a" .. blanks .. "b", ini.parse("[s]\nk=a" .. blanks .. "b\n").s.k)
    assert.is_nil((ini.parse("[s]\nk" .. blanks .. "v\n")))
    assert.is_table(ini.parse("[" .. blanks .. "s" .. blanks .. "]\n").s)
  end)
end)
