--- What happens in a call, in order.
--
-- Validate and flatten (C), find the endpoint, get a credential, sign (C), exchange (transport),
-- decode and judge, and again if that is safe. From the parameters to the headers a call is one
-- object of the core (`cr.core.request`), which a transport of the user's gets as a plain table.
-- This file is straight-line Lua, so that a transport may yield in `exchange` and `sleep`.

local answer = require "cr.answer"
local clock = require "cr.clock"
local exchange = require "cr.exchange"
local hint = require "cr.hint"
local new_error = require "cr.error"
local overlay = require "cr.overlay"
local pace = require "cr.pace"
local retry = require "cr.retry"
local secret = require "cr.secret"
local suggest = require "cr.suggest"

local pipeline = {}

--- What the flattening in C found wrong, as an error object.
local function validation_error(operation, path, expected, got)
  local code, message
  if expected == nil then
    code = "UnknownParameter"
    local parent, name = path:match("^(.*%.)([^.]*)$")
    local best = suggest(name or path, got)
    message = ("unknown parameter %s; %s"):format(path,
      best and ("did you mean %s%s?"):format(parent or "", best) or
      #got > 0 and "it takes " .. table.concat(got, ", ") or "it takes none")
  elseif got == "nothing" then
    code = "MissingParameter"
    message = ("missing required parameter %s (%s)"):format(path, expected)
  else
    code = "InvalidParameter"
    message = ("%s must be %s, got %s"):format(path == "" and "the parameters" or
      "parameter " .. path, expected, got)
  end
  return new_error {
    kind = "validation", code = code, message = message, operation = operation.name,
    retryable = false,
  }
end

pipeline.validation_error = validation_error

local NO_SECRETS = {}

local function secrets_of(attempt)
  return attempt.credential and secret.of(attempt.credential) or NO_SECRETS
end

local function transport_error(attempt, code, message, sent)
  local err = secret.mask_error(new_error { kind = "transport", code = code, message = message },
    secrets_of(attempt))
  err.operation = attempt.operation.name
  err.hint = hint.for_transport(code, attempt, message)
  err.retryable = retry.after_transport(attempt.operation, code, sent)
  return err
end

local function complete_service_error(err, attempt, response)
  local message = err.message
  err.retryable = retry.after_answer(attempt.operation, err)
  secret.mask_error(err, secrets_of(attempt))
  err.operation = attempt.operation.name
  err.hint = hint.for_service(err, attempt, response, message)
  return err
end

--- Signs the attempt with its credential, at its time. True, or nil, the reason and a code.
local function sign(attempt)
  local request, credential = attempt.request, attempt.credential
  local method = attempt.settings.signature == "v1" and request.sign_v1 or request.sign_v3
  return method(request, attempt.time, credential.access_key_id, credential.access_key_secret,
    credential.security_token, attempt.number - 1, math.floor(attempt.pause * 1000))
end

--- The error of a request that could not be signed: it cannot be sent as it is, or there was no
-- memory for it.
local function signature_error(attempt, reason, code)
  if code ~= "InvalidRequest" then
    return transport_error(attempt, code, reason, false)
  end
  return new_error {
    kind = "validation", code = code, message = reason, operation = attempt.operation.name,
    retryable = false,
  }
end

--- Seconds that the attempt's exchange may take. What the credential took counts too.
local function time_limit(attempt)
  local settings = attempt.settings
  return attempt.ends and
    math.max(0.001, math.min(settings.timeout, attempt.ends - settings.clock())) or
    settings.timeout
end

--- Our own transports take the request as it is, a user's gets a table of it.
local function send(attempt)
  local settings = attempt.settings
  if settings.send then
    return settings.send(attempt.request, settings, time_limit(attempt))
  end
  return settings.transport.exchange(attempt.request:table(settings, time_limit(attempt)))
end

--- Gives an attempt its time and its credential, and signs it. True, or nil and the error.
local function authorize(attempt)
  local settings = attempt.settings
  local obstacle = settings.obstacle and settings.obstacle()
  if obstacle then
    return nil, transport_error(attempt, obstacle.code, obstacle.message, false)
  end
  local time, code, message = clock.time(settings)
  if not time then
    return nil, transport_error(attempt, code, message)
  end
  attempt.time = time
  local credential, err = settings.provider.get(attempt) -- moves `time` on when it takes some
  if not credential then
    err.operation = attempt.operation.name
    return nil, err
  end
  attempt.credential = credential
  local signed, reason
  signed, reason, code = sign(attempt)
  if not signed then
    return nil, signature_error(attempt, reason, code)
  end
  return true
end

--- One attempt: credential, signature, exchange, judgement.
-- @return answer, nil, response  or nil, error, response if there was one
local function try(attempt)
  local signed, err = authorize(attempt)
  if not signed then
    return nil, err
  end
  local response, code, message, sent = exchange.check(send(attempt))
  if not response then
    return nil, transport_error(attempt, code, message, sent)
  end
  local result
  result, err = answer.judge(response)
  if not result then
    return nil, complete_service_error(err, attempt, response), response
  end
  return result, nil, response
end

local function request_id_of(result, response)
  return result.RequestId or answer.header(response, "x-acs-request-id")
end

local function info_of(result, response, attempts)
  local info = response.info or {}
  info.http_status = response.status
  info.request_id = request_id_of(result, response)
  info.attempts = attempts
  return info
end

--- Tells the hook about an attempt. It gets no header, no body and no parameter.
local function report(attempt, result, err, response, pause, gave_up)
  local info = response and response.info or {}
  local event = {
    operation = attempt.operation.name,
    attempt = attempt.number,
    endpoint = attempt.endpoint.origin,
    http_status = response and response.status,
    kind = err and err.kind,
    code = err and err.code,
    request_id = err and err.request_id or (result and request_id_of(result, response)),
    dns = info.dns,
    connect = info.connect,
    tls = info.tls,
    first_byte = info.first_byte,
    total = info.total,
    connection_reused = info.connection_reused,
    pause = pause,
    warnings = attempt.warnings,
    delay = attempt.delay,
    gave_up = gave_up,
  }
  attempt.settings.on_attempt(secret.mask_all(event, secrets_of(attempt)))
end

--- Whether the service refused the session as expired and there may be a fresh one.
local function renews_session(attempt, err)
  local refuse = attempt.settings.provider.refuse
  return err.code == "InvalidSecurityToken.Expired" and refuse ~= nil and
    refuse(attempt.credential, attempt.time)
end

--- Whether the call goes on at once because what was wrong with the attempt has been put right: the
-- session, or the time. Once for each; nothing was carried out, so that it is safe for every
-- operation. What was learnt is kept for the next call in any case.
local function is_mended(attempt, err, response)
  if err.kind ~= "service" then
    return false
  end
  local mended = renews_session(attempt, err) and "session" or
    clock.learn(attempt.settings, err, response, attempt.time) and "time"
  if not mended or attempt.mended[mended] then
    return false
  end
  attempt.mended = overlay(attempt.mended, { [mended] = true })
  attempt.free = attempt.free + 1
  return attempt.settings.max_attempts > 1
end

--- Seconds until the next attempt; or nil when there is none, and why: it is not safe or of no use,
-- it was the last one, the budget is spent, the deadline would pass meanwhile.
local function pause_after(attempt, err, response)
  local settings = attempt.settings
  local pause, reason
  if is_mended(attempt, err, response) then
    pause = 0
  else
    pause, reason = retry.next(attempt, err, response)
  end
  if pause and attempt.ends and settings.clock() + pause >= attempt.ends then
    return nil, "deadline"
  end
  return pause, reason
end

--- Waits for the client's pace after it was throttled, unless the deadline would pass meanwhile.
local function keep_pace(attempt)
  local settings = attempt.settings
  local delay = pace.delay(settings.learnt, settings.clock())
  if delay > 0 and not (attempt.ends and settings.clock() + delay >= attempt.ends) then
    attempt.delay = delay
    settings.transport.sleep(delay)
  end
end

--- What the client learns of an attempt that the service answered.
local function learn(attempt, result, err)
  local settings = attempt.settings
  if result then
    retry.succeeded(attempt)
  end
  local is_throttled = err ~= nil and err.kind == "service" and retry.is_throttling(err)
  if is_throttled or settings.learnt.pace then
    pace.note(settings.learnt, settings.clock(), is_throttled)
  end
end

-- What only calls with more than one attempt write: `pause` before this attempt (seconds), `free`
-- attempts that do not count, what was `mended`.
local first_attempt = { __index = { pause = 0, free = 0, mended = {} } }

--- All attempts of a call that has begun.
local function perform(attempt)
  local settings = attempt.settings
  local transport = settings.transport
  while true do
    attempt.number = attempt.number + 1
    if attempt.number > 1 then
      attempt.warnings, attempt.delay = nil, nil
    end
    if settings.learnt.pace then
      keep_pace(attempt)
    end
    if transport.enter then
      transport.enter()
    end
    local result, err, response = try(attempt)
    if transport.leave then
      transport.leave()
    end
    learn(attempt, result, err)
    local pause, gave_up
    if err then
      pause, gave_up = pause_after(attempt, err, response)
    end
    if settings.on_attempt then
      report(attempt, result, err, response, pause, gave_up)
    end
    if result then
      return result, nil, info_of(result, response, attempt.number)
    end
    err.attempts = attempt.number
    if not pause then
      return nil, err
    end
    attempt.pause = pause
    if pause > 0 then
      transport.sleep(pause)
    end
  end
end

--- Fills the request by the operation's declared parameters, or freely for an operation that is not
-- in the table (without defaults: nobody knows which of them it has).
local function fill(request, operation, params, defaults)
  if operation.number then
    return request:fill(operation.number, params, defaults, operation.other_method)
  end
  return request:fill_any(operation.name, params, operation.method)
end

--- What a call does once, before its first attempt: validates the parameters, finds the endpoint.
-- @return the attempt, its number still 0
-- @return nil, error
local function begin(request, operation, params, settings)
  local ok, path, expected, got = fill(request, operation, params, settings.defaults)
  if not ok then
    return nil, validation_error(operation, path, expected, got)
  end
  local endpoint, err = settings.endpoint_of(settings)
  if not endpoint then
    err.operation = operation.name
    return nil, err
  end
  if endpoint.is_loopback and settings.proxy == nil then
    -- Stays on this machine, whatever http_proxy says: plain http is allowed there for that.
    settings.unproxied = settings.unproxied or overlay(settings, { proxy = "", given = settings })
    settings = settings.unproxied
  end
  request:aim(endpoint.origin, endpoint.host, settings.user_agent)
  return setmetatable({
    operation = operation, request = request, settings = settings, endpoint = endpoint,
    number = 0, credential = false, time = 0,
    ends = settings.deadline and settings.clock() + settings.deadline,
  }, first_attempt)
end

--- A call from its parameters to its answer.
-- @param request of the core; what it holds afterwards is the caller's to clear
-- @tparam table operation see operations.lua
-- @tparam table params
-- @tparam table settings see client.lua
-- @return the answer's table, nil, info
-- @return nil, error
function pipeline.run(request, operation, params, settings)
  local attempt, err = begin(request, operation, params, settings)
  if not attempt then
    return nil, err
  end
  return perform(attempt)
end

--- The same up to the signature of the first attempt: nothing of the call is sent.
-- @return the attempt: operation, request (signed), settings, endpoint, credential, time, provider
--   (name of the one that the default chain took, nil elsewhere)
-- @return nil, error
function pipeline.sign(request, operation, params, settings)
  local attempt, err = begin(request, operation, params, settings)
  if not attempt then
    return nil, err
  end
  attempt.number = 1
  local signed
  signed, err = authorize(attempt)
  if not signed then
    return nil, err
  end
  return attempt
end

return pipeline
