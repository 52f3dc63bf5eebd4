--- client:map: one operation over a list, many calls in flight.

local busy = require "spec.support.busy"
local core = require "cr.core"
local cr = require "cr"
local environment = require "spec.support.environment"
local descriptors = require "spec.support.descriptors"

local KEY = { type = "access_key", access_key_id = "id", access_key_secret = "not-a-real-secret" }
local CLOSES_ITSELF = _VERSION == "Lua 5.4"

local server, client

setup(function()
  server = busy.start()
end)

teardown(function()
  server:stop()
end)

before_each(function()
  client = cr.new {
    endpoint = server.url, credentials = KEY, max_attempts = 1, timeout = 8,
    defaults = { InstanceId = "cri-1", RepoId = "crr-1" },
  }
end)

after_each(function()
  client:close()
end)

local function list_of(...)
  local list = {}
  for index, tag in ipairs { ... } do
    list[index] = { Tag = tag }
  end
  return list
end

local function numbered(beginning, count)
  local list = {}
  for index = 1, count do
    list[index] = { Tag = beginning .. index }
  end
  return list
end

--- All results of a map by index: {answer, err, info}; and the indices in order of completion.
local function collect(...)
  local by_index, order = {}, {}
  for index, answer, err, info in client:map("GetRepoTag", ...) do
    assert.is_nil(by_index[index], "twice: " .. index)
    by_index[index] = { answer = answer, err = err, info = info }
    order[#order + 1] = index
  end
  return by_index, order
end

describe("a map", function()
  it("brings the answer of each item, with its index and info", function()
    local results, order = collect(numbered("plain-", 100))
    assert.equal(100, #order)
    for index = 1, 100 do
      assert.equal("plain-" .. index, results[index].answer.Tag)
      assert.is_nil(results[index].err)
      assert.equal(200, results[index].info.http_status)
      assert.equal("B-plain-" .. index, results[index].info.request_id)
    end
  end)

  it("has so many calls in flight at a time, and no more", function()
    local fresh = busy.start()
    finally(function() fresh:stop() end)
    client = cr.new { endpoint = fresh.url, credentials = KEY, defaults = { InstanceId = "i" } }
    --- So many calls that are answered only when all of them are there, and then others.
    local function list_for(count)
      local list = numbered(("meet-%d-"):format(count), count)
      for index = count + 1, 60 do
        list[index] = { Tag = "slow-" .. index }
      end
      for _, item in ipairs(list) do
        item.RepoId = "r"
      end
      return list
    end
    collect(list_for(7), { concurrency = 7 })
    assert.equal(7, fresh:seen().most)
    collect(list_for(16))
    assert.equal(16, fresh:seen().most) -- the default
    assert.equal(120, fresh:seen().requests)
  end)

  it("needs all of its calls at the same time", function()
    local results = collect(numbered("meet-40-", 40), { concurrency = 40 })
    for index = 1, 40 do
      assert(results[index].answer, tostring(results[index].err))
    end
  end)

  it("brings results in order of completion", function()
    local list = list_of("last-", "plain-a", "plain-b", "plain-c")
    local _, order = collect(list, { concurrency = 4 })
    assert.equal(1, order[4])
  end)

  it("keeps to the order of the list with one call at a time", function()
    local _, order = collect(numbered("plain-", 20), { concurrency = 1 })
    for index = 1, 20 do
      assert.equal(index, order[index])
    end
  end)

  it("keeps its connections, also for the next map", function()
    local fresh = busy.start()
    finally(function() fresh:stop() end)
    client = cr.new {
      endpoint = fresh.url, credentials = KEY, defaults = { InstanceId = "i", RepoId = "r" },
    }
    collect(numbered("slow-", 50), { concurrency = 5 })
    collect(numbered("slow-", 50), { concurrency = 5 })
    assert.equal(5, fresh:seen().connections)
  end)

  it("of nothing ends at once", function()
    local results, order = collect({})
    assert.same({}, results)
    assert.same({}, order)
    assert.same({}, (collect(function() end)))
  end)

  it("has no more memory with a longer list", function()
    local function run(count)
      local left = count
      for _, answer in client:map("GetRepoTag", function()
        left = left - 1
        return left >= 0 and { Tag = "plain-x" } or nil
      end, { concurrency = 8 }) do
        assert(answer)
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    run(200)
    local small = run(200)
    local large = run(2000)
    assert.is_true(large - small < 64, ("%.0f and %.0f KiB"):format(small, large))
  end)
end)

describe("the list of a map", function()
  it("may be a function, which is asked when there is somebody to call", function()
    local taken, seen = 0, 0
    local function next_item()
      taken = taken + 1
      return taken <= 200 and { Tag = "plain-" .. taken } or nil
    end
    for index, answer in client:map("GetRepoTag", next_item, { concurrency = 4 }) do
      seen = seen + 1
      assert.equal("plain-" .. index, answer.Tag)
      -- four in flight, four that wait for the loop
      assert.is_true(taken <= seen + 8, ("%d taken, %d seen"):format(taken, seen))
    end
    assert.equal(200, seen)
  end)

  it("may make calls itself, without being asked twice at a time", function()
    local asked, inside = 0, false
    local function next_item()
      assert(not inside, "asked while it was asked")
      inside = true
      asked = asked + 1
      local answer = client:get_repo_tag { Tag = "slow-" .. asked }
      inside = false
      return asked <= 12 and { Tag = "meet-1-" .. answer.Tag } or nil
    end
    local results = collect(next_item, { concurrency = 6 })
    for index = 1, 12 do
      assert.equal("meet-1-slow-" .. index, results[index].answer.Tag)
    end
  end)

  it("may be an object that can be called", function()
    local count = 0
    local list = setmetatable({}, {
      __call = function()
        count = count + 1
        return count <= 3 and { Tag = "plain-" .. count } or nil
      end,
    })
    assert.equal(3, #select(2, collect(list)))
  end)

  it("raises its error in the loop, after the results that were under way", function()
    local count, seen = 0, 0
    local function next_item()
      count = count + 1
      if count == 4 then
        error("the list is broken", 0)
      end
      return { Tag = "plain-" .. count }
    end
    local ok, reason = pcall(function()
      for _, answer in client:map("GetRepoTag", next_item, { concurrency = 2 }) do
        assert(answer)
        seen = seen + 1
      end
    end)
    assert.is_false(ok)
    assert.equal("the list is broken", reason)
    assert.equal(3, seen)
  end)

  it("raises error objects as they are", function()
    local object = { kind = "transport" }
    local ok, reason = pcall(collect, function() error(object) end)
    assert.is_false(ok)
    assert.equal(object, reason)
  end)
end)

describe("an item", function()
  it("that fails has its error, and the others go on", function()
    local results = collect(list_of("plain-a", "fail-b", "plain-c"))
    assert.equal("plain-a", results[1].answer.Tag)
    assert.is_nil(results[2].answer)
    assert.equal("TAG_NOT_EXIST", results[2].err.code)
    assert.equal("plain-c", results[3].answer.Tag)
  end)

  it("that is none of parameters has a validation error", function()
    local results = collect { { Tag = "plain-a" }, "plain-b", { Tagg = "x" }, { Tag = {} } }
    assert.equal("plain-a", results[1].answer.Tag)
    assert.equal("validation", results[2].err.kind)
    assert.matches("item 2 of the list must be a table of parameters, got a string",
      tostring(results[2].err), 1, true)
    assert.equal("UnknownParameter", results[3].err.code)
    assert.equal("InvalidParameter", results[4].err.code)
  end)

  it("whose call raises an error has that, with its traceback, and the others go on", function()
    client = cr.new {
      endpoint = server.url, credentials = KEY, defaults = { InstanceId = "i", RepoId = "r" },
      on_attempt = function(event)
        if event.request_id == "B-plain-3" then
          error("the hook is broken")
        end
      end,
    }
    local results = collect(numbered("plain-", 40), { concurrency = 3 })
    for index = 1, 40 do
      if index == 3 then
        assert.equal("raised", results[3].err.kind)
        assert.matches("the hook is broken", tostring(results[3].err), 1, true)
        assert.matches("the hook is broken", results[3].err.cause, 1, true)
        assert.matches("map_spec.lua", results[3].err.traceback, 1, true)
      else
        assert.equal("plain-" .. index, results[index].answer.Tag)
      end
    end
  end)

  it("is attempted again as outside", function()
    local results = collect(list_of("twice-map-a", "plain-a", "twice-map-b"),
      { max_attempts = 2, retry = function() return 0.01 end })
    assert.equal("twice-map-a", results[1].answer.Tag)
    assert.equal(2, results[1].info.attempts)
    assert.equal(1, results[2].info.attempts)
    assert.equal(2, results[3].info.attempts)
  end)

  it("that takes too long times out alone", function()
    local results = collect(list_of("hang-timeout", "plain-a", "plain-b"), { timeout = 0.2 })
    assert.equal("Timeout", results[1].err.code)
    assert.equal("plain-a", results[2].answer.Tag)
    assert.equal("plain-b", results[3].answer.Tag)
  end)
end)

describe("a loop that is left", function()
  it("ends what is in flight", function()
    local before = server:seen().given_up
    local list = list_of("with-4-first", "hang-1", "hang-2", "hang-3")
    local results = client:map("GetRepoTag", list, { concurrency = 4 })
    local _, answer = results()
    assert.equal("with-4-first", answer.Tag)
    results:close()
    results:close()
    server:await("given_up", before + 3)
    assert.is_nil(results()) -- nothing more comes
  end)

  it("does so by itself where Lua can tell", function()
    if not CLOSES_ITSELF then
      return
    end
    local before = server:seen().given_up
    local list = list_of("with-3-first", "hang-1", "hang-2")
    for _ in client:map("GetRepoTag", list) do -- luacheck: ignore 512
      break
    end
    server:await("given_up", before + 2)
    pcall(function()
      for _ in client:map("GetRepoTag", list) do
        error "out of the loop"
      end
    end)
    server:await("given_up", before + 4)
  end)

  it("and forgotten is ended by the collector", function()
    local before = server:seen().given_up
    do
      local results = client:map("GetRepoTag", list_of("with-3-first", "hang-1", "hang-2"))
      assert(results())
    end
    collectgarbage()
    collectgarbage()
    server:await("given_up", before + 2)
  end)

  it("leaves no descriptor", function()
    client:map("GetRepoTag", list_of("plain-warm"))()
    collectgarbage()
    client:close()
    local before = descriptors.open()
    for _ = 1, 20 do
      local results = client:map("GetRepoTag", list_of("with-3-first", "hang-1", "hang-2"))
      assert(results())
      results:close()
    end
    client:close()
    assert.equal(before, descriptors.open())
  end)
end)

describe("within a run a map", function()
  it("shares the scheduler with others", function()
    local seen = {}
    cr.run(function(spawn)
      for part = 1, 2 do
        spawn(function()
          local list = numbered("meet-8-run-" .. part .. "-", 4)
          for index, answer, err in client:map("GetRepoTag", list, { concurrency = 4 }) do
            assert(answer, tostring(err))
            seen[#seen + 1] = part .. "/" .. index
          end
        end)
      end
    end)
    assert.equal(8, #seen)
  end)

  it("waits for a loop that makes calls itself", function()
    local taken, seen = 0, 0
    cr.run(function()
      local function next_item()
        taken = taken + 1
        return taken <= 60 and { Tag = "plain-" .. taken } or nil
      end
      for _ in client:map("GetRepoTag", next_item, { concurrency = 3 }) do
        seen = seen + 1
        assert(client:get_repo_tag { Tag = "slow-" .. seen })
        assert.is_true(taken <= seen + 8, ("%d taken, %d seen"):format(taken, seen))
      end
    end)
    assert.equal(60, seen)
  end)

  it("is one of many, whether or not their loops can yield", function()
    local count = 0
    cr.run(function(spawn)
      for part = 1, 25 do
        spawn(function()
          for _, answer, err in client:map("GetRepoTag", numbered("slow-" .. part .. "-", 3)) do
            assert(answer, tostring(err))
            count = count + 1
          end
        end)
      end
    end)
    assert.equal(75, count)
  end)

  it("that is left does not hold up the end", function()
    local before = server:seen().given_up
    cr.run(function()
      assert(client:map("GetRepoTag", list_of("with-3-first", "hang-1", "hang-2"))())
    end)
    server:await("given_up", before + 2)
  end)

  it("is of no use after it, and says so", function()
    local results
    cr.run(function()
      results = client:map("GetRepoTag", list_of("plain-a", "hang-1"))
      assert(results())
    end)
    local ok, reason = pcall(results)
    assert.is_false(ok)
    assert.matches("the run that these calls belonged to is over", reason, 1, true)
  end)
end)

describe("a map works", function()
  it("in a coroutine of the user's", function()
    local tags = {}
    local generate = coroutine.wrap(function()
      for _, answer in client:map("GetRepoTag", numbered("plain-", 6)) do
        coroutine.yield(answer.Tag)
      end
    end)
    for tag in generate do
      tags[#tags + 1] = tag
    end
    table.sort(tags)
    assert.equal("plain-1 plain-2 plain-3 plain-4 plain-5 plain-6", table.concat(tags, " "))
  end)

  it("with a transport of the user's, one call at a time", function()
    local curl = require "cr.transport.curl" ()
    client = cr.new {
      endpoint = server.url, credentials = KEY, defaults = { InstanceId = "i", RepoId = "r" },
      transport = { exchange = curl.exchange, now = core.time },
    }
    local _, order = collect(numbered("plain-", 5))
    assert.equal(5, #order)
  end)

  it("on the default client too", function()
    environment.set {
      ALIBABA_CLOUD_ENDPOINT = server.url, ALIBABA_CLOUD_ACCESS_KEY_ID = "id",
      ALIBABA_CLOUD_ACCESS_KEY_SECRET = "not-a-real-secret",
    }
    finally(environment.restore)
    for _, answer, err in cr.map("get_repo_tag", {
      { InstanceId = "i", RepoId = "r", Tag = "plain-a" },
    }) do
      assert.equal("plain-a", answer and answer.Tag, tostring(err))
    end
  end)
end)

describe("misuse of a map", function()
  local function raises(text, ...)
    local ok, reason = pcall(client.map, client, ...)
    assert.is_false(ok)
    assert.matches(text, tostring(reason), 1, true)
  end

  it("is told at once", function()
    raises("the operation's name must be a string, got a nil")
    raises("the list must be an array or a function, got a number", "GetRepoTag", 3)
    raises("unknown key concurency; did you mean concurrency?", "GetRepoTag", {},
      { concurency = 3 })
    raises("concurrency must be an integer from 1 to 10000", "GetRepoTag", {}, { concurrency = 0 })
    raises("no such operation; did you mean GetRepoTag?", "GetRepoTags", {})
    assert.has_error(function() cr.new {}.map({}, "GetRepoTag", {}) end)
  end)
end)
