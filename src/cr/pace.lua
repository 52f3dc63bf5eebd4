--- How fast a client sends after it was throttled.
--
-- The service allows so many calls a second, to all clients of an account together, and tells
-- nobody how many. A client that was throttled spaces its calls from then on: at first somewhat
-- slower than it sent, then faster again, slowly near the rate at which it was throttled and
-- quickly far above it (a cubic curve, as TCP's congestion control has it). So many clients share a
-- limit without running into it all the time. A client that was not throttled for a minute is not
-- slowed down.

local pace = {}

local SLOWER = 0.8 -- of the rate at which it was throttled
local GROWTH = 0.4 -- of the cubic curve, calls/s per cubic second
local FIRST_RATE = 5 -- calls/s, taken for the rate of a client that was never measured
local LOWEST_RATE = 0.5 -- calls/s
local LONGEST_DELAY = 20 -- seconds
local PROOF = 3 -- calls that got through after the first that was throttled
local WINDOW = 0.5 -- seconds over which the rate is measured
local FORGOTTEN_AFTER = 60 -- seconds

--- Counts an attempt that was sent; the rate is smoothed over the last windows.
local function measure(state, time)
  state.count = state.count + 1
  local span = time - state.since
  if span >= WINDOW or span < 0 then
    local rate = span > 0 and state.count / span or state.measured
    state.measured = state.measured and 0.8 * rate + 0.2 * state.measured or rate
    state.count, state.since = 0, time
  end
end

local function slow_down(state, time)
  local rate = math.min(state.rate or FIRST_RATE, state.measured or FIRST_RATE)
  state.throttled_at, state.ceiling = time, rate
  state.plateau = (rate * (1 - SLOWER) / GROWTH) ^ (1 / 3) -- seconds until the old rate is reached
  state.rate = math.max(LOWEST_RATE, rate * SLOWER)
  state.free_at = time -- who was throttled has a pause of its own
end

local function speed_up(state, time)
  local curve = GROWTH * (time - state.throttled_at - state.plateau) ^ 3 + state.ceiling
  local twice = 2 * (state.measured or curve)
  state.rate = math.max(LOWEST_RATE, math.min(curve, twice))
end

--- Takes note of an answer.
-- @tparam table learnt what the client has learnt; its field `pace` is this module's, nil while
--   nothing slows the client down
-- @tparam number time seconds
-- @tparam boolean is_throttled
function pace.note(learnt, time, is_throttled)
  local state = learnt.pace
  if is_throttled then
    state = state or { count = 0, since = time, passed = 0 }
    learnt.pace = state
    measure(state, time)
    slow_down(state, time)
  elseif state then
    local since = time - state.throttled_at
    if since < 0 or since > FORGOTTEN_AFTER then
      learnt.pace = nil
      return
    end
    state.passed = state.passed + 1
    measure(state, time)
    speed_up(state, time)
  end
end

--- Whether calls get through at the pace that was found: then one that is throttled all the same is
-- worth more attempts.
function pace.gets_through(learnt)
  return learnt.pace ~= nil and learnt.pace.passed >= PROOF
end

--- Seconds that a call which was throttled waits at least: about the time between two calls, spread
-- so that those who were refused together do not come again together.
-- @tparam number random from 0 to 1
function pace.penalty(learnt, random)
  local state = learnt.pace
  return state and (0.5 + random) / state.rate or 0
end

--- Seconds to wait before the next attempt is sent; reserves its place.
function pace.delay(learnt, time)
  local state = learnt.pace
  if not state then
    return 0
  end
  local free_at = math.min(math.max(time, state.free_at), time + LONGEST_DELAY)
  state.free_at = free_at + 1 / state.rate
  return free_at - time
end

return pace
