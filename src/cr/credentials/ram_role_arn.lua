--- A RAM role, assumed with the credential of another provider (STS AssumeRole).
--
-- {type = "ram_role_arn", role_arn = "acs:ram::…:role/…", source = {type = …}, …}. The source is
-- any declared credentials or a function, the default chain if not given; its session is fetched
-- anew when that is about to expire. The request is signed as the client signs (`signature`).

local check = require "cr.credentials.check"
local clock = require "cr.clock"
local core = require "cr.core"
local hint = require "cr.hint"
local overlay = require "cr.overlay"
local remote = require "cr.credentials.remote"
local secret = require "cr.secret"
local sts = require "cr.credentials.security_token_service"
local unavailable = require "cr.credentials.unavailable"

local OPERATION = { name = "AssumeRole" }

--- @return {url, headers, method}, the signed request of the core
-- @return nil, error
local function sign(ask, declared, parameters, credential, endpoint)
  local request = core.request()
  local signature = declared.signature or ask.settings.signature
  local is_valid, name, expected, got = request:fill_any(OPERATION.name, parameters, "POST",
    sts.VERSION)
  if not is_valid then
    return nil, unavailable(("AssumeRole: parameter %s must be %s, got %s"):format(name, expected,
      got))
  end
  request:aim(endpoint.origin, endpoint.host, ask.settings.user_agent)
  local method = signature == "v1" and request.sign_v1 or request.sign_v3
  local ok, reason = method(request, ask.time, credential.access_key_id,
    credential.access_key_secret, credential.security_token, 0, 0)
  if not ok then
    return nil, unavailable("AssumeRole: " .. reason)
  end
  return request:table(ask.settings, 1), request
end

--- What to do about a refusal, as for a call to the registry's own API.
local function add_hint(err, reason, attempt, response)
  local message = reason.message
  secret.mask_error(reason, secret.of(attempt.credential))
  err.hint = hint.for_service(reason, attempt, response, message)
  if reason.code == "NoPermission" and not reason.access_denied then
    err.hint = "the source needs sts:AssumeRole on the role, and the role must trust it"
  end
  return err
end

--- @return session
-- @return nil, error, the service's own error if it said no, whether it said so for our clock and
--   that has been put right
local function assume(ask, declared, credential)
  local parameters, err = sts.parameters(ask, declared)
  local endpoint = parameters
  if parameters then
    parameters.ExternalId = declared.external_id
    endpoint, err = sts.endpoint(ask, declared)
  end
  if not endpoint then
    return nil, err
  end
  local signed, object = sign(ask, declared, parameters, credential, endpoint)
  if not signed then
    return nil, object
  end
  local time = ask.time
  local request = remote.limit({
    what = "AssumeRole at " .. endpoint.host, method = signed.method, url = signed.url,
    headers = signed.headers, endpoint = endpoint,
    secrets = { credential.security_token, credential.access_key_secret },
  }, declared)
  local response
  response, err = remote.send(ask, request)
  if not response then
    return nil, err
  end
  local session, reason, has_learnt
  session, err, reason = sts.session(request, response, parameters.RoleArn)
  if not session and reason then
    has_learnt = clock.learn(ask.settings, reason, response, time)
    ask.time = clock.time(ask.settings) or ask.time
    err = add_hint(err, reason, {
      operation = OPERATION, settings = ask.settings, endpoint = endpoint, time = time,
      credential = credential, request = object,
    }, response)
  end
  return session, err, reason, has_learnt
end

return {
  fields = overlay(sts.fields, {
    source = "credentials",
    external_id = check.line,
    signature = check.signature,
  }),

  new = function(declared, make)
    local source = make(declared.source or { type = "default", sts_endpoint = declared.sts_endpoint,
      timeout = declared.timeout, connect_timeout = declared.connect_timeout })

    --- Once more when the source's own session was refused as expired and there is a fresh one, or
    -- when the clock has been put right.
    local function fetch(ask, is_second)
      local credential, err = source.get(ask)
      if not credential then
        err.message = "the source of the role: " .. err.message
        return nil, err
      end
      local session, reason, has_learnt
      session, err, reason, has_learnt = assume(ask, declared, credential)
      local is_mended = has_learnt or (reason and source.refuse and
        reason.code == "InvalidSecurityToken.Expired" and source.refuse(credential, ask.time))
      if not session and is_mended and not is_second then
        return fetch(ask, true)
      end
      return session, err
    end

    return {
      fetch = function(ask)
        return fetch(ask, false)
      end,
    }
  end,
}
