--- Requests of one worker that want the same wait together for one of them.
--
-- The work is done in a timer, not in the request that came first: its client may go away, and
-- nginx then ends the request wherever it is, which must not hold up the others nor throw the call
-- away. When there are too many timers already, or the worker is about to end, it is done in the
-- request after all.

local copy = require "cr.cache.copy"
local core = require "cr.core"
local fetch = require "cr.cache.fetch"
local lock = require "cr.cache.lock"

local flight = {}

-- Of one worker. nginx drops a timer without a word to us when more than lua_max_running_timers
-- (256) run.
local MAX_TIMERS = 200

-- Not ssl_client_hello and ssl_session_fetch: to wait there breaks the handshake in an nginx that
-- has not OpenResty's patches, and nothing tells which one it is.
local YIELDS = {
  server_rewrite = true, rewrite = true, access = true, content = true, timer = true,
  ssl_cert = true,
}

local unstarted = 0 -- timers of ours that nginx has not begun yet

--- Whether the caller can wait where it is.
function flight.can_wait()
  return YIELDS[ngx.get_phase()] == true
end

--- Whether work can be done in a timer.
local function has_timers()
  return ngx.get_phase() ~= "init" and not ngx.worker.exiting() and
    ngx.timer.running_count() + unstarted < MAX_TIMERS
end

local function finish(cache, this, outcome)
  this.outcome = outcome
  if cache.flights[this.key] == this then
    cache.flights[this.key] = nil
  end
  if this.waiting > 0 then
    this.semaphore:post(this.waiting)
  end
end

local function work(_, cache, this, call, held)
  unstarted = unstarted - 1
  local ok, outcome = pcall(held and fetch.with_lock or fetch.run, cache, call, held)
  finish(cache, this, ok and outcome or { raised = outcome })
  if not ok or outcome.raised then
    ngx.log(ngx.ERR, "cr.cache: ", tostring(ok and outcome.raised or outcome))
  end
end

--- Lets a timer do the work.
-- @return false when there is none
local function launch(cache, this, call, held)
  if not has_timers() or not ngx.timer.at(0, work, cache, this, call, held) then
    return false
  end
  unstarted = unstarted + 1
  return true
end

local function new(cache, key)
  local this = {
    key = key, waiting = 0, semaphore = assert(require("ngx.semaphore").new()),
    -- Work in a request may be ended in its midst: then others begin anew after this.
    ends = core.monotonic() + cache.lock_timeout + cache.lock_expiry,
  }
  cache.flights[key] = this
  return this
end

local function going_on(cache, key)
  local this = cache.flights[key]
  return this and core.monotonic() < this.ends and this or nil
end

--- A call that others can go on with, whatever the caller does to its tables.
local function detached(call)
  local own = copy.of(call, {})
  own.params = copy.of(call.params, copy.parents(call.params))
  return own
end

--- Brings what is asked for, or waits for the request of this worker that does.
-- @return outcome (see fetch.lua), whether it was begun for this caller
function flight.join(cache, call)
  local this = going_on(cache, call.key)
  local is_first = this == nil
  if is_first then
    this = new(cache, call.key)
    if not launch(cache, this, detached(call)) then
      local outcome = fetch.run(cache, call)
      finish(cache, this, outcome)
      return outcome, true
    end
  end
  this.waiting = this.waiting + 1
  -- The one that works has the same patience for other workers, and then its own call to make.
  local ok = this.semaphore:wait(call.patience + cache.lock_expiry)
  if not ok then
    this.waiting = this.waiting - 1
  end
  return this.outcome or fetch.timeout(call), is_first
end

--- Asks anew in a timer, if nobody does already.
function flight.revalidate(cache, call)
  if going_on(cache, call.key) or not has_timers() then
    return
  end
  local held = lock.take(cache.dict, call.key, cache.lock_expiry)
  if not held then
    return
  end
  local this = new(cache, call.key)
  if launch(cache, this, detached(call), held) then
    cache.counts.revalidations = cache.counts.revalidations + 1
  else
    held:release()
    finish(cache, this, { again = true })
  end
end

return flight
