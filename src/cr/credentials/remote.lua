--- HTTP for the providers, over the transport of the client that asks: where a call does not block
-- nginx, its credentials do not either.
--
-- A provider's `fetch` gets a table `ask`: the client's `settings`, the `time`, `ends` (when the
-- answer must be there, by settings.clock), `patience` (seconds that one request may take at most;
-- may be nil), `expect(seconds)` (to be told before a step how long it may take). What is found out
-- meanwhile is put there: `asked` (somebody outside was asked), `cut_short` (`ends` was why it
-- failed), `warnings`.

local answer = require "cr.answer"
local check = require "cr.credentials.check"
local clock = require "cr.clock"
local endpoints = require "cr.endpoint"
local exchange = require "cr.exchange"
local hint = require "cr.hint"
local retry = require "cr.retry"
local secret = require "cr.secret"
local unavailable = require "cr.credentials.unavailable"

local remote = {}

-- Bytes. The largest answer is a session of a few KiB.
local MAX_RESPONSE = 64 * 1024

local TIMEOUT, CONNECT_TIMEOUT = 10, 5 -- seconds

-- Retried as a read of the API is: asking twice for a session does no harm.
local READ = { name = "credentials", is_read = true }

-- The parts of a credential as the answers have them, for messages.
local NAMES = {
  access_key_id = "AccessKeyId", access_key_secret = "AccessKeySecret",
  security_token = "SecurityToken",
}

--- The settings that the user gave: those of a call to loopback have lost their proxy.
local function given_settings(ask)
  return ask.settings.given or ask.settings
end

--- An endpoint, by the rules for the client's own: plain http only to loopback.
-- @tparam string name of the setting that it comes from, for messages
-- @return {origin=, host=, is_loopback=}
-- @return nil, error
function remote.endpoint(ask, name, text)
  local endpoint, err = endpoints.parse(text, ask.settings.allow_plaintext)
  if not endpoint then
    return nil, unavailable(name .. ": " .. err.message, { hint = err.hint })
  end
  return endpoint
end

--- Seconds that a request may take, and whether the caller's end is why it is not longer.
local function time_limit(ask, timeout)
  timeout = math.min(timeout, ask.patience or timeout)
  local left = math.max(0.001, ask.ends - ask.settings.clock())
  return math.min(timeout, left), left < timeout
end

local function transport_failure(ask, request, code, message, sent)
  -- The limit is this module's, and not what the client's configuration says.
  message = message:gsub("max_response_bytes", ("%d bytes"):format(MAX_RESPONSE))
  message = secret.mask(message, secret.forms(request.secrets))
  return unavailable(("%s: %s: %s"):format(request.what, code, message), {
    hint = code == "TlsFailed" and hint.for_transport(code, {
      settings = ask.settings, endpoint = request.endpoint,
    }) or nil,
    retryable = retry.after_transport(READ, code, sent),
  })
end

--- A request with the time limits of a declaration.
function remote.limit(request, declared)
  request.timeout = declared.timeout or TIMEOUT
  request.connect_timeout = declared.connect_timeout or CONNECT_TIMEOUT
  return request
end

--- Sends a request.
-- @tparam table ask
-- @tparam table request `what` (for messages), `method`, `url`, `headers`, `body`, `timeout` and
--   `connect_timeout` (seconds), `endpoint`, `is_direct` (past any proxy), `secrets` (a table of
--   what must not stand in an error)
-- @return response
-- @return nil, error, sent (false when nobody was reached)
function remote.send(ask, request)
  local settings, given = ask.settings, given_settings(ask)
  local proxy = given.proxy
  if request.is_direct or (proxy == nil and request.endpoint.is_loopback) then
    proxy = ""
  end
  local timeout, is_cut = time_limit(ask, request.timeout)
  ask.asked = true
  ask.expect(timeout)
  local response, code, message, sent = exchange.check(settings.transport.exchange {
    method = request.method, url = request.url, headers = request.headers,
    body = request.body or "", timeout = timeout,
    connect_timeout = math.min(request.connect_timeout, timeout),
    max_response_bytes = MAX_RESPONSE, ca_file = given.ca_file, ca_path = given.ca_path,
    proxy = proxy,
  })
  ask.time = clock.time(settings) or ask.time
  if not response then
    ask.cut_short = is_cut and code == "Timeout"
    return nil, transport_failure(ask, request, code, message, sent), sent
  end
  return response
end

--- An error out of an answer that is none or says no.
local function refusal(request, err)
  local secrets = secret.forms(request.secrets)
  local status = err.http_status and (" (HTTP %d)"):format(err.http_status) or ""
  return unavailable(("%s: %s%s: %s"):format(request.what, secret.mask(err.code, secrets), status,
    secret.mask(err.message, secrets)), {
    request_id = secret.mask_all(err.request_id, secrets),
    recommend = secret.mask_all(err.recommend, secrets),
    access_denied = secret.mask_all(err.access_denied, secrets),
    retryable = retry.after_answer(READ, err),
  })
end

--- Reads an answer that should be a JSON object.
-- @return table
-- @return nil, error
function remote.read(request, response)
  local object, err = answer.judge(response)
  if not object then
    return nil, refusal(request, err), err
  end
  return object
end

--- The session that stands in an answer.
-- @tparam string what for messages
-- @tparam ?table fields AccessKeyId, AccessKeySecret, SecurityToken, Expiration
-- @return {access_key_id=, access_key_secret=, security_token=, expires=}
-- @return nil, error
function remote.session(what, fields)
  if type(fields) ~= "table" then
    return nil, unavailable(what .. ": the answer holds no credentials")
  end
  local session = {
    access_key_id = fields.AccessKeyId,
    access_key_secret = fields.AccessKeySecret,
    security_token = fields.SecurityToken,
  }
  local problem = check.credential_problem(session) or
    check.key_problem("security_token", session.security_token)
  if problem then
    problem = problem:gsub("^[%l_]+", NAMES)
    return nil, unavailable(("%s: in the answer %s"):format(what, problem))
  end
  session.expires = check.expiration(fields.Expiration)
  if not session.expires then
    return nil, unavailable(what .. ": the answer has no Expiration as YYYY-MM-DDTHH:MM:SSZ")
  end
  return session
end

return remote
