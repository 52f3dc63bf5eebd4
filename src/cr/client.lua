--- The client: what happens in a call, in order.
--
-- Validate and flatten (C), find the endpoint, get a credential, sign (C), exchange (transport),
-- decode and judge, and again if that is safe. From the parameters to the headers a call is one
-- object of the core (`cr.core.request`), which a transport of the user's gets as a plain table.
-- This file is straight-line Lua, so that a transport may yield in `exchange` and `sleep`.

local answer = require "cr.answer"
local config = require "cr.config"
local core = require "cr.core"
local credentials = require "cr.credentials"
local endpoints = require "cr.endpoint"
local hint = require "cr.hint"
local new_error = require "cr.error"
local operations = require "cr.operations"
local retry = require "cr.retry"
local suggest = require "cr.suggest"
local version = require "cr.version"

local client = {}

local Client = {}

-- Where a client keeps its settings: behind a function, so that a walk over a client finds no proxy
-- password and no credential.
local SETTINGS = {}

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

-- Bytes. A shorter "secret" stands in any sentence by chance; real ones have 30 and more.
local SHORTEST_SECRET = 6

--- Replaces what must not be shown, also percent-encoded once (in a query) and twice (in the
-- string to sign of a V1 signature).
local function mask(text, credential)
  local function encode(value)
    return (value:gsub("[^%w%-_.~]", function(c) return ("%%%02X"):format(c:byte()) end))
  end
  for _, secret in pairs { credential.security_token, credential.access_key_secret } do
    for _ = 1, #secret < SHORTEST_SECRET and 0 or 3 do
      local start, stop = text:find(secret, 1, true)
      while start do
        text = text:sub(1, start - 1) .. "***" .. text:sub(stop + 1)
        start, stop = text:find(secret, start + 3, true)
      end
      secret = encode(secret)
    end
  end
  return text
end

--- The same for all texts of a table. Returns a new one.
local function mask_all(value, credential)
  if type(value) == "string" then
    return mask(value, credential)
  elseif type(value) ~= "table" then
    return value
  end
  local masked = {}
  for name, field in pairs(value) do
    masked[mask_all(name, credential)] = mask_all(field, credential)
  end
  return masked
end

--- The same for an error, in place.
local function masked(err, credential)
  for name, value in pairs(err) do
    err[name] = mask_all(value, credential)
  end
  return err
end

--- A failure of any transport as code, message, sent.
local function read_failure(failure)
  if type(failure) == "table" then
    return type(failure.code) == "string" and failure.code or "TransferFailed",
      tostring(failure.message or failure.code or "the transport gives no reason"), failure.sent
  end
  return "TransferFailed", tostring(failure or "the transport gives no reason"), nil
end

local function transport_error(attempt, failure)
  local code, message, sent = read_failure(failure)
  local err = masked(new_error { kind = "transport", code = code, message = message },
    attempt.credential)
  err.operation = attempt.operation.name
  err.hint = hint.for_transport(code, attempt)
  err.retryable = retry.after_transport(attempt.operation, code, sent)
  return err
end

local function complete_service_error(err, attempt, response)
  local message = err.message
  err.retryable = retry.after_answer(attempt.operation, err)
  masked(err, attempt.credential)
  err.operation = attempt.operation.name
  err.hint = hint.for_service(err, attempt, response, message)
  return err
end

local function is_response(response)
  return type(response) == "table" and type(response.status) == "number" and
    response.status % 1 == 0 and type(response.body) == "string" and
    (response.info == nil or type(response.info) == "table")
end

--- Signs the attempt with its credential, at its time. True, or nil and the reason.
local function sign(attempt)
  local request, credential = attempt.request, attempt.credential
  local method = attempt.settings.signature == "v1" and request.sign_v1 or request.sign_v3
  return method(request, attempt.time, credential.access_key_id, credential.access_key_secret,
    credential.security_token, attempt.number - 1, math.floor(attempt.pause * 1000))
end

--- Our own transports take the request as it is, a user's gets a table of it.
local function exchange(attempt)
  local settings = attempt.settings
  if settings.send then
    return settings.send(attempt.request, settings, attempt.timeout)
  end
  return settings.transport.exchange(attempt.request:table(settings, attempt.timeout))
end

