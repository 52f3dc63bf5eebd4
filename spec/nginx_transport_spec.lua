--- Calls in a real nginx: they wait in threads, and nothing else does.

if not rawget(_G, "jit") then
  return
end

local child = require "spec.support.child"
local emulator = require "spec.support.emulator"
local http = require "socket.http"
local nginx = require "spec.support.nginx"
local socket = require "socket"

local INIT = [[
  cr = require "cr"
  config = { endpoint = "%s", max_attempts = 1, credentials = { type = "access_key",
    access_key_id = "%s", access_key_secret = "%s" } }
  client = cr.new(config)
  function describe(options)
    local tag, err = client:get_repo_tag({ InstanceId = "cri-kmsiwlxxdcva****",
      RepoId = "crr-tquyps22md8p****", Tag = "1.0" }, options)
    return tag and tag.Tag or tostring(err)
  end
]]

local LOCATIONS = [[
  location = /tag { content_by_lua_block { ngx.say(describe()) } }
  location = /worker { content_by_lua_block { ngx.say(ngx.worker.pid()) } }
  location = /instance { content_by_lua_block {
    local answer, err = client:get_instance { InstanceId = "cri-kmsiwlxxdcva****" }
    ngx.say(answer and answer.InstanceId or tostring(err))
  } }
  location = /given-up {
    lua_check_client_abort on;
    content_by_lua_block {
      ngx.on_abort(function() ngx.exit(499) end)
      describe()
    }
  }
]]

local api, server

local function start(given)
  given = given or {}
  api = emulator.start()
  server = nginx.start {
    init = INIT:format(api.endpoint, api.access_key_id, api.access_key_secret) ..
      (given.init or ""),
    locations = LOCATIONS .. (given.locations or ""), level = given.level or "alert",
    main = given.main, http = given.http, workers = given.workers,
  }
end

local function stop()
  local said = server and server:stop()
  if api then
    api:stop()
  end
  server, api = nil, nil
  return said
end

after_each(stop)

local function get(path)
  return (assert(http.request(server.url .. path)):gsub("\n$", ""))
end

local function send(path)
  local connection = assert(socket.connect("127.0.0.1", server.port))
  connection:settimeout(30)
  assert(connection:send("GET " .. path .. " HTTP/1.0\r\n\r\n"))
  return connection
end

local function send_all(count, path)
  local connections = {}
  for number = 1, count do
    connections[number] = send(path)
  end
  return connections
end

--- The bodies, each answer once.
local function bodies_of(connections)
  local seen = {}
  for _, connection in ipairs(connections) do
    local body = (assert(connection:receive "*a"):match "\r\n\r\n(.*)\n$") or "nothing"
    seen[body] = (seen[body] or 0) + 1
    connection:close()
  end
  return seen
end

local function requests()
  local found = 0
  for _, entry in ipairs(api:log()) do
    found = found + (entry.operation == "GetRepoTag" and 1 or 0)
  end
  return found
end

--- Waits until so many calls have reached the service.
local function await_requests(count)
  repeat
    socket.sleep(0.01)
  until requests() >= count
end

local function connections_used()
  local used, count = {}, 0
  for _, entry in ipairs(api:log()) do
    if entry.operation == "GetRepoTag" and not used[entry.connection] then
      used[entry.connection], count = true, count + 1
    end
  end
  return count
end

describe("a call in nginx", function()
  it("leaves the worker to others", function()
    start()
    api:fault { operation = "GetRepoTag", delay_ms = 1000, count = 0 }
    local waiting = send_all(8, "/tag")
    await_requests(8)
    assert.matches("^%d+$", get "/worker")
    waiting[1]:settimeout(0)
    local _, reason, part = waiting[1]:receive "*a"
    assert.same({ "timeout", "" }, { reason, part })
    waiting[1]:settimeout(30)
    assert.same({ ["1.0"] = 8 }, bodies_of(waiting))
  end)

  it("keeps connections alive", function()
    start { main = "thread_pool cr threads=2;" }
    for _ = 1, 10 do
      assert.equal("1.0", get "/tag")
    end
    assert.is_true(connections_used() <= 2)
  end)

  it("says which line is missing", function()
    start { main = "" }
    assert.equal('GetRepoTag: NoThreadPool: nginx has no thread pool "cr": add the line ' ..
      "`thread_pool cr threads=32;` to the main block of nginx.conf.", get "/tag")
  end)

  it("uses the pool it is told to, also for one call", function()
    start {
      main = "thread_pool mine threads=1; thread_pool none threads=1 max_queue=0;",
      locations = [[ location = /mine { content_by_lua_block {
        ngx.say(describe { thread_pool = "mine" }) ngx.say(describe { thread_pool = "none" })
      } } ]],
    }
    assert.equal("1.0\nGetRepoTag: NoThreadPool: nginx's thread pool \"none\" takes no task: " ..
      "raise its max_queue.", get "/mine")
  end)

  it("blocks only when it is asked to", function()
    start {
      main = "", init = [[ at_start = describe { transport = "curl" } ]],
      locations = [[ location = /start { content_by_lua_block {
        ngx.say(at_start, " ", cr.new { transport = "nginx" } ~= nil)
      } } ]],
    }
    assert.equal("1.0 true", get "/start")
  end)
end)

