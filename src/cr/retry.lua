--- Whether a failed attempt may be repeated, and after which pause.
--
-- The API has no idempotency token, so that a call that changes something is repeated only when
-- nothing can have happened: no byte was sent, or the service turned it away for coming too often.
-- Reads are repeated after anything that can pass.

local answer = require "cr.answer"
local core = require "cr.core"
local pace = require "cr.pace"

local retry = {}

local FIRST_PAUSE = 0.2 -- seconds, doubled with each attempt
local LONGEST_PAUSE = 20 -- seconds, also for what the service asks for
local LONGEST_WAIT = 5 -- seconds that a call waits for a provider of credentials to ask again
local LONGEST_JITTER = 2 -- seconds more than the service asks for

-- An outage must not be multiplied by those who repeat into it: a client may repeat this often, and
-- one time more for every ten attempts that succeed.
local BUDGET = 100
local INCOME = 0.1

local MAX_THROTTLED = 15 -- attempts of a call that is throttled while others get through

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

--- Whether an error of the service means that too many calls were made.
function retry.is_throttling(err)
  return err.code:find("Throttling", 1, true) ~= nil or err.http_status == 429
end

--- Whether a failed answer may be repeated.
function retry.after_answer(operation, err)
  if retry.is_throttling(err) then
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
function retry.random()
  return tonumber((core.nonce() or "80000000"):sub(1, 8), 16) / 0xFFFFFFFF
end

--- Seconds to wait before the attempt after number `attempt`: exponential with full jitter, at
-- least what the service asks for, at most LONGEST_PAUSE.
local function pause_after(attempt, response)
  local asked = response and asked_for(response)
  local grown = math.min(FIRST_PAUSE * 2 ^ (attempt - 1), asked and LONGEST_JITTER or LONGEST_PAUSE)
  return math.min((asked or 0) + retry.random() * grown, LONGEST_PAUSE)
end

--- Whether being throttled is a matter of pace alone: the service says when to come again, and
-- calls of this client got through since it was throttled first. Then more attempts than
-- max_attempts are made.
local function gets_through(attempt, response)
  local settings = attempt.settings
  return pace.gets_through(settings.learnt) and asked_for(response) ~= nil and
    attempt.number < MAX_THROTTLED and settings.max_attempts > 1
end

--- Takes the cost of a repeated attempt from the client's budget, if it is there.
local function spend(learnt)
  if learnt.retries < 1 then
    return false
  end
  learnt.retries = learnt.retries - 1
  return true
end

--- What the user's own `retry` says: whether, and after how many seconds (nil: the usual pause).
local function ask_user(attempt, err)
  local verdict = attempt.settings.retry(err, attempt.number)
  if verdict == nil then
    return err.retryable
  elseif type(verdict) == "number" and verdict >= 0 then
    return true, math.min(verdict, LONGEST_PAUSE)
  end
  return verdict == true
end

--- Whether an attempt that failed is followed by another.
-- @tparam table attempt number, free (attempts that do not count), time, settings
-- @tparam table err of the attempt
-- @tparam ?table response
-- @return seconds until then
-- @return nil, why not: "not retryable", "max_attempts", "too early", "budget"
function retry.next(attempt, err, response)
  local settings = attempt.settings
  local is_wanted, pause = err.retryable, nil
  if settings.retry and settings.max_attempts > 1 then
    is_wanted, pause = ask_user(attempt, err)
  end
  local is_throttled = err.kind == "service" and retry.is_throttling(err)
  if not is_wanted then
    return nil, "not retryable"
  elseif attempt.number - attempt.free >= settings.max_attempts and
    not (is_throttled and gets_through(attempt, response)) then
    return nil, "max_attempts"
  elseif (err.retry_after or 0) > LONGEST_WAIT then
    return nil, "too early"
  elseif err.kind ~= "credentials" and not is_throttled and not spend(settings.learnt) then
    return nil, "budget"
  end
  return pause or math.max(pause_after(attempt.number, response), err.retry_after or 0,
    is_throttled and pace.penalty(settings.learnt, retry.random()) or 0)
end

--- Takes note of an attempt that succeeded: successes pay for repeated attempts.
function retry.succeeded(attempt)
  local learnt = attempt.settings.learnt
  if learnt.retries < BUDGET then
    learnt.retries = math.min(BUDGET, learnt.retries + INCOME)
  end
end

--- What a client knows in the beginning: `retries` are those it may make before it must earn more,
-- `clock_offset` is clock.lua's, `pace` pace.lua's.
function retry.beginner()
  return { retries = BUDGET, clock_offset = 0 }
end

return retry
