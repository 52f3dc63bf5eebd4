--- Lists: the rules that paging_spec.lua does not reach over HTTP, options, misuse.

local cjson = require "cjson"
local cr = require "cr"
local recorder = require "spec.support.recorder"

local PARAMS = { InstanceId = "cri-1", RepoId = "crr-1" }

local function names(first, last)
  local list = {}
  for index = first, last do
    list[#list + 1] = { Tag = "tag-" .. index, ImageSize = index }
  end
  return list
end

--- A page of ListRepoTag as the body of an answer.
local function page(items, fields)
  local text = #items > 0 and cjson.encode(items) or "[]"
  local rest = ""
  for name, value in pairs(fields or {}) do
    rest = rest .. (',"%s":%s'):format(name, cjson.encode(value))
  end
  return ('{"IsSuccess":true,"RequestId":"R-1","Images":%s%s}'):format(text, rest)
end

--- A client whose pages come from a function of the query and the number of the request.
local function client_of(make, config)
  local count = 0
  local queries = {}
  local client, transport = recorder.client({
    function(request)
      count = count + 1
      queries[count] = recorder.query(request.url)
      local answer = make(queries[count], count)
      return type(answer) == "string" and recorder.response(200, answer) or answer
    end,
  }, config)
  return client, queries, transport
end

--- Pages by number out of so many items.
local function numbered(total, size)
  return function(query)
    local length = tonumber(query.PageSize) or size or 30
    local number = tonumber(query.PageNo)
    return page(names((number - 1) * length + 1, math.min(number * length, total)),
      { TotalCount = tostring(total) })
  end
end

--- Pages of one item each with the tokens of a list; after the last one there is none.
local function tokened(tokens)
  return function(_, number)
    return page(names(number, number), { NextToken = tokens(number) })
  end
end

--- How many items come, and the error at the end.
local function read(iterator, limit)
  local count = 0
  local ok, err = pcall(function()
      for _ in iterator do
        count = count + 1
        if count == limit then
          break
        end
      end
    end)
  return count, not ok and err or nil
end

local function by_token(client, options)
  return client:items("ListRepoTag", { InstanceId = "i", RepoId = "r", MaxResults = 1 }, options)
end

describe("client:pages and client:items", function()
  it("change none of the caller's tables", function()
    local client = client_of(numbered(65))
    local params, options = { InstanceId = "i", RepoId = "r" }, { max_pages = 9, max_attempts = 2 }
    assert.equal(65, (read(client:items("ListRepoTag", params, options))))
    assert.same({ InstanceId = "i", RepoId = "r" }, params)
    assert.same({ max_pages = 9, max_attempts = 2 }, options)
  end)

  it("do not mind what the caller does with parameters, pages and items meanwhile", function()
    local client, queries = client_of(numbered(65))
    local params = { InstanceId = "i", RepoId = "r" }
    local count = 0
    for answer in client:pages("ListRepoTag", params) do
      count = count + #answer.Images
      params.PageNo, params.RepoId = 7, "other"
      for key in pairs(answer) do
        answer[key] = nil
      end
    end
    assert.equal(65, count)
    assert.equal("r", queries[3].RepoId)
    assert.equal("3", queries[3].PageNo)
  end)

  it("fetch nothing before they are asked", function()
    local client, queries = client_of(numbered(65))
    local iterator = client:items("ListRepoTag", PARAMS)
    assert.equal(0, #queries)
    for _ = 1, 30 do
      iterator()
    end
    assert.equal(1, #queries)
    iterator()
    assert.equal(2, #queries)
  end)

  it("are over when they are over", function()
    local client, queries = client_of(numbered(5))
    local iterator = client:items("ListRepoTag", PARAMS)
    assert.equal(5, (read(iterator)))
    assert.is_nil(iterator())
    assert.equal(1, #queries)
  end)

  it("are over when they are closed", function()
    local client, queries = client_of(numbered(65))
    local iterator, _, _, list = client:items("ListRepoTag", PARAMS)
    iterator()
    list:close()
    list:close()
    assert.equal(29, (read(iterator)))
    assert.equal(1, #queries)
  end)

  it("ask for the page that failed when they are called again", function()
    local client, queries = client_of(function(query, number)
        return number == 2 and recorder.response(500, '{"Code":"SystemError"}') or
          numbered(65)(query)
      end, { max_attempts = 1 })
    local iterator = client:items("ListRepoTag", PARAMS)
    local count, err = read(iterator)
    assert.equal(30, count)
    assert.equal("SystemError", err.code)
    assert.is_true(err.retryable)
    assert.equal(35, (read(iterator)))
    assert.equal("2", queries[3].PageNo)
  end)

  it("use the client's defaults, and send a given number as it is", function()
    local client, queries = client_of(numbered(250), {
        defaults = { InstanceId = "i", PageSize = 100, PageNo = 2 },
      })
    assert.equal(150, (read(client:items("ListRepoTag", { RepoId = "r" }))))
    assert.equal("2", queries[1].PageNo)
    assert.equal("100", queries[2].PageSize)
    local _, err = read(client:items("ListRepoTag", { RepoId = "r", PageNo = "first" }))
    assert.equal("InvalidParameter", err.code)
    assert.equal(2, #queries)
  end)

  it("go by token where the client's defaults say so", function()
    local client, queries = client_of(tokened(function(number)
          return number < 3 and "t" .. number or nil
        end), { defaults = { MaxResults = 1 } })
    assert.equal(3, (read(client:items("ListRepoTag", PARAMS))))
    assert.is_nil(queries[1].PageNo)
    assert.equal("t2", queries[3].NextToken)
  end)

  it("begin at a token that is given", function()
    local client, queries = client_of(tokened(function(number)
          return number < 3 and "t" .. number or nil
        end))
    local params = { InstanceId = "i", RepoId = "r", NextToken = "t0" }
    assert.equal(3, (read(client:items("ListRepoTag", params))))
    assert.equal("t0", queries[1].NextToken)
  end)

  it("find a token that leads back to the one that was given", function()
    local client = client_of(tokened(function() return "t0" end))
    local params = { InstanceId = "i", RepoId = "r", NextToken = "t0" }
    local count, err = read(client:items("ListRepoTag", params))
    assert.equal(1, count)
    assert.equal("RepeatedToken", err.code)
  end)

  it("go on after an empty page that has a token", function()
    local client = client_of(function(_, number)
        return page(number == 2 and {} or names(number, number), {
            NextToken = number < 4 and "t" .. number or "",
          })
      end)
    assert.equal(3, (read(by_token(client))))
  end)

  it("send the options of a call with every call", function()
    local client, _, transport = client_of(numbered(65))
    assert.equal(65, (read(client:items("ListRepoTag", PARAMS, {
              endpoint = "other.example", timeout = 3,
            }))))
    assert.equal(3, #transport.requests)
    for _, request in ipairs(transport.requests) do
      assert.truthy(request.url:find("https://other.example/", 1, true))
      assert.equal(3, request.timeout)
    end
  end)

  it("ask once for a credential that is given for the list", function()
    local asked = 0
    local role = {
      type = "ram_role_arn", role_arn = "acs:ram::1000000000000001:role/reader",
      source = recorder.KEY,
    }
    local client = client_of(function(query)
        if not query.PageNo then -- AssumeRole
          asked = asked + 1
          return '{"Credentials":{"AccessKeyId":"STS.a","AccessKeySecret":"b",' ..
            '"SecurityToken":"c","Expiration":"2029-01-01T00:00:00Z"}}'
        end
        return numbered(65)(query)
      end)
    local count, err = read(client:items("ListRepoTag", PARAMS, { credentials = role }))
    assert.is_nil(err and tostring(err))
    assert.equal(65, count)
    assert.equal(1, asked)
  end)

  it("work in a coroutine over a transport that yields, where Lua can", function()
    local client = client_of(function(query)
        coroutine.yield "waiting"
        return numbered(65)(query)
      end)
    local count = 0
    local thread = coroutine.create(function()
      local next_item = client:items("ListRepoTag", PARAMS)
      while next_item() do
        count = count + 1
      end
    end)
    local waits = 0
    while coroutine.status(thread) ~= "dead" do
      local _, what = assert(coroutine.resume(thread))
      waits = waits + (what == "waiting" and 1 or 0)
    end
    assert.equal(65, count)
    assert.equal(3, waits)
  end)
end)

describe("a list by page numbers", function()
  it("takes the page before for a page of its own when the total grew by as much", function()
    local client = client_of(function(_, number)
        -- Thirty items were put in front between the first page and the second.
        return page(names(math.max(number - 1, 1) * 30 - 29, math.max(number - 1, 1) * 30),
          { TotalCount = number == 1 and 60 or 90 })
      end)
    local count, err = read(client:items("ListRepoTag", PARAMS))
    assert.is_nil(err)
    assert.equal(90, count)
  end)

  it("notices the page before though the caller has emptied it", function()
    local client = client_of(function() return page(names(1, 30), { TotalCount = 65 }) end)
    local count = 0
    local ok, err = pcall(function()
        for answer in client:pages("ListRepoTag", PARAMS) do
          count = count + 1
          answer.Images[1] = nil
        end
      end)
    assert.is_false(ok)
    assert.equal("RepeatedPage", err.code)
    assert.equal(1, count)
  end)

  it("from the middle on counts what was before", function()
    local client, queries = client_of(numbered(90))
    local params = { InstanceId = "i", RepoId = "r", PageNo = 2, PageSize = 30 }
    assert.equal(60, (read(client:items("ListRepoTag", params))))
    assert.equal(2, #queries)
  end)

  it("from the middle on is not cut short by a server that caps pages", function()
    -- 1000 asked for, 100 given: page 2 has the items from 101 on, whatever 2 * 1000 may be.
    local client = client_of(function(query)
        query.PageSize = "100"
        return numbered(1100)(query)
      end)
    local params = { InstanceId = "i", RepoId = "r", PageNo = 2, PageSize = 1000 }
    assert.equal(1000, (read(client:items("ListRepoTag", params))))
  end)

  it("beyond the end is empty", function()
    local client = client_of(numbered(65))
    local count, err = read(client:items("ListRepoTag", {
          InstanceId = "i", RepoId = "r", PageNo = 9,
        }))
    assert.is_nil(err)
    assert.equal(0, count)
  end)

  it("whose total counts more than is listed is whole with trust_total = false", function()
    local function make(query)
      return (numbered(65)(query):gsub('"65"', "500"))
    end
    local client, queries = client_of(make)
    local count, err = read(client:items("ListRepoTag", PARAMS))
    assert.equal(65, count)
    assert.equal("IncompleteList", err.code)
    assert.equal("ListRepoTag: IncompleteList (HTTP 200): page 4 is empty, but 500 items are " ..
      "said to exist and 65 came. Ask again; if the service counts what it does not list, give " ..
      "trust_total = false. RequestId R-1", tostring(err))
    count, err = read(client:items("ListRepoTag", PARAMS, { trust_total = false }))
    assert.is_nil(err)
    assert.equal(65, count)
    assert.equal(8, #queries)
  end)

  it("whose items are no array is an error", function()
    for _, images in ipairs { '{"Tag":"1"}', '"none"', "5" } do
      local client = client_of(function()
          return ('{"IsSuccess":true,"TotalCount":1,"Images":%s}'):format(images)
        end)
      local count, err = read(client:items("ListRepoTag", PARAMS))
      assert.equal(0, count)
      assert.equal("UnexpectedJson", err.code)
      assert.truthy(err.message:find("Images", 1, true))
    end
  end)

  it("ends where max_pages does not let it go on, with an error", function()
    local client, queries = client_of(numbered(65))
    local count, err = read(client:items("ListRepoTag", PARAMS, { max_pages = 2 }))
    assert.equal(60, count)
    assert.equal("TooManyPages", err.code)
    assert.truthy(err.message:find("the 2 pages", 1, true))
    assert.equal(2, #queries)
    count, err = read(client:items("ListRepoTag", PARAMS, { max_pages = 3 }))
    assert.is_nil(err)
    assert.equal(65, count)
  end)

  it("that never ends is ended after 100,000 pages", function()
    local asked = 0
    local client = cr.new {
      region = "cn-hangzhou", credentials = recorder.KEY,
      transport = {
        exchange = function()
          asked = asked + 1
          return { status = 200, body = ('{"Images":[{"Tag":"%d"}]}'):format(asked) }
        end,
      },
    }
    local count, err = read(client:items("ListRepoTag", PARAMS))
    assert.equal(100000, count)
    assert.equal("TooManyPages", err.code)
    assert.equal(100000, asked)
  end)
end)

describe("a circle of tokens", function()
  --- How many pages come before the error, for a circle of a length that begins after some pages.
  local function pages_until_found(before, length)
    local client = client_of(tokened(function(number)
          return "t" .. (number <= before and -number or (number - before) % length)
        end))
    local count, err = read(by_token(client))
    assert.equal("RepeatedToken", err.code)
    assert.equal("response", err.kind)
    return count
  end

  it("is found at the first token that comes again, up to 100 tokens", function()
    for _, length in ipairs { 1, 2, 3, 50, 100 } do
      assert.equal(length + 1, pages_until_found(0, length))
      assert.equal(57 + length + 1, pages_until_found(57, length))
    end
  end)

  it("is found however long it is", function()
    for _, case in ipairs { { 0, 101 }, { 0, 1000 }, { 3000, 1000 }, { 10, 5000 } } do
      local before, length = case[1], case[2]
      local count = pages_until_found(before, length)
      assert.truthy(count > before + length)
      assert.truthy(count <= 3 * (before + length), count)
    end
  end)

  it("costs no memory that grows with the number of pages", function()
    local paging = require "cr.paging"
    local found = paging.of(require("cr.operations").find "ListTagResources")
    local cursor = paging.cursor(found, {}, {}, true)
    local function feed(first, last)
      for number = first, last do
        local _, more = cursor:accept { NextToken = "token-" .. number }
        assert(more == true)
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    local before = feed(1, 10000)
    local after = feed(10001, 200000)
    assert.truthy(after - before < 16, after - before) -- KiB, for 190,000 tokens more
  end)
end)

describe("misuse", function()
  local client = client_of(numbered(65))

  --- What is raised, which must name this file and the line of the call.
  local function raised(call)
    local ok, message = pcall(call)
    assert.is_false(ok)
    assert.equal("string", type(message))
    assert.truthy(message:find("pager_spec.lua:%d+: "), message)
    return (message:gsub("^.-:%d+: ", ""))
  end

  for _, method in ipairs { "pages", "items" } do
    it("of " .. method .. " raises at the caller", function()
      assert.equal(method .. ": the operation's name must be a string, got a table",
        raised(function() local a = client[method](client, {}) return a end))
      assert.equal(method .. ": the parameters must be a table, got a string",
        raised(function() local a = client[method](client, "ListRepoTag", "x") return a end))
      assert.equal(method .. ": the options must be a table, got a number",
        raised(function() local a = client[method](client, "ListRepoTag", {}, 1) return a end))
      assert.equal("options: unknown key max_page; did you mean max_pages?", raised(function()
        local a = client[method](client, "ListRepoTag", {}, { max_page = 1 }) return a end))
      assert.equal("options: max_pages must be an integer from 1 to 1000000000, got a number",
        raised(function()
          local a = client[method](client, "ListRepoTag", {}, { max_pages = 0 }) return a end))
      assert.equal("options: read_ahead must be a boolean, got a number", raised(function()
        local a = client[method](client, "ListRepoTag", {}, { read_ahead = 1 }) return a end))
      assert.equal("not a client: call methods as client:method(…)",
        raised(function() local a = client[method]({}, "ListRepoTag") return a end))
    end)

    it("of " .. method .. ": an operation without pages is an error object", function()
      local ok, err = pcall(client[method], client, "GetRepoTag", PARAMS)
      assert.is_false(ok)
      assert.equal("validation", err.kind)
      assert.equal("NotPaged", err.code)
      local _, count = err.hint:gsub("%u%a+", "")
      assert.equal(23, count)
      ok, err = pcall(client[method], client, "ListRepoTags", PARAMS)
      assert.is_false(ok)
      assert.equal("UnknownOperation", err.code)
      assert.truthy(err.message:find("ListRepoTag?", 1, true))
      ok, err = pcall(client[method], client, "ListNews", {}, { method = "GET" })
      assert.is_false(ok)
      assert.equal("NotPaged", err.code)
    end)
  end

  it("is told on the module too", function()
    local ok, message = pcall(cr.items, 5)
    assert.is_false(ok)
    assert.truthy(tostring(message):find("items: the operation's name must be a string", 1, true))
  end)

  it("names missing parameters when the first page is asked for", function()
    local _, err = read(client:items "ListRepoTag")
    assert.equal("MissingParameter", err.code)
  end)
end)
