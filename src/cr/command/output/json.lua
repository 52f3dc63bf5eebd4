--- JSON for programs and, on a terminal, for people: keys in order, integers as integers, an empty
-- list as [] and an empty object as {} as the answer's field is declared. UTF-8 stays as it is.

local core = require "cr.core"
local schema = require "cr.command.schema"
local sink = require "cr.command.sink"

local json = {}

local ESCAPES = {
  ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
  ["\b"] = "\\b", ["\f"] = "\\f",
}

local function string(text)
  text = text:gsub('[%c"\\\127]', function(char)
    return ESCAPES[char] or ("\\u%04x"):format(char:byte())
  end)
  -- Controls of two bytes are as good as those of one at steering a terminal.
  return '"' .. text:gsub("\194([\128-\159])", function(char)
    return ("\\u%04x"):format(char:byte())
  end) .. '"'
end

--- The shortest text that reads back as this number.
function json.number(value)
  if value % 1 == 0 and value > -1e15 and value < 1e15 then
    return ("%.0f"):format(value)
  elseif math.type and math.type(value) == "integer" then
    return ("%d"):format(value)
  end
  for digits = 15, 17 do
    local text = ("%." .. digits .. "g"):format(value)
    if tonumber(text) == value then
      return text
    end
  end
end

--- Sorted keys of a table that stands for an object.
function json.keys(object)
  local keys = {}
  for key in pairs(object) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

--- Whether a table stands for a list. Of an empty one its declaration tells, which is looked up
-- only then.
-- @tparam string operation its name
-- @tparam table path the keys that lead to the table, from the answer on; without indexes
function json.is_list(value, operation, path)
  if next(value) ~= nil then
    return value[1] ~= nil
  end
  local fields, field = schema.of(operation), nil
  for _, key in ipairs(path) do
    field = schema.field(fields, key)
    fields = field and field.fields
  end
  return field ~= nil and field.type == "array"
end

local Writer = {}
Writer.__index = Writer

local function scalar(value)
  if type(value) == "number" then
    return json.number(value)
  elseif type(value) == "string" then
    return string(value)
  end
  return value == core.null and "null" or tostring(value)
end

--- The text of a value.
-- @tparam string indent of the line that it begins on
function Writer:encode(value, indent)
  if type(value) ~= "table" then
    return scalar(value)
  end
  local is_list = json.is_list(value, self.operation, self.path)
  local parts, inner = {}, indent .. "  "
  if is_list then
    for index, item in ipairs(value) do
      parts[index] = self:encode(item, inner)
    end
  else
    for index, key in ipairs(json.keys(value)) do
      self.path[#self.path + 1] = key
      parts[index] = string(key) .. (self.is_pretty and ": " or ":") ..
        self:encode(value[key], inner)
      self.path[#self.path] = nil
    end
  end
  local open, close = is_list and "[" or "{", is_list and "]" or "}"
  if not self.is_pretty or #parts == 0 then
    return open .. table.concat(parts, ",") .. close
  end
  return open .. "\n" .. inner .. table.concat(parts, ",\n" .. inner) .. "\n" .. indent .. close
end

--- The text of an object with these fields in this order.
function Writer:encode_columns(columns, values, indent)
  local parts, inner = {}, indent .. "  "
  for index, column in ipairs(columns) do
    self.path = column.full_path
    local value = values[index]
    parts[index] = string(column.name) .. (self.is_pretty and ": " or ":") ..
      (value == nil and "null" or self:encode(value, inner))
  end
  if not self.is_pretty then
    return "{" .. table.concat(parts, ",") .. "}"
  end
  return "{\n" .. inner .. table.concat(parts, ",\n" .. inner) .. "\n" .. indent .. "}"
end

--- Writes one row. A list is opened by its first row and closed by `finish`, so that what was cut
-- off does not pass for whole. In a pipe a row is a line, with what parts it from the one before in
-- front of it: whole when it is written.
function Writer:add(value)
  local is_pretty = self.is_list and self.is_pretty
  local indent = is_pretty and "  " or ""
  local text
  if self.columns then
    text = self:encode_columns(self.columns, value, indent)
  else
    self.path = self.item_path or {}
    text = self:encode(value, indent)
  end
  if not self.is_list then
    sink.write(text, "\n")
  elseif is_pretty then
    sink.write(self.count == 0 and "[\n" or ",\n", indent, text)
  else
    sink.write(self.count == 0 and "[\n" or ",", text, "\n")
  end
  self.count = self.count + 1
end

function Writer:finish()
  if self.is_list then
    sink.write(self.count == 0 and "[]\n" or self.is_pretty and "\n]\n" or "]\n")
  end
end

--- @tparam table settings
--   operation (its name), is_list, columns (array of {name, full_path}; rows are then arrays of
--   values), item_path (of rows that are items), is_pretty
function json.new(settings)
  return setmetatable({
    operation = settings.operation, is_list = settings.is_list, columns = settings.columns,
    item_path = settings.item_path, is_pretty = settings.is_pretty, path = {}, count = 0,
  }, Writer)
end

--- A value in one line, for a cell.
function json.line(value, operation, path)
  local writer = json.new { operation = operation }
  writer.path = path
  return writer:encode(value, "")
end

return json
