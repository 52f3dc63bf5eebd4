--- Options and commands are the same in the program, the man page and the documentation.

local child = require "spec.support.child"
local command = require "cr.command"
local exit_status = require "cr.command.exit_status"
local fixture = require "spec.support.fixture"
local options = require "cr.command.options"

local MANUAL = fixture.read "man/cr.1"
local DOCUMENT = fixture.read "docs/command-line.md"

describe("the documentation of the command line", function()
  it("has every option, and no other", function()
    local known, in_manual, in_document = {}, {}, {}
    for _, option in ipairs(options) do
      known[option.name] = not option.is_hidden or nil
    end
    local section = MANUAL:match("\n%.SH OPTIONS\n(.-)\n%.SH ")
    for name in section:gmatch("\n%.BI? *R? *\\%-\\%-([%l\\-]+)") do
      in_manual[name:gsub("\\", "")] = true
    end
    for name in section:gmatch("\n%.BR \\%-\\%-([%l\\-]+)") do
      in_manual[name:gsub("\\", "")] = true
    end
    for name in DOCUMENT:match("\n## Options\n(.-)\n## "):gmatch("\n| `%-%-([%l-]+)") do
      in_document[name] = true
    end
    assert.same(known, in_manual)
    assert.same(known, in_document)
  end)

  it("has every command and every exit status", function()
    for _, row in ipairs(command.COMMANDS) do
      assert.truthy(MANUAL:find("\n.B cr " .. row[1] .. "\n", 1, true), row[1])
    end
    for _, status in pairs(exit_status) do
      if type(status) == "number" then
        assert.truthy(MANUAL:find("\n.B " .. status .. "\n", 1, true), status)
        assert.truthy(DOCUMENT:find("\n| " .. status .. " |", 1, true), status)
      end
    end
  end)

  it("is a man page without warnings", function()
    if select(2, child.shell "command -v man") then
      assert.equal("", (child.shell "man --warnings -l man/cr.1 2>&1 >/dev/null"))
    end
    assert.matches('^%.TH CR 1 "[^"]*" "cr ' .. require("cr.version"):gsub("%p", "%%%0") .. '"',
      MANUAL)
  end)
end)
