--- How many descriptors and child processes this process has.
--
-- A shell that counts them is one itself, and may start before the end of its pipe is closed on our
-- side; so the smallest of some counts is the true one.

local descriptors = {}

local TRIES = 5

local function smallest(command)
  local found
  for _ = 1, TRIES do
    local pipe = assert(io.popen(command .. " | wc -l"))
    local count = tonumber(pipe:read "*a")
    pipe:close()
    found = math.min(found or count, count)
  end
  return found
end

function descriptors.open()
  return smallest "ls /proc/$PPID/fd"
end

function descriptors.children()
  return smallest 'grep -ls "^PPid:[[:space:]]*$PPID\\$" /proc/[0-9]*/status'
end

return descriptors
