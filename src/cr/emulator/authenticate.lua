--- Who sent this, and is it what they sent? The checks of the gateway, in its order.
--
-- Malformed pieces, the key, the time, the session token, the signature, the nonce: each has its
-- own code, so that a client's author learns what to look at. A nonce counts as used only once the
-- signature was right; otherwise a stranger could use up somebody's nonces.

local canonical = require "cr.emulator.canonical"
local clock = require "cr.emulator.clock"
local crypto = require "cr.emulator.crypto"
local failure = require "cr.emulator.failure"
local iso8601 = require "cr.emulator.iso8601"
local principals = require "cr.emulator.principals"

local WINDOW = 15 * 60 -- seconds that a request's time may differ, either way

local function incomplete(what)
  return failure.gateway(400, "IncompleteSignature",
    "The request signature does not conform to Aliyun standards: " .. what .. ".")
end

--- The signed names as an array, or nil and what is wrong with them.
local function signed_names(text, headers)
  local list, is_signed = {}, {}
  for name in text:gmatch("[^;]+") do
    if not headers[name] then
      return nil, incomplete(('SignedHeaders names "%s", which was not sent'):format(name))
    elseif not is_signed[name] then
      is_signed[name] = true
      list[#list + 1] = name
    end
  end
  for name in pairs(headers) do
    if (name == "host" or name:sub(1, 6) == "x-acs-") and not is_signed[name] then
      return nil, incomplete(('header "%s" is not signed'):format(name))
    end
  end
  return list
end

--- V3: the claim that a request's Authorization makes, or nil and a failure.
local function read_v3(request)
  local headers = request.headers
  local key, names, signature = (headers.authorization or ""):match(
    "^ACS3%-HMAC%-SHA256%s+Credential=([^,%s]+),%s*SignedHeaders=([^,%s]+),%s*Signature=(%x+)$")
  if not key then
    return nil, incomplete("Authorization must read ACS3-HMAC-SHA256 Credential=<id>," ..
      "SignedHeaders=<names>,Signature=<hex>")
  end
  local signed, wrong = signed_names(names, headers)
  if not signed then
    return nil, wrong
  end
  local payload_hash = headers["x-acs-content-sha256"]
  if payload_hash ~= crypto.sha256_hex(request.body) then
    return nil, incomplete("x-acs-content-sha256 is not the SHA-256 of the body in lower-case hex")
  elseif (headers["x-acs-signature-nonce"] or "") == "" then
    return nil, incomplete("x-acs-signature-nonce is missing")
  end
  local id = headers["x-acs-accesskey-id"]
  if id and id ~= key then
    return nil, incomplete("x-acs-accesskey-id is not the id of Credential")
  end
  return {
    access_key_id = key,
    time = headers["x-acs-date"],
    nonce = headers["x-acs-signature-nonce"],
    security_token = headers["x-acs-security-token"],
    signature = signature,
    string_to_sign = canonical.v3_string_to_sign(crypto.sha256_hex(
      canonical.v3_request(request, signed, payload_hash))),
    sign = function(secret, text)
      return crypto.hex(crypto.hmac_sha256(secret, text))
    end,
  }
end

--- V1: the same from the parameters.
local function read_v1(request)
  local given = request.parameters
  for _, name in ipairs { "Signature", "AccessKeyId", "SignatureNonce" } do
    if (given[name] or "") == "" then
      return nil, incomplete(("parameter %s is missing"):format(name))
    end
  end
  if given.SignatureMethod ~= "HMAC-SHA1" then
    return nil, incomplete("SignatureMethod must be HMAC-SHA1")
  elseif given.SignatureVersion ~= "1.0" then
    return nil, incomplete("SignatureVersion must be 1.0")
  end
  return {
    access_key_id = given.AccessKeyId,
    time = given.Timestamp,
    nonce = given.SignatureNonce,
    security_token = given.SecurityToken,
    signature = given.Signature,
    string_to_sign = canonical.v1_string_to_sign(request.method, request.all_pairs),
    sign = function(secret, text)
      return ngx.encode_base64(crypto.hmac_sha1(secret .. "&", text))
    end,
  }
end

local function check_time(claim)
  local time = claim.time and iso8601.parse(claim.time)
  if not time then
    return failure.gateway(400, "IllegalTimestamp", "The input parameter \"Timestamp\" that is " ..
      "mandatory for processing this request is not supplied or is not YYYY-MM-DDTHH:MM:SSZ.")
  elseif math.abs(clock.seconds() - time) > WINDOW then
    return failure.gateway(400, "InvalidTimeStamp.Expired",
      "Specified time stamp or date value is expired.")
  end
end

local function check_session(user, claim)
  local token = claim.security_token
  if user.security_token and not token then
    return failure.gateway(400, "MissingSecurityToken",
      "SecurityToken is mandatory for this action.")
  elseif token and not crypto.equal(user.security_token or "", token) then
    return failure.gateway(400, "InvalidSecurityToken.Malformed",
      "Specified SecurityToken is malformed.")
  elseif user.expires and clock.seconds() >= user.expires then
    return failure.gateway(400, "InvalidSecurityToken.Expired",
      "Specified SecurityToken is expired.")
  end
end

local function check_signature(user, claim)
  local expected = claim.sign(user.access_key_secret, claim.string_to_sign)
  if not crypto.equal(expected, claim.signature) then
    return failure.gateway(400, "SignatureDoesNotMatch", "Specified signature is not matched " ..
      "with our calculation. server string to sign is:" .. claim.string_to_sign)
  end
end

--- Remembered as long as the request's time can lie in the window; the oldest go when it is full.
local function check_nonce(claim)
  local key = claim.access_key_id .. "\n" .. claim.nonce
  local added, reason = ngx.shared.cr_nonces:add(key, true, 2 * WINDOW)
  if not added and reason == "exists" then
    return failure.gateway(400, "SignatureNonceUsed",
      "Specified signature nonce was used already.")
  end
end

--- @param request see request.lua; gets access_key_id and nonce as far as they were readable
-- @return the caller (see principals.lua), or nil and a failure
local function authenticate(registry, request)
  local claim, wrong = (request.is_v3 and read_v3 or read_v1)(request)
  if not claim then
    return nil, wrong
  end
  request.access_key_id, request.nonce = claim.access_key_id, claim.nonce
  local user = principals.find(registry, claim.access_key_id)
  if not user then
    return nil, failure.gateway(404, "InvalidAccessKeyId.NotFound",
      "Specified access key is not found.")
  end
  wrong = check_time(claim) or check_session(user, claim) or check_signature(user, claim)
    or check_nonce(claim)
  if wrong then
    return nil, wrong
  end
  return user
end

return authenticate
