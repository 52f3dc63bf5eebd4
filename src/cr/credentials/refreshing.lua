--- Keeps the session of a provider fresh: one refresh at a time, in good time, and the old session
-- for as long as it is good.
--
-- A session is fetched anew when less than a quarter of its life is left (at most 15 minutes): the
-- advisory window, in which the old one is used whenever that fails, takes long, or is going on
-- already. In the last twentieth (at most 3 minutes), the mandatory window, callers wait for a
-- refresh that is going on; the old session is still used when that fails, until it has really
-- expired. After failures the pauses between refreshes grow: 1, 2, 4 … 60 seconds.
--
-- Time is the transport's `now()`, put right by what the client learnt of it (clock.lua). A clock
-- that is set back makes a session count as old (it is fetched anew, and used when that fails), one
-- that is set forward as expired; no pause outlives either. What waits for another's refresh does
-- so in the transport's `sleep`, so only where that lets others run; and only as long as the step
-- that the refresh is at can take, so that one which was given up in its midst (a request of nginx
-- whose client went away) holds up nobody for good.

local clock = require "cr.clock"
local core = require "cr.core"
local new_error = require "cr.error"
local unavailable = require "cr.credentials.unavailable"

local refreshing = {}

-- Seconds before the expiration, and the same as a share of the session's life.
local ADVISORY = { seconds = 900, share = 1 / 4 }
local MANDATORY = { seconds = 180, share = 1 / 20 }

-- How urgent a refresh is.
local FRESH, EARLY, LATE, OVERDUE = 0, 1, 2, 3

-- The share of what is left of a call's deadline that a refresh may take, as long as the old
-- session is good.
local DEADLINE_SHARE = { [EARLY] = 1 / 4, [LATE] = 1 / 2, [OVERDUE] = 1 }

local PATIENCE = 2 -- seconds for one request of an early refresh; the caller would do without it
local LONGEST_PAUSE = 60 -- seconds between refreshes that fail
local LONGEST_REFRESH = 90 -- seconds; a program may take 60
local LONGEST_STEP = 30 -- seconds, of a step that does not say how long it takes: a user's function
local SLACK = 1 -- seconds that a step may take longer than it said
local YOUNG = 5 -- seconds; a session that is refused earlier was no good from the beginning
local CLOCK_SLACK = 60 -- seconds a clock may be set back without a meaning
local FIRST_LOOK, LONGEST_LOOK, MAX_LOOKS = 0.002, 0.05, 2000 -- waiting for another's refresh

local function urgency(state, time)
  local held = state.held
  if not held or state.is_refused or (held.expires and time >= held.expires) then
    return OVERDUE
  elseif state.late_at and time >= state.late_at then
    return LATE
  elseif (state.early_at and time >= state.early_at) or time < state.fetched_at - CLOCK_SLACK then
    return EARLY
  end
  return FRESH
end

local function window(expires, life, kind)
  return expires - math.min(kind.seconds, life * kind.share)
end

--- When a session is to be fetched anew.
-- @tparam number expires seconds since the epoch
-- @tparam number since when it was fetched
-- @return when the advisory and the mandatory window begin
function refreshing.windows(expires, since)
  return window(expires, expires - since, ADVISORY), window(expires, expires - since, MANDATORY)
end

--- Takes a new credential. `since` is when another worker fetched it.
local function adopt(state, credential, time)
  local old, was_refused = state.held, state.is_refused
  local is_newer = not old or was_refused or not old.expires or not credential.expires or
    credential.expires > old.expires
  local since = credential.since or time
  state.held, state.is_refused, state.fetched_at = credential, false, since
  if not is_newer then
    -- The other side has no fresher one yet; asked again after a pause, as if it had failed. It
    -- has not, so that there is no pause any more once the session has expired.
    state.failures, state.failed_at, state.failure = state.failures + 1, time, nil
    return
  elseif not was_refused then
    state.failures, state.failure = 0, nil
  end
  state.early_at, state.late_at = nil, nil
  local expires = credential.expires
  if expires then
    state.early_at, state.late_at = refreshing.windows(expires, since)
  elseif credential.renewed_after then
    state.early_at = time + credential.renewed_after
  end
