--- Many coroutines over one client, without a network of their own: a transport that yields where
-- one of an event loop would, and a loop that resumes them in turn.
--
--     local transport = coroutines.transport()         -- over a libcurl handle; fields `clock`,
--     coroutines.run(50, function(number) … end)       -- `offset` (seconds), `pauses`, `exchanges`

local core = require "cr.core"
local curl = require "cr.transport.curl"

local coroutines = {}

local function yield()
  local _, is_main = coroutine.running()
  if coroutine.running() and not is_main then
    coroutine.yield()
  end
end

--- A transport whose exchanges and pauses yield inside a coroutine. Its clock is the system's and
-- `offset`; a pause takes no time but moves it.
function coroutines.transport()
  local handle = curl()
  local transport = { offset = 0, pauses = {}, exchanges = 0 }

  function transport.now()
    return core.time() + transport.offset
  end

  function transport.sleep(seconds)
    transport.pauses[#transport.pauses + 1] = seconds
    transport.offset = transport.offset + seconds
    yield()
  end

  function transport.exchange(request)
    transport.exchanges = transport.exchanges + 1
    yield()
    return handle.exchange(request)
  end

  transport.close = handle.close
  return transport
end

--- Runs `body(number)` in so many coroutines, in turns, to the end of all.
-- @return what each returned first, in order
function coroutines.run(count, body)
  local results, alive = {}, {}
  for number = 1, count do
    alive[number] = coroutine.create(function()
      results[number] = body(number)
    end)
  end
  while #alive > 0 do
    local left = {}
    for _, thread in ipairs(alive) do
      assert(coroutine.resume(thread))
      if coroutine.status(thread) ~= "dead" then
        left[#left + 1] = thread
      end
    end
    alive = left
  end
  return results
end

return coroutines
