--- A profile of the vendor's command line: {type = "profile", profile = …, file = …}.
--
-- The file is `file`, ALIBABA_CLOUD_CONFIG_FILE or ~/.aliyun/config.json; the profile is `profile`,
-- ALIBABA_CLOUD_PROFILE or the one the file calls current. Its mode says where the credential comes
-- from. The file is read anew at every refresh, so that a key which was exchanged in it is used.

local file = require "cr.credentials.file"
local json = require "cr.json"
local mapped = require "cr.credentials.mapped"
local overlay = require "cr.overlay"
local profiles = require "cr.credentials.profiles"
local variable = require "cr.credentials.variable"

local KEY = { access_key_id = "access_key_id!", access_key_secret = "access_key_secret!" }
local SESSION = overlay(KEY, { security_token = "sts_token!" })
local ROLE = {
  role_arn = "ram_role_arn!", role_session_name = "ram_session_name",
  role_session_expiration = "expired_seconds", policy = "policy", sts_region = "sts_region",
  enable_vpc = "enable_vpc",
}
local ROLE_OF_SOURCE = overlay(ROLE, { external_id = "external_id" })

-- `source` tells where the credential comes from that a role is assumed with.
local MODES = {
  AK = { type = "access_key", keys = KEY },
  StsToken = { type = "sts", keys = SESSION },
  RamRoleArn = { type = "ram_role_arn", keys = ROLE_OF_SOURCE, source = "key" },
  ChainableRamRoleArn = { type = "ram_role_arn", keys = ROLE_OF_SOURCE, source = "profile" },
  EcsRamRole = { type = "ecs_ram_role", keys = { role_name = "ram_role_name" } },
  OIDC = { type = "oidc_role_arn", keys = overlay(ROLE, {
    oidc_provider_arn = "oidc_provider_arn!", oidc_token_file_path = "oidc_token_file!",
  }) },
  CloudSSO = { type = "cloud_sso", keys = {
    sign_in_url = "cloud_sso_sign_in_url!", account_id = "cloud_sso_account_id!",
    access_config = "cloud_sso_access_config!", access_token = "access_token!",
    access_token_expires = "cloud_sso_access_token_expire",
  } },
  External = { type = "external", keys = { process_command = "process_command!" } },
  CredentialsURI = { type = "credentials_uri", keys = { credentials_uri = "credentials_uri!" } },
}

local function find(configuration, name)
  for _, profile in ipairs(configuration.profiles) do
    if profile.name == name then
      return profile
    end
  end
end

local function names_of(configuration)
  local names = {}
  for _, profile in ipairs(configuration.profiles) do
    if type(profile.name) == "string" then
      names[#names + 1] = profile.name
    end
  end
  return names
end

local MAX_SOURCES = 16 -- of one profile, one behind the other

local declare

--- The declared credentials that a role of a profile is assumed with.
local function source_of(configuration, profile, map, checks, trail)
  if map.source == "key" then
    local has_no_token = mapped.is_blank({ keys = { "sts_token!" } }, profile)
    return mapped.declare(has_no_token and MODES.AK or MODES.StsToken, profile)
  end
  local name = profile.source_profile
  if type(name) ~= "string" or name == "" then
    return nil, "source_profile is missing"
  elseif not find(configuration, name) then
    return nil, mapped.unknown("source_profile", name, names_of(configuration))
  end
  trail = trail .. " -> " .. name
  if (trail .. " "):find(" -> " .. name .. " -> ", 1, true) then
    return nil, "profile cycle:" .. trail:gsub("^ %->", "")
  end
  local _, count = trail:gsub(" %-> ", "")
  if count > MAX_SOURCES + 1 then
    return nil, ("more than %d profiles are each other's source"):format(MAX_SOURCES)
  end
  return declare(configuration, name, checks, trail)
end

--- @param trail the names on the way here, " -> a -> b"
-- @return declared credentials, mode
-- @return nil, reason, whether the profile is not there or was never filled in
function declare(configuration, name, checks, trail)
  local profile = find(configuration, name)
  if not profile then
    local names = names_of(configuration)
    return nil, #names == 0 and "no profile in it" or mapped.unknown("profile", name, names), true
  end
  local mode = mapped.given(profile.mode) or "AK"
  if type(mode) ~= "string" then
    return nil, ("profile %s: mode must be a string"):format(name)
  end
  local map = MODES[mode]
  if not map then
    return nil, ("profile %s: %s"):format(name, mapped.unknown("mode", mode, mapped.names(MODES)))
  end
  local declared, reason = mapped.declare(map, profile, checks(map.type))
  if declared and map.source then
    declared.source, reason = source_of(configuration, profile, map, checks, trail)
    declared = declared.source and declared
  end
  if not declared then
    reason = reason:find("^profile ") and reason or
      ("profile %s (mode %s): %s"):format(name, mode, reason)
    return nil, reason, mode == "AK" and mapped.is_blank(map, profile)
  end
  return declared, mode
end

--- @return the file's content: `current`, `profiles`
-- @return nil, reason, whether there is no such file
local function read(ask, path)
  local text, reason, is_missing = file.read_private(ask, path)
  if not text then
    return nil, reason, is_missing
  end
  local configuration = json.decode_object(text)
  if not configuration then
    return nil, path .. ": no JSON object (half written?)"
  elseif type(configuration.profiles) ~= "table" then
    return nil, path .. ": profiles is missing or no array"
  end
  for index, profile in ipairs(configuration.profiles) do
    if type(profile) ~= "table" then
      return nil, ("%s: profiles[%d] is no object"):format(path, index)
    end
  end
  return configuration
end

--- Not configured (the third result) without the file, and without the profile in it.
local function find_declared(ask, given, checks)
  local path, reason = given.file or variable.text "ALIBABA_CLOUD_CONFIG_FILE", nil
  if not path then
    path, reason = file.in_home ".aliyun/config.json"
  end
  local configuration, is_absent
  if path then
    configuration, reason, is_absent = read(ask, path)
  end
  if not configuration then
    return nil, reason, is_absent or not path
  end
  local current = type(configuration.current) == "string" and configuration.current or ""
  local name = given.profile or variable.text "ALIBABA_CLOUD_PROFILE" or
    (current ~= "" and current or "default")
  local declared, mode
  declared, mode, is_absent = declare(configuration, name, checks, " -> " .. name)
  if not declared then
    return nil, path .. ": " .. mode, is_absent
  end
  return declared, ("profile %s of %s, mode %s"):format(name, path, mode)
end

return profiles.provider(find_declared)
