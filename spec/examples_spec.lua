--- The examples as a user runs them, against the emulator.

local child = require "spec.support.child"
local cjson = require "cjson"
local emulator = require "spec.support.emulator"

local server

setup(function()
  server = emulator.start()
end)

teardown(function()
  server:stop()
end)

before_each(function()
  server:reset()
end)

--- Runs an example with the emulator's variables; standard error comes first.
local function run(name)
  local variables = {
    ALIBABA_CLOUD_ENDPOINT = server.endpoint, ALIBABA_CLOUD_REGION_ID = server.region,
    ALIBABA_CLOUD_ACCESS_KEY_ID = server.access_key_id,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET = server.access_key_secret,
  }
  local words = { "env" }
  for variable, value in pairs(variables) do
    words[#words + 1] = variable .. "=" .. child.quote(value)
  end
  return child.shell(("%s %s examples/%s.lua"):format(table.concat(words, " "), child.LUA, name))
end

describe("examples/attempts_as_json.lua", function()
  it("writes a line of JSON for each attempt", function()
    server:fault { operation = "GetRepoTag", status = 503, count = 2 }
    local output, ok = run "attempts_as_json"
    assert.is_true(ok, output)
    local events = {}
    for line in output:gmatch "({[^\n]*})\n" do
      events[#events + 1] = cjson.decode(line)
    end
    assert.equal(3, #events)
    for number, event in ipairs(events) do
      assert.equal("GetRepoTag", event.operation)
      assert.equal(number, event.attempt)
      assert.equal(server.endpoint, event.endpoint)
      assert.equal(number < 3 and 503 or 200, event.http_status)
      assert.equal(number < 3 and "service" or nil, event.kind)
      assert.equal(number < 3 and "ServiceUnavailable" or nil, event.code)
      assert.matches("^%x+%-", event.request_id)
      assert.is_number(event.total)
      assert.equal(number < 3, event.pause ~= nil)
    end
    assert.matches("\n67bfbcc12b67936ec7f867927817cbb071832b873dbcaed312a1930ba5f1%*+\n$", output)
    assert.is_nil(output:find(server.access_key_secret, 1, true))
  end)
end)

describe("examples/attempts_as_metrics.lua", function()
  it("prints counters as Prometheus reads them", function()
    server:fault { operation = "GetRepoTag", status = 503 }
    local output, ok = run "attempts_as_metrics"
    assert.is_true(ok, output)
    for _, line in ipairs {
      "# TYPE cr_attempts_total counter",
      'cr_attempts_total{operation="GetRepoTag",kind="service",code="ServiceUnavailable"} 1',
      'cr_attempts_total{operation="GetRepoTag",kind="service",code="TAG_NOT_EXIST"} 1',
      'cr_attempts_total{operation="GetRepoTag",kind="success",code=""} 2',
      'cr_attempt_seconds_count{operation="GetRepoTag"} 4',
    } do
      assert.truthy(("\n" .. output):find("\n" .. line .. "\n", 1, true), line)
    end
    assert.matches('\ncr_attempt_seconds_sum{operation="GetRepoTag"} 0%.%d+\n', output)
  end)
end)
