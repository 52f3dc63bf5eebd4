--- Limits to repeating: the client's budget, being throttled while others get through, and the
-- user's own decision.

local recorder = require "spec.support.recorder"

local OUTAGE = recorder.response(503, '{"Code":"ServiceUnavailable","Message":"m"}')

local function throttled(milliseconds)
  return recorder.response(429, '{"Code":"Throttling.User","Message":"m"}',
    milliseconds and { ["x-acs-retry-after"] = ("%d"):format(milliseconds) } or nil)
end

--- A client that hears its own events, over a list of answers or a function that gives them.
local function client(answers, config)
  local events = {}
  local settings = { on_attempt = function(event) events[#events + 1] = event end }
  for name, value in pairs(config or {}) do
    settings[name] = value
  end
  local made, transport = recorder.client(answers, settings)
  return made, transport, events
end

describe("the budget of a client", function()
  it("ends repeating in an outage after 100 repeated attempts", function()
    local used, transport, events = client { OUTAGE }
    for _ = 1, 200 do
      assert.is_nil((used:get_instance_count()))
    end
    assert.equal(200 + 100, #transport.requests)
    assert.equal("budget", events[#events].gave_up)
    local _, err = used:get_instance_count()
    assert.equal(1, err.attempts)
    assert.is_true(err.retryable) -- by the caller, who knows better when
  end)

  it("is earned again by successes, ten for one repeated attempt", function()
    local is_out = true
    local used, transport = client { function()
      return is_out and OUTAGE or recorder.response(200, recorder.SUCCESS)
    end }
    for _ = 1, 60 do
      used:get_instance_count()
    end
    is_out = false
    for _ = 1, 25 do
      assert(used:get_instance_count())
    end
    is_out = true
    local before = #transport.requests
    for _ = 1, 5 do
      used:get_instance_count()
    end
    assert.equal(5 + 2, #transport.requests - before)
  end)

  it("is each client's own", function()
    local first = client { OUTAGE }
    for _ = 1, 60 do
      first:get_instance_count()
    end
    local _, err = first:get_instance_count()
    assert.equal(1, err.attempts)
    _, err = client { OUTAGE }:get_instance_count()
    assert.equal(3, err.attempts)
  end)

  it("is not spent on being throttled: the service says when", function()
    local used, transport = client { throttled(1) }
    for _ = 1, 200 do
      used:get_instance_count()
    end
    assert.equal(600, #transport.requests)
  end)

  it("is shared by calls with options of their own", function()
    local used, transport = client { OUTAGE }
    for _ = 1, 200 do
      used:get_instance_count(nil, { timeout = 1 })
    end
    assert.equal(300, #transport.requests)
  end)
end)

describe("a call that is throttled", function()
  --- A client that was throttled once and got through three times since; then `count` requests are
  -- throttled.
  local function slowed_down(count, milliseconds, config)
    local requests = 0
    local used, transport, events = client({ function()
      requests = requests + 1
      local is_throttled = requests == 1 or (requests > 4 and requests <= 4 + count)
      return is_throttled and throttled(milliseconds) or recorder.response(200, recorder.SUCCESS)
    end }, config)
    for _ = 1, 3 do
      assert(used:get_instance_count(nil, { max_attempts = 2 }))
    end
    return used, transport, events
  end

  it("is made max_attempts times when nothing, or little, got through since", function()
    local is_throttled = false
    local used = client { function()
      return is_throttled and throttled(10) or recorder.response(200, recorder.SUCCESS)
    end }
    assert(used:get_instance_count())
    assert(used:get_instance_count())
    for _ = 1, 3 do
      is_throttled = true
      local _, err = used:get_instance_count()
      assert.equal(3, err.attempts)
      is_throttled = false
      _ = used:get_instance_count()
    end
  end)

  it("goes on while calls of the client get through", function()
    local answer, _, info = slowed_down(9, 10):get_instance_count()
    assert.is_table(answer)
    assert.equal(10, info.attempts)
  end)

  it("goes on for 15 attempts at most", function()
    local _, err = slowed_down(100, 10):get_instance_count()
    assert.equal(15, err.attempts)
  end)

  it("does not go on without being told when to come again", function()
    local _, err = slowed_down(100):get_instance_count()
    assert.equal(3, err.attempts)
  end)

  it("does not go on after a minute in which all was well", function()
    local used, transport = slowed_down(0, 10)
    transport.clock = transport.clock + 61
    assert(used:get_instance_count())
    local answer = transport.exchange
    transport.exchange = function(request)
      answer(request)
      return throttled(10)
    end
    local _, err = used:get_instance_count()
    assert.equal(3, err.attempts)
  end)

  it("does not go on with max_attempts = 1", function()
    local _, err = slowed_down(100, 10):get_instance_count(nil, { max_attempts = 1 })
    assert.equal(1, err.attempts)
  end)

  it("does not go on past the deadline", function()
    local used, _, events = slowed_down(100, 1000)
    local _, err = used:get_instance_count(nil, { deadline = 3 })
    assert.is_true(err.attempts <= 3)
    assert.equal("deadline", events[#events].gave_up)
  end)
end)

describe("the user's own retry", function()
  it("is asked after every failure, with the error and the number of the attempt", function()
    local asked = {}
    local used, transport = client({ OUTAGE }, { retry = function(...)
      local err, number = ...
      asked[#asked + 1] = ("%d %s %d"):format(select("#", ...), err.code, number)
    end })
    used:get_instance_count()
    assert.same({ "2 ServiceUnavailable 1", "2 ServiceUnavailable 2", "2 ServiceUnavailable 3" },
      asked)
    assert.equal(3, #transport.requests) -- nil leaves it to the library
  end)

  it("may say no", function()
    local used, transport, events = client({ OUTAGE }, { retry = function() return false end })
    used:get_instance_count()
    assert.equal(1, #transport.requests)
    assert.equal("not retryable", events[1].gave_up)
  end)

  it("may say yes where the library would not, and after how many seconds", function()
    local used, transport = client({ OUTAGE, OUTAGE, recorder.SUCCESS },
      { retry = function(_, number) return number == 1 and 7 or true end })
    local answer, _, info = used:create_namespace { InstanceId = "i", NamespaceName = "n" }
    assert.is_table(answer)
    assert.equal(3, info.attempts)
    assert.equal(7, transport.pauses[1])
    assert.is_true(transport.pauses[2] <= 0.4)
  end)

  it("does not make more attempts than max_attempts, nor longer pauses than 20 s", function()
    local used, transport = client({ OUTAGE }, { retry = function() return 1e9 end })
    local _, err = used:get_instance_count()
    assert.equal(3, err.attempts)
    assert.same({ 20, 20 }, transport.pauses)
  end)

  it("is not asked with max_attempts = 1", function()
    local used = client({ OUTAGE }, { max_attempts = 1, retry = function() error "asked" end })
    local _, err = used:get_instance_count()
    assert.equal(1, err.attempts)
  end)

  it("is of a single call where it stands in its options", function()
    local used, transport = client { OUTAGE }
    used:get_instance_count(nil, { retry = function() return false end })
    assert.equal(1, #transport.requests)
  end)
end)

describe("an event of the last attempt", function()
  it("says why there is no other", function()
    for _, case in ipairs {
      { "not retryable", { recorder.response(400, '{"Code":"X","Message":"m"}') } },
      { "max_attempts", { OUTAGE } },
    } do
      local used, _, events = client(case[2])
      used:get_instance_count()
      assert.equal(case[1], events[#events].gave_up)
      for index = 1, #events - 1 do
        assert.is_nil(events[index].gave_up)
      end
    end
    local used, _, events = client { recorder.SUCCESS }
    used:get_instance_count()
    assert.is_nil(events[1].gave_up)
  end)
end)
