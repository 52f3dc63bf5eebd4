--- The configuration of a client: known keys, their types, what is wrong with a value.
--
-- Misuse raises: a wrong key or type is a mistake in the program. Values that can come from
-- outside (a region nobody has heard of, say) are looked at when they are used.

local suggest = require "cr.suggest"
local transports = require "cr.transport"

local config = {}

local function is(expected)
  return function(value)
    return type(value) == expected, "a " .. expected
  end
end

local function positive(maximum, unit)
  return function(value)
    return type(value) == "number" and value > 0 and value <= maximum,
      ("a number of %s above 0, at most %d"):format(unit, maximum)
  end
end

local function whole(minimum, maximum)
  return function(value)
    return type(value) == "number" and value >= minimum and value <= maximum and value % 1 == 0,
      ("an integer from %d to %d"):format(minimum, maximum)
  end
end

local function one_of(...)
  local known, list = {}, { ... }
  for _, value in ipairs(list) do
    known[value] = true
  end
  return function(value)
    return known[value] == true, '"' .. table.concat(list, '" or "') .. '"'
  end
end

--- A string that becomes part of a header or of a path given to C.
local function line(value)
  return type(value) == "string" and value ~= "" and not value:find("[%c]"),
    "a string without control characters"
end

local function line_or_empty(value)
  return value == "" or (line(value)), "a string without control characters"
end

local function transport(value)
  if type(value) == "string" and transports.has(value) then
    return true
  end
  return type(value) == "table" and type(value.exchange) == "function" and
    (value.sleep == nil or type(value.sleep) == "function") and
    (value.now == nil or type(value.now) == "function"),
    'a table with the functions exchange, sleep and now, "curl", or inside nginx "nginx"'
end

--- Outside nginx, where there are no workers, any name will do.
local function shared_dict(value)
  local dicts = transports.in_nginx() and rawget(_G, "ngx").shared
  return line(value) and (not dicts or dicts[value] ~= nil), "the name of a lua_shared_dict"
end

local function credentials(value)
  return type(value) == "table" or type(value) == "function",
    "a table with a field type, or a function that returns one"
end

-- For methods with options of their own.
config.is, config.whole, config.positive, config.one_of = is, whole, positive, one_of

-- What is in flight at a time, of `cr.run` and `client:map`.
config.concurrency = { default = 16, check = whole(1, 10000) }

local DAY = 86400

-- Every key: how its value is checked. The README's table is held against this one by a spec.
config.keys = {
  region = line,
  network = one_of("vpc", "public"),
  endpoint = line,
  allow_plaintext = is "boolean",
  credentials = credentials,
  signature = one_of("v3", "v1"),
  timeout = positive(DAY, "seconds"),
  connect_timeout = positive(DAY, "seconds"),
  max_attempts = whole(1, 100),
  deadline = positive(DAY, "seconds"),
  proxy = line_or_empty,
  ca_file = line,
  ca_path = line,
  defaults = is "table",
  transport = transport,
  thread_pool = line,
  session_dict = shared_dict,
  user_agent = line,
  max_response_bytes = whole(1, 1073741824),
  on_attempt = is "function",
  retry = is "function",
}

-- Keys that only a single call has.
config.call_options = { method = one_of("GET", "POST") }

config.defaults = {
  signature = "v3",
  thread_pool = "cr",
  timeout = 10,
  connect_timeout = 5,
  max_attempts = 3,
  max_response_bytes = 16 * 1024 * 1024,
}

local NONE = {}

--- Says of an unknown key what may have been meant: one like it, or what there is.
-- @tparam table checks by the keys that there are
-- @tparam ?table more of them
local function unknown(key, checks, more)
  local names = {}
  for _, known in ipairs { checks, more } do
    for name in pairs(known) do
      names[#names + 1] = name
    end
  end
  table.sort(names)
  local best = type(key) == "string" and suggest(key, names)
  return ("unknown key %s; %s"):format(tostring(key),
    best and "did you mean " .. best .. "?" or "the keys are " .. table.concat(names, ", "))
end

--- What is wrong with a table, as a message, or nil. No message shows a value: it could be a secret
-- in the wrong place.
-- @tparam table given
-- @tparam table checks by key: functions of the value that return whether it is good, and what is
--   expected
-- @tparam ?table more of them
function config.check(given, checks, more)
  more = more or NONE
  for key, value in pairs(given) do
    local check = checks[key] or more[key]
    if not check then
      return unknown(key, checks, more)
    end
    local ok, expected = check(value)
    if not ok then
      return ("%s must be %s, got a %s"):format(key, expected, type(value))
    end
  end
end

--- What is wrong with a client's settings, as a message, or nil.
-- @tparam string what "cr.new" or "options", for the message
-- @tparam table given
-- @tparam ?table own checks of further keys that are allowed: `config.call_options`, or a method's
function config.problem(what, given, own)
  local problem = config.check(given, config.keys, own)
  return problem and what .. ": " .. problem
end

return config
