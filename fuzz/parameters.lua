--- Parameters are refused with a path and a reason, or stand in the URL as they were given.

local cjson = require "cjson"
local core = require "cr.core"

local MAX_DEPTH = 40 -- deeper than what is taken

local request = core.request()

--- Reads an input byte by byte; zeros at its end.
local function reader(input)
  local position = 0
  local read = {}

  function read.byte()
    position = position + 1
    return input:byte(position) or 0
  end

  function read.text()
    local length = read.byte() % 32
    local text = input:sub(position + 1, position + length)
    position = position + length
    return text
  end

  return read
end

local make

--- A value of the declared type, most of the time; its fields under their declared names.
local function make_declared(read, schema, depth)
  local choice = read.byte()
  if choice >= 230 then
    return make(read, depth)
  elseif schema.type == "array" then
    local array = {}
    for index = 1, choice % 6 do
      array[index] = make_declared(read, schema.items, depth + 1)
    end
    return array
  elseif schema.type == "object" then
    local object = {}
    for _, field in ipairs(schema.fields) do
      if read.byte() % 3 > 0 then
        object[field.name] = make_declared(read, field, depth + 1)
      end
    end
    return object
  elseif schema.type == "map" or schema.type == "any" then
    return make(read, depth)
  elseif schema.type == "string" then
    return read.text()
  elseif schema.type == "boolean" then
    return choice % 2 == 0
  end
  return choice
end

local NUMBERS = {
  0, -1, 2147483647, -2147483648, 2147483648, math.maxinteger, math.mininteger, 2 ^ 53, 2.0 ^ 63,
  0.1, 0.1 + 0.2, -1e300, 5e-324, 1 / 3, 30.0, math.huge, -math.huge, 0 / 0, -0.0,
}

local makers = {
  function(read) return read.text() end,
  function(read) return NUMBERS[read.byte() % #NUMBERS + 1] end,
  function(read) return read.byte() end,
  function(read) return (("d"):unpack(read.text() .. ("\63"):rep(8))) end,
  function(read) return read.byte() % 2 == 0 end,
  function(read, depth)
    local array = {}
    for index = 1, read.byte() % 8 do
      array[index] = make(read, depth)
    end
    return array
  end,
  function(read, depth)
    local object = {}
    for _ = 1, read.byte() % 8 do
      object[read.text()] = make(read, depth)
    end
    return object
  end,
  function(read, depth) -- holes, floats and other things as keys
    local mixed = {}
    for _ = 1, read.byte() % 4 do
      local key = make(read, MAX_DEPTH)
      if key == key then
        mixed[key] = make(read, depth)
      end
    end
    return mixed
  end,
  function() return core.null end,
  function() return print end,
}

function make(read, depth)
  if depth >= MAX_DEPTH then
    return read.text()
  end
  return makers[read.byte() % #makers + 1](read, depth + 1)
end

--- The parameters of the URL: by name, and how many there are.
local function sent()
  request:aim("https://cr.example", "cr.example", "fuzz")
  assert(request:sign_v3(0, "id", "secret", nil, 0, 0))
  local url = request:table({}, 1).url
  local values, count = {}, 0
  for name, value in url:gmatch("([^&?=]+)=([^&]*)") do
    local function decode(text)
      return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
    end
    assert(values[decode(name)] == nil, "a parameter is sent twice")
    values[decode(name)], count = decode(value), count + 1
  end
  return values, count
end

local function check_refusal(path, expected, got)
  assert(type(path) == "string", "no path")
  assert(expected == nil and type(got) == "table" or
    type(expected) == "string" and type(got) == "string", "an odd reason")
end

local function is_same(given, read_back)
  if type(given) == "number" then
    return given + 0.0 == read_back -- lua-cjson reads every number as a double
  elseif type(given) ~= "table" then
    return given == read_back
  end
  for key, value in pairs(given) do
    if not is_same(value, read_back[key]) then
      return false
    end
  end
  return true
end

local function check_values(operation, parameters, values)
  local scalars = 0
  for _, schema in ipairs(operation.parameters) do
    local given, value = parameters[schema.name], values[schema.name]
    if type(given) == "table" and schema.style == "json" then
      assert(is_same(given, cjson.decode(value)), "the JSON text reads as something else")
    elseif type(given) == "string" or type(given) == "boolean" then
      assert(value == tostring(given), "a value is sent as something else")
      scalars = scalars + 1
    elseif type(given) == "number" then
      assert(tonumber(value) == given, "a number is sent as another")
    end
  end
  return scalars
end

local function check_declared(read)
  local number = read.byte() % core.operation_count + 1
  local operation, parameters = core.operation(number), {}
  for _, schema in ipairs(operation.parameters) do
    if schema.required or read.byte() % 4 == 0 then
      parameters[schema.name] = make_declared(read, schema, 1)
    end
  end
  local defaults = read.byte() % 4 == 0 and make(read, MAX_DEPTH - 8) or nil
  local ok, path, expected, got = request:fill(number, parameters,
    type(defaults) == "table" and defaults or nil)
  if ok then
    check_values(operation, parameters, (sent()))
  else
    check_refusal(path, expected, got)
  end
end

local function count_leaves(value)
  if type(value) ~= "table" then
    return 1
  end
  local count = 0
  for _, field in pairs(value) do
    count = count + count_leaves(field)
  end
  return count
end

local function check_any(read)
  local parameters = make(read, 0)
  if type(parameters) ~= "table" then
    parameters = { [read.text()] = parameters }
  end
  local ok, path, expected, got = request:fill_any("NewOperation", parameters, "POST")
  if not ok then
    check_refusal(path, expected, got)
    return
  end
  local values, count = sent()
  for name, value in pairs(parameters) do
    assert(name == "" or type(value) ~= "string" or values[name] == value, name)
    assert(name == "" or type(value) ~= "number" or tonumber(values[name]) == value, name)
  end
  assert(parameters[""] ~= nil or count == count_leaves(parameters), "a value is missing")
end

return function(input)
  local read = reader(input)
  check_declared(read)
  check_any(read)
  request:clear()
end
