--- A machine whose clock is wrong, against an emulator that refuses it.

local core = require "cr.core"
local cr = require "cr"
local curl = require "cr.transport.curl"
local emulator = require "spec.support.emulator"
local recorder = require "spec.support.recorder"

local TAG = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }

local server, offset, requests

setup(function()
  server = emulator.start()
end)

teardown(function()
  server:stop()
end)

before_each(function()
  server:reset()
  offset, requests = 0, 0
end)

--- A client whose clock is `offset` seconds ahead.
local function client(config)
  local handle = curl()
  local settings = {
    endpoint = server.endpoint,
    credentials = {
      type = "access_key", access_key_id = server.access_key_id,
      access_key_secret = server.access_key_secret,
    },
    transport = {
      sleep = function() error "no pause is needed" end,
      now = function() return core.time() + offset end,
      exchange = function(request)
        requests = requests + 1
        return handle.exchange(request)
      end,
    },
  }
  for name, value in pairs(config or {}) do
    settings[name] = value
  end
  return cr.new(settings)
end

describe("a clock that is wrong", function()
  for _, signature in ipairs { "v3", "v1" } do
    for _, wrong in ipairs { -86400, -1000, 1000, 3e8 } do
      it(("by %d s is learnt from the answer, once for a client, signed %s"):format(wrong,
        signature), function()
        offset = wrong
        local used = client { signature = signature }
        local tag, err, info = used:get_repo_tag(TAG)
        assert.equal("1.0", tag and tag.Tag, tostring(err))
        assert.equal(2, info.attempts)
        tag, err, info = used:get_repo_tag(TAG)
        assert.equal("1.0", tag and tag.Tag, tostring(err))
        assert.equal(1, info.attempts)
        assert.equal(3, requests)
      end)
    end
  end

  it("is learnt by calls that change something, too: they were not carried out", function()
    offset = 5000
    local answer, err = client():delete_repo_tag(TAG)
    assert.is_true(answer and answer.IsSuccess, tostring(err))
    assert.equal(2, requests)
  end)

  it("is learnt anew when it is put right", function()
    offset = 5000
    local used = client()
    assert(used:get_repo_tag(TAG))
    offset = 0
    local _, _, info = assert(used:get_repo_tag(TAG))
    assert.equal(2, info.attempts)
  end)

  it("is learnt with max_attempts = 1 too, which the next call has use of", function()
    offset = -5000
    local used = client { max_attempts = 1 }
    local _, err = used:get_repo_tag(TAG)
    assert.equal("InvalidTimeStamp.Expired", err.code)
    assert.equal(1, err.attempts)
    assert(used:get_repo_tag(TAG))
  end)

  it("is another client's own to learn", function()
    offset = 5000
    assert(client():get_repo_tag(TAG))
    assert(client():get_repo_tag(TAG))
    assert.equal(4, requests)
  end)

  it("is learnt from the service that assumes a role", function()
    offset = 5000
    local used = client { credentials = {
      type = "ram_role_arn", role_arn = "acs:ram::1000000000000001:role/reader",
      sts_endpoint = server.endpoint, source = {
        type = "access_key", access_key_id = server.access_key_id,
        access_key_secret = server.access_key_secret,
      },
    } }
    local _, err, info = used:get_repo_tag(TAG)
    assert.equal(1, info and info.attempts, tostring(err))
    assert.equal(3, requests)
    assert(used:get_repo_tag(TAG))
    assert.equal(4, requests) -- the session is as fresh as it is
  end)
end)

describe("a refused time", function()
  local function answers(date)
    local refused = recorder.response(400,
      '{"Code":"IllegalTimestamp","Message":"m","RequestId":"R-1"}', { date = date })
    local used, transport = recorder.client { refused, recorder.SUCCESS }
    local answer, err = used:get_instance_count()
    return answer, err, transport
  end

  it("is not tried again without the service's own time", function()
    for _, date in ipairs { false, "soon", "Tue, 05 Nov 2019 03:45:25 GMT" } do
      -- The last is the recorder's own time: the request was held up, or the service has a reason.
      local answer, err, transport = answers(date or nil)
      assert.is_nil(answer)
      assert.equal("IllegalTimestamp", err.code)
      assert.equal(1, #transport.requests)
    end
  end)

  it("is tried again with it, once", function()
    local answer, _, transport = answers "Tue, 05 Nov 2019 05:00:00 GMT"
    assert.is_table(answer)
    assert.equal("2019-11-05T05:00:00Z", transport.requests[2].headers["x-acs-date"])
    local refused = recorder.response(400, '{"Code":"IllegalTimestamp","Message":"m"}',
      { date = "Tue, 05 Nov 2019 05:00:00 GMT" })
    local used
    used, transport = recorder.client { refused }
    local _, err = used:get_instance_count()
    assert.equal("IllegalTimestamp", err.code)
    assert.equal(2, #transport.requests)
  end)
end)
