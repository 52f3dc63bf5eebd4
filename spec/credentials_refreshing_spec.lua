--- Sessions that are kept fresh, against an emulator whose sessions expire.

local cjson = require "cjson"
local coroutines = require "spec.support.coroutines"
local cr = require "cr"
local emulator = require "spec.support.emulator"

local TAG = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
local ROLE = "acs:ram::1000000000000001:role/reader"
local HOUR = 3600 -- what a session of the role lives

local server, transport, clients

setup(function()
  server = emulator.start()
end)

teardown(function()
  server:stop()
end)

before_each(function()
  server:reset()
  transport, clients = coroutines.transport(), {}
end)

after_each(function()
  for _, client in ipairs(clients) do
    client:close()
  end
end)

local function role(more)
  local declared = {
    type = "ram_role_arn", role_arn = ROLE, sts_endpoint = server.endpoint,
    source = {
      type = "access_key", access_key_id = server.access_key_id,
      access_key_secret = server.access_key_secret,
    },
  }
  for name, value in pairs(more or {}) do
    declared[name] = value
  end
  return declared
end

local function new_client(config)
  local settings = { endpoint = server.endpoint, credentials = role(), transport = transport }
  for name, value in pairs(config or {}) do
    settings[name] = value
  end
  local client = cr.new(settings)
  clients[#clients + 1] = client
  return client
end

--- Both clocks.
local function move_time(seconds)
  transport.offset = seconds
  server:clock(math.floor(seconds))
end

--- How often an operation was asked for.
local function count(operation)
  local found = 0
  for _, entry in ipairs(server:log()) do
    found = found + (entry.operation == operation and 1 or 0)
  end
  return found
end

--- The keys that calls were signed with, in order.
local function keys(operation)
  local list = {}
  for _, entry in ipairs(server:log()) do
    if entry.operation == operation then
      list[#list + 1] = entry.access_key_id
    end
  end
  return list
end

local function succeed(client)
  local tag, err = client:get_repo_tag(TAG)
  assert.equal("1.0", tag and tag.Tag, tostring(err))
end

local function refuse_refreshes()
  server:fault { operation = "AssumeRole", status = 500, count = 0 }
end

describe("callers at once", function()
  local function all_succeed(client)
    local results = coroutines.run(50, function()
      local tag, err = client:get_repo_tag(TAG)
      return tag and tag.Tag or tostring(err)
    end)
    for number = 1, 50 do
      assert.equal("1.0", results[number])
    end
  end

  it("fetch one session in the beginning", function()
    all_succeed(new_client())
    assert.equal(1, count "AssumeRole")
    assert.equal(50, count "GetRepoTag")
  end)

  it("fetch one session when the old one has expired, and all sign with it", function()
    local client = new_client()
    succeed(client)
    move_time(HOUR + 1)
    server:clear_log()
    all_succeed(client)
    assert.equal(1, count "AssumeRole")
    local used = keys "GetRepoTag"
    assert.equal(50, #used)
    for _, key in ipairs(used) do
      assert.equal(used[1], key)
    end
  end)

  it("fetch one session in the mandatory window, and wait for it", function()
    local client = new_client()
    succeed(client)
    local old = keys "GetRepoTag"[1]
    move_time(HOUR - 100)
    server:clear_log()
    all_succeed(client)
    assert.equal(1, count "AssumeRole")
    for _, key in ipairs(keys "GetRepoTag") do
      assert.not_equal(old, key)
    end
  end)

  it("fetch one session in the advisory window, and go on with the old one meanwhile", function()
    local client = new_client()
    succeed(client)
    local old = keys "GetRepoTag"[1]
    move_time(HOUR - 800)
    server:clear_log()
    all_succeed(client)
    assert.equal(1, count "AssumeRole")
    local with_old = 0
    for _, key in ipairs(keys "GetRepoTag") do
      with_old = with_old + (key == old and 1 or 0)
    end
    assert.equal(49, with_old)
  end)

  it("share the failure of the one who asked", function()
    refuse_refreshes()
    local client = new_client { max_attempts = 1 }
    local results = coroutines.run(50, function()
      local tag, err = client:get_repo_tag(TAG)
      return not tag and tostring(err):gsub(" RequestId .*", "")
    end)
    assert.equal(1, count "AssumeRole")
    assert.equal(0, count "GetRepoTag")
    local host = server.endpoint:match "//(.*)$"
    for number = 1, 50 do
      assert.equal("GetRepoTag: CredentialsUnavailable: AssumeRole at " .. host ..
        ": InternalError (HTTP 500): The emulator was told to answer this.", results[number])
    end
  end)

  it("refresh once after the service refused the session as expired", function()
    local client = new_client()
    succeed(client)
    server:expire()
    server:clear_log()
    all_succeed(client)
    assert.equal(1, count "AssumeRole")
  end)
end)

describe("a refresh that fails", function()
  it("disturbs no caller in the advisory window, and is tried after growing pauses", function()
    local client = new_client { max_attempts = 1 }
    succeed(client)
    refuse_refreshes()
    server:clear_log()
    local asked = {}
    -- Seconds after the beginning of the window; pauses are 1, 2, 4, 8 s.
    for _, second in ipairs { 0, 0.5, 1.1, 1.5, 3.2, 5, 7.3, 10, 15.4 } do
      move_time(HOUR - 890 + second)
      succeed(client)
      asked[#asked + 1] = count "AssumeRole"
    end
    assert.same({ 1, 1, 2, 2, 3, 3, 4, 4, 5 }, asked)
  end)

  it("disturbs no caller in the mandatory window either", function()
    local client = new_client { max_attempts = 1 }
    succeed(client)
    refuse_refreshes()
    move_time(HOUR - 20)
    succeed(client)
    assert.equal(2, count "AssumeRole")
  end)

  it("is the caller's error once the session has expired, until all is well again", function()
    local client = new_client { max_attempts = 1 }
    succeed(client)
    refuse_refreshes()
    move_time(HOUR + 1)
    local tag, err = client:get_repo_tag(TAG)
    assert.is_nil(tag)
    assert.equal("credentials", err.kind)
    assert.equal("CredentialsUnavailable", err.code)
    assert.is_true(err.retryable)
    assert.equal("GetRepoTag", err.operation)
    server:clear_faults()
    succeed(client)
  end)

  it("keeps the next caller from asking again at once", function()
    refuse_refreshes()
    local client = new_client { max_attempts = 1 }
    local results = {}
    for _, second in ipairs { 0, 0.1, 0.2, 0.9, 1.3, 2, 3.5 } do
      transport.offset = second
      local _, err = client:get_repo_tag(TAG)
      results[#results + 1] = ("%d %s"):format(count "AssumeRole",
        tostring(err):match "asked again" or "asked")
    end
    -- The first failure has no pause, then 1, 2, 4 … s.
    assert.same({ "1 asked", "2 asked", "2 asked again", "2 asked again", "3 asked",
      "3 asked again", "4 asked" }, results)
  end)

  it("is tried again within a call, after the pause that it needs", function()
    server:fault { operation = "AssumeRole", status = 503, count = 2 }
    succeed(new_client())
    assert.equal(3, count "AssumeRole")
    assert.equal(2, #transport.pauses)
    assert.is_true(transport.pauses[2] >= 0.5)
  end)

  it("is not tried again within a call when nothing can change", function()
    local client = new_client { credentials = role { role_arn = ROLE .. "-unknown" } }
    local _, err = client:get_repo_tag(TAG)
    assert.is_false(err.retryable)
    assert.equal(1, err.attempts)
    assert.equal(1, count "AssumeRole")
  end)

  it("does not use up the deadline of a call that has a good session", function()
    local client = new_client { deadline = 2, max_attempts = 1 }
    succeed(client)
    move_time(HOUR - 800)
    server:fault { operation = "AssumeRole", delay_ms = 60000 }
    succeed(client)
    assert.equal(2, count "AssumeRole")
  end)
end)

describe("a refresh that fails, with a deadline", function()
  it("is tried again after growing pauses too, though the deadline cut it short", function()
    for _, second in ipairs { HOUR - 800, HOUR - 100 } do
      server:reset()
      transport.offset = 0
      local client = new_client { deadline = 0.4, max_attempts = 1 }
      succeed(client)
      move_time(second)
      server:fault { operation = "AssumeRole", delay_ms = 60000, count = 0 }
      server:clear_log()
      for _ = 1, 10 do
        succeed(client)
      end
      assert.equal(1, count "AssumeRole")
    end
  end)

  it("is not waited for when the pause is long", function()
    refuse_refreshes()
    local client = new_client { max_attempts = 1 }
    for _ = 1, 6 do
      client:get_repo_tag(TAG)
      transport.offset = transport.offset + 70
    end
    client:get_repo_tag(TAG)
    transport.pauses = {}
    local _, err = client:get_repo_tag(TAG, { max_attempts = 3 })
    assert.is_true(err.retry_after > 5)
    assert.equal(1, err.attempts)
    assert.same({}, transport.pauses)
  end)

  it("is told to the hook, when the old session goes on", function()
    local events = {}
    local client = new_client { on_attempt = function(event) events[#events + 1] = event end }
    succeed(client)
    refuse_refreshes()
    move_time(HOUR - 800)
    succeed(client)
    assert.is_nil(events[1].warnings)
    assert.equal(1, #events[2].warnings)
    assert.matches("^no fresh credential: AssumeRole at 127%.0%.0%.1:%d+: InternalError " ..
      "%(HTTP 500%)", events[2].warnings[1])
  end)
end)

describe("a session", function()
  it("is used until a quarter of its life is left", function()
    local client = new_client { credentials = role { role_session_expiration = 900 } }
    for _, second in ipairs { 0, 100, 600, 670 } do
      move_time(second)
      succeed(client)
    end
    assert.equal(1, count "AssumeRole")
    move_time(680)
    succeed(client)
    assert.equal(2, count "AssumeRole")
  end)

  it("that expires between two attempts of a call is replaced, by the clock", function()
    local client = new_client { on_attempt = function(event)
      if event.attempt == 1 then
        move_time(HOUR + 1)
      end
    end }
    server:fault { operation = "GetRepoTag", status = 503 }
    succeed(client)
    assert.equal(2, count "AssumeRole")
    local used = keys "GetRepoTag"
    assert.equal(2, #used)
    assert.not_equal(used[1], used[2])
  end)

  it("that expires between two attempts of a call is replaced, by the service's word", function()
    local client = new_client { on_attempt = function(event)
      if event.attempt == 1 then
        server:expire()
      end
    end }
    server:fault { operation = "GetRepoTag", status = 503 }
    local tag, _, info = client:get_repo_tag(TAG)
    assert.equal("1.0", tag.Tag)
    assert.equal(3, info.attempts)
    assert.equal(2, count "AssumeRole")
    assert.equal(1, #transport.pauses) -- none before the attempt with the new session
  end)

  it("that was refused as expired is replaced in one more attempt than max_attempts", function()
    local client = new_client { max_attempts = 2, on_attempt = function(event)
      if event.attempt == 1 then
        server:expire()
      end
    end }
    server:fault { operation = "GetRepoTag", status = 503 }
    local _, _, info = client:get_repo_tag(TAG)
    assert.equal(3, info.attempts)
  end)

  it("that was refused as expired is replaced for calls that change something, too", function()
    local client = new_client { credentials = role {
      role_arn = "acs:ram::1000000000000001:role/node",
    } }
    succeed(client)
    server:expire()
    local answer, err = client:delete_repo_tag(TAG)
    assert.is_true(answer and answer.IsSuccess, tostring(err))
    assert.equal(2, count "AssumeRole")
    assert.equal(2, count "DeleteRepoTag")
  end)

  it("that is refused does not count for max_attempts, whatever comes first", function()
    local client = new_client { max_attempts = 2 }
    succeed(client)
    server:expire()
    server:fault { operation = "GetRepoTag", status = 503 } -- hits the second attempt
    local tag, err, info = client:get_repo_tag(TAG)
    assert.equal("1.0", tag and tag.Tag, tostring(err))
    assert.equal(3, info.attempts)
  end)

  it("that is refused again and again is fetched after growing pauses", function()
    local client = new_client()
    server:fault { operation = "GetRepoTag", status = 400, code = "InvalidSecurityToken.Expired",
      count = 0 }
    for _ = 1, 10 do
      client:get_repo_tag(TAG)
    end
    assert.is_true(count "AssumeRole" <= 7, count "AssumeRole")
    local _, err = client:get_repo_tag(TAG, { max_attempts = 1 })
    assert.matches("the service refused a session from role .*/reader as expired that was just " ..
      "fetched", tostring(err))
  end)

  it("is replaced once in a call, not for ever", function()
    local client = new_client()
    succeed(client)
    server:clear_log()
    server:fault { operation = "GetRepoTag", status = 400, code = "InvalidSecurityToken.Expired",
      count = 0 }
    local _, err = client:get_repo_tag(TAG)
    assert.equal("InvalidSecurityToken.Expired", err.code)
    assert.equal(2, err.attempts)
    assert.equal(1, count "AssumeRole")
  end)

  it("is not replaced when max_attempts is 1: the caller repeats", function()
    local client = new_client { max_attempts = 1 }
    succeed(client)
    server:expire()
    local _, err = client:get_repo_tag(TAG)
    assert.equal("InvalidSecurityToken.Expired", err.code)
    succeed(client)
    assert.equal(2, count "AssumeRole")
  end)

  it("that was given is not asked for again", function()
    local client = new_client { credentials = {
      type = "sts", access_key_id = "STS.NTEmulatorExpired",
      access_key_secret = "EmulatorSecretExpired-not-a-real-one",
      security_token = "EmulatorSecurityTokenExpired-not-a-real-one",
    } }
    local _, err = client:get_repo_tag(TAG)
    assert.equal("InvalidSecurityToken.Expired", err.code)
    assert.equal(1, err.attempts)
  end)

  it("from a server that has no fresher one is asked for again after a pause", function()
    server:fault { operation = "MetadataCredentials", count = 0, body = cjson.encode {
      Code = "Success", AccessKeyId = "STS.NTEmulatorSession",
      AccessKeySecret = "EmulatorSecretSession-not-a-real-one",
      SecurityToken = "EmulatorSecurityToken-not-a-real-one",
      Expiration = os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + HOUR),
    } }
    local client = new_client { credentials = {
      type = "ecs_ram_role", metadata_endpoint = server.endpoint,
    } }
    local asked = {}
    for _, second in ipairs { 890 - HOUR, 0, 0.5, 1.1, 1.5, 3.2 } do
      move_time(HOUR - 890 + second)
      succeed(client)
      asked[#asked + 1] = count "MetadataCredentials"
    end
    assert.same({ 1, 2, 2, 3, 3, 4 }, asked)
    -- Nor does the pause outlive the session: it is asked for at once when that has expired.
    move_time(HOUR - 2)
    succeed(client)
    server:clear_faults()
    move_time(HOUR + 1)
    succeed(client)
    assert.equal(6, count "MetadataCredentials")
  end)
end)

describe("a clock", function()
  it("that jumps an hour ahead causes one refresh", function()
    local client = new_client()
    succeed(client)
    move_time(HOUR)
    succeed(client)
    succeed(client)
    assert.equal(2, count "AssumeRole")
  end)

  it("that jumps an hour back causes one refresh, and no long pause when it fails", function()
    local client = new_client { max_attempts = 1 }
    succeed(client)
    move_time(-HOUR)
    refuse_refreshes()
    succeed(client) -- with the old session: it is still good
    assert.equal(2, count "AssumeRole")
    server:clear_faults()
    move_time(-2 * HOUR) -- back again, to before the failure
    succeed(client)
    assert.equal(3, count "AssumeRole")
    succeed(client)
    assert.equal(3, count "AssumeRole")
  end)

  it("that is ahead by more than a session lives is named", function()
    transport.offset = 600
    local fixture = { roles = { { name = "reader", session_seconds = 60 } } }
    local short = emulator.start { fixture = fixture }
    local client = new_client { credentials = role { sts_endpoint = short.endpoint } }
    finally(function() short:stop() end)
    local _, err = client:get_repo_tag(TAG)
    assert.equal("credentials", err.kind)
    assert.matches("^GetRepoTag: CredentialsUnavailable: the session from role " ..
      "acs:ram::1000000000000001:role/reader expired at %d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ, and it " ..
      "is %d+%-%d%d%-%d%dT%d%d:%d%d:%d%dZ by this machine's clock%. Check the clock%.$",
      tostring(err))
  end)
end)

describe("a first refresh", function()
  it("that one caller's deadline cut short is no failure for the next", function()
    server:fault { operation = "AssumeRole", delay_ms = 60000 }
    local client = new_client { max_attempts = 1 }
    local _, err = client:get_repo_tag(TAG, { deadline = 0.3 })
    assert.matches("Timeout", err.message)
    succeed(client)
  end)
end)

describe("a refresh that never comes back", function()
  it("holds nobody up for good: given up in its midst", function()
    local client = new_client()
    local given_up = coroutine.create(function()
      client:get_repo_tag(TAG)
    end)
    assert(coroutine.resume(given_up)) -- and never again
    local results = coroutines.run(3, function()
      local tag, err = client:get_repo_tag(TAG)
      return tag and tag.Tag or tostring(err)
    end)
    assert.same({ "1.0", "1.0", "1.0" }, results)
    assert.equal(1, count "AssumeRole")
  end)

  it("holds nobody up at all: raised an error", function()
    local client = new_client()
    local exchange = transport.exchange
    transport.exchange = function() error "broken" end
    local broken = coroutine.create(function()
      client:get_repo_tag(TAG)
    end)
    assert.is_false((coroutine.resume(broken)))
    transport.exchange = exchange
    local results = coroutines.run(3, function()
      local tag, err = client:get_repo_tag(TAG)
      return tag and tag.Tag or tostring(err)
    end)
    assert.same({ "1.0", "1.0", "1.0" }, results)
    assert.equal(1, count "AssumeRole")
    assert.is_true(transport.offset < 5)
  end)

  it("holds nobody up at all: raised an error that was caught", function()
    if _VERSION == "Lua 5.1" and not rawget(_G, "jit") then
      return -- cannot yield across pcall; there the wait has an end of its own
    end
    local client = new_client { credentials = role { source = function() error "locked" end } }
    local results = coroutines.run(3, function()
      local ok, reason = pcall(client.get_repo_tag, client, TAG)
      return not ok and reason
    end)
    for number = 1, 3 do
      assert.matches("locked$", results[number])
    end
    assert.is_true(transport.offset < 5)
  end)

  it("is not waited for longer than the deadline", function()
    local client = new_client { deadline = 5 }
    local given_up = coroutine.create(function()
      client:get_repo_tag(TAG)
    end)
    assert(coroutine.resume(given_up))
    local results = coroutines.run(1, function()
      local _, err = client:get_repo_tag(TAG)
      return tostring(err)
    end)
    assert.equal("GetRepoTag: CredentialsUnavailable: the deadline passed while another call " ..
      "fetched the credential.", results[1])
  end)
end)
