--- How good an entry is for who asks. The limits are those of the one who asks, not of the one who
-- brought it: nobody is given what is older than his own `ttl` unless it is marked as stale.

local entry = require "cr.cache.entry"

local freshness = {}

-- FRESH: is served. STALE: is served while one asks anew. OLD: is served when asking anew fails.
freshness.FRESH, freshness.STALE, freshness.OLD = 1, 2, 3

local CLOCK_SLACK = 5 -- seconds; more means that the clock was set back, and the age is not known

--- @tparam table found an entry
-- @tparam number now seconds since the epoch
-- @tparam table limits ttl, negative_ttl, stale_while_revalidate, stale_if_error
-- @return FRESH, STALE, OLD, or nil when it is good for nothing
function freshness.of(found, now, limits)
  local age = now - found.created
  if found.kind == entry.ANSWER then
    local over = age - limits.ttl
    if over < 0 then
      return age > -CLOCK_SLACK and freshness.FRESH or freshness.OLD
    elseif over < limits.stale_while_revalidate then
      return freshness.STALE
    end
    return over < limits.stale_if_error and freshness.OLD or nil
  end
  local ttl = found.kind == entry.NEGATIVE and limits.negative_ttl or limits.failure_ttl or 0
  return age < ttl and age > -CLOCK_SLACK and found.kind ~= entry.INVALID and freshness.FRESH or nil
end

--- Seconds that an entry is worth keeping; 0 for not at all.
function freshness.life(found, limits)
  if found.kind == entry.ANSWER then
    return limits.ttl + math.max(limits.stale_while_revalidate, limits.stale_if_error)
  end
  return found.kind == entry.NEGATIVE and limits.negative_ttl or limits.failure_ttl
end

return freshness
