--- Writes answers as JSON that reads back as the same: lua-cjson 2.1 writes 14 digits of a number
-- and no more, which cuts off the end of large integers. What is written came out of JSON, so that
-- there are no cycles, no holes in arrays, and no depth that was not read before.

local core = require "cr.core"
local json = require "cr.json"

local function write_number(value)
  local short = ("%.14g"):format(value)
  return tonumber(short) == value and short or ("%.17g"):format(value)
end

local write

local function write_table(value, parts)
  if value[1] ~= nil then
    for index = 1, #value do
      parts[#parts + 1] = index == 1 and "[" or ","
      write(value[index], parts)
    end
    parts[#parts + 1] = "]"
    return
  end
  local mark = "{"
  for name, field in pairs(value) do
    parts[#parts + 1] = mark .. json.encode(tostring(name)) .. ":"
    write(field, parts)
    mark = ","
  end
  parts[#parts + 1] = mark == "{" and "{}" or "}"
end

function write(value, parts)
  local kind = type(value)
  if kind == "table" then
    write_table(value, parts)
  elseif kind == "number" then
    parts[#parts + 1] = write_number(value)
  elseif value == core.null then
    parts[#parts + 1] = "null"
  else
    parts[#parts + 1] = json.encode(value)
  end
end

--- @tparam table value
-- @treturn string
return function(value)
  local parts = {}
  write(value, parts)
  return table.concat(parts)
end
