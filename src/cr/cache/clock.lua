--- What time it is for the cache. In a table, so that specs can move it.

local core = require "cr.core"

local clock = {}

--- Seconds since the epoch, as nginx keeps them from one event to the next: costs no system call,
-- and is late by what the worker has done since.
function clock.now()
  return ngx.now()
end

--- The same, not late, in microseconds: which of a call and an invalidation came first is decided
-- by it.
function clock.exact()
  return core.time()
end

return clock
