--- Subject of "nginx": calls inside nginx, measured from outside with wrk.
--
--     gateway.lua FOLDER FAST       FOLDER for temporary files, FAST the address of the server
--
-- Prints "rate <bare> <exchange> <call>" (answers a second) and "p99 <idle> <with calls>"
-- (microseconds) for every round; all three, and both, take turns. At the end "blocking <p99>", or
-- "blocking none" when not one other request was answered within BLOCKING_SECONDS.

local core = require "cr.core"
local find_nginx = require "cr.emulator.find_nginx"

local FOLDER, FAST = arg[1], arg[2]
local RATE_ROUNDS, LATENCY_ROUNDS, SECONDS = 9, 7, 2
local BLOCKING_SECONDS = 20
local IN_FLIGHT = 64 -- calls of half a second

local function lines_of(command)
  local pipe, lines = assert(io.popen(command)), {}
  for line in pipe:lines() do
    lines[#lines + 1] = line
  end
  pipe:close()
  return lines
end

local nginx, modules = find_nginx()
local module_lines = {}
for index, module in ipairs(modules) do
  module_lines[index] = ("load_module %s;"):format(module)
end

--- Starts nginx with one of the configurations beside this program.
local function start(name, values)
  local port = ("%d"):format(core.free_port())
  values.MODULES, values.FOLDER, values.PORT = table.concat(module_lines, "\n"), FOLDER, port
  local file = assert(io.open(name .. ".conf"))
  local text = file:read "*a"
  file:close()
  local path = ("%s/%s.conf"):format(FOLDER, name)
  file = assert(io.open(path, "w"))
  file:write((text:gsub("<([%u_]+)>", values)))
  file:close()
  local pipe = io.popen(("%s -p %s -c %s >&2 & echo $!"):format(nginx, FOLDER, path))
  local pid = pipe:read "*l"
  pipe:close()
  local url = "http://127.0.0.1:" .. port
  for _ = 1, 200 do
    if #lines_of(("curl -s -o /dev/null -w '%%{http_code}\\n' %s/ | grep -v 000"):format(url)) > 0
    then
      return { pid = pid, url = url }
    end
    core.sleep(0.05)
  end
  os.execute("kill " .. pid)
  error(name .. " did not start")
end

--- Ends it, and returns when it has ended.
local function stop(server)
  os.execute(("kill %s; while kill -0 %s 2>/dev/null; do sleep 0.05; done"):format(server.pid,
    server.pid))
end

local MICROSECONDS = { us = 1, ms = 1e3, s = 1e6, m = 60e6 }

--- What wrk says of an address.
-- @return answers a second, 99th percentile of latency in microseconds (nil: none was answered)
local function load(url, connections, seconds)
  local rate, p99
  for _, line in ipairs(lines_of(("wrk -t1 -c%d -d%ds --timeout 60s --latency %s"):format(
    connections, seconds, url))) do
    assert(not line:find "Non%-2xx", line)
    rate = rate or tonumber(line:match "^Requests/sec:%s+([%d.]+)")
    local number, unit = line:match "^%s+99%%%s+([%d.]+)(%a+)"
    p99 = p99 or (number and tonumber(number) * MICROSECONDS[unit])
  end
  return assert(rate, "wrk says nothing"), p99 and p99 > 0 and p99 or nil
end

local function measure(gateway)
  local paths = { "/bare", "/exchange", "/call" }
  for _, path in ipairs(paths) do
    load(gateway.url .. path, 32, 1) -- warms up
  end
  for round = 1, RATE_ROUNDS do
    local rates = {}
    for turn = 1, #paths do
      local i = (turn + round) % #paths + 1
      rates[i] = load(gateway.url .. paths[i], 32, SECONDS)
    end
    print(("rate %.1f %.1f %.1f"):format(rates[1], rates[2], rates[3]))
  end
end

--- The latency of another location while calls are under way.
local function beside(gateway, path, seconds)
  os.execute(("wrk -t1 -c%d -d%ds --timeout 60s %s%s >/dev/null &"):format(IN_FLIGHT, seconds + 1,
    gateway.url, path))
  core.sleep(0.75)
  local _, p99 = load(gateway.url .. "/other", 1, seconds)
  core.sleep(1)
  return p99
end

local function measure_latency(gateway)
  for round = 1, LATENCY_ROUNDS do
    local busy
    if round % 2 == 0 then
      busy = beside(gateway, "/slow", SECONDS)
    end
    local _, idle = load(gateway.url .. "/other", 1, SECONDS)
    busy = busy or beside(gateway, "/slow", SECONDS)
    print(("p99 %.1f %.1f"):format(idle, busy))
  end
  print(("blocking %s"):format(beside(gateway, "/blocking", BLOCKING_SECONDS) or "none"))
end

local slow = start("slow", {})
local ok, gateway = pcall(start, "gateway", { FAST = FAST, SLOW = slow.url,
  LUA_PATH = os.getenv "LUA_PATH", LUA_CPATH = os.getenv "GATEWAY_CPATH" })
local message = gateway
if ok then
  ok, message = pcall(function()
    measure(gateway)
    measure_latency(gateway)
  end)
  stop(gateway)
end
stop(slow)
if not ok then
  io.stderr:write(tostring(message), "\n")
  os.exit(1)
end
