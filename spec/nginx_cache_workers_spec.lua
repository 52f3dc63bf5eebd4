--- cr.cache between the workers of a real nginx: one call per key, whoever dies or goes away.

if not rawget(_G, "jit") then
  return
end

local cached = require "spec.support.cached"
local child = require "spec.support.child"
local core = require "cr.core"
local emulator = require "spec.support.emulator"
local socket = require "socket"

local CLIENTS = 1000

local MANY = {
  main = "worker_rlimit_nofile 8192; thread_pool cr threads=8;",
  workers = 4, connections = 4096, listen = "reuseport",
}

local function with(more)
  local given = {}
  for name, value in pairs(MANY) do
    given[name] = value
  end
  for name, value in pairs(more) do
    given[name] = value
  end
  return given
end

local api, server

setup(function()
  api = emulator.start()
end)

teardown(function()
  api:stop()
end)

after_each(function()
  server:stop()
  api:reset()
end)

local function calls()
  return cached.count(api, "GetRepoTag")
end

local function send(path)
  local connection = assert(socket.connect("127.0.0.1", server.port))
  connection:settimeout(30)
  assert(connection:send("GET " .. path .. " HTTP/1.0\r\n\r\n"))
  return connection
end

--- The status of the answer; 0 when there is none.
local function status_of(connection)
  local line = connection:receive "*l"
  connection:close()
  return tonumber(line and line:match "^HTTP/1.1 (%d+)") or 0
end

--- Waits for what the emulator or nginx will come to.
local function eventually(condition)
  for _ = 1, 1500 do
    local found = condition()
    if found then
      return found
    end
    core.sleep(0.01)
  end
  error("it did not come to that", 2)
end

--- 1,000 connections that ask as fast as they are answered, for two seconds.
-- @return what wrk said
local function storm(path)
  local said, ok = child.shell(("ulimit -n $(ulimit -Hn); wrk -t2 -c%d -d2s --timeout 20 %s%s")
    :format(CLIENTS, server.url, path))
  assert(ok, said)
  return said
end

describe("1,000 clients and 4 workers", function()
  it("make one call for one cold key", function()
    server = cached.start(api, with {})
    api:fault { operation = "GetRepoTag", delay_ms = 1000, count = 0 }
    local said = storm "/tag"
    assert.is_nil(said:find("Non-2xx", 1, true), said)
    assert.is_nil(said:find("Socket errors", 1, true), said)
    assert.is_true(tonumber(said:match "(%d+) requests in") >= CLIENTS, said)
    assert.equal(1, calls())
    local workers = server:lua [[
      local count = 0
      for _, name in ipairs(ngx.shared.shifted:get_keys()) do
        count = count + (name:find "^worker " and 1 or 0)
      end
      return count
    ]]
    assert.equal(4, workers)
  end)

  it("share a failure too", function()
    server = cached.start(api, with { cache = "failure_ttl = 30" })
    api:fault { operation = "GetRepoTag", delay_ms = 1000, status = 503, count = 0 }
    local said = storm "/tag"
    assert.is_truthy(said:find("Non-2xx", 1, true), said)
    assert.equal(1, calls())
    assert.equal(1, server:stats().failures)
  end)

  it("get what the workers have learnt to be invalid from none of them", function()
    server = cached.start(api, with {})
    local function ask_all()
      local digests = {}
      for _ = 1, 40 do -- new connections, which the kernel spreads over the workers
        local connection = send "/tag"
        digests[(connection:receive "*a"):match "\r\n\r\n(.*)\n$"] = true
        connection:close()
      end
      return digests
    end
    for number, name in ipairs { "invalidate", "purge", "invalidate" } do
      assert.is_nil(next(ask_all(), next(ask_all())))
      local digest = ("digest-%d"):format(number)
      api:fault { operation = "GetRepoTag", count = 1,
        body = ('{"IsSuccess":true,"Digest":"%s"}'):format(digest) }
      server:lua(([[return (cache:%s("GetRepoTag", tag "1.0"))]]):format(name))
      assert.same({ [digest] = true }, ask_all())
    end
    assert.equal(4, calls())
  end)
end)

