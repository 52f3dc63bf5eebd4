--- The Lua side of rounds.h: serves "<work> <count>" lines, answers "<wall> <cpu>", nanoseconds
-- per repetition.

local core = require "cr.core"

-- @tparam table works functions of a count by name; they raise when something fails
return function(works)
  for line in io.lines() do
    local name, count = line:match("^(%S+) (%d+)$")
    count = tonumber(count)
    local work = assert(works[name], name)
    local cpu, wall = os.clock(), core.monotonic()
    work(count)
    wall, cpu = core.monotonic() - wall, os.clock() - cpu
    io.write(("%.1f %.1f\n"):format(wall / count * 1e9, cpu / count * 1e9))
    io.flush()
  end
end
