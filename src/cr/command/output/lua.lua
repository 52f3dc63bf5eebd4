--- A chunk of Lua that returns the answer: load(text)() or dofile.

local core = require "cr.core"
local json = require "cr.command.output.json"
local sink = require "cr.command.sink"

local KEYWORDS = {}
for word in ("and break do else elseif end false for function goto if in local nil not or " ..
  "repeat return then true until while"):gmatch("%l+") do
  KEYWORDS[word] = true
end

--- A literal that every Lua reads, and that steers no terminal.
local function string(text)
  text = text:gsub('[%c"\\\127]', function(char)
    return char == "\n" and "\\n" or char:find('["\\]') and "\\" .. char or
      ("\\%03d"):format(char:byte())
  end)
  return '"' .. text:gsub("\194[\128-\159]", function(chars)
    return ("\\%03d\\%03d"):format(chars:byte(1, 2))
  end) .. '"'
end

local function key_of(key)
  return key:find("^[%a_][%w_]*$") and not KEYWORDS[key] and key or "[" .. string(key) .. "]"
end

local encode

local function encode_table(value, indent)
  local parts, inner = {}, indent .. "  "
  if value[1] ~= nil then
    for index, item in ipairs(value) do
      parts[index] = encode(item, inner)
    end
  else
    for index, key in ipairs(json.keys(value)) do
      parts[index] = key_of(key) .. " = " .. encode(value[key], inner)
    end
  end
  if #parts == 0 then
    return "{}"
  end
  return "{\n" .. inner .. table.concat(parts, ",\n" .. inner) .. ",\n" .. indent .. "}"
end

function encode(value, indent)
  if type(value) == "table" then
    return encode_table(value, indent)
  elseif type(value) == "string" then
    return string(value)
  elseif type(value) == "number" then
    return json.number(value)
  end
  return value == core.null and "nil" or tostring(value)
end

local Writer = {}
Writer.__index = Writer

--- Writes one row; a list that was cut off does not load.
function Writer:add(value)
  if self.columns then
    local object = {}
    for index, column in ipairs(self.columns) do
      object[column.name] = value[index]
    end
    value = object
  end
  if not self.is_list then
    sink.write("return ", encode(value, ""), "\n")
    return
  end
  sink.write(self.count == 0 and "return {\n" or "", "  ", encode(value, "  "), ",\n")
  self.count = self.count + 1
end

function Writer:finish()
  if self.is_list then
    sink.write(self.count == 0 and "return {}\n" or "}\n")
  end
end

return {
  new = function(settings)
    return setmetatable({ columns = settings.columns, is_list = settings.is_list, count = 0 },
      Writer)
  end,
}
