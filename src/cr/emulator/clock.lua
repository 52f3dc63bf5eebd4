--- What time it is for the emulated services: the machine's time, and an offset on demand.
--
-- Everything that the API dates or lets expire asks here, so that a test can move all of it at
-- once instead of waiting.

local clock = {}

local offset = 0 -- seconds

--- Whole seconds since the epoch.
function clock.seconds()
  return ngx.time() + offset
end

--- The same to the millisecond, and not as of the last event.
function clock.milliseconds()
  ngx.update_time()
  return math.floor((ngx.now() + offset) * 1000)
end

--- @param seconds whole number added to the machine's time, negative for the past; 0 ends it
function clock.shift(seconds)
  offset = seconds
end

function clock.offset()
  return offset
end

return clock
