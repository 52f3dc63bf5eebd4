--- The environment, read at each call: ALIBABA_CLOUD_ACCESS_KEY_ID,
-- ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for a session, ALIBABA_CLOUD_SECURITY_TOKEN.

local ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
local SECRET = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
local TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"

local function read(variable)
  local value = os.getenv(variable)
  return value ~= "" and value or nil
end

local function get()
  local credentials = require "cr.credentials"
  local id, secret, token = read(ID), read(SECRET), read(TOKEN)
  if not id or not secret then
    local missing = not id and not secret and ID .. " and " .. SECRET .. " are" or
      (id and SECRET or ID) .. " is"
    return nil, credentials.unavailable(missing .. " not set in the environment",
      'set them, or pass credentials = {type = "access_key", …} to cr.new')
  end
  local problem = credentials.field_problem("access_key_id", id) or
    credentials.field_problem("access_key_secret", secret) or
    (token and credentials.field_problem("security_token", token))
  if problem then
    return nil, credentials.unavailable("in the environment: " .. problem)
  end
  return { access_key_id = id, access_key_secret = secret, security_token = token }
end

return function()
  return { name = "environment", get = get }
end
