--- One request to the API, from its operation to its answer.

local authenticate = require "cr.emulator.authenticate"
local catalogue = require "cr.emulator.catalogue"
local failure = require "cr.emulator.failure"
local faults = require "cr.emulator.faults"
local operations = require "cr.emulator.operations"
local permissions = require "cr.emulator.permissions"
local respond = require "cr.emulator.respond"

local gateway = {}

local emulated = {}
for name in pairs(operations) do
  emulated[#emulated + 1] = name
end
table.sort(emulated)

local function check_target(request)
  if request.method ~= "GET" and request.method ~= "POST" then
    return failure.gateway(405, "UnsupportedHTTPMethod", "This http method is not supported.")
  elseif request.path ~= "/" then
    return failure.gateway(404, "InvalidPath", "The API is at the path / and nowhere else.")
  elseif request.version ~= catalogue.version then
    return failure.gateway(400, "InvalidParameter", ('The specified parameter "Version" is not ' ..
      "valid: %s expected."):format(catalogue.version))
  elseif not request.operation or not catalogue.known[request.operation] then
    return failure.gateway(400, "InvalidParameter", 'The specified parameter "Action" is not ' ..
      "valid: the name of an operation expected.")
  end
end

local convert = {}

function convert.string(value)
  return value
end

--- At most nine digits: everything that this API counts, and nothing that overflows.
function convert.integer(value)
  return value:match("^%d+$") and #value <= 9 and tonumber(value), "a whole number"
end

function convert.boolean(value)
  if value == "true" or value == "false" then
    return value == "true"
  end
  return nil, "true or false"
end

function convert.repo_type(value)
  return (value == "PUBLIC" or value == "PRIVATE") and value, "PUBLIC or PRIVATE"
end

--- The operation's parameters by name, converted, or nil and a failure.
local function read_parameters(declared, given)
  local out = {}
  for name, kind in pairs(declared) do
    local value = given[name]
    if value == "" then
      value = nil
    end
    if value then
      local converted, expected = convert[kind:gsub("!", "")](value)
      if converted == nil or converted == false and kind ~= "boolean" then
        return nil, failure.invalid_parameter(name, expected, value)
      end
      out[name] = converted
    elseif kind:sub(-1) == "!" then
      return nil, failure.missing_parameter(name)
    end
  end
  return out
end

local function check_permission(registry, request, user)
  local action = catalogue.action(request.operation)
  local refusal = permissions.refusal(user, action)
  if refusal then
    return failure.gateway(403, "NoPermission", "You are not authorized to perform this action.",
      permissions.detail(user, registry.account, action, refusal))
  end
end

--- Runs the operation for a user who is known.
local function perform(registry, request, user)
  local operation = operations[request.operation]
  if not operation then
    return nil, failure.gateway(404, "OperationNotEmulated", ("%s is not emulated; these are: %s")
      :format(request.operation, table.concat(emulated, ", ")))
  end
  local wrong = check_permission(registry, request, user)
  if wrong then
    return nil, wrong
  end
  local given
  given, wrong = read_parameters(operation.parameters, request.parameters)
  if not given then
    return nil, wrong
  end
  return operation.run(registry, given)
end

--- Answers a request.
-- @return the answer (see respond.lua; nil when a fault leaves none), and the fault or nil
function gateway.handle(registry, request)
  local wrong = check_target(request)
  local user
  if not wrong then
    user, wrong = authenticate(registry, request)
  end
  if wrong then
    return respond.failure(request, wrong)
  end
  local fault
  fault, wrong = faults.take(request)
  if wrong then
    return respond.failure(request, wrong)
  elseif fault and faults.replaces_operation(fault) then
    return faults.answer(fault, request), fault
  end
  local fields
  fields, wrong = perform(registry, request, user)
  local answer = fields and respond.success(fields) or respond.failure(request, wrong)
  return answer, fault
end

return gateway