--- One attempt: credential, signature, exchange, judgement.
-- @return answer, nil, response  or nil, error, response if there was one
local function try(attempt)
  local settings = attempt.settings
  local credential, err = settings.provider.get()
  if not credential then
    err.operation = attempt.operation.name
    return nil, err
  end
  attempt.credential = credential
  attempt.time = settings.transport.now()
  if type(attempt.time) ~= "number" then
    return nil, transport_error(attempt, { code = "BadTransport",
      message = "the transport's now() returned no number" })
  end
  local signed, reason = sign(attempt)
  if not signed then
    return nil, new_error {
      kind = "validation", code = "InvalidRequest", message = reason,
      operation = attempt.operation.name, retryable = false,
    }
  end
  local response, failure = exchange(attempt)
  if not response then
    return nil, transport_error(attempt, failure)
  end
  if not is_response(response) then
    return nil, transport_error(attempt, { code = "BadTransport",
      message = "the transport returned no table with an integer status and a string body" })
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
local function report(attempt, result, err, response, pause)
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
  }
  attempt.settings.on_attempt(attempt.credential and mask_all(event, attempt.credential) or event)
end

--- The clock of the deadline: one that nobody sets, where the transport is ours.
local function clock_of(settings)
  return settings.send and core.monotonic or settings.transport.now
end

--- Seconds until the next attempt, or nil when there is none: the last one, not safe, or the
-- deadline would pass meanwhile.
local function pause_after(attempt, err, response, ends)
  local settings = attempt.settings
  if not err.retryable or attempt.number >= settings.max_attempts then
    return nil
  end
  local pause = retry.pause(attempt.number, response)
  if ends and clock_of(settings)() + pause >= ends then
    return nil
  end
  return pause
end

--- All attempts of a call whose parameters are valid.
local function perform(operation, request, settings, endpoint)
  local transport = settings.transport
  local clock = clock_of(settings)
  local ends = settings.deadline and clock() + settings.deadline
  local attempt = {
    operation = operation, request = request, settings = settings, endpoint = endpoint,
    number = 0, pause = 0, timeout = settings.timeout, credential = false, time = 0,
  }
  while true do
    attempt.number = attempt.number + 1
    if ends then
      attempt.timeout = math.max(0.001, math.min(settings.timeout, ends - clock()))
    end
    local result, err, response = try(attempt)
    local pause = err and pause_after(attempt, err, response, ends)
    if settings.on_attempt then
      report(attempt, result, err, response, pause)
    end
    if result then
      return result, nil, info_of(result, response, attempt.number)
    end
    err.attempts = attempt.number
    if not pause then
      return nil, err
    end
    attempt.pause = pause
    transport.sleep(pause)
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

local NO_PARAMETERS = {}

local user_agent = ("cr/%s (%s) libcurl/%s"):format(version,
  rawget(_G, "jit") and rawget(_G, "jit").version or _VERSION, core.libcurl_version)

--- A new table with the fields of both; those of `given` win.
local function overlay(base, given)
  local merged = {}
  for _, source in ipairs { base, given } do
    for key, value in pairs(source) do
      merged[key] = value
    end
  end
  return merged
end

local function run(request, operation, params, settings)
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
    settings.unproxied = settings.unproxied or overlay(settings, { proxy = "" })
    settings = settings.unproxied
  end
  request:aim(endpoint.origin, endpoint.host, settings.user_agent or user_agent)
  return perform(operation, request, settings, endpoint)
end

--- The given settings over `base`, with what they stand for: a provider for credentials, a whole
-- transport, an endpoint that is found once where it cannot change.
local function resolve(given, base)
  local settings = overlay(base, given)
  settings.unproxied = nil
  if given.credentials ~= nil or not settings.provider then
    settings.provider = credentials.new(given.credentials)
  end
  settings.credentials = nil
  if given.transport then
    settings.transport = setmetatable({}, { __index = given.transport })
    settings.transport.now = given.transport.now or core.time
    settings.transport.sleep = given.transport.sleep or core.sleep
    settings.send = nil
  end
  if given.region and not given.endpoint then
    settings.endpoint = nil -- a region given for one call outranks the client's endpoint
  end
  local known
  settings.endpoint_of = function(current)
    if known then
      return known
    end
    local found, err = endpoints.resolve(current)
    if found and (current.endpoint or current.region) then
      known = found
    end
    return found, err
  end
  return settings
end

local function settings_of(self)
  local get = type(self) == "table" and rawget(self, SETTINGS)
  if not get then
    error("not a client: call methods as client:method(…)", 4)
  end
  return get()
end

-- A request of the core, taken out while a call uses it: calls that overlap (in coroutines, from
-- finalizers) find none and make their own; one lost to an error that was raised is collected.
local idle_request

local function call(self, operation, params, options)
  local settings = settings_of(self)
  if options then
    settings = resolve(options, settings)
    if options.method and options.method ~= operation.method then
      operation = setmetatable({ other_method = options.method }, { __index = operation })
    end
  end
  local request = idle_request or core.request()
  idle_request = nil
  local answer_table, err, info = run(request, operation, params or NO_PARAMETERS, settings)
  request:clear()
  idle_request = request
  return answer_table, err, info