end

--- Seconds until the next refresh may be tried. Without a session the first failure has no pause:
-- who calls next is served at once if the other side is well again.
local function pause_left(state, time, level)
  local count = level == OVERDUE and state.failures - 1 or state.failures
  local pause = count > 0 and math.min(2 ^ (count - 1), LONGEST_PAUSE) or 0
  local since = time - (state.failed_at or time)
  return since >= 0 and since < pause and pause - since or 0
end

local function this_coroutine()
  return coroutine.running() or "main"
end

-- nginx puts a status of its own in place, which may know the coroutines of one request only.
local status = rawget(coroutine, "_status") or coroutine.status

--- Whether a refresh is still going on, as far as can be seen.
local function is_alive(flight, settings)
  return flight ~= nil and not flight.is_over and settings.clock() < flight.ends and
    not (type(flight.owner) == "thread" and status(flight.owner) == "dead")
end

--- Waits in the transport's sleep until another caller's refresh is over.
-- @return false when the caller's own time was over first
local function wait(flight, ask)
  local settings, pause = ask.settings, FIRST_LOOK
  for _ = 1, MAX_LOOKS do
    if not is_alive(flight, settings) then
      break
    elseif ask.ends and settings.clock() + pause >= ask.ends then
      return false
    end
    settings.transport.sleep(pause)
    pause = math.min(pause * 1.5, LONGEST_LOOK)
  end
  flight.is_over = true
  ask.time = clock.time(settings) or ask.time
  return true
end

--- A copy that the caller may fill in.
local function again(err)
  local copy = new_error {}
  for name, value in pairs(err) do
    copy[name] = value
  end
  return copy
end

--- The last failure, while it is too early to try again.
local function too_early(state, left)
  local err = again(state.failure)
  err.message = ("%s (asked again in %.1f s)"):format(err.message, left)
  err.retry_after = left
  return err
end

--- What a fetch may take, and where it leaves what it finds out.
local function inquiry(state, ask, level, flight)
  local settings = ask.settings
  local now = settings.clock()
  local ends = now + LONGEST_REFRESH
  if ask.ends then
    ends = math.min(ends, now + math.max(0, ask.ends - now) * DEADLINE_SHARE[level])
  end
  return {
    settings = settings, time = ask.time, ends = ends,
    held = state.held, is_refused = state.is_refused, is_overdue = level == OVERDUE,
    patience = level == EARLY and PATIENCE or ask.patience,
    expect = function(seconds)
      flight.ends = settings.clock() + seconds + SLACK
      if ask.expect then
        ask.expect(seconds)
      end
    end,
  }
end

--- Hands on what a fetch found out: to the caller, who may be another provider's fetch.
local function hand_on(ask, inner)
  ask.asked = ask.asked or inner.asked
  for _, warning in ipairs(inner.warnings or {}) do
    ask.warnings = ask.warnings or {}
    table.insert(ask.warnings, warning)
  end
  ask.time = clock.time(ask.settings) or ask.time
end

local function reject_expired(credential, time)
  if credential.expires and credential.expires <= time then
    return nil, unavailable(("the session from %s expired at %s, and it is %s by this machine's " ..
      "clock"):format(credential.origin, core.iso8601(credential.expires), core.iso8601(time)),
      { hint = "check the clock" })
  end
  return credential
end

--- Remembers a failure: for those who wait, and for the pause before the next refresh.
local function note_failure(state, flight, inner, err, level, time)
  if inner.cut_short and level == OVERDUE then
    return -- the next caller may have more time
  end
  flight.failure = again(err)
  if inner.asked and not flight.is_absent then -- else it was cheap, and may be mended by now
    state.failures, state.failed_at, state.failure = state.failures + 1, time, again(err)
  end
end

--- Tells the hook that the old session is used because there is no fresh one.
local function warn(ask, err)
  ask.warnings = ask.warnings or {}
  table.insert(ask.warnings, "no fresh credential: " .. err.message)
end

-- Plain Lua 5.1 cannot yield across pcall; there an error ends the wait by its time.
local can_guard = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

