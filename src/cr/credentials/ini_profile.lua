--- A section of the vendor SDKs' credentials file: {type = "ini_profile", profile = …, file = …}.
--
-- The file is `file`, ALIBABA_CLOUD_CREDENTIALS_FILE or ~/.alibabacloud/credentials; the section is
-- `profile`, ALIBABA_CLOUD_PROFILE or "default". The file is read anew at every refresh.

local file = require "cr.credentials.file"
local ini = require "cr.credentials.ini"
local mapped = require "cr.credentials.mapped"
local profiles = require "cr.credentials.profiles"
local variable = require "cr.credentials.variable"

local KEY = {
  type = "access_key",
  keys = { access_key_id = "access_key_id!", access_key_secret = "access_key_secret!" },
}

local TYPES = {
  access_key = KEY,
  ecs_ram_role = { type = "ecs_ram_role", keys = { role_name = "role_name" } },
  ram_role_arn = { type = "ram_role_arn", source = KEY, keys = {
    role_arn = "role_arn!", role_session_name = "role_session_name!", policy = "policy",
  } },
}

--- @return declared credentials, or nil and the reason
local function declare(section, checks)
  local kind = section.type
  if kind == nil or kind == "" then
    return nil, "type is missing"
  end
  local map = TYPES[kind]
  if not map then
    return nil, mapped.unknown("type", kind, mapped.names(TYPES))
  end
  local declared, reason = mapped.declare(map, section, checks(map.type))
  if declared and map.source then
    declared.source, reason = mapped.declare(map.source, section)
    declared = declared.source and declared
  end
  return declared, reason
end

--- Not configured (the third result) without the file, and without the section in it.
local function find_declared(ask, given, checks)
  local path, reason = given.file or variable.text "ALIBABA_CLOUD_CREDENTIALS_FILE", nil
  if not path then
    path, reason = file.in_home ".alibabacloud/credentials"
  end
  if not path then
    return nil, reason, true
  end
  local text, is_missing
  text, reason, is_missing = file.read_private(ask, path)
  if not text then
    return nil, reason, is_missing
  end
  local sections, names = ini.parse(text)
  if not sections then
    return nil, ("%s: %s"):format(path, names)
  end
  local name = given.profile or variable.text "ALIBABA_CLOUD_PROFILE" or "default"
  if not sections[name] then
    return nil, ("%s: %s"):format(path, #names == 0 and "no [section] in it" or
      mapped.unknown("section", name, names)), true
  end
  local declared
  declared, reason = declare(sections[name], checks)
  if not declared then
    return nil, ("%s: section %s: %s"):format(path, name, reason)
  end
  return declared, ("section %s of %s, type %s"):format(name, path, sections[name].type)
end

return profiles.provider(find_declared)
