--- An address that hands out the credential of a role, in the form of the metadata server.

local failure = require "cr.emulator.failure"
local respond = require "cr.emulator.respond"
local sessions = require "cr.emulator.sessions"

local credentials_uri = {}

local SECONDS = 3600

function credentials_uri.prepare(request)
  request.is_unsigned = true
  request.operation = "CredentialsURI"
  if request.method ~= "GET" then
    return failure.gateway(405, "UnsupportedHTTPMethod", "This http method is not supported.")
  end
end

function credentials_uri.perform(registry)
  local role = registry.credentials_uri.role
  if not role then
    return nil, failure.gateway(404, "EntityNotExist.Role", "No role is handed out here.")
  end
  return respond.document(sessions.document(sessions.open(registry, role, {
    name = "credentials-uri", seconds = SECONDS,
  })))
end

return credentials_uri
