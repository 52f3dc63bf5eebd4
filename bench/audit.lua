--- Rounds of examples/audit.lua, a process of its own each, against the rate that `client:map` has
-- on the same server: 200 requests for a page of 100 tags, as the audit makes them, in a process
-- that is warm. `bench/run audit` starts the emulator with the fixture that the argument names.
--
-- Prints a line per round, "<ideal> <audit>", seconds: the ideal is the audit's number of requests
-- over the map's rate. The last line is for the notes. Totals that are not the fixture's fail.

local core = require "cr.core"
local cjson = require "cjson"
local cr = require "cr"

local ROUNDS, CONCURRENCY = 15, 16

local function read_fixture(path)
  local file = assert(io.open(path))
  local instance = cjson.decode(file:read("*a")).instances[1]
  file:close()
  return instance, instance.namespaces[1].repositories
end

local function control(method, name)
  local handle = core.http()
  local response = assert(handle:exchange {
    method = method, url = os.getenv "ALIBABA_CLOUD_ENDPOINT" .. "/_emulator/" .. name,
    headers = {}, body = "", proxy = "",
  })
  handle:close()
  return response.body
end

local instance, repositories = read_fixture(arg[1])
local list, tags, bytes = {}, 0, 0
for index, repository in ipairs(repositories) do
  list[index] = { InstanceId = instance.InstanceId, RepoId = repository.RepoId, PageSize = 100 }
  for _, tag in ipairs(repository.tags) do
    tags, bytes = tags + 1, bytes + tag.ImageSize
  end
end

--- Seconds a request takes, many of them in flight.
local function map()
  local start, images = core.monotonic(), 0
  for _, answer, err in cr.map("ListRepoTag", list, { concurrency = CONCURRENCY }) do
    images = images + #assert(answer, err).Images
  end
  assert(images == tags)
  return (core.monotonic() - start) / #list
end

local total = ("\nTotal: %d repositories, %d tags, %.0f\n"):format(#list, tags, bytes)

--- Seconds from start to end, and the number of requests.
local function audit()
  control("DELETE", "log")
  local start = core.monotonic()
  local pipe = assert(io.popen(("%s ../examples/audit.lua --bytes --concurrency %d %s"):format(
    arg[-1], CONCURRENCY, instance.InstanceId)))
  local output = pipe:read("*a")
  assert(pipe:close())
  local seconds = core.monotonic() - start
  assert(output:find(total, 1, true), output)
  return seconds, #cjson.decode(control("GET", "log"))
end

map()
audit()
local rates, requests = {}, nil
for round = 1, ROUNDS do
  local each = map()
  local seconds
  seconds, requests = audit()
  rates[round] = 1 / each
  print(("%.6f %.6f"):format(requests * each, seconds))
end
table.sort(rates)
print(("%d requests each time, map at %.0f a second; totals right in each of %d rounds"):format(
  requests, rates[math.floor(ROUNDS / 2) + 1], ROUNDS))
