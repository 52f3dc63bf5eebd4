--- Which failures are repeated, how often, after which pause, and what a repeated request says.

local cr = require "cr"
local core = require "cr.core"
local fixture = require "spec.support.fixture"
local recorder = require "spec.support.recorder"

local READ, WRITE = "GetInstance", "DeleteNamespace"

local PARAMS = {
  GetInstance = { InstanceId = "i" },
  ListNamespace = { InstanceId = "i" },
  DeleteNamespace = { InstanceId = "i", NamespaceName = "n" },
  CreateInstanceEndpointAclPolicy = { InstanceId = "i", EndpointType = "internet" },
  DeleteInstanceEndpointAclPolicy = { InstanceId = "i", EndpointType = "internet" },
  UpdateInstanceEndpointStatus = { InstanceId = "i", EndpointType = "internet", Enable = true },
  GetAuthorizationToken = { InstanceId = "i" },
}

--- Calls once and returns the transport, the answer and the error.
local function call(operation, answers, config)
  local client, transport = recorder.client(answers, config)
  local answer, err, info = client:call(operation, PARAMS[operation])
  return transport, answer, err, info
end

local function service(status, code, headers)
  return recorder.response(status, ('{"Code":"%s","Message":"m"}'):format(code), headers)
end

local function transfer(code, sent)
  return { failure = { code = code, message = "m", sent = sent } }
end

