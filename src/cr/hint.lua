--- What to do about an error: the sentence after the service's own.
--
-- Hints rest on what the error, the request and the answer show; where nothing is known there is
-- none.

local answer = require "cr.answer"
local core = require "cr.core"
local endpoint = require "cr.endpoint"
local trim = require "cr.trim"

local hint = {}

-- What to look at, by the PolicyType of a refusal that the identity's own policies do not explain.
local WHERE = {
  AssumeRolePolicy = "; the role's trust policy does not name who asks",
  SessionPolicy = "; the policy given to the session leaves it out",
  ControlPolicy = "; a control policy of the resource directory forbids it",
}

local function permission(err, attempt)
  local denied = err.access_denied
  local action = denied and denied.AuthAction
  if not action and attempt.operation.number then
    action = core.operation(attempt.operation.number).ram_action
  end
  if type(action) ~= "string" then
    return "the RAM identity lacks a permission; which one is not published for this operation"
  end
  local who = denied and type(denied.AuthPrincipalDisplayName) == "string" and
    " for " .. denied.AuthPrincipalDisplayName or ""
  local explicit = denied and denied.NoPermissionType == "ExplicitDeny" and
    "; a policy denies it explicitly" or ""
  return "needs " .. action .. who .. explicit .. (denied and WHERE[denied.PolicyType] or "")
end

local function edition()
  return "this comes from the Personal Edition API; cr speaks the Enterprise Edition API, which " ..
    'needs an Enterprise instance and its InstanceId "cri-…"'
end

--- Equal strings to sign and unequal signatures: only the key differs.
local function signature(_, attempt, _, message)
  local theirs = message:match("server string to sign is:(.*)$")
  theirs = theirs and trim(theirs)
  if not theirs or theirs == "" then
    return "the access key secret does not belong to the access key id, or the request was " ..
      "changed on its way"
  end
  local ours = trim(attempt.request:string_to_sign())
  if theirs:gsub("\r\n", "\n") == ours then
    return "the server signed the same text, so the access key secret is wrong for this access " ..
      "key id"
  end
  return "the server signed another text than cr did, so the secret may be right: a proxy that " ..
    "changes requests, or a bug in cr; compare with the string to sign in the message"
end

local function clock(_, attempt, response)
  local date = answer.header(response, "date")
  local server = date and core.parse_date(date)
  if not server then
    return "this machine's clock is off by more than 15 minutes; set it with NTP"
  end
  local offset = math.floor(attempt.time - server + 0.5)
  if offset == 0 then
    return "this machine's clock agrees with the server's, so the request was held up for more " ..
      "than 15 minutes on its way"
  end
  return ("this machine's clock is %d s %s the server's; set it with NTP"):format(
    math.abs(offset), offset > 0 and "ahead of" or "behind")
end

local function unknown_key(_, attempt)
  return ("access key id …%s does not exist: deleted, mistyped, or of another site"):format(
    attempt.credential.access_key_id:sub(-4))
end

local function instance(_, attempt)
  return ("check InstanceId, and that the instance is in the region of %s"):format(
    attempt.endpoint.host)
end

local function session_expired()
  return "the session credential has expired; get a new one"
end

local function session_needed()
  return 'the access key is a session\'s: give its token too (type = "sts", or ' ..
    "ALIBABA_CLOUD_SECURITY_TOKEN)"
end

local function nonce()
  return "something between cr and the service sent the request twice; cr uses a nonce once"
end

local by_code = {
  NoPermission = permission,
  NoPrivilege = permission,
  ["Forbidden.RAM"] = permission,
  USER_NOT_EXIST = edition,
  SignatureDoesNotMatch = signature,
  IllegalTimestamp = clock,
  ["InvalidTimeStamp.Expired"] = clock,
  ["InvalidAccessKeyId.NotFound"] = unknown_key,
  INSTANCE_NOT_EXIST = instance,
  ["InvalidSecurityToken.Expired"] = session_expired,
  MissingSecurityToken = session_needed,
  SignatureNonceUsed = nonce,
}

--- For an answer of the service.
-- @tparam table err with its secrets masked
-- @tparam table attempt operation, settings, endpoint, credential, time, request
-- @tparam table response
-- @tparam string message the service's, nothing masked
function hint.for_service(err, attempt, response, message)
  local make = by_code[err.code] or (err.access_denied and permission)
  return make and make(err, attempt, response, message)
end

--- For an exchange that brought no answer.
function hint.for_transport(code, attempt, message)
  local settings, host = attempt.settings, attempt.endpoint.host
  if code == "ResolveFailed" then
    local region = settings.region and not settings.endpoint and
      endpoint.region_suggestion(settings.region)
    return region and ("region %s is not listed; did you mean %s?"):format(settings.region,
      region) or ("check region or endpoint, and that this machine can resolve %s"):format(host)
  elseif code == "ConnectFailed" then
    return host:find("^cr%-vpc%.") and
      "VPC endpoints answer only inside the VPC of their region" or
      "check endpoint, firewall and proxy"
  elseif code == "TlsFailed" then
    return settings.ca_file and
      "check that ca_file holds the authority of the endpoint's certificate, as PEM" or
      "give the certificate authority with ca_file if the endpoint has a private one"
  elseif code == "TlsHandshakeFailed" then
    return "check that the endpoint speaks https with TLS 1.2 or newer"
  elseif code == "ResponseTooLarge" and message:find("max_response_bytes", 1, true) then
    return ("the limit max_response_bytes is %d"):format(settings.max_response_bytes)
  end
end

return hint
