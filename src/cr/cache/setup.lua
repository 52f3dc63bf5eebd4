--- Puts a cache together from its configuration, and does what has to be done once a second.

local config = require "cr.cache.config"
local fleet = require "cr.cache.fleet"
local flight = require "cr.cache.flight"
local new_error = require "cr.error"
local overlay = require "cr.overlay"
local purges = require "cr.cache.purges"
local redis = require "cr.cache.redis"
local statistics = require "cr.cache.statistics"
local store = require "cr.cache.store"

local setup = {}

local TICK = 1 -- seconds

--- Who the client signs as, for the keys.
-- @return identity  or nil, what to do
local function identity_of(given, settings)
  if given.identity then
    return "given:" .. given.identity
  end
  local principal = settings.provider.principal
  if not principal then
    return nil, "the client's credentials come from a function, which does not tell who signs; " ..
      'give identity = "…", a name for who signs: answers depend on it'
  end
  local identity, is_everywhere = principal()
  if given.redis and not is_everywhere then
    return nil, ("credentials of type %s may be somebody else's on another machine; give " ..
      'identity = "…", a name for who signs that is the same for all that share this Redis'):format(
      settings.provider.name)
  end
  return identity
end

local DAY = 86400

--- The longest that anything is kept, whatever ttl a single call asks for: until then purges are
-- remembered.
local function life_of(given)
  local life = given.ttl + math.max(given.stale_while_revalidate, given.stale_if_error)
  return math.max(life, given.negative_ttl, DAY)
end

local function limits_of(given)
  local limits = { failure_ttl = given.failure_ttl }
  for name in pairs(config.limits) do
    limits[name] = given[name]
  end
  return limits
end

local function add_fleet(self, given)
  local settings = overlay(config.redis_defaults, given.redis)
  local reason
  self.redis, reason = redis.new(self.dict, settings)
  if not self.redis then
    return nil, reason
  end
  self.fleet = fleet.new {
    redis = self.redis, store = self.store, purges = self.purges, dict = self.dict,
    counts = self.counts, prefix = settings.prefix, poll = settings.poll,
    max_value_bytes = given.max_value_bytes, life = self.life,
  }
  return true
end

--- @tparam table given the whole configuration
-- @param client
-- @tparam table settings the client's
-- @return the parts of a cache  or nil, what is wrong
function setup.new(given, client, settings)
  if not rawget(_G, "ngx") then
    return nil, "works inside nginx with its Lua module only"
  end
  local dict = ngx.shared[given.dict]
  if not dict then
    return nil, ("there is no shared dict %s; add this line to the http block of nginx.conf: " ..
      "lua_shared_dict %s 10m;"):format(given.dict, given.dict)
  end
  local identity, reason = identity_of(given, settings)
  if not identity then
    return nil, reason
  end
  local self = {
    dict = dict, dict_name = given.dict, client = client, settings = settings,
    deadline = settings.deadline, identity = identity, flights = {}, limits = limits_of(given),
    lock_expiry = given.lock_expiry, lock_timeout = given.lock_timeout, life = life_of(given),
    memory = assert(require("resty.lrucache").new(given.lru_size)),
  }
  self.counts, self.flush, self.read_counts = statistics.new(dict)
  self.purges = purges.new(dict, self.life)
  self.store = store.new {
    dict = dict, memory = self.memory, purges = self.purges, counts = self.counts,
    max_value_bytes = given.max_value_bytes, lock_expiry = given.lock_expiry,
  }
  if given.redis then
    local ok
    ok, reason = add_fleet(self, given)
    if not ok then
      return nil, reason
    end
  end
  return self
end

local function on_tick(premature, self)
  self.is_ticking = false
  self.flush()
  if self.fleet and not premature then
    self.fleet:poll_news()
  end
end

--- Sees to it that counts and news travel within a second, as long as the cache is used.
function setup.tick(self)
  if ngx.get_phase() ~= "init" then
    self.is_ticking = ngx.timer.at(TICK, on_tick, self) == true
  end
end

--- Tells the other nginx, where there are any.
-- @return true  or nil, error
function setup.tell_fleet(self, method, ...)
  if not self.fleet then
    return true
  end
  local function tell(_, ...)
    return self.fleet[method](self.fleet, ...)
  end
  local ok, reason
  if flight.can_wait() then
    ok, reason = tell(false, ...)
  else
    ok, reason = ngx.timer.at(0, tell, ...)
  end
  if ok then
    return true
  end
  return nil, new_error {
    kind = "transport", code = "RedisAway", retryable = true,
    message = ("done in this nginx; Redis could not be told: %s"):format(tostring(reason)),
  }
end

return setup
