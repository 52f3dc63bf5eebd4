--- Holds a client against a table of faults, each row in three ways: a read, a write, and a write
-- on a connection that was good before.
--
-- A row says what the peer does and what the caller gets:
--
-- - `name` for the spec and the documentation; unique
-- - `fault`: Lua text, run by the peer for each request with `connection` and `head`
--   (spec/support/peer.lua); or `says`, a text that is sent, with `after`: "close" (the default),
--   "keep", "stay" (until the client leaves) or "reset". `at_connect`: before the request is read.
--   `script`: all of the peer's program instead of these, which notes "ready" when it does wrong
--   and what `waits` says when it behaves.
--   `before`: Lua text at the start of the peer's program; `good`: a function, as text, for the
--   connections when all is well.
-- - `gets`: "answer", or the code of the error; `kind` ("transport" if not given), `status`
-- - `check(answer or error, log)`: more to say about it
-- - `repeats`: "reads" after the request was sent, "all" when it was not, "none"
-- - `is_unsent`: nothing of the request was sent, though it is not repeated
-- - `arrives`: false when the peer sees nothing of it
-- - `bound`: what ends the call, for the documentation
-- - `config` for the client; `timeout` and `connect_timeout` in seconds (LONG if not given)
-- - `is_cold`: makes no sense on a kept connection
-- - `then_with`: options of the calls after the fault
-- - `settles`: what the peer notes when the fault is over, which is after the answer

local assert = require "luassert"
local cr = require "cr"
local fixture = require "spec.support.fixture"
local peers = require "spec.support.peer"
local recorder = require "spec.support.recorder"
local socket = require "socket"

local faults = {}

faults.LONG = 10 -- seconds; a call that takes this long hangs
faults.SHORT = 0.2 -- seconds, where the time-out is what ends the call
faults.ATTEMPTS = 2
faults.MEMORY = 64 * 1024 * 1024 -- bytes; no answer of these rows may take more

