--- No secret where people, logs and dumps look: for every provider, when it works and when the
-- other side quotes in an error everything it was sent.

local child = require "spec.support.child"
local cjson = require "cjson"
local cr = require "cr"
local curl = require "cr.transport.curl"
local emulator = require "spec.support.emulator"
local environment = require "spec.support.environment"

local TAG = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
local ROLE = "acs:ram::1000000000000001:role/reader"
local OIDC_PROVIDER = "acs:ram::1000000000000001:oidc-provider/emulator"
local OIDC_TOKEN, ACCESS_TOKEN = "emulator-oidc-token-1", "emulator-sso-access-token"

-- `signing` are the secrets of the credential that signs last.
local server, folder, secrets, signing, seen

local function note(secret)
  if type(secret) == "string" and #secret >= 6 then
    secrets[secret] = true
  end
end

--- What an answer hands out, at any depth.
local function note_answer(value)
  for name, field in pairs(type(value) == "table" and value or {}) do
    if name == "AccessKeySecret" or name == "SecurityToken" then
      note(field)
      signing[name] = field
    end
    note_answer(field)
  end
end

--- A transport that notes the secrets which pass.
local function noting()
  local handle = curl()
  return {
    exchange = function(request)
      for name, value in pairs(request.headers) do
        if name:find "token" and name:find "^x%-a" and not name:find "ttl" then
          note(value)
        end
      end
      local response, failure = handle.exchange(request)
      if response then
        note_answer(require("cjson.safe").decode(response.body))
        if request.url:find "/latest/api/token" then
          note(response.body)
        end
      end
      return response, failure
    end,
    sleep = function() end, now = handle.now, close = handle.close,
  }
end

local function check_text(text, place)
  local plain = text:gsub("%%2B", "+"):gsub("%%2F", "/"):gsub("%%3D", "=")
  for secret in pairs(secrets) do
    if text:find(secret, 1, true) or plain:find(secret, 1, true) then
      error(("a secret at %s: %s"):format(place, text), 0)
    end
  end
end

--- As a printer of tables goes: fields, names of fields, metatables, what tostring says.
local function walk(value, place, visited)
  visited = visited or {}
  if type(value) == "string" then
    check_text(value, place)
  elseif value ~= nil and type(value) ~= "function" then
    check_text(tostring(value), place)
  end
  if type(value) ~= "table" or visited[value] then
    return
  end
  visited[value] = true
  for name, field in next, value do
    walk(name, place .. "[]", visited)
    walk(field, place .. "." .. tostring(name), visited)
  end
  walk(debug.getmetatable(value), place .. "^", visited)
end

local function walk_everything(client, ...)
  walk(client, "client")
  for index = 1, select("#", ...) do
    walk((select(index, ...)), "result " .. index)
  end
  walk(seen, "events")
  for name, module in pairs(package.loaded) do
    if name == "cr" or name:find "^cr%." then
      walk(module, name)
    end
  end
end

setup(function()
  server, folder = emulator.start(), child.new_folder()
  child.write(folder .. "/token", OIDC_TOKEN .. "\n")
end)

teardown(function()
  server:stop()
  child.remove_folder(folder)
end)

before_each(function()
  server:reset()
  secrets, signing, seen = {}, { AccessKeySecret = server.access_key_secret }, {}
  note(server.access_key_secret)
  note(OIDC_TOKEN)
  note(ACCESS_TOKEN)
end)

after_each(environment.restore)

local function key()
  return {
    type = "access_key", access_key_id = server.access_key_id,
    access_key_secret = server.access_key_secret,
  }
end

local function command()
  return ([[printf '{"mode":"AK","access_key_id":"%s","access_key_secret":"%s"}']])
    :format(server.access_key_id, server.access_key_secret)
end

--- A file that only we can read, and its path.
local function private_file(name, text)
  local path = folder .. "/" .. name
  child.write(path, text)
  os.execute("chmod 600 " .. child.quote(path))
  return path
