--- A session for a user who signed in to CloudSSO with the vendor's command line, which leaves an
-- access token in its profile: {type = "cloud_sso", sign_in_url =, account_id =, access_config =,
-- access_token =}. The token itself is not renewed here: that takes a browser.

local check = require "cr.credentials.check"
local json = require "cr.json"
local remote = require "cr.credentials.remote"
local unavailable = require "cr.credentials.unavailable"

local SIGN_IN_AGAIN = "sign in again: aliyun configure --mode CloudSSO"

local function is_expired(ask, declared)
  local expires = declared.access_token_expires
  return expires ~= nil and expires > 0 and ask.time >= expires
end

local function fetch(ask, declared)
  if is_expired(ask, declared) then
    return nil, unavailable("the CloudSSO access token has expired", { hint = SIGN_IN_AGAIN })
  end
  local origin = declared.sign_in_url:match("^(%a[%w+.-]*://[^/?#]+)")
  if not origin then
    return nil, unavailable("the CloudSSO sign-in URL is no URL like https://signin-cn-…")
  end
  local endpoint, err = remote.endpoint(ask, "sign_in_url", origin)
  if not endpoint then
    return nil, err
  end
  local request = remote.limit({
    what = "CloudSSO at " .. endpoint.host, method = "POST", endpoint = endpoint,
    url = endpoint.origin .. "/cloud-credentials",
    headers = {
      host = endpoint.host, accept = "application/json", ["content-type"] = "application/json",
      ["user-agent"] = ask.settings.user_agent,
      authorization = "Bearer " .. declared.access_token,
    },
    body = json.encode {
      AccountId = declared.account_id, AccessConfigurationId = declared.access_config,
    },
    secrets = { declared.access_token },
  }, declared)
  local response
  response, err = remote.send(ask, request)
  if not response then
    return nil, err
  end
  local object, session
  object, err = remote.read(request, response)
  if not object then
    err.hint = response.status == 401 and SIGN_IN_AGAIN or nil
    return nil, err
  end
  session, err = remote.session(request.what, object.CloudCredential)
  if session then
    session.origin = ("CloudSSO account %s, configuration %s"):format(declared.account_id,
      declared.access_config)
  end
  return session, err
end

return {
  fields = {
    sign_in_url = check.line,
    account_id = check.line,
    access_config = check.line,
    access_token = check.line,
    access_token_expires = function(value)
      return type(value) == "number", "seconds since the epoch"
    end,
    timeout = check.seconds,
    connect_timeout = check.seconds,
  },
  required = { "sign_in_url", "account_id", "access_config", "access_token" },

  fetch = fetch,
}
