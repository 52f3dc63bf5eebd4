--- Resident memory of a process after some calls and after many, each time with the garbage
-- collected: what grows is leaked, by Lua, by C or by libcurl.
--
--     memory.lua ENDPOINT COUNT…   prints "<calls> <KiB>" at each count

local cr = require "cr"
local sample = require "bench.sample"

local client = cr.new { endpoint = arg[1], credentials = sample.credentials }

local function resident()
  collectgarbage()
  collectgarbage()
  local status = assert(io.open("/proc/self/status"))
  local text = status:read("a")
  status:close()
  return assert(text:match("VmRSS:%s*(%d+) kB"))
end

local done = 0
for i = 2, #arg do
  while done < tonumber(arg[i]) do
    assert(client:get_repo_tag(sample.parameters))
    done = done + 1
  end
  print(done, resident())
end
