--- The limits of a whole call, where every attempt fails.

local child = require "spec.support.child"
local cr = require "cr"
local faults = require "spec.support.faults"
local peers = require "spec.support.peer"
local recorder = require "spec.support.recorder"
local socket = require "socket"

local UNAVAILABLE = [[
  misbehave(function(connection)
    return connection:send(answer("503 No", '{"Code":"ServiceUnavailable"}'))
  end)
]]

describe("bytes that nobody asked for", function()
  local SPOILS = [[
    misbehave(function(connection)
      connection:send(answer("200 OK", '{"IsSuccess":true,"RequestId":"FIRST"}'))
      socket.sleep(0.05)
      connection:send(answer("200 OK", '{"IsSuccess":true,"RequestId":"FORGED"}'))
      note "spoilt"
      return true
    end)
  ]]

  it("are not the next answer after calls to other endpoints either", function()
    local spoilt, others = peers.start(SPOILS), {}
    local client = cr.new { endpoint = spoilt.url, credentials = recorder.KEY }
    local ok, problem = pcall(function()
      assert.equal("FIRST", assert(faults.read(client)).RequestId)
      for i = 1, 3 do
        others[i] = peers.start "misbehave()"
        others[i]:behave()
        assert(faults.read(client, { endpoint = others[i].url }))
      end
      spoilt:await "spoilt"
      spoilt:behave()
      assert.equal("GOOD", assert(faults.read(client)).RequestId)
      for i = 1, 3 do
        assert.equal("GOOD", assert(faults.read(client, { endpoint = others[i].url })).RequestId)
      end
    end)
    client:close()
    spoilt:stop()
    for _, other in ipairs(others) do
      other:stop()
    end
    assert.is_true(ok, problem)
  end)
end)

describe("a kept connection", function()
  it("is not handed down to programs that are started meanwhile", function()
    -- TCP only: the pair of sockets by which libcurl wakes itself is nobody else's business.
    local function inherited()
      return (child.shell [[
        for file in /proc/self/fd/*; do readlink $file; done |
          sed -n 's/^socket:.\(.*\).$/\1/p' |
          while read -r inode; do grep " $inode " /proc/net/tcp; done | wc -l]])
    end
    local peer = peers.start "misbehave()"
    peer:behave()
    local before = inherited()
    local client = cr.new { endpoint = peer.url, credentials = recorder.KEY }
    local ok, err = faults.read(client)
    local after = inherited()
    client:close()
    peer:stop()
    assert.is_truthy(ok, tostring(err))
    assert.equal(before, after)
  end)
end)

describe("a call whose attempts all fail", function()
  local peer, client

  after_each(function()
    client:close()
    peer:stop()
  end)

  local function start(script, config)
    peer = peers.start(script)
    config.endpoint, config.credentials = peer.url, recorder.KEY
    client = cr.new(config)
  end

  local function fails(call, code)
    local started = socket.gettime()
    local answer, err = call(client)
    assert.is_nil(answer)
    assert.equal(code, err.code)
    assert.equal(err.attempts, peer:faults())
    assert.is_true(socket.gettime() - started < faults.LONG)
    return err
  end

  it("ends with its deadline where the peer is silent, long before its time-out", function()
    start("misbehave(function(connection) connection:stay() end)",
      { timeout = 60, deadline = 0.3, max_attempts = 100 })
    assert.equal(1, fails(faults.read, "Timeout").attempts)
    peer:clear_log()
    assert.equal(1, fails(faults.write, "Timeout").attempts)
  end)

  it("ends with its deadline where there is always another attempt", function()
    start(UNAVAILABLE, { deadline = 0.5, max_attempts = 100 })
    local err = fails(faults.read, "ServiceUnavailable")
    assert.is_true(err.attempts < 100)
    assert.is_true(err.retryable)
  end)

  it("ends with max_attempts, whatever it is", function()
    start(UNAVAILABLE, {})
    for _, attempts in ipairs { 1, 2, 3 } do
      peer:clear_log()
      client:close()
      client = cr.new { endpoint = peer.url, credentials = recorder.KEY, max_attempts = attempts }
      assert.equal(attempts, fails(faults.read, "ServiceUnavailable").attempts)
      peer:clear_log()
      assert.equal(1, fails(faults.write, "ServiceUnavailable").attempts)
    end
  end)

  it("gets an answer when the peer comes to its senses in between", function()
    start([[
      local times = 0
      misbehave(function(connection)
        times = times + 1
        return connection:send(times < 3 and answer("503 No", '{}') or GOOD)
      end)
    ]], {})
    local answer, err, info = faults.read(client)
    assert.is_nil(err)
    assert.equal("GOOD", answer.RequestId)
    assert.equal(3, info.attempts)
  end)
end)
