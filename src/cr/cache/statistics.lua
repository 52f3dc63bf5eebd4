--- Counts for all workers, in the dict. What happens often is counted in the worker and carried
-- there once a second, so that a hit costs one addition.

local statistics = {}

local NAMES = {
  "hits_lru", "hits_dict", "hits_redis", "hits_negative", "stale", "misses", "calls", "failures",
  "lock_waits", "lock_timeouts", "revalidations", "invalidations", "purges", "evictions",
  "too_large", "no_memory", "corrupt", "redis_failures",
}

statistics.NAMES = NAMES

--- @param dict the shared dict
-- @return counts (to be added to), `flush()`, `read()`
function statistics.new(dict)
  local counts = {}
  for _, name in ipairs(NAMES) do
    counts[name] = 0
  end

  local function flush()
    for _, name in ipairs(NAMES) do
      local count = counts[name]
      if count > 0 then
        counts[name] = 0
        dict:incr("s:" .. name, count, 0)
      end
    end
  end

  local function read()
    flush()
    local sums = {}
    for _, name in ipairs(NAMES) do
      sums[name] = dict:get("s:" .. name) or 0
    end
    return sums
  end

  return counts, flush, read
end

return statistics
