--- Processes that fork: parent and child share no connection, no nonce and no program, and neither
-- harms the other, however the child ends.

local emulator = require "spec.support.emulator"
local fork = require "spec.support.fork"

-- What every script begins with: a client per scheme, and how a child ends.
local PRELUDE = [[
  local cr, core = require "cr", require "cr.core"
  local TAG = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }

  local function new_client(scheme)
    return cr.new {
      endpoint = scheme == "https" and %q or %q, ca_file = %q, max_attempts = 1,
      credentials = { type = "access_key", access_key_id = %q, access_key_secret = %q },
    }
  end

  local function call(client, times, first_is_reused)
    for i = 1, times do
      local tag, err, info = client:get_repo_tag(TAG)
      assert(tag, tostring(err))
      assert(tag.Tag == "1.0")
      if i == 1 and first_is_reused ~= nil then
        assert(info.connection_reused == first_is_reused, "connection_reused")
      end
    end
  end

  --- Runs a function in a child, which ends by _exit or as a script ends: with its state closed.
  local function in_child(ending, work)
    local id = fork.fork()
    if id == 0 then
      local ok, err = pcall(work)
      ok = ok or err == IS_CHILD -- of this child
      if not ok then
        io.stderr:write("child: ", tostring(err), "\n")
      end
      if ending == "_exit" then
        fork._exit(ok and 0 or 1)
      end
      error(ok and IS_CHILD or err, 0) -- to the end of the script
    end
    return id
  end

  local function finish(main)
    local ok, err = pcall(main)
    assert(ok or err == IS_CHILD, err)
    if ok then
      print "parent ended well"
    end
  end
]]

describe("a process that forks", function()
  local server, forks

  setup(function()
    server = emulator.start()
    forks = fork.new()
  end)

  teardown(function()
    server:stop()
    forks:stop()
  end)

  before_each(function()
    server:reset()
  end)

  --- Runs a script to its good end.
  local function run(script)
    local prelude = PRELUDE:format(server.https_endpoint, server.endpoint, server.ca_file,
      server.access_key_id, server.access_key_secret)
    local output, ok = forks:run("IS_CHILD = {}\n" .. prelude .. "finish(function()\n" .. script ..
      "\nend)")
    assert.is_true(ok, output)
    assert.equal("parent ended well\n", output)
  end

  --- As many requests as were to come, none with the nonce of another.
  local function requests(expected)
    local nonces, count = {}, 0
    for _, entry in ipairs(server:log()) do
      assert.is_nil(nonces[entry.nonce])
      nonces[entry.nonce] = true
      count = count + 1
    end
    assert.equal(expected, count)
  end

  for _, scheme in ipairs { "http", "https" } do
    for _, ending in ipairs { "_exit", "close" } do
      local name = (" (%s, the child ends by %s)"):format(scheme, ending)
      local values = ("local scheme, ending = %q, %q\n"):format(scheme, ending)

      it("after require: both make clients and call" .. name, function()
        run(values .. [[
          local id = in_child(ending, function()
            call(new_client(scheme), 10, false)
          end)
          call(new_client(scheme), 10, false)
          assert(fork.wait(id) == 0)
        ]])
        requests(20)
      end)

      it("after a call: the child has connections of its own, the parent keeps its" .. name,
        function()
          run(values .. [[
            local client = new_client(scheme)
            call(client, 1, false)
            local id = in_child(ending, function()
              call(client, 3, false)
            end)
            assert(fork.wait(id) == 0)
            call(client, 3, true)
          ]])
          requests(7)
        end)

      it("and whose child only drops the client keeps its connection" .. name, function()
        run(values .. [[
          local client = new_client(scheme)
          call(client, 1, false)
          for _, drop in ipairs {
            function() client:close() end,
            function() client = nil collectgarbage() collectgarbage() end,
            function() end,
          } do
            assert(fork.wait(in_child(ending, drop)) == 0)
            call(client, 1, true)
          end
        ]])
        requests(4)
      end)

      it("both call at once and afterwards, and a grandchild too" .. name, function()
        run(values .. [[
          local client = new_client(scheme)
          call(client, 1, false)
          local ids = {}
          for i = 1, 3 do
            ids[i] = in_child(ending, function()
              call(client, 15, false)
              if i == 1 then
                local id = in_child(ending, function()
                  call(client, 5, false)
                end)
                call(client, 5, true)
                assert(fork.wait(id) == 0)
              end
            end)
          end
          call(client, 15, true)
          for _, id in ipairs(ids) do
            assert(fork.wait(id) == 0)
          end
          call(client, 5, true)
        ]])
        requests(1 + 3 * 15 + 10 + 20)
      end)
    end
  end

  it("has a session of a role that the child goes on with", function()
    run(([[
      local client = cr.new {
        endpoint = %q, max_attempts = 1,
        credentials = {
          type = "ram_role_arn", role_arn = "acs:ram::1000000000000001:role/reader",
          sts_endpoint = %q, source = { type = "access_key", access_key_id = %q,
            access_key_secret = %q },
        },
      }
      call(client, 1)
      local id = in_child("close", function() call(client, 5) end)
      call(client, 5)
      assert(fork.wait(id) == 0)
      call(client, 1)
    ]]):format(server.endpoint, server.sts_endpoint, server.access_key_id,
      server.access_key_secret))
    requests(1 + 12) -- the role was assumed once
  end)

  for _, ending in ipairs { "_exit", "close" } do
    for what, code in pairs {
      ["does nothing with it"] = "",
      ["kills it"] = "process:kill()",
      ["forgets it"] = "process = nil collectgarbage() collectgarbage()",
      ["asks for its end"] = [[
        local state, reason = process:poll(0)
        assert(state == "failed" and reason == "the program is another process's", reason)
      ]],
    } do
      it(("and runs a program keeps that when the child %s and ends by %s"):format(what, ending),
        function()
          run(([[
            local process = assert(core.run { "sh", "-c", "echo begun; sleep 0.3; echo ended" })
            core.sleep(0.1) -- "begun" waits in the pipe
            local id = in_child(%q, function()
              %s
            end)
            assert(fork.wait(id) == 0)
            assert(process:poll(0) == "running")
            local state, output, status = process:poll(60)
            assert(state == "done" and output == "begun\nended\n" and status == 0, output)
          ]]):format(ending, code))
        end)
    end
  end
end)
