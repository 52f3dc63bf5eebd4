--- Subject of "map": client:map over a list that is made as it is asked for, and the same calls one
-- after the other.
--
--     map.lua ENDPOINT CA_FILE CONCURRENCY       serves rounds: "map", "blocking"
--     map.lua ENDPOINT CA_FILE --requests COUNT  prints so many signed requests, for map.c
--
-- Key and secret are those of the environment, as the emulator prints them, else the sample's.

local core = require "cr.core"
local cr = require "cr"
local sample = require "bench.sample"

local endpoint, ca_file, what, count = arg[1], arg[2], arg[3], tonumber(arg[4])

local key = os.getenv "ALIBABA_CLOUD_ACCESS_KEY_ID"
local credentials = key and {
  type = "access_key", access_key_id = key,
  access_key_secret = os.getenv "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
} or sample.credentials

local given = {
  endpoint = endpoint, credentials = credentials, ca_file = ca_file ~= "" and ca_file or nil,
}

local function parameters()
  return { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
end

if what == "--requests" then
  given.transport = {
    exchange = function(request)
      print(request.method)
      print(request.url)
      for name, value in pairs(request.headers) do
        print(name .. ": " .. value)
      end
      print ""
      return nil, { code = "NotSent", message = "only looked at", sent = false }
    end,
    now = core.time,
  }
  local client = cr.new(given)
  for _ = 1, count do
    client:get_repo_tag(parameters(), { max_attempts = 1 })
  end
  return
end

local client = cr.new(given)
local concurrency = tonumber(what)

require "bench.rounds" {
  map = function(rounds)
    local left, done = rounds, 0
    local function next_item()
      left = left - 1
      return left >= 0 and parameters() or nil
    end
    for _, tag, err in client:map("GetRepoTag", next_item, { concurrency = concurrency }) do
      assert(tag, err)
      assert(tag.ImageSize == 27107966)
      done = done + 1
    end
    assert(done == rounds)
  end,
  blocking = function(rounds)
    for _ = 1, rounds do
      assert(assert(client:get_repo_tag(parameters())).ImageSize == 27107966)
    end
  end,
}
