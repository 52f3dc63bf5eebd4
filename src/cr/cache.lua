--- Answers kept in nginx: one upstream call per question and `ttl`, whatever the number of workers.
--
--     -- nginx.conf: lua_shared_dict cr_cache 10m;
--     local cache = require("cr.cache").new { client = client, ttl = 60 }
--     local tag, err, info = cache:get_repo_tag { InstanceId = "cri-…", RepoId = "…", Tag = "1" }
--
-- Levels: a worker's own memory (lua-resty-lrucache), the dict, Redis if there is one, the API. How
-- old an answer may be is said by who asks; old ones are marked as stale and served while one is
-- asked anew, or when the API does not answer. See docs/cache.md.
--
-- Parts, in the folder cache: key (what is the same question), entry (what is kept of a call),
-- freshness (is it good enough), store (memory and dict), purges (what became invalid), lock, fetch
-- (one call), flight (requests that wait together), fleet and redis (the level of many nginx).

local client_module = require "cr.client"
local clock = require "cr.cache.clock"
local config = require "cr.cache.config"
local entry = require "cr.cache.entry"
local fetch = require "cr.cache.fetch"
local flight = require "cr.cache.flight"
local freshness = require "cr.cache.freshness"
local keys = require "cr.cache.key"
local new_error = require "cr.error"
local operations = require "cr.operations"
local overlay = require "cr.overlay"
local setup = require "cr.cache.setup"

local FRESH, STALE = freshness.FRESH, freshness.STALE

local MAX_ROUNDS = 5 -- through what others bring that will not do

-- Seconds that Redis remembers at least that an answer is invalid, for calls that are under way in
-- other nginx.
local MARK_LIFE = 60

local NONE = {}

local cache = {}

local Cache = {}

-- Where a cache keeps what it is made of, out of the way of its methods' names.
local SELF = {}

local function self_of(given)
  local self = type(given) == "table" and rawget(given, SELF)
  if not self then
    error("not a cache: call methods as cache:method(…)", 3)
  end
  return self
end

--- Raises, at the caller of the method, for arguments that no data can excuse.
local function check(name, params, options)
  if params ~= nil and type(params) ~= "table" then
    error(("%s: the parameters must be a table, got a %s"):format(name, type(params)), 3)
  elseif options ~= nil then
    if type(options) ~= "table" then
      error(("%s: the options must be a table, got a %s"):format(name, type(options)), 3)
    end
    local problem = config.problem("options", options, config.limits)
    if problem then
      error(problem, 3)
    end
  end
end

--- The operation of a name.
-- @return operation  or nil, error; raises for one that writes
local function find_operation(name)
  local operation = type(name) == "string" and operations.find(name)
  if operation and operation.is_read then
    return operation
  elseif operation then
    error(("%s changes something: only what begins with Get or List can be cached"):format(name), 3)
  elseif type(name) ~= "string" then
    error(("the operation's name must be a string, got a %s"):format(type(name)), 3)
  end
  local best = operations.suggestion(name)
  return nil, new_error {
    kind = "validation", code = "UnknownOperation", retryable = false, operation = name,
    message = "no such operation" .. (best and "; did you mean " .. best .. "?" or ""),
  }
end

--- What keeps the answers of this cache apart from those of other endpoints and identities.
local function space_of(self)
  if not self.space then
    local endpoint, err = self.settings.endpoint_of(self.settings)
    if not endpoint then
      return nil, err
    end
    self.space = keys.space(endpoint.origin, self.identity)
  end
  return self.space
end

--- @return key  or nil, error
local function key_of(self, operation, params)
  local space, err = space_of(self)
  if not space then
    err.operation = operation.name
    return nil, err
  end
  local path
  path, err = keys.path(operation, params or NONE, self.settings.defaults)
  return path and space .. path, err
end

--- Hands out what was found. @return answer, nil, info  or nil, error, info
local function hand_out(limits, found, level, now)
  local answer, err = entry.open(found, limits.shared)
  return answer, err, { level = level, age = math.max(0, now - found.created) }
end

local HITS = { lru = "hits_lru", dict = "hits_dict", redis = "hits_redis" }

local function count_hit(self, found, level)
  local counts, name = self.counts, HITS[level]
  if name then
    counts[name] = counts[name] + 1
  end
  if found.kind == entry.NEGATIVE and name then
    counts.hits_negative = counts.hits_negative + 1
  end
