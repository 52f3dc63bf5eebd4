--- What `client:credentials()` tells: whose credential signs, and nothing that could sign.

local clock = require "cr.clock"
local core = require "cr.core"
local new_error = require "cr.error"
local secret = require "cr.secret"

local identity = {}

local function transport_error(code, message)
  return new_error {
    kind = "transport", code = code, message = message, operation = "credentials",
    retryable = false,
  }
end

--- @tparam table settings of a client
-- @return as `client:credentials`
function identity.of(settings)
  local obstacle = settings.obstacle and settings.obstacle()
  if obstacle then
    return nil, transport_error(obstacle.code, obstacle.message)
  end
  local time, code, message = clock.time(settings)
  if not time then
    return nil, transport_error(code, message)
  end
  local ask = {
    settings = settings, time = time,
    ends = settings.deadline and settings.clock() + settings.deadline,
  }
  local credential, err = settings.provider.get(ask)
  if not credential then
    err.operation, err.chain = "credentials", ask.said
    return nil, err
  end
  return {
    provider = ask.provider or settings.provider.name,
    origin = credential.origin,
    access_key_id = secret.masked_id(credential.access_key_id),
    expiration = credential.expires and core.iso8601(credential.expires),
    warnings = credential.warnings or {},
    chain = ask.said,
  }
end

return identity
