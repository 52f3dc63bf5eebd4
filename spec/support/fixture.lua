--- Files that specs compare with, and small helpers over tables.

local cjson = require "cjson"

local fixture = {}

function fixture.read(path)
  local file = assert(io.open(path, "rb"))
  local text = assert(file:read("*a"))
  file:close()
  return text
end

function fixture.json(path)
  return cjson.decode(fixture.read(path))
end

--- A copy all the way down, without metatables.
function fixture.copy(value)
  if type(value) ~= "table" then
    return value
  end
  local copy = {}
  for key, item in pairs(value) do
    copy[fixture.copy(key)] = fixture.copy(item)
  end
  return copy
end

--- RFC 3986 percent-encoding, written here anew so that the C one has something to agree with.
function fixture.percent_encode(text)
  return (text:gsub("[^ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.~-]",
    function(c) return ("%%%02X"):format(c:byte()) end))
end

--- The encoded query of a table of strings, sorted by the raw names.
function fixture.canonical_query(parameters)
  local names, parts = {}, {}
  for name in pairs(parameters) do
    names[#names + 1] = name
  end
  -- Lua's `<` may follow the locale; bytes are what the signature wants.
  table.sort(names, function(a, b)
    for i = 1, math.min(#a, #b) do
      if a:byte(i) ~= b:byte(i) then
        return a:byte(i) < b:byte(i)
      end
    end
    return #a < #b
  end)
  for index, name in ipairs(names) do
    parts[index] = fixture.percent_encode(name) .. "=" ..
      fixture.percent_encode(parameters[name])
  end
  return table.concat(parts, "&")
end

--- Every string reachable from a value by indexing: fields, keys and metatables, no upvalues.
function fixture.strings(value)
  local seen, found = {}, {}
  local function walk(item)
    if type(item) == "string" then
      found[#found + 1] = item
    end
    if type(item) ~= "table" or seen[item] then
      return
    end
    seen[item] = true
    for key, field in next, item do
      walk(key)
      walk(field)
    end
    walk(getmetatable(item))
  end
  walk(value)
  return found
end

--- Whether `text` occurs in any string reachable from the value.
function fixture.shows(value, text)
  for _, found in ipairs(fixture.strings(value)) do
    if found:find(text, 1, true) then
      return true
    end
  end
  return false
end

return fixture
