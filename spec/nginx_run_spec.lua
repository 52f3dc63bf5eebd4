--- cr.run, client:map and read_ahead in a real nginx: their calls are in flight at the same time,
-- and the worker is free meanwhile. The other server answers only when as many are there as should
-- be.

if not rawget(_G, "jit") then
  return
end

local busy = require "spec.support.busy"
local emulator = require "spec.support.emulator"
local http = require "socket.http"
local nginx = require "spec.support.nginx"
local socket = require "socket"

local INIT = [[
  cr = require "cr"
  client = cr.new {
    endpoint = "%s", max_attempts = 1, timeout = 8,
    credentials = { type = "access_key", access_key_id = "id", access_key_secret = "no-secret" },
    defaults = { InstanceId = "cri-1", RepoId = "crr-1" },
  }
  function get(tag, options)
    local answer, err = client:get_repo_tag({ Tag = tag }, options)
    return answer and answer.Tag, err
  end
  function list_of(count, beginning)
    local list = {}
    for index = 1, count do
      list[index] = { Tag = beginning .. index }
    end
    return list
  end
]]

-- What is run by /run?name, in each of the phases.
local PROGRAMS = [[
  programs = {}
  function programs.run()
    local tags = {}
    local result = cr.run(function(spawn)
      for index = 1, 8 do
        spawn(function() tags[index] = assert(get("meet-8r-" .. index)) end)
      end
      return "main"
    end)
    return result .. " " .. table.concat(tags, " ")
  end
  function programs.map()
    local sum, count = 0, 0
    for index, tag, err in client:map("GetRepoTag", list_of(24, "meet-6m-"), { concurrency = 6 }) do
      assert(tag, err)
      sum, count = sum + index, count + 1
    end
    return count .. " " .. sum
  end
  function programs.many()
    local count = 0
    for _, tag, err in client:map("GetRepoTag", list_of(500, "plain-"), { concurrency = 10 }) do
      assert(tag, err)
      count = count + 1
    end
    return tostring(count)
  end
  function programs.nested()
    local tags = {}
    cr.run(function(spawn)
      spawn(function() tags[3] = assert(get "meet-3n-c") end)
      cr.run(function(inner)
        inner(function() tags[1] = assert(get "meet-3n-a") end)
        inner(function() tags[2] = assert(get "meet-3n-b") end)
      end)
    end)
    return table.concat(tags, " ")
  end
  function programs.map_in_run()
    local counts = { 0, 0 }
    cr.run(function(spawn)
      for number = 1, 2 do
        spawn(function()
          local index = 0
          local function next_item() -- a list that makes calls
            index = index + 1
            return index <= 4 and { Tag = assert(get("plain-" .. index)) } or nil
          end
          for _, tag in client:map("GetRepoTag", next_item, { concurrency = 2 }) do
            counts[number] = counts[number] + (tag and 1 or 0)
          end
        end)
      end
    end)
    return table.concat(counts, " ")
  end
  function programs.limit()
    cr.run(function(spawn)
      for index = 1, 30 do
        spawn(function() assert(get("slow-" .. index)) end)
      end
    end, { concurrency = 5 })
    return "done"
  end
  function programs.errors()
    local told, waited = {}, nil
    local ok, reason = pcall(cr.run, function(spawn)
      local broken = spawn(function() get "plain-1" error("broken", 0) end)
      waited = tostring(select(2, pcall(broken.wait, broken)))
      spawn(function() error(select(2, get "fail-1")) end)
    end)
    cr.run(function(spawn)
      spawn(function() get "plain-2" error("told", 0) end)
    end, { on_error = function(err) told[#told + 1] = err end })
    return ("%s, %s, %s, %s, %s"):format(tostring(ok), waited, told[1],
      tostring(reason):match "TAG_NOT_EXIST", tostring(reason):match "^%d of the tasks")
  end
  function programs.cancel()
    local seen = {}
    cr.run(function(spawn)
      local task = spawn(function()
        seen.inner = tostring(select(2, pcall(get, "hang-1", { timeout = 1 })))
        seen.again = pcall(get, "plain-after")
        get "plain-after"
      end)
      assert(get "with-2-a")
      task:cancel()
      seen.waited = tostring(select(2, pcall(task.wait, task)))
    end)
    return ("%s, %s, %s"):format(seen.inner, seen.waited, tostring(seen.again))
  end
  function programs.close()
    local results = client:map("GetRepoTag", { { Tag = "with-3-a" }, { Tag = "hang-a" },
      { Tag = "hang-b" } }, { timeout = 1 })
    local index, tag = results()
    results:close()
    return ("%d %s %s"):format(index, tag.Tag, tostring(results()))
  end
  function programs.pauses() -- a retry in one task, nginx's own waits and coroutines in others
    local order, tags = {}, {}
    cr.run(function(spawn)
      spawn(function()
        tags[1] = assert(get("twice-" .. ngx.now() .. math.random(), {
          max_attempts = 2, retry = function() return 0.05 end,
        })):match "^twice"
        order[#order + 1] = "retried"
      end)
      spawn(function()
        ngx.sleep(0.01)
        tags[2] = assert(get "plain-2")
        order[#order + 1] = "slept"
      end)
      spawn(coroutine.wrap(function() tags[3] = assert(get "plain-3") end))
      spawn(function() coroutine.yield() tags[4] = assert(get "plain-4") end)
    end)
    return table.concat(tags, " ") .. " " .. table.concat(order, " ")
  end
  function run(name)
    local ok, said = pcall(programs[name])
    return tostring(said)
  end
]]

local LOCATIONS = [[
  location = /content { content_by_lua_block { ngx.say(run(ngx.var.arg_p)) } }
  location = /access {
    access_by_lua_block { ngx.say(run(ngx.var.arg_p)) ngx.exit(200) }
    content_by_lua_block { ngx.say "not reached" }
  }
  location = /timer { content_by_lua_block {
    local name, said, done = ngx.var.arg_p, nil, require("ngx.semaphore").new(0)
    ngx.timer.at(0, function() said = run(name) done:post(1) end)
    done:wait(20)
    ngx.say(said)
  } }
  location = /filter {
    content_by_lua_block { ngx.say "sent" }
    header_filter_by_lua_block {
      local told = {}
      cr.run(function(spawn)
        for number = 1, 2 do
          spawn(function() told[number] = select(2, get("plain-" .. number)).code end)
        end
      end)
      ngx.header.said = table.concat(told, " ")
    }
  }
  location = /given-up {
    lua_check_client_abort on;
    content_by_lua_block {
      taken = 0
      ngx.on_abort(function() ngx.exit(499) end)
      local function next_item()
        taken = taken + 1
        return { Tag = "hang-" .. taken }
      end
      for _ in client:map("GetRepoTag", next_item, { concurrency = 3, timeout = 1 }) do end
    }
  }
  location = /taken { content_by_lua_block { ngx.say(taken) } }
  location = /beside { content_by_lua_block {
    -- Another request's call, while a task waits for something of nginx's own.
    ngx.say((assert(get "plain-beside")))
    released:post(1)
  } }
  location = /spin { content_by_lua_block {
    is_let_go = false
    cr.run(function(spawn)
      spawn(function() repeat coroutine.yield() until is_let_go end)
    end)
    ngx.say "let go"
  } }
  location = /let-go { content_by_lua_block { is_let_go = true ngx.say "yes" } }
  location = /held { content_by_lua_block {
    released = require("ngx.semaphore").new(0)
    cr.run(function(spawn)
      spawn(function()
        assert(released:wait(20))
        ngx.say((assert(get "plain-held")))
      end)
    end)
  } }
]]

local api, server

setup(function()
  api = busy.start()
  server = nginx.start {
    init = INIT:format(api.url) .. PROGRAMS, locations = LOCATIONS, level = "error",
  }
end)

teardown(function()
  server:stop()
  api:stop()
end)

local function get(path)
  local body = assert(http.request(server.url .. path))
  return (body:gsub("\n$", ""))
end

local EXPECTED = {
  run = "main meet-8r-1 meet-8r-2 meet-8r-3 meet-8r-4 meet-8r-5 meet-8r-6 meet-8r-7 meet-8r-8",
  map = "24 300",
  many = "500",
  nested = "meet-3n-a meet-3n-b meet-3n-c",
  map_in_run = "4 4",
  errors = "false, broken, told, TAG_NOT_EXIST, 1 of the tasks",
  cancel = "the task was cancelled, the task was cancelled, false",
  close = "1 with-3-a nil",
  pauses = "twice plain-2 plain-3 plain-4 slept retried",
}

for _, phase in ipairs { "content", "access", "timer" } do
  describe("in the phase " .. phase, function()
    before_each(function() api:reset() end) -- waits for what was called off

    for name, expected in pairs(EXPECTED) do
      it("calls overlap, with results as outside: " .. name, function()
        assert.equal(expected, get(("/%s?p=%s"):format(phase, name)))
      end)
    end

    it("there are as many attempts in flight as is said", function()
      assert.equal("done", get(("/%s?p=limit"):format(phase)))
      assert.equal(5, api:seen().most)
    end)
  end)
end

describe("a request", function()
  local function send(path)
    local connection = assert(socket.connect("127.0.0.1", server.port))
    connection:settimeout(30)
    assert(connection:send("GET " .. path .. " HTTP/1.0\r\n\r\n"))
    return connection
  end

  it("that is given up leaves nothing running", function()
    local before = api:seen()
    local connection = send "/given-up"
    api:await("requests", before.requests + 3)
    connection:close()
    api:await("given_up", before.given_up + 3) -- their threads end them after their timeout
    assert.equal("plain", get "/content?p=many" and "plain")
    assert.equal("3", get "/taken")
    assert.equal(before.requests + 3 + 500, api:seen().requests)
  end)

  it("has tasks of its own, whatever those of others wait for", function()
    local held = send "/held"
    assert.equal("plain-beside", (get "/beside"))
    assert.matches("plain%-held\n$", (held:receive "*a"))
    held:close()
  end)

  it("whose tasks only yield keeps nobody else from the worker", function()
    local spinning = send "/spin"
    assert.equal("yes", get "/let-go")
    assert.matches("let go\n$", (spinning:receive "*a"))
    spinning:close()
  end)

  it("gets the usual error where nginx cannot wait", function()
    local _, status, headers = http.request(server.url .. "/filter")
    assert.equal(200, status)
    assert.equal("WrongPhase WrongPhase", headers.said)
  end)
end)

describe("a list inside cr.run", function()
  it("is read ahead", function()
    local lists = emulator.start()
    local reader = nginx.start {
      init = ([[
        cr = require "cr"
        client = cr.new { endpoint = "%s", max_attempts = 1, credentials = { type = "access_key",
          access_key_id = "%s", access_key_secret = "%s" },
          defaults = { InstanceId = "cri-kmsiwlxxdcva****", PageSize = 50 } }
      ]]):format(lists.endpoint, lists.access_key_id, lists.access_key_secret),
      locations = [[location = /read { content_by_lua_block {
        cr.run(function()
          local list = client:pages("ListRepoTag", { RepoId = "crr-emulatorbuilds01" },
            { read_ahead = true })
          list()
          client:get_instance() -- slow: the page may come meanwhile
          client:get_instance()
          ngx.say(#list().Images)
        end)
      } }]],
    }
    finally(function()
      reader:stop()
      lists:stop()
    end)
    lists:fault { operation = "GetInstance", delay_ms = 500, count = 2 }
    assert.equal("50\n", (http.request(reader.url .. "/read")))
    local order = {}
    for index, entry in ipairs(lists:log()) do
      order[entry.parameters.PageNo or "instance"] = index -- the last one of each
    end
    assert.is_true(order["2"] < order.instance)
  end)
end)
