--- Clients that are throttled, in virtual time: they share the limit of an account.

local cr = require "cr"
local recorder = require "spec.support.recorder"
local virtual = require "spec.support.virtual"

local LIMIT = 50 -- calls/s

local function throttled(milliseconds)
  return recorder.response(429, '{"Code":"Throttling.User","Message":"slow down"}',
    { ["x-acs-retry-after"] = ("%d"):format(math.ceil(milliseconds)) })
end

--- A limit by a bucket of tokens that fills with time.
local function bucket(size)
  local tokens, last = size, nil
  return function(time)
    tokens = math.min(size, tokens + (last and time - last or 0) * LIMIT)
    last = time
    if tokens >= 1 then
      tokens = tokens - 1
      return nil
    end
    return (1 - tokens) / LIMIT * 1000
  end
end

--- A limit by windows of a second.
local function window()
  local current, count
  return function(time)
    if math.floor(time) ~= current then
      current, count = math.floor(time), 0
    end
    count = count + 1
    return count > LIMIT and (current + 1 - time) * 1000 or nil
  end
end

--- Ten clients with so many calls each.
-- @return seconds, requests that were let through per second, requests in all, failed calls
local function ten_clients(limit, calls)
  local passed, requests, failures = {}, 0, {}
  local world = virtual.new(function(_, world)
    requests = requests + 1
    local wait = limit(world.time)
    if wait then
      return throttled(wait)
    end
    local second = math.floor(world.time)
    passed[second] = (passed[second] or 0) + 1
    return recorder.response(200, recorder.SUCCESS)
  end)
  local start = world.time
  for _ = 1, 10 do
    local client = cr.new {
      region = "cn-hangzhou", credentials = recorder.KEY, transport = world.transport(),
    }
    world.spawn(function()
      for _ = 1, calls do
        local answer, err = client:get_instance_count()
        failures[#failures + 1] = not answer and tostring(err) or nil
      end
    end)
  end
  world.run()
  return world.time - start, passed, requests, failures
end

describe("ten clients under one limit", function()
  for name, limit in pairs {
    ["a bucket of a second"] = function() return bucket(LIMIT) end,
    ["a bucket of a fifth of a second"] = function() return bucket(LIMIT / 5) end,
    ["windows of a second"] = window,
  } do
    it("all get through, within 1.3 of the ideal time and with few refusals: " .. name, function()
      local calls = 200
      local seconds, _, requests, failures = ten_clients(limit(), calls)
      assert.same({}, failures)
      local ideal = 10 * calls / LIMIT - 1 -- the first second's worth may pass at once
      assert.is_true(seconds <= 1.3 * ideal, ("%.1f s, ideal %.1f s"):format(seconds, ideal))
      assert.is_true(requests <= 1.35 * 10 * calls, requests .. " requests")
    end)
  end
end)

describe("a client that was throttled", function()
  --- Calls once a time; `throttled_at` tells which request is throttled.
  local function times(count, throttled_at)
    local list = {}
    local world = virtual.new(function(_, world)
      list[#list + 1] = world.time
      return throttled_at[#list] and throttled(100) or recorder.response(200, recorder.SUCCESS)
    end)
    local client = cr.new {
      region = "cn-hangzhou", credentials = recorder.KEY, transport = world.transport(),
    }
    world.spawn(function()
      for _ = 1, count do
        assert(client:get_instance_count())
      end
    end)
    world.run()
    return list
  end

  it("sends no slower than before until then", function()
    local list = times(10, {})
    assert.is_true(list[10] - list[1] < 0.1)
  end)

  it("spaces its calls then, less and less", function()
    local list = times(200, { [10] = true })
    local after = list[13] - list[12]
    assert.is_true(after > 0.05 and after <= 2, after)
    assert.is_true(list[200] - list[199] < 0.02, list[200] - list[199])
  end)

  it("does not wait for its pace past the deadline of a call", function()
    local asked = 0
    local world = virtual.new(function()
      asked = asked + 1
      return asked <= 3 and throttled(1) or recorder.response(200, recorder.SUCCESS)
    end)
    local client = cr.new {
      region = "cn-hangzhou", credentials = recorder.KEY, transport = world.transport(),
      deadline = 0.05, max_attempts = 1,
    }
    world.spawn(function()
      for _ = 1, 3 do
        client:get_instance_count()
      end
      local start = world.time
      for _ = 1, 20 do
        assert(client:get_instance_count())
      end
      assert.is_true(world.time - start < 20 * 0.05)
    end)
    world.run()
  end)

  it("tells the hook how long it waited", function()
    local events, asked = {}, 0
    local world = virtual.new(function()
      asked = asked + 1
      return asked == 1 and throttled(1) or recorder.response(200, recorder.SUCCESS)
    end)
    local client = cr.new {
      region = "cn-hangzhou", credentials = recorder.KEY, transport = world.transport(),
      on_attempt = function(event) events[#events + 1] = event end,
    }
    world.spawn(function()
      assert(client:get_instance_count())
      assert(client:get_instance_count())
    end)
    world.run()
    assert.equal(3, #events)
    assert.is_nil(events[1].delay)
    assert.is_true(events[3].delay > 0)
  end)
end)
