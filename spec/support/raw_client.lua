--- Requests built by hand and sent over a plain socket, for what a well-behaved client never sends.
--
-- Signed by the library's `cr.sign`, so that the emulator's own canonicalisation is compared with
-- another one on every call. Every piece can be overridden before or after it was signed.

local cjson = require "cjson"
local cr = require "cr"
local socket = require "socket"

local raw = {}

raw.STS_VERSION = "2015-04-01"

local FORM = "application/x-www-form-urlencoded"

local count = 0

--- A nonce that no other request has.
function raw.nonce()
  count = count + 1
  return ("%d-%d-%d"):format(os.time(), count, math.floor(socket.gettime() * 1e6) % 1e6)
end

function raw.date(offset)
  return os.date("!%Y-%m-%dT%H:%M:%SZ", os.time() + (offset or 0))
end

local function encode(text)
  return (text:gsub("[^A-Za-z0-9%-._~]", function(char)
    return ("%%%02X"):format(char:byte())
  end))
end

function raw.encode_query(query)
  local parts = {}
  for name, value in pairs(query) do
    parts[#parts + 1] = encode(name) .. "=" .. encode(value)
  end
  return table.concat(parts, "&")
end

local function merge(into, from)
  for name, value in pairs(from or {}) do
    into[name] = value or nil
  end
  return into
end

local function host_of(server)
  return server.endpoint:match("^http://(.*)$")
end

--- Lower-case hex; `cr.sign` writes it last into the canonical request.
local function sha256(body)
  return cr.sign({ method = "POST", query = {}, headers = {}, body = body, access_key_id = "a",
    access_key_secret = "b" }).canonical_request:match("%x+$")
end

--- A request signed with V3.
-- @param given operation, version, query, form (a table: parameters in the body), method ("POST"),
-- body, headers (replace or, with false, remove headers before signing), after (the same after
-- signing), user (access_key_id, access_key_secret, security_token; the server's first user if not
-- given)
-- @return table method, target, headers, body
function raw.v3(server, given)
  local user = given.user or server
  local body = given.form and raw.encode_query(given.form) or given.body or ""
  local headers = merge({
    ["host"] = host_of(server),
    ["content-type"] = given.form and FORM,
    ["x-acs-action"] = given.operation,
    ["x-acs-version"] = given.version or "2018-12-01",
    ["x-acs-date"] = raw.date(),
    ["x-acs-signature-nonce"] = raw.nonce(),
    ["x-acs-content-sha256"] = sha256(body),
    ["x-acs-security-token"] = user.security_token,
  }, given.headers)
  local method = given.method or "POST"
  headers.authorization = cr.sign({
    method = method, query = given.query or {}, headers = headers, body = body,
    access_key_id = user.access_key_id, access_key_secret = user.access_key_secret,
  }).authorization
  return {
    method = method,
    target = "/?" .. raw.encode_query(given.query or {}),
    headers = merge(headers, given.after),
    body = body,
  }
end

--- A request signed with V1; `given` as for v3, but with `query` instead of headers and
-- `form` true to send the parameters as a form. `parameters` replace or remove before signing.
function raw.v1(server, given)
  local user = given.user or server
  local query = merge(merge({
    Action = given.operation, Version = given.version or "2018-12-01", Format = "JSON",
    Timestamp = raw.date(), SignatureNonce = raw.nonce(), SignatureMethod = "HMAC-SHA1",
    SignatureVersion = "1.0", AccessKeyId = user.access_key_id,
    SecurityToken = user.security_token,
  }, given.query), given.parameters)
  local method = given.method or "POST"
  query.Signature = cr.sign({
    algorithm = "HMAC-SHA1", method = method, query = query, headers = {},
    access_key_id = user.access_key_id, access_key_secret = user.access_key_secret,
  }).signature
  local encoded = raw.encode_query(merge(query, given.after))
  local headers = { host = host_of(server) }
  if given.form then
    headers["content-type"] = FORM
  end
  return {
    method = method,
    target = given.form and "/" or "/?" .. encoded,
    headers = merge(headers, given.headers),
    body = given.form and encoded or "",
  }
end

--- A request without a signature.
-- @param given method ("GET"), path ("/"), query, form, body, headers
function raw.unsigned(server, given)
  local headers = { host = host_of(server) }
  if given.form then
    headers["content-type"] = FORM
  end
  local query = given.query and "?" .. raw.encode_query(given.query) or ""
  return {
    method = given.method or "GET",
    target = (given.path or "/") .. query,
    headers = merge(headers, given.headers),
    body = given.form and raw.encode_query(given.form) or given.body or "",
  }
end

function raw.bytes(request)
  local lines = { ("%s %s HTTP/1.1"):format(request.method, request.target) }
  for name, value in pairs(request.headers) do
    lines[#lines + 1] = name .. ": " .. value
  end
  lines[#lines + 1] = "content-length: " .. #request.body
  if not request.headers.connection then
    lines[#lines + 1] = "connection: close"
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n" .. request.body
end

--- Sends bytes and reads until the server closes.
-- @return everything that came
function raw.exchange(server, bytes)
  local host, port = server.endpoint:match("^http://(.-):(%d+)$")
  local connection = assert(socket.connect(host, tonumber(port)))
  connection:settimeout(20)
  assert(connection:send(bytes))
  local all, reason, partial = connection:receive("*a")
  connection:close()
  assert(reason ~= "timeout", "the server neither answered nor closed within 20 seconds")
  return all or partial
end

--- Splits an answer that has a Content-Length.
-- @return table status, headers (lower-case names), body
function raw.parse(answer)
  local head, body = answer:match("^(.-\r\n)\r\n(.*)$")
  assert(head, "no HTTP answer: " .. answer:sub(1, 80))
  local headers = {}
  for name, value in head:gmatch("\n?([%w-]+): ([^\r]*)\r\n") do
    headers[name:lower()] = value
  end
  return { status = tonumber(head:match("^HTTP/1%.1 (%d+)")), headers = headers, body = body }
end

--- Sends a request made by v3 or v1.
-- @return the decoded body (nil when it is no JSON), and the answer as from `parse`
function raw.send(server, request)
  local answer = raw.parse(raw.exchange(server, raw.bytes(request)))
  local ok, value = pcall(cjson.decode, answer.body)
  return ok and value or nil, answer
end

--- A V3 call that follows all rules.
function raw.call(server, operation, query, user)
  return raw.send(server, raw.v3(server, { operation = operation, query = query, user = user }))
end

--- The same for a call of STS.
function raw.sts(server, operation, query, user)
  return raw.send(server, raw.v3(server, {
    operation = operation, version = raw.STS_VERSION, query = query, user = user,
  }))
end

--- An answer's Credentials as the `user` of a request.
function raw.user_of(credentials)
  return {
    access_key_id = credentials.AccessKeyId, access_key_secret = credentials.AccessKeySecret,
    security_token = credentials.SecurityToken,
  }
end

--- The arguments with which the curl command sends a request.
function raw.curl(server, request)
  local parts = { "env -u LD_PRELOAD curl -sS -g -X " .. request.method }
  for name, value in pairs(request.headers) do
    parts[#parts + 1] = ("-H '%s: %s'"):format(name, value)
  end
  parts[#parts + 1] = ("'%s%s'"):format(server.endpoint, request.target)
  return table.concat(parts, " ")
end

return raw
