--- examples/audit.lua against the emulator: totals, what could not be read, progress.

local child = require "spec.support.child"
local cjson = require "cjson"
local emulator = require "spec.support.emulator"
local example = require "spec.support.example"

-- In plain Lua 5.1 the loop over a list is no place to yield, and calls follow each other.
local OVERLAPS = _VERSION ~= "Lua 5.1" or rawget(_G, "jit") ~= nil

local MIB, DAY = 1048576, 86400000
local FIRST = 1572825600000 -- 2019-11-04

local function tag(name, size, days, more)
  local made = {
    Tag = name, ImageSize = size, ImageUpdate = FIRST + days * DAY, ImageCreate = FIRST,
    Digest = ("%064x"):format(size + days * 1000),
  }
  for key, value in pairs(more or {}) do
    made[key] = value
  end
  return made
end

--- A repository of more tags than one page has.
local function long_list()
  local tags = {}
  for number = 1, 230 do
    tags[number] = tag("1." .. number, number, 100 + number)
  end
  return tags
end

local SMALL = {
  instances = { { InstanceId = "cri-audit", namespaces = {
    { NamespaceName = "team", repositories = {
      { RepoName = "app", RepoId = "crr-app", tags = {
        tag("1.0", 10 * MIB, 3), tag("1.1", 20 * MIB, 5), tag("latest", 20 * MIB, 5),
        tag("0.9", 5 * MIB, 1, { Status = "DELETING" }),
      } },
      { RepoName = "long", RepoId = "crr-long", tags = long_list() },
    } },
    { NamespaceName = "other", repositories = {
      { RepoName = "emptied", RepoId = "crr-emptied", CreateTime = FIRST + 9 * DAY },
      { RepoName = "never-used", RepoId = "crr-never", CreateTime = FIRST + 2 * DAY },
    } },
  } } },
}

describe("examples/audit.lua", function()
  local server

  after_each(function()
    server:stop()
  end)

  it("sums up every repository and the whole", function()
    server = emulator.start { fixture = SMALL }
    local output, status, err = example.run(server, "audit.lua cri-audit")
    assert.equal([[
REPOSITORY        TAGS      SIZE  OLDEST
team/app             4  55.0 MiB  2019-11-05
team/long          230  25.9 KiB  2020-02-13
other/emptied        0   0 bytes  -
other/never-used     0   0 bytes  -

Total: 4 repositories, 234 tags, 55.0 MiB
Tags being deleted: 1
Oldest tag: team/app:0.9, pushed 2019-11-05
Oldest untagged repository: other/never-used, created 2019-11-06
Each image once: 35.0 MiB
]], output)
    assert.equal(0, status)
    assert.equal("", err) -- no progress but on a terminal

    output = example.run(server, "audit.lua --bytes", { CR_INSTANCE_ID = "cri-audit" })
    local bytes = 55 * MIB + 230 * 231 / 2
    assert.truthy(output:find(("\nTotal: 4 repositories, 234 tags, %.0f\n"):format(bytes), 1, true))
    assert.matches("\nteam/long +230 +26565 +2020%-02%-13\n", output)
  end)

  it("has the totals of 200 repositories of 100 tags, with many requests in flight", function()
    local path = os.tmpname()
    child.shell(("%s bench/audit_fixture.lua 200 100 > %s"):format(child.LUA, path))
    local file = assert(io.open(path))
    local instance = cjson.decode(file:read("*a")).instances[1]
    file:close()
    server = emulator.start { fixture = path }
    os.remove(path)
    local count, bytes = 0, 0
    for _, repository in ipairs(instance.namespaces[1].repositories) do
      for _, one in ipairs(repository.tags) do
        count, bytes = count + 1, bytes + one.ImageSize
      end
    end
    assert.equal(20000, count)
    for _, concurrency in ipairs { 16, 1 } do
      server:clear_log()
      local output, status, err = example.run(server,
        ("audit.lua --bytes --concurrency %d %s"):format(concurrency, instance.InstanceId))
      assert.equal(0, status)
      assert.equal("", err)
      assert.truthy(output:find(("\nTotal: 200 repositories, 20000 tags, %.0f\n"):format(bytes), 1,
        true), output)
      local log, connections, used = server:log(), {}, 0
      for _, entry in ipairs(log) do
        used = used + (connections[entry.connection] and 0 or 1)
        connections[entry.connection] = true
      end
      assert.equal(202, #log)
      assert.equal(OVERLAPS and concurrency or 1, used)
    end
    if not OVERLAPS then
      return
    end

    -- Tags are read while the second page of repositories is still waited for, which is longer than
    -- a request may take.
    server:clear_log()
    server:fault { operation = "ListRepository", delay_ms = 1 }
    server:fault { operation = "ListRepository", delay_ms = 20000 }
    local audit = child.start(example.command(server, "audit.lua " .. instance.InstanceId))
    finally(audit.stop)
    local deadline, read = os.time() + 9, 0
    while read < 100 and os.time() < deadline do
      read = 0
      for _, entry in ipairs(server:log()) do
        read = read + (entry.operation == "ListRepoTag" and 1 or 0)
      end
    end
    assert.equal(100, read) -- all of the first page
  end)

  it("tells what it could not read, and sums up the rest", function()
    server = emulator.start { fixture = { instances = { { InstanceId = "cri-audit",
      namespaces = { SMALL.instances[1].namespaces[1] } } } } }
    -- The third page that is asked for is the second of the second repository.
    server:fault { operation = "ListRepoTag", delay_ms = 1, count = 2 }
    server:fault { operation = "ListRepoTag", status = 403, code = "NoPermission" }
    local output, status, err = example.run(server, "audit.lua --concurrency 1 cri-audit")
    assert.equal(1, status)
    assert.matches("^audit%.lua: ListRepoTag: NoPermission ", err)
    assert.matches("\nteam/long %(not whole%) +100 +", output)
    assert.matches("\nINCOMPLETE%. Total: 2 repositories, 104 tags, ", output)
    assert.matches("\nOldest untagged repository: none\n", output)

    server:reset()
    server:fault { operation = "ListRepository", status = 403, code = "NoPermission" }
    output, status, err = example.run(server, "audit.lua cri-audit")
    assert.equal(1, status)
    assert.matches("^audit%.lua: ListRepository: NoPermission ", err)
    assert.matches("\nINCOMPLETE%. Total: 0 repositories, 0 tags, 0 bytes\n", output)
  end)

  it("shows its progress on a terminal, and leaves none of it there", function()
    server = emulator.start { fixture = SMALL }
    local output = example.run_in_terminal(server, "audit.lua cri-audit")
    local shown = {}
    for text in output:gmatch("\r\27%[K([^\r\n]*)") do
      shown[#shown + 1] = text
    end
    assert.equal("1 of 4 repositories", shown[1])
    assert.equal("4 of 4 repositories", shown[4])
    assert.matches("^REPOSITORY", shown[5]) -- where the line was
    assert.equal(5, #shown)
  end)

  it("says how it is used", function()
    server = emulator.start { fixture = SMALL }
    for _, wrong in ipairs { "", "--concurrency 0 cri-audit", "--concurrency x cri-audit",
      "--no-such cri-audit", "a b" } do
      local output, status, err = example.run(server, "audit.lua " .. wrong)
      assert.equal(2, status)
      assert.equal("", output)
      assert.matches("Usage: audit%.lua .*\naudit%.lua: ", err)
    end
    assert.same({}, server:log())
  end)
end)
