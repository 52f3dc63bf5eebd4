--- From an operation, its flat parameters and a credential to the request that is sent.
--
-- The signatures are computed in C from exactly the tables that become the request; time and
-- nonce are put in here, new for every attempt.

local core = require "cr.core"
local version = require "cr.version"

local signing = {}

-- SHA-256 of the empty body, which every call of this API has.
local EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

signing.user_agent = ("cr/%s (%s) libcurl/%s"):format(version,
  rawget(_G, "jit") and rawget(_G, "jit").version or _VERSION, core.libcurl_version)

local function request(attempt, url, headers)
  local settings = attempt.settings
  return {
    method = attempt.operation.method,
    url = url,
    headers = headers,
    body = "",
    timeout = attempt.timeout,
    connect_timeout = settings.connect_timeout,
    max_response_bytes = settings.max_response_bytes,
    ca_file = settings.ca_file,
    ca_path = settings.ca_path,
    proxy = settings.proxy,
  }
end

local function v3_headers(attempt, nonce)
  local credential = attempt.credential
  local headers = {
    ["host"] = attempt.endpoint.host,
    ["x-acs-action"] = attempt.operation.name,
    ["x-acs-version"] = core.api_version,
    ["x-acs-date"] = core.iso8601(attempt.time),
    ["x-acs-signature-nonce"] = nonce,
    ["x-acs-content-sha256"] = EMPTY_SHA256,
    ["user-agent"] = attempt.settings.user_agent or signing.user_agent,
    ["accept"] = "application/json",
    ["authorization"] = false, -- set below; here so that the table has its size from the start
  }
  if credential.security_token then
    headers["x-acs-accesskey-id"] = credential.access_key_id
    headers["x-acs-security-token"] = credential.security_token
  end
  if attempt.number > 1 then
    headers["x-acs-retry-attempts"] = ("%d"):format(attempt.number - 1)
    headers["x-acs-retry-delay"] = ("%d"):format(math.floor(attempt.pause * 1000))
  end
  headers.authorization = nil
  return headers
end

--- Signature V3 (ACS3-HMAC-SHA256): everything in headers.
function signing.v3(attempt)
  local credential = attempt.credential
  local nonce, reason = core.nonce()
  if not nonce then
    return nil, reason
  end
  local headers = v3_headers(attempt, nonce)
  local authorization, query = core.authorize_v3(attempt.operation.method, attempt.query, headers,
    credential.access_key_id, credential.access_key_secret)
  if not authorization then
    return nil, query
  end
  headers.authorization = authorization
  local url = attempt.endpoint.origin .. "/"
  return request(attempt, query == "" and url or url .. "?" .. query, headers)
end

local function v1_query(attempt, nonce)
  local credential = attempt.credential
  local query = {}
  for name, value in pairs(attempt.query) do
    query[name] = value
  end
  query.Action = attempt.operation.name
  query.Format = "JSON"
  query.Version = core.api_version
  query.Timestamp = core.iso8601(attempt.time)
  query.SignatureNonce = nonce
  query.SignatureMethod = "HMAC-SHA1"
  query.SignatureVersion = "1.0"
  query.AccessKeyId = credential.access_key_id
  query.SecurityToken = credential.security_token
  return query
end

--- Signature V1 (RPC, HMAC-SHA1): everything in the query.
function signing.v1(attempt)
  local nonce, reason = core.nonce()
  if not nonce then
    return nil, reason
  end
  local query = v1_query(attempt, nonce)
  local signature, encoded = core.authorize_v1(attempt.operation.method, query,
    attempt.credential.access_key_secret)
  if not signature then
    return nil, encoded
  end
  attempt.signed_query = query
  signature = signature:gsub("[+/=]", { ["+"] = "%2B", ["/"] = "%2F", ["="] = "%3D" })
  return request(attempt, ("%s/?%s&Signature=%s"):format(attempt.endpoint.origin, encoded,
    signature), {
    ["host"] = attempt.endpoint.host,
    ["user-agent"] = attempt.settings.user_agent or signing.user_agent,
    ["accept"] = "application/json",
  })
end

--- The string to sign of a request that was sent, computed again for a comparison with the
-- server's.
function signing.string_to_sign(attempt, sent)
  local is_v1 = attempt.settings.signature == "v1"
  return core.sign({
    algorithm = is_v1 and "HMAC-SHA1" or "ACS3-HMAC-SHA256",
    method = sent.method,
    query = is_v1 and attempt.signed_query or attempt.query,
    headers = sent.headers,
    access_key_id = attempt.credential.access_key_id,
    access_key_secret = attempt.credential.access_key_secret,
  }).string_to_sign
end

return signing