end

--- An old answer instead of a failure, or beside the question that is being asked.
local function hand_out_stale(self, limits, found, level, failure)
  self.counts.stale = self.counts.stale + 1
  local answer, _, info = hand_out(limits, found, level, clock.now())
  info.stale, info.failure = true, failure
  return answer, nil, info
end

--- The newer one of two entries that may be served, or nil.
local function newer(a, b, limits)
  local now = clock.now()
  a = a and freshness.of(a, now, limits) and a
  b = b and freshness.of(b, now, limits) and b
  return a and b and (a.created >= b.created and a or b) or a or b
end

--- What a failure means to the caller, who may have an old answer.
local function settle_failure(self, limits, outcome, found)
  local _, err = entry.open(outcome.failure)
  local old = newer(found, outcome.old, limits)
  if old and old.kind == entry.ANSWER then
    return hand_out_stale(self, limits, old, old == found and "dict" or "redis", err)
  end
  return nil, err
end

local function settle(self, limits, outcome)
  local found = outcome.entry
  count_hit(self, found, outcome.level)
  local answer, err, info = hand_out(limits, found, outcome.level, clock.now())
  for name, value in pairs(outcome.info or NONE) do
    info[name] = value
  end
  return answer, err, info
end

--- Whether what came is what the caller wants.
local function will_do(outcome, limits, is_first)
  if outcome.failure then
    return true
  elseif not outcome.entry or (outcome.outdated and not is_first) then
    return false
  end
  return outcome.level == "upstream" or
    freshness.of(outcome.entry, clock.now(), limits) == FRESH
end

local function cannot_wait(operation)
  local phase = ngx.get_phase()
  return nil, new_error {
    kind = "transport", code = "CannotWait", operation = operation.name, retryable = false,
    message = ("the answer is not in the cache, and nginx cannot wait for one in the phase %s")
      :format(phase),
    hint = "ask in an earlier phase (rewrite, access or content), or in ngx.timer.at(0, …)",
  }
end

--- The way when there is no fresh answer in this nginx.
local function ask(self, call, found, state, level)
  local limits = call.limits
  local failure = self.store:failure(call.key, limits)
  if state == STALE then
    if not failure then
      flight.revalidate(self, call)
    end
    return hand_out_stale(self, limits, found, level)
  elseif failure then
    return settle_failure(self, limits, { failure = failure }, found)
  elseif not flight.can_wait() then
    return cannot_wait(call.operation)
  end
  self.counts.misses = self.counts.misses + 1
  local outcome, is_first
  for _ = 1, MAX_ROUNDS do
    outcome, is_first = flight.join(self, call)
    if outcome.raised then
      error(outcome.raised, 0)
    elseif will_do(outcome, limits, is_first) then
      break
    end
  end
  if outcome.entry then
    return settle(self, limits, outcome)
  end
  return settle_failure(self, limits, outcome.failure and outcome or fetch.timeout(call), found)
end

local function get(self, operation, params, options)
  if not self.is_ticking then
    setup.tick(self)
  end
  local limits = options and overlay(self.limits, options) or self.limits
  local key, err = key_of(self, operation, params)
  if not key then
    return nil, err
  end
  local store, now = self.store, clock.now()
  local found, level = store:find(key)
  local state = found and freshness.of(found, now, limits)
  if level == "lru" and state ~= FRESH then
    found, level = store:find(key, true) -- another worker may have asked anew
    state = found and freshness.of(found, now, limits)
  end
  if state == FRESH then
    count_hit(self, found, level)
    return hand_out(limits, found, level, now)
  end
  return ask(self, {
    key = key, operation = operation, params = params or NONE, limits = limits,
    patience = self.lock_timeout,
  }, found, state, level)
end

--- Asks for the answer of a read operation.
-- @tparam string name "GetRepoTag" or "get_repo_tag"
-- @tparam[opt] table params by the names of the API
-- @tparam[opt] table options ttl, negative_ttl, stale_while_revalidate, stale_if_error (seconds),
--   shared (boolean), for this call
-- @return the answer's table, nil, info {level ("lru", "dict", "redis", "upstream"), age (seconds),
--   stale (true or nil), failure (the error that an old answer stands in for), and of an upstream
--   call what the client tells}
-- @return nil, error, info (nil unless the error is an answer)
function Cache:get(name, params, options)
  local self_ = self_of(self)
  check("get", params, options)
  local operation, err = find_operation(name)
  if not operation then
    return nil, err
  end
  local answer, failure, info = get(self_, operation, params, options)
  return answer, failure, info
