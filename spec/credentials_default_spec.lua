--- The default chain: which provider is taken, what is told when none is, what is remembered and
-- for how long, and that nothing is asked before a call.

local child = require "spec.support.child"
local emulator = require "spec.support.emulator"
local homes = require "spec.support.home"
local recorder = require "spec.support.recorder"

local KEY, LIMITED, TAG, with = homes.KEY, homes.LIMITED, homes.TAG, homes.with

local ACCOUNT = "acs:ram::1000000000000001:"
local INSTANCE = { InstanceId = TAG.InstanceId }

local ORDER = {
  "environment", "oidc_role_arn", "profile", "ini_profile", "ecs_ram_role", "credentials_uri",
}

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
end)

after_each(function()
  home:remove()
end)

local function ini(key)
  return ("[default]\ntype = access_key\naccess_key_id = %s\naccess_key_secret = %s\n"):format(
    key.access_key_id, key.access_key_secret)
end

--- What configures each provider: variables, and files that it writes.
local CONFIGURED = {
  environment = function()
    return { ALIBABA_CLOUD_ACCESS_KEY_ID = KEY.access_key_id,
      ALIBABA_CLOUD_ACCESS_KEY_SECRET = KEY.access_key_secret }
  end,
  oidc_role_arn = function()
    return { ALIBABA_CLOUD_ROLE_ARN = ACCOUNT .. "role/reader",
      ALIBABA_CLOUD_OIDC_PROVIDER_ARN = ACCOUNT .. "oidc-provider/emulator",
      ALIBABA_CLOUD_OIDC_TOKEN_FILE = home:write("token", "emulator-oidc-token-1"),
      CR_STS_ENDPOINT = server.sts_endpoint }
  end,
  profile = function()
    home:config { profiles = { with({ name = "default" }, KEY) } }
    return {}
  end,
  ini_profile = function()
    home:ini(ini(KEY))
    return {}
  end,
  ecs_ram_role = function()
    return { CR_METADATA_ENDPOINT = server.metadata_endpoint }
  end,
  credentials_uri = function()
    return { ALIBABA_CLOUD_CREDENTIALS_URI = server.credentials_uri }
  end,
}

--- Enters an environment in which these providers are configured, and no other.
local function configure(names, more)
  local variables = {}
  for _, name in ipairs(names) do
    variables = with(variables, CONFIGURED[name]())
  end
  home:enter(with(variables, more or {}))
end

local function start(config)
  return homes.client(with({ endpoint = server.endpoint }, config or {}))
end

local function operations()
  local names = {}
  for index, entry in ipairs(server:log()) do
    names[index] = entry.operation
  end
  return names
end

local function outcomes(chain)
  local list = {}
  for index, entry in ipairs(chain) do
    assert.equal(ORDER[index], entry.provider)
    list[index] = entry.outcome
  end
  return list
end

--- Outcomes of a search that ended at a position.
local function ended_at(position, outcome)
  local list = {}
  for index = 1, #ORDER do
    list[index] = index < position and "not configured" or index == position and outcome or
      "not asked"
  end
  return list
end

