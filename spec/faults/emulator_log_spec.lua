--- What arrives when connections die: the emulator's own log says how often a request came, and its
-- registry whether the operation was carried out.

local cr = require "cr"
local core = require "cr.core"
local emulator = require "spec.support.emulator"

local TAG = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
local ATTEMPTS = 3

-- `codes`: what the caller may get; `is_done`: whether a write was carried out; `is_safe`: whether
-- it is repeated, because the service has turned it away.
local ROWS = {
  { name = "reset before the answer", fault = { reset = "before" }, codes = "ConnectionClosed" },
  { name = "reset after the headers", fault = { reset = "headers" },
    codes = "ConnectionClosed TruncatedBody", is_done = true },
  { name = "reset within the body", fault = { reset = "body" },
    codes = "ConnectionClosed TruncatedBody", is_done = true },
  { name = "body cut off", fault = { truncate = 10 }, codes = "TruncatedBody", is_done = true },
  { name = "answer that comes too late", fault = { delay_ms = 700 }, timeout = 0.2,
    codes = "Timeout", is_done = true },
  { name = "HTTP 500", fault = { status = 500 }, codes = "InternalError" },
  { name = "HTTP 503", fault = { status = 503 }, codes = "ServiceUnavailable" },
  { name = "throttling", fault = { throttle_ms = 10 }, codes = "Throttling.User", is_safe = true },
  { name = "garbage", fault = { garbage = true }, codes = "BadHttp", is_final = true },
  { name = "permission denied", fault = { code = "NoPermission", status = 403 },
    codes = "NoPermission", is_final = true },
}

-- Where the connection dies after the request was sent.
local CUTS = { ROWS[1], ROWS[2], ROWS[3], ROWS[4] }

describe("in the emulator's log,", function()
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

  local function client_of(signature, scheme, timeout)
    return cr.new {
      endpoint = scheme == "https" and server.https_endpoint or server.endpoint,
      ca_file = server.ca_file, signature = signature, timeout = timeout or 10,
      max_attempts = ATTEMPTS, credentials = {
        type = "access_key", access_key_id = server.access_key_id,
        access_key_secret = server.access_key_secret,
      },
    }
  end

  --- The log's entries of an operation; a late answer is in the log once it was made.
  local function entries(operation, expected)
    local list
    for _ = 1, 200 do
      list = {}
      for _, entry in ipairs(server:log()) do
        list[#list + 1] = entry.operation == operation and entry or nil
      end
      if #list >= expected then
        break
      end
      require("socket").sleep(0.01)
    end
    return list
  end

  --- As often as expected, each with a nonce of its own and its number.
  local function check_entries(operation, expected, signature)
    local list, nonces = entries(operation, expected), {}
    assert.equal(expected, #list, operation)
    for index, entry in ipairs(list) do
      assert.is_true(entry.fault)
      assert.is_nil(nonces[entry.nonce])
      nonces[entry.nonce] = true
      if signature == "v3" then
        assert.equal(index - 1, entry.attempt)
      end
    end
  end

  local function check_error(row, attempts, answer, err)
    assert.is_nil(answer)
    assert.truthy((" " .. row.codes .. " "):find(" " .. err.code .. " ", 1, true), tostring(err))
    assert.equal(attempts, err.attempts)
  end

  local function queue(row, operation)
    local fault = { operation = operation, count = 0 }
    for name, value in pairs(row.fault) do
      fault[name] = value
    end
    server:fault(fault)
  end

  local ways = {
    { "v3", "http", rows = ROWS }, { "v1", "http", rows = CUTS }, { "v3", "https", rows = CUTS },
  }
  for _, way in ipairs(ways) do
    for _, row in ipairs(way.rows) do
      it(("%s, %s over %s"):format(row.name, way[1], way[2]), function()
        local client = client_of(way[1], way[2], row.timeout)
        local attempts = row.is_final and 1 or ATTEMPTS
        queue(row, "GetRepoTag")
        check_error(row, attempts, client:get_repo_tag(TAG))
        check_entries("GetRepoTag", attempts, way[1])
        server:clear_faults()
        assert(client:get_repo_tag(TAG, { timeout = 10 }))

        attempts = row.is_safe and ATTEMPTS or 1
        queue(row, "DeleteRepoTag")
        check_error(row, attempts, client:delete_repo_tag(TAG))
        check_entries("DeleteRepoTag", attempts, way[1])
        server:clear_faults()
        local answer, err = client:get_repo_tag(TAG, { timeout = 10 })
        assert.equal(row.is_done and "TAG_NOT_EXIST" or nil, err and err.code)
        assert.equal(not row.is_done, answer ~= nil)
        client:close()
      end)
    end
  end

  it("a write that meets a closed port comes once, when it is sent to an open one", function()
    local client = client_of("v3", "http")
    local port = assert(core.free_port())
    local answer, err = client:delete_repo_tag(TAG, { endpoint = "http://127.0.0.1:" .. port })
    assert.is_nil(answer)
    assert.equal("ConnectFailed", err.code)
    assert.equal(ATTEMPTS, err.attempts)
    assert.equal(0, #entries("DeleteRepoTag", 0))
    assert(client:delete_repo_tag(TAG))
    assert.equal(1, #entries("DeleteRepoTag", 1))
    client:close()
  end)

  it("a write that dies on a kept connection comes once", function()
    local client = client_of("v3", "http")
    assert(client:get_repo_tag(TAG))
    queue(ROWS[1], "DeleteRepoTag")
    check_error(ROWS[1], 1, client:delete_repo_tag(TAG))
    check_entries("DeleteRepoTag", 1, "v3")
    client:close()
  end)
end)
