--- The facts as declarations for lua-language-server, types/cr.lua: classes of parameters and
-- answers, a function of the module and a method of clients for each operation, put into what is
-- written by hand in types.lua.in.
--
-- `InstanceId` is what clients have in their `defaults`, so that for methods it is optional where
-- the API requires it: `cr.<Operation>.Params`. Functions of the module are on a client without
-- defaults and take `cr.<Operation>.AllParams`.

local facts = require "api.facts"
local methods = require "api.types_methods"
local notes = require "api.notes"

local TEMPLATE = "api/types.lua.in"
local IN_DEFAULTS = "InstanceId"

local SCALARS = { string = "string", boolean = "boolean", integer = "integer", long = "integer" }

local types = {}

local out

local function emit(format, ...)
  out[#out + 1] = format:format(...)
end

--- The type of a schema whose class, if it has one, is called `class`.
local function type_of(schema, class)
  if schema.type == "array" then
    return type_of(schema.items, class) .. "[]"
  elseif schema.fields and #schema.fields > 0 then
    return class
  elseif schema.fields or schema.type == "map" then
    return "table<string, any>"
  end
  return assert(SCALARS[schema.type], schema.type)
end

local emit_class

--- The classes of objects inside of a schema.
local function emit_inner(schema, class, parent, texts, path)
  if schema.items then
    emit_inner(schema.items, class, parent, texts, path and path .. "[]")
  elseif schema.fields and #schema.fields > 0 then
    emit_class(schema.fields, class, parent, texts, path and path .. ".")
  end
end

--- @tparam table fields
-- @tparam string class
-- @tparam ?string parent
-- @tparam table texts notes by path
-- @tparam ?string path of the fields' object, with a dot at the end
-- @tparam ?string optional a field that may be left out although it is required
function emit_class(fields, class, parent, texts, path, optional)
  local is_closed = parent ~= nil
  emit("---@class %s%s%s", is_closed and "(exact) " or "", class, parent and ": " .. parent or "")
  for _, field in ipairs(fields) do
    local is_optional = is_closed and (not field.required or field.name == optional)
    local text = texts[(path or "") .. field.name]
    emit("---@field %s%s %s%s%s", field.name, is_optional and "?" or "",
      type_of(field, class .. "." .. field.name), text and " " .. text or "",
      field.deprecated and " (deprecated)" or "")
  end
  emit("")
  for _, field in ipairs(fields) do
    emit_inner(field, class .. "." .. field.name, parent, texts, (path or "") .. field.name)
  end
end

local function required_in_defaults(operation)
  for _, parameter in ipairs(operation.parameters) do
    if parameter.name == IN_DEFAULTS and parameter.required then
      return parameter
    end
  end
end

--- The names of an operation's classes, and whether a call needs parameters.
local function classes_of(operation)
  local prefix = "cr." .. operation.name
  local is_defaulted = required_in_defaults(operation) ~= nil
  local classes = {
    name = prefix,
    answer = prefix .. ".Answer",
    params = prefix .. ".Params",
    all_params = prefix .. (is_defaulted and ".AllParams" or ".Params"),
  }
  for _, parameter in ipairs(operation.parameters) do
    if parameter.required then
      classes.all_required = true
      classes.required = classes.required or parameter.name ~= IN_DEFAULTS
    end
  end
  if operation.paging then
    classes.item = type_of(facts.item_of(operation),
      classes.answer .. "." .. table.concat(operation.paging.items, "."))
  end
  return classes
end

local function emit_parameters(operation, classes)
  local texts = notes.of(operation.name).parameters
  emit_class(operation.parameters, classes.params, "cr.Closed", texts, nil, IN_DEFAULTS)
  if classes.all_params ~= classes.params then
    local parameter = required_in_defaults(operation)
    emit("---@class (exact) %s: %s", classes.all_params, classes.params)
    emit("---@field %s %s", parameter.name, type_of(parameter))
    emit("")
  end
end

local function emit_function(operation, head, params, is_required, answer)
  emit("--- %s, a %s (%s). RAM action %s.", operation.name, operation.is_read and "read" or "write",
    operation.method, operation.ram_action or "not published")
  emit("---@param params%s %s", is_required and "" or "?", params)
  emit("---@param options? cr.CallOptions")
  emit("---@return %s? answer", answer)
  emit("---@return cr.Error err nil with an answer")
  emit("---@return cr.Info info nil with an error")
  emit("function %s%s(params, options) end", head, operation.lua_name)
  emit("")
end

local function emit_operation(operation)
  local classes = classes_of(operation)
  emit('---@alias %s "%s"|"%s"', classes.name, operation.name, operation.lua_name)
  emit("")
  emit_parameters(operation, classes)
  emit_class(operation.answer.fields, classes.answer, nil, notes.of(operation.name).answer)
  emit_function(operation, "cr.", classes.all_params, classes.all_required, classes.answer)
  emit_function(operation, "Client:", classes.params, classes.required, classes.answer)
end

--- One name for all of these operations' names.
local function emit_alias(name, operations, is_wanted)
  emit("---@alias %s", name)
  for _, operation in ipairs(operations) do
    if is_wanted(operation) then
      emit("---| cr.%s", operation.name)
    end
  end
  emit("")
end

local function emit_names(operations)
  emit_alias("cr.OperationName", operations, function() return true end)
  emit_alias("cr.PagedOperationName", operations, function(operation) return operation.paging end)
  emit("---@class cr.Operations")
  for _, operation in ipairs(operations) do
    emit("---@field %s cr.Descriptor", operation.name)
    emit("---@field %s cr.Descriptor", operation.lua_name)
  end
end

--- What stands in the place of each mark of the template.
local SECTIONS = {
  header = function(_, source)
    emit("-- Generated by api/generate.lua from %s and %s. Do not edit.", source, TEMPLATE)
  end,
  names = emit_names,
  operations = function(operations)
    for _, operation in ipairs(operations) do
      emit_operation(operation)
    end
  end,
  methods = function(operations)
    for _, operation in ipairs(operations) do
      operation.classes = classes_of(operation)
    end
    methods.emit(emit, operations)
  end,
}

--- @tparam table api what the JSON file holds
-- @tparam string source its path
-- @treturn string the text of types/cr.lua
function types.text(api, source)
  local operations = facts.operations(api)
  return facts.fill(TEMPLATE, "%-%- @(%w+)@\n", function(section)
    out = {}
    SECTIONS[section](operations, source)
    return out
  end)
end

return types.text
