--- Writes JSON the way the service does: arrays that are empty stay arrays, integers stay integers.
--
-- The lua-cjson of Debian cannot tell an empty array from an empty object, so answers are written
-- here; object members are sorted by name, which keeps answers comparable. Reading stays with
-- lua-cjson.

local json = {}

local ARRAY = {}

--- Marks a table as an array, also when it is empty.
function json.array(list)
  return setmetatable(list, ARRAY)
end

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function escape(char)
  return ESCAPES[char] or ("\\u%04x"):format(char:byte())
end

local encode

local function encode_array(list)
  local parts = {}
  for index, value in ipairs(list) do
    parts[index] = encode(value)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

local function encode_object(object)
  local names, parts = {}, {}
  for name in pairs(object) do
    names[#names + 1] = name
  end
  table.sort(names)
  for index, name in ipairs(names) do
    parts[index] = encode(name) .. ":" .. encode(object[name])
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function encode(value)
  local kind = type(value)
  if kind == "string" then
    return '"' .. value:gsub('[%c"\\]', escape) .. '"'
  elseif kind == "number" then
    return value % 1 == 0 and ("%.0f"):format(value) or ("%.14g"):format(value)
  elseif kind == "table" then
    local is_array = getmetatable(value) == ARRAY or value[1] ~= nil
    return is_array and encode_array(value) or encode_object(value)
  end
  return kind == "boolean" and tostring(value) or "null"
end

--- A string, number, boolean, array or object with string names → JSON; anything else is null.
json.encode = encode

return json
