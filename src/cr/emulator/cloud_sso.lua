--- CloudSSO: the access token of somebody who signed in, for the credential of a role.

local cjson = require "cjson.safe"
local crypto = require "cr.emulator.crypto"
local failure = require "cr.emulator.failure"
local respond = require "cr.emulator.respond"
local sessions = require "cr.emulator.sessions"

local cloud_sso = {}

local SECONDS = 3600

local NAMES = { "AccountId", "AccessConfigurationId" }

function cloud_sso.prepare(request)
  request.is_unsigned = true
  request.style = "cloud_sso"
  request.operation = "CloudSSO"
  -- The body is JSON, whatever its content type says; the log shows what it asks for.
  local given = cjson.decode(request.body)
  request.is_readable = type(given) == "table"
  request.parameters = {}
  for _, name in ipairs(request.is_readable and NAMES or {}) do
    request.parameters[name] = type(given[name]) == "string" and given[name] or nil
  end
  if request.method ~= "POST" then
    return failure.gateway(405, "UnsupportedHTTPMethod", "This http method is not supported.")
  end
end

local function check_body(request)
  if not request.is_readable then
    return failure.gateway(400, "InvalidParameter", "The body must be a JSON object.")
  end
  for _, name in ipairs(NAMES) do
    if not request.parameters[name] then
      return failure.missing_parameter(name)
    end
  end
end

function cloud_sso.perform(registry, request)
  local settings = registry.cloud_sso
  local token = (request.headers.authorization or ""):match("^[Bb]earer +(%S+)$")
  if not token or not crypto.equal(token, settings.access_token) then
    return nil, failure.gateway(401, "InvalidAccessToken", "The access token is not valid.")
  end
  local given, wrong = request.parameters, check_body(request)
  if wrong then
    return nil, wrong
  elseif given.AccountId ~= settings.account_id then
    return nil, failure.gateway(404, "EntityNotExists.Account", "There is no such account.")
  elseif given.AccessConfigurationId ~= settings.access_configuration_id or not settings.role then
    return nil, failure.gateway(404, "EntityNotExists.AccessConfiguration",
      "There is no such access configuration.")
  end
  local session = sessions.open(registry, settings.role, { name = "cloud-sso", seconds = SECONDS })
  return respond.plain { CloudCredential = sessions.fields(session) }
end

return cloud_sso
