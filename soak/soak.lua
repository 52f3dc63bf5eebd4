--- Many calls in one process against an emulator that fails at random: every call ends with the
-- right answer or an error object, memory stays flat, no descriptor is left open.
--
--     tools/with-emulator lua5.4 soak/soak.lua 300000 [seed]        -- make soak
--
-- Calls go over the native transport without pauses (`retry` says so), with credentials that are a
-- role's sessions, refused as expired now and then. Prints what happened; the exit status is 1 when
-- memory or descriptors grew, or an outcome was none.

local cjson = require "cjson"
local core = require "cr.core"
local cr = require "cr"
local descriptors = require "spec.support.descriptors"

local CALLS = tonumber(arg[1]) or 300000
local SEED = tonumber(arg[2]) or os.time()
local ENDPOINT = os.getenv "ALIBABA_CLOUD_ENDPOINT"
local ROLE = "acs:ram::1000000000000001:role/node"
local MAX_GROWTH = 1024 -- KiB of resident memory after the first fifth

math.randomseed(SEED)

-- Every kind of thing that the emulator can do to a request, but for throttling: a client that was
-- throttled takes its time.
local FAULTS = {
  { status = 500 }, { status = 502, body = "<html>bad gateway</html>" }, { status = 503 },
  { code = "NoPermission" }, { status = 200, code = "REPO_NOT_EXIST" },
  { reset = "before" }, { reset = "headers" }, { reset = "body" }, { truncate = 0 },
  { truncate = 50 }, { garbage = true }, { garbage = 5000 }, { close = true }, { gzip = true },
  { body = "" }, { body = "{" }, { body = "[1,2]" }, { body = '{"a":' .. ("["):rep(200) },
  { body = '{"Code":"success","x":"' .. ("y"):rep(100000) .. '"}' }, { delay_ms = 3 },
  { status = 302, headers = { Location = "http://127.0.0.1:1/" } }, { delay_ms = 120 },
  { code = "InvalidTimeStamp.Expired" },
}

local EXPIRED_EVERY = 6 -- seconds; a session that is refused earlier is fetched with growing pauses

local OPERATIONS = { "GetRepoTag", "GetRepoTag", "GetRepoTag", "ListRepoTag" }

local TAG = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
local LIST = { InstanceId = TAG.InstanceId, RepoId = TAG.RepoId, PageSize = 30 }

local events = 0
local client = cr.new {
  timeout = 0.1, max_response_bytes = 65536,
  retry = function(err) return err.retryable and 0 end,
  on_attempt = function() events = events + 1 end,
  credentials = { type = "ram_role_arn", role_arn = ROLE, timeout = 0.1 },
}

local controller, expired_at = core.http(), 0

local function control(method, name, value)
  local response, failure = controller:exchange {
    method = method, url = ENDPOINT .. "/_emulator/" .. name, proxy = "",
    body = value and cjson.encode(value) or "", headers = {},
  }
  if not response or response.status >= 300 then
    error(("the emulator's control address: %s"):format(response and response.body or
      failure.message))
  end
end

--- A tenth of the calls that follow is hit.
local function queue_faults()
  for _ = 1, 10 do
    local fault = { operation = OPERATIONS[math.random(#OPERATIONS)], count = math.random(2) }
    for name, value in pairs(FAULTS[math.random(#FAULTS)]) do
      fault[name] = value
    end
    control("POST", "faults", fault)
  end
  if core.monotonic() - expired_at > EXPIRED_EVERY then
    expired_at = core.monotonic()
    control("POST", "expire")
    control("POST", "faults", { operation = "AssumeRole", status = 500 })
  end
end

local function resident()
  local file = assert(io.open("/proc/self/statm"))
  local pages = file:read "*l":match "^%d+ (%d+)"
  file:close()
  return pages * 4
end

local CALL = {
  function() return client:get_repo_tag(TAG) end,
  function() return client:list_repo_tag(LIST) end,
  function() return client:get_instance { InstanceId = TAG.InstanceId } end,
  function() return client:get_repo_tag({}) end,
}

local outcomes, wrong = {}, 0

local function count_outcome(number, answer, err)
  local name = "answer"
  if type(answer) == "table" then
    wrong = wrong + (number == 1 and answer.Tag ~= "1.0" and answer.x == nil and 1 or 0)
  elseif type(err) == "table" and type(err.kind) == "string" and type(err.code) == "string" then
    name = err.kind .. " " .. err.code
    wrong = wrong + (#tostring(err) > 0 and 0 or 1)
  else
    wrong = wrong + 1
    name = "neither answer nor error"
  end
  outcomes[name] = (outcomes[name] or 0) + 1
end

--- Resident memory in KiB and open descriptors, at rest.
local function measure()
  client:close()
  collectgarbage()
  collectgarbage()
  return resident(), descriptors.open()
end

local early, early_descriptors
local start = core.monotonic()
for call = 1, CALLS do
  if call % 100 == 1 then
    queue_faults()
  end
  local number = math.random(100) <= 70 and 1 or math.random(#CALL)
  local answer, err = CALL[number]()
  count_outcome(number, answer, err)
  if err and err.retry_after then
    core.sleep(err.retry_after) -- the provider of credentials pauses after failures
  end
  if call == math.floor(CALLS / 5) then
    early, early_descriptors = measure()
  end
end
local late, late_descriptors = measure()

local names = {}
for name in pairs(outcomes) do
  names[#names + 1] = name
end
table.sort(names, function(a, b) return outcomes[a] > outcomes[b] end)
for _, name in ipairs(names) do
  print(("%9d  %s"):format(outcomes[name], name))
end
local is_flat = late - early <= MAX_GROWTH and late_descriptors <= early_descriptors
print(("soak: %d calls, %d attempts, %.0f s, seed %d: %d wrong outcomes"):format(CALLS, events,
  core.monotonic() - start, SEED, wrong))
print(("soak: %+d KiB and %+d descriptors after the first fifth, %d KiB and %d in the end"):format(
  late - early, late_descriptors - early_descriptors, late, late_descriptors))
os.exit(is_flat and wrong == 0 and 0 or 1, true)
