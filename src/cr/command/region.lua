--- The region of a profile, so that a line that was written for the vendor's command line finds its
-- region where that does: in the profile, when neither the line nor the environment names one.

local file = require "cr.credentials.file"
local variable = require "cr.credentials.variable"

local function profile_of(configuration, name)
  local profiles = type(configuration.profiles) == "table" and configuration.profiles or {}
  for _, profile in ipairs(profiles) do
    if type(profile) == "table" and profile.name == name then
      return profile
    end
  end
end

-- @tparam ?string given name of the profile
-- @treturn ?string region id
return function(given)
  if variable.flag "ALIBABA_CLOUD_CLI_PROFILE_DISABLED" then
    return nil
  end
  local path = variable.text "ALIBABA_CLOUD_CONFIG_FILE" or file.in_home ".aliyun/config.json"
  local text = path and file.read_private({}, path)
  local configuration = text and require("cr.json").decode_object(text)
  if not configuration then
    return nil
  end
  local current = type(configuration.current) == "string" and configuration.current or ""
  local profile = profile_of(configuration, given or variable.text "ALIBABA_CLOUD_PROFILE" or
    (current ~= "" and current or "default"))
  local region = profile and profile.region_id
  return type(region) == "string" and region:find("^[%w-]+$") and region or nil
end
