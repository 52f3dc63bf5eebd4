--- Ten clients in processes of their own against an emulator that lets 50 requests a second
-- through: how long they take for 100 calls each, to the time that the limit allows. `bench/run
-- throttle` starts the emulator; this file is also what each client runs (`throttle.lua client`).

local cr = require "cr"
local core = require "cr.core"

local CLIENTS, CALLS, LIMIT = 10, 100, 50

if arg[1] == "client" then
  local failed, attempts = 0, 0
  for _ = 1, CALLS do
    local answer, _, info = cr.get_instance { InstanceId = "cri-kmsiwlxxdcva****" }
    failed = failed + (answer and 0 or 1)
    attempts = attempts + (info and info.attempts or 0)
  end
  print(("%d %d"):format(failed, attempts))
  os.exit(0)
end

local function control(method, name, body)
  local handle = core.http()
  local response = assert(handle:exchange {
    method = method, url = os.getenv "ALIBABA_CLOUD_ENDPOINT" .. "/_emulator/" .. name,
    headers = { ["content-type"] = "application/json" }, body = body, proxy = "",
  })
  handle:close()
  return response.body
end

control("POST", "limit", ('{"per_second":%d}'):format(LIMIT))
control("DELETE", "log")
local start, pipes = core.monotonic(), {}
for number = 1, CLIENTS do
  pipes[number] = io.popen(("%s %s client"):format(arg[-1], arg[0]))
end
local failed, attempts = 0, 0
for _, pipe in ipairs(pipes) do
  local lost, tries = pipe:read("*a"):match "(%d+) (%d+)"
  failed, attempts = failed + lost, attempts + tries
  pipe:close()
end
local seconds = core.monotonic() - start

-- Requests that were let through, by second of the emulator's log.
local passed, most = {}, 0
for _, entry in ipairs(require("cjson").decode(control("GET", "log"))) do
  if entry.status == 200 then
    local second = math.floor(entry.time)
    passed[second] = (passed[second] or 0) + 1
    most = math.max(most, passed[second])
  end
end
local ideal = (CLIENTS * CALLS - LIMIT) / LIMIT
print(("%.2f %.2f %d calls failed, %.2f requests a call, at most %d let through in a second")
  :format(ideal, seconds, failed, attempts / (CLIENTS * CALLS), most))
