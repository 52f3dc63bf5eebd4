--- Failures on demand, as they arrive at the other end of the connection.

local emulator = require "spec.support.emulator"
local raw = require "spec.support.raw_client"

local SAMPLE = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }

local function run(command)
  local pipe = assert(io.popen(command, "r"))
  local output = pipe:read("*a")
  pipe:close()
  return output
end

describe("the emulator's faults", function()
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

  local function request(headers, operation)
    return raw.v3(server, { operation = operation or "GetRepoTag", query = SAMPLE,
      headers = headers })
  end

  local function send(headers)
    return raw.send(server, request(headers))
  end

  --- What curl says about the connection: its exit status and message.
  local function curl()
    return run(raw.curl(server, request()) .. " --noproxy '*' -o /dev/null 2>&1; echo \"=$?\"")
  end

  it("hit as many requests as they are told to, in order", function()
    server:fault { status = 503, count = 2 }
    server:fault { code = "Throttling.Api" }
    assert.are.equal(2, #server:faults())
    local codes = {}
    for index = 1, 4 do
      codes[index] = send().Code
    end
    assert.are.same({ "ServiceUnavailable", "ServiceUnavailable", "Throttling.Api", "success" },
      codes)
    assert.are.same({}, server:faults())
  end)

  it("stay until they are cleared with a count of 0", function()
    server:fault { status = 500, count = 0 }
    for _ = 1, 5 do
      local body, answer = send()
      assert.are.equal("InternalError", body.Code)
      assert.are.equal(500, answer.status)
    end
    server:clear_faults()
    assert.are.equal("success", send().Code)
  end)

  it("hit the operation that they name", function()
    server:fault { operation = "DeleteRepoTag", status = 503 }
    assert.are.equal("success", send().Code)
    assert.are.equal("ServiceUnavailable",
      raw.send(server, request(nil, "DeleteRepoTag")).Code)
    assert.are.equal("success", send().Code, "the tag must not have been deleted")
  end)

  it("come with a request of their own", function()
    server:fault { status = 503 }
    local body = send { ["x-cr-emulator-fault"] = '{"code":"Rejected.Throttling","status":429}' }
    assert.are.equal("Rejected.Throttling", body.Code)
    assert.are.equal(1, #server:faults())
    body = send { ["x-cr-emulator-fault"] = '{"cod":"x"}' }
    assert.are.equal("InvalidFault", body.Code)
    assert.are.equal("x-cr-emulator-fault: cod: no such name", body.Message)
  end)

  it("use up the nonce of the request that they hit", function()
    local nonce = { ["x-acs-signature-nonce"] = raw.nonce() }
    server:fault { status = 503 }
    assert.are.equal("ServiceUnavailable", send(nonce).Code)
    assert.are.equal("SignatureNonceUsed", send(nonce).Code)
  end)

  it("throttle with a time to wait", function()
    server:fault { throttle_ms = 1500 }
    local body, answer = send()
    assert.are.equal("Throttling.User", body.Code)
    assert.are.equal(400, answer.status)
    assert.are.equal("1500", answer.headers["x-acs-retry-after"])
  end)

  it("answer an application error when the status is 200", function()
    server:fault { code = "REPO_NOT_EXIST", status = 200 }
    local body, answer = send()
    assert.are.equal(200, answer.status)
    assert.are.equal("REPO_NOT_EXIST", body.Code)
    assert.is_false(body.IsSuccess)
  end)

  it("answer any status, body and headers", function()
    server:fault { status = 418, body = "<html>", headers = { ["Content-Type"] = "text/html" } }
    local _, answer = send()
    assert.are.equal(418, answer.status)
    assert.are.equal("<html>", answer.body)
    assert.are.equal("text/html", answer.headers["content-type"])
    server:fault { status = 302, headers = { Location = "http://127.0.0.1:9/" } }
    _, answer = send()
    assert.are.equal(302, answer.status)
    assert.are.equal("http://127.0.0.1:9/", answer.headers.location)
    assert.are.equal("", answer.body)
    server:fault { headers = { ["X-Extra"] = "1" } }
    local body
    body, answer = send()
    assert.are.equal("success", body.Code)
    assert.are.equal("1", answer.headers["x-extra"])
  end)

  it("wait before they answer", function()
    -- No more than the promise: not earlier.
    server:fault { delay_ms = 300 }
    local socket = require "socket"
    local before = socket.gettime()
    assert.are.equal("success", send().Code)
    assert.is_true(socket.gettime() - before >= 0.29)
  end)

  it("cut the body off", function()
    server:fault { truncate = 10 }
    local _, answer = send()
    assert.are.equal(10, #answer.body)
    assert.is_true(tonumber(answer.headers["content-length"]) > 100)
    server:fault { truncate = 10 }
    local told = curl()
    assert.is_truthy(told:find("=18\n$"), told)
  end)

  it("reset the connection before, after the headers, or in the body", function()
    for _, stage in ipairs { true, "before", "headers", "body" } do
      server:fault { reset = stage }
      local told = curl()
      assert.is_truthy(told:find("Connection reset by peer", 1, true), told)
      assert.is_truthy(told:find("=56\n$"), told)
    end
  end)

  it("carry the operation out unless the reset comes before", function()
    server:fault { operation = "DeleteRepoTag", reset = "before" }
    raw.exchange(server, raw.bytes(request(nil, "DeleteRepoTag")))
    assert.are.equal("success", send().Code)
    server:fault { operation = "DeleteRepoTag", reset = "body" }
    raw.exchange(server, raw.bytes(request(nil, "DeleteRepoTag")))
    assert.are.equal("TAG_NOT_EXIST", send().Code)
  end)

  it("send what is no HTTP", function()
    server:fault { garbage = true }
    local answer = raw.exchange(server, raw.bytes(request()))
    assert.are.equal(64, #answer)
    assert.are.equal(255, answer:byte())
    server:fault { garbage = 100000 }
    assert.are.equal(100000, #raw.exchange(server, raw.bytes(request())))
  end)

  it("close the connection after the answer", function()
    server:fault { close = true }
    local bytes = raw.bytes(request { connection = "keep-alive" })
    local answer = raw.parse(raw.exchange(server, bytes))
    assert.are.equal(200, answer.status)
    assert.are.equal("close", answer.headers.connection)
    assert.are.equal(tonumber(answer.headers["content-length"]), #answer.body)
  end)

  it("compress a short answer", function()
    server:fault { gzip = true }
    local _, answer = send { ["accept-encoding"] = "gzip" }
    assert.are.equal("gzip", answer.headers["content-encoding"])
  end)

  it("mark the requests that they hit in the log", function()
    server:fault { reset = true }
    raw.exchange(server, raw.bytes(request()))
    send()
    local log = server:log()
    assert.is_true(log[1].fault)
    assert.are.equal(0, log[1].status)
    assert.is_false(log[2].fault)
  end)

  it("are refused when they make no sense, naming what is wrong", function()
    local cases = {
      ["{"] = "no JSON: ", ["[{}]"] = "an object expected",
      ['{"statuss":1}'] = "statuss: no such name",
      ['{"status":99}'] = "status: a whole number from 200 to 599 expected",
      ['{"reset":"later"}'] = 'reset: true, "before", "headers" or "body" expected',
      ['{"headers":{"a":"b\\r\\nc"}}'] = "headers: an object of strings",
      ['{"garbage":0}'] = "garbage: true or a number of bytes",
      ['{"count":-1}'] = "count: a whole number from 0",
    }
    for text, expected in pairs(cases) do
      local body, status = server:control("POST", "faults", text)
      assert.are.equal(400, status, text)
      assert.are.equal(expected, body.error:sub(1, #expected))
    end
  end)
end)
