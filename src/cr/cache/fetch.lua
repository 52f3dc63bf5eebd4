--- Brings an answer that is not there: one upstream call per key, whoever wants it.
--
-- A call is {key, operation, params, limits, patience (seconds to wait for others)}. What comes of
-- it is an outcome, one of
--
-- - {entry, level = "dict", "redis" or "upstream", info (of the upstream call), outdated (it was
--   invalidated while the call was under way)}
-- - {failure = entry, old = entry from Redis that may still do}
-- - {again = true}: another worker is at it

local clock = require "cr.cache.clock"
local core = require "cr.core"
local entry = require "cr.cache.entry"
local freshness = require "cr.cache.freshness"
local lock = require "cr.cache.lock"
local new_error = require "cr.error"
local verdict = require "cr.cache.verdict"

local fetch = {}

local FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.1 -- seconds between two looks at another's lock
local SHORTEST_CALL = 0.05 -- seconds

--- What others have brought meanwhile, or nil.
local function look(cache, call)
  local found, level = cache.store:find(call.key, true)
  if found and freshness.of(found, clock.now(), call.limits) == freshness.FRESH then
    return { entry = found, level = level }
  end
  local failure = cache.store:failure(call.key, call.limits)
  return failure and { failure = failure }
end

--- The upstream call, which ends before the lock does.
-- @return entry, info
local function ask(cache, call, held)
  local began = clock.exact()
  local deadline = math.max(SHORTEST_CALL, math.min(held:left(), cache.deadline or math.huge))
  cache.counts.calls = cache.counts.calls + 1
  local answer, err, info = cache.client:call(call.operation.name, call.params,
    { deadline = deadline })
  if answer then
    return entry.new(entry.ANSWER, began, answer), info
  elseif verdict(err) then
    return entry.new(entry.NEGATIVE, began, err), info
  end
  cache.counts.failures = cache.counts.failures + 1
  return entry.new(entry.FAILURE, clock.exact(), err) -- remembered from its end on
end

--- With the dict's lock: Redis, then upstream.
local function bring(cache, call, held)
  local fleet = cache.fleet and cache.fleet.takes(call.operation) and cache.fleet
  local outcome, token, old
  if fleet then
    outcome, token, old = fleet:enter(call, held)
  end
  if outcome then
    if outcome.entry then
      cache.store:keep(call.key, outcome.entry, call.limits)
    else
      cache.store:keep_failure(call.key, outcome.failure, call.limits)
    end
    return outcome
  end
  local found, info = ask(cache, call, held)
  local is_kept = true
  if found.kind == entry.FAILURE then
    cache.store:keep_failure(call.key, found, call.limits)
  else
    is_kept = cache.store:keep(call.key, found, call.limits)
  end
  if token then
    is_kept = fleet:leave(call, token, found) and is_kept
  end
  if found.kind == entry.FAILURE then
    if old and not cache.store:find(call.key, true) then
      cache.store:keep(call.key, old, call.limits) -- for those who ask during the outage
    end
    return { failure = found, old = old }
  end
  return { entry = found, level = "upstream", info = info, outdated = not is_kept }
end

--- The same, and the lock given back whatever happens.
function fetch.with_lock(cache, call, held)
  local ok, outcome = pcall(function()
    return look(cache, call) or bring(cache, call, held)
  end)
  held:release()
  return ok and outcome or { raised = outcome }
end

local function timeout(call)
  return {
    failure = entry.new(entry.FAILURE, clock.now(), new_error {
      kind = "transport", code = "CacheLockTimeout", operation = call.operation.name,
      message = ("another call for the same has brought nothing within %g s"):format(call.patience),
      hint = "lock_timeout is how long a request waits for another's call", retryable = true,
    }),
  }
end

fetch.timeout = timeout

--- Becomes the one that asks, or waits for the worker that does.
function fetch.run(cache, call)
  local pause, ends = FIRST_PAUSE, core.monotonic() + call.patience
  local waits = false
  while true do
    local held = lock.take(cache.dict, call.key, cache.lock_expiry)
    if held then
      return fetch.with_lock(cache, call, held)
    elseif not waits then
      waits = true
      cache.counts.lock_waits = cache.counts.lock_waits + 1
    end
    if core.monotonic() + pause > ends then
      cache.counts.lock_timeouts = cache.counts.lock_timeouts + 1
      return timeout(call)
    end
    ngx.sleep(pause)
    pause = math.min(pause * 1.5, LONGEST_PAUSE)
    local outcome = look(cache, call)
    if outcome then
      return outcome
    end
  end
end

return fetch
