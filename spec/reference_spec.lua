--- docs/operations.md against the facts in api/: every operation, parameter and field; and every
-- example in it is a call that can be made.

local cr = require "cr"
local fixture = require "spec.support.fixture"
local recorder = require "spec.support.recorder"

local api = fixture.json "api/cr-2018-12-01.json"
local text = fixture.read "docs/operations.md"

--- The sections of operations by their names, and the text before them.
local function sections()
  local found, before = {}, text:match "^(.-)\n## One name"
  local rest = text:match "\n## One name.-\n(## .*)$"
  for name, body in (rest .. "\n## "):gsub("\n## ", "\n\0## "):gmatch "## (%w+)\n([^%z]*)" do
    found[name] = body
  end
  return found, before
end

local by_name, introduction = sections()

--- The rows of the table whose first column is called so: arrays of cells.
local function rows(section, first)
  local list = {}
  local body = (section .. "\n"):match("\n| " .. first .. " |[^\n]*\n|[-|]+|\n(.-)\n\n") or ""
  for line in (body .. "\n"):gmatch "([^\n]+)\n" do
    local cells = {}
    for cell in line:gmatch "|([^|]*)" do
      cells[#cells + 1] = cell:match "^%s*(.-)%s*$"
    end
    list[#list + 1] = cells
  end
  return list
end

local function type_of(fact)
  if fact.type == "array" then
    return "array of " .. type_of(fact.items)
  end
  return fact.map and "map" or fact.type
end

--- What the rows of a table must be, by path.
local function expect(expected, fact, path, style)
  local is_table = fact.type == "array" or fact.type == "object"
  style = fact.style or style or "repeat"
  if path then
    expected[path] = {
      type_of(fact), fact.required and "yes" or fact.deprecated and "no, deprecated" or "",
      is_table and style or "",
    }
  end
  local inner, inner_path = fact, path
  while inner.items do
    inner, inner_path = inner.items, inner_path .. "[]"
  end
  for name, field in pairs(not fact.map and inner.properties or {}) do
    expect(expected, field, (inner_path and inner_path .. "." or "") .. name, style)
  end
end

--- Rows as {path = cells after the first, but for the meaning}.
local function by_path(list, columns)
  local found = {}
  for _, cells in ipairs(list) do
    local path = cells[1]:match "^`(.*)`$"
    assert.is_nil(found[path])
    found[path] = {}
    for index = 2, columns do
      found[path][index - 1] = cells[index]
    end
  end
  return found
end

describe("docs/operations.md", function()
  it("has a section for every operation, and no other", function()
    local listed, expected = {}, {}
    for name in pairs(by_name) do
      listed[#listed + 1] = name
    end
    for name in pairs(api.operations) do
      expected[#expected + 1] = name
    end
    table.sort(listed)
    table.sort(expected)
    assert.equal(119, #expected)
    assert.same(expected, listed)
  end)

  it("has an anchor, the names, method and kind of every operation", function()
    for name, operation in pairs(api.operations) do
      local lua_name = cr.operations[name].lua_name
      local is_read = name:find "^Get%u" or name:find "^List%u"
      local kind = is_read and "read, safe to repeat" or "write, repeated only"
      local head = ('\n<a id="%s"></a>\n`%s`: %s, a %s'):format(lua_name, lua_name,
        operation.method, kind)
      assert.truthy(by_name[name]:find(head, 1, true), name)
      assert.truthy(introduction:find(("| [%s](#%s) | `%s` | %s | %s |"):format(name, name:lower(),
        lua_name, operation.method, is_read and "read" or "write"), 1, true), name)
    end
  end)

  it("says which RAM action is needed, or that none is published", function()
    for name, operation in pairs(api.operations) do
      local action, resource = operation.ram_action, operation.ram_resource
      local expected = "RAM action not published."
      if action then
        local where = "not published"
        if resource then
          where = resource:find("...", 1, true) and "not published in full" or
            "`" .. resource .. "`"
        end
        expected = ("RAM action `%s`, resource %s."):format(action, where)
      end
      assert.truthy(by_name[name]:find(expected, 1, true), name)
    end
  end)

  it("says how lists are paged", function()
    for name, operation in pairs(api.operations) do
      local paging = operation.paging
      assert.equal(paging ~= nil, by_name[name]:find("\nPaged by ", 1, true) ~= nil, name)
      for _, field in ipairs(paging and { "page", "size", "total", "token" } or {}) do
        if paging[field] then
          local line = by_name[name]:match "\nPaged by ([^\n]*)"
          assert.truthy(line:find("`" .. paging[field] .. "`", 1, true), name)
        end
      end
    end
  end)

  it("has every parameter of every operation with type, requirement and style", function()
    for name, operation in pairs(api.operations) do
      local expected = {}
      for _, parameter in ipairs(operation.parameters) do
        expect(expected, parameter, parameter.name)
      end
      assert.same(expected, by_path(rows(by_name[name], "parameter"), 4), name)
    end
  end)

  it("has every field of every answer with its type", function()
    for name, operation in pairs(api.operations) do
      local fields, expected = {}, {}
      expect(fields, operation.response)
      for path, cells in pairs(fields) do
        expected[path] = { cells[1] }
      end
      assert.same(expected, by_path(rows(by_name[name], "answer"), 2), name)
    end
  end)

  it("has a meaning for nothing that is not there", function()
    local notes = require "api.notes"
    for name in pairs(api.operations) do
      for _, kind in ipairs { "parameters", "answer" } do
        for path, meaning in pairs(notes.of(name)[kind]) do
          assert.truthy(by_name[name]:find(("\n| `%s` |[^\n]*| %s |\n"):format(
            path:gsub("%p", "%%%0"), (meaning:gsub("%p", "%%%0")))), name .. " " .. path)
        end
      end
    end
    assert.equal("`NORMAL` or `DELETING`", notes.of("GetRepoTag").answer.Status)
  end)

  it("lists names that have two types, and none that have one", function()
    local part = text:match "\n## One name, two types\n(.-)\n## "
    for _, where in ipairs { "parameter", "answer" } do
      local kinds = {}
      for _, cells in ipairs(rows(part .. "\n", where)) do
        kinds[cells[1]] = (kinds[cells[1]] or 0) + 1
      end
      assert.is_not_nil(next(kinds))
      for name, count in pairs(kinds) do
        assert.equal(2, count, name)
      end
    end
    assert.truthy(part:find("| `ImageCreate` | integer | GetRepoTag |", 1, true))
    assert.truthy(part:find("| `ImageCreate` | string | ListRepoTag |", 1, true))
    assert.truthy(part:find("| `TotalCount` | string | 10 operations |", 1, true))
  end)

  it("names only links that lead somewhere", function()
    for target in text:gmatch "%]%(#(%w+)%)" do
      assert.truthy(text:lower():find("\n## " .. target .. "\n", 1, true), target)
    end
    for target in text:gmatch "%]%(([%w_/.]+)%)" do
      assert.is_string(fixture.read("docs/" .. target))
    end
  end)
end)

describe("the examples in docs/operations.md", function()
  --- Runs an example with a module that sends nothing.
  -- @return names of the operations that were called
  local function run(code)
    local client, transport = recorder.client()
    local iterated = {}
    local module = setmetatable({
      items = function(name, params)
        assert(client:call(name, params))
        iterated[#iterated + 1] = name
        return function() end
      end,
    }, { __index = function(_, name)
      return function(params)
        local answer, err = client[name](client, params)
        assert(answer, tostring(err))
        return answer
      end
    end })
    local chunk = assert((loadstring or load)("local cr = ...\n" .. code))
    chunk(module)
    local called = {}
    for index, request in ipairs(transport.requests) do
      called[index] = request.headers["x-acs-action"]
    end
    return called, iterated
  end

  it("are valid calls of the operations they are for", function()
    for name, operation in pairs(api.operations) do
      local code = assert(by_name[name]:match "\n```lua\n(.-)```\n", name)
      local called, iterated = run(code)
      assert.same(operation.paging and { name, name } or { name }, called)
      assert.same(operation.paging and { name } or {}, iterated)
    end
  end)

  it("would fail with a parameter less or a name misspelt", function()
    local code = by_name.GetRepoTag:match "\n```lua\n(.-)```\n"
    assert.has_error(function() run((code:gsub("  Tag = [^\n]*\n", ""))) end)
    assert.has_error(function() run((code:gsub("RepoId", "RepoID"))) end)
  end)
end)
