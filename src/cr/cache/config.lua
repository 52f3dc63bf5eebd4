--- The configuration of a cache: known keys, their checks and defaults, what is wrong with a value.

local base = require "cr.config"

local config = {}

local YEAR = 366 * 86400

local function seconds(minimum)
  return function(value)
    return type(value) == "number" and value >= minimum and value <= YEAR,
      ("a number of seconds from %g to %d"):format(minimum, YEAR)
  end
end

local function name(value)
  return type(value) == "string" and value ~= "" and #value <= 255 and not value:find("[%c ]"),
    "a string without blanks"
end

local function client(value)
  return type(value) == "table" and type(value.call) == "function", "a client made by cr.new"
end

-- What a single `get` may be given too.
config.limits = {
  ttl = seconds(0.001),
  negative_ttl = seconds(0),
  stale_while_revalidate = seconds(0),
  stale_if_error = seconds(0),
  shared = base.is "boolean",
}

config.keys = {
  dict = name,
  client = client,
  identity = name,
  lru_size = base.whole(1, 10000000),
  max_value_bytes = base.whole(1, 1073741824),
  failure_ttl = seconds(0),
  lock_expiry = seconds(1),
  lock_timeout = seconds(0),
  redis = base.is "table",
}

config.redis = {
  host = name,
  port = base.whole(1, 65535),
  username = base.is "string",
  password = base.is "string",
  database = base.whole(0, 1000000),
  prefix = name,
  tls = base.is "boolean",
  server_name = name,
  timeout = seconds(0.001),
  pause = seconds(0.001),
  poll = seconds(0.01),
  pool_size = base.whole(1, 10000),
  keepalive = seconds(1),
}

config.defaults = {
  dict = "cr_cache",
  ttl = 60,
  negative_ttl = 5,
  stale_while_revalidate = 60,
  stale_if_error = 3600,
  shared = false,
  lru_size = 1000,
  max_value_bytes = 1024 * 1024,
  failure_ttl = 1,
  lock_expiry = 15,
  lock_timeout = 20,
}

config.redis_defaults = {
  host = "127.0.0.1",
  port = 6379,
  database = 0,
  prefix = "cr:",
  tls = false,
  timeout = 0.2,
  pause = 5,
  poll = 1,
  pool_size = 32,
  keepalive = 60,
}

for key, check in pairs(config.limits) do
  config.keys[key] = check
end

--- What is wrong with given settings, as a message, or nil. No message shows a value: it may be a
-- password.
-- @tparam string what where they were given, for the message
-- @tparam table given
-- @tparam table checks config.keys, config.limits or config.redis
function config.problem(what, given, checks)
  local problem = base.check(given, checks)
  if problem then
    return what .. ": " .. problem
  end
  if type(given.redis) == "table" then
    return config.problem(what .. ": redis", given.redis, config.redis)
  end
end

return config
