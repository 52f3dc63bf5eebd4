--- Every paged operation, in its own shape, over HTTP: what its list holds, and how it ends.

local cr = require "cr"
local descriptors = require "spec.support.descriptors"
local fixture = require "spec.support.fixture"
local lists = require "spec.support.lists"

local api = fixture.json "api/cr-2018-12-01.json"

--- A value for every parameter that an operation requires.
local function required(name)
  local params = {}
  for _, parameter in ipairs(api.operations[name].parameters) do
    if parameter.required then
      params[parameter.name] = "x"
    end
  end
  return params
end

local function with(params, more)
  for name, value in pairs(more) do
    params[name] = value
  end
  return params
end

local NUMBERED, TOKENED, COUNT = {}, {}, 0

for name, operation in pairs(api.operations) do
  local paging = operation.paging
  if paging then
    COUNT = COUNT + 1
    if paging.style == "page_number" then
      NUMBERED[#NUMBERED + 1] = { name = name, params = required(name) }
    else
      TOKENED[#TOKENED + 1] = { name = name, params = required(name) }
    end
  end
end

for _, name in ipairs { "ListRepository", "ListRepoTag" } do
  TOKENED[#TOKENED + 1] = { name = name, params = with(required(name), { MaxResults = 30 }) }
end

for _, list in ipairs { NUMBERED, TOKENED } do
  table.sort(list, function(a, b) return a.name < b.name end)
end

--- Reads a list to its end or its failure.
-- @return how many items came, the error
local function read(server, operation, options)
  local count, came = 0, {}
  local ok, err = pcall(function()
      for item, answer in server.client:items(operation.name, operation.params, options) do
        count = count + 1
        came[item.Name] = true
        assert(answer.IsSuccess)
      end
    end)
  local distinct = 0
  for _ in pairs(came) do
    distinct = distinct + 1
  end
  assert.equal(distinct, count, "an item came twice")
  return count, not ok and err or nil
end

local function asked(server, name)
  local values = {}
  for index, query in ipairs(server:queries()) do
    values[index] = query[name] or "-"
  end
  return table.concat(values, " ")
end

--- A shape: what the server's script says of it, how many items come, what was asked for, the
-- code of the error at the end.
local NUMBER_SHAPES = {
  { "a total", "", 65, "1 2 3" },
  { "as many as three pages hold", "function count() return 90 end", 90, "1 2 3" },
  { "less than a page", "function count() return 7 end", 7, "1" },
  { "nothing", "function count() return 0 end", 0, "1" },
  { "a total that is a number", 'function total() return { "65" } end', 65, "1 2 3" },
  { "a total that is a string", 'function total() return "65" end', 65, "1 2 3" },
  { "no total", "function total() end", 65, "1 2 3 4" },
  { "no total and no item", "function total() end function count() return 0 end", 0, "1" },
  { "a total that is no number", 'function total() return "many" end', 65, "1 2 3 4" },
  { "a negative total", 'function total() return { "-1" } end', 65, "1 2 3 4" },
  { "a total that is null", 'function total() return { "null" } end', 65, "1 2 3 4" },
  { "a total that is too small", 'function total() return "10" end', 65, "1 2 3 4" },
  { "a total that shrinks", "function count(n) return n == 1 and 65 or 40 end", 40, "1 2" },
  {
    "a total that shrinks to what came", "function count(n) return n == 1 and 65 or 30 end",
    30, "1 2",
  },
  { "a total that grows", "function count(n) return n == 1 and 65 or 95 end", 95, "1 2 3 4" },
  { "shorter pages than asked for", "cap = 20", 65, "1 2 3 4" },
  { "shorter pages and no total", "cap = 20 function total() end", 65, "1 2 3 4 5" },
  {
    "an empty page before the total is reached", "function total() return 500 end",
    65, "1 2 3 4", "IncompleteList",
  },
  {
    "nothing, though the total says something", "function count() return 0 end " ..
    "function total() return 5 end", 0, "1", "IncompleteList",
  },
  { "the same page for ever", "function page() return 1 end", 30, "1 2", "RepeatedPage" },
  {
    "the same page for ever, as often as the total says",
    "function page() return 1 end function count() return 60 end", 30, "1 2", "RepeatedPage",
  },
  {
    "the same page for ever, and no total", "function page() return 1 end function total() end",
    30, "1 2", "RepeatedPage",
  },
  {
    "a failure at the third page", [[function fails(n)
      return n == 3 and answer("403 Forbidden", '{"Code":"NoPermission","Message":"no"}')
    end]], 60, "1 2 3", "NoPermission",
  },
}

local TOKEN_SHAPES = {
  { "a token that is absent at the end", "", 65, "- t30 t60" },
  {
    "a token that is empty at the end",
    'function token(_, offset) return offset and "t" .. offset or "" end', 65, "- t30 t60",
  },
  {
    "a token that is null at the end",
    'function token(_, offset) return offset and "t" .. offset or { "null" } end', 65, "- t30 t60",
  },
  { "as many as two pages hold", "function count() return 60 end", 60, "- t30" },
  { "nothing", "function count() return 0 end", 0, "-" },
  { "shorter pages than asked for", "cap = 20", 65, "- t20 t40 t60" },
  { "one token for ever", 'function token() return "t30" end', 60, "- t30", "RepeatedToken" },
  { "a token that is no text", 'function token() return { "{}" } end', 0, "-", "UnexpectedJson" },
  {
    "a failure at the third page", [[function fails(n)
      return n == 3 and answer("403 Forbidden", '{"Code":"NoPermission","Message":"no"}')
    end]], 60, "- t30 t60", "NoPermission",
  },
}

local function describe_shapes(shapes, operations, parameter)
  for _, shape in ipairs(shapes) do
    describe("with " .. shape[1], function()
      local server

      setup(function() server = lists.start(shape[2]) end)
      teardown(function() server:stop() end)

      for _, operation in ipairs(operations) do
        it(operation.name .. " gives every item once", function()
          local count, err = read(server, operation)
          assert.equal(shape[5], err and err.code, tostring(err))
          assert.equal(shape[3], count)
          assert.equal(shape[4], asked(server, parameter))
          if err then
            assert.equal(operation.name, err.operation)
            assert.equal(err.code == "NoPermission" and "service" or "response", err.kind)
          end
        end)
      end
    end)
  end
end

describe("a list by page numbers", function()
  it("is what 22 of the 23 paged operations give", function()
    assert.equal(23, COUNT)
    assert.equal(22, #NUMBERED)
    assert.equal(1 + 2, #TOKENED)
  end)

  describe_shapes(NUMBER_SHAPES, NUMBERED, "PageNo")
end)

describe("a list by tokens", function()
  describe_shapes(TOKEN_SHAPES, TOKENED, "NextToken")
end)

describe("the items of an operation", function()
  local server

  setup(function() server = lists.start() end)
  teardown(function() server:stop() end)

  for _, operation in ipairs(NUMBERED) do
    it("come from the page that is asked for, of the size that is asked for: " .. operation.name,
      function()
        local names = {}
        local params = with(required(operation.name), { PageNo = 3, PageSize = 25 })
        for item in server.client:items(operation.name, params) do
          names[#names + 1] = item.Name
        end
        assert.equal("item-51", names[1])
        assert.equal("item-65", names[#names])
        assert.equal(15, #names)
        assert.equal(3, params.PageNo)
        for _, query in ipairs(server:queries()) do
          assert.equal("25", query.PageSize)
        end
      end)

    it("leave nothing open where a loop is left: " .. operation.name, function()
      server.client:items(operation.name, operation.params)() -- so that a connection is there
      collectgarbage() -- what specs before this one left
      collectgarbage()
      local open = descriptors.open()
      for round = 1, 5 do
        local count = 0
        for _ in server.client:items(operation.name, operation.params) do
          count = count + 1
          if count == 30 + round then
            break
          end
        end
      end
      collectgarbage()
      assert.equal(open, descriptors.open())
      -- One page for the first loop, two for each other: nothing was fetched ahead of its turn.
      assert.equal("1 1 2 1 2 1 2 1 2 1 2", asked(server, "PageNo"))
    end)

    it("come in pages too: " .. operation.name, function()
      local lengths = {}
      for page, info in server.client:pages(operation.name, operation.params) do
        local items = page
        for _, step in ipairs(api.operations[operation.name].paging.items) do
          items = items[step]
        end
        lengths[#lengths + 1] = #items
        assert.equal(200, info.http_status)
        assert.equal(page.RequestId, info.request_id)
      end
      assert.equal("30 30 5", table.concat(lengths, " "))
      assert.equal("1 2 3", asked(server, "PageNo"))
    end)
  end

  it("are found by the name in snake_case, and on the module", function()
    local count = 0
    for _ in server.client:items("list_repo_tag", { InstanceId = "x", RepoId = "x" }) do
      count = count + 1
    end
    assert.equal(65, count)
    assert.equal("function", type(cr.items))
    assert.equal("function", type(cr.pages))
  end)
end)