end

--- Raises, at the caller of the method, for arguments that no data can excuse.
local function check_call(name, params, options)
  if params ~= nil and type(params) ~= "table" then
    error(("%s: the parameters must be a table, got a %s"):format(name, type(params)), 3)
  end
  if options ~= nil then
    if type(options) ~= "table" then
      error(("%s: the options must be a table, got a %s"):format(name, type(options)), 3)
    end
    local problem = client.problem("options", options, true)
    if problem then
      error(problem, 3)
    end
  end
end

local function call_by_name(self, name, params, options)
  local operation = operations.find(name)
  if not operation then
    if not (options and options.method) then
      local best = operations.suggestion(name)
      return nil, new_error {
        kind = "validation", code = "UnknownOperation", retryable = false, operation = name,
        message = "no such operation" .. (best and "; did you mean " .. best .. "?" or ""),
        hint = not best and "if it is newer than this library, give options.method" or nil,
      }
    end
    if not name:find("^%a[%w_]*$") then
      return nil, new_error {
        kind = "validation", code = "UnknownOperation", retryable = false, operation = "call",
        message = "an operation's name is made of letters and digits",
      }
    end
    operation = operations.unlisted(name, options.method)
  end
  return call(self, operation, params, options)
end

local function check_name(name)
  if type(name) ~= "string" then
    error(("call: the operation's name must be a string, got a %s"):format(type(name)), 3)
  end
end

--- Calls an operation by name.
-- @tparam string name "GetRepoTag" or "get_repo_tag"; with `options.method` also one that this
--   version of the library does not know
-- @tparam[opt] table params by the names of the API
-- @tparam[opt] table options configuration for this call only, and `method` ("GET" or "POST")
-- @return the answer's table, nil, info
-- @return nil, error
function Client:call(name, params, options)
  check_name(name)
  check_call(name, params, options)
  local result, err, info = call_by_name(self, name, params, options)
  return result, err, info
end

--- `Client.call` on a client that is asked for at each call.
function client.module_call(default)
  return function(name, params, options)
    check_name(name)
    check_call(name, params, options)
    local result, err, info = call_by_name(default(), name, params, options)
    return result, err, info
  end
end

--- Drops kept connections. The client can go on being used.
function Client:close()
  local transport = settings_of(self).transport
  if transport.close then
    transport.close()
  end
end

--- The operation of that snake_case name, or nil.
local function find_by_lua_name(name)
  local operation = type(name) == "string" and operations.find(name)
  return operation and operation.lua_name == name and operation or nil
end

--- The function of an operation on a client that is asked for at each call; nil for a name that is
-- not an operation's in snake_case.
function client.module_function(name, default)
  local operation = find_by_lua_name(name)
  if not operation then
    return nil
  end
  return function(params, options)
    check_call(operation.lua_name, params, options)
    local result, err, info = call(default(), operation, params, options)
    return result, err, info
  end
end

--- The method of an operation by its snake_case name, or nil.
function client.method(name)
  local operation = find_by_lua_name(name)
  if not operation then
    return nil
  end
  return function(self, params, options)
    check_call(operation.lua_name, params, options)
    local result, err, info = call(self, operation, params, options)
    return result, err, info
  end
end

-- Methods of operations are made when they are first used, once for all clients.
setmetatable(Client, {
  __index = function(methods, name)
    local method = client.method(name)
    if method then
      methods[name] = method
    end
    return method
  end,
})

local metatable = {
  __index = Client,
  __name = "cr.client",
  __tostring = function(self)
    local settings = settings_of(self)
    local where = settings.endpoint or settings.region or "environment"
    return ("cr.client (%s)"):format((where:gsub("^.*@", ""))) -- no password put there by mistake
  end,
}

--- What is wrong with settings, credentials included, or nil.
function client.problem(what, given, is_option)
  local problem = config.problem(what, given, is_option)
  if not problem and type(given.credentials) == "table" then
    problem = credentials.problem(given.credentials)
    problem = problem and what .. ": " .. problem
  end
  return problem
end

--- Makes a client. See the README for the configuration.
function client.new(given)
  given = given == nil and {} or given
  if type(given) ~= "table" then
    error(("cr.new: the configuration must be a table, got a %s"):format(type(given)), 2)
  end
  local problem = client.problem("cr.new", given)
  if problem then
    error(problem, 2)
  end
  local settings = resolve(given, config.defaults)
  if not settings.transport then
    settings.transport = require "cr.transport.curl" ()
    settings.send = settings.transport.send
  end
  return setmetatable({
    [SETTINGS] = function()
      return settings
    end,
  }, metatable)
end

return client
