--- Many clients in one state: what they hold comes back when they are collected, closed or not.
--
-- In a process of its own: what specs before this one left to the collector, and what sanitizers
-- and valgrind keep for themselves, is not to be counted.

local child = require "spec.support.child"
local emulator = require "spec.support.emulator"

-- ROUNDS of CLIENTS that are made, called and collected. Prints what the process holds before, what
-- it holds most, and what it holds after.
local SCRIPT = [[
  local cr = require "cr"
  local TAG = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
  local ROUNDS, CLIENTS = 10, 100

  local function new_client()
    return cr.new { endpoint = %q, ca_file = %q, credentials = {
      type = "access_key", access_key_id = %q, access_key_secret = %q } }
  end

  local function output_of(command)
    local pipe = io.popen(command)
    local text = pipe:read "*a"
    pipe:close()
    return text
  end

  local function descriptors()
    return require("spec.support.descriptors").open()
  end

  local function collect()
    for _ = 1, 3 do
      collectgarbage()
    end
  end

  local function held()
    collect()
    return ("%%d descriptors, %%.0f KiB of Lua, %%d KiB resident"):format(descriptors(),
      collectgarbage "count", output_of "grep VmRSS /proc/$PPID/status":match "%%d+")
  end

  local function round(is_closed)
    local clients = {}
    for i = 1, CLIENTS do
      clients[i] = new_client()
      assert(clients[i]:get_repo_tag(TAG))
    end
    local most = descriptors()
    for _, client in ipairs(is_closed and clients or {}) do
      client:close()
    end
    return most
  end

  local function rounds(is_closed)
    round(is_closed) -- what is made once
    local before, most = held(), nil
    for _ = 1, ROUNDS do
      most = round(is_closed)
      collect()
    end
    print(before)
    print(most)
    print(held())
  end

  local function uncalled()
    local clients = {}
    print(held())
    for i = 1, ROUNDS * CLIENTS do
      clients[i] = new_client()
    end
    print(#clients)
    print(held())
  end
]]

describe("a thousand clients", function()
  local server

  setup(function()
    server = emulator.start()
  end)

  teardown(function()
    server:stop()
  end)

  local ONE = 1 -- the end of ls's pipe that a process closes after it has started ls

  local PATTERN = "(%d+) descriptors, (%d+) KiB of Lua, (%d+) KiB resident\n" .. "(%d+)\n" ..
    "(%d+) descriptors, (%d+) KiB of Lua, (%d+) KiB resident\n$"

  --- @return before, after (each of descriptors, lua, resident), the number in between
  local function run(code)
    local output, ok = child.lua(SCRIPT:format(server.https_endpoint, server.ca_file,
      server.access_key_id, server.access_key_secret) .. code)
    assert.is_true(ok, output)
    local numbers = { output:match(PATTERN) }
    assert.equal(7, #numbers, output)
    for i, number in ipairs(numbers) do
      numbers[i] = tonumber(number)
    end
    return { descriptors = numbers[1], lua = numbers[2], resident = numbers[3] },
      { descriptors = numbers[5], lua = numbers[6], resident = numbers[7] }, numbers[4]
  end

  for _, ending in ipairs { "closed", "not closed" } do
    it("give back descriptors and memory, " .. ending, function()
      local before, after, most = run(("rounds(%s)"):format(tostring(ending == "closed")))
      assert.is_true(most >= before.descriptors + 100) -- they did hold something
      assert.near(before.descriptors, after.descriptors, ONE)
      assert.is_true(after.lua <= before.lua + 64, after.lua .. " KiB")
      assert.is_true(after.resident <= before.resident + 4096, after.resident .. " KiB")
    end)
  end

  it("hold no descriptor and a few KiB each until they are called", function()
    local before, after, count = run "uncalled()"
    assert.equal(1000, count)
    assert.near(before.descriptors, after.descriptors, ONE)
    assert.is_true(after.lua - before.lua < 4 * count, after.lua - before.lua .. " KiB")
  end)
end)
