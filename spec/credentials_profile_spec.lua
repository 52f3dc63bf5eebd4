--- Profiles of the vendor's command line: every mode against the emulator, which profile of which
-- file is taken, and what is refused.

local child = require "spec.support.child"
local cjson = require "cjson"
local cr = require "cr"
local emulator = require "spec.support.emulator"
local homes = require "spec.support.home"

local KEY, SESSION, TAG, with = homes.KEY, homes.SESSION, homes.TAG, homes.with

local ACCOUNT = "acs:ram::1000000000000001:"
local READER, CHAINED = ACCOUNT .. "role/reader", ACCOUNT .. "role/chained"

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

--- Writes the profiles and enters an environment in which STS is the emulator.
local function configure(profiles, more)
  local path = home:config { current = "ci", profiles = profiles }
  home:enter(with({ CR_STS_ENDPOINT = server.sts_endpoint }, more or {}))
  return path
end

local function client_of(declared, config)
  return cr.new(with({
    endpoint = server.endpoint, credentials = with({ type = "profile" }, declared or {}),
  }, config or {}))
end

local function operations()
  local names = {}
  for index, entry in ipairs(server:log()) do
    names[index] = entry.operation
  end
  return names
end

--- Calls with the profile "ci", and holds what is told about it against the mode.
-- @return the last entry of the emulator's log, what client:credentials() told
local function signs(profile, more, config)
  local path = configure({ with({ name = "ci" }, profile) }, more)
  local client = client_of({}, config)
  local tag, err = client:get_repo_tag(TAG)
  assert.is_nil(err and tostring(err))
  assert.equal("1.0", tag.Tag)
  local log = server:log()
  local told = assert(client:credentials())
  assert.equal("profile", told.provider)
  assert.equal(("profile ci of %s, mode %s"):format(path, profile.mode or "AK"), told.origin)
  assert.equal("****" .. log[#log].access_key_id:sub(-4), told.access_key_id)
  assert.same({}, told.warnings)
  assert.is_nil(told.chain)
  assert.equal(#log, #server:log()) -- nothing is fetched again
  return log[#log], told
end

--- The error of a call with these profiles, without the path in front.
local function refusal(profiles, declared, more)
  local path = configure(profiles, more)
  local tag, err = client_of(declared):get_repo_tag(TAG)
  assert.is_nil(tag)
  assert.equal("credentials", err.kind)
  assert.equal("CredentialsUnavailable", err.code)
  assert.equal("GetRepoTag", err.operation)
  assert.equal(path .. ": ", err.message:sub(1, #path + 2), err.message)
  assert.is_nil(err.message:find("not-a-real-one", 1, true))
  return err.message:sub(#path + 3)
end

--- What each of the keys of a mode does when it is missing, alone and with all others.
local function needs(mode, complete, all)
  for key in pairs(complete) do
    local profile = with({ name = "ci", mode = mode }, complete)
    for _, nothing in ipairs { "", cjson.null, "remove" } do
      profile[key] = nothing ~= "remove" and nothing or nil
      assert.equal(("profile ci (mode %s): %s is missing"):format(mode, key),
        refusal { profile })
    end
  end
  assert.equal(("profile ci (mode %s): %s"):format(mode, all),
    refusal { { name = "ci", mode = mode } })
end

--- What is said of keys with values of a wrong type.
local function wants(mode, complete, cases)
  for _, case in ipairs(cases) do
    local key, value, expected = case[1], case[2], case[3]
    assert.equal(("profile ci (mode %s): %s %s"):format(mode, key, expected),
      refusal { with({ name = "ci", mode = mode }, complete, { [key] = value }) })
  end
end

local LINE = "must be a non-empty string without control characters"

describe("mode AK", function()
  it("signs with the key", function()
    local entry, told = signs(with({ mode = "AK" }, KEY))
    assert.equal("LTAI5tEmulatorFull", entry.access_key_id)
    assert.is_nil(told.expiration)
    assert.same({ "GetRepoTag" }, operations())
  end)

  it("is the mode of a profile that names none", function()
    signs(KEY)
    for _, mode in ipairs { "", cjson.null } do
      configure { with({ name = "ci", mode = mode }, KEY) }
      assert(client_of():get_repo_tag(TAG))
    end
  end)

  it("needs both parts of the key", function()
    needs("AK", KEY, "access_key_id and access_key_secret are missing")
  end)

  it("takes clean text only", function()
    wants("AK", KEY, {
      { "access_key_id", 5, "must be a non-empty string, got a number" },
      { "access_key_id", true, "must be a non-empty string, got a boolean" },
      { "access_key_secret", {}, "must be a non-empty string, got a table" },
      { "access_key_secret", "not-a-real-one\n",
        "holds a blank or a control character (a line break copied along?)" },
      { "access_key_secret", ("x"):rep(512), "is longer than 511 bytes" },
    })
  end)
end)

describe("mode StsToken", function()
  it("signs with the session", function()
    local entry, told = signs(with({ mode = "StsToken" }, SESSION))
    assert.equal("STS.NTEmulatorSession", entry.access_key_id)
    assert.is_nil(told.expiration)
  end)

  it("needs all three parts", function()
    needs("StsToken", SESSION, "access_key_id, access_key_secret and sts_token are missing")
  end)

  it("takes clean text only", function()
    wants("StsToken", SESSION, {
      { "sts_token", 5, "must be a non-empty string, got a number" },
      { "sts_token", "a b", "holds a blank or a control character (a line break copied along?)" },
    })
  end)
end)

describe("mode RamRoleArn", function()
  local ROLE = { ram_role_arn = READER }

  it("assumes the role with the key", function()
    local entry, told = signs(with({ mode = "RamRoleArn", ram_session_name = "deploy",
      expired_seconds = 1800 }, ROLE, KEY))
    local assumed = server:log()[1]
    assert.same({ "AssumeRole", "GetRepoTag" }, operations())
    assert.equal("LTAI5tEmulatorFull", assumed.access_key_id)
    assert.equal("reader", assumed.role)
    assert.equal("deploy", assumed.role_session_name)
    assert.equal(1800, assumed.duration_seconds)
    assert.equal("v3", assumed.signature)
    assert.matches("^STS%.", entry.access_key_id)
    assert.matches("^%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ$", told.expiration)
  end)

  it("assumes it with a session, when there is an sts_token", function()
    signs(with({ mode = "RamRoleArn" }, ROLE, SESSION))
    assert.equal("STS.NTEmulatorSession", server:log()[1].access_key_id)
    assert.equal(3600, server:log()[1].duration_seconds)
    assert.matches("^cr%-%d+$", server:log()[1].role_session_name)
  end)

  it("takes an sts_token of nothing for none", function()
    for _, nothing in ipairs { "", cjson.null } do
      signs(with({ mode = "RamRoleArn", sts_token = nothing, expired_seconds = 0, sts_region = "",
        policy = "", external_id = "", ram_session_name = cjson.null }, ROLE, KEY))
    end
  end)

  it("signs as the client does", function()
    signs(with({ mode = "RamRoleArn" }, ROLE, KEY), {}, { signature = "v1" })
    assert.equal("v1", server:log()[1].signature)
  end)

  it("hands on policy and external id", function()
    local policy = '{"Version":"1","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}'
    configure { with({ name = "ci", mode = "RamRoleArn", policy = policy,
      external_id = "outside" }, ROLE, KEY) }
    local tag, err = client_of():get_repo_tag(TAG)
    assert.is_nil(tag)
    assert.equal("NoPermission", err.code)
    assert.equal("SessionPolicy", err.access_denied.PolicyType)
    local parameters = server:log()[1].parameters
    assert.equal(policy, parameters.Policy)
    assert.equal("outside", parameters.ExternalId)
  end)

  it("finds the host of STS by region and network", function()
    local asked
    local transport = { exchange = function(request)
      asked = request.url:match("^https://([^/]+)/")
      return nil, { code = "ResolveFailed", message = "not here", sent = false }
    end, sleep = function() end }
    for host, more in pairs {
      ["sts.aliyuncs.com"] = {},
      ["sts.eu-central-1.aliyuncs.com"] = { sts_region = "eu-central-1" },
      ["sts-vpc.eu-central-1.aliyuncs.com"] = { sts_region = "eu-central-1", enable_vpc = true },
      ["sts-vpc.cn-beijing.aliyuncs.com"] = { enable_vpc = true },
    } do
      home:config { current = "ci",
        profiles = { with({ name = "ci", mode = "RamRoleArn" }, ROLE, KEY, more) } }
      home:enter()
      local answer, err = client_of({}, { endpoint = "cr.example.com", region = "cn-beijing",
        transport = transport, max_attempts = 1 }):get_repo_tag(TAG)
      assert.is_nil(answer)
      assert.equal(host, asked)
      assert.equal(("profile ci of %s/.aliyun/config.json, mode RamRoleArn: AssumeRole at %s: " ..
        "ResolveFailed: not here"):format(home.folder, host), err.message)
    end
  end)

  it("needs the role, and a key to assume it with", function()
    assert.equal("profile ci (mode RamRoleArn): ram_role_arn is missing",
      refusal { with({ name = "ci", mode = "RamRoleArn" }, KEY) })
    assert.equal("profile ci (mode RamRoleArn): access_key_id and access_key_secret are missing",
      refusal { with({ name = "ci", mode = "RamRoleArn" }, ROLE) })
    assert.equal("profile ci (mode RamRoleArn): access_key_secret is missing",
      refusal { with({ name = "ci", mode = "RamRoleArn" }, ROLE, { access_key_id = "LTAI",
        sts_token = "token" }) })
  end)

  it("takes values of the right type only", function()
    local seconds = "must be a whole number of seconds from 900 to 43200"
    wants("RamRoleArn", with(ROLE, KEY), {
      { "expired_seconds", 899, seconds }, { "expired_seconds", 43201, seconds },
      { "expired_seconds", -1, seconds }, { "expired_seconds", 900.5, seconds },
      { "expired_seconds", "3600", seconds }, { "expired_seconds", true, seconds },
      { "enable_vpc", "true", "must be true or false" },
      { "enable_vpc", 1, "must be true or false" },
      { "ram_role_arn", 5, LINE }, { "ram_role_arn", "a\nb", LINE },
      { "ram_session_name", {}, LINE }, { "sts_region", 1, LINE }, { "external_id", false, LINE },
      { "policy", {}, "must be a non-empty string" },
      { "sts_token", 5, "must be a non-empty string, got a number" },
    })
    for _, limit in ipairs { 900, 43200 } do
      configure { with({ name = "ci", mode = "RamRoleArn", expired_seconds = limit }, ROLE, KEY) }
      client_of({}, { max_attempts = 1 }):get_repo_tag(TAG)
      local log = server:log()
      assert.equal(limit, log[limit == 900 and 1 or #log].duration_seconds)
    end
  end)

  it("names a region that is none", function()
    home:config { current = "ci", profiles = { with({ name = "ci", mode = "RamRoleArn",
      sts_region = "Frankfurt am Main" }, ROLE, KEY) } }
    home:enter()
    local _, err = client_of():get_repo_tag(TAG)
    assert.equal(("GetRepoTag: CredentialsUnavailable: profile ci of %s/.aliyun/config.json, " ..
      'mode RamRoleArn: STS region "Frankfurt am Main" is not a region id. Write it like ' ..
      '"cn-hangzhou".'):format(home.folder), tostring(err))
  end)
end)

describe("mode EcsRamRole", function()
  local function at_emulator(more)
    return with({ CR_METADATA_ENDPOINT = server.metadata_endpoint }, more or {})
  end

  it("takes the role of the instance", function()
    local entry, told = signs({ mode = "EcsRamRole" }, at_emulator())
    assert.same({ "MetadataToken", "MetadataRole", "MetadataCredentials", "GetRepoTag" },
      operations())
    assert.matches("^STS%.", entry.access_key_id)
    assert.truthy(told.expiration)
  end)

  it("asks for the role it names", function()
    signs({ mode = "EcsRamRole", ram_role_name = "node" }, at_emulator())
    assert.same({ "MetadataToken", "MetadataCredentials", "GetRepoTag" }, operations())
    assert.equal("node", server:log()[2].role)
  end)

  it("fails with the role that is not attached", function()
    local path = configure({ { name = "ci", mode = "EcsRamRole", ram_role_name = "other" } },
      at_emulator())
    local _, err = client_of():get_repo_tag(TAG)
    assert.equal(("profile ci of %s, mode EcsRamRole: role other is not attached to this ECS " ..
      "instance (ECS metadata server at %s, /latest/meta-data/ram/security-credentials/other: " ..
      "HTTP 404)"):format(path, server.metadata_endpoint:match("//(.*)$")), err.message)
  end)

  it("takes values of the right type only", function()
    wants("EcsRamRole", {}, { { "ram_role_name", 5, LINE } })
  end)
end)

describe("mode OIDC", function()
  local function profile(more)
    return with({
      mode = "OIDC", oidc_provider_arn = ACCOUNT .. "oidc-provider/emulator",
      oidc_token_file = home:write("token", "emulator-oidc-token-1\n"), ram_role_arn = READER,
    }, more or {})
  end

  it("assumes the role with the token", function()
    local entry = signs(profile { ram_session_name = "pod", expired_seconds = 900 })
    local assumed = server:log()[1]
    assert.same({ "AssumeRoleWithOIDC", "GetRepoTag" }, operations())
    assert.equal("none", assumed.signature)
    assert.equal("pod-1", assumed.subject)
    assert.equal("pod", assumed.role_session_name)
    assert.equal(900, assumed.duration_seconds)
    assert.matches("^STS%.", entry.access_key_id)
  end)

  it("needs provider, token file and role", function()
    local complete = profile()
    complete.mode = nil
    needs("OIDC", complete, "oidc_provider_arn, oidc_token_file and ram_role_arn are missing")
  end)

  it("takes values of the right type only", function()
    local complete = profile()
    complete.mode = nil
    wants("OIDC", complete, {
      { "oidc_token_file", 5, LINE }, { "oidc_provider_arn", {}, LINE },
      { "expired_seconds", 60, "must be a whole number of seconds from 900 to 43200" },
    })
  end)

  it("names a token file that is not there, and shows no token that is refused", function()
    local path = configure { with({ name = "ci" }, profile {
      oidc_token_file = home.folder .. "/nothing" }) }
    local _, err = client_of():get_repo_tag(TAG)
    assert.equal(("profile ci of %s, mode OIDC: OIDC token file %s/nothing: no such file or " ..
      "directory"):format(path, home.folder):lower(), err.message:lower())
    configure { with({ name = "ci" }, profile {
      oidc_token_file = home:write("expired", "emulator-oidc-token-expired") }) }
    _, err = client_of():get_repo_tag(TAG)
    assert.matches("AuthenticationFail.OIDCToken.Expired", tostring(err), 1, true)
    assert.is_nil(tostring(err):find("emulator-oidc-token", 1, true))
  end)
end)

describe("mode ChainableRamRoleArn", function()
  local function chain()
    return {
      { name = "ci", mode = "ChainableRamRoleArn", ram_role_arn = CHAINED,
        ram_session_name = "second", source_profile = "base" },
      { name = "base", mode = "ChainableRamRoleArn", ram_role_arn = READER,
        ram_session_name = "first", source_profile = "key" },
      with({ name = "key", mode = "AK" }, KEY),
    }
  end

  it("assumes role after role", function()
    local path = configure(chain())
    local client = client_of()
    assert.equal("1.0", assert(client:get_repo_tag(TAG)).Tag)
    assert.same({ "AssumeRole", "AssumeRole", "GetRepoTag" }, operations())
    local log = server:log()
    assert.equal("LTAI5tEmulatorFull", log[1].access_key_id)
    assert.equal("first", log[1].role_session_name)
    assert.matches("^STS%.", log[2].access_key_id)
    assert.equal("second", log[2].role_session_name)
    assert.not_equal(log[2].access_key_id, log[3].access_key_id)
    local told = assert(client:credentials())
    assert.equal(("profile ci of %s, mode ChainableRamRoleArn"):format(path), told.origin)
    assert.truthy(told.expiration)
  end)

  it("takes a source of any mode", function()
    local profiles = chain()
    profiles[2] = { name = "base", mode = "CredentialsURI",
      credentials_uri = server.credentials_uri }
    configure(profiles)
    assert(client_of():get_repo_tag(TAG))
    assert.same({ "CredentialsURI", "AssumeRole", "GetRepoTag" }, operations())
  end)

  it("refuses cycles, by the names on the way", function()
    local function link(name, source)
      return { name = name, mode = "ChainableRamRoleArn", ram_role_arn = READER,
        source_profile = source }
    end
    assert.equal("profile cycle: ci -> ci", refusal { link("ci", "ci") })
    assert.equal("profile cycle: ci -> b -> ci", refusal { link("ci", "b"), link("b", "ci") })
    assert.equal("profile cycle: ci -> b -> c -> d -> e -> c", refusal {
      link("ci", "b"), link("b", "c"), link("c", "d"), link("d", "e"), link("e", "c"),
    })
    assert.equal("profile cycle: ci -> b -> b", refusal { link("ci", "b"), link("b", "b") })
    assert.same({}, server:log())
  end)

  it("takes names that begin alike for what they are", function()
    configure {
      { name = "ci", mode = "ChainableRamRoleArn", ram_role_arn = CHAINED, source_profile = "c" },
      { name = "c", mode = "ChainableRamRoleArn", ram_role_arn = READER,
        source_profile = "ci.prod" },
      with({ name = "ci.prod", mode = "AK" }, KEY),
    }
    assert(client_of():get_repo_tag(TAG))
  end)

  it("refuses more sources than anybody needs, before the stack ends", function()
    for count, expected in pairs { [16] = false, [17] = true, [5000] = true } do
      local profiles = {}
      for index = 1, count do
        profiles[index] = { name = index == 1 and "ci" or "p" .. index, ram_role_arn = READER,
          mode = "ChainableRamRoleArn", source_profile = "p" .. index + 1 }
      end
      profiles[count + 1] = { name = "p" .. count + 1, mode = "AK", access_key_id = "LTAI" }
      local message = refusal(profiles)
      assert.equal(expected and
        "profile p17 (mode ChainableRamRoleArn): more than 16 profiles are each other's source" or
        "profile p17 (mode AK): access_key_secret is missing", message)
    end
  end)

  it("needs the role and a source that is there", function()
    local function chained(more)
      return with({ name = "ci", mode = "ChainableRamRoleArn", ram_role_arn = READER }, more)
    end
    local prefix = "profile ci (mode ChainableRamRoleArn): "
    assert.equal(prefix .. "ram_role_arn is missing",
      refusal { chained { ram_role_arn = "", source_profile = "key" } })
    for _, source in ipairs { "", cjson.null, 5 } do
      assert.equal(prefix .. "source_profile is missing", refusal { chained {
        source_profile = source } })
    end
    assert.equal(prefix .. 'source_profile "bse" is not known; did you mean base?', refusal {
      chained { source_profile = "bse" }, with({ name = "base" }, KEY) })
    assert.equal("profile base (mode AK): access_key_secret is missing", refusal {
      chained { source_profile = "base" }, { name = "base", access_key_id = "LTAI" } })
  end)
end)

describe("mode CloudSSO", function()
  local function profile(more)
    return with({
      cloud_sso_sign_in_url = server.endpoint .. "/start/login",
      cloud_sso_account_id = "1000000000000001", cloud_sso_access_config = "ac-emulator",
      access_token = "emulator-sso-access-token",
    }, more or {})
  end

  it("exchanges the access token for a session", function()
    local entry, told = signs(with({ mode = "CloudSSO" }, profile {
      cloud_sso_access_token_expire = os.time() + 3600, sts_token = "left over",
    }))
    assert.same({ "CloudSSO", "GetRepoTag" }, operations())
    assert.matches("^STS%.", entry.access_key_id)
    assert.truthy(told.expiration)
  end)

  it("says what to do when the token has expired, or is refused", function()
    local path = configure { with({ name = "ci", mode = "CloudSSO" }, profile {
      cloud_sso_access_token_expire = os.time() - 1,
    }) }
    local _, err = client_of():get_repo_tag(TAG)
    assert.equal(("GetRepoTag: CredentialsUnavailable: profile ci of %s, mode CloudSSO: the " ..
      "CloudSSO access token has expired. Sign in again: aliyun configure --mode CloudSSO.")
      :format(path), tostring(err))
    assert.same({}, server:log())
    configure { with({ name = "ci", mode = "CloudSSO" }, profile {
      access_token = "wrong-token-not-a-real-one" }) }
    _, err = client_of():get_repo_tag(TAG)
    assert.equal("sign in again: aliyun configure --mode CloudSSO", err.hint)
    assert.matches("InvalidAccessToken (HTTP 401)", err.message, 1, true)
    assert.is_nil(tostring(err):find("wrong-token", 1, true))
  end)

  it("needs the four that it sends", function()
    needs("CloudSSO", profile(), "access_token, cloud_sso_access_config, cloud_sso_account_id " ..
      "and cloud_sso_sign_in_url are missing")
  end)

  it("takes values of the right type only", function()
    wants("CloudSSO", profile(), {
      { "access_token", 5, LINE }, { "cloud_sso_account_id", 1000000000000001, LINE },
      { "cloud_sso_access_token_expire", "tomorrow", "must be seconds since the epoch" },
    })
    local path = configure { with({ name = "ci", mode = "CloudSSO" }, profile {
      cloud_sso_sign_in_url = "signin.example" }) }
    local _, err = client_of():get_repo_tag(TAG)
    assert.equal(("profile ci of %s, mode CloudSSO: the CloudSSO sign-in URL is no URL like " ..
      "https://signin-cn-…"):format(path), err.message)
  end)
end)

describe("mode External", function()
  local function program(output, status)
    return home:write("program", ("#!/bin/sh\ncat <<'END'\n%s\nEND\nexit %d\n"):format(output,
      status or 0), "700")
  end

  local function printed(fields)
    return cjson.encode(with({ mode = "AK" }, fields))
  end

  it("runs the program", function()
    local entry, told = signs { mode = "External",
      process_command = program(printed(KEY)) .. " --profile 'a b'" }
    assert.equal("LTAI5tEmulatorFull", entry.access_key_id)
    assert.is_nil(told.expiration)
  end)

  it("takes a session with its end", function()
    local entry, told = signs { mode = "External", process_command = program(printed(with(SESSION,
      { mode = "StsToken", expiration = "2037-01-01T00:00:00Z" }))) }
    assert.equal("STS.NTEmulatorSession", entry.access_key_id)
    assert.equal("2037-01-01T00:00:00Z", told.expiration)
  end)

  it("names the program that failed, and not its arguments", function()
    for output, expected in pairs {
      ["not-a-real-one"] = "it printed no JSON object",
      [printed { access_key_id = "LTAI" }] =
        "in what it printed access_key_secret must be a non-empty string, got nothing",
      [printed(with(KEY, { mode = "StsToken" }))] =
        "in what it printed sts_token must be a non-empty string, got nothing",
    } do
      local path = program(output)
      local config = configure { { name = "ci", mode = "External",
        process_command = path .. " not-a-real-one" } }
      local _, err = client_of():get_repo_tag(TAG)
      assert.equal(("profile ci of %s, mode External: process_command %s: %s"):format(config,
        path, expected), err.message)
    end
    local path = program("", 3)
    local config = configure { { name = "ci", mode = "External", process_command = path } }
    local _, err = client_of():get_repo_tag(TAG)
    assert.equal(("profile ci of %s, mode External: process_command %s: it ended with exit " ..
      "status 3"):format(config, path), err.message)
  end)

  it("is forbidden by a variable", function()
    local config = configure({ { name = "ci", mode = "External",
      process_command = program(printed(KEY)) } },
      { ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS = "true" })
    local _, err = client_of():get_repo_tag(TAG)
    assert.equal(("profile ci of %s, mode External: process_command is forbidden by " ..
      "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS"):format(config), err.message)
  end)

  it("needs the command, a text", function()
    needs("External", { process_command = "true" }, "process_command is missing")
    wants("External", {}, { { "process_command", { "true" }, "must be a non-empty string" } })
  end)
end)

describe("mode CredentialsURI", function()
  it("asks the address", function()
    local entry, told = signs { mode = "CredentialsURI",
      credentials_uri = server.credentials_uri }
    assert.same({ "CredentialsURI", "GetRepoTag" }, operations())
    assert.matches("^STS%.", entry.access_key_id)
    assert.truthy(told.expiration)
  end)

  it("shows no path, which may be a key", function()
    local config = configure { { name = "ci", mode = "CredentialsURI",
      credentials_uri = server.endpoint .. "/not-a-real-one" } }
    local _, err = client_of():get_repo_tag(TAG)
    assert.matches(("profile ci of %s, mode CredentialsURI: credentials URI at %s: "):format(
      config, server.endpoint:match("//(.*)$")), err.message, 1, true)
    assert.is_nil(tostring(err):find("not-a-real-one", 1, true))
  end)

  it("needs the address, and one that is a URL", function()
    needs("CredentialsURI", { credentials_uri = "http://127.0.0.1:1/" },
      "credentials_uri is missing")
    wants("CredentialsURI", {}, { { "credentials_uri", 5, LINE } })
    local config = configure { { name = "ci", mode = "CredentialsURI",
      credentials_uri = "not-a-real-one" } }
    local _, err = client_of():get_repo_tag(TAG)
    assert.equal(("profile ci of %s, mode CredentialsURI: the credentials URI is no URL like " ..
      "http://127.0.0.1:8080/path"):format(config), err.message)
  end)
end)

describe("another mode", function()
  it("is refused with the one that was meant", function()
    for wrong, meant in pairs { ak = "AK", StsTokn = "StsToken", RamRoleARN = "RamRoleArn",
      ecsramrole = "EcsRamRole", Oidc = "OIDC", CredentialURI = "CredentialsURI" } do
      assert.equal(('profile ci: mode "%s" is not known; did you mean %s?'):format(wrong, meant),
        refusal { { name = "ci", mode = wrong } })
    end
    assert.equal('profile ci: mode "RsaKeyPair" is not known; known are AK, ' ..
      "ChainableRamRoleArn, CloudSSO, CredentialsURI, EcsRamRole, External, OIDC, RamRoleArn, " ..
      "StsToken", refusal { { name = "ci", mode = "RsaKeyPair" } })
  end)

  it("must be a text", function()
    for _, wrong in ipairs { 5, true, {} } do
      assert.equal("profile ci: mode must be a string", refusal { { name = "ci", mode = wrong } })
    end
  end)
end)

describe("the profile", function()
  local function named(name)
    return { name = name, mode = "AK", access_key_id = "LTAI-" .. name, access_key_secret = "s" }
  end

  local function id(declared)
    local told, err = client_of(declared):credentials()
    return told and told.origin:match("^profile (%S+) of ") or err.message
  end

  it("is the one that is given, else the variable's, the current one, default", function()
    local all = { named "default", named "ci", named "variable", named "given" }
    configure(all, { ALIBABA_CLOUD_PROFILE = "variable" })
    assert.equal("given", id { profile = "given" })
    assert.equal("variable", id())
    configure(all, { ALIBABA_CLOUD_PROFILE = "" })
    assert.equal("ci", id())
    for _, current in ipairs { "", cjson.null, 5, "remove" } do
      home:config { current = current ~= "remove" and current or nil, profiles = all }
      assert.equal("default", id())
    end
  end)

  it("is the first of that name", function()
    configure { with(named "ci", KEY), named "ci" }
    assert(client_of():get_repo_tag(TAG))
  end)

  it("that is not there is told with those that are", function()
    assert.equal('profile "prdo" is not known; did you mean prod?',
      refusal({ named "prod", named "test" }, { profile = "prdo" }))
    assert.equal('profile "elsewhere" is not known; known are prod, test',
      refusal({ named "test", named "prod" }, { profile = "elsewhere" }))
    assert.equal('profile "elsewhere" is not known; known are prod', refusal({ named "prod",
      { mode = "AK" }, { name = cjson.null }, { name = 5 } }, {},
      { ALIBABA_CLOUD_PROFILE = "elsewhere" }))
    for _, none in ipairs { {}, { { name = 5 } } } do
      assert.equal("no profile in it", refusal(none))
    end
  end)

  it("that was never filled in is told as what is missing", function()
    -- as the vendor's command line writes it at its first start
    home:config [[{
	"current": "default",
	"profiles": [
		{
			"name": "default",
			"mode": "AK",
			"access_key_id": "",
			"access_key_secret": "",
			"region_id": "",
			"output_format": "json",
			"language": "en"
		}
	],
	"meta_path": ""
}
]]
    home:enter()
    assert.equal(home.folder .. "/.aliyun/config.json: profile default (mode AK): access_key_id " ..
      "and access_key_secret are missing", id())
  end)
end)

describe("settings beside the profile", function()
  it("reach what it stands for, and the sources of that", function()
    home:config { current = "ecs", profiles = {
      { name = "ecs", mode = "EcsRamRole" },
      { name = "chain", mode = "ChainableRamRoleArn", ram_role_arn = CHAINED,
        source_profile = "role" },
      with({ name = "role", mode = "RamRoleArn", ram_role_arn = READER }, KEY),
    } }
    home:enter { CR_STS_ENDPOINT = homes.NOWHERE }
    assert(client_of { metadata_endpoint = server.metadata_endpoint }:get_repo_tag(TAG))
    assert(client_of { profile = "chain", sts_endpoint = server.sts_endpoint }:get_repo_tag(TAG))
    assert.equal("MetadataToken", operations()[1])
    assert.is_nil(client_of({}, { max_attempts = 1 }):get_repo_tag(TAG))
  end)

  it("limit its requests", function()
    configure { with({ name = "ci", mode = "RamRoleArn", ram_role_arn = READER }, KEY) }
    local limits = {}
    local transport = { exchange = function(request)
      limits = { request.timeout, request.connect_timeout }
      return nil, { code = "Timeout", message = "too slow", sent = true }
    end, sleep = function() end }
    client_of({ timeout = 3, connect_timeout = 2 }, { transport = transport }):get_repo_tag(TAG)
    assert.same({ 3, 2 }, limits)
    client_of({}, { transport = transport }):get_repo_tag(TAG)
    assert.same({ 10, 5 }, limits)
  end)
end)

describe("the file", function()
  local function config(name)
    return cjson.encode { profiles = {
      { name = "default", access_key_id = "LTAI-of-" .. name, access_key_secret = "s" } } }
  end

  local function origin(declared)
    local told, err = client_of(declared):credentials()
    return told and told.origin or err.message
  end

  it("is the one that is given, else the variable's, else the home's", function()
    local given = home:write("given.json", config "given")
    local variable = home:write("variable.json", config "variable")
    local default = home:config(config "home")
    home:enter { ALIBABA_CLOUD_CONFIG_FILE = variable }
    assert.equal(("profile default of %s, mode AK"):format(given), origin { file = given })
    assert.equal(("profile default of %s, mode AK"):format(variable), origin())
    home:enter { ALIBABA_CLOUD_CONFIG_FILE = "" }
    assert.equal(("profile default of %s, mode AK"):format(default), origin())
  end)

  it("is told when it is missing, or when there is no home", function()
    home:enter()
    assert.equal(home.folder .. "/.aliyun/config.json: No such file or directory", origin())
    home:enter { HOME = false }
    assert.equal("HOME is not set", origin())
    home:enter { HOME = "" }
    assert.equal("HOME is not set", origin())
  end)

  it("is read in the real environment of a process", function()
    home:config { current = "ci", profiles = { with({ name = "ci" }, KEY) } }
    local output = child.lua([[
      local cr = require "cr"
      local tag, err = cr.get_repo_tag { InstanceId = "cri-kmsiwlxxdcva****",
        RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
      io.write(tag and tag.Status or tostring(err), " ", cr.credentials().origin)
    ]], with(home:variables(), {
      ALIBABA_CLOUD_ENDPOINT = server.endpoint, ALIBABA_CLOUD_CONFIG_FILE = false,
      ALIBABA_CLOUD_PROFILE = false, ALIBABA_CLOUD_ACCESS_KEY_ID = false,
      ALIBABA_CLOUD_ACCESS_KEY_SECRET = false, ALIBABA_CLOUD_ROLE_ARN = false,
      ALIBABA_CLOUD_CLI_PROFILE_DISABLED = false,
    }))
    assert.equal(("NORMAL profile ci of %s/.aliyun/config.json, mode AK"):format(home.folder),
      output)
  end)

  it("may have a byte order mark and line ends of any system", function()
    local text = '{\n"current": "ci",\n"profiles": [\n' .. cjson.encode(with({ name = "ci" },
      KEY)) .. "\n]\n}\n"
    for _, variant in ipairs { text, "\239\187\191" .. text, (text:gsub("\n", "\r\n")),
      "\239\187\191" .. text:gsub("\n", "\r\n"), "\n\n\t " .. text .. "\n\n" } do
      home:config(variant)
      home:enter()
      assert(client_of():get_repo_tag(TAG))
    end
  end)

  it("that is no JSON object is refused and not shown", function()
    local whole = cjson.encode { profiles = { with({ name = "default" }, KEY) } }
    home:enter()
    for _, text in ipairs { "", "\n", "[]", "[" .. whole .. "]", "null", "5", '"text"', "{",
      whole:sub(1, -2), whole:sub(1, #whole / 2), whole .. "}", whole .. whole,
      whole .. "\0", "\255\254{\0}\0", "; ini\n[default]\n", ("["):rep(100000),
      '{"a":' .. ("["):rep(1000) } do
      local path = home:config(text)
      assert.equal(path .. ": no JSON object (half written?)", origin())
    end
  end)

  it("must have an array of objects as its profiles", function()
    home:enter()
    for text, expected in pairs {
      ["{}"] = "profiles is missing or no array",
      ['{"profiles":null}'] = "profiles is missing or no array",
      ['{"profiles":"default"}'] = "profiles is missing or no array",
      ['{"profiles":[{"name":"x"},null]}'] = "profiles[2] is no object",
      ['{"profiles":["default"]}'] = "profiles[1] is no object",
      ['{"profiles":[]}'] = "no profile in it",
      ['{"profiles":{"default":{}}}'] = "no profile in it",
    } do
      local path = home:config(text)
      assert.equal(path .. ": " .. expected, origin())
    end
  end)
end)
