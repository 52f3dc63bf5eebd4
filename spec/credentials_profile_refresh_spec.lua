--- Profiles over time: the file is read anew, what goes wrong meanwhile does not lose a good key,
-- and clients with other profiles do not mix. The clock is the spec's.

local emulator = require "spec.support.emulator"
local homes = require "spec.support.home"

local KEY, LIMITED, SESSION, TAG, with =
  homes.KEY, homes.LIMITED, homes.SESSION, homes.TAG, homes.with

local INSTANCE = { InstanceId = TAG.InstanceId }
local READER = "acs:ram::1000000000000001:role/reader"

local server, home

setup(function()
  server = emulator.start()
end)

teardown(function()
  server:stop()
end)

before_each(function()
  server:reset()
  home = homes.new()
  home:enter { CR_STS_ENDPOINT = server.sts_endpoint }
end)

after_each(function()
  home:remove()
end)

local function configure(...)
  local profiles = {}
  for index, profile in ipairs { ... } do
    profiles[index] = with({ name = "default" }, profile)
  end
  return home:config { profiles = profiles }
end

--- A client, its clock, and a function that calls and returns the key id that signed.
local function start(declared, config)
  local client, clock = homes.client(with({
    endpoint = server.endpoint, credentials = with({ type = "profile" }, declared or {}),
  }, config or {}))
  return client, clock, function()
    assert(client:get_instance(INSTANCE))
    local log = server:log()
    return log[#log].access_key_id
  end
end

describe("a key in a profile", function()
  it("that is exchanged is used within five minutes", function()
    configure(KEY)
    local client, clock, signer = start()
    assert.equal(KEY.access_key_id, signer())
    configure(LIMITED)
    clock.offset = 200
    assert.equal(KEY.access_key_id, signer())
    clock.offset = 301
    assert.equal(LIMITED.access_key_id, signer())
    assert.equal("****ited", assert(client:credentials()).access_key_id)
    configure(KEY)
    clock.offset = 500
    assert.equal(LIMITED.access_key_id, signer())
    clock.offset = 700
    assert.equal(KEY.access_key_id, signer())
  end)

  it("may become another mode", function()
    local path = configure(KEY)
    local client, clock, signer = start()
    assert.equal(KEY.access_key_id, signer())
    configure(with({ mode = "StsToken" }, SESSION))
    clock.offset = 301
    assert.equal(SESSION.access_key_id, signer())
    configure(with({ mode = "RamRoleArn", ram_role_arn = READER }, KEY))
    clock.offset = 602
    assert.matches("^STS%.", signer())
    local told = assert(client:credentials())
    assert.equal(("profile default of %s, mode RamRoleArn"):format(path), told.origin)
    assert.truthy(told.expiration)
  end)

  it("may become the current profile's", function()
    local function current(name)
      home:config { current = name, profiles = { with({ name = "a" }, KEY),
        with({ name = "b" }, LIMITED) } }
    end
    current "a"
    local _, clock, signer = start()
    assert.equal(KEY.access_key_id, signer())
    current "b"
    clock.offset = 301
    assert.equal(LIMITED.access_key_id, signer())
  end)

  for name, spoil in pairs {
    ["half written"] = function() home:config '{"current":"default","profiles":[{"name":"def' end,
    ["empty"] = function() home:config "" end,
    ["missing"] = function() os.remove(home.folder .. "/.aliyun/config.json") end,
    ["without the profile"] = function() home:config { profiles = { { name = "other" } } } end,
    ["without the secret"] = function() configure { access_key_id = "LTAI" } end,
    ["writable by others"] = function()
      home:config({ profiles = { with({ name = "default" }, LIMITED) } }, "666")
    end,
  } do
    it("goes on while the file is " .. name .. ", and the file is looked at each time", function()
      configure(KEY)
      local _, clock, signer = start()
      assert.equal(KEY.access_key_id, signer())
      spoil()
      for _, offset in ipairs { 301, 301, 700 } do
        clock.offset = offset
        assert.equal(KEY.access_key_id, signer())
      end
      configure(LIMITED)
      assert.equal(LIMITED.access_key_id, signer())
    end)
  end

  it("that never was there is an error until it is", function()
    local path = home:config "{"
    local client, _, signer = start()
    for _ = 1, 3 do
      local answer, err = client:get_instance(INSTANCE)
      assert.is_nil(answer)
      assert.equal(path .. ": no JSON object (half written?)", err.message)
    end
    configure(KEY)
    assert.equal(KEY.access_key_id, signer())
  end)
end)

describe("a role in a profile", function()
  it("is read anew when its session is about to end", function()
    local path = configure(with({ mode = "RamRoleArn", ram_role_arn = READER,
      expired_seconds = 900 }, KEY))
    local client, clock, signer = start()
    local function at(offset)
      clock.offset = server:clock(offset)
    end
    local first = signer()
    assert.equal(first, signer())
    configure(with({ mode = "RamRoleArn", ram_role_arn = READER, ram_session_name = "after",
      expired_seconds = 900 }, KEY))
    at(600)
    assert.equal(first, signer())
    at(700) -- less than a quarter is left
    local second = signer()
    assert.not_equal(first, second)
    local log = server:log()
    assert.equal("after", log[#log - 1].role_session_name)

    -- From here on the file is broken: the session goes on to its end and no further.
    home:config "{"
    for _, offset in ipairs { 1000, 1400, 1550 } do
      at(offset)
      assert.equal(second, signer())
    end
    at(1700)
    local answer, err = client:get_instance(INSTANCE)
    assert.is_nil(answer)
    assert.equal(path .. ": no JSON object (half written?)", err.message)
  end)

  it("that the service forgot is assumed anew, once", function()
    configure(with({ mode = "RamRoleArn", ram_role_arn = READER }, KEY))
    local _, _, signer = start()
    local first = signer()
    server:expire()
    server:clear_log()
    assert.not_equal(first, signer())
    local operations = {}
    for index, entry in ipairs(server:log()) do
      operations[index] = entry.operation .. " " .. tostring(entry.code)
    end
    assert.equal("GetInstance InvalidSecurityToken.Expired", operations[1])
    assert.matches("^AssumeRole ", operations[2])
    assert.matches("^GetInstance ", operations[3])
    assert.equal(3, #operations)
  end)
end)

describe("clients with different profiles", function()
  it("do not mix", function()
    home:config { current = "key", profiles = {
      with({ name = "key" }, KEY), with({ name = "limited" }, LIMITED),
      with({ name = "session", mode = "StsToken" }, SESSION),
      with({ name = "role", mode = "RamRoleArn", ram_role_arn = READER }, KEY),
    } }
    local signers, clocks = {}, {}
    for index, name in ipairs { "key", "limited", "session", "role" } do
      local _
      _, clocks[index], signers[index] = start { profile = name }
    end
    local role = signers[4]()
    assert.matches("^STS%.", role)
    local expected = { KEY.access_key_id, LIMITED.access_key_id, SESSION.access_key_id, role }
    for round = 1, 3 do
      for index, signer in ipairs(signers) do
        assert.equal(expected[index], signer())
        assert.equal(expected[5 - index], signers[5 - index]())
      end
      for _, clock in ipairs(clocks) do
        clock.offset = round * 301
      end
    end
  end)

  it("do not mix in the options of one call", function()
    home:config { current = "key", profiles = {
      with({ name = "key" }, KEY), with({ name = "limited" }, LIMITED) } }
    local client, _, signer = start()
    for _ = 1, 2 do
      assert.equal(KEY.access_key_id, signer())
      assert(client:get_instance(INSTANCE, {
        credentials = { type = "profile", profile = "limited" } }))
      local log = server:log()
      assert.equal(LIMITED.access_key_id, log[#log].access_key_id)
    end
  end)
end)
