--- The client: its settings, and its methods.
--
-- What happens in a call is in pipeline.lua.

local config = require "cr.config"
local core = require "cr.core"
local credentials = require "cr.credentials"
local endpoints = require "cr.endpoint"
local identity = require "cr.identity"
local new_error = require "cr.error"
local operations = require "cr.operations"
local overlay = require "cr.overlay"
local pipeline = require "cr.pipeline"
local retry = require "cr.retry"
local transports = require "cr.transport"
local user_agent = require "cr.user_agent"

local client = {}

local Client = {}

-- Where a client keeps its settings: behind a function, so that a walk over a client finds no proxy
-- password and no credential.
local SETTINGS = {}

local NO_PARAMETERS = {}

local function always()
  return true
end

local function never()
  return false
end

local function use_own_transport(settings, name)
  settings.transport = transports.of(name, settings)
  settings.send = settings.transport.send
  settings.yields = settings.transport.yields or never
  settings.obstacle = settings.transport.obstacle
  settings.clock = core.monotonic -- nobody sets it, where the transport is ours
end

--- The given settings over `base`, with what they stand for: a provider for credentials, a whole
-- transport, an endpoint that is found once where it cannot change. Beside the configuration:
--
-- - `provider` of credentials
-- - `send`: the transport is ours and takes a request of the core
-- - `clock`: seconds, for deadlines and pauses
-- - `transports` of ours that the client has, see transport/init.lua
-- - `obstacle()`: why the transport can make no call where the caller is, or nil; may be nil
-- - `learnt`: what the client learns, shared by all its calls, see retry.lua
-- - `yields()`: whether a pause of the transport, where the caller is, lets other coroutines run
-- - `endpoint_of(settings)`
-- - `unproxied`: the same without a proxy, for loopback; its `given` are these again
local function resolve(given, base)
  local settings = overlay(base, given)
  settings.unproxied, settings.given = nil, nil
  if given.credentials ~= nil or not settings.provider then
    settings.provider = credentials.new(given.credentials)
  end
  settings.credentials = nil
  if type(given.transport) == "table" then
    settings.transport = setmetatable({}, { __index = given.transport })
    settings.transport.now = given.transport.now or core.time
    settings.transport.sleep = given.transport.sleep or core.sleep
    settings.yields = given.transport.sleep and always or never -- it is not known, of a user's
    settings.send, settings.obstacle = nil, nil
    settings.clock = settings.transport.now
  elseif given.transport or given.thread_pool or not settings.transport then
    use_own_transport(settings, given.transport)
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

--- @tparam ?number level where the caller's line is, for `error`
local function settings_of(self, level)
  local get = type(self) == "table" and rawget(self, SETTINGS)
  if not get then
    error("not a client: call methods as client:method(…)", level or 4)
  end
  return get()
end

-- Requests of the core that no call uses. A call takes one out: calls that overlap (in coroutines,
-- from finalizers) have one each; one lost to an error that was raised is collected.
local idle_requests = { count = 0 }
local KEPT_REQUESTS = 64

local function take_request()
  local count = idle_requests.count
  if count == 0 then
    return core.request()
  end
  local request = idle_requests[count]
  idle_requests[count] = nil
  idle_requests.count = count - 1
  return request
end

local function put_back(request)
  request:clear()
  local count = idle_requests.count
  if count < KEPT_REQUESTS then
    idle_requests[count + 1] = request -- may find no memory, so that it is counted after it
    idle_requests.count = count + 1
  end
end

--- A call with settings that are resolved.
-- @tparam ?function run what is done with the request, `pipeline.run` if not given
function client.perform(settings, operation, params, run)
  local request = take_request()
  local answer_table, err, info = (run or pipeline.run)(request, operation, params, settings)
  put_back(request)
  return answer_table, err, info
end

--- The operation as these options want it called.
local function with_method(operation, options)
  if options.method and options.method ~= operation.method then
    return setmetatable({ other_method = options.method }, { __index = operation })
  end
  return operation
end

local function call(self, operation, params, options)
  local settings = settings_of(self)
  if options then
    settings = resolve(options, settings)
    operation = with_method(operation, options)
  end
  local answer_table, err, info = client.perform(settings, operation, params or NO_PARAMETERS)
  return answer_table, err, info
end