end

--- Makes the answer to one question invalid, in all workers and in Redis, and what calls bring that
-- are under way.
-- @tparam string name
-- @tparam[opt] table params
-- @return true
-- @return nil, error  for parameters that cannot be; or when Redis could not be told
function Cache:invalidate(name, params)
  local self_ = self_of(self)
  check("invalidate", params)
  local operation, err = find_operation(name)
  local key
  if operation then
    key, err = key_of(self_, operation, params)
  end
  if not key then
    return nil, err
  end
  self_.counts.invalidations = self_.counts.invalidations + 1
  local time = clock.exact()
  self_.flights[key] = nil
  self_.store:invalidate(key, time)
  return setup.tell_fleet(self_, "invalidate", time, key, self_.lock_expiry + MARK_LIFE)
end

--- Makes invalid what begins with a prefix.
-- @tparam[opt] string prefix of operations' names ("GetRepoTag" means GetRepoTagScanStatus too), or
--   of a whole question ("GetRepoTag?InstanceId=cri-…"); all operations when nil
-- @tparam[opt] table params only answers to questions with these parameters among theirs
-- @return true
-- @return nil, error  when Redis could not be told
function Cache:purge(prefix, params)
  local self_ = self_of(self)
  if prefix ~= nil and (type(prefix) ~= "string" or prefix:find("%c")) then
    error("purge: the prefix must be the beginning of an operation's name, as a string", 2)
  end
  check("purge", params)
  local wanted, wrong = keys.pairs(params or NONE)
  if not wanted then
    error(("purge: parameter %s must be a string, an integer or a boolean"):format(wrong), 2)
  end
  local space, err = space_of(self_)
  if not space then
    return nil, err
  end
  self_.counts.purges = self_.counts.purges + 1
  local time = clock.exact()
  self_.flights = {}
  self_.purges:add(time, space .. (prefix or ""), wanted)
  return setup.tell_fleet(self_, "purge", time, space .. (prefix or ""), wanted)
end

--- Counts since nginx started, of all workers and all caches of this dict.
-- @return {hits_lru, hits_dict, …; dict_bytes, dict_free_bytes, lru_entries (of this worker), redis
--   ("well", "away", or nil without one)}
function Cache:stats()
  local self_ = self_of(self)
  local sums = self_.read_counts()
  sums.dict_bytes, sums.dict_free_bytes = self_.dict:capacity(), self_.dict:free_space()
  sums.lru_entries = self_.memory:count()
  sums.redis = self_.redis and (self_.redis:is_away() and "away" or "well") or nil
  return sums
end

-- Methods of operations, as a client has them.
setmetatable(Cache, {
  __index = function(methods, name)
    local operation = type(name) == "string" and operations.find(name)
    if not operation or operation.lua_name ~= name then
      return nil
    elseif not operation.is_read then
      find_operation(name)
    end
    local function method(self, params, options)
      local self_ = self_of(self)
      check(name, params, options)
      local answer, err, info = get(self_, operation, params, options)
      return answer, err, info
    end
    methods[name] = method
    return method
  end,
})

local metatable = {
  __index = Cache,
  __name = "cr.cache",
  __tostring = function(self)
    return "cr.cache (" .. self_of(self).dict_name .. ")"
  end,
}

--- Makes a cache. Once per nginx, in init_by_lua or a module: it holds the worker's own memory.
-- @tparam[opt] table given see docs/cache.md; unknown keys and wrong types raise
function cache.new(given)
  given = given == nil and {} or given
  if type(given) ~= "table" then
    error(("cr.cache.new: the configuration must be a table, got a %s"):format(type(given)), 2)
  end
  local problem = config.problem("cr.cache.new", given, config.keys)
  if problem then
    error(problem, 2)
  end
  local client = given.client or client_module.new {}
  local self, reason = setup.new(overlay(config.defaults, given), client,
    client_module.settings_of(client, 3))
  if not self then
    error("cr.cache.new: " .. reason, 2)
  end
  return setmetatable({ [SELF] = self }, metatable)
end

return cache
