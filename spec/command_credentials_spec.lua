--- `cr credentials` as a process, and client:credentials() and cr.credentials() behind it.

local child = require "spec.support.child"
local cr = require "cr"
local emulator = require "spec.support.emulator"
local fixture = require "spec.support.fixture"
local homes = require "spec.support.home"
local recorder = require "spec.support.recorder"

local KEY, with = homes.KEY, homes.with

local BIN = os.getenv "CR_BIN" or "bin/cr"

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

-- What the outside may have set; a process of a spec has none of it.
local UNSET = { CR_STS_ENDPOINT = false }
for _, name in ipairs { "ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN", "ROLE_ARN",
  "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE", "CONFIG_FILE", "CREDENTIALS_FILE", "PROFILE",
  "CREDENTIALS_URI", "ECS_METADATA", "ECS_METADATA_DISABLED", "CLI_PROFILE_DISABLED",
  "ENDPOINT", "REGION_ID" } do
  UNSET["ALIBABA_CLOUD_" .. name] = false
end

--- Runs `cr credentials`.
-- @return standard output, standard error, exit status
local function run(arguments, more)
  local words = {}
  for name in pairs(UNSET) do
    words[#words + 1] = "-u " .. name
  end
  for name, value in pairs(home:variables(more)) do
    words[#words + 1] = name .. "=" .. child.quote(value)
  end
  local errors = home.folder .. "/errors"
  local text = child.shell(("env %s %s credentials %s 2>%s; echo \"exit $?\""):format(
    table.concat(words, " "), BIN, arguments, child.quote(errors)))
  local output, status = text:match("^(.*)exit (%d+)\n$")
  return output, fixture.read(errors), tonumber(status)
end

local FROM_KEY = {
  ALIBABA_CLOUD_ACCESS_KEY_ID = KEY.access_key_id,
  ALIBABA_CLOUD_ACCESS_KEY_SECRET = KEY.access_key_secret,
}

local USAGE = [[
usage: cr credentials [options]

Fetches a credential as a call would and tells whose it is; never the secret.

  --profile NAME  profile of the command line or section of the ini file,
                  instead of ALIBABA_CLOUD_PROFILE
  --why           what each provider of the default chain said
  --help          this text

The exit status is 3 when there is no credential.
]]

describe("cr credentials", function()
  it("tells whose credential signs", function()
    local output, errors, status = run("", FROM_KEY)
    assert.equal("provider       environment\n" ..
      "origin         ALIBABA_CLOUD_ACCESS_KEY_ID\n" ..
      "access key id  ****Full\n" ..
      "expires        never\n", output)
    assert.equal("", errors)
    assert.equal(0, status)
  end)

  it("tells when a session ends, and fetches it as a call would", function()
    local output, errors, status = run("", {
      ALIBABA_CLOUD_CREDENTIALS_URI = server.credentials_uri })
    local host = server.endpoint:match("//(.*)$")
    local log = server:log()
    assert.equal("", errors)
    assert.equal(0, status)
    local id, expires = output:match("^provider       credentials_uri\n" ..
      "origin         credentials URI at " .. host:gsub("%.", "%%.") .. "\n" ..
      "access key id  %*%*%*%*(%w%w%w%w)\n" ..
      "expires        (%d%d%d%d%-%d%d%-%d%dT%d%d:%d%d:%d%dZ)\n$")
    assert.truthy(id and expires, output)
    assert.equal(1, #log)
    assert.equal("CredentialsURI", log[1].operation)
  end)

  it("tells with --why what each provider said", function()
    local path = home:ini("[default]\ntype = access_key\naccess_key_id = LTAI-for-ini-file\n" ..
      "access_key_secret = not-a-real-one\n")
    local output, errors, status = run("--why")
    assert.equal(("provider       ini_profile\n" ..
      "origin         section default of %s, type access_key\n" ..
      "access key id  ****file\n" ..
      "expires        never\n" ..
      "\n" ..
      "environment     not configured  ALIBABA_CLOUD_ACCESS_KEY_ID and " ..
      "ALIBABA_CLOUD_ACCESS_KEY_SECRET are not set in the environment\n" ..
      "oidc_role_arn   not configured  ALIBABA_CLOUD_ROLE_ARN, " ..
      "ALIBABA_CLOUD_OIDC_PROVIDER_ARN and ALIBABA_CLOUD_OIDC_TOKEN_FILE are not set\n" ..
      "profile         not configured  %s/.aliyun/config.json: No such file or directory\n" ..
      "ini_profile     used            section default of %s, type access_key\n" ..
      "ecs_ram_role    not asked\n" ..
      "credentials_uri not asked\n"):format(path, home.folder, path), output)
    assert.equal("", errors)
    assert.equal(0, status)
  end)

  it("ends with 3 when there is none, and says why", function()
    local more = { ALIBABA_CLOUD_ECS_METADATA_DISABLED = "true" }
    local output, errors, status = run("", more)
    assert.equal("", output)
    assert.equal(("cr credentials: credentials: CredentialsUnavailable: no credentials: " ..
      "environment: ALIBABA_CLOUD_ACCESS_KEY_ID and ALIBABA_CLOUD_ACCESS_KEY_SECRET are not set " ..
      "in the environment; oidc_role_arn: ALIBABA_CLOUD_ROLE_ARN, " ..
      "ALIBABA_CLOUD_OIDC_PROVIDER_ARN and ALIBABA_CLOUD_OIDC_TOKEN_FILE are not set; profile: " ..
      "%s/.aliyun/config.json: No such file or directory; ini_profile: " ..
      "%s/.alibabacloud/credentials: No such file or directory; ecs_ram_role: " ..
      "ALIBABA_CLOUD_ECS_METADATA_DISABLED is true; credentials_uri: " ..
      "ALIBABA_CLOUD_CREDENTIALS_URI is not set. Configure one of these, or pass credentials to " ..
      "cr.new.\n"):format(home.folder, home.folder), errors)
    assert.equal(3, status)

    local _
    output, _, status = run("--why", more)
    assert.equal(3, status)
    assert.matches("^\nenvironment     not configured  ALIBABA_CLOUD_ACCESS_KEY_ID and ", output)
    assert.matches("\ncredentials_uri not configured  ALIBABA_CLOUD_CREDENTIALS_URI is not set\n$",
      output)
  end)

  it("names with --why the provider that failed", function()
    home:config "{"
    local output, errors, status = run("--why")
    assert.equal(3, status)
    assert.matches("\nprofile         failed          " .. home.folder:gsub("%p", "%%%0") ..
      "/%.aliyun/config%.json: no JSON object %(half written%?%)\nini_profile     not asked\n",
      output)
    assert.matches("; ini_profile: not asked, because profile is configured; ", errors, 1, true)
  end)

  it("takes a profile, of the command line's file or of the ini file", function()
    home:config { current = "a", profiles = { with({ name = "a" }, homes.LIMITED),
      with({ name = "my own" }, KEY) } }
    for _, arguments in ipairs { "--profile 'my own'", "'--profile=my own'",
      "--profile a --profile 'my own'" } do
      local output, errors, status = run(arguments, { ALIBABA_CLOUD_PROFILE = "a" })
      assert.equal(("provider       profile\n" ..
        "origin         profile my own of %s/.aliyun/config.json, mode AK\n" ..
        "access key id  ****Full\n" ..
        "expires        never\n"):format(home.folder), output)
      assert.equal("", errors)
      assert.equal(0, status)
    end
    home:ini "[b]\ntype = access_key\naccess_key_id = LTAI-of-b\naccess_key_secret = s\n"
    local output = run("--why --profile b")
    assert.matches("^provider       ini_profile\norigin         section b of ", output)
    assert.matches(home.folder .. '/.aliyun/config.json: profile "b" is not known; known are a, ' ..
      "my own\n", output, 1, true)
  end)

  it("prints its usage", function()
    for _, arguments in ipairs { "--help", "-h", "--why --help", "--help --profile x" } do
      local output, errors, status = run(arguments)
      assert.equal(USAGE, output)
      assert.equal("", errors)
      assert.equal(0, status)
    end
  end)

  it("ends with 2 after a wrong option, before anything is asked", function()
    for arguments, message in pairs {
      ["--wyh"] = "--wyh: no such option; cr credentials --help lists them",
      ["profile"] = "profile: no such option; cr credentials --help lists them",
      ["--why=yes"] = "--why=yes: no such option; cr credentials --help lists them",
      ["--why ''"] = ": no such option; cr credentials --help lists them",
      ["--profile"] = "--profile: a name expected",
      ["--profile="] = "--profile: a name expected",
      ["--profile ''"] = "--profile: a name expected",
      ["--profile 'a\nb'"] = "--profile: a name expected",
      ["--profile " .. ("x"):rep(9000)] = "--profile: a name expected",
      ["--why --profile a b"] = "b: no such option; cr credentials --help lists them",
    } do
      local output, errors, status = run(arguments, FROM_KEY)
      assert.equal("", output)
      assert.equal("cr credentials: " .. message .. "\n", errors)
      assert.equal(2, status)
    end
  end)

  it("warns on standard error", function()
    local path = home:config({ profiles = { with({ name = "default" }, KEY) } }, "644")
    local output, errors, status = run("")
    assert.matches("^provider       profile\n", output)
    assert.equal(("cr credentials: warning: %s can be read by others (mode 0644): chmod 600 it\n")
      :format(path), errors)
    assert.equal(0, status)
  end)

  it("shows no secret", function()
    local secret = "not-a-real-one"
    home:write("program", "#!/bin/sh\necho not-a-real-one; exit 1\n", "700")
    local profiles = {
      with({ name = "key" }, KEY), with({ name = "session", mode = "StsToken" }, homes.SESSION),
      { name = "half", access_key_secret = secret },
      { name = "line", access_key_id = "LTAI", access_key_secret = secret .. "\n" },
      { name = "swapped", access_key_id = secret .. " ", access_key_secret = secret },
      { name = "external", mode = "External",
        process_command = home.folder .. "/program " .. secret },
      { name = "uri", mode = "CredentialsURI", credentials_uri = server.endpoint .. "/" .. secret },
      { name = "sso", mode = "CloudSSO", cloud_sso_sign_in_url = server.endpoint,
        cloud_sso_account_id = "1", cloud_sso_access_config = "a", access_token = secret },
      { name = "oidc", mode = "OIDC", oidc_provider_arn = "acs:ram::1:oidc-provider/a",
        ram_role_arn = "acs:ram::1:role/a", oidc_token_file = home:write("token", secret) },
      with({ name = "role", mode = "RamRoleArn", ram_role_arn = "acs:ram::1:role/none" }, KEY),
    }
    home:config { profiles = profiles }
    for _, profile in ipairs(profiles) do
      local output, errors, status = run("--why --profile " .. profile.name, {
        CR_STS_ENDPOINT = server.sts_endpoint })
      assert.equal((profile.name == "key" or profile.name == "session") and 0 or 3, status,
        profile.name)
      assert.is_nil((output .. errors):find(secret, 1, true), output .. errors)
      assert.is_nil((output .. errors):find("LTAI5tEmulator", 1, true))
    end
  end)

  it("is listed by cr help", function()
    assert.matches("credentials  tell whose credential signs; cr credentials --why tells why",
      child.shell(BIN .. " help"), 1, true)
  end)
end)

describe("client:credentials()", function()
  local SESSION = { type = "sts", access_key_id = "STS.session-1234",
    access_key_secret = "hunter2-secret", security_token = "hunter2-token" }

  it("tells of fixed credentials", function()
    for declared, origin in pairs {
      [recorder.KEY] = "an access key given to the client",
      [SESSION] = "a session given to the client",
    } do
      local client, transport = recorder.client(nil, { credentials = declared })
      local told, err = client:credentials()
      assert.is_nil(err)
      assert.same({
        provider = declared.type, origin = origin, warnings = {},
        access_key_id = "****" .. declared.access_key_id:sub(-4),
      }, told)
      assert.is_false(fixture.shows(told, "hunter2"))
      assert.same({}, transport.requests)
    end
  end)

  it("shows of an id at most its last four characters", function()
    for id, shown in pairs { ["LTAI56789"] = "****6789", ["LTAI5678"] = "****", ["x"] = "****" } do
      local client = recorder.client(nil, { credentials = {
        type = "access_key", access_key_id = id, access_key_secret = "s" } })
      assert.equal(shown, client:credentials().access_key_id)
    end
  end)

  it("tells of a function and of the environment", function()
    local client = recorder.client(nil, { credentials = function() return SESSION end })
    local told = assert(client:credentials())
    assert.equal("function", told.provider)
    assert.equal("a session given to the client", told.origin)
    home:enter(FROM_KEY)
    client = recorder.client(nil, { credentials = { type = "environment" } })
    assert.same({ provider = "environment", origin = "ALIBABA_CLOUD_ACCESS_KEY_ID",
      access_key_id = "****Full", warnings = {} }, client:credentials())
  end)

  it("takes options for this call only", function()
    local client = recorder.client()
    assert.equal("sts", assert(client:credentials { credentials = SESSION }).provider)
    assert.equal("access_key", assert(client:credentials()).provider)
    assert.equal("access_key", assert(client:credentials {}).provider)
  end)

  it("says in an error what there is to say", function()
    home:enter()
    local client, transport = recorder.client(nil, { credentials = { type = "profile" } })
    local told, err = client:credentials()
    assert.is_nil(told)
    assert.equal("credentials", err.kind)
    assert.equal("CredentialsUnavailable", err.code)
    assert.equal("credentials", err.operation)
    assert.is_nil(err.chain)
    assert.equal(("credentials: CredentialsUnavailable: %s/.aliyun/config.json: No such file or " ..
      "directory."):format(home.folder), tostring(err))
    assert.same({}, transport.requests)
  end)

  it("hears of a transport that has no time", function()
    local told, err = cr.new({ credentials = recorder.KEY, transport = {
      exchange = print, now = function() return "noon" end } }):credentials()
    assert.is_nil(told)
    assert.equal("credentials: BadTransport: the transport's now() returned no number.",
      tostring(err))
  end)

  it("raises for misuse, at the caller's line", function()
    local client = recorder.client()
    local here = debug.getinfo(1, "S").short_src
    for message, misuse in pairs {
      ["credentials: the options must be a table, got a string"] = function()
        client:credentials "default"
      end,
      ["options: unknown key credential; did you mean credentials?"] = function()
        client:credentials { credential = {} }
      end,
      ["options: credentials of type sts: access_key_id must be a non-empty string, got nothing"] =
        function()
          client:credentials { credentials = { type = "sts" } }
        end,
      ["not a client: call methods as client:method(…)"] = function()
        client.credentials()
      end,
      ["not a client: call methods as client:method(…) "] = function()
        client.close {}
      end,
      ["credentials: the options must be a table, got a number"] = function()
        cr.credentials(5)
      end,
      ["options: timeout must be a number of seconds above 0, at most 86400, got a string"] =
        function()
          cr.credentials { timeout = "1" }
        end,
    } do
      local ok, raised = pcall(misuse)
      assert.is_false(ok)
      local file, text = raised:match("^(.-):%d+: (.*)$")
      assert.equal(here, file, raised)
      assert.equal((message:gsub(" $", "")), text)
    end
  end)
end)

describe("cr.credentials()", function()
  it("tells of the default client", function()
    local output = child.lua([[
      local cr = require "cr"
      local told = cr.credentials()
      io.write(told.provider, " ", told.access_key_id, " ", #told.chain, " ")
      told = cr.credentials { credentials = { type = "access_key", access_key_id = "LTAI-another",
        access_key_secret = "s" } }
      io.write(told.provider, " ", told.access_key_id, " ", tostring(told.chain))
    ]], with(UNSET, home:variables(FROM_KEY)))
    assert.equal("environment ****Full 6 access_key ****ther nil", output)
  end)
end)
