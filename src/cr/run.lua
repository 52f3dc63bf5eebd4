--- `cr.run`: a function whose client calls, and those of the tasks it spawns, are in flight at the
-- same time.

local config = require "cr.config"
local running = require "cr.running"
local scheduler = require "cr.scheduler"

local checks = { concurrency = config.concurrency.check, on_error = config.is "function" }
local SHOWN = 3 -- errors in a message

local failures = {}
failures.__index = failures

--- All of it for a few, with tracebacks; beyond them their number.
function failures:__tostring()
  local lines = {}
  for index, failure in ipairs(self.errors) do
    if index > SHOWN then
      lines[#lines + 1] = ("… and %d more"):format(#self.errors - SHOWN)
      break
    end
    lines[#lines + 1] = failure.traceback
  end
  return ("%d of the tasks raised an error:\n%s"):format(#self.errors, table.concat(lines, "\n"))
end

local function check(main, options)
  if type(main) ~= "function" then
    return ("a function expected, got a %s"):format(type(main))
  elseif options ~= nil and type(options) ~= "table" then
    return ("the options must be a table, got a %s"):format(type(options))
  end
  for key, value in pairs(options or {}) do
    local check_value = checks[key]
    if not check_value then
      return ("unknown option %s; there are concurrency and on_error"):format(tostring(key))
    end
    local ok, expected = check_value(value)
    if not ok then
      return ("%s must be %s, got a %s"):format(key, expected, type(value))
    end
  end
end

--- The tasks of one run.
local function new_group(own, on_error)
  local group = { alive = {}, count = 0, errors = {}, waiters = scheduler.new_waiters() }

  local function on_end(task)
    group.alive[task] = nil
    group.count = group.count - 1
    if not task.ok and not task.is_cancelled then
      if on_error then
        on_error(task.error, task.traceback)
      end
      group.errors[#group.errors + 1] = task
    end
    if group.count == 0 then
      for waiter in pairs(group.waiters) do
        waiter:wake()
      end
    end
  end

  function group.spawn(f, ...)
    if type(f) ~= "function" then
      error(("spawn: a function expected, got a %s"):format(type(f)), 2)
    elseif group.is_over then
      error("spawn: the run is over", 2)
    end
    local task = own:spawn(f, ...)
    task.on_end = on_end
    group.alive[task] = true
    group.count = group.count + 1
    return task
  end

  function group.cancel()
    scheduler.cancel_all(group.alive)
  end

  return group
end

--- The errors that nobody has seen: not raised again by `task:wait`, and not told to the hook.
local function unseen(group, on_error)
  local list = {}
  for _, task in ipairs(group.errors) do
    if not task.is_observed and not on_error then
      list[#list + 1] = { error = task.error, traceback = task.traceback }
    end
  end
  return #list > 0 and setmetatable({ errors = list }, failures) or nil
end

--- Drives until all tasks of the group are over, in a scheduler of its own.
local function drive(own, group)
  local ok, reason = pcall(own.drive, own, function()
    return group.count == 0
  end)
  group.cancel()
  own:close()
  if not ok then
    error(reason, 0)
  end
end

--- Within a task of another run the same scheduler goes on, with its concurrency.
local function join(own, group)
  local task = running.task()
  task.on_cancel = group.cancel
  own:wait_until(function()
    return group.count == 0
  end, group.waiters, group.alive)
  task.on_cancel = nil
end

--- Runs `main(spawn)` and all tasks that it spawns, to the end of all. Inside, every call of every
-- client yields to the other tasks instead of blocking; retries, credentials and hooks are as
-- outside. Not for a transport of the user's, which blocks unless it has means of its own.
--
-- `spawn(f, …)` begins a task that calls `f(…)`, and returns it: `task:wait()` waits for its end
-- and returns what `f` returned, or raises what it raised; `task:cancel()` ends it, requests
-- included.
-- A task that raises an error ends alone.
--
-- @function run
-- @tparam function main called with `spawn`
-- @tparam[opt] table options `concurrency` (16, up to 10000): attempts in flight at a time;
--   `on_error(err, traceback)`: told of every task that raised, at once
-- @return what `main` returned
-- @raise at the end, when a task raised an error that neither `task:wait` nor `on_error` has told:
--   an object with `errors` (array of {error, traceback}) that says all of it in `tostring`
return function(main, options)
  local problem = check(main, options)
  if problem then
    error("cr.run: " .. problem, 2)
  end
  options = options or {}
  local outer = scheduler.current()
  local own = outer or scheduler.new(options.concurrency or config.concurrency.default)
  local group = new_group(own, options.on_error)
  local first = group.spawn(main, group.spawn)
  if outer then
    join(own, group)
  else
    drive(own, group)
  end
  group.is_over = true
  local failure = unseen(group, options.on_error)
  if failure then
    error(failure, 0)
  elseif first.ok then
    return (table.unpack or unpack)(first.results, 1, first.count)
  end
end
