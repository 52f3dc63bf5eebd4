--- What of an answer is a row: the items of a list, or the answer itself; and which of its fields
-- are the columns.

local schema = require "cr.command.schema"
local suggest = require "cr.suggest"

local rows = {}

local SCALAR = { string = true, integer = true, long = true, number = true, boolean = true }

local function split(text, separator)
  local parts = {}
  for part in (text .. separator):gmatch("(.-)%" .. separator) do
    parts[#parts + 1] = part
  end
  return parts
end

--- The path to the items, {"Images"}: as the paging says, or that of the only array of objects.
local function item_path_of(operation, fields)
  if operation.paging then
    return split(operation.paging.items, ".")
  end
  local found
  for _, field in ipairs(fields) do
    if field.type == "array" and field.fields then
      if found then
        return nil
      end
      found = { field.name }
    end
  end
  return found
end

local function fields_at(fields, path)
  for _, name in ipairs(path) do
    local field = schema.field(fields, name)
    fields = field and field.fields
  end
  return fields or {}
end

--- The declared field that a dotted name leads to, or nil.
local function find(fields, path)
  local field
  for _, name in ipairs(path) do
    field = schema.field(fields, name)
    fields = field and field.fields
  end
  return field
end

local function concat(a, b)
  local both = {}
  for _, list in ipairs { a, b } do
    for _, part in ipairs(list) do
      both[#both + 1] = part
    end
  end
  return both
end

local function column(name, path, base, field)
  return {
    name = name, path = path, full_path = concat(base, path), type = field and field.type,
  }
end

--- The columns when none were chosen: every declared field that fits into a cell.
local function default_columns(fields, base)
  local columns = {}
  for _, field in ipairs(fields) do
    if SCALAR[field.type] then
      columns[#columns + 1] = column(field.name, { field.name }, base, field)
    end
  end
  return columns
end

local function names_in(fields, prefix, list)
  for _, field in ipairs(fields) do
    list[#list + 1] = prefix .. field.name
    if field.fields and field.type == "object" then
      names_in(field.fields, prefix .. field.name .. ".", list)
    end
  end
  return list
end

--- What --fields can name of an operation: first the fields of its items, then those of the answer.
function rows.names(operation)
  local fields = schema.of(operation.name)
  local path = item_path_of(operation, fields)
  local list = path and names_in(fields_at(fields, path), "", {}) or {}
  return names_in(fields, "", list)
end

--- A name of --fields: of an item where there are items, with or without their path in front, or
-- of the answer. One that is declared nowhere is taken as it is, unless it looks like a mistake:
-- the service may be ahead of this table.
-- @return column, whether it is the answer's  or nil, what is wrong
local function resolve(name, operation, fields, item_path)
  local path = split(name, ".")
  local base = item_path or {}
  local item_fields = fields_at(fields, base)
  local prefix = table.concat(base, ".") .. "."
  if item_path and name:sub(1, #prefix) == prefix then
    path = split(name:sub(#prefix + 1), ".")
  end
  local field = find(item_fields, path)
  if field or not item_path then
    if field then
      return column(name, path, base, field)
    end
  elseif find(fields, path) then
    return column(name, path, {}, find(fields, path)), true
  end
  local best = suggest(name, rows.names(operation))
  if best then
    return nil, ("--fields: %s has no field %s; did you mean %s?")
      :format(operation.name, name, best)
  end
  return column(name, path, base)
end

local function chosen_columns(list, operation, fields, item_path)
  local columns, of_answer = {}, 0
  for _, name in ipairs(split(list, ",")) do
    if name == "" or name:find("%.%.") or name:find("^%.") or name:find("%.$") then
      return nil, "--fields: names with commas between them expected, such as Digest,Status"
    end
    local found, is_of_answer = resolve(name, operation, fields, item_path)
    if not found then
      return nil, is_of_answer
    end
    of_answer = of_answer + (is_of_answer and 1 or 0)
    columns[#columns + 1] = found
  end
  if of_answer > 0 and of_answer < #columns then
    return nil, "--fields: some of these are fields of the answer, some of its " ..
      table.concat(item_path, ".") .. "; ask for either"
  end
  return columns, of_answer > 0
end

--- What the rows of an operation's answers are.
-- @tparam table operation its descriptor
-- @tparam table asked fields (the text of --fields), needs_columns (of a format that has no rows
--   without), all (whether every item is a row, whatever the format)
-- @return {columns (array of {name, path, full_path, type}, nil for the whole), item_path (nil when
--   the answer is the row)}
-- @return nil, what is wrong
function rows.plan(operation, asked)
  if not (asked.fields or asked.needs_columns) then
    return { item_path = asked.all and split(operation.paging.items, ".") or nil }
  end
  local fields = schema.of(operation.name)
  local item_path = item_path_of(operation, fields)
  if not asked.fields then
    local base = item_path or {}
    return { columns = default_columns(fields_at(fields, base), base), item_path = item_path }
  end
  local columns, is_of_answer = chosen_columns(asked.fields, operation, fields, item_path)
  if not columns then
    return nil, is_of_answer
  elseif is_of_answer and asked.all then
    return nil, "--fields: with --all only fields of the items: " ..
      table.concat(names_in(fields_at(fields, item_path), "", {}), ", ")
  end
  return { columns = columns, item_path = not is_of_answer and item_path or nil }
end

--- What a path leads to; through a list to a list of what it leads to in each.
local function reach(value, path, index)
  if index > #path then
    return value
  elseif type(value) ~= "table" then
    return nil
  elseif value[1] ~= nil then
    local found = {}
    for _, item in ipairs(value) do
      found[#found + 1] = reach(item, path, index)
    end
    return found
  end
  return reach(value[path[index]], path, index + 1)
end

--- The items of an answer, or the answer as the only one.
function rows.items(plan, answer)
  if not plan.item_path then
    return { answer }
  end
  local items = answer
  for _, name in ipairs(plan.item_path) do
    items = type(items) == "table" and items[name] or nil
  end
  return type(items) == "table" and items or {}
end

--- A row as the writers take it: the values of the columns, or the item as it is.
function rows.row(plan, item)
  if not plan.columns then
    return item
  end
  local values = {}
  for index, chosen in ipairs(plan.columns) do
    values[index] = reach(item, chosen.path, 1)
  end
  return values
end

return rows
