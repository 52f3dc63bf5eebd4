--- The facts as a reference for people, docs/operations.md: a section per operation. The prose is
-- ours; what the vendor says of a parameter is in the vendor's own reference.

local facts = require "api.facts"
local notes = require "api.notes"
local values = require "api.values"

local HEAD = "api/reference.md.in"
local WIDTH = 100

local out

local function emit(format, ...)
  out[#out + 1] = format:format(...)
end

local function row(...)
  out[#out + 1] = ("| " .. table.concat({ ... }, " | ") .. " |"):gsub("  +", " ")
end

--- The rows of a table: every field, the nested ones after what they are in, by path.
-- @tparam table fields
-- @tparam string path of what they are in, with a dot at the end
-- @tparam function take called with path and schema
local function walk(fields, path, take)
  for _, field in ipairs(fields) do
    local name = path .. field.name
    take(name, field)
    local inner = field
    while inner.items do
      inner, name = inner.items, name .. "[]"
    end
    walk(inner.fields or {}, name .. ".", take)
  end
end

local function type_of(schema)
  if schema.type == "array" then
    return "array of " .. type_of(schema.items)
  end
  return schema.type
end

local IS_TABLE = { array = true, object = true, map = true }

local function emit_parameters(operation)
  if #operation.parameters == 0 then
    emit("No parameters.\n")
    return
  end
  local texts = notes.of(operation.name).parameters
  local has_texts = next(texts) ~= nil
  row("parameter", "type", "required", "style", has_texts and "meaning" or nil)
  emit("|---|---|---|---|%s", has_texts and "---|" or "")
  walk(operation.parameters, "", function(path, schema)
    local required = schema.required and "yes" or schema.deprecated and "no, deprecated" or ""
    row("`" .. path .. "`", type_of(schema), required, IS_TABLE[schema.type] and schema.style or "",
      has_texts and (texts[path] or "") or nil)
  end)
  emit("")
end

local function emit_answer(operation)
  local texts = notes.of(operation.name).answer
  local has_texts = next(texts) ~= nil
  row("answer", "type", has_texts and "meaning" or nil)
  emit("|---|---|%s", has_texts and "---|" or "")
  walk(operation.answer.fields, "", function(path, schema)
    row("`" .. path .. "`", type_of(schema), has_texts and (texts[path] or "") or nil)
  end)
  emit("")
end

--- Parameters of an example: those that are required.
local function example_parameters(operation)
  local required = {}
  for _, parameter in ipairs(operation.parameters) do
    required[#required + 1] = parameter.required and parameter or nil
  end
  return required
end

--- A table of parameters after `head`, on one line if it fits with `tail`.
local function emit_call(head, parameters, tail)
  local text = #parameters > 0 and ("{ %s }"):format(values.fields(parameters)) or "{}"
  if #head + #text + #tail <= WIDTH then
    emit("%s%s%s", head, text, tail)
    return
  end
  emit("%s{", head)
  for _, parameter in ipairs(parameters) do
    emit("  %s = %s,", parameter.name, values.of(parameter))
  end
  emit("}%s", tail)
end

local function emit_example(operation)
  local parameters = example_parameters(operation)
  emit("```lua")
  emit_call(("local answer, err = cr.%s "):format(operation.lua_name), parameters, "")
  if operation.paging then
    emit_call(('for item in cr.items("%s", '):format(operation.name), parameters, ") do")
    emit("  print(item.%s)", facts.item_of(operation).fields[1].name)
    emit("end")
  end
  emit("```\n")
end

local function permission(operation)
  if not operation.ram_action then
    return "RAM action not published"
  end
  local resource = operation.ram_resource
  local where = "`" .. (resource or "") .. "`"
  if not resource then
    where = "not published"
  elseif resource:find("...", 1, true) then
    where = "not published in full"
  end
  return ("RAM action `%s`, resource %s"):format(operation.ram_action, where)
end

local function paging(operation)
  local how = operation.paging
  local items = table.concat(how.items, ".")
  if how.style == "next_token" then
    return ("Paged by token: `%s`; items in `%s`."):format(how.token, items)
  end
  return ("Paged by number: `%s`, `%s`, total in `%s`; items in `%s`."):format(how.page, how.size,
    how.total, items)
end

local READ = "a read, safe to repeat"
local WRITE = "a write, repeated only when nothing can have happened"

local function emit_operation(operation)
  emit("## %s\n", operation.name)
  emit('<a id="%s"></a>', operation.lua_name)
  emit("`%s`: %s, %s. %s.\n", operation.lua_name, operation.method,
    operation.is_read and READ or WRITE, permission(operation))
  if operation.paging then
    emit("%s\n", paging(operation))
  end
  local text = notes.of(operation.name).text
  if text then
    emit("%s\n", text)
  end
  emit_example(operation)
  emit_parameters(operation)
  emit_answer(operation)
end

local function emit_index(operations)
  row("operation", "function", "method", "", "paged", "RAM action")
  emit("|---|---|---|---|---|---|")
  for _, operation in ipairs(operations) do
    local action = operation.ram_action
    row(("[%s](#%s)"):format(operation.name, operation.name:lower()),
      "`" .. operation.lua_name .. "`", operation.method, operation.is_read and "read" or "write",
      operation.paging and "yes" or "", action and "`" .. action .. "`" or "not published")
  end
end

--- Where each name has each of its types: {name = {type = {operations}}}. Without tables: these are
-- other things altogether.
local function types_by_name(operations, fields_of)
  local found = {}
  for _, operation in ipairs(operations) do
    walk(fields_of(operation), "", function(_, schema)
      local name, kind = schema.name, schema.type == "long" and "integer" or schema.type
      if IS_TABLE[kind] then
        return
      end
      found[name] = found[name] or {}
      found[name][kind] = found[name][kind] or {}
      local list = found[name][kind]
      list[#list + 1] = list[#list] ~= operation.name and operation.name or nil
    end)
  end
  return found
end

local MANY = 6 -- operations that are named

local function names(list)
  return #list <= MANY and table.concat(list, ", ") or ("%d operations"):format(#list)
end

local function emit_ambiguous(title, found)
  row(title, "type", "in")
  emit("|---|---|---|")
  for _, name in ipairs(facts.sorted_keys(found)) do
    local kinds = facts.sorted_keys(found[name])
    for _, kind in ipairs(#kinds > 1 and kinds or {}) do
      row("`" .. name .. "`", kind, names(found[name][kind]))
    end
  end
  emit("")
end

local SECTIONS = {
  header = function(_, source)
    emit("<!-- Generated by api/generate.lua from %s, %s, api/notes.lua. Do not edit. -->",
      source, HEAD)
  end,
  index = emit_index,
  ambiguous = function(operations)
    emit_ambiguous("parameter", types_by_name(operations, function(operation)
      return operation.parameters
    end))
    emit_ambiguous("answer", types_by_name(operations, function(operation)
      return operation.answer.fields
    end))
  end,
  operations = function(operations)
    for _, operation in ipairs(operations) do
      emit_operation(operation)
    end
  end,
}

--- @tparam table api what the JSON file holds
-- @tparam string source its path
-- @treturn string the text of docs/operations.md
return function(api, source)
  local operations = facts.operations(api)
  return facts.fill(HEAD, "@(%w+)@\n", function(section)
    out = {}
    SECTIONS[section](operations, source)
    return out
  end)
end