describe("more calls than threads", function()
  it("wait in line, also where the pool has no queue for them", function()
    start { main = "thread_pool cr threads=4 max_queue=1;" }
    local worker = get "/worker"
    for _ = 1, 3 do
      assert.same({ ["1.0"] = 60 }, bodies_of(send_all(60, "/tag")))
    end
    assert.equal(1, connections_used())
    assert.equal(worker, get "/worker")
    assert.not_matches("signal", stop())
  end)

  it("wait in line where nginx has fewer Lua states than threads", function()
    start {
      main = "thread_pool cr threads=8;", http = "lua_worker_thread_vm_pool_size 2;",
      level = "warn",
    }
    api:fault { operation = "GetRepoTag", delay_ms = 100, count = 8 }
    assert.same({ ["1.0"] = 30 }, bodies_of(send_all(30, "/tag")))
    assert.is_true(connections_used() <= 2)
    assert.matches("cr: only 2 calls at once, though the thread pool cr has more threads: raise " ..
      "lua_worker_thread_vm_pool_size", stop(), 1, true)
  end)

  it("fail by their own time, and when the line is too long", function()
    start {
      main = "thread_pool cr threads=1;",
      locations = [[ location = /many { content_by_lua_block {
        local seen, threads = {}, {}
        for number = 1, 1100 do
          threads[number] = ngx.thread.spawn(function()
            local said = describe { timeout = number == 1 and 10 or 1 }
            seen[said] = (seen[said] or 0) + 1
          end)
        end
        for _, thread in ipairs(threads) do ngx.thread.wait(thread) end
        for said, count in pairs(seen) do ngx.say(count, " ", said) end
      } } ]],
    }
    api:fault { operation = "GetRepoTag", delay_ms = 2500, count = 1 }
    local lines = {}
    for line in (get "/many" .. "\n"):gmatch "(.-)\n" do
      lines[#lines + 1] = line
    end
    table.sort(lines)
    assert.same({
      "1 1.0",
      "1024 GetRepoTag: Timeout: none of the 1 threads that nginx has for calls was free in time.",
      "75 GetRepoTag: QueueFull: 1024 calls are waiting for one of the 1 threads that nginx has " ..
        "for them.",
    }, lines)
  end)
end)

describe("a client that goes away", function()
  it("takes no thread with it, and its answer is nobody's", function()
    start { main = "thread_pool cr threads=1;" }
    local worker = get "/worker"
    api:fault { operation = "GetRepoTag", delay_ms = 500, count = 1 }
    local first = send "/given-up"
    await_requests(1)
    local in_line = send_all(5, "/given-up")
    socket.sleep(0.1)
    first:close()
    for _, connection in ipairs(in_line) do
      connection:close()
    end
    for _ = 1, 5 do
      assert.same({ ["cri-kmsiwlxxdcva****"] = 3 }, bodies_of(send_all(3, "/instance")))
    end
    assert.equal(worker, get "/worker")
  end)

  it("does not hold up a worker that ends", function()
    start()
    api:fault { operation = "GetRepoTag", delay_ms = 1000, count = 0 }
    local given_up = send_all(4, "/given-up")
    await_requests(4)
    for _, connection in ipairs(given_up) do
      connection:close()
    end
    os.execute("kill -QUIT " .. server.pid)
    assert.not_matches("signal", stop())
  end)
end)

--- How many processes this one has started that are still there.
local function workers_of(pid)
  local output = child.shell(('grep -ls "^PPid:[[:space:]]*%s\\$" /proc/[0-9]*/status | wc -l')
    :format(pid))
  return tonumber(output)
end

local function await_workers(count)
  repeat
    socket.sleep(0.02)
  until workers_of(server.pid) == count
end

describe("nginx", function()
  it("quits when the calls in flight have been answered", function()
    start()
    api:fault { operation = "GetRepoTag", delay_ms = 1000, count = 0 }
    local waiting = send_all(10, "/tag")
    await_requests(10)
    os.execute("kill -QUIT " .. server.pid)
    assert.same({ ["1.0"] = 10 }, bodies_of(waiting))
    assert.not_matches("signal", stop())
  end)

  it("reloads with calls in flight and in line, and keeps nothing of the old workers", function()
    start { workers = 2, main = "thread_pool cr threads=4;" }
    api:fault { operation = "GetRepoTag", delay_ms = 300, count = 0 }
    local descriptors = child.shell(("ls /proc/%s/fd | wc -l"):format(server.pid))
    for _ = 1, 5 do
      api:clear_log()
      local waiting = send_all(20, "/tag")
      await_requests(4)
      os.execute("kill -HUP " .. server.pid)
      assert.same({ ["1.0"] = 20 }, bodies_of(waiting))
    end
    await_workers(2)
    assert.equal(descriptors, child.shell(("ls /proc/%s/fd | wc -l"):format(server.pid)))
    assert.not_matches("signal", stop())
  end)
end)