end

local function config_file()
  local profiles = {
    { name = "AK", mode = "AK" },
    { name = "RamRoleArn", mode = "RamRoleArn", ram_role_arn = ROLE, ram_session_name = "spec" },
    { name = "CloudSSO", mode = "CloudSSO", cloud_sso_sign_in_url = server.endpoint,
      cloud_sso_account_id = "1000000000000001", cloud_sso_access_config = "ac-emulator",
      access_token = ACCESS_TOKEN, cloud_sso_access_token_expire = 4102444800 },
    { name = "External", mode = "External", process_command = command() },
  }
  for _, profile in ipairs(profiles) do
    profile.access_key_id = server.access_key_id
    profile.access_key_secret = server.access_key_secret
  end
  return private_file("config.json", cjson.encode { current = "AK", profiles = profiles })
end

-- By name: the declaration, and the operation that a fault makes quote what it was sent.
local PROVIDERS = {
  access_key = { key },
  sts = { function()
    local token = "EmulatorSecurityToken-not-a-real-one"
    local secret = "EmulatorSecretSession-not-a-real-one"
    note_answer { AccessKeySecret = secret, SecurityToken = token }
    return {
      type = "sts", access_key_id = "STS.NTEmulatorSession", security_token = token,
      access_key_secret = secret,
    }
  end },
  ["function"] = { function() return key end },
  ram_role_arn = { function()
    return {
      type = "ram_role_arn", role_arn = ROLE, sts_endpoint = server.endpoint, source = key(),
    }
  end, "AssumeRole" },
  ["ram_role_arn over a session"] = { function()
    return {
      type = "ram_role_arn", sts_endpoint = server.endpoint, signature = "v1",
      role_arn = "acs:ram::1000000000000001:role/chained", source = {
        type = "ram_role_arn", role_arn = ROLE, sts_endpoint = server.endpoint, source = key(),
      },
    }
  end, "AssumeRole" },
  oidc_role_arn = { function()
    return {
      type = "oidc_role_arn", role_arn = ROLE, oidc_provider_arn = OIDC_PROVIDER,
      oidc_token_file_path = folder .. "/token", sts_endpoint = server.endpoint,
    }
  end, "AssumeRoleWithOIDC" },
  ecs_ram_role = { function()
    return { type = "ecs_ram_role", metadata_endpoint = server.endpoint }
  end, "MetadataCredentials" },
  credentials_uri = { function()
    return { type = "credentials_uri", credentials_uri = server.credentials_uri }
  end, "CredentialsURI" },
  cloud_sso = { function()
    return {
      type = "cloud_sso", sign_in_url = server.endpoint, account_id = "1000000000000001",
      access_config = "ac-emulator", access_token = ACCESS_TOKEN,
    }
  end, "CloudSSO" },
  external = { function()
    return { type = "external", process_command = command() }
  end },
  ini_profile = { function()
    return { type = "ini_profile", sts_endpoint = server.endpoint, file = private_file("ini",
      ("[default]\ntype=ram_role_arn\naccess_key_id=%s\naccess_key_secret=%s\nrole_arn=%s\n" ..
      "role_session_name=spec\n"):format(server.access_key_id, server.access_key_secret, ROLE)) }
  end, "AssumeRole" },
  default = { function()
    environment.set {
      ALIBABA_CLOUD_ACCESS_KEY_ID = server.access_key_id,
      ALIBABA_CLOUD_ACCESS_KEY_SECRET = server.access_key_secret,
    }
    return { type = "default" }
  end },
}
for mode, operation in pairs { AK = false, RamRoleArn = "AssumeRole", CloudSSO = "CloudSSO",
  External = false } do
  PROVIDERS["profile, mode " .. mode] = { function()
    return {
      type = "profile", profile = mode, file = config_file(), sts_endpoint = server.endpoint,
    }
  end, operation }