--- Fetches; whoever waits goes on also when a function or transport of the user's raises.
local function fetch_guarded(state, flight, inner)
  if not can_guard then
    local credential, err, is_absent = state.fetch(inner)
    flight.is_over = true
    return credential, err, is_absent
  end
  local ok, credential, err, is_absent = pcall(state.fetch, inner)
  flight.is_over = true
  if not ok then
    error(credential, 0)
  end
  return credential, err, is_absent
end

--- Fetches.
local function refresh(state, ask, level)
  local flight = { owner = this_coroutine(), ends = ask.settings.clock() + LONGEST_STEP }
  local inner = inquiry(state, ask, level, flight)
  state.flight = flight
  local credential, err, is_absent = fetch_guarded(state, flight, inner)
  hand_on(ask, inner)
  if credential then
    credential, err = reject_expired(credential, ask.time)
  end
  if credential then
    credential.warnings = inner.warnings
    adopt(state, credential, ask.time)
    return credential
  end
  flight.is_absent = is_absent
  note_failure(state, flight, inner, err, level, ask.time)
  if urgency(state, ask.time) < OVERDUE then
    warn(ask, err)
    return state.held
  end
  ask.cut_short = inner.cut_short
  local left = pause_left(state, ask.time, OVERDUE)
  err.retry_after = left > 0 and left or nil
  return nil, err, is_absent
end

--- Waits for another's refresh.
-- @return whether there is more to do; if not: what `get` returns
local function share(state, ask, flight)
  local is_over = wait(flight, ask)
  local level = urgency(state, ask.time)
  if level < OVERDUE and (not is_over or flight.failure) then
    return false, state.held
  elseif not is_over then
    return false, nil, unavailable("the deadline passed while another call fetched the credential")
  elseif flight.failure then
    return false, nil, again(flight.failure), flight.is_absent
  end
  return true
end

--- The way when the session is not fresh.
local function renew(state, ask)
  while true do
    local level = urgency(state, ask.time)
    local left = pause_left(state, ask.time, level)
    local flight = state.flight
    local is_shared = is_alive(flight, ask.settings)
    local may_wait = is_shared and ask.settings.yields() and flight.owner ~= this_coroutine()
    if level == FRESH or (level < OVERDUE and left > 0) or
      (is_shared and (level == EARLY or (level == LATE and not may_wait))) then
      return state.held
    elseif left > 0 and state.failure then
      return nil, too_early(state, left)
    elseif not may_wait then
      return refresh(state, ask, level)
    end
    local goes_on, credential, err, is_absent = share(state, ask, flight)
    if not goes_on then
      return credential, err, is_absent
    end
  end
end

--- The service refused what is held as expired. Where it does so to sessions that were fetched a
-- moment ago, the next ones are fetched after growing pauses.
local function refuse(state, time)
  local age = time - state.fetched_at
  state.is_refused = true
  if age < 0 or age >= YOUNG then
    state.failures = 0
    return
  end
  state.failures, state.failed_at = state.failures + 1, time
  state.failure = unavailable(("the service refused a session from %s as expired that was just " ..
    "fetched"):format(state.held.origin), { hint = "check the clock", retryable = true })
end

--- Makes the provider that keeps what `fetch` brings.
-- @tparam function fetch `fetch(ask)` returns a credential {access_key_id, access_key_secret,
--   ?security_token, ?expires (seconds since the epoch), ?renewed_after (seconds), origin}
--   or nil, error, whether nothing is configured. See remote.lua for `ask`.
-- @return `get(ask)`, which returns the same; `refuse(credential, time)`: the service refused it as
--   expired, the next `get` brings a fresh one
function refreshing.new(fetch)
  local state = { fetch = fetch, failures = 0, fetched_at = 0 }
  return {
    get = function(ask)
      if urgency(state, ask.time) == FRESH then
        return state.held
      end
      return renew(state, ask)
    end,

    refuse = function(credential, time)
      if state.held == credential and not state.is_refused then -- else somebody was here before
        refuse(state, time)
      end
      return true
    end,
  }
end

return refreshing
