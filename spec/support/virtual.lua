--- Clients in virtual time: each in a coroutine, over a transport whose exchanges and pauses take
-- time that nobody waits for. What differs from run to run is the jitter of pauses alone.
--
--     local world = virtual.new(function(request, world) … return response end)
--     local transport = world.transport()
--     world.spawn(function() … end); world.run(); world.time

local virtual = {}

local EPOCH = 1572925525
local LATENCY = 0.002 -- seconds of an exchange

--- @param serve function of a request and the world: the response, at the time of the world
function virtual.new(serve)
  local world = { time = EPOCH }
  local sleepers = {}

  local function sleep(seconds)
    coroutine.yield(world.time + seconds)
  end

  --- A transport; all transports of a world share its clock.
  function world.transport()
    return {
      now = function() return world.time end,
      sleep = sleep,
      exchange = function(request)
        sleep(LATENCY / 2)
        local response = serve(request, world)
        sleep(LATENCY / 2)
        return response
      end,
    }
  end

  function world.spawn(body)
    sleepers[#sleepers + 1] = { thread = coroutine.create(body), wakes = world.time }
  end

  --- Runs until all are done; the earliest goes first.
  function world.run()
    while #sleepers > 0 do
      local first = 1
      for index, sleeper in ipairs(sleepers) do
        if sleeper.wakes < sleepers[first].wakes then
          first = index
        end
      end
      local sleeper = sleepers[first]
      world.time = sleeper.wakes
      local ok, wakes = coroutine.resume(sleeper.thread)
      assert(ok, wakes)
      sleeper.wakes = wakes
      if coroutine.status(sleeper.thread) == "dead" then
        table.remove(sleepers, first)
      end
    end
  end

  return world
end

return virtual