end

local function new_client(declared)
  return cr.new {
    endpoint = server.endpoint, credentials = declared, transport = noting(),
    on_attempt = function(event)
      seen[#seen + 1] = event
    end,
  }
end

local function count_secrets()
  local found = 0
  for _ in pairs(secrets) do
    found = found + 1
  end
  return found
end

for name, provider in pairs(PROVIDERS) do
  describe("no secret of " .. name, function()
    it("is in a client, its answers, events and modules", function()
      local client = new_client(provider[1]())
      local tag, err, info = client:get_repo_tag(TAG)
      assert.equal("1.0", tag and tag.Tag, tostring(err))
      local known = assert(client:credentials())
      walk_everything(client, tag, info, known)
      -- Otherwise nothing was looked for: a session has a secret and a token of its own.
      assert.is_true(count_secrets() >= (provider[2] and 5 or 3))
    end)

    it("is in an error of the registry that quotes it", function()
      local client = new_client(provider[1]())
      assert(client:get_repo_tag(TAG))
      local quoted = {}
      for _, secret in pairs(signing) do
        quoted[#quoted + 1] = secret
      end
      server:fault { operation = "GetRepoTag", status = 403, body = cjson.encode {
        Code = "NoPermission", Message = "you sent " .. table.concat(quoted, " and "),
        AccessDeniedDetail = { AuthAction = table.concat(quoted, "/") },
      } }
      local _, err = client:get_repo_tag(TAG)
      assert.equal("NoPermission", err.code)
      walk_everything(client, err)
    end)

    if provider[2] then
      it("is in an error of the other side that quotes it", function()
        local client = new_client(provider[1]())
        local sent = { server.access_key_secret, OIDC_TOKEN, ACCESS_TOKEN }
        local signs = name:find "ram_role_arn" or name:find "RamRoleArn" or name == "ini_profile"
        if not signs then
          table.remove(sent, 1)
        end
        if name ~= "oidc_role_arn" then
          table.remove(sent, #sent - 1)
        end
        if not name:find "cloud_sso" and not name:find "CloudSSO" then
          table.remove(sent)
        end
        server:fault { operation = provider[2], status = 400, count = 0, body = cjson.encode {
          Code = "Refused", Message = "you sent " .. table.concat(sent, " and "),
          Recommend = table.concat(sent), RequestId = "R" .. table.concat(sent),
          AccessDeniedDetail = { AuthAction = table.concat(sent) },
        } }
        local _, err = client:get_repo_tag(TAG)
        assert.equal("CredentialsUnavailable", err.code)
        if name ~= "ecs_ram_role" then -- which tells the status only
          assert.matches("Refused %(HTTP 400%): you sent", err.message)
        end
        local _, why = client:credentials()
        walk_everything(client, err, why)
      end)

      it("is in an error about an answer that is broken", function()
        local half = '{"Credentials":{"AccessKeySecret":"' .. server.access_key_secret
        for _, fault in ipairs { { truncate = 200 }, { body = half } } do
          local client = new_client(provider[1]())
          fault.operation = provider[2]
          fault.count = 3
          server:fault(fault)
          local _, err = client:get_repo_tag(TAG)
          assert.equal("CredentialsUnavailable", err.code)
          walk_everything(client, err)
          server:clear_faults()
        end
      end)
    end
  end)
end

describe("the walk", function()
  it("finds a secret in a field, a name, a metatable and behind tostring", function()
    note "needle-in-a-haystack"
    for _, value in ipairs {
      { { deep = "a needle-in-a-haystack" } }, { ["needle-in-a-haystack"] = 1 },
      setmetatable({}, { hidden = "needle-in-a-haystack" }),
      setmetatable({}, { __tostring = function() return "needle-in-a-haystack" end }),
    } do
      assert.has_error(function() walk(value, "x") end)
    end
  end)
end)
