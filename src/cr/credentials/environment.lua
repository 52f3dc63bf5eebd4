--- The environment, read at each attempt: ALIBABA_CLOUD_ACCESS_KEY_ID,
-- ALIBABA_CLOUD_ACCESS_KEY_SECRET and, for a session, ALIBABA_CLOUD_SECURITY_TOKEN.

local check = require "cr.credentials.check"
local unavailable = require "cr.credentials.unavailable"
local variable = require "cr.credentials.variable"

local ID = "ALIBABA_CLOUD_ACCESS_KEY_ID"
local SECRET = "ALIBABA_CLOUD_ACCESS_KEY_SECRET"
local TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"

--- Not configured (the third result) while one of the two variables is missing.
local function get()
  local id, secret = variable.text(ID), variable.text(SECRET)
  if not id or not secret then
    return nil, unavailable(variable.missing { ID, SECRET } .. " not set in the environment", {
      hint = 'set them, or pass credentials = {type = "access_key", …} to cr.new',
    }), true
  end
  local credential = {
    access_key_id = id, access_key_secret = secret, security_token = variable.text(TOKEN),
    origin = ID,
  }
  local problem = check.credential_problem(credential)
  if problem then
    return nil, unavailable("in the environment: " .. problem)
  end
  return credential
end

return {
  new = function()
    return {
      get = get,
      --- A session that was refused is worth another attempt when there is another one by now.
      refuse = function(refused)
        local current = get()
        return current ~= nil and current.security_token ~= refused.security_token
      end,
    }
  end,
}