--- How often a call that always fails so is tried.
local function attempts(operation, answer, config)
  local transport, result, err = call(operation, { answer }, config)
  assert.is_nil(result)
  assert.equal(#transport.requests, err.attempts)
  assert.equal(#transport.requests - 1, #transport.pauses)
  assert.equal(#transport.requests > 1, err.retryable)
  return #transport.requests
end

describe("a read", function()
  it("is repeated after what can pass", function()
    for _, operation in ipairs { "GetInstance", "ListNamespace", "GetAuthorizationToken" } do
      for _, code in ipairs { "ResolveFailed", "ConnectFailed", "ProxyFailed", "Timeout",
        "SendFailed", "ConnectionClosed", "TruncatedBody", "TransferFailed" } do
        for _, sent in ipairs { true, false } do
          assert.equal(3, attempts(operation, transfer(code, sent)), code)
        end
        assert.equal(3, attempts(operation, transfer(code)), code)
      end
      for _, status in ipairs { 500, 501, 502, 503, 504, 599 } do
        assert.equal(3, attempts(operation, service(status, "InternalError")))
        assert.equal(3, attempts(operation, recorder.response(status, "<html>")))
        assert.equal(3, attempts(operation, recorder.response(status, "")))
      end
    end
  end)

  it("is not repeated after what cannot", function()
    for _, code in ipairs { "TlsFailed", "InvalidUrl", "InvalidHeader", "ResponseTooLarge",
      "OutOfMemory", "BadTransport", "SomethingElse" } do
      assert.equal(1, attempts(READ, transfer(code, false)), code)
    end
    for _, status in ipairs { 400, 401, 403, 404, 409, 499 } do
      assert.equal(1, attempts(READ, service(status, "InvalidParameter")))
    end
    assert.equal(1, attempts(READ, service(200, "REPO_NOT_EXIST")))
    assert.equal(1, attempts(READ, recorder.response(200, "")))
    assert.equal(1, attempts(READ, recorder.response(302, "")))
    assert.equal(1, attempts(READ, service(400, "SLB_SERVICE_ERROR")))
  end)
end)

describe("a write", function()
  it("is repeated when no byte was sent", function()
    for _, code in ipairs { "ResolveFailed", "ConnectFailed", "ProxyFailed", "Timeout",
      "SendFailed", "ConnectionClosed" } do
      assert.equal(3, attempts(WRITE, transfer(code, false)), code)
    end
  end)

  it("is not repeated when it may have arrived", function()
    for _, code in ipairs { "ConnectFailed", "Timeout", "SendFailed", "ConnectionClosed",
      "TruncatedBody", "TransferFailed" } do
      assert.equal(1, attempts(WRITE, transfer(code, true)), code)
      assert.equal(1, attempts(WRITE, transfer(code, nil)), code)
    end
    for _, failure in ipairs { "text", {}, 5 } do
      assert.equal(1, attempts(WRITE, { failure = failure }))
    end
    for _, status in ipairs { 500, 502, 503, 504 } do
      assert.equal(1, attempts(WRITE, service(status, "InternalError")))
      assert.equal(1, attempts(WRITE, recorder.response(status, "<html>")))
    end
  end)
end)

describe("throttling", function()
  local codes = {
    "Throttling", "Throttling.User", "Throttling.Api", "Rejected.Throttling", "ThrottlingException",
  }

  it("is waited out by reads and writes, whatever the HTTP status", function()
    for _, operation in ipairs { READ, WRITE } do
      for _, code in ipairs(codes) do
        for _, status in ipairs { 200, 400, 429, 503 } do
          assert.equal(3, attempts(operation, service(status, code)))
        end
      end
    end
  end)

  it("is told from an outage, after which only reads are repeated", function()
    for _, status in ipairs { 400, 503 } do
      assert.equal(3, attempts(READ, service(status, "ServiceUnavailable")))
      assert.equal(1, attempts(WRITE, service(status, "ServiceUnavailable")))
    end
  end)

  it("is waited out as long as the service asks, in each form of asking", function()
    for _, headers in ipairs {
      { ["x-acs-retry-after"] = "1500" }, { ["X-Acs-Retry-After"] = "1500" },
      { ["x-ratelimit-user-api"] = "TimeLeft:1500" },
      { ["x-ratelimit-user-api"] = "Limit:100,Remain:0,TimeLeft:1500" },
      { ["x-ratelimit-user-api"] = "TimeLeft: 1500, Limit: 5" },
      { ["x-ratelimit-user"] = "TimeLeft:1500" }, { ["X-RateLimit-User"] = "TimeLeft:1500" },
      { ["x-acs-retry-after"] = "1500", ["x-ratelimit-user-api"] = "TimeLeft:9000" },
      { ["x-ratelimit-user-api"] = "TimeLeft:1500", ["x-ratelimit-user"] = "TimeLeft:9000" },
      { ["x-acs-retry-after"] = "soon", ["x-ratelimit-user"] = "TimeLeft:1500" },
      { ["x-ratelimit-user-api"] = "Limit:5", ["x-ratelimit-user"] = "TimeLeft:1500" },
    } do
      local transport = call(WRITE, { service(429, "Throttling.User", headers),
        recorder.SUCCESS })
      assert.equal(1, #transport.pauses)
      local pause = transport.pauses[1]
      assert.is_true(pause >= 1.5 and pause <= 1.7, tostring(pause))
    end
  end)

  it("asks for nothing in other forms", function()
    for _, value in ipairs { "", "soon", "-5000", "nan", "1500 ms" } do
      local transport = call(READ, { service(429, "Throttling", { ["x-acs-retry-after"] = value }),
        recorder.SUCCESS })
      assert.equal(1, #transport.pauses)
      -- A client that was throttled takes its time: about a call at 3.5/s.
      assert.is_true(transport.pauses[1] > 0.1 and transport.pauses[1] <= 0.5, value)
    end
  end)

  it("is waited out for 20 seconds at most", function()
    for _, value in ipairs { "20001", "3600000", "1e300", "inf", "99999999999999999999" } do
      local transport = call(READ, { service(429, "Throttling", { ["x-acs-retry-after"] = value }),
        recorder.SUCCESS })
      assert.equal(1, #transport.pauses)
      assert.is_true(transport.pauses[1] <= 20, value)
    end
    local transport = call(READ, { service(429, "Throttling", { ["x-acs-retry-after"] = "60000" }),
      recorder.SUCCESS })
    assert.equal(20, transport.pauses[1])
  end)
end)

describe("the access control lists of an instance", function()
  it("are tried again when the load balancer is busy", function()
    for _, operation in ipairs { "CreateInstanceEndpointAclPolicy",
      "DeleteInstanceEndpointAclPolicy", "UpdateInstanceEndpointStatus" } do
      assert.equal(3, attempts(operation, service(400, "SLB_SERVICE_ERROR")))
      assert.equal(3, attempts(operation, service(200, "SLB_SERVICE_ERROR")))
    end
    assert.equal(1, attempts(WRITE, service(400, "SLB_SERVICE_ERROR")))
  end)
end)

describe("an operation that is not listed", function()
  local function tried(name)
    local client, transport = recorder.client { service(500, "InternalError") }
    assert.is_nil((client:call(name, {}, { method = "POST" })))
    return #transport.requests
  end

  it("is a read when its name says so", function()
    for name, count in pairs {
      GetNews = 3, ListNews = 3, CreateNews = 1, UpdateList = 1, Gettysburg = 1, Listen = 1,
      ForGet = 1,
    } do
      assert.equal(count, tried(name), name)
    end
  end)
end)

describe("the number of attempts", function()
  it("is max_attempts, of the client or of the call", function()
    for _, count in ipairs { 1, 2, 3, 7 } do
      assert.equal(count, (function()
        local transport = call(READ, { service(500, "X") }, { max_attempts = count })
        return #transport.requests
      end)())
    end
    local client, transport = recorder.client({ service(500, "X") }, { max_attempts = 5 })
    client:call(READ, PARAMS[READ], { max_attempts = 1 })
    assert.equal(1, #transport.requests)
    assert.same({}, transport.pauses)
  end)

  it("ends with the first success", function()
    local transport, answer, err, info = call(READ,
      { service(500, "X"), transfer("Timeout", true), recorder.SUCCESS }, { max_attempts = 9 })
    assert.is_true(answer.IsSuccess)
    assert.is_nil(err)
    assert.equal(3, info.attempts)
    assert.equal(3, #transport.requests)
  end)

  it("ends with the first failure that cannot pass", function()
    local transport, answer, err = call(READ,
      { service(500, "X"), service(404, "REPO_NOT_EXIST"), recorder.SUCCESS })
    assert.is_nil(answer)
    assert.equal("REPO_NOT_EXIST", err.code)
    assert.equal(2, err.attempts)
    assert.is_false(err.retryable)
    assert.equal(2, #transport.requests)
  end)

  it("is told with the last error", function()
    local _, _, err = call(READ, { service(500, "First"), service(502, "Last") })
    assert.equal("Last", err.code)
    assert.equal(502, err.http_status)
    assert.equal("GetInstance: Last (HTTP 502): m. After 3 attempts. RequestId R-1", tostring(err))
  end)
end)

describe("the pauses", function()
  it("grow up to a limit, with jitter", function()
    local longest = {}
    for _ = 1, 30 do
      local transport = call(READ, { service(500, "X") }, { max_attempts = 10 })
      assert.equal(9, #transport.pauses)
      for index, pause in ipairs(transport.pauses) do
        assert.is_true(pause >= 0)
        assert.is_true(pause <= math.min(0.2 * 2 ^ (index - 1), 20), index .. ": " .. pause)
        longest[index] = math.max(longest[index] or 0, pause)
      end
    end
    -- thirty times the lower half: less likely than one in a billion
    assert.is_true(longest[1] > 0.1)
    assert.is_true(longest[5] > 1.6)
    assert.is_true(longest[9] > 10)
  end)

  it("differ between calls", function()
    local seen, distinct = {}, 0
    for _ = 1, 20 do
      local transport = call(READ, { service(500, "X"), recorder.SUCCESS })
      if not seen[transport.pauses[1]] then
        seen[transport.pauses[1]] = true
        distinct = distinct + 1
      end
    end
    assert.is_true(distinct > 15)
  end)

  it("do not touch the host program's random numbers", function()
    math.randomseed(42)
    local expected = { math.random(), math.random() }
    math.randomseed(42)
    call(READ, { service(500, "X") })
    assert.same(expected, { math.random(), math.random() })
  end)
end)

describe("the deadline", function()
  it("is never overrun by a pause", function()
    for _, deadline in ipairs { 0.001, 0.05, 0.3, 1, 5, 30 } do
      for _ = 1, 10 do
        local transport, answer, err = call(READ, { service(500, "X") },
          { deadline = deadline, max_attempts = 50 })
        local spent = transport.clock - recorder.new().clock
        assert.is_nil(answer)
        assert.is_true(spent < deadline, ("%g of %g"):format(spent, deadline))
        assert.equal("X", err.code)
        assert.equal(#transport.requests, err.attempts)
      end
    end
  end)

  it("lets pass what fits and nothing more", function()
    local headers = { ["x-acs-retry-after"] = "1000" }
    local transport, _, err = call(READ, { service(429, "Throttling", headers) },
      { deadline = 3.9, max_attempts = 50 })
    -- each pause is 1 s and at most 0.2, 0.4, 0.8 s more
    assert.is_true(#transport.requests >= 2 and #transport.requests <= 4)
    assert.equal(#transport.requests, err.attempts)
    transport, _, err = call(READ, { service(429, "Throttling", headers) }, { deadline = 0.9 })
    assert.equal(1, #transport.requests)
    assert.same({}, transport.pauses)
    assert.is_true(err.retryable)
  end)

  it("shortens the time of an attempt to what is left", function()
    local client, transport = recorder.client({
      function(_, self)
        self.clock = self.clock + 4
        return nil, { code = "Timeout", sent = true }
      end,
    }, { deadline = 10, timeout = 6, max_attempts = 50 })
    assert.is_nil((client:call(READ, PARAMS[READ])))
    local spent = 0
    for index, request in ipairs(transport.requests) do
      assert.is_true(request.timeout <= 6)
      assert.is_true(request.timeout <= 10 - spent + 1e-6,
        ("attempt %d may take %g s after %g s"):format(index, request.timeout, spent))
      assert.is_true(request.timeout > 0)
      spent = spent + 4 + (transport.pauses[index] or 0)
    end
    assert.equal(6, transport.requests[1].timeout)
    assert.is_true(#transport.requests >= 2 and #transport.requests <= 3)
    assert.is_true(transport.requests[2].timeout < 6.001)
  end)

  it("leaves the time of an attempt alone where there is none", function()
    local transport = call(READ, { service(500, "X") }, { timeout = 7, connect_timeout = 3 })
    for _, request in ipairs(transport.requests) do
      assert.equal(7, request.timeout)
      assert.equal(3, request.connect_timeout)
    end
  end)
end)

describe("a repeated request", function()
  for _, signature in ipairs { "v3", "v1" } do
    it("is signed anew with its own time and nonce, with " .. signature, function()
      local transport = call(READ, { service(500, "X") },
        { signature = signature, max_attempts = 4 })
      local nonces = {}
      local at = recorder.new().clock
      for index, request in ipairs(transport.requests) do
        local query = recorder.query(request.url)
        local nonce = query.SignatureNonce or request.headers["x-acs-signature-nonce"]
        local date = query.Timestamp or request.headers["x-acs-date"]
        assert.matches("^%x+$", nonce)
        assert.equal(32, #nonce)
        assert.is_nil(nonces[nonce])
        nonces[nonce] = true
        assert.equal(core.iso8601(at), date)
        at = at + (transport.pauses[index] or 0)
      end
      assert.equal(4, #transport.requests)
    end)
  end

  it("announces itself in signed headers", function()
    local transport = call(READ, { service(500, "X") }, { max_attempts = 3 })
    for index, request in ipairs(transport.requests) do
      local headers = fixture.copy(request.headers)
      local authorization = headers.authorization
      headers.authorization = nil
      if index == 1 then
        assert.is_nil(headers["x-acs-retry-attempts"])
        assert.is_nil(headers["x-acs-retry-delay"])
      else
        assert.equal(tostring(index - 1), headers["x-acs-retry-attempts"])
        assert.equal(("%d"):format(math.floor(transport.pauses[index - 1] * 1000)),
          headers["x-acs-retry-delay"])
        assert.matches("x-acs-retry-attempts;x-acs-retry-delay", authorization, 1, true)
      end
      assert.equal(cr.sign({
        method = request.method, query = recorder.query(request.url), headers = headers,
        access_key_id = recorder.KEY.access_key_id,
        access_key_secret = recorder.KEY.access_key_secret,
      }).authorization, authorization)
    end
  end)

  it("has a new credential when the provider gives one", function()
    local count = 0
    local transport = call(READ, { service(500, "X") }, { credentials = function()
      count = count + 1
      return { type = "access_key", access_key_id = "id" .. count, access_key_secret = "s" }
    end })
    for index, request in ipairs(transport.requests) do
      assert.matches("Credential=id" .. index .. ",", request.headers.authorization, 1, true)
    end
    assert.equal(3, count)
  end)
end)

describe("on_attempt", function()
  local SECRET, TOKEN = "hunter2-secret", "hunter2-token"

  local function events_of(operation, answers, config)
    local events = {}
    config = config or {}
    config.credentials = {
      type = "sts", access_key_id = "STS.id", access_key_secret = SECRET, security_token = TOKEN,
    }
    config.on_attempt = function(...)
      assert.equal(1, select("#", ...))
      events[#events + 1] = ...
    end
    local transport = call(operation, answers, config)
    return events, transport
  end

  it("hears of every attempt", function()
    local response = recorder.response(200, recorder.SUCCESS)
    response.info = { total = 0.25, connection_reused = true }
    local events, transport = events_of(READ, { service(500, "X"), transfer("Timeout", true),
      response })
    assert.same({
      {
        operation = READ, attempt = 1, endpoint = "https://cr.cn-hangzhou.aliyuncs.com",
        http_status = 500, kind = "service", code = "X", request_id = "R-1",
        pause = transport.pauses[1],
      },
      {
        operation = READ, attempt = 2, endpoint = "https://cr.cn-hangzhou.aliyuncs.com",
        kind = "transport", code = "Timeout", pause = transport.pauses[2],
      },
      {
        operation = READ, attempt = 3, endpoint = "https://cr.cn-hangzhou.aliyuncs.com",
        http_status = 200, request_id = "R-1", total = 0.25, connection_reused = true,
      },
    }, events)
  end)

  it("hears no pause after the last attempt", function()
    local events = events_of(WRITE, { service(500, "X") })
    assert.equal(1, #events)
    assert.is_nil(events[1].pause)
    events = events_of(READ, { service(500, "X") }, { max_attempts = 2 })
    assert.equal(2, #events)
    assert.is_nil(events[2].pause)
  end)

  it("hears nothing secret, whatever the service and the transport say", function()
    for _, signature in ipairs { "v3", "v1" } do
      for _, answer in ipairs {
        recorder.response(400, ('{"Code":"%s","Message":"%s %s","RequestId":"%s"}'):format(TOKEN,
          SECRET, TOKEN, TOKEN), { ["x-acs-request-id"] = TOKEN }),
        recorder.response(200, '{"IsSuccess":true}', { ["x-acs-request-id"] = TOKEN }),
        transfer(TOKEN .. SECRET, false), { failure = TOKEN .. SECRET },
      } do
        local events = events_of(READ, { answer }, { signature = signature })
        assert.is_true(#events > 0)
        assert.is_false(fixture.shows(events, "hunter2"))
      end
    end
  end)

  it("does not hear of a call that is not sent", function()
    local heard = 0
    local client, transport = recorder.client(nil, { on_attempt = function()
      heard = heard + 1
    end })
    assert.is_nil((client:get_repo_tag()))
    assert.is_nil((client:get_instance_count(nil, { region = "no region" })))
    assert.equal(0, heard)
    assert.equal(0, #transport.requests)
  end)

  it("hears of an attempt without a credential", function()
    local events = {}
    local client = recorder.client(nil, {
      credentials = function() return nil, "locked" end,
      on_attempt = function(event) events[#events + 1] = event end,
    })
    local answer, err = client:get_instance_count()
    assert.is_nil(answer)
    assert.equal("credentials", err.kind)
    assert.equal(1, #events)
    assert.equal("credentials", events[1].kind)
  end)
end)
