--- Lists inside the scheduler: pages that are read ahead, and loops that are left.

local cr = require "cr"
local descriptors = require "spec.support.descriptors"
local emulator = require "spec.support.emulator"
local scheduler = require "cr.scheduler"

local BUILDS = "crr-emulatorbuilds01" -- 250 tags

describe("a list inside cr.run", function()
  local server, client

  setup(function()
    server = emulator.start()
    client = cr.new {
      endpoint = server.endpoint,
      credentials = {
        type = "access_key", access_key_id = server.access_key_id,
        access_key_secret = server.access_key_secret,
      },
      defaults = { InstanceId = "cri-kmsiwlxxdcva****", PageSize = 50 },
      max_attempts = 1,
    }
  end)
  teardown(function()
    client:close()
    server:stop()
  end)
  before_each(function() server:reset() end)

  --- The pages that the emulator was asked for so far. To ask for it lets no other task run.
  local function asked()
    local numbers = {}
    for _, entry in ipairs(server:log()) do
      numbers[#numbers + 1] = entry.parameters.PageNo
    end
    return table.concat(numbers, " ")
  end

  local function tags(options)
    return client:items("ListRepoTag", { RepoId = BUILDS }, options)
  end

  for _, read_ahead in ipairs { false, true } do
    it("gives every item once, read_ahead = " .. tostring(read_ahead), function()
      local counts = {}
      cr.run(function(spawn)
        for number = 1, 3 do
          spawn(function()
            local came, count = {}, 0
            for tag in tags { read_ahead = read_ahead } do
              assert.is_nil(came[tag.Tag])
              came[tag.Tag], count = true, count + 1
            end
            counts[number] = count
          end)
        end
      end)
      assert.same({ 250, 250, 250 }, counts)
      assert.equal(15, #server:log())
    end)
  end

  --- Which pages were asked for when the first one is used and other tasks have had their turn.
  local function asked_meanwhile(options)
    local meanwhile
    cr.run(function()
      local list = client:pages("ListRepoTag", { RepoId = BUILDS }, options)
      list()
      client:get_instance() -- as slow as the page that may be on its way
      client:get_instance()
      meanwhile = asked()
      assert.equal(50, #list().Images)
    end)
    return meanwhile
  end

  it("fetches the next page while this one is used, when told to", function()
    assert.equal("1", asked_meanwhile {})
    server:reset()
    assert.equal("1 2", asked_meanwhile { read_ahead = true })
  end)

  it("does not read beyond the end, nor beyond max_pages", function()
    cr.run(function()
      local params = { RepoId = BUILDS, PageNo = 5 }
      local list = client:pages("ListRepoTag", params, { read_ahead = true })
      list()
      client:get_instance()
    end)
    assert.equal("5", asked())
    server:reset()
    cr.run(function()
      local list = client:pages("ListRepoTag", { RepoId = BUILDS }, {
          read_ahead = true, max_pages = 1,
        })
      list()
      client:get_instance()
      local ok, err = pcall(list)
      assert.is_false(ok)
      assert.equal("TooManyPages", err.code)
    end)
    assert.equal("1", asked())
  end)

  it("reads ahead by token too", function()
    local count = 0
    cr.run(function()
      for _ in client:items("ListRepoTag", { RepoId = BUILDS, MaxResults = 100 }, {
          read_ahead = true }) do
        count = count + 1
      end
    end)
    assert.equal(250, count)
    assert.equal(3, #server:log())
  end)

  it("outside of it takes no notice of read_ahead", function()
    local list = client:pages("ListRepoTag", { RepoId = BUILDS }, { read_ahead = true })
    list()
    assert.equal("1", asked())
    list()
    assert.equal("1 2", asked())
  end)

  it("raises what happened to the page that was read ahead, and then asks again", function()
    local errors, count = {}, 0
    cr.run(function()
      local list = tags { read_ahead = true }
      list()
      server:fault { operation = "ListRepoTag", status = 503 }
      server:fault { operation = "ListRepoTag", status = 503 }
      local ok, err
      count = 1
      repeat
        ok, err = pcall(list)
        if ok and err then
          count = count + 1
        elseif not ok then
          errors[#errors + 1] = err.code
        end
      until ok and not err
    end)
    assert.equal(250, count)
    assert.equal(2, #errors)
  end)

  it("raises what a hook raised in it", function()
    cr.run(function()
      local number = 0
      local list = tags { read_ahead = true, on_attempt = function()
          number = number + 1
          if number == 2 then
            error("the hook's own", 0)
          end
        end }
      local count = 0
      local ok, err = pcall(function()
          for _ in list do
            count = count + 1
          end
        end)
      assert.is_false(ok)
      assert.equal("the hook's own", err)
      assert.equal(50, count)
      assert.truthy(list())
    end)
  end)

  -- In plain Lua 5.1 a list does not let other tasks run.
  local may_wait = _VERSION ~= "Lua 5.1" or rawget(_G, "jit")

  if may_wait then
    it("tells two tasks that read the same list", function()
      local messages, count = {}, 0
      cr.run(function(spawn)
        local list = client:pages("ListRepoTag", { RepoId = BUILDS })
        for _ = 1, 2 do
          spawn(function()
            local ok, message = pcall(list)
            count = count + (ok and 1 or 0)
            messages[#messages + 1] = not ok and message or nil
          end)
        end
      end)
      assert.equal(1, count)
      assert.same({ "a list gives pages and items to one coroutine at a time" }, messages)
    end)
  end

  it("goes on after the run that it began in", function()
    local list
    cr.run(function()
      list = client:pages("ListRepoTag", { RepoId = BUILDS }, { read_ahead = true })
      list()
    end)
    local count = 0
    for answer in list do
      count = count + #answer.Images
    end
    assert.equal(200, count)
  end)

  --- How many tasks the run has that are not over.
  local function tasks()
    local count = 0
    for _ in pairs(scheduler.current().tasks) do
      count = count + 1
    end
    return count
  end

  --- Lets other tasks run until the fault has hit one of their requests.
  local function await_fault()
    repeat
      client:get_instance()
    until #server:faults() == 0
  end

  --- Leaves a list after some items, five times, each time with a page on its way.
  -- @return how many pages came
  local function leave(list_ends)
    local late = 0
    cr.run(function()
      for _ = 1, 5 do
        local list, _, _, closes = tags {
          read_ahead = true,
          on_attempt = function() late = late + 1 end,
        }
        list()
        server:fault { operation = "ListRepoTag", delay_ms = 30000 }
        await_fault()
        assert.equal(2, tasks())
        list_ends(list, closes)
        assert.equal(1, tasks())
      end
    end)
    return late
  end

  local has_close = _VERSION == "Lua 5.4"

  it("leaves nothing running when it is closed", function()
    client:get_instance()
    local open = descriptors.open()
    -- Five pages came; the five that were read ahead never did, and nobody waited for them.
    assert.equal(5, leave(function(_, closes) closes:close() end))
    scheduler.close()
    client:close()
    assert.truthy(descriptors.open() <= open)
  end)

  if has_close then
    it("leaves nothing running when a loop is left", function()
      assert.equal(5, leave(function(list, closes)
        for tag in list, nil, nil, closes do
          if tag.Tag ~= "build-001" then
            break
          end
        end
      end))
    end)
  end

  it("leaves nothing running when it is dropped", function()
    local late = 0
    cr.run(function()
      local list = tags { read_ahead = true, on_attempt = function() late = late + 1 end }
      list()
      server:fault { operation = "ListRepoTag", delay_ms = 30000 }
      await_fault()
      assert.equal(2, tasks())
      list = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      client:get_instance()
      client:get_instance()
      assert.equal(1, tasks())
    end)
    assert.equal(1, late)
  end)

  if may_wait then
    it("leaves nothing running when who reads it is cancelled", function()
      local late = 0
      cr.run(function(spawn)
        local task = spawn(function()
          for _ in tags { read_ahead = true, on_attempt = function() late = late + 1 end } do
            if late == 1 then
              server:fault { operation = "ListRepoTag", delay_ms = 30000 }
              late = 2
            end
          end
        end)
        while late < 2 do
          client:get_instance()
        end
        await_fault()
        assert.equal(3, tasks())
        task:cancel()
        assert.equal(1, tasks())
      end)
      assert.equal(2, late)
    end)
  end
end)