--- Adds rows to a table of them, each with what it does not say itself.
function faults.add(rows, common, list)
  for _, row in ipairs(list) do
    for name, value in pairs(common) do
      if row[name] == nil then
        row[name] = value
      end
    end
    rows[#rows + 1] = row
  end
end

local READ = { InstanceId = "cri-fault", RepoId = "crr-fault", Tag = "1" }
local PATIENT = { timeout = faults.LONG, connect_timeout = faults.LONG }

function faults.read(client, options)
  return client:get_repo_tag(READ, options)
end

function faults.write(client, options)
  return client:delete_repo_tag(READ, options)
end

local AFTER = {
  close = "return false",
  keep = "return true",
  stay = "connection:stay()",
  reset = "connection:reset()",
}

--- The peer's program.
local function script_of(row)
  if row.script then
    return row.script
  end
  local fault = row.fault or
    ("connection:send(%q)\n%s"):format(row.says, assert(AFTER[row.after or "close"]))
  return ("%s\nmisbehave(function(connection, head)\n%s\nend, %s, %s)"):format(row.before or "",
    fault, tostring(row.at_connect == true), row.good or "nil")
end

local function client_of(row, peer, context)
  local config = {
    endpoint = peer.url, credentials = recorder.KEY, max_attempts = faults.ATTEMPTS,
    timeout = row.timeout or faults.LONG, connect_timeout = row.connect_timeout or faults.LONG,
  }
  for name, value in pairs(row.config or {}) do
    config[name] = type(value) == "function" and value(peer, context) or value
  end
  return cr.new(config)
end

--- How often the operation is sent at most.
function faults.attempts(row, is_write)
  local is_repeated = row.repeats == "all" or row.repeats == "reads" and not is_write
  return is_repeated and faults.ATTEMPTS or 1
end

--- Whether `code` is the one that is expected, or one of those.
local function is_one_of(expected, code)
  for _, name in ipairs(type(expected) == "table" and expected or { expected }) do
    if name == code then
      return true
    end
  end
  return false
end

local function check_error(row, err, attempts)
  assert.equal("table", type(err))
  local told = tostring(err)
  assert.is_true(is_one_of(row.gets, err.code), told)
  assert.equal(row.kind or "transport", err.kind, told)
  assert.equal(row.status, err.http_status, told)
  assert.equal(attempts, err.attempts, told)
  assert.is_true(#err.message > 0 and #told < 1000, told)
  assert.is_false(fixture.shows(err, recorder.KEY.access_key_secret))
end

--- One call while the peer does wrong.
local function suffer(row, peer, client, is_write)
  local call, expected = is_write and faults.write or faults.read, row.gets
  local attempts = faults.attempts(row, is_write)
  local started = socket.gettime()
  local answer, err, info = call(client)
  local took = socket.gettime() - started
  if expected == "answer" then
    assert.is_nil(err, tostring(err))
    assert.equal("table", type(answer))
    assert.equal(attempts, info.attempts)
  else
    assert.is_nil(answer)
    check_error(row, err, attempts)
  end
  -- A hang is the fault that is looked for; a busy machine is none.
  local allowed = row.timeout or row.connect_timeout
  assert.is_true(took < (allowed and 10 * allowed * attempts or faults.LONG), took .. " seconds")
  if row.arrives ~= false then
    assert.equal(attempts, peer:faults(), "as often as the peer was asked")
  else
    assert.equal(0, peer:faults())
  end
  if row.check then
    row.check(answer or err, peer:log())
  end
end

--- The most memory this process ever had, in bytes.
local function peak_memory()
  return tonumber(fixture.read("/proc/self/status"):match("VmHWM:%s*(%d+) kB")) * 1024
end

--- The calls after a fault: by the same client, to the peer as it should be.
local function recovers(row, peer, client)
  peer:behave(row.waits)
  local options = { endpoint = peer.url }
  for name, value in pairs(PATIENT) do
    options[name] = value
  end
  for name, value in pairs(row.then_with or {}) do
    options[name] = type(value) == "function" and value(peer) or value
  end
  for _, call in ipairs { faults.read, faults.write, faults.read } do
    local answer, err = call(client, options)
    assert.is_nil(err, "the next call: " .. tostring(err))
    assert.equal("GOOD", answer.RequestId)
  end
end

--- One way through a row.
local function walk(row, peer, context, is_write, is_warm)
  local client = client_of(row, peer, context)
  local ok, problem = pcall(function()
    if row.script then
      peer:await "ready"
    end
    if is_warm then
      recovers(row, peer, client)
    end
    peer:misbehave()
    peer:clear_log()
    local memory = peak_memory()
    suffer(row, peer, client, is_write)
    assert.is_true(peak_memory() - memory < faults.MEMORY, "the memory that it took")
    if row.settles then
      peer:await(row.settles)
    end
    recovers(row, peer, client)
  end)
  client:close()
  if not ok then
    error(("%s%s:\n%s\nthe peer's log:\n%s"):format(is_write and "a write" or "a read",
      is_warm and " on a kept connection" or "", tostring(problem), peer:log():sub(1, 1000)), 0)
  end
end

local WAYS = { { false, false }, { true, false }, { true, true } }

--- Runs a row, with a peer for each way where it has a program of its own.
-- @tparam table row
-- @tparam[opt] table context what functions in `config` get beside the peer; its `prelude` is the
--   beginning of the peer's program
function faults.run(row, context)
  local peer
  local ok, problem = pcall(function()
    for _, way in ipairs(WAYS) do
      if not (way[2] and row.is_cold) then
        peer = peer or peers.start((context and context.prelude or "") .. script_of(row))
        walk(row, peer, context, way[1], way[2])
        if row.script then
          peer:stop()
          peer = nil
        end
      end
    end
  end)
  if peer then
    peer:stop()
  end
  if not ok then
    error(problem, 0)
  end
end

return faults
