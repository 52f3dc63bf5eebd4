--- `client:wait_for`: asks again, with growing pauses, until something has come about.
--
-- A wait ends in one of four ways: what is waited for has come; a state has come from which it
-- cannot come any more (WaitFailed); the deadline (WaitTimeout); a call failed in a way that does
-- not pass. A failure that can pass (a timeout, HTTP 5xx, throttling) is outlived: each call
-- repeats it by its own rules, and the wait goes on after that.

local client = require "cr.client"
local config = require "cr.config"
local new_error = require "cr.error"
local operations = require "cr.operations"
local retry = require "cr.retry"

local DEADLINE = 600 -- seconds of the whole wait
local FIRST_PAUSE = 1 -- seconds
local MAX_PAUSE = 30 -- seconds
local GROWTH = 1.5 -- of each pause over the one before
local JITTER = 0.25 -- of a pause at most is taken off, so that waits begun together drift apart
local LAST_CALL = 1 -- second before the deadline, or a tenth of it: the last call needs time too
local SHORTEST_PAUSE = 0.001 -- seconds; less before the last call is none

local OPTIONS = {
  method = config.call_options.method,
  pause = config.positive(86400, "seconds"),
  max_pause = config.positive(86400, "seconds"),
}

-- The ready-made waits. The vendor's reference has the values of `scan`, `sync` and `endpoint`.
-- For a build it has samples only, SUCCESS among them; failures are taken to be called as the
-- other three call theirs. A status that is not here is "not yet".
local READY = {
  scan = {
    operation = "GetRepoTagScanStatus", field = "Status",
    done = { "COMPLETE" }, failed = { "FAILED" }, -- not yet: SCANNING, RETRYING
  },
  sync = {
    operation = "GetRepoSyncTask", field = "TaskStatus",
    done = { "SUCCESS" }, failed = { "ERROR", "CANCELED" }, -- not yet: PENDING, SYNCHRONIZING
  },
  build = {
    operation = "GetRepoBuildRecord", field = "Status",
    done = { "SUCCESS" }, failed = { "FAILED", "ERROR", "CANCELED" },
  },
  endpoint = {
    operation = "GetInstanceEndpoint", field = "Status",
    done = { "RUNNING" }, failed = { "DELETING" }, -- not yet: CREATING
  },
}

local STATE_KEYS = {
  field = config.is "string",
  done = config.is "table",
  failed = config.is "table",
  not_yet = config.is "table",
}

local NONE = {}

--- The ready-made wait of that name, or for that operation.
local function ready_made(name)
  if READY[name] then
    return READY[name]
  end
  local operation = operations.find(name)
  for _, ready in pairs(READY) do
    if operation and ready.operation == operation.name then
      return ready
    end
  end
end

--- Whether a list of texts has a value, in upper or lower case: samples have both.
local function has(list, value)
  for _, one in ipairs(list or NONE) do
    if tostring(one):lower() == tostring(value):lower() then
      return true
    end
  end
  return false
end

--- The predicate that a table of states stands for.
local function predicate_of(states)
  return function(answer)
    local status = answer[states.field]
    if has(states.failed, status) then
      return false, ("%s is %s"):format(states.field, tostring(status))
    end
    return has(states.done, status)
  end
end

local function status_in(answer, states)
  local status = answer and states and answer[states.field]
  return status ~= nil and ("; %s is %s"):format(states.field, tostring(status)) or ""
end

--- Raises, at the caller of the method, for states that are none.
local function check_states(states)
  for key, value in pairs(states) do
    local check = STATE_KEYS[key]
    if not check or not check(value) then
      error(("wait_for: %s in the table of states; it has field (a string), done, failed and " ..
        "not_yet (arrays of strings)"):format(check and "wrong " .. key or "unknown key " ..
          tostring(key)), 4)
    end
  end
  if not states.field or not states.done then
    error("wait_for: the table of states needs field and done", 4)
  end
end

--- What is waited for.
-- @return predicate, and the table of states that it stands for if there is one
local function read_goal(name, predicate)
  local states = predicate
  if type(predicate) == "function" then
    return predicate
  elseif predicate == nil then
    states = ready_made(name)
    if not states then
      error(("wait_for: %s needs a function or a table of states to wait for; the ready-made " ..
        "waits are scan, sync, build and endpoint"):format(name), 3)
    end
  elseif type(predicate) == "table" then
    check_states(predicate)
  else
    error(("wait_for: what to wait for must be a function or a table of states, got a %s"):format(
      type(predicate)), 3)
  end
  return predicate_of(states), states
end

--- The operation, if it may be asked again and again.
local function find_read(name, options)
  local operation, err = client.find_operation((READY[name] or NONE).operation or name, options)
  if operation and not operation.is_read then
    return nil, new_error {
      kind = "validation", code = "NotARead", operation = operation.name, retryable = false,
      message = "only what reads (Get…, List…) can be asked again and again",
      hint = "make the change once, then wait with an operation that shows it",
    }
  end
  return operation, err
end

--- The settings of every call. The deadline of an option is the wait's; one of the client goes on
-- being the limit of a call.
local function settings_for(settings, options)
  local shared = {}
  for name, value in pairs(options) do
    if OPTIONS[name] == nil and name ~= "deadline" then
      shared[name] = value
    end
  end
  return client.resolve(shared, settings)
