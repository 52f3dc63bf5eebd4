--- client:wait_for: predicates, terminal states, pauses, the deadline, what a wait outlives.

local cr = require "cr"
local emulator = require "spec.support.emulator"
local recorder = require "spec.support.recorder"

local PARAMS = { InstanceId = "cri-1" }

local function status(value, field)
  return ('{"IsSuccess":true,"RequestId":"R-1","%s":"%s"}'):format(field or "Status", value)
end

local function code(value, http_status)
  return recorder.response(http_status or 200, ('{"IsSuccess":false,"Code":"%s"}'):format(value))
end

--- A client that gets these statuses one after another, the last one for ever.
local function told(...)
  local answers = {}
  for index, value in ipairs { ... } do
    answers[index] = type(value) == "string" and status(value) or value
  end
  return recorder.client(answers)
end

local function is_normal(answer)
  return answer.Status == "NORMAL"
end

describe("client:wait_for", function()
  it("asks until the predicate is true, and returns the answer and its info", function()
    local client, transport = told("A", "B", "NORMAL", "C")
    local seen = {}
    local answer, err, info = client:wait_for("GetInstance", PARAMS, function(given)
      seen[#seen + 1] = given.Status
      return given.Status == "NORMAL"
    end)
    assert.is_nil(err)
    assert.equal("NORMAL", answer.Status)
    assert.equal("R-1", info.request_id)
    assert.same({ "A", "B", "NORMAL" }, seen)
    assert.equal(3, #transport.requests)
    assert.equal(2, #transport.pauses)
  end)

  it("does not pause when the first answer is as wanted", function()
    local client, transport = told "NORMAL"
    assert.truthy(client:wait_for("get_instance", PARAMS, is_normal))
    assert.equal(0, #transport.pauses)
  end)

  it("takes a table of states, upper or lower case", function()
    local states = { field = "InstanceStatus", done = { "RUNNING", "READY" }, failed = { "LOST" } }
    local client = recorder.client { status("STARTING", "InstanceStatus"),
      status("ready", "InstanceStatus") }
    assert.equal("ready", client:wait_for("GetInstance", PARAMS, states).InstanceStatus)
    client = recorder.client { status("STARTING", "InstanceStatus"),
      status("Lost", "InstanceStatus") }
    local answer, err = client:wait_for("GetInstance", PARAMS, states)
    assert.is_nil(answer)
    assert.equal("service", err.kind)
    assert.equal("WaitFailed", err.code)
    assert.equal("Lost", err.answer.InstanceStatus)
    assert.is_false(err.retryable)
    assert.equal("GetInstance: WaitFailed (HTTP 200): InstanceStatus is Lost. RequestId R-1",
      tostring(err))
  end)

  it("waits on where the field is absent", function()
    local client, transport = recorder.client { recorder.SUCCESS, status "NORMAL" }
    assert.truthy(client:wait_for("GetInstance", PARAMS, { field = "Status", done = { "NORMAL" } }))
    assert.equal(2, #transport.requests)
  end)

  it("ends where the predicate says that it will never be", function()
    local client, transport = told("A", "B")
    local answer, err = client:wait_for("GetInstance", PARAMS, function(given)
      if given.Status == "B" then
        return false, "it is a B"
      end
    end)
    assert.is_nil(answer)
    assert.equal("WaitFailed", err.code)
    assert.equal("it is a B", err.message)
    assert.equal("B", err.answer.Status)
    assert.equal(2, #transport.requests)
  end)

  it("lets pass what the predicate raises", function()
    local client = told "A"
    local ok, err = pcall(client.wait_for, client, "GetInstance", PARAMS, function() error {} end)
    assert.is_false(ok)
    assert.same({}, err)
  end)

  it("ends where a call fails in a way that does not pass, with its error", function()
    local client, transport = told("A", code "INSTANCE_NOT_EXIST")
    local answer, err = client:wait_for("GetInstance", PARAMS, is_normal)
    assert.is_nil(answer)
    assert.equal("INSTANCE_NOT_EXIST", err.code)
    assert.equal(2, #transport.requests)
  end)

  it("waits on after codes that it is told are none", function()
    local client = told(code "TAG_NOT_EXIST", code "TAG_NOT_EXIST", "NORMAL")
    local answer, err = client:wait_for("GetRepoTag", {
        InstanceId = "i", RepoId = "r", Tag = "t",
      }, { field = "Status", done = { "NORMAL" }, not_yet = { "TAG_NOT_EXIST" } })
    assert.is_nil(err)
    assert.equal("NORMAL", answer.Status)
  end)

  it("outlives failures that pass, and makes the usual attempts for each call", function()
    local down = code("SystemError", 503)
    local client, transport = told("A", down, down, down, down, "NORMAL")
    assert.truthy(client:wait_for("GetInstance", PARAMS, is_normal))
    assert.equal(6, #transport.requests)
  end)

  it("fails at once for parameters that are wrong", function()
    local client, transport = told "A"
    local _, err = client:wait_for("GetInstance", {}, is_normal)
    assert.equal("MissingParameter", err.code)
    assert.equal(0, #transport.requests)
  end)
end)

describe("the pauses of a wait", function()
  --- The pauses of a wait that ends by its deadline.
  local function pauses(options)
    local client, transport = told "A"
    local begin = transport.clock
    local answer, err = client:wait_for("GetInstance", PARAMS, is_normal, options)
    assert.is_nil(answer)
    assert.equal("WaitTimeout", err.code)
    return transport.pauses, transport.clock - begin, err, transport
  end

  it("begin at 1 s, grow by half and end at 30 s, a quarter of each at random", function()
    local list, spent = pauses()
    local expected = 1
    for index = 1, #list - 1 do -- the last one is what is left
      assert.truthy(list[index] <= expected and list[index] >= 0.75 * expected, list[index])
      expected = math.min(30, expected * 1.5)
    end
    assert.truthy(#list > 25) -- 600 s
    assert.truthy(spent > 598.9 and spent <= 600, spent)
  end)

  it("are not the same twice", function()
    assert.are_not.same(pauses(), pauses())
  end)

  it("are what the options say", function()
    local list, spent = pauses { pause = 10, max_pause = 12, deadline = 100 }
    assert.truthy(list[1] >= 7.5 and list[1] <= 10)
    for index = 2, #list - 1 do
      assert.truthy(list[index] >= 9 and list[index] <= 12)
    end
    assert.truthy(spent > 98.9 and spent <= 100)
  end)

  it("may be longer from the first on than the longest by default", function()
    local list = pauses { pause = 100, deadline = 600 }
    assert.truthy(list[1] >= 75 and list[1] <= 100)
    assert.truthy(list[2] >= 75 and list[2] <= 100)
  end)

  it("leave the last call a tenth of a short deadline", function()
    local list, spent = pauses { pause = 10, deadline = 2 }
    assert.equal(1, #list)
    assert.truthy(math.abs(spent - 1.8) < 0.001)
  end)
end)

describe("the deadline of a wait", function()
  it("says what the last answer was", function()
    local client = told("A", "B")
    local _, err = client:wait_for("GetInstance", PARAMS, { field = "Status", done = { "C" } },
      { deadline = 1, pause = 2 })
    assert.equal("service", err.kind)
    assert.equal("WaitTimeout", err.code)
    assert.equal("B", err.answer.Status)
    assert.is_nil(err.cause)
    assert.equal("what was waited for has not come in 1 s (2 calls); Status is B", err.message)
  end)

  it("says how the last call failed", function()
    local client = told("A", code("SystemError", 500))
    local _, err = client:wait_for("GetInstance", PARAMS, is_normal, {
        deadline = 4, max_attempts = 1,
      })
    assert.equal("WaitTimeout", err.code)
    assert.equal("A", err.answer.Status)
    assert.equal("SystemError", err.cause.code)
    assert.truthy(err.message:find("last call failed: GetInstance: SystemError (HTTP 500)", 1,
        true))
  end)

  it("forgets a failure that was outlived", function()
    local client = told(code("SystemError", 500), "A")
    local _, err = client:wait_for("GetInstance", PARAMS, is_normal, {
        deadline = 4, max_attempts = 1,
      })
    assert.equal("WaitTimeout", err.code)
    assert.is_nil(err.cause)
  end)

  it("is the limit of every call, too", function()
    local client, transport = told "A"
    client:wait_for("GetInstance", PARAMS, is_normal, { deadline = 5 })
    assert.equal(5, transport.requests[1].timeout)
    assert.truthy(transport.requests[#transport.requests].timeout <= 1)
    assert.truthy(transport.requests[2].timeout < 5)
  end)

  it("is not that of the client's calls, which goes on being theirs", function()
    local client, transport = recorder.client({ status "A" }, { deadline = 7, timeout = 60 })
    local begin = transport.clock
    local _, err = client:wait_for("GetInstance", PARAMS, is_normal)
    assert.equal("WaitTimeout", err.code)
    assert.equal(7, transport.requests[1].timeout)
    assert.truthy(transport.clock - begin > 500)
  end)
end)

describe("a ready-made wait", function()
  local READY = {
    scan = {
      "GetRepoTagScanStatus", "Status", done = { "COMPLETE" }, failed = { "FAILED" },
      not_yet = { "SCANNING", "RETRYING", "ANYTHING" },
    },
    sync = {
      "GetRepoSyncTask", "TaskStatus", done = { "SUCCESS" }, failed = { "ERROR", "CANCELED" },
      not_yet = { "PENDING", "SYNCHRONIZING", "ANYTHING" },
    },
    build = {
      "GetRepoBuildRecord", "Status", done = { "SUCCESS", "success" },
      failed = { "FAILED", "ERROR", "CANCELED" }, not_yet = { "BUILDING", "ANYTHING" },
    },
    endpoint = {
      "GetInstanceEndpoint", "Status", done = { "RUNNING" }, failed = { "DELETING" },
      not_yet = { "CREATING", "ANYTHING" },
    },
  }
  local ALL = {
    GetRepoTagScanStatus = { InstanceId = "i", RepoId = "r", Tag = "t" },
    GetRepoSyncTask = { InstanceId = "i", SyncTaskId = "s" },
    GetRepoBuildRecord = { InstanceId = "i", BuildRecordId = "b" },
    GetInstanceEndpoint = { InstanceId = "i", EndpointType = "internet" },
  }

  for name, ready in pairs(READY) do
    local operation, field = ready[1], ready[2]

    it(name .. " knows the states of its operation", function()
      for _, value in ipairs(ready.done) do
        local answers = {}
        for _, early in ipairs(ready.not_yet) do
          answers[#answers + 1] = status(early, field)
        end
        answers[#answers + 1] = status(value, field)
        local client, transport = recorder.client(answers)
        local answer, err = client:wait_for(name, ALL[operation])
        assert.is_nil(err)
        assert.equal(value, answer[field])
        assert.equal(#answers, #transport.requests)
        assert.truthy(transport.requests[1].headers["x-acs-action"] == operation)
      end
      for _, value in ipairs(ready.failed) do
        local client = recorder.client { status(value, field) }
        local answer, err = client:wait_for(name, ALL[operation])
        assert.is_nil(answer)
        assert.equal("WaitFailed", err.code)
        assert.equal(field .. " is " .. value, err.message)
      end
    end)

    it(name .. " goes by the names of its operation too, and with another predicate", function()
      for _, other in ipairs { operation, cr.operations[operation].lua_name } do
        local client = recorder.client { status(ready.done[1], field) }
        assert.truthy(client:wait_for(other, ALL[operation]))
      end
      local client = recorder.client { status("SOME", field) }
      assert.truthy(client:wait_for(name, ALL[operation], function(answer)
        return answer[field] == "SOME"
      end))
    end)
  end
end)

describe("a wait in the emulator", function()
  local server, client

  setup(function()
    server = emulator.start { fixture = {
        instances = { { InstanceId = "cri-1", namespaces = { {
                NamespaceName = "team", repositories = { {
                    RepoName = "app", RepoId = "crr-1", tags = {
                      { Tag = "good", scans = { "SCANNING", "SCANNING", "COMPLETE" } },
                      { Tag = "bad", scans = { "SCANNING", "FAILED" } },
                      { Tag = "old" },
                    },
                } },
            } } } },
      } }
    client = cr.new {
      endpoint = server.endpoint,
      credentials = {
        type = "access_key", access_key_id = server.access_key_id,
        access_key_secret = server.access_key_secret,
      },
      defaults = { InstanceId = "cri-1", RepoId = "crr-1" },
    }
  end)
  teardown(function() server:stop() end)
  before_each(function() server:reset() end)

  local function scan(tag, options)
    return client:wait_for("scan", { Tag = tag }, nil, options or { pause = 0.01 })
  end

  it("sees a scan through", function()
    local answer, err, info = scan "good"
    assert.is_nil(err)
    assert.equal("COMPLETE", answer.Status)
    assert.equal(200, info.http_status)
    assert.equal(3, #server:log())
    assert.equal("COMPLETE", scan("old").Status)
  end)

  it("sees a scan fail", function()
    local answer, err = scan "bad"
    assert.is_nil(answer)
    assert.equal("WaitFailed", err.code)
    assert.equal("FAILED", err.answer.Status)
  end)

  it("outlives an outage", function()
    server:fault { operation = "GetRepoTagScanStatus", status = 503, count = 5 }
    assert.equal("COMPLETE", scan("good", { pause = 0.01, max_attempts = 1 }).Status)
    assert.equal(8, #server:log())
  end)

  it("ends at its deadline though the service never answers", function()
    server:fault { operation = "GetRepoTagScanStatus", delay_ms = 3000, count = 0 }
    local _, err = scan("good", { deadline = 0.2 })
    assert.equal("WaitTimeout", err.code)
    assert.equal("Timeout", err.cause.code)
    assert.is_nil(err.answer)
    server:clear_faults()
  end)
end)

describe("misuse of wait_for", function()
  local client, transport = told "A"

  local function raised(...)
    local arguments = { n = select("#", ...), ... }
    local ok, message = pcall(function()
      local answer = client:wait_for(arguments[1], arguments[2], arguments[3], arguments[4])
      return answer
    end)
    assert.is_false(ok)
    assert.truthy(message:find("wait_for_spec.lua:%d+: "), message)
    return (message:gsub("^.-:%d+: ", ""))
  end

  it("raises at the caller", function()
    assert.equal("wait_for: the operation's name must be a string, got a nil", raised())
    assert.equal("wait_for: the parameters must be a table, got a number",
      raised("GetInstance", 1, is_normal))
    assert.equal("options: unknown key pauses; did you mean pause?",
      raised("GetInstance", PARAMS, is_normal, { pauses = 1 }))
    assert.equal("options: pause must be a number of seconds above 0, at most 86400, got a number",
      raised("GetInstance", PARAMS, is_normal, { pause = 0 }))
    assert.equal("wait_for: what to wait for must be a function or a table of states, got a string",
      raised("GetInstance", PARAMS, "RUNNING"))
    assert.equal("wait_for: GetInstance needs a function or a table of states to wait for; the " ..
      "ready-made waits are scan, sync, build and endpoint", raised("GetInstance", PARAMS))
    assert.equal("wait_for: unknown key state in the table of states; it has field (a string), " ..
      "done, failed and not_yet (arrays of strings)",
      raised("GetInstance", PARAMS, { field = "Status", done = {}, state = 1 }))
    assert.truthy(raised("GetInstance", PARAMS, { field = "Status", done = "RUNNING" })
      :find("wrong done", 1, true))
    assert.equal("wait_for: the table of states needs field and done",
      raised("GetInstance", PARAMS, { field = "Status" }))
    assert.equal(0, #transport.requests)
  end)

  it("refuses what changes something", function()
    local answer, err = client:wait_for("DeleteRepoTag", PARAMS, is_normal)
    assert.is_nil(answer)
    assert.equal("validation", err.kind)
    assert.equal("NotARead", err.code)
    answer, err = client:wait_for("DeleteNews", PARAMS, is_normal, { method = "POST" })
    assert.is_nil(answer)
    assert.equal("NotARead", err.code)
    answer, err = client:wait_for("GetInstances", PARAMS, is_normal)
    assert.is_nil(answer)
    assert.equal("UnknownOperation", err.code)
    assert.equal(0, #transport.requests)
  end)

  it("does not hold for an operation that is newer than the library", function()
    local own = told "NORMAL"
    assert.truthy(own:wait_for("GetNews", PARAMS, is_normal, { method = "GET" }))
  end)
end)
