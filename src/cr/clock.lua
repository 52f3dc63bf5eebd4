--- What time it is, as far as requests are concerned: the transport's clock and what was learnt of
-- how wrong it is.
--
-- The service refuses requests whose time is off by more than 15 minutes, and its answers carry its
-- own. Then the difference is kept for the client, and the machine's clock may be what it is.

local answer = require "cr.answer"
local core = require "cr.core"

local clock = {}

local LATEST = 253402300800 -- seconds, the end of the year 9999

local SMALLEST_OFFSET = 60 -- seconds; with less the service had another reason

local REFUSED = { ["InvalidTimeStamp.Expired"] = true, IllegalTimestamp = true }

--- The time, in seconds since the epoch.
-- @tparam table settings of a client: `transport`, and `learnt` with `clock_offset`
-- @return the time
-- @return nil, code, message
function clock.time(settings)
  local time = settings.transport.now()
  if type(time) ~= "number" then
    return nil, "BadTransport", "the transport's now() returned no number"
  elseif time ~= time or math.abs(time) >= LATEST then
    return nil, "BadTransport", "the transport's now() returned no seconds since the epoch"
  end
  return time + settings.learnt.clock_offset
end

--- Learns from an answer that refused a request for its time.
-- @tparam table settings
-- @tparam table err of the service
-- @tparam table response
-- @tparam number time that the request was signed with
-- @treturn boolean whether there is another time to try now
function clock.learn(settings, err, response, time)
  local date = REFUSED[err.code] and answer.header(response, "date")
  local server = date and core.parse_date(date)
  if not server or math.abs(server - time) < SMALLEST_OFFSET then
    return false
  end
  -- To the transport's own clock: another call may have learnt the same meanwhile.
  settings.learnt.clock_offset = server - settings.transport.now()
  return true
end

return clock
