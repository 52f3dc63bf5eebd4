--- The operations as the client sees them: found by name, described on request.
--
-- The facts live in the core's constant tables; here they become small Lua tables, made when an
-- operation is first used.

local core = require "cr.core"
local suggest = require "cr.suggest"

local operations = {}

local by_number = {}

--- The API has no idempotency token: only what its name says is a read may be repeated after the
-- request was sent.
local function is_read(name)
  return name:find("^Get%u") ~= nil or name:find("^List%u") ~= nil
end

local function operation(number)
  local found = by_number[number]
  if not found then
    local name, lua_name, method = core.operation_names(number)
    found = {
      number = number,
      name = name,
      lua_name = lua_name,
      method = method,
      is_read = is_read(name),
    }
    by_number[number] = found
  end
  return found
end

--- The operation with this API name or snake_case name.
-- @treturn ?table {number, name, lua_name, method, is_read}, nil when there is none
function operations.find(name)
  local number = core.find_operation(name)
  return number and operation(number)
end

--- An operation that the table does not know, called with what the caller says of it.
function operations.unlisted(name, method)
  return {
    name = name,
    lua_name = name,
    method = method,
    is_read = is_read(name),
  }
end

--- The name most like a mistyped one, or nil.
function operations.suggestion(name)
  local names = {}
  for number = 1, core.operation_count do
    local api_name, lua_name = core.operation_names(number)
    names[#names + 1] = name:find("^%u") and api_name or lua_name
  end
  return suggest(name, names)
end

--- All descriptors by API name, found by snake_case name too.
function operations.descriptors()
  local descriptors = {}
  for number = 1, core.operation_count do
    local descriptor = core.operation(number)
    descriptors[descriptor.name] = descriptor
  end
  return setmetatable(descriptors, {
    __index = function(all, name)
      local number = type(name) == "string" and core.find_operation(name) or nil
      return number and rawget(all, (core.operation_names(number)))
    end,
  })
end

return operations
