--- Exchanges that another thread makes: here the same thread plays both.

local core = require "cr.core"
local peer = require "spec.support.peer"

local GOOD = [[serve(answer("200 OK", '{"RequestId":"R"}', "X-A: b\r\n"))]]

local server

local function start(script)
  server = peer.start(script)
end

after_each(function()
  if server then
    server:stop()
    server = nil
  end
end)

local function request(fields)
  local made = { method = "GET", url = server and server.url or "http://127.0.0.1:1/", proxy = "" }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

describe("a job", function()
  it("brings the answer, over and over, on one connection", function()
    start(GOOD)
    local job, run = core.job(), core.runner()
    for round = 1, 3 do
      assert.is_true(job:prepare(request { headers = { ["x-round"] = tostring(round) } }))
      assert.is_false(job:is_done())
      assert.is_nil(run(job:lend()))
      assert.is_true(job:is_done())
      local response, failure = job:response()
      assert.is_nil(failure)
      assert.equal(200, response.status)
      assert.equal('{"RequestId":"R"}', response.body)
      assert.equal("b", core.headers(response.header_block)["x-a"])
      assert.equal(round > 1, response.info.connection_reused)
      assert.equal(tostring(round), server:requests()[round].headers["x-round"])
    end
  end)

  it("sends a body with zero bytes as it is", function()
    start(GOOD)
    local job = core.job()
    assert.is_true(job:prepare(request { method = "POST", body = "a\0b" }))
    core.runner()(job:lend())
    assert.equal(200, job:response().status)
    assert.equal("a\0b", server:requests()[1].body)
  end)

  it("brings the failure", function()
    local job = core.job()
    assert.is_true(job:prepare(request()))
    core.runner()(job:lend())
    local response, failure = job:response()
    assert.is_nil(response)
    assert.equal("ConnectFailed", failure.code)
    assert.is_false(failure.sent)
  end)

  it("holds a copy: what it was made from may change, and who asked may be gone", function()
    start(GOOD)
    local job, run = core.job(), core.runner()
    local fields = request { headers = { ["x-mine"] = ("long"):rep(100) } }
    job:prepare(fields)
    fields.url, fields.headers["x-mine"] = nil, nil
    local lent = job:lend()
    job, fields = nil, nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    run(lent)
    assert.equal(("long"):rep(100), server:requests()[1].headers["x-mine"])
  end)

  it("is lent to one at a time, and not touched meanwhile", function()
    local job = core.job()
    job:prepare(request())
    local lent = job:lend()
    assert.has_error(function() job:lend() end)
    assert.has_error(function() job:prepare(request()) end)
    assert.has_error(function() job:response() end)
    job:take_back()
    assert.has_error(function() job:take_back() end)
    assert.is_userdata(lent)
    assert.equal(lent, job:lend())
    core.runner()(lent)
    assert.is_nil((job:response()))
  end)

  it("takes no request that is larger than a request may be", function()
    local job = core.job()
    local ok, reason = job:prepare(request { body = ("x"):rep(18 * 1024 * 1024) })
    assert.is_nil(ok)
    assert.equal("the request is larger than this library sends", reason)
    assert.is_true(job:prepare(request()))
  end)

  it("is refused with fields of a wrong type", function()
    local job = core.job()
    assert.has_error(function() job:prepare { url = 1 } end)
    assert.has_error(function() core.runner()(job) end)
  end)
end)

describe("cr.core.thread_pool", function()
  it("knows nothing outside of nginx", function()
    assert.is_nil(core.thread_pool "cr")
  end)
end)
