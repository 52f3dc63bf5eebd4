--- From a section of somebody's configuration file to declared credentials.
--
-- The files have names of their own for the same things. A map tells, for a mode or type of the
-- file, the type of credentials and which key holds which field; "!" marks the keys that must be
-- there. An empty text, 0 and null count as not there: the vendor's command line writes them for
-- everything that is not used.

local check = require "cr.credentials.check"
local suggest = require "cr.suggest"

local mapped = {}

local IS_SECRET = { access_key_id = true, access_key_secret = true, security_token = true }

local function given(value)
  if value ~= "" and value ~= 0 and type(value) ~= "userdata" then
    return value
  end
end

--- What is wrong with a value, in words that name the file's key.
local function problem(field, key, value, checks)
  if IS_SECRET[field] then
    local wrong = check.key_problem(field, value)
    return wrong and wrong:gsub("^" .. field, (key:gsub("%%", "%%%%")))
  end
  local ok, expected = checks[field](value)
  if not ok then
    return ("%s must be %s"):format(key, expected)
  end
end

--- @tparam table map `type`, and `keys` by field
-- @tparam table values of the section
-- @tparam table checks by field, those of the type
-- @return declared credentials
-- @return nil, reason
function mapped.declare(map, values, checks)
  local declared = { type = map.type }
  for field, key in pairs(map.keys) do
    local name = key:gsub("!$", "")
    local value = given(values[name])
    if value == nil and name ~= key then
      return nil, name .. " is missing"
    elseif value ~= nil then
      local wrong = problem(field, name, value, checks or {})
      if wrong then
        return nil, wrong
      end
      declared[field] = value
    end
  end
  return declared
end

--- Whether a section has none of the keys that a map says it must have: one that was never filled
-- in, as the vendor's command line writes it at its first start.
function mapped.is_blank(map, values)
  for _, key in pairs(map.keys) do
    if key:find("!$") and given(values[key:sub(1, -2)]) ~= nil then
      return false
    end
  end
  return next(map.keys) ~= nil
end

--- "no such …" for a name that is not in a list.
function mapped.unknown(what, name, names)
  table.sort(names)
  local best = suggest(name, names)
  if best then
    return ('%s "%s" is not known; did you mean %s?'):format(what, name, best)
  end
  return ('%s "%s" is not known; known are %s'):format(what, name, table.concat(names, ", "))
end

function mapped.names(map)
  local names = {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  return names
end

return mapped
