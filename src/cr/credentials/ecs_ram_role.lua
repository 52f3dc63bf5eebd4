--- The RAM role of the ECS instance this runs on, from its metadata server.
--
-- {type = "ecs_ram_role", role_name = …}; the server tells the role's name where it is not given.
-- The way with a token comes first, since a server that is reached through somebody else's program
-- gives none; the way without is taken where the server knows no token, unless `disable_imds_v1` or
-- ALIBABA_CLOUD_IMDSV1_DISABLED forbids it. No proxy is ever used: the answer is a credential, and
-- a proxy would ask its own instance.
--
-- Source: the vendor's page on the instance metadata of ECS, "RAM role".

local check = require "cr.credentials.check"
local remote = require "cr.credentials.remote"
local unavailable = require "cr.credentials.unavailable"
local variable = require "cr.credentials.variable"

local ADDRESS = "http://100.100.100.200"
local TOKEN_PATH = "/latest/api/token"
local ROLE_PATH = "/latest/meta-data/ram/security-credentials/"
local TOKEN_SECONDS = 21600
local TIMEOUT = 1 -- seconds; the server is next door or not there

--- The server. Its address is plain http by its nature, another one follows the client's rules.
local function find_server(ask, declared)
  local address = declared.metadata_endpoint or variable.text "CR_METADATA_ENDPOINT" or ADDRESS
  if address:gsub("/$", "") == ADDRESS then
    return { origin = ADDRESS, host = ADDRESS:match("//(.*)$"), is_loopback = false }
  end
  return remote.endpoint(ask, "metadata_endpoint", address)
end

--- One exchange with it. The answer's status must be 200.
-- @return response
-- @return nil, error, HTTP status if there was an answer, whether nobody was reached
local function exchange(ask, declared, server, given)
  local timeout = declared.timeout or TIMEOUT
  given.headers.host = server.host
  given.headers["user-agent"] = ask.settings.user_agent
  given.endpoint, given.url = server, server.origin .. given.path
  given.what = ("ECS metadata server at %s, %s"):format(server.host, given.path)
  given.timeout, given.connect_timeout = timeout, declared.connect_timeout or timeout
  given.is_direct = true
  given.secrets = { given.headers["x-aliyun-ecs-metadata-token"] }
  local response, err, sent = remote.send(ask, given)
  if not response then
    return nil, err, nil, sent == false
  elseif response.status ~= 200 then
    return nil, unavailable(("%s: HTTP %d"):format(given.what, response.status), {
      retryable = response.status >= 500,
    }), response.status
  end
  return response
end

--- What an answer of the server's own would not be: then something else lives at its address.
local function is_refusal(status)
  return status ~= nil and status < 500
end

--- @return headers for the requests that follow: with a token, or none where that is allowed; then
--   also why there is none
-- @return nil, error, whether there is no metadata server here
local function get_token(ask, declared, server)
  local response, err, status, is_unreachable = exchange(ask, declared, server, {
    method = "PUT", path = TOKEN_PATH,
    headers = { ["x-aliyun-ecs-metadata-token-ttl-seconds"] = ("%d"):format(TOKEN_SECONDS) },
  })
  local token = response and response.body:match("^%s*([%w%-%._~+/=]+)%s*$")
  if token then
    return { ["x-aliyun-ecs-metadata-token"] = token }
  elseif is_unreachable then
    return nil, err, true
  elseif declared.disable_imds_v1 or variable.flag "ALIBABA_CLOUD_IMDSV1_DISABLED" then
    err = err or unavailable(("ECS metadata server at %s, %s: the answer is no token")
      :format(server.host, TOKEN_PATH))
    err.message = err.message .. ", and the way without a token is disabled"
    return nil, err, is_refusal(status)
  end
  return {}, err
end

--- @return name
-- @return nil, error, whether there is no metadata server or no role here
local function get_role_name(ask, declared, server, headers)
  local response, err, status, is_unreachable = exchange(ask, declared, server, {
    method = "GET", path = ROLE_PATH, headers = headers,
  })
  if not response then
    if status == 404 then
      err.message = "no RAM role is attached to this ECS instance (" .. err.message .. ")"
    end
    return nil, err, is_unreachable or is_refusal(status)
  end
  local name = response.body:match("^%s*([%w%-_.]+)%s*$") or
    response.body:match("^%s*([%w%-_.]+)%s*\n")
  if not name then
    return nil, unavailable("what answers at " .. server.host .. " is no ECS metadata server: " ..
      "it told no role's name"), true
  end
  return name
end

local function get_session(ask, declared, server, headers, role)
  local request = { method = "GET", path = ROLE_PATH .. role, headers = headers }
  local response, err, status = exchange(ask, declared, server, request)
  if not response then
    if status == 404 then
      err.message = ("role %s is not attached to this ECS instance (%s)"):format(role, err.message)
    end
    return nil, err
  end
  local fields, session
  fields, err = remote.read(request, response)
  if fields then
    session, err = remote.session(request.what, fields)
  end
  if session then
    session.origin = ("role %s of this ECS instance"):format(role)
  end
  return session, err
end

--- Not configured (the third result) where no server is or no role is attached, unless a role was
-- asked for by name.
local function fetch(ask, declared)
  local server, err = find_server(ask, declared)
  if not server then
    return nil, err
  end
  local role = declared.role_name or variable.text "ALIBABA_CLOUD_ECS_METADATA"
  local is_named = role ~= nil
  if is_named and not role:find("^%w[%w%-_.]*$") then
    return nil, unavailable("the name of the ECS instance's role is not made of letters, digits " ..
      "and . _ - (role_name, or ALIBABA_CLOUD_ECS_METADATA)")
  end
  local headers, is_absent
  headers, err, is_absent = get_token(ask, declared, server)
  if headers and not role then
    local no_token = err
    role, err, is_absent = get_role_name(ask, declared, server, headers)
    if no_token and not role then
      err.message = ("%s; before that, %s"):format(err.message, no_token.message)
    end
  end
  if not headers or not role then
    return nil, err, is_absent and not is_named
  end
  return get_session(ask, declared, server, headers, role)
end

return {
  fields = {
    role_name = check.line,
    disable_imds_v1 = check.boolean,
    metadata_endpoint = check.line,
    timeout = check.seconds,
    connect_timeout = check.seconds,
  },

  fetch = fetch,
}
