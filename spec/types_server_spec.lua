--- types/cr.lua under the real lua-language-server: it accepts scripts that are right, and finds
-- every mistake in one that is not. The server is no Debian package: CR_LUA_LANGUAGE_SERVER names
-- it, or it is on the PATH; without it these specs are pending. Tried with 3.19.1.

local child = require "spec.support.child"
local cjson = require "cjson"
local fixture = require "spec.support.fixture"

local SERVER = os.getenv "CR_LUA_LANGUAGE_SERVER" or
  child.shell("command -v lua-language-server"):match "^(/[^\n]+)\n"
local TOP = child.shell("pwd"):match "^(.-)\n"

--- What the server says of a script: an array of "line code", sorted by line.
-- @tparam string script
-- @tparam ?table library folders of declarations; types/ if not given
local function check(script, library)
  local folder = child.new_folder()
  finally(function() child.remove_folder(folder) end)
  assert(os.execute("mkdir " .. folder .. "/script"))
  child.write(folder .. "/script/main.lua", script)
  child.write(folder .. "/luarc.json", cjson.encode {
    ["runtime.version"] = "Lua 5.4", ["workspace.library"] = library or { TOP .. "/types" },
    ["workspace.checkThirdParty"] = false,
  })
  local output = child.shell(table.concat({
    "cd " .. folder, "&& timeout 120", child.quote(SERVER), "--check=$PWD/script",
    "--configpath=$PWD/luarc.json --checklevel=Warning --logpath=$PWD/log",
    "--check_format=json --check_out_path=$PWD/check.json",
  }, " "))
  local file = io.open(folder .. "/check.json", "rb")
  assert.is_truthy(file or output:find("no problems found", 1, true), output)
  local found = {}
  for _, problems in pairs(file and cjson.decode(file:read "*a") or {}) do
    for _, problem in ipairs(problems) do
      found[#found + 1] = ("%03d %s"):format(problem.range.start.line + 1, problem.code)
    end
  end
  if file then
    file:close()
  end
  table.sort(found)
  return found
end

--- The same from the marks in a script.
local function expected(script)
  local list, number = {}, 0
  for line in script:gmatch "([^\n]*)\n" do
    number = number + 1
    for code in (line:match "%-%-> (.*)$" or ""):gmatch "%S+" do
      list[#list + 1] = ("%03d %s"):format(number, code)
    end
  end
  table.sort(list)
  return list
end

describe("lua-language-server", function()
  local function with_server(name, test)
    it(name, function()
      if not SERVER then
        pending("lua-language-server is not installed: it " .. name)
      end
      test()
    end)
  end

  with_server("accepts a script that is right", function()
    assert.same({}, check(fixture.read "spec/fixtures/types/right.lua"))
  end)

  with_server("finds every mistake in one that is not, and nothing else", function()
    local script = fixture.read "spec/fixtures/types/wrong.lua"
    assert.is_true(#expected(script) > 35)
    assert.same(expected(script), check(script))
  end)

  with_server("accepts every example of docs/operations.md", function()
    local examples = { 'local cr = require "cr"\n' }
    local text = fixture.read "docs/operations.md":match "\n## One name.-\n(## .*)$"
    for code in text:gmatch "\n```lua\n(.-)```\n" do
      examples[#examples + 1] = "do\n" .. code .. "print(answer, err)\nend\n"
    end
    assert.equal(120, #examples)
    assert.same({}, check(table.concat(examples)))
  end)

  with_server("accepts types/cr.lua itself", function()
    assert.same({}, check(fixture.read "types/cr.lua", { TOP .. "/api" }))
  end)
end)
