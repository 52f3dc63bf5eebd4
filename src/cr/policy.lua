--- `cr.policy`: the smallest RAM policy document for some operations.
--
-- RAM's actions are not the operations' names, and several operations share one. What is published
-- of them is in the table of operations; what is not is handed back by name, so that nobody takes a
-- guess for a permission.

local core = require "cr.core"
local new_error = require "cr.error"
local operations = require "cr.operations"
local ram = require "cr.ram"
local suggest = require "cr.suggest"

local function sorted_keys(set)
  local keys = {}
  for key in pairs(set) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

--- Whether a resource is part of what another one stands for. Sound, if not complete: a `*` of
-- `text` is only covered by one of `pattern`.
local function covers(pattern, text)
  local lua_pattern = pattern:gsub("%p", "%%%0"):gsub("%%%*", ".*"):gsub("%%%?", "[^*]")
  return text:find("^" .. lua_pattern .. "$") ~= nil
end

--- The resources of a set, sorted, without those that another one covers.
local function smallest(set)
  local list, kept = sorted_keys(set), {}
  for _, resource in ipairs(list) do
    local is_covered = false
    for _, other in ipairs(list) do
      is_covered = is_covered or other ~= resource and covers(other, resource)
    end
    if not is_covered then
      kept[#kept + 1] = resource
    end
  end
  return kept
end

local function json_array(texts)
  local quoted = {}
  for index, text in ipairs(texts) do
    quoted[index] = ('"%s"'):format(text) -- ram.is_part: nothing in it that JSON would escape
  end
  return "[" .. table.concat(quoted, ", ") .. "]"
end

local STATEMENT = [[

    {
      "Effect": "%s",
      "Action": %s,
      "Resource": %s
    }]]

local Policy = { __name = "cr.policy" }

--- The document as JSON, its arrays arrays even when they are empty.
function Policy:__tostring()
  local statements = {}
  for index, statement in ipairs(self.Statement) do
    statements[index] = STATEMENT:format(statement.Effect, json_array(statement.Action),
      json_array(statement.Resource))
  end
  return ('{\n  "Version": "%s",\n  "Statement": [%s%s]\n}'):format(self.Version,
    table.concat(statements, ","), #statements > 0 and "\n  " or "")
end

--- One statement for all actions on the same resources.
-- @tparam table granted sets of resources by action
local function document(granted)
  local statements, by_resources = {}, {}
  for _, action in ipairs(sorted_keys(granted)) do
    local resources = smallest(granted[action])
    local key = table.concat(resources, "\n")
    local statement = by_resources[key]
    if not statement then
      statement = { Effect = "Allow", Action = {}, Resource = resources }
      by_resources[key] = statement
      statements[#statements + 1] = statement
    end
    statement.Action[#statement.Action + 1] = action
  end
  return setmetatable({ Version = "1", Statement = statements }, Policy)
end

local function unknown_operation(name)
  local best = operations.suggestion(name)
  return new_error {
    kind = "validation", code = "UnknownOperation", retryable = false, operation = "policy",
    message = ("no such operation: %s%s"):format(name, best and "; did you mean " .. best .. "?" or
      ""),
  }
end

local function invalid_part(name, value)
  return new_error {
    kind = "validation", code = "InvalidParameter", retryable = false, operation = "policy",
    message = ("%s must be made of letters, digits, - _ . * and ?, got %q"):format(name, value),
  }
end

--- Level 4 is the caller of cr.policy.
local function raise(message, ...)
  error("policy: " .. message:format(...), 4)
end

--- The names as an array; raises for what is none.
local function array_of_names(names)
  local list = type(names) == "string" and { names } or names
  if type(list) ~= "table" then
    raise("the operations must be a name or an array of names, got a %s", type(names))
  end
  local count = 0
  for _ in pairs(list) do
    count = count + 1
  end
  if count == 0 or count ~= #list then
    raise("the operations must be an array of at least one name")
  end
  for index, name in ipairs(list) do
    if type(name) ~= "string" then
      raise("operation %d must be a string, got a %s", index, type(name))
    end
  end
  return list
end

--- The values for one name of the patterns as an array, or nil for what can be none.
local function array_of_values(value)
  local list = type(value) == "string" and { value } or value
  if type(list) ~= "table" or #list == 0 then
    return nil
  end
  for _, item in pairs(list) do
    if type(item) ~= "string" then
      return nil
    end
  end
  return list
end

local OPTIONS = { "account", "region", "resources" }

local function check_key(what, key, known)
  for _, name in ipairs(known) do
    if name == key then
      return
    end
  end
  local best = type(key) == "string" and suggest(key, known)
  error(("policy: unknown %s %s; %s"):format(what, tostring(key),
    best and "did you mean " .. best .. "?" or "there are " .. table.concat(known, ", ")), 4)
end

local function check_options(options)
  if type(options) ~= "table" then
    raise("the options must be a table, got a %s", type(options))
  end
  for key, value in pairs(options) do
    check_key("option", key, OPTIONS)
    local expected = key == "resources" and "table" or "string"
    if type(value) ~= expected then
      raise("%s must be a %s, got a %s", key, expected, type(value))
    end
  end
  local values = {}
  for key, value in pairs(options.resources or {}) do
    check_key("name in resources:", key, ram.NAMES)
    values[key] = array_of_values(value)
    if not values[key] then
      raise("resources.%s must be a string or an array of strings", key)
    end
  end
  return values
end

--- What came from outside and cannot be part of a resource, as an error.
local function bad_part(options, values)
  for _, name in ipairs { "region", "account" } do
    if options[name] and not ram.is_part(options[name]) then
      return invalid_part(name, options[name])
    end
  end
  for name, list in pairs(values) do
    for _, value in ipairs(list) do
      if not ram.is_part(value) then
        return invalid_part("resources." .. name, value)
      end
    end
  end
end

--- The smallest RAM policy that allows some operations.
--
-- Where an action's resource is not published, or the service knows none but all, `Resource` is
-- "*". `cr.operations.<name>.ram_resource` shows the names that `resources` may have.
-- @tparam string|table names one operation or an array of them, API or snake_case names
-- @tparam[opt] table options `region` and `account` ("*" if not given); `resources`: by
--   InstanceId, NamespaceName, RepositoryName, RepositoryId and ScanRuleId a string or an array of
--   strings, `*` and `?` as in RAM
-- @treturn table {Version="1", Statement={{Effect="Allow", Action={…}, Resource={…}}, …}}; tostring
--   gives it as JSON. Without a statement when no action is published.
-- @treturn table array of API names of the operations whose action is not published, sorted; it is
--   empty when the policy is whole
-- @return nil, error for an unknown operation, or a value that cannot be part of a resource
-- @raise for wrong types and unknown options
return function(names, options)
  local list = array_of_names(names)
  options = options == nil and {} or options
  local values = check_options(options)
  local err = bad_part(options, values)
  if err then
    return nil, err
  end
  local granted, unpublished = {}, {}
  for _, name in ipairs(list) do
    local number = core.find_operation(name)
    if not number then
      return nil, unknown_operation(name)
    end
    local operation = core.operation(number)
    local action = operation.ram_action
    if not action then
      unpublished[operation.name] = true
    else
      granted[action] = granted[action] or {}
      for _, resource in ipairs(ram.resources(operation.ram_resource, values, options.region,
        options.account) or { "*" }) do
        granted[action][resource] = true
      end
    end
  end
  return document(granted), sorted_keys(unpublished)
end
