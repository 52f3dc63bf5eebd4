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

--- The value, or nil when it counts as not there.
function mapped.given(value)
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

local function are_missing(names)
  table.sort(names)
  local last = table.remove(names)
  return #names == 0 and last .. " is missing" or
    ("%s and %s are missing"):format(table.concat(names, ", "), last)
end

--- @tparam table map `type`, and `keys` by field
-- @tparam table values of the section
-- @tparam table checks by field, those of the type
-- @return declared credentials
-- @return nil, reason
function mapped.declare(map, values, checks)
  local declared, missing, wrong = { type = map.type }, {}, {}
  for field, key in pairs(map.keys) do
    local name = key:gsub("!$", "")
    local value = mapped.given(values[name])
    if value == nil and name ~= key then
      missing[#missing + 1] = name
    elseif value ~= nil then
      wrong[#wrong + 1] = problem(field, name, value, checks or {})
      declared[field] = value
    end
  end
  if #missing > 0 then
    return nil, are_missing(missing)
  end
  table.sort(wrong) -- the same one each time
  if wrong[1] then
    return nil, wrong[1]
  end
  return declared
end

--- Whether a section has none of the keys that a map says it must have: one that was never filled
-- in, as the vendor's command line writes it at its first start.
function mapped.is_blank(map, values)
  local must_have_some = false
  for _, key in pairs(map.keys) do
    if key:find("!$") then
      must_have_some = true
      if mapped.given(values[key:sub(1, -2)]) ~= nil then
        return false
      end
    end
  end
  return must_have_some
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
