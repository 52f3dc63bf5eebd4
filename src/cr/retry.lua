--- Whether a failed attempt may be repeated, and after which pause.
--
-- The API has no idempotency token, so that a call that changes something is repeated only when
-- nothing can have happened: no byte was sent, or the service turned it away for coming too often.
-- Reads are repeated after anything that can pass.

local answer = require "cr.answer"
local core = require "cr.core"

local retry = {}

local FIRST_PAUSE = 0.2 -- seconds, doubled with each attempt
local LONGEST_PAUSE = 20 -- seconds, also for what the service asks for

-- Failures of the transport that a new attempt can get past.
local PASSING = {
  ResolveFailed = true,
  ConnectFailed = true,
  ProxyFailed = true,
  TlsHandshakeFailed = true,
  Timeout = true,
  SendFailed = true,
  ConnectionClosed = true,
  TruncatedBody = true,
  TransferFailed = true,
}

-- Operations whose SLB_SERVICE_ERROR the service wants repeated.
local ACL = {
  CreateInstanceEndpointAclPolicy = true,
  DeleteInstanceEndpointAclPolicy = true,
  UpdateInstanceEndpointStatus = true,
}

--- Whether a failed exchange may be repeated.
function retry.after_transport(operation, code, sent)
  return PASSING[code] == true and (operation.is_read or sent == false)
end

--- Whether a failed answer may be repeated.
function retry.after_answer(operation, err)
  if answer.is_throttling(err.code) or err.http_status == 429 then
    return true
  end
  if err.code == "SLB_SERVICE_ERROR" then
    return ACL[operation.name] == true
  end
  -- SignatureNonceUsed: something on the way has sent the request again (a proxy, or libcurl before
  -- 7.80 on a kept connection that turned out to be closed), and the first one had arrived.
  return operation.is_read and ((err.http_status or 0) >= 500 or
    err.code == "ServiceUnavailable" or err.code == "SignatureNonceUsed")
end

--- Seconds the service asks to wait, or nil: `x-acs-retry-after` in milliseconds, before that
-- `TimeLeft:<ms>` in the rate limit headers.
local function asked_for(response)
  local milliseconds = tonumber(answer.header(response, "x-acs-retry-after"))
  for _, name in ipairs { "x-ratelimit-user-api", "x-ratelimit-user" } do
    local limits = not milliseconds and answer.header(response, name)
    milliseconds = milliseconds or (limits and tonumber(limits:match("TimeLeft:%s*(%d+)")))
  end
  return milliseconds and milliseconds >= 0 and milliseconds / 1000 or nil
end

--- Between 0 and 1, from the CSPRNG: `math.random` is the host program's, and starts alike in
-- every process of Lua 5.1.
local function random()
  return tonumber((core.nonce() or "80000000"):sub(1, 8), 16) / 0xFFFFFFFF
end

--- Seconds to wait before the attempt after number `attempt`: exponential with full jitter, at
-- least what the service asks for, at most LONGEST_PAUSE.
function retry.pause(attempt, response)
  local asked = response and asked_for(response) or 0
  local grown = math.min(FIRST_PAUSE * 2 ^ (attempt - 1), LONGEST_PAUSE)
  return math.min(asked + random() * grown, LONGEST_PAUSE)
end

return retry