--- Raises, at the caller of the method, for arguments that no data can excuse.
-- @tparam ?table own checks of the options that only this method has, by name (see config.lua)
local function check_call(name, params, options, own)
  if params ~= nil and type(params) ~= "table" then
    error(("%s: the parameters must be a table, got a %s"):format(name, type(params)), 3)
  end
  if options ~= nil then
    if type(options) ~= "table" then
      error(("%s: the options must be a table, got a %s"):format(name, type(options)), 3)
    end
    local problem = client.problem("options", options, own or config.call_options)
    if problem then
      error(problem, 3)
    end
  end
end

--- The operation of that name; with `options.method` one that is not in the table too.
-- @return operation, or nil, error
function client.find_operation(name, options)
  local operation = operations.find(name)
  if operation then
    return options and with_method(operation, options) or operation
  end
  local method = options and options.method
  if not method then
    local best = operations.suggestion(name)
    return nil, new_error {
      kind = "validation", code = "UnknownOperation", retryable = false, operation = name,
      message = "no such operation" .. (best and "; did you mean " .. best .. "?" or ""),
      hint = not best and "if it is newer than this library, give options.method" or nil,
    }
  elseif not name:find("^%a[%w_]*$") then
    return nil, new_error {
      kind = "validation", code = "UnknownOperation", retryable = false, operation = "call",
      message = "an operation's name is made of letters and digits",
    }
  end
  return operations.unlisted(name, method)
end

local function call_by_name(self, name, params, options)
  local operation, err = client.find_operation(name, options)
  if not operation then
    return nil, err
  end
  local answer_table, info
  answer_table, err, info = call(self, operation, params, options)
  return answer_table, err, info
end

local function check_name(method, name)
  if type(name) ~= "string" then
    error(("%s: the operation's name must be a string, got a %s"):format(method, type(name)), 3)
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
  check_name("call", name)
  check_call(name, params, options)
  local result, err, info = call_by_name(self, name, params, options)
  return result, err, info
end

--- `Client.call` on a client that is asked for at each call.
function client.module_call(default)
  return function(name, params, options)
    check_name("call", name)
    check_call(name, params, options)
    local result, err, info = call_by_name(default(), name, params, options)
    return result, err, info
  end
end

--- Who signs: fetches a credential as a call would, and tells whose it is, without its secrets.
-- @tparam[opt] table options configuration for this call only
-- @return {provider (name of the type; of the default chain the one that is used), origin (where in
--   it), access_key_id (masked but for its last four characters), expiration ("…Z", nil for none),
--   warnings (array), chain (array of {provider, outcome, reason}: what each provider of the
--   default chain said, nil elsewhere)}
-- @return nil, error (with `chain` too)
function Client:credentials(options)
  check_call("credentials", nil, options)
  local settings = settings_of(self, 3)
  return identity.of(options and resolve(options, settings) or settings)
end

--- `Client.credentials` on a client that is asked for at each call.
function client.module_credentials(default)
  return function(options)
    check_call("credentials", nil, options)
    return default():credentials(options)
  end
end

--- Drops kept connections. The client can go on being used.
function Client:close()
  local transport = settings_of(self, 3).transport
  if transport.close then
    transport.close()
  end
end

-- Methods with modules of their own, loaded at their first use. Each module returns the method.
local MODULES = {
  explain = "cr.explain",
  items = "cr.items",
  map = "cr.map",
  pages = "cr.pages",
  wait_for = "cr.wait_for",
}

-- What those modules share with this one.
client.settings_of = settings_of
client.resolve = resolve
client.check_call = check_call
client.check_name = check_name

--- `client:<method>(…)` on a client that is asked for at each call; nil for a name that is none.
function client.module_method(name, default)
  local method = type(name) == "string" and MODULES[name] and require(MODULES[name])
  return method and function(...)
    return method(default(), ...)
  end or nil
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
    local method = MODULES[name] and require(MODULES[name]) or client.method(name)
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

--- What is wrong with settings, credentials included, or nil. See config.problem.
function client.problem(what, given, own)
  local problem = config.problem(what, given, own)
  if not problem and type(given.credentials) == "table" then
    problem = credentials.problem(given.credentials)
    problem = problem and what .. ": " .. problem
  end
  return problem
end

local DEFAULTS = overlay(config.defaults, { user_agent = user_agent })

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
  local settings = resolve(given, overlay(DEFAULTS, { transports = {} }))
  settings.learnt = retry.beginner()
  return setmetatable({
    [SETTINGS] = function()
      return settings
    end,
  }, metatable)
end

return client
