--- Lets baselines and subjects take turns and prints the table. Started by bench/run, which sets
-- the environment: BENCH_LUA the interpreter, BENCH_BIN the folder of the C programs, BENCH_DIR a
-- temporary folder with the server's certificate, BENCH_HTTP and BENCH_HTTPS the server's
-- addresses, BENCH_SERVER its process id.
--
-- Everything is a ratio of medians of rounds that alternate, so that whatever else the machine
-- does meets both sides alike. The "pairs" in the notes are the median of the ratios of single
-- rounds: where it is far from the ratio of the medians, the machine was too busy to measure.

local LUA, BIN = os.getenv "BENCH_LUA", os.getenv "BENCH_BIN"
local DIR, SERVER = os.getenv "BENCH_DIR", os.getenv "BENCH_SERVER"
local HTTP, HTTPS = os.getenv "BENCH_HTTP", os.getenv "BENCH_HTTPS"

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function lines_of(command)
  local pipe, lines = assert(io.popen(command)), {}
  for line in pipe:lines() do
    lines[#lines + 1] = line
  end
  assert(pipe:close(), command .. " failed")
  return lines
end

--- Numbers of the cores this may run on; none when they cannot be chosen (no taskset).
local function cores()
  local found = {}
  local list = lines_of("taskset -cp $$ 2>/dev/null || true")[1] or ""
  for first, last in list:gsub("^.*:", ""):gmatch("(%d+)-?(%d*)") do
    for core = tonumber(first), tonumber(last) or tonumber(first) do
      found[#found + 1] = core
    end
  end
  return found
end

local function median(values)
  local sorted = table.move(values, 1, #values, 1, {})
  table.sort(sorted)
  local middle = #sorted // 2
  return #sorted % 2 == 1 and sorted[middle + 1] or (sorted[middle] + sorted[middle + 1]) / 2
end

local rows = { { "", "baseline", "subject", "ratio", "goal", "notes" } }

local function row(...)
  rows[#rows + 1] = { ... }
end

local function print_rows()
  local widths = { 0, 0, 0, 0, 0 }
  for _, cells in ipairs(rows) do
    for i = 1, 5 do
      widths[i] = math.max(widths[i], #cells[i])
    end
  end
  for _, cells in ipairs(rows) do
    local format = ("%%-%ds  %%%ds  %%%ds  %%%ds  %%%ds  %%s"):format(table.unpack(widths))
    print((format:format(table.unpack(cells)):gsub("%s+$", "")))
  end
end

local function microseconds(nanoseconds)
  return ("%.2f us"):format(nanoseconds / 1000)
end

local started = 0

--- A process that serves rounds (rounds.h), fed through a named pipe.
local function start(command)
  started = started + 1
  local path = ("%s/%d.fifo"):format(DIR, started)
  assert(os.execute("mkfifo " .. quote(path)))
  local output = assert(io.popen(("exec %s <%s"):format(command, quote(path))))
  local input = assert(io.open(path, "w"))
  return {
    --- Nanoseconds per repetition, wall and CPU.
    round = function(work, count)
      input:write(work, " ", count, "\n")
      input:flush()
      local wall, cpu = (output:read() or ""):match("^(%S+) (%S+)$")
      assert(wall, command .. " ended or failed")
      return tonumber(wall), tonumber(cpu)
    end,
    stop = function()
      input:close()
      assert(output:close(), command .. " failed")
    end,
  }
end

--- Rounds of all contestants in turns, each time starting with another one.
-- @tparam table contestants array of {process, work, count}
-- @return array like it of {wall = {…}, cpu = {…}}
local function take_turns(rounds, contestants)
  local results = {}
  for i, contestant in ipairs(contestants) do
    results[i] = { wall = {}, cpu = {} }
    contestant[1].round(contestant[2], contestant[3]) -- warms up, not counted
  end
  for round = 1, rounds do
    for turn = 1, #contestants do
      local i = (turn + round) % #contestants + 1
      local process, work, count = table.unpack(contestants[i])
      results[i].wall[round], results[i].cpu[round] = process.round(work, count)
    end
  end
  return results
end

--- Ratio of the medians, and median of the ratios of the single rounds.
local function ratios(baseline, subject)
  local pairs_of = {}
  for i = 1, #subject do
    pairs_of[i] = subject[i] / baseline[i]
  end
  return ("%.3f"):format(median(subject) / median(baseline)), ("%.3f"):format(median(pairs_of))
end

local function compare(name, baseline, subject, goal, notes)
  local ratio, paired = ratios(baseline, subject)
  row(name, microseconds(median(baseline)), microseconds(median(subject)), ratio, goal,
    ("pairs %s%s"):format(paired, notes and "; " .. notes or ""))
end

local benches = {}

--- One row of "call": both contestants on the core `client`, the server on the core `server`, or
-- all where the scheduler wants them. They take turns with the server, so that a scheduler that
-- puts a contestant on the server's core in one round and on the other core in the next changes
-- its time by more than the whole difference: that is why they are pinned where this is possible.
local function compare_calls(name, endpoint, client, server)
  local ca_file = endpoint == HTTPS and quote(DIR .. "/certificate.pem") or "''"
  local request = lines_of(("%s call.lua %s --request"):format(LUA, endpoint))
  for i, part in ipairs(request) do
    request[i] = quote(part)
  end
  if server then
    assert(os.execute(("taskset -cp %d %s >/dev/null"):format(server, SERVER)))
  end
  local pin = client and ("taskset -c %d "):format(client) or ""
  local bare = start(("%s%s/call %s %s"):format(pin, quote(BIN), ca_file,
    table.concat(request, " ")))
  local subject = start(("%s%s call.lua %s %s"):format(pin, LUA, endpoint, ca_file))
  local results = take_turns(81, { { bare, "call", 500 }, { subject, "call", 500 } })
  subject.stop()
  bare.stop()
  compare(name, results[1].wall, results[2].wall, "1.05", ("CPU of the client %s and %s"):format(
    microseconds(median(results[1].cpu)), microseconds(median(results[2].cpu))))
end

function benches.call()
  local all = cores()
  if #all < 2 then
    compare_calls("call, http, not pinned", HTTP)
    compare_calls("call, https, not pinned", HTTPS)
    return
  end
  compare_calls("call, http, server on another core", HTTP, all[2], all[1])
  compare_calls("call, https, server on another core", HTTPS, all[2], all[1])
  compare_calls("call, http, server on the same core", HTTP, all[1], all[1])
  compare_calls("call, https, server on the same core", HTTPS, all[1], all[1])
end

local PARTS = {
  { "fill", "validate and flatten, without making the user's table" },
  { "v3", "sign, with time, date and nonce" },
  { "table", "not in it: the table for a transport written in Lua" },
  { "time", "in v3: the clock" },
}

function benches.sign()
  local lengths = lines_of(LUA .. " sign.lua --lengths")[1]
  local hashes = start(("%s/sign %s"):format(quote(BIN), lengths))
  local client = start(LUA .. " sign.lua")
  local contestants = { { hashes, "hashes", 20000 }, { hashes, "least", 20000 },
    { client, "sign", 20000 } }
  for _, part in ipairs(PARTS) do
    contestants[#contestants + 1] = { client, part[1], 20000 }
  end
  local results = take_turns(31, contestants)
  client.stop()
  hashes.stop()
  compare("sign", results[1].wall, results[3].wall, "3", "31 rounds of 20000 signatures")
  compare("sign, to the least hashes", results[2].wall, results[3].wall, "",
    "baseline without the constant hash of the empty body")
  for i, part in ipairs(PARTS) do
    row("  " .. part[1], "", microseconds(median(results[3 + i].wall)), "", "", part[2])
  end
end

--- Whole processes in turns, 301 rounds of them.
-- @tparam table commands array of commands, quoted for a shell, with the paths of the programs
-- @tparam ?table environment variables for all of them
-- @return array like it of {wall, cpu, peak}
local function spawn(commands, environment)
  local variables = ""
  for name, value in pairs(environment or {}) do
    variables = ("%s%s=%s "):format(variables, name, quote(value))
  end
  local results = {}
  for i = 1, #commands do
    results[i] = { wall = {}, cpu = {}, peak = {} }
  end
  for _, line in ipairs(lines_of(("%s%s/spawn 301 -- %s"):format(variables, quote(BIN),
    table.concat(commands, " -- ")))) do
    local i, wall, cpu, peak = line:match("^(%d+) (%d+) (%d+) (%d+)$")
    local result = results[tonumber(i)]
    table.insert(result.wall, tonumber(wall))
    table.insert(result.cpu, tonumber(cpu))
    table.insert(result.peak, tonumber(peak))
  end
  return results
end

local function milliseconds(values)
  return ("%.2f ms"):format(median(values) / 1e6)
end

function benches.load()
  local lua = quote(lines_of("command -v " .. LUA)[1])
  local libraries, cr, plain = table.unpack(spawn {
    quote(BIN) .. "/load", lua .. " -e " .. quote 'require "cr"', lua .. " -e " .. quote "",
  })
  local function kibibytes(values)
    return ("%d KiB"):format(median(values))
  end
  for _, measure in ipairs {
    { "wall", milliseconds, "1.25" }, { "cpu", milliseconds, "" }, { "peak", kibibytes, "1.25" },
  } do
    local what, show, goal = table.unpack(measure)
    local ratio, paired = ratios(libraries[what], cr[what])
    row("load, " .. what, show(libraries[what]), show(cr[what]), ratio, goal,
      ("pairs %s; %s -e '' alone: %s"):format(paired, LUA, show(plain[what])))
  end
end

--- The command line from its start to its end, against curl with the same request.
function benches.start()
  local request = lines_of(("%s call.lua %s --request"):format(LUA, HTTP))
  local curl = { quote(lines_of("command -v curl")[1]), "-sS", quote(request[2]) }
  for i = 3, #request do
    curl[#curl + 1] = "-H " .. quote(request[i])
  end
  local sample = require "bench.sample"
  local arguments = " get-repo-tag --endpoint " .. HTTP
  for name, value in pairs(sample.parameters) do
    arguments = ("%s --%s %s"):format(arguments, name, quote(value))
  end
  local baseline, built, source = table.unpack(spawn({
    table.concat(curl, " "),
    quote(os.getenv "CR_BIN") .. arguments,
    quote(lines_of("command -v " .. LUA)[1]) .. " ../bin/cr" .. arguments,
  }, sample.environment))
  for _, subject in ipairs { { "start, as make builds it", built, "1.5" },
    { "start, from source", source, "" } } do
    local ratio, paired = ratios(baseline.wall, subject[2].wall)
    row(subject[1], milliseconds(baseline.wall), milliseconds(subject[2].wall), ratio, subject[3],
      ("pairs %s; CPU %s and %s"):format(paired, milliseconds(baseline.cpu),
        milliseconds(subject[2].cpu)))
  end
end

function benches.memory()
  local lines = lines_of(("%s memory.lua %s 1000 200000"):format(LUA, HTTP))
  local early, late = lines[1]:match("%s(%d+)$"), lines[2]:match("%s(%d+)$")
  row("memory", early .. " KiB", late .. " KiB", ("%.3f"):format(late / early), "flat",
    ("resident after 1000 and after 200000 calls: %+d KiB"):format(late - early))
end

function benches.throttle()
  local line = lines_of(("../tools/with-emulator %s throttle.lua"):format(LUA))[1]
  local ideal, seconds, note = line:match("^(%S+) (%S+) (.*)$")
  row("throttle, ten clients at 50/s", ideal .. " s", seconds .. " s",
    ("%.3f"):format(seconds / ideal), "1.3", note)
end

--- An emulator: {endpoint, key, secret, stop()}.
local function start_emulator()
  local pipe = assert(io.popen("exec " .. quote(os.getenv "CR_BIN") .. " emulator"))
  local values = {}
  for line in pipe:lines() do
    local name, value = line:match("^export ([%w_]+)='?(.-)'?$")
    values[name or ""] = value
    if name == "CR_EMULATOR_PID" then
      break
    end
  end
  return {
    endpoint = values.ALIBABA_CLOUD_ENDPOINT, key = values.ALIBABA_CLOUD_ACCESS_KEY_ID,
    secret = values.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
    stop = function()
      assert(os.execute("kill " .. values.CR_EMULATOR_PID))
      pipe:close()
    end,
  }
end

--- Rows of "map" against one server, the client on one core and the server on the other.
-- @tparam ?string prefix of commands, which gives them the server's credentials
local function compare_maps(name, endpoint, ca_file, prefix, count, pin)
  local ROUNDS = 15
  local requests = DIR .. "/requests"
  prefix = prefix or ""
  assert(os.execute(("%s%s map.lua %s %s --requests %d >%s"):format(prefix, LUA, endpoint, ca_file,
    (ROUNDS + 1) * count, quote(requests))))
  local bare = start(("%s%s/map %s 64 %s"):format(pin, quote(BIN), ca_file, quote(requests)))
  local many = start(("%s%s%s map.lua %s %s 64"):format(prefix, pin, LUA, endpoint, ca_file))
  local one = start(("%s%s%s map.lua %s %s 1"):format(prefix, pin, LUA, endpoint, ca_file))
  local few = math.floor(count / 8)
  local results = take_turns(ROUNDS, { { bare, "map", count }, { many, "map", count },
    { one, "blocking", few }, { one, "map", few } })
  one.stop()
  many.stop()
  bare.stop()
  local rate, paired = ratios(results[2].wall, results[1].wall) -- of calls a second
  row("map, 64 in flight, " .. name, microseconds(median(results[1].wall)),
    microseconds(median(results[2].wall)), rate, "0.9",
    ("calls/s; pairs %s; CPU of the client %s and %s"):format(paired,
      microseconds(median(results[1].cpu)), microseconds(median(results[2].cpu))))
  compare("map, 1 in flight, " .. name, results[3].wall, results[4].wall, "1", "to blocking calls")
end

function benches.map()
  local all = cores()
  local pin = #all > 1 and ("taskset -c %d "):format(all[2]) or ""
  if #all > 1 then
    assert(os.execute(("taskset -cp %d %s >/dev/null"):format(all[1], SERVER)))
  end
  compare_maps("a server that only answers", HTTP, "''", nil, 4000, pin)
  compare_maps("the same with TLS", HTTPS, quote(DIR .. "/certificate.pem"), nil, 4000, pin)
  local emulator = start_emulator()
  compare_maps("the emulator", emulator.endpoint, "''",
    ("env ALIBABA_CLOUD_ACCESS_KEY_ID=%s ALIBABA_CLOUD_ACCESS_KEY_SECRET=%s "):format(
      quote(emulator.key), quote(emulator.secret)), 1200, pin)
  emulator.stop()
end

local function rate(per_second)
  return ("%.0f/s"):format(per_second)
end

function benches.nginx()
  local rates, latencies, blocking = { {}, {}, {} }, { {}, {} }, nil
  for _, line in ipairs(lines_of(("%s gateway.lua %s %s"):format(LUA, quote(DIR), HTTP))) do
    local bare, exchange, call = line:match "^rate (%S+) (%S+) (%S+)$"
    local idle, busy = line:match "^p99 (%S+) (%S+)$"
    for list, values in pairs {
      [rates] = { bare, exchange, call }, [latencies] = { idle, busy },
    } do
      for i, value in ipairs(values) do
        table.insert(list[i], tonumber(value))
      end
    end
    blocking = line:match "^blocking (%S+)$" or blocking
  end
  for i, name in ipairs { "nginx, exchange alone", "nginx, whole call" } do
    local ratio, paired = ratios(rates[1], rates[i + 1])
    row(name, rate(median(rates[1])), rate(median(rates[i + 1])), ratio, "0.9",
      ("pairs %s; more is better; 32 threads, one worker"):format(paired))
  end
  local ratio, paired = ratios(latencies[1], latencies[2])
  row("nginx, p99 of others", ("%.0f us"):format(median(latencies[1])),
    ("%.0f us"):format(median(latencies[2])), ratio, "1.5",
    ("pairs %s; idle, and with 64 calls of 500 ms in flight; if these blocked: %s"):format(paired,
      blocking == "none" and "no answer in 20 s" or ("%.0f ms"):format(blocking / 1000)))
end

function benches.cache()
  local lines = lines_of(("LUA_CPATH=%s luajit cache.lua %s"):format(
    quote(os.getenv "BENCH_ROOT" .. "/build/luajit/?.so;;"), HTTP))
  local constant, cached, hits = {}, {}, {}
  for _, line in ipairs(lines) do
    local baseline, subject = line:match("^round (%S+) (%S+)$")
    local what, cost = line:match("^hit (%S+) (%S+)$")
    if baseline then
      constant[#constant + 1], cached[#cached + 1] = tonumber(baseline), tonumber(subject)
    else
      hits[#hits + 1] = { what, tonumber(cost) }
    end
  end
  local ratio, paired = ratios(constant, cached)
  row("cache, decisions", rate(median(constant)), rate(median(cached)), ratio, "0.8",
    ("pairs %s; requests through one worker of nginx, %d rounds"):format(paired, #constant))
  for _, hit in ipairs(hits) do
    row("  " .. hit[1], "", microseconds(hit[2] * 1e9), "", "", "of one hit, in a loop")
  end
end

function benches.audit()
  local fixture = DIR .. "/audit.json"
  assert(os.execute(("%s audit_fixture.lua 200 100 >%s"):format(LUA, quote(fixture))))
  local lines = lines_of(("EMULATOR_OPTIONS=%s ../tools/with-emulator %s audit.lua %s"):format(
    quote("--fixture " .. fixture), LUA, quote(fixture)))
  local ideal, taken = {}, {}
  for i = 1, #lines - 1 do
    local first, second = lines[i]:match("^(%S+) (%S+)$")
    ideal[i], taken[i] = tonumber(first), tonumber(second)
  end
  local ratio, paired = ratios(ideal, taken)
  row("audit, 200 repositories of 100 tags", ("%.3f s"):format(median(ideal)),
    ("%.3f s"):format(median(taken)), ratio, "1.2", ("pairs %s; %s"):format(paired, lines[#lines]))
end

for _, name in ipairs(arg) do
  local bench = benches[name]
  if not bench then
    local names = {}
    for known in pairs(benches) do
      names[#names + 1] = known
    end
    table.sort(names)
    io.stderr:write(("bench: no such benchmark: %s (%s)\n"):format(name,
      table.concat(names, ", ")))
    os.exit(2)
  end
  bench()
end
print_rows()