describe("a worker that is killed while it asks", function()
  it("holds up the key no longer than the lock lives", function()
    server = cached.start(api, {
      workers = 2, cache = "lock_expiry = 2, lock_timeout = 15", locations = [[
        location = /first {
          content_by_lua_block {
            ngx.shared.shifted:set("pid", ngx.worker.pid())
            cache:get_repo_tag(tag "1.0")
          }
        } ]],
    })
    api:fault { operation = "GetRepoTag", delay_ms = 20000 }
    local first = send "/first"
    eventually(function() return calls() == 1 end)
    local pid = server:lua [[return ngx.shared.shifted:get "pid"]]
    local second = send "/tag"
    eventually(function()
      return server:lua [[
        for _, name in ipairs(ngx.shared.cr_cache:get_keys()) do
          if name:find "^l:" then return true end
        end
      ]]
    end)
    os.execute("kill -KILL " .. pid)
    assert.equal(0, status_of(first))
    -- The second may have been that worker's too; a new one asks in any case.
    local status, third = status_of(second), status_of(send "/tag")
    assert.is_true(status == 200 or status == 0)
    assert.equal(200, third)
    assert.equal(2, calls())
  end)
end)

describe("a client that goes away", function()
  it("holds up nobody, and the call it began is of use", function()
    server = cached.start(api, {
      locations = [[
        location = /impatient {
          lua_check_client_abort on;
          content_by_lua_block {
            ngx.on_abort(function() ngx.shared.shifted:set("left", true) ngx.exit(499) end)
            cache:get_repo_tag(tag "1.0")
          }
        } ]],
    })
    api:fault { operation = "GetRepoTag", delay_ms = 500 }
    local impatient = send "/impatient"
    eventually(function() return calls() == 1 end)
    local patient = send "/tag"
    impatient:close()
    eventually(function() return server:lua [[return ngx.shared.shifted:get "left"]] end)
    assert.equal(200, status_of(patient))
    assert.equal(1, calls())
  end)
end)

describe("without timers to be had", function()
  it("the request that came first asks itself, and stale answers are served", function()
    server = cached.start(api, {
      cache = "ttl = 10, stale_while_revalidate = 20",
      init = "ngx.timer.running_count = function() return 1000 end",
    })
    api:fault { operation = "GetRepoTag", delay_ms = 200 }
    local levels = server:lua [[
      local threads, levels = {}, {}
      for number = 1, 50 do
        threads[number] = ngx.thread.spawn(function()
          return tell(cache:get_repo_tag(tag "1.0")).info.level
        end)
      end
      for _, thread in ipairs(threads) do
        local _, level = ngx.thread.wait(thread)
        levels[level] = (levels[level] or 0) + 1
      end
      return levels
    ]]
    assert.same({ upstream = 50 }, levels)
    assert.equal(1, calls())
    server:lua "shift(11)"
    assert.is_true(server:tag().info.stale)
    server:lua "shift(20)"
    assert.equal("upstream", server:tag().info.level)
  end)
end)

describe("an error raised in a call", function()
  it("reaches who asked, and leaves no lock behind", function()
    server = cached.start(api, {})
    local found = server:lua [[
      local raising = require("cr").new { endpoint = "http://127.0.0.1:1",
        transport = { exchange = function() error "a transport of the user's" end,
          sleep = ngx.sleep, now = ngx.now },
        credentials = { type = "access_key", access_key_id = "a", access_key_secret = "b" } }
      local its = require("cr.cache").new { client = raising, lock_timeout = 0 }
      local _, first = pcall(its.get, its, "GetRepoTag", tag "1.0")
      local _, second = pcall(its.get, its, "GetRepoTag", tag "1.0")
      return { tostring(first), tostring(second) }
    ]]
    for _, message in ipairs(found) do
      assert.is_truthy(message:find("a transport of the user's", 1, true), message)
    end
  end)
end)

describe("a reload", function()
  it("keeps what is in the dict, and the old workers' requests end well", function()
    server = cached.start(api, { workers = 2 })
    server:tag "latest"
    api:fault { operation = "GetRepoTag", delay_ms = 700 }
    local waiting = send "/tag"
    eventually(function() return calls() == 2 end)
    os.execute("kill -HUP " .. server.nginx.pid)
    assert.equal(200, status_of(waiting))
    for _ = 1, 20 do
      assert.equal(200, status_of(send "/tag"))
      assert.equal(200, status_of(send "/tag?tag=latest"))
    end
    assert.equal(2, calls())
  end)
end)
