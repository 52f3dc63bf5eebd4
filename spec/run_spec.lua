--- cr.run: tasks whose calls are in flight at the same time.

local busy = require "spec.support.busy"
local cr = require "cr"
local credentials = require "spec.support.credentials"
local descriptors = require "spec.support.descriptors"
local emulator = require "spec.support.emulator"

local KEY = { type = "access_key", access_key_id = "id", access_key_secret = "not-a-real-secret" }
local IS_PLAIN_51 = _VERSION == "Lua 5.1" and rawget(_G, "jit") == nil

local server, client

setup(function()
  server = busy.start()
end)

teardown(function()
  server:stop()
end)

before_each(function()
  client = cr.new {
    endpoint = server.url, credentials = KEY, max_attempts = 1, timeout = 8,
    defaults = { InstanceId = "cri-1", RepoId = "crr-1" },
  }
end)

local function get(tag, options)
  local answer, err, info = client:get_repo_tag({ Tag = tag }, options)
  return answer and answer.Tag, err, info
end

describe("tasks", function()
  it("have their calls in flight at the same time", function()
    local tags = {}
    cr.run(function(spawn)
      for index = 1, 8 do
        spawn(function()
          tags[index] = assert(get("meet-8-" .. index))
        end)
      end
    end)
    for index = 1, 8 do
      assert.equal("meet-8-" .. index, tags[index])
    end
  end)

  it("get what they are spawned with, and give back what they return", function()
    local first, second, third, count
    local function results(...)
      return select("#", ...), ...
    end
    cr.run(function(spawn)
      local task = spawn(function(...)
        local n = select("#", ...)
        get "plain-a"
        return n, nil, (select(3, ...)), nil
      end, nil, "two", "three", nil)
      count, first, second, third = results(task:wait())
      assert.same({ 4, 4, n = 2 }, { task:wait(), (task:wait()), n = 2 })
    end)
    assert.equal(4, count)
    assert.equal(4, first)
    assert.is_nil(second)
    assert.equal("three", third)
  end)

  it("are all over when the run is, which returns what the first function returned", function()
    local seen = 0
    local a, b, c = cr.run(function(spawn)
      for index = 1, 5 do
        spawn(function()
          get("slow-" .. index)
          spawn(get, "slow-more")
          seen = seen + 1
        end)
      end
      return 1, nil, "three"
    end)
    assert.equal(5, seen)
    assert.equal(1, a)
    assert.is_nil(b)
    assert.equal("three", c)
  end)

  it("have so many attempts in flight as is said, 16 otherwise", function()
    local fresh = busy.start()
    finally(function() fresh:stop() end)
    client = cr.new {
      endpoint = fresh.url, credentials = KEY, defaults = { InstanceId = "i", RepoId = "r" },
    }
    --- So many calls that are answered only when all of them are there, and then others.
    local function many(count, options)
      cr.run(function(spawn)
        for index = 1, 50 do
          spawn(get, index <= count and ("meet-%d-%d"):format(count, index) or "slow-" .. index)
        end
      end, options)
    end
    many(5, { concurrency = 5 })
    assert.equal(5, fresh:seen().most)
    many(16)
    assert.equal(16, fresh:seen().most)
    assert.equal(100, fresh:seen().requests)
  end)

  it("let others run when they yield by themselves", function()
    local order = {}
    cr.run(function(spawn)
      for index = 1, 3 do
        spawn(function()
          order[#order + 1] = index
          coroutine.yield()
          order[#order + 1] = index
        end)
      end
    end)
    assert.same({ 1, 2, 3, 1, 2, 3 }, order)
  end)

  it("may start a run of their own, which shares the limit", function()
    local tags = {}
    local result = cr.run(function(spawn)
      spawn(function()
        tags[3] = assert(get "meet-3-inner-c")
      end)
      return cr.run(function(inner)
        for index, letter in ipairs { "a", "b" } do
          inner(function()
            tags[index] = assert(get("meet-3-inner-" .. letter))
          end)
        end
        return "inner"
      end)
    end)
    assert.equal("inner", result)
    assert.same({ "meet-3-inner-a", "meet-3-inner-b", "meet-3-inner-c" }, tags)
  end)

  it("work within a coroutine of the user's, and yield to it", function()
    local values = {}
    local generator = coroutine.wrap(function()
      cr.run(function(spawn)
        spawn(function()
          values[1] = assert(get "meet-2-outer-a")
        end)
        values[2] = assert(get "meet-2-outer-b")
      end)
      coroutine.yield "done"
    end)
    assert.equal("done", generator())
    assert.equal(2, #values)
  end)
end)

describe("a call in a task", function()
  it("that pauses between attempts lets others go on", function()
    local order = {}
    cr.run(function(spawn)
      spawn(function()
        local answer, err, info = get("twice-run", {
          max_attempts = 2, retry = function() return 0.3 end,
        })
        order[#order + 1] = assert(answer, tostring(err))
        assert.equal(2, info.attempts)
      end)
      spawn(function()
        for index = 1, 5 do
          order[#order + 1] = assert(get("slow-" .. index))
        end
      end)
    end)
    assert.same({ "slow-1", "slow-2", "slow-3", "slow-4", "slow-5", "twice-run" }, order)
  end)

  it("tells the hooks, and keeps to its timeout and deadline", function()
    local events = {}
    client = cr.new {
      endpoint = server.url, credentials = KEY, defaults = { InstanceId = "i", RepoId = "r" },
      on_attempt = function(event) events[#events + 1] = event end,
    }
    cr.run(function(spawn)
      spawn(function()
        local _, err = get("hang-1", { timeout = 0.1, max_attempts = 1 })
        assert.equal("Timeout", err.code)
      end)
      local _, err = get("hang-2", { deadline = 0.3, max_attempts = 9 })
      assert.equal("transport", err.kind)
    end)
    assert.is_true(#events >= 2)
    for _, event in ipairs(events) do
      assert.equal("Timeout", event.code)
    end
  end)

  it("waits in place within a coroutine of the user's", function()
    local tags = {}
    cr.run(function(spawn)
      spawn(function()
        for tag in coroutine.wrap(function()
          for index = 1, 3 do
            coroutine.yield((assert(get("plain-" .. index))))
          end
        end) do
          tags[#tags + 1] = tag
        end
      end)
      spawn(get, "slow-beside")
    end)
    assert.same({ "plain-1", "plain-2", "plain-3" }, tags)
  end)

  it("may be made within pcall", function()
    local tags = {}
    local beginning = IS_PLAIN_51 and "plain-" or "meet-4-pcall-" -- there they wait in place
    cr.run(function(spawn)
      for index = 1, 4 do
        spawn(function()
          local ok, tag = pcall(get, beginning .. index)
          tags[#tags + 1] = ok and tag
        end)
      end
    end)
    assert.equal(4, #tags)
  end)

  it("may be made where nothing can yield", function()
    local list = { 3, 1, 2 }
    cr.run(function(spawn)
      spawn(get, "slow-beside")
      table.sort(list, function(a, b)
        assert(get "plain-sort")
        return a < b
      end)
    end)
    assert.same({ 1, 2, 3 }, list)
  end)

  it("waits for its own answer there while those of others come before", function()
    local list, beside = { 3, 1, 2 }, 0
    cr.run(function(spawn)
      for index = 1, 8 do
        spawn(function()
          assert(get("slow-beside-" .. index))
          beside = beside + 1
        end)
      end
      get "plain-first" -- they begin meanwhile
      table.sort(list, function(a, b)
        assert(get("slow-sort", { timeout = 3 }))
        return a < b
      end)
    end)
    assert.same({ 1, 2, 3 }, list)
    assert.equal(8, beside)
  end)

  it("waits for others in place where it cannot yield", function()
    local seen
    cr.run(function(spawn)
      local task = spawn(get, "slow-awaited")
      local inner = coroutine.wrap(function()
        seen = task:wait()
      end)
      inner()
    end)
    assert.equal("slow-awaited", seen)
  end)
end)

describe("an error in a task", function()
  local function fails(tag)
    assert(get(tag))
    error("broken " .. tag)
  end

  it("ends that task alone, and is raised at the end with its traceback", function()
    local seen = 0
    local ok, reason = pcall(cr.run, function(spawn)
      spawn(fails, "plain-1")
      for index = 1, 5 do
        spawn(function()
          assert(get("slow-" .. index))
          seen = seen + 1
        end)
      end
    end)
    assert.is_false(ok)
    assert.equal(5, seen)
    assert.equal(1, #reason.errors)
    assert.matches("broken plain-1", reason.errors[1].error, 1, true)
    assert.matches("1 of the tasks raised an error", tostring(reason), 1, true)
    assert.matches("broken plain%-1.*traceback.*run_spec", tostring(reason))
  end)

  it("in the first function lets the others end too", function()
    local seen
    local ok, reason = pcall(cr.run, function(spawn)
      spawn(function()
        seen = get "slow-1"
      end)
      error "at the start"
    end)
    assert.is_false(ok)
    assert.equal("slow-1", seen)
    assert.matches("at the start", tostring(reason), 1, true)
  end)

  it("is raised by wait, as it was, and not once more", function()
    local object = { code = "mine" }
    cr.run(function(spawn)
      local task = spawn(function()
        get "plain-1"
        error(object)
      end)
      local ok, reason = pcall(task.wait, task)
      assert.is_false(ok)
      assert.equal(object, reason)
    end)
  end)

  it("is told to on_error at once, and then is not raised", function()
    local told = {}
    cr.run(function(spawn)
      spawn(fails, "plain-1")
      spawn(fails, "plain-2")
    end, {
      on_error = function(err, traceback)
        told[#told + 1] = err
        assert.matches("run_spec", traceback)
      end,
    })
    assert.equal(2, #told)
  end)

  it("is one of many: the message shows some and counts the rest", function()
    local ok, reason = pcall(cr.run, function(spawn)
      for index = 1, 10 do
        spawn(function() error("number " .. index, 0) end)
      end
    end)
    assert.is_false(ok)
    assert.equal(10, #reason.errors)
    assert.matches("10 of the tasks raised an error:\nnumber 1\n", tostring(reason), 1, true)
    assert.matches("… and 7 more", tostring(reason), 1, true)
  end)

  it("leaves its place to the next one", function()
    local seen = 0
    local broken = cr.new {
      endpoint = server.url, defaults = { InstanceId = "i", RepoId = "r" },
      credentials = function() error "no credential" end,
    }
    pcall(cr.run, function(spawn)
      for _ = 1, 4 do
        spawn(function() broken:get_repo_tag { Tag = "plain-1" } end)
      end
      for index = 1, 4 do
        spawn(function()
          assert(get("plain-" .. index))
          seen = seen + 1
        end)
      end
    end, { concurrency = 2 })
    assert.equal(4, seen)
  end)
end)

describe("in a for loop", function()
  it("an iterator may make calls", function()
    local tags = {}
    cr.run(function(spawn)
      spawn(get, "slow-beside")
      local index = 0
      for tag in function()
        index = index + 1
        return index <= 3 and (assert(get("plain-" .. index))) or nil
      end do
        tags[index] = tag
      end
    end)
    assert.same({ "plain-1", "plain-2", "plain-3" }, tags)
  end)

  it("what is left by an error is closed", function()
    if _VERSION ~= "Lua 5.4" then
      return
    end
    local before, is_closed = server:seen().given_up, false
    cr.run(function(spawn)
      local list = { { Tag = "with-3-first" }, { Tag = "hang-1" }, { Tag = "hang-2" } }
      local task = spawn(function()
        for _ in client:map("GetRepoTag", list) do
          error "out of the loop"
        end
      end)
      pcall(task.wait, task)
      server:await("given_up", before + 2) -- blocks: nothing but the loop's end closes them
      is_closed = true
    end)
    assert.is_true(is_closed)
  end)
end)

describe("tasks that wait for each other", function()
  it("are told so instead of waiting for ever", function()
    local first, second
    local ok, reason = pcall(cr.run, function(spawn)
      first = spawn(function() second:wait() end)
      second = spawn(function() first:wait() end)
    end)
    assert.is_false(ok)
    assert.matches("the tasks wait for each other", tostring(reason), 1, true)
    ok, reason = pcall(cr.run, function(spawn)
      local own
      own = spawn(function() own:wait() end)
    end)
    assert.is_false(ok)
    assert.matches("a task cannot wait for itself", tostring(reason), 1, true)
  end)
end)

describe("a task that is cancelled", function()
  it("has its request given up", function()
    local before, reached = server:seen().given_up, false
    cr.run(function(spawn)
      local task = spawn(function()
        get "hang-1"
        reached = true
      end)
      assert(get "with-2-a")
      task:cancel()
      task:cancel()
      local ok, reason = pcall(task.wait, task)
      assert.is_false(ok)
      assert.equal("the task was cancelled", tostring(reason))
    end)
    assert.is_false(reached)
    server:await("given_up", before + 1)
  end)

  it("unwinds, and makes no more calls", function()
    if IS_PLAIN_51 then
      return -- what waits in place cannot be cancelled
    end
    local before, cleaned, again = server:seen().requests, false, nil
    cr.run(function(spawn)
      local task = spawn(function()
        pcall(get, "hang-1")
        cleaned = true
        again = pcall(get, "plain-after")
        coroutine.yield()
        again = "reached"
      end)
      assert(get "with-2-a")
      task:cancel()
    end)
    assert.is_true(cleaned)
    assert.is_false(again)
    assert.equal(before + 2, server:seen().requests)
  end)

  it("may be pausing, waiting for its place, for another, or not have begun", function()
    local reached = false
    cr.run(function(spawn)
      local function stop(f)
        local task = spawn(function()
          f()
          reached = true
        end)
        assert(get "slow-a")
        task:cancel()
        local unstarted = spawn(function() reached = true end)
        unstarted:cancel()
      end
      stop(function()
        get("twice-cancel-" .. tostring({}), { max_attempts = 2, retry = function() return 60 end })
        get("hang-x")
      end)
      local long = spawn(get, "hang-long")
      stop(function() long:wait() end)
      stop(function() get "hang-in-line" end)
      long:cancel()
    end, { concurrency = 2 })
    assert.is_false(reached)
  end)

  it("ends the run that it started", function()
    local before = server:seen().given_up
    cr.run(function(spawn)
      local task = spawn(function()
        cr.run(function(inner)
          inner(get, "hang-1")
          inner(get, "hang-2")
        end)
      end)
      assert(get "with-3-a")
      task:cancel()
    end)
    server:await("given_up", before + 2)
  end)

  it("cannot be the one that runs", function()
    local ok, reason = pcall(cr.run, function(spawn)
      local own
      own = spawn(function()
        own:cancel()
      end)
    end)
    assert.is_false(ok)
    assert.matches("the task is running", tostring(reason), 1, true)
  end)
end)

describe("a run", function()
  it("leaves no descriptor, whatever happened in it", function()
    cr.run(function() get "plain-warm" end)
    client:close()
    collectgarbage()
    local before = descriptors.open()
    for _ = 1, 10 do
      pcall(cr.run, function(spawn)
        local task = spawn(get, "hang-1")
        spawn(function() error "broken" end)
        assert(get "with-2-a")
        task:cancel()
      end)
    end
    client:close()
    assert.equal(before, descriptors.open())
  end)

  it("refuses what it cannot use", function()
    local function raises(text, ...)
      local ok, reason = pcall(cr.run, ...)
      assert.is_false(ok)
      assert.matches(text, tostring(reason), 1, true)
    end
    raises("a function expected, got a nil")
    raises("the options must be a table", function() end, 3)
    raises("concurrency must be an integer from 1 to 10000", function() end, { concurrency = 0 })
    raises("on_error must be a function", function() end, { on_error = 1 })
    raises("unknown option limit; there are concurrency and on_error", function() end,
      { limit = 1 })
    raises("spawn: a function expected, got a number", function(spawn) spawn(1) end)
    local kept
    cr.run(function(spawn) kept = spawn end)
    assert.has_error(function() kept(get) end, "spawn: the run is over")
  end)
end)

describe("with the emulator", function()
  it("repositories, tags and tags' images are listed at the same time", function()
    local api = emulator.start()
    finally(function() api:stop() end)
    client = credentials.client(api, credentials.FULL,
      { defaults = { InstanceId = "cri-kmsiwlxxdcva****" } })
    local digests, tags = {}, 0
    cr.run(function(spawn)
      local page = assert(client:list_repository {})
      for _, repository in ipairs(page.Repositories) do
        spawn(function()
          local listed = assert(client:list_repo_tag { RepoId = repository.RepoId })
          for _, image in ipairs(listed.Images) do
            tags = tags + 1
            spawn(function()
              local tag = assert(client:get_repo_tag {
                RepoId = repository.RepoId, Tag = image.Tag,
              })
              digests[#digests + 1] = tag.Digest
            end)
          end
        end)
      end
    end)
    assert.is_true(tags > 1)
    assert.equal(tags, #digests)
  end)

  it("tasks share one refresh of their session", function()
    local api = emulator.start()
    finally(function() api:stop() end)
    client = credentials.client(api, {
      type = "ram_role_arn", role_arn = credentials.role "reader",
      sts_endpoint = api.sts_endpoint, source = credentials.FULL,
    })
    cr.run(function(spawn)
      for _ = 1, 20 do
        spawn(function()
          assert(client:get_repo_tag(credentials.TAG))
        end)
      end
    end)
    local assumed = 0
    for _, entry in ipairs(api:log()) do
      assumed = assumed + (entry.operation == "AssumeRole" and 1 or 0)
    end
    assert.equal(1, assumed)
  end)
end)
