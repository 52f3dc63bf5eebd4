--- The configuration: what is refused and how, and that no secret can be seen anywhere.

local cr = require "cr"
local child = require "spec.support.child"
local config = require "cr.config"
local fixture = require "spec.support.fixture"
local recorder = require "spec.support.recorder"

local function message_of(given)
  local ok, message = pcall(function()
    cr.new(given) -- the line that is to blame
  end)
  assert.is_false(ok)
  local here = debug.getinfo(1, "S").short_src
  local file, text = message:match("^(.-):%d+: (.*)$")
  assert.equal(here, file)
  return text
end

--- What is wrong with options, as a call raises it.
local function option_message(options)
  local client = recorder.client()
  local messages = {}
  for index, call in ipairs {
    function() client:get_instance_count(nil, options) end,
    function() client:call("GetInstanceCount", nil, options) end,
  } do
    local ok, message = pcall(call)
    assert.is_false(ok)
    assert.equal(debug.getinfo(1, "S").short_src, message:match("^(.-):%d+: "))
    messages[index] = message:match("^.-:%d+: (.*)$")
  end
  return messages[1], messages[2]
end

describe("cr.new", function()
  it("takes no configuration, or an empty one", function()
    assert.equal("cr.client (environment)", tostring(cr.new()))
    assert.equal("cr.client (environment)", tostring(cr.new {}))
  end)

  it("takes a table and nothing else", function()
    for _, wrong in ipairs { "cn-hangzhou", 1, true, false, print } do
      assert.equal("cr.new: the configuration must be a table, got a " .. type(wrong),
        message_of(wrong))
    end
  end)

  it("refuses an unknown key with the one that was meant", function()
    for wrong, meant in pairs {
      regoin = "region", Region = "region", endpoints = "endpoint", time_out = "timeout",
      credential = "credentials", max_attempt = "max_attempts", cafile = "ca_file",
      onattempt = "on_attempt", default = "defaults", connection_timeout = "connect_timeout",
    } do
      assert.equal(("cr.new: unknown key %s; did you mean %s?"):format(wrong, meant),
        message_of { [wrong] = "x" })
    end
  end)

  it("refuses an unknown key with all keys when none is close", function()
    local expected = "cr.new: unknown key %s; the keys are allow_plaintext, ca_file, ca_path, " ..
      "connect_timeout, credentials, deadline, defaults, endpoint, max_attempts, " ..
      "max_response_bytes, network, on_attempt, proxy, region, retry, session_dict, signature, " ..
      "thread_pool, timeout, transport, user_agent"
    for _, key in ipairs { "colour", 1, true, 1.5 } do
      assert.equal(expected:format(tostring(key)), message_of { [key] = "x" })
    end
  end)

  it("has no key for a single call only", function()
    assert.matches("cr.new: unknown key method", message_of { method = "GET" }, 1, true)
  end)

  local control = "a string without control characters"
  local seconds = "a number of seconds above 0, at most 86400"
  local cases = {
    region = { control, { "", "cn\n", 1, true, {} } },
    endpoint = { control, { "", "a\r\nb", "a\0", 1 } },
    user_agent = { control, { "", "a\r\nX-Evil: 1", "a\127", 5 } },
    ca_file = { control, { "", "a\0b", {} } },
    ca_path = { control, { "", 1 } },
    proxy = { control, { "a\n", 1, false } },
    network = { '"vpc" or "public"', { "VPC", "", "internal", 1, {} } },
    signature = { '"v3" or "v1"', { "V3", "v2", 3, {} } },
    allow_plaintext = { "a boolean", { "true", 1, {} } },
    timeout = { seconds, { 0, -1, 86401, "10", 0 / 0, math.huge, {} } },
    connect_timeout = { seconds, { 0, -0.5, 1e9, "5", 0 / 0 } },
    deadline = { seconds, { 0, -1, 86400.5, true } },
    max_attempts = { "an integer from 1 to 100", { 0, 101, 1.5, -3, "3", 0 / 0, math.huge } },
    max_response_bytes = { "an integer from 1 to 1073741824",
      { 0, 1073741825, 0.5, "1", 0 / 0, -math.huge } },
    defaults = { "a table", { "InstanceId", 1, true, print } },
    on_attempt = { "a function", { "f", {}, true } },
    retry = { "a function", { 3, {}, true } },
    credentials = { "a table with a field type, or a function that returns one",
      { "access_key", 1, true } },
    thread_pool = { control, { "", "a\n", 1, {} } },
    session_dict = { "the name of a lua_shared_dict", { "", "a\n", 1, {} } },
    transport = { 'a table with the functions exchange, sleep and now, "curl", or inside nginx ' ..
      '"nginx"', {
      "nginx", "Curl", "", 1, {}, { exchange = 1 }, { exchange = print, sleep = 1 },
      { exchange = print, now = {} }, print,
    } },
  }

  for key, case in pairs(cases) do
    it("checks " .. key, function()
      for _, value in ipairs(case[2]) do
        assert.equal(("cr.new: %s must be %s, got a %s"):format(key, case[1], type(value)),
          message_of { [key] = value })
        local message, same = option_message { [key] = value }
        assert.equal(("options: %s must be %s, got a %s"):format(key, case[1], type(value)),
          message)
        assert.equal(message, same)
      end
    end)
  end

  it("checks every key there is", function()
    for key in pairs(config.keys) do
      assert.truthy(cases[key], key)
    end
  end)

  it("takes the ends of every range", function()
    for _, given in ipairs {
      { timeout = 0.001 }, { timeout = 86400 }, { connect_timeout = 86400 }, { deadline = 1e-9 },
      { max_attempts = 1 }, { max_attempts = 100 }, { max_attempts = 3.0 },
      { max_response_bytes = 1 }, { max_response_bytes = 1073741824 }, { proxy = "" },
      { network = "public" }, { network = "vpc" }, { signature = "v1" }, { defaults = {} },
      { allow_plaintext = false }, { endpoint = "not an endpoint" }, { region = "not a region" },
      { transport = { exchange = print } }, { transport = "curl" }, { thread_pool = "default" },
    } do
      assert.truthy(cr.new(given))
    end
  end)

  it("leaves the given table alone, and does not keep it", function()
    local given = {
      region = "cn-hangzhou", credentials = fixture.copy(recorder.KEY), defaults = { A = "b" },
      timeout = 3, transport = recorder.new(),
    }
    local exchange = given.transport.exchange
    local before = fixture.copy(given)
    local client = cr.new(given)
    assert(client:get_instance_count())
    given.transport.requests, before.transport.requests = nil, nil
    assert.same(before, given)
    given.region, given.timeout = "cn-beijing", 99
    given.credentials.access_key_id = "changed"
    given.transport.requests = {}
    assert(client:get_instance_count())
    local request = given.transport.requests[1]
    assert.matches("cr.cn-hangzhou.aliyuncs.com", request.url, 1, true)
    assert.matches("Credential=LTAI-recorder,", request.headers.authorization, 1, true)
    assert.equal(3, request.timeout)
    assert.equal(exchange, given.transport.exchange)
  end)
end)

