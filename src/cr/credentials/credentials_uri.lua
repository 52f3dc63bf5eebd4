--- A local service that hands out sessions: {type = "credentials_uri", credentials_uri = …}, or
-- ALIBABA_CLOUD_CREDENTIALS_URI. It answers a GET with the JSON of the ECS metadata server.

local check = require "cr.credentials.check"
local remote = require "cr.credentials.remote"
local unavailable = require "cr.credentials.unavailable"
local variable = require "cr.credentials.variable"

local VARIABLE = "ALIBABA_CLOUD_CREDENTIALS_URI"

local function fetch(ask, declared)
  local uri = declared.credentials_uri or variable.text(VARIABLE)
  if not uri then
    return nil, unavailable("credentials_uri is not given, and " .. VARIABLE .. " not set")
  end
  local origin, path = uri:match("^(%a[%w+.-]*://[^/?#]+)([^#]*)")
  if not origin or uri:find("[%c ]") then
    return nil, unavailable("the credentials URI is no URL like http://127.0.0.1:8080/path")
  end
  local endpoint, err = remote.endpoint(ask, "credentials_uri", origin)
  if not endpoint then
    return nil, err
  end
  local request = remote.limit({
    -- The path is not shown: it may hold a key.
    what = "credentials URI at " .. endpoint.host, method = "GET", endpoint = endpoint,
    url = endpoint.origin .. (path:find("^/") and path or "/" .. path),
    headers = {
      host = endpoint.host, accept = "application/json", ["user-agent"] = ask.settings.user_agent,
    },
    secrets = { path, path:match("%?(.*)$") }, -- an answer may quote them
  }, declared)
  local response
  response, err = remote.send(ask, request)
  if not response then
    return nil, err
  end
  local fields, session
  fields, err = remote.read(request, response)
  if not fields then
    return nil, err
  end
  session, err = remote.session(request.what, fields)
  if session then
    session.origin = request.what
  end
  return session, err
end

return {
  fields = {
    credentials_uri = check.line,
    timeout = check.seconds,
    connect_timeout = check.seconds,
  },

  fetch = fetch,
}
