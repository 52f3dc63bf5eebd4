--- The metadata server of an ECS instance, as far as it hands out the credential of its role.
--
-- A token comes first, by PUT, and is sent with what follows; without one it works as long as the
-- fixture does not demand one. As on a real instance, the same credential is handed out until it is
-- near its end, and requests that came through a proxy are refused.

local clock = require "cr.emulator.clock"
local crypto = require "cr.emulator.crypto"
local failure = require "cr.emulator.failure"
local respond = require "cr.emulator.respond"
local sessions = require "cr.emulator.sessions"

local metadata = {}

metadata.ROOT = "/latest/"

local TOKEN = "/latest/api/token"
local CREDENTIALS = "/latest/meta-data/ram/security-credentials/"
local TOKEN_HEADER = "x-aliyun-ecs-metadata-token"
local MAX_TTL = 21600 -- seconds
local MAX_TOKENS = 1000
local SESSION_NAME = "i-emulator"

--- The operation's name and its method, or nil.
local function operation_of(path)
  if path == TOKEN then
    return "MetadataToken", "PUT"
  elseif path == CREDENTIALS then
    return "MetadataRole", "GET"
  elseif path:sub(1, #CREDENTIALS) == CREDENTIALS then
    return "MetadataCredentials", "GET"
  end
end

function metadata.prepare(request)
  request.is_unsigned = true
  request.style = "text"
  local operation, method = operation_of(request.path)
  request.operation = operation
  request.log = {
    metadata_token = request.headers[TOKEN_HEADER] ~= nil,
    role = operation == "MetadataCredentials" and request.path:sub(#CREDENTIALS + 1) or nil,
  }
  if not operation then
    return failure.gateway(404, "NotFound", "There is no such metadata.")
  elseif request.method ~= method then
    return failure.gateway(405, "MethodNotAllowed", method .. " expected.")
  end
end

local function new_token(registry, request)
  local text = request.headers[TOKEN_HEADER .. "-ttl-seconds"] or ""
  local ttl = #text <= 5 and text:match("^%d+$") and tonumber(text)
  if not ttl or ttl < 1 or ttl > MAX_TTL then
    return nil, failure.gateway(400, "BadRequest",
      ("%s-ttl-seconds: 1 to %d expected."):format(TOKEN_HEADER, MAX_TTL))
  end
  local tokens = registry.metadata.tokens or {}
  registry.metadata.tokens = tokens
  if #tokens >= MAX_TOKENS then
    tokens[table.remove(tokens, 1)] = nil
  end
  local token = ngx.encode_base64(crypto.random(42))
  tokens[#tokens + 1] = token
  tokens[token] = clock.seconds() + ttl
  return respond.text(200, token)
end

local function check_token(settings, request)
  local token = request.headers[TOKEN_HEADER]
  if token then
    local expires = (settings.tokens or {})[token]
    if not expires or clock.seconds() >= expires then
      return failure.gateway(401, "Unauthorized",
        "The metadata token is not valid, or not any more.")
    end
  elseif settings.token_required then
    return failure.gateway(403, "Forbidden", "A metadata token is demanded.")
  end
end

--- The credential in use; a new one when less than a sixth of its time is left.
local function current_session(registry, settings)
  local session = settings.session
  if not session or session.expires - clock.seconds() < session.seconds / 6 then
    session = sessions.open(registry, settings.role, {
      name = SESSION_NAME, seconds = settings.session_seconds,
    })
    settings.session = session
  end
  return session
end

function metadata.perform(registry, request)
  local settings = registry.metadata
  if request.headers["x-forwarded-for"] or request.headers.via then
    return nil, failure.gateway(403, "Forbidden", "Metadata is not for clients behind a proxy.")
  elseif request.operation == "MetadataToken" then
    return new_token(registry, request)
  end
  local wrong = check_token(settings, request)
  if wrong then
    return nil, wrong
  elseif not settings.role then
    return nil, failure.gateway(404, "NotFound", "No role is attached to this instance.")
  elseif request.operation == "MetadataRole" then
    return respond.text(200, settings.role.name)
  elseif request.path:sub(#CREDENTIALS + 1) ~= settings.role.name then
    return nil, failure.gateway(404, "NotFound", "Another role is attached to this instance.")
  end
  return respond.document(sessions.document(current_session(registry, settings)))
end

return metadata