describe("options of one call", function()
  it("must be a table", function()
    local client = recorder.client()
    for _, wrong in ipairs { "GET", 1, true, print } do
      assert.error_matches(function() client:get_instance_count({}, wrong) end,
        "get_instance_count: the options must be a table, got a " .. type(wrong))
    end
  end)

  it("know the key method beside those of the client", function()
    assert.equal("options: unknown key metod; did you mean method?",
      (option_message { metod = "GET" }))
    assert.equal('options: method must be "GET" or "POST", got a string',
      (option_message { method = "PUT" }))
    assert.matches("max_response_bytes, method, network", (option_message { colour = 1 }), 1, true)
  end)

  it("hold for that call only, and leave their table alone", function()
    local client, transport = recorder.client(nil, { timeout = 3 })
    local options = {
      timeout = 1, connect_timeout = 2, max_response_bytes = 100, ca_file = "f", ca_path = "p",
      proxy = "http://p:1", user_agent = "u", signature = "v3",
      credentials = { type = "access_key", access_key_id = "other", access_key_secret = "s" },
    }
    local before = fixture.copy(options)
    assert(client:get_instance_count({}, options))
    assert(client:get_instance_count())
    assert.same(before, options)
    local one, two = transport.requests[1], transport.requests[2]
    for name, value in pairs {
      timeout = 1, connect_timeout = 2, max_response_bytes = 100, ca_file = "f", ca_path = "p",
      proxy = "http://p:1",
    } do
      assert.equal(value, one[name], name)
    end
    assert.equal("u", one.headers["user-agent"])
    assert.matches("Credential=other,", one.headers.authorization, 1, true)
    assert.equal(3, two.timeout)
    assert.equal(5, two.connect_timeout)
    assert.equal(16777216, two.max_response_bytes)
    assert.is_nil(two.ca_file)
    assert.is_nil(two.proxy)
    assert.matches("^cr/1%.0%.0 %(.*%) libcurl/%d", two.headers["user-agent"])
    assert.matches("Credential=LTAI-recorder,", two.headers.authorization, 1, true)
  end)

  it("may choose another signature", function()
    local client, transport = recorder.client()
    assert(client:get_instance_count({}, { signature = "v1" }))
    local request = transport.requests[1]
    assert.is_nil(request.headers.authorization)
    assert.is_nil(request.headers["x-acs-action"])
    local query = recorder.query(request.url)
    assert.equal("GetInstanceCount", query.Action)
    assert.equal("JSON", query.Format)
    assert.equal("1.0", query.SignatureVersion)
    assert.equal("HMAC-SHA1", query.SignatureMethod)
    assert.equal("2019-11-05T03:45:25Z", query.Timestamp)
    local signature = query.Signature
    query.Signature = nil
    assert.equal(signature, cr.sign({
      algorithm = "HMAC-SHA1", method = "POST", query = query,
      access_key_secret = recorder.KEY.access_key_secret,
    }).signature)
  end)

  it("may choose another transport", function()
    local client, transport = recorder.client()
    local other = recorder.new()
    assert(client:get_instance_count({}, { transport = other }))
    assert.equal(0, #transport.requests)
    assert.equal(1, #other.requests)
  end)
end)

describe("credentials", function()
  local function problem(declared)
    return message_of { credentials = declared }
  end

  it("must have a known type", function()
    assert.equal("cr.new: credentials: unknown type acess_key; did you mean access_key?",
      problem { type = "acess_key" })
    assert.matches("^cr.new: credentials: unknown type STS; did you mean sts%?$",
      problem { type = "STS" })
    assert.matches("^cr.new: credentials: the field type is missing; the types are access_key, ",
      problem {})
    assert.matches("^cr.new: credentials: unknown type 5; the types are ", problem { type = 5 })
    assert.matches("type is missing", problem { "LTAI", "secret" })
  end)

  it("must have the fields of their type", function()
    assert.equal("cr.new: credentials of type access_key: access_key_id must be a non-empty " ..
      "string, got nothing", problem { type = "access_key" })
    assert.equal("cr.new: credentials of type access_key: access_key_secret must be a non-empty " ..
      "string, got an empty one", problem {
        type = "access_key", access_key_id = "i", access_key_secret = "",
      })
    assert.equal("cr.new: credentials of type sts: security_token must be a non-empty string, " ..
      "got nothing", problem { type = "sts", access_key_id = "i", access_key_secret = "s" })
    assert.equal("cr.new: credentials of type access_key: access_key_secret must be a non-empty " ..
      "string, got a number", problem {
        type = "access_key", access_key_id = "i", access_key_secret = 8675309,
      })
  end)

  it("must not have others", function()
    assert.equal("cr.new: credentials of type access_key: unknown field access_key_secert; did " ..
      "you mean access_key_secret?", problem {
        type = "access_key", access_key_id = "i", access_key_secret = "s",
        access_key_secert = "hunter2",
      })
    assert.equal("cr.new: credentials of type access_key: unknown field security_token; the " ..
      "fields are access_key_id, access_key_secret", problem {
        type = "access_key", access_key_id = "i", access_key_secret = "s", security_token = "t",
      })
    assert.equal("cr.new: credentials of type environment: unknown field 1; there are none",
      problem { type = "environment", "x" })
  end)

  it("must be clean text of a sensible length, and are not shown", function()
    for _, name in ipairs { "access_key_id", "access_key_secret", "security_token" } do
      for _, value in ipairs { "hunter2\n", " hunter2", "hunter2 ", "hun ter2", "hunter2\r",
        "\thunter2", "hunter2\0", "hunter2\127" } do
        local declared = {
          type = "sts", access_key_id = "i", access_key_secret = "s", security_token = "t",
        }
        declared[name] = value
        local message = problem(declared)
        assert.equal(("cr.new: credentials of type sts: %s holds a blank or a control character " ..
          "(a line break copied along?)"):format(name), message)
      end
    end
    for name, limit in pairs {
      access_key_id = 256, access_key_secret = 511, security_token = 16384,
    } do
      local declared = {
        type = "sts", access_key_id = "i", access_key_secret = "s", security_token = "t",
      }
      declared[name] = ("x"):rep(limit + 1)
      assert.equal(("cr.new: credentials of type sts: %s is longer than %d bytes"):format(name,
        limit), problem(declared))
      declared[name] = ("x"):rep(limit)
      for _, signature in ipairs { "v3", "v1" } do
        local client = recorder.client(nil, { credentials = declared, signature = signature })
        assert(client:get_instance_count())
      end
    end
  end)

  it("in options are checked too", function()
    assert.equal("options: credentials of type access_key: access_key_id must be a non-empty " ..
      "string, got nothing", (option_message { credentials = { type = "access_key" } }))
  end)

  it("of a session travel in signed headers, or in the query of V1", function()
    local session = {
      type = "sts", access_key_id = "STS.id", access_key_secret = "s", security_token = "t+/=",
    }
    local client, transport = recorder.client(nil, { credentials = session })
    assert(client:get_instance_count())
    assert(client:get_instance_count({}, { signature = "v1" }))
    local headers = transport.requests[1].headers
    assert.equal("STS.id", headers["x-acs-accesskey-id"])
    assert.equal("t+/=", headers["x-acs-security-token"])
    assert.matches("SignedHeaders=host;x-acs-accesskey-id;", headers.authorization, 1, true)
    assert.matches(";x-acs-security-token;", headers.authorization, 1, true)
    local query = recorder.query(transport.requests[2].url)
    assert.equal("t+/=", query.SecurityToken)
    assert.is_nil(transport.requests[2].headers["x-acs-security-token"])
  end)

  it("of a plain key send no session headers", function()
    local client, transport = recorder.client()
    assert(client:get_instance_count())
    assert.is_nil(transport.requests[1].headers["x-acs-accesskey-id"])
    assert.is_nil(transport.requests[1].headers["x-acs-security-token"])
  end)

  it("may come from a function, whose mistakes are errors of the call", function()
    local cases = {
      { function() end, "the credentials function returned no table" },
      { function() return nil, "vault is locked" end,
        "the credentials function returned no table: vault is locked" },
      { function() return "hunter2" end, "the credentials function returned no table" },
      { function() return {} end, "the credentials function returned credentials: the field " ..
        "type is missing; the types are " },
      { function() return { type = "sts", access_key_id = "i", access_key_secret = "hunter2" } end,
        "the credentials function returned credentials of type sts: security_token must be a " ..
          "non-empty string, got nothing" },
      { function()
        return { type = "access_key", access_key_id = "i", access_key_secret = "hunter2\n" }
      end, "the credentials function returned credentials of type access_key: access_key_secret " ..
        "holds a blank or a control character (a line break copied along?)" },
    }
    for _, case in ipairs(cases) do
      local client, transport = recorder.client(nil, { credentials = case[1] })
      local answer, err = client:get_instance_count()
      assert.is_nil(answer)
      assert.equal("credentials", err.kind)
      assert.equal("CredentialsUnavailable", err.code)
      assert.matches(case[2], err.message, 1, true)
      assert.equal("GetInstanceCount", err.operation)
      assert.is_false(err.retryable)
      assert.equal(0, #transport.requests)
      assert.is_false(fixture.shows(err, "hunter2"))
    end
  end)

  it("from a function are asked for at each call", function()
    local count = 0
    local client, transport = recorder.client(nil, { credentials = function()
      count = count + 1
      return { type = "access_key", access_key_id = "id" .. count, access_key_secret = "s" }
    end })
    assert.equal(0, count)
    assert(client:get_instance_count())
    assert(client:get_instance_count())
    assert.equal(2, count)
    assert.matches("Credential=id2,", transport.requests[2].headers.authorization, 1, true)
  end)
end)

describe("declared credentials", function()
  local line = "a non-empty string without control characters"
  local text = "a non-empty string"
  local boolean, signature = "true or false", '"v3" or "v1"'
  local seconds = "a number of seconds up to 300"
  local duration = "a whole number of seconds from 900 to 43200"

  -- Values that each kind of field does not take, and those at the ends of what it takes.
  local wrong = {
    [line] = { "", "a\nb", "a\0", ("x"):rep(8193), 5, true, {} },
    [text] = { "", "a\0", ("x"):rep(8193), 5, false, {} },
    [boolean] = { "true", 1, {} },
    [signature] = { "V3", "v2", "", 3, {} },
    [seconds] = { 0, -1, 300.5, "10", 0 / 0, math.huge, true },
    [duration] = { 899, 43201, 900.5, "3600", 0 / 0, math.huge, {} },
    ["seconds since the epoch"] = { "tomorrow", true, {} },
  }
  local right = {
    [line] = { "x", ("x"):rep(8192), "für Ümläute" },
    [text] = { "x", "a\nb", ("x"):rep(8192) },
    [boolean] = { true, false },
    [signature] = { "v3", "v1" },
    [seconds] = { 0.001, 1, 300 },
    [duration] = { 900, 43200, 3600.0 },
    ["seconds since the epoch"] = { 0, 1790000000 },
  }

  local sts = {
    role_arn = line, role_session_name = line, role_session_expiration = duration, policy = text,
    sts_endpoint = line, sts_region = line, enable_vpc = boolean, timeout = seconds,
    connect_timeout = seconds,
  }
  local profile = {
    profile = line, file = line, sts_endpoint = line, metadata_endpoint = line, timeout = seconds,
    connect_timeout = seconds,
  }

  local function with(fields, more)
    local all = {}
    for name, value in pairs(fields) do
      all[name] = value
    end
    for name, value in pairs(more) do
      all[name] = value
    end
    return all
  end

  -- The fields of each type, and those that it must have.
  local types = {
    cloud_sso = {
      fields = { sign_in_url = line, account_id = line, access_config = line, access_token = line,
        access_token_expires = "seconds since the epoch", timeout = seconds,
        connect_timeout = seconds },
      required = { "sign_in_url", "account_id", "access_config", "access_token" },
    },
    credentials_uri = {
      fields = { credentials_uri = line, timeout = seconds, connect_timeout = seconds },
    },
    default = { fields = { profile = line, sts_endpoint = line, metadata_endpoint = line,
      timeout = seconds, connect_timeout = seconds } },
    ecs_ram_role = { fields = { role_name = line, disable_imds_v1 = boolean,
      metadata_endpoint = line, timeout = seconds, connect_timeout = seconds } },
    environment = { fields = {} },
    external = { fields = { process_command = text, timeout = seconds },
      required = { "process_command" } },
    ini_profile = { fields = profile },
    oidc_role_arn = { fields = with(sts, { oidc_provider_arn = line,
      oidc_token_file_path = line }) },
    profile = { fields = profile },
    ram_role_arn = { fields = with(sts, { external_id = line, signature = signature }) },
  }

  local function complete(kind, more)
    local declared = { type = kind }
    for _, name in ipairs(types[kind].required or {}) do
      declared[name] = "x"
    end
    return with(declared, more or {})
  end

  for kind, of in pairs(types) do
    it("of type " .. kind .. " have these fields and no other", function()
      assert.truthy(cr.new { credentials = complete(kind) })
      for name, expected in pairs(of.fields) do
        for _, value in ipairs(right[expected]) do
          assert.truthy(cr.new { credentials = complete(kind, { [name] = value }) })
        end
        for _, value in ipairs(wrong[expected]) do
          assert.equal(("cr.new: credentials of type %s: %s must be %s, got a %s"):format(kind,
            name, expected, type(value)),
            message_of { credentials = complete(kind, { [name] = value }) })
        end
      end
      local fields = require("cr.credentials." .. kind).fields or {}
      for name in pairs(fields) do
        assert.truthy(of.fields[name] or fields[name] == "credentials", name)
      end
      for _, name in ipairs(of.required or {}) do
        local declared = complete(kind)
        declared[name] = nil
        assert.equal(("cr.new: credentials of type %s: %s is missing"):format(kind, name),
          message_of { credentials = declared })
      end
    end)

    it("of type " .. kind .. " tell the field that was meant", function()
      local names = {}
      for name in pairs(of.fields) do
        names[#names + 1] = name
        assert.equal(("cr.new: credentials of type %s: unknown field %s; did you mean %s?"):format(
          kind, name .. "_", name), message_of { credentials = complete(kind, {
            [name .. "_"] = "hunter2" }) })
      end
      if kind == "ram_role_arn" then
        names[#names + 1] = "source"
      end
      table.sort(names)
      assert.equal(("cr.new: credentials of type %s: unknown field colour; %s"):format(kind,
        #names == 0 and "there are none" or "the fields are " .. table.concat(names, ", ")),
        message_of { credentials = complete(kind, { colour = "hunter2" }) })
    end)
  end

  it("may have a source of any type, or a function", function()
    local role = { type = "ram_role_arn", role_arn = "acs:ram::1:role/a" }
    for _, source in ipairs { recorder.KEY, role, { type = "profile", profile = "ci" },
      { type = "default" }, with(role, { source = role }), function() end } do
      assert.truthy(cr.new { credentials = with(role, { source = source }) })
    end
  end)

  it("must have a source that will do", function()
    local function problem(source)
      return message_of { credentials = { type = "ram_role_arn", source = source } }
    end
    local prefix = "cr.new: credentials of type ram_role_arn: source"
    for _, value in ipairs { "hunter2", 5, true, false } do
      assert.equal(prefix .. " must be a table with a field type, or a function that returns one",
        problem(value))
    end
    assert.matches(prefix .. ": credentials: the field type is missing; the types are ",
      problem {}, 1, true)
    assert.equal(prefix .. ": credentials: unknown type acces_key; did you mean access_key?",
      problem { type = "acces_key" })
    assert.equal(prefix .. ": credentials of type access_key: access_key_secret must be a " ..
      "non-empty string, got nothing", problem { type = "access_key", access_key_id = "i" })
    assert.equal(prefix .. ": credentials of type ram_role_arn: source: credentials of type " ..
      "external: process_command is missing", problem { type = "ram_role_arn",
        source = { type = "external" } })
  end)

  it("may not be their own source", function()
    local role = { type = "ram_role_arn", role_arn = "acs:ram::1:role/a" }
    role.source = role
    assert.matches("source is nested more than 8 deep$",
      message_of { credentials = role })
    local client = recorder.client(nil, { credentials = function() return role end })
    local answer, err = client:get_instance_count()
    assert.is_nil(answer)
    assert.equal("credentials", err.kind)
    assert.matches("more than 8 deep$", err.message)
    local chain = recorder.KEY
    for _ = 1, 8 do
      chain = { type = "ram_role_arn", source = chain }
    end
    assert.truthy(cr.new { credentials = chain })
    assert.matches("more than 8 deep$",
      message_of { credentials = { type = "ram_role_arn", source = chain } })
  end)

  it("know every type there is", function()
    local message = message_of { credentials = {} }
    local names = { "access_key", "sts" }
    for kind in pairs(types) do
      names[#names + 1] = kind
    end
    table.sort(names)
    assert.equal("cr.new: credentials: the field type is missing; the types are " ..
      table.concat(names, ", "), message)
  end)
end)

describe("credentials of the environment", function()
  --- Runs a call of a client without credentials in this environment.
  local function call_in(environment)
    for _, name in ipairs { "ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN" } do
      environment["ALIBABA_CLOUD_" .. name] = environment[name] or false
      environment[name] = nil
    end
    environment.HOME = "/nonexistent"
    environment.ALIBABA_CLOUD_ECS_METADATA_DISABLED = "true"
    return (child.lua([[
      local recorder = require "spec.support.recorder"
      local transport = recorder.new()
      local client = require("cr").new {
        region = "cn-hangzhou", transport = transport, credentials = { type = "environment" },
      }
      local answer, err = client:get_instance_count()
      if answer then
        local headers = transport.requests[1].headers
        io.write(headers.authorization:match("Credential=([^,]*)"), " ",
          tostring(headers["x-acs-security-token"]))
      else
        io.write(tostring(err))
      end
    ]], environment))
  end

  it("are read at the call", function()
    assert.equal("LTAI nil", call_in { ACCESS_KEY_ID = "LTAI", ACCESS_KEY_SECRET = "s" })
    assert.equal("STS token", call_in {
      ACCESS_KEY_ID = "STS", ACCESS_KEY_SECRET = "s", SECURITY_TOKEN = "token",
    })
    assert.equal("LTAI nil", call_in {
      ACCESS_KEY_ID = "LTAI", ACCESS_KEY_SECRET = "s", SECURITY_TOKEN = "",
    })
  end)

  it("that are missing make an error which says what to set", function()
    assert.matches("GetInstanceCount: CredentialsUnavailable: ALIBABA_CLOUD_ACCESS_KEY_ID and " ..
      "ALIBABA_CLOUD_ACCESS_KEY_SECRET are not set in the environment.", call_in {}, 1, true)
    assert.matches("ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set",
      call_in { ACCESS_KEY_ID = "LTAI" }, 1, true)
    assert.matches("ALIBABA_CLOUD_ACCESS_KEY_ID is not set",
      call_in { ACCESS_KEY_SECRET = "s", ACCESS_KEY_ID = "" }, 1, true)
  end)

  it("with a line break are refused and not shown", function()
    local text = call_in { ACCESS_KEY_ID = "LTAI", ACCESS_KEY_SECRET = "hunter2\n" }
    assert.matches("in the environment: access_key_secret holds a blank", text, 1, true)
    assert.is_nil(text:find("hunter2", 1, true))
  end)
end)

describe("secrets", function()
  local SECRET, TOKEN = "hunter2-secret", "hunter2-token"
  local session = {
    type = "sts", access_key_id = "STS.id", access_key_secret = SECRET, security_token = TOKEN,
  }

  for _, signature in ipairs { "v3", "v1" } do
    it("are not found by walking over a client, its results or errors, with " .. signature,
      function()
        local answers = {
          recorder.SUCCESS, recorder.response(400, '{"Code":"SignatureDoesNotMatch",' ..
            '"Message":"server string to sign is:x"}'), { failure = { code = "TlsFailed" } },
          recorder.response(200, ""),
        }
        local position = 0
        local client = cr.new {
          region = "cn-hangzhou", credentials = session, signature = signature,
          transport = { exchange = function()
            position = position + 1
            local answer = answers[position]
            if type(answer) == "string" then
              return recorder.response(200, answer)
            elseif answer.failure then
              return nil, answer.failure
            end
            return answer
          end },
        }
        assert.is_false(fixture.shows(client, "hunter2"))
        for _ = 1, #answers do
          local results = { client:get_instance_count() }
          assert.is_false(fixture.shows(results, "hunter2"))
          assert.is_nil(tostring(results[2]):find("hunter2", 1, true))
          assert.is_false(fixture.shows(client, "hunter2"))
        end
        local results = { client:get_instance_count({}, { credentials = session, max_attempts = 1,
          transport = { exchange = function() return nil, "x" end } }) }
        assert.is_false(fixture.shows(results, "hunter2"))
        assert.is_false(fixture.shows(client, "hunter2"))
        assert.equal("cr.client (cn-hangzhou)", tostring(client))
      end)
  end

  it("are not found by walking over the module", function()
    local client = recorder.client(nil, { credentials = session })
    assert(client:get_instance_count())
    assert.is_false(fixture.shows(cr, "hunter2"))
    for name, module in pairs(package.loaded) do
      if type(name) == "string" and name:find("^cr%f[%z.]") and type(module) == "table" then
        assert.is_false(fixture.shows(module, "hunter2"), name)
      end
    end
  end)

  it("the walk would find them", function()
    assert.is_true(fixture.shows({ a = { setmetatable({}, { __index = { b = SECRET } }) } },
      "hunter2"))
    assert.is_true(fixture.shows({ [SECRET] = 1 }, "hunter2"))
  end)
end)

describe("tostring of a client", function()
  it("names its endpoint, else its region", function()
    assert.equal("cr.client (cn-hangzhou)", tostring(cr.new { region = "cn-hangzhou" }))
    assert.equal("cr.client (cr.example.com)",
      tostring(cr.new { region = "cn-hangzhou", endpoint = "cr.example.com" }))
  end)
end)

describe("loading and making a client", function()
  it("read no environment variable, open no file and ask no clock", function()
    local output, ok = child.lua([[
      -- what the library needs is loaded by a name first, so that only its own code runs below
      require "cjson.safe"
      local function forbid(name)
        return function() error(name .. " was called", 0) end
      end
      os.getenv, os.execute, os.time = forbid "os.getenv", forbid "os.execute", forbid "os.time"
      os.tmpname, os.rename, os.remove = forbid "tmpname", forbid "rename", forbid "remove"
      io.open, io.popen, io.lines, io.input = forbid "io.open", forbid "io.popen",
        forbid "io.lines", forbid "io.input"
      local cr = require "cr"
      local client = cr.new {
        region = "cn-hangzhou",
        credentials = { type = "access_key", access_key_id = "i", access_key_secret = "s" },
      }
      local other = cr.new()
      assert(cr.operations.GetRepoTag and cr.get_repo_tag and client.get_repo_tag)
      assert(cr._VERSION and cr.null and tostring(other))
      -- the first call asks for both: the traps are real
      local asked, why = pcall(other.get_instance_count, other)
      assert(not asked and why == "os.getenv was called", tostring(why))
      local default, reason = pcall(cr.get_instance_count)
      assert(not default and reason == "os.getenv was called", tostring(reason))
      io.write "nothing"
    ]])
    assert.is_true(ok, output)
    assert.equal("nothing", output)
  end)

  it("set no global", function()
    local output, ok = child.lua([[
      local before = {}
      for name in pairs(_G) do before[name] = true end
      local cr = require "cr"
      cr.new { region = "cn-hangzhou" }
      local recorder = require "spec.support.recorder"
      assert(recorder.client():get_instance_count())
      for name in pairs(_G) do
        if not before[name] then io.write(name, " ") end
      end
    ]])
    assert.is_true(ok, output)
    assert.equal("", output)
  end)

  it("open no file beyond those of the library and no socket", function()
    local output, ok = child.lua([[
      -- without the pipe to the shell itself, whose other end may not be closed yet
      local function descriptors()
        local pipe = io.popen [=[
          own=$(readlink /proc/$$/fd/1)
          for descriptor in /proc/$PPID/fd/*; do
            target=$(readlink $descriptor)
            [ "$target" = "$own" ] || [ -z "$target" ] || echo "$descriptor $target"
          done]=]
        local text = pipe:read "*a"
        pipe:close()
        return text
      end
      local before = descriptors()
      assert(before:find("/fd/1 ", 1, true), before)
      local cr = require "cr"
      local client = cr.new { endpoint = "http://127.0.0.1:1" }
      assert(client and cr.operations)
      assert(before == descriptors())
      io.write "same"
    ]])
    assert.is_true(ok, output)
    assert.equal("same", output)
  end)
end)

describe("the default client", function()
  it("is made at the first call, from the environment", function()
    local peer = require("spec.support.peer").start [[
      serve(answer("200 OK", '{"IsSuccess":true,"RequestId":"R-default"}'))
    ]]
    local output = child.lua([[
      local cr = require "cr"
      local answer, err, info = cr.get_instance_count()
      io.write(answer and answer.RequestId or tostring(err), " ", tostring(info.attempts), " ")
      answer, err, info = cr.call("GetInstanceCount")
      io.write(answer and answer.RequestId or tostring(err), " ",
        tostring(info.connection_reused), " ")
      answer, err = cr.get_repo_tag { InstanceId = "i" }
      io.write(err.code, " ")
      answer, err = cr.get_instance_count(nil, { region = "x y" })
      io.write(err.code)
    ]], {
      ALIBABA_CLOUD_ENDPOINT = peer.url, ALIBABA_CLOUD_ACCESS_KEY_ID = "i",
      ALIBABA_CLOUD_ACCESS_KEY_SECRET = "s", ALIBABA_CLOUD_SECURITY_TOKEN = false,
      http_proxy = false, HTTP_PROXY = false, all_proxy = false, ALL_PROXY = false,
    })
    peer:stop()
    assert.equal("R-default 1 R-default true MissingParameter InvalidEndpoint", output)
  end)

  it("blames the caller's line for misuse", function()
    local here = debug.getinfo(1, "S").short_src
    for _, misuse in ipairs {
      function()
        local answer = cr.get_instance_count("text")
        return answer
      end,
      function()
        local answer = cr.get_instance_count({}, { colour = 1 })
        return answer
      end,
      function()
        local answer = cr.call("GetInstanceCount", "text")
        return answer
      end,
      function()
        local answer = cr.call(5)
        return answer
      end,
    } do
      local ok, message = pcall(misuse)
      assert.is_false(ok)
      assert.equal(here, message:match("^(.-):%d+: "), message)
    end
  end)
end)