end

local Wait = {}
Wait.__index = Wait

function Wait:failed(code, message)
  local info = self.info or NONE
  return new_error {
    kind = "service", code = code, message = message, operation = self.operation.name,
    retryable = false, answer = self.answer, cause = self.cause,
    http_status = info.http_status, request_id = info.request_id,
  }
end

function Wait:timed_out()
  local last = self.cause and ("; the last call failed: " .. tostring(self.cause)) or
    status_in(self.answer, self.states)
  return self:failed("WaitTimeout", ("what was waited for has not come in %g s (%d calls)%s")
    :format(self.deadline, self.calls, last))
end

--- Asks once, within what is left of the deadline.
-- @return true when the wait is over: then answer, error and info
function Wait:ask()
  local left = math.max(SHORTEST_PAUSE, self.ends - self.settings.clock())
  local settings = client.resolve({ deadline = math.min(left, self.settings.deadline or left) },
    self.settings)
  local answer, err, info = client.perform(settings, self.operation, self.params)
  self.calls = self.calls + 1
  if not answer then
    self.cause = err
    local goes_on = err.retryable or (self.states and has(self.states.not_yet, err.code))
    return not goes_on, nil, err
  end
  self.answer, self.info, self.cause = answer, info, nil
  local is_done, reason = self.predicate(answer)
  if is_done then
    return true, answer, nil, info
  elseif reason ~= nil then
    return true, nil, self:failed("WaitFailed", tostring(reason))
  end
  return false
end

--- Pauses before the next call.
-- @return false when there is no time for another
function Wait:rest()
  local left = self.last_call - self.settings.clock()
  if left < SHORTEST_PAUSE then
    return false
  end
  local pause = self.pause * (1 - JITTER * retry.random())
  self.pause = math.min(self.pause * GROWTH, self.max_pause)
  self.settings.transport.sleep(math.min(pause, left))
  return true
end

function Wait:run()
  repeat
    local is_over, answer, err, info = self:ask()
    if is_over then
      return answer, err, info
    end
  until not self:rest()
  return nil, self:timed_out()
end

--- Asks a read operation with growing pauses until its answer is as wanted.
--
--     client:wait_for("scan", { InstanceId = "cri-…", RepoId = "crr-…", Tag = "1.0" })
--     client:wait_for("GetInstance", { InstanceId = "cri-…" }, function(instance)
--       return instance.InstanceStatus == "RUNNING"
--     end)
--     client:wait_for("GetRepoTag", { … }, {
--       field = "Status", done = { "NORMAL" }, failed = { "DELETING" },
--       not_yet = { "TAG_NOT_EXIST" },
--     })
--
-- Ready-made, by these names or by those of their operations, without `predicate`:
--
-- | name | operation | until | fails at |
-- |---|---|---|---|
-- | `scan` | GetRepoTagScanStatus | Status COMPLETE | FAILED |
-- | `sync` | GetRepoSyncTask | TaskStatus SUCCESS | ERROR, CANCELED |
-- | `build` | GetRepoBuildRecord | Status SUCCESS | FAILED, ERROR, CANCELED |
-- | `endpoint` | GetInstanceEndpoint | Status RUNNING | DELETING |
--
-- A failed call that is `retryable` is outlived, any other ends the wait.
--
-- **context:** anywhere; pauses are the transport's, so that they yield where it yields.
--
-- @tparam cr.client self
-- @tparam string name of an operation that reads, or of a ready-made wait
-- @tparam ?table params as of the operation
-- @tparam ?function|table predicate function of the answer: true when it is as wanted, false when
--   it is not yet, `false, reason` when it never will be. Or a table: `field` of the answer,
--   `done` and `failed` arrays of its values (upper or lower case), `not_yet` codes of errors
--   that end nothing
-- @tparam[opt] table options configuration of every call, and `deadline` of the whole wait in
--   seconds (600), `pause` the first pause (1), `max_pause` (30). Each pause is half as long
--   again as the one before, and up to a quarter shorter at random
-- @return the answer, nil, info
-- @return nil, error: of the call; WaitFailed and WaitTimeout (kind "service") with `answer`, the
--   last one, and `cause`, the error of the last call if it failed; NotARead, UnknownOperation
return function(self, name, params, predicate, options)
  client.check_name("wait_for", name)
  client.check_call("wait_for", params, options, OPTIONS)
  local base = client.settings_of(self, 3)
  options = options or NONE
  local test, states = read_goal(name, predicate)
  local operation, err = find_read(name, options)
  if not operation then
    return nil, err
  end
  local settings = settings_for(base, options)
  local deadline = options.deadline or DEADLINE
  local pause = options.pause or FIRST_PAUSE
  local ends = settings.clock() + deadline
  return Wait.run(setmetatable({
    settings = settings, params = params or NONE, predicate = test, states = states, calls = 0,
    operation = operation,
    deadline = deadline, ends = ends, last_call = ends - math.min(LAST_CALL, deadline / 10),
    pause = pause, max_pause = options.max_pause or math.max(pause, MAX_PAUSE),
  }, Wait))
end
