--- The registry's API as a service (see pipeline.lua): its operations behind its gateway.

local catalogue = require "cr.emulator.catalogue"
local failure = require "cr.emulator.failure"
local limit = require "cr.emulator.limit"
local operations = require "cr.emulator.operations"
local permissions = require "cr.emulator.permissions"
local resources = require "cr.emulator.resources"
local respond = require "cr.emulator.respond"

local gateway = {}

local emulated = {}
for name in pairs(operations) do
  emulated[#emulated + 1] = name
end
table.sort(emulated)

function gateway.prepare(request)
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

--- Runs the operation for a caller who is known.
-- @return the answer, or nil and a failure
function gateway.perform(registry, request, caller)
  local operation = operations[request.operation]
  if not operation then
    return nil, failure.gateway(404, "OperationNotEmulated", ("%s is not emulated; these are: %s")
      :format(request.operation, table.concat(emulated, ", ")))
  end
  local wrong = limit.refusal() or permissions.check(registry, caller,
    catalogue.action(request.operation), resources.of(registry, request))
  if wrong then
    return nil, wrong
  end
  local given
  given, wrong = read_parameters(operation.parameters, request.parameters)
  if not given then
    return nil, wrong
  end
  local fields
  fields, wrong = operation.run(registry, given)
  return fields and respond.success(fields), wrong
end

return gateway