describe("the first provider that is configured", function()
  for position, name in ipairs(ORDER) do
    it("is used: " .. name .. ", with all behind it configured", function()
      local configured = {}
      for index = position, #ORDER do
        configured[#configured + 1] = ORDER[index]
      end
      configure(configured)
      local client = start()
      assert.equal("1.0", assert(client:get_repo_tag(TAG)).Tag)
      local told = assert(client:credentials())
      assert.equal(name, told.provider)
      assert.same(ended_at(position, "used"), outcomes(told.chain))
      assert.equal(told.origin, told.chain[position].reason)
      for index = position + 1, #ORDER do
        assert.equal(("not asked, because %s is configured"):format(name),
          told.chain[index].reason)
      end
      local asked = table.concat(operations(), " ")
      local expected = {
        oidc_role_arn = "AssumeRoleWithOIDC GetRepoTag",
        ecs_ram_role = "MetadataToken MetadataRole MetadataCredentials GetRepoTag",
        credentials_uri = "CredentialsURI GetRepoTag",
      }
      assert.equal(expected[name] or "GetRepoTag", asked)
    end)
  end

  -- What is wrong with each: variables, and what is said.
  local broken = {
    environment = function()
      return { ALIBABA_CLOUD_ACCESS_KEY_ID = "LTAI",
        ALIBABA_CLOUD_ACCESS_KEY_SECRET = "not-a-real-one\n" },
        "in the environment: access_key_secret holds a blank or a control character (a line " ..
          "break copied along?)"
    end,
    oidc_role_arn = function()
      return with(CONFIGURED.oidc_role_arn(), {
        ALIBABA_CLOUD_OIDC_TOKEN_FILE = home:write("token", "\n") }),
        "OIDC token file " .. home.folder .. "/token is empty"
    end,
    profile = function()
      return {}, home:config "{" .. ": no JSON object (half written?)"
    end,
    ini_profile = function()
      return {}, home:ini "[default]\nnot-a-real-one\n" ..
        ": line 2: neither [section] nor key = value"
    end,
    ecs_ram_role = function()
      return { CR_METADATA_ENDPOINT = server.metadata_endpoint,
        ALIBABA_CLOUD_ECS_METADATA = "other" },
        ("role other is not attached to this ECS instance (ECS metadata server at %s, " ..
          "/latest/meta-data/ram/security-credentials/other: HTTP 404)"):format(
          server.metadata_endpoint:match("//(.*)$"))
    end,
    credentials_uri = function()
      return { ALIBABA_CLOUD_CREDENTIALS_URI = "not-a-real-one" },
        "the credentials URI is no URL like http://127.0.0.1:8080/path"
    end,
  }

  for position, name in ipairs(ORDER) do
    it("ends the search when it fails: " .. name, function()
      local behind = {}
      for index = position + 1, #ORDER do
        behind[#behind + 1] = ORDER[index]
      end
      local variables, reason = broken[name]()
      configure(behind, variables)
      local client = start()
      local tag, err = client:get_repo_tag(TAG)
      assert.is_nil(tag)
      assert.equal("credentials", err.kind)
      assert.equal("CredentialsUnavailable", err.code)
      assert.matches("; " .. name .. ": " .. reason,
        (err.message:gsub("^no credentials: ", "; ")), 1, true)
      for index = position + 1, #ORDER do
        assert.matches(("; %s: not asked, because %s is configured"):format(ORDER[index], name),
          err.message, 1, true)
      end
      assert.is_nil(err.message:find("not-a-real-one", 1, true))
      local told
      told, err = client:credentials()
      assert.is_nil(told)
      assert.same(ended_at(position, "failed"), outcomes(err.chain))
      assert.equal(reason, err.chain[position].reason)
      for _, operation in ipairs(operations()) do
        assert.matches("^Metadata", operation)
      end
    end)
  end
end)

describe("without any provider configured", function()
  local NOTHING = "no credentials: environment: ALIBABA_CLOUD_ACCESS_KEY_ID and " ..
    "ALIBABA_CLOUD_ACCESS_KEY_SECRET are not set in the environment; oidc_role_arn: " ..
    "ALIBABA_CLOUD_ROLE_ARN, ALIBABA_CLOUD_OIDC_PROVIDER_ARN and ALIBABA_CLOUD_OIDC_TOKEN_FILE " ..
    "are not set; profile: %s/.aliyun/config.json: No such file or directory; ini_profile: " ..
    "%s/.alibabacloud/credentials: No such file or directory; ecs_ram_role: %s; " ..
    "credentials_uri: ALIBABA_CLOUD_CREDENTIALS_URI is not set"
  local HINT = "Configure one of these, or pass credentials to cr.new."

  it("there is one error that names all six, each with its reason", function()
    home:enter { ALIBABA_CLOUD_ECS_METADATA_DISABLED = "true" }
    local client = start()
    local tag, err = client:get_repo_tag(TAG)
    assert.is_nil(tag)
    local message = NOTHING:format(home.folder, home.folder,
      "ALIBABA_CLOUD_ECS_METADATA_DISABLED is true")
    assert.equal(message, err.message)
    assert.equal("GetRepoTag: CredentialsUnavailable: " .. message .. ". " .. HINT, tostring(err))
    assert.equal(1, err.attempts)
    assert.is_false(err.retryable)
    assert.same({}, server:log())
    local _, why = client:credentials()
    assert.equal("credentials", why.operation)
    assert.equal(message, why.message)
    assert.same(ended_at(7), outcomes(why.chain))
  end)

  it("the metadata server's silence is one of them", function()
    home:enter()
    local _, err = start():get_repo_tag(TAG)
    local reason = err.message:match("; ecs_ram_role: (.*); credentials_uri: ")
    assert.matches("^ECS metadata server at 127.0.0.1:1, /latest/api/token: ConnectFailed: ",
      reason)
    assert.equal(NOTHING:format(home.folder, home.folder, reason), err.message)
  end)

  it("and without a home that is told", function()
    home:enter { HOME = false, ALIBABA_CLOUD_ECS_METADATA_DISABLED = "true" }
    local _, err = start():get_repo_tag(TAG)
    assert.matches("; profile: HOME is not set; ini_profile: HOME is not set; ", err.message, 1,
      true)
  end)

  it("a half of what is needed is told", function()
    home:enter {
      ALIBABA_CLOUD_ECS_METADATA_DISABLED = "true", ALIBABA_CLOUD_ACCESS_KEY_ID = "LTAI",
      ALIBABA_CLOUD_ACCESS_KEY_SECRET = "", ALIBABA_CLOUD_CREDENTIALS_URI = "",
      ALIBABA_CLOUD_ROLE_ARN = ACCOUNT .. "role/reader", ALIBABA_CLOUD_OIDC_TOKEN_FILE = "/token",
      ALIBABA_CLOUD_CLI_PROFILE_DISABLED = "TRUE",
    }
    local _, err = start():get_repo_tag(TAG)
    assert.equal(("no credentials: environment: ALIBABA_CLOUD_ACCESS_KEY_SECRET is not set in " ..
      "the environment; oidc_role_arn: ALIBABA_CLOUD_OIDC_PROVIDER_ARN is not set; profile: " ..
      "ALIBABA_CLOUD_CLI_PROFILE_DISABLED is true; ini_profile: %s/.alibabacloud/credentials: " ..
      "No such file or directory; ecs_ram_role: ALIBABA_CLOUD_ECS_METADATA_DISABLED is true; " ..
      "credentials_uri: ALIBABA_CLOUD_CREDENTIALS_URI is not set"):format(home.folder),
      err.message)
  end)

  it("a half of what is needed does not end the search", function()
    configure({ "ini_profile" }, {
      ALIBABA_CLOUD_ACCESS_KEY_SECRET = "s", ALIBABA_CLOUD_ROLE_ARN = ACCOUNT .. "role/reader",
    })
    assert.equal("ini_profile", assert(start():credentials()).provider)
  end)

  it("a profile that was never filled in does not end it, one with a part of a key does", function()
    configure { "ini_profile" }
    home:config { current = "default", profiles = { { name = "default", mode = "AK",
      access_key_id = "", access_key_secret = "", region_id = "" } } }
    local told = assert(start():credentials())
    assert.equal("ini_profile", told.provider)
    assert.equal(home.folder .. "/.aliyun/config.json: profile default (mode AK): access_key_id " ..
      "and access_key_secret are missing", told.chain[3].reason)
    for _, profile in ipairs {
      { access_key_id = "LTAI" },
      { mode = "RamRoleArn", access_key_id = "LTAI", access_key_secret = "s" },
      { mode = "EcsRamRole", ram_role_name = 5 },
    } do
      home:config { profiles = { with({ name = "default" }, profile) } }
      local _, err = start():credentials()
      assert.equal("failed", err.chain[3].outcome)
    end
  end)
end)

describe("a variable", function()
  it("skips the command line's profile", function()
    for value, provider in pairs { ["true"] = "ini_profile", ["True"] = "ini_profile",
      ["false"] = "profile", ["1"] = "profile", [""] = "profile" } do
      configure({ "profile", "ini_profile" }, { ALIBABA_CLOUD_CLI_PROFILE_DISABLED = value })
      assert.equal(provider, assert(start():credentials()).provider)
    end
  end)

  it("skips the metadata server", function()
    for value, provider in pairs { ["true"] = "credentials_uri", ["TRUE"] = "credentials_uri",
      ["no"] = "ecs_ram_role", [""] = "ecs_ram_role" } do
      server:clear_log()
      configure({ "ecs_ram_role", "credentials_uri" },
        { ALIBABA_CLOUD_ECS_METADATA_DISABLED = value })
      assert.equal(provider, assert(start():credentials()).provider)
      assert.equal(provider == "credentials_uri" and "CredentialsURI" or "MetadataToken",
        operations()[1])
    end
  end)
end)

describe("a profile that the chain is asked for by name", function()
  it("must be in one of the two files", function()
    configure { "profile", "ecs_ram_role" }
    home:ini(("[ci]" .. ini(KEY):gsub("^%b[]", "")))
    local client = recorder.client(nil, { credentials = { type = "default", profile = "ci" } })
    assert.equal("ini_profile", assert(client:credentials()).provider)
    client = recorder.client(nil, { credentials = { type = "default", profile = "other" } })
    local _, err = client:credentials()
    assert.equal("credentials", err.kind)
    assert.truthy(err.message:find('section "other" is not known', 1, true), err.message)
    assert.truthy(err.message:find("ecs_ram_role: not asked, because ini_profile is configured", 1,
      true), err.message)
  end)
end)

describe("settings of the chain", function()
  it("reach the providers that have them", function()
    home:enter()
    home:config { current = "a", profiles = { with({ name = "a" }, LIMITED),
      with({ name = "b" }, KEY) } }
    local told = assert(start { credentials = { type = "default", profile = "b" } }:credentials())
    assert.matches("^profile b of ", told.origin)
    os.remove(home.folder .. "/.aliyun/config.json")
    assert.equal("ecs_ram_role", assert(start { credentials = { type = "default",
      metadata_endpoint = server.metadata_endpoint } }:credentials()).provider)
    configure({ "oidc_role_arn" }, { CR_STS_ENDPOINT = homes.NOWHERE })
    assert.equal("oidc_role_arn", assert(start { credentials = { type = "default",
      sts_endpoint = server.sts_endpoint } }:credentials()).provider)
  end)
end)

describe("a provider", function()
  it("is remembered when it brought a credential, and not before", function()
    configure {}
    home:ini "[default]\ntype"
    local client = start()
    for _ = 1, 2 do
      local _, err = client:get_instance(INSTANCE)
      assert.matches("line 2: neither [section] nor key = value", err.message, 1, true)
    end
    home:ini(ini(KEY))
    assert(client:get_instance(INSTANCE))
    assert.equal("ini_profile", assert(client:credentials()).provider)
    -- Now one in front of it is configured too, and is not asked.
    configure { "environment", "oidc_role_arn", "profile", "ecs_ram_role" }
    server:clear_log()
    assert(client:get_repo_tag(TAG))
    local told = assert(client:credentials())
    assert.equal("ini_profile", told.provider)
    assert.same(ended_at(4, "used"), outcomes(told.chain))
    assert.same({ "GetRepoTag" }, operations())
    assert.equal("environment", assert(start():credentials()).provider)
  end)

  it("that is not remembered gives way to one in front of it", function()
    configure {}
    home:ini "["
    local client = start()
    assert.is_nil(client:credentials())
    configure { "profile" }
    assert.equal("profile", assert(client:credentials()).provider)
  end)

  it("whose configuration is taken away is searched for anew", function()
    configure { "environment", "ini_profile" }
    local client = start()
    assert.equal("environment", assert(client:credentials()).provider)
    configure { "ini_profile" }
    local told = assert(client:credentials())
    assert.equal("ini_profile", told.provider)
    assert.same(ended_at(4, "used"), outcomes(told.chain))
    assert(client:get_repo_tag(TAG))
  end)

  it("that was remembered and fails is told alone, and the search does not go on", function()
    configure { "credentials_uri" }
    local client, clock = start()
    assert(client:get_repo_tag(TAG))
    configure({ "environment" }, { ALIBABA_CLOUD_CREDENTIALS_URI = server.endpoint .. "/none" })
    clock.offset = server:clock(4000)
    local told, err = client:credentials()
    assert.is_nil(told)
    assert.matches("^credentials URI at 127.0.0.1:%d+: ", err.message)
    assert.equal("credentials_uri", err.chain[6].provider)
    assert.equal("failed", err.chain[6].outcome)
    assert.equal(err.message, err.chain[6].reason)
    home:enter { ALIBABA_CLOUD_CREDENTIALS_URI = server.credentials_uri }
    clock.offset = 4100
    told = assert(client:credentials())
    assert.equal("used", told.chain[6].outcome)
  end)

  it("that fails and could be well again is asked again within the call", function()
    configure { "credentials_uri" }
    server:fault { operation = "CredentialsURI", status = 503, count = 1 }
    local _, err, info = start():get_repo_tag(TAG)
    assert.is_nil(err)
    assert.equal(2, info.attempts)
  end)

  it("that fails tells what to do", function()
    configure {}
    home:config { profiles = { { name = "default", mode = "CloudSSO", access_token = "token",
      cloud_sso_sign_in_url = server.endpoint, cloud_sso_account_id = "1",
      cloud_sso_access_config = "ac", cloud_sso_access_token_expire = 1 } } }
    local _, err = start():get_repo_tag(TAG)
    assert.matches("Sign in again: aliyun configure --mode CloudSSO.", tostring(err), 1, true)
  end)
end)

describe("the metadata server", function()
  --- A client to which the metadata server answers what `reply` returns; all else succeeds.
  local function probed(reply, config)
    local probes = 0
    local client, transport = recorder.client({ function(request, transport)
      if not request.url:find("/latest/", 1, true) then
        return recorder.response(200, recorder.SUCCESS)
      end
      probes = probes + 1
      return reply(request, transport)
    end }, with({ credentials = { type = "default" } }, config or {}))
    return client, transport, function() return probes end
  end

  local function unreachable()
    return nil, { code = "ConnectFailed", message = "nobody", sent = false }
  end

  local function no_role()
    return recorder.response(404, "")
  end

  it("is not asked for its absence again for 60 seconds", function()
    for reply, requests in pairs { [unreachable] = 1, [no_role] = 2 } do
      configure {}
      local client, transport, probes = probed(reply)
      local _, first = client:get_instance_count()
      assert.equal(requests, probes())
      for _, clock in ipairs { 0, 1, 58 } do
        transport.clock = transport.clock + clock
        local _, err = client:get_instance_count()
        assert.equal(first.message, err.message)
        assert.equal(requests, probes())
      end
      transport.clock = transport.clock + 1
      client:get_instance_count()
      assert.equal(2 * requests, probes())
      client:get_instance_count()
      assert.equal(2 * requests, probes())
    end
  end)

  it("is asked again at once when the clock was set back", function()
    configure {}
    local client, transport, probes = probed(unreachable)
    client:get_instance_count()
    transport.clock = transport.clock - 1000
    client:get_instance_count()
    assert.equal(2, probes())
  end)

  it("is asked by each client", function()
    configure {}
    local one, _, probes_of_one = probed(unreachable)
    local two, _, probes_of_two = probed(unreachable)
    one:get_instance_count()
    two:get_instance_count()
    assert.equal(1, probes_of_one())
    assert.equal(1, probes_of_two())
  end)

  it("is asked again when a deadline was why it was not reached", function()
    configure {}
    local client, transport, probes = probed(function(request, transport)
      transport.clock = transport.clock + request.timeout
      return nil, { code = "Timeout", message = "too slow", sent = false }
    end)
    local before = transport.clock
    client:get_instance_count({}, { deadline = 0.5 })
    assert.equal(before + 0.5, transport.clock)
    assert.equal(1, probes())
    client:get_instance_count()
    assert.equal(2, probes())
    assert.equal(before + 1.5, transport.clock)
    client:get_instance_count()
    assert.equal(2, probes())
  end)

  it("that comes up is found after that time", function()
    configure {}
    local client, clock = start()
    assert.is_nil(client:get_instance(INSTANCE))
    configure { "ecs_ram_role" }
    clock.offset = 30
    assert.is_nil(client:get_instance(INSTANCE))
    assert.same({}, server:log())
    clock.offset = 61
    assert(client:get_instance(INSTANCE))
    assert.equal("ecs_ram_role", assert(client:credentials()).provider)
  end)

  it("that is not there lets the credentials URI have its turn", function()
    configure { "credentials_uri" }
    local client = start()
    assert.equal("1.0", assert(client:get_repo_tag(TAG)).Tag)
    local told = assert(client:credentials())
    assert.equal("credentials_uri", told.provider)
    assert.same(ended_at(6, "used"), outcomes(told.chain))
    assert.matches("^ECS metadata server at 127.0.0.1:1, /latest/api/token: ConnectFailed: ",
      told.chain[5].reason)
  end)

  it("that is not there ends the search when a role was asked for by name", function()
    configure({ "credentials_uri" }, { ALIBABA_CLOUD_ECS_METADATA = "node" })
    local told, err = start():credentials()
    assert.is_nil(told)
    assert.same(ended_at(5, "failed"), outcomes(err.chain))
    assert.same({}, server:log())
  end)

  it("that falters ends the search", function()
    configure { "ecs_ram_role", "credentials_uri" }
    server:fault { operation = "MetadataRole", status = 500, count = 0 }
    local told, err = start():credentials()
    assert.is_nil(told)
    assert.same(ended_at(5, "failed"), outcomes(err.chain))
  end)
end)

describe("before the first call", function()
  it("nothing is read and nobody is asked", function()
    home:config { profiles = { with({ name = "default" }, KEY) } }
    local output, ok = child.lua([[
      local core = require "cr.core"
      require "cjson.safe"
      local function forbid(module, name)
        local real = module[name]
        module[name] = function() error(name .. " was called", 0) end
        return function() module[name] = real end
      end
      local again = {}
      for _, name in ipairs { "open", "popen", "lines", "input" } do forbid(io, name) end
      for _, name in ipairs { "execute", "time", "tmpname" } do forbid(os, name) end
      for _, name in ipairs { "read_file", "run", "time", "sleep", "http", "effective_user" } do
        assert(core[name], name)
        again[name] = forbid(core, name)
      end
      again.getenv = forbid(os, "getenv")
      local transport, now = {}, nil
      for _, name in ipairs { "exchange", "sleep", "now" } do
        transport[name] = function()
          return name == "now" and now or error(name .. " was called", 0)
        end
      end
      local cr = require "cr"
      local role = { type = "ram_role_arn", role_arn = "acs:ram::1:role/a" }
      for _, credentials in ipairs {
        { type = "default" }, { type = "default", profile = "a" }, { type = "profile" },
        { type = "ini_profile" }, { type = "ecs_ram_role" }, { type = "credentials_uri" },
        { type = "oidc_role_arn" }, { type = "environment" }, role,
        { type = "external", process_command = "false" },
        { type = "ram_role_arn", role_arn = "acs:ram::1:role/b", source = role },
        { type = "cloud_sso", sign_in_url = "https://a", account_id = "1", access_config = "b",
          access_token = "c" },
      } do
        local client = cr.new { endpoint = "127.0.0.1:1", credentials = credentials }
        assert(client.get_repo_tag and client.credentials)
        client:close()
        cr.new { endpoint = "127.0.0.1:1", credentials = credentials, transport = transport }
      end
      cr.new()
      -- The traps are real, one behind the other.
      local client = cr.new { endpoint = "127.0.0.1:1", transport = transport }
      local function trapped()
        local called, what = pcall(client.get_instance_count, client)
        return not called and what or "nothing"
      end
      local met = {}
      met[#met + 1] = trapped()
      now = 1
      met[#met + 1] = trapped()
      again.getenv()
      met[#met + 1] = trapped()
      again.read_file()
      met[#met + 1] = trapped()
      again.effective_user()
      met[#met + 1] = trapped()
      io.write(table.concat(met, ", "))
    ]], with(home:variables(), {
      ALIBABA_CLOUD_ACCESS_KEY_ID = false, ALIBABA_CLOUD_ACCESS_KEY_SECRET = false,
      ALIBABA_CLOUD_OIDC_TOKEN_FILE = false, ALIBABA_CLOUD_CONFIG_FILE = false,
      ALIBABA_CLOUD_PROFILE = false, ALIBABA_CLOUD_CLI_PROFILE_DISABLED = false,
    }))
    assert.is_true(ok, output)
    assert.equal("now was called, getenv was called, read_file was called, effective_user was " ..
      "called, exchange was called", output)
  end)
end)

describe("two clients of the default chain", function()
  it("remember each its own provider", function()
    configure { "environment" }
    local one = start()
    assert.equal("environment", assert(one:credentials()).provider)
    configure { "profile" }
    local two = start()
    assert.equal("profile", assert(two:credentials()).provider)
    configure { "environment", "profile" }
    assert.equal("environment", assert(one:credentials()).provider)
    assert.equal("profile", assert(two:credentials()).provider)
  end)

  it("in one process do not mix", function()
    home:config { profiles = { with({ name = "a" }, KEY), with({ name = "b" }, LIMITED) } }
    home:enter()
    local a = start { credentials = { type = "default", profile = "a" } }
    local b = start { credentials = { type = "default", profile = "b" } }
    for _ = 1, 3 do
      assert(a:get_instance(INSTANCE))
      assert(b:get_instance(INSTANCE))
    end
    local signers = {}
    for index, entry in ipairs(server:log()) do
      signers[index] = entry.access_key_id
    end
    assert.same({ KEY.access_key_id, LIMITED.access_key_id, KEY.access_key_id,
      LIMITED.access_key_id, KEY.access_key_id, LIMITED.access_key_id }, signers)
  end)
end)

describe("the library's own default client", function()
  it("goes through the chain in a real environment", function()
    CONFIGURED.ini_profile()
    local variables = {}
    for _, name in ipairs { "ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "ROLE_ARN", "PROFILE",
      "OIDC_TOKEN_FILE", "CREDENTIALS_FILE", "CONFIG_FILE", "CREDENTIALS_URI" } do
      variables["ALIBABA_CLOUD_" .. name] = false
    end
    local output = child.lua([[
      local cr = require "cr"
      local tag, err = cr.get_repo_tag { InstanceId = "cri-kmsiwlxxdcva****",
        RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
      io.write(tag and tag.Status or tostring(err), " ", cr.credentials().provider)
    ]], with(home:variables(), variables, { ALIBABA_CLOUD_ENDPOINT = server.endpoint }))
    assert.equal("NORMAL ini_profile", output)
  end)
end)
