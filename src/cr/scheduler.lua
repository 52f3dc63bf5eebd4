--- Many calls at once: tasks in coroutines over one libcurl handle, or inside nginx over light
-- threads.
--
-- A task runs until a call in it waits, for an answer or in a pause; then it yields, and the
-- scheduler resumes whichever task has something to go on with. Nothing else of a call is different
-- from a blocking one: transport/curl.lua asks which task is running, and that is all.
--
-- There are places where a task cannot yield: in a coroutine of the user's own, within a function
-- of C (`table.sort`), in plain Lua 5.1 within pcall and within the iterator of a for loop. There a
-- call waits in place: exchanges in flight go on, other tasks do not. (In plain Lua 5.1 a call from
-- a metamethod cannot be told apart, and raises Lua's error.)
--
-- A scheduler works only while somebody drives it: `run.lua` until all is done, `map.lua` until the
-- next result is there.

local core = require "cr.core"
local in_nginx = require "cr.transport" .in_nginx()
local queue = require "cr.queue"
local running = require "cr.running"
local timers = require "cr.timers"

local unpack = table.unpack or unpack

local Scheduler = {}
Scheduler.__index = Scheduler

local Task = {}
Task.__index = Task
Task.__name = "cr.task"

local scheduler = {}

local FOREVER = 3600 -- seconds; a wait that nothing limits is begun anew after it

-- A task that waits in place drives the scheduler from within; each time takes C stack. From the
-- first depth on it goes on only with those tasks that it waits for, at the second it gives up.
local DEEP, TOO_DEEP = 10, 30

-- What a task that is cancelled unwinds with.
local cancelled = setmetatable({}, {
  __tostring = function()
    return "the task was cancelled"
  end,
})

-- The handle of the scheduler that ended last, with its connections.
local idle

local function take_handle()
  local handle = idle
  idle = nil
  if handle then
    return handle
  end
  local made, reason = core.http()
  if not made then
    error("no scheduler: " .. reason, 0)
  end
  return made
end

--- Drops the connections that are kept for the next scheduler.
function scheduler.close()
  local handle = idle
  idle = nil
  if handle then
    handle:close()
  end
end

-- What a scheduler waits with: a handle, which begins exchanges and says which one has ended, and a
-- pause when there is none. `kind` is the name of the transport that has its exchanges made by it.
local libcurl = { kind = "curl", handle = take_handle, sleep = core.sleep }

--- @return light threads where nginx can wait, so that the worker is never blocked
local function find_means()
  local light = in_nginx and require "cr.transport.light"
  return light and light.is_possible() and light or libcurl
end

--- @tparam ?number limit attempts in flight at a time
function scheduler.new(limit)
  local means = find_means()
  return setmetatable({
    handle = means.handle(), means = means, kind = means.kind, limit = limit,
    waiting = {}, -- the task by the exchange it waits for
    waiting_count = 0,
    ready = queue.new(), -- tasks to be resumed
    timers = timers.new(),
    in_flight = 0, line = queue.new(), -- attempts, and tasks that wait to begin one
    tasks = {}, -- those that are not over
    dropped = queue.new(), -- tasks to be cancelled
    depth = 0,
  }, Scheduler)
end

--- Plain Lua 5.1 does not tell whether a coroutine can yield. It cannot within a function of C
-- (pcall among them) or the iterator of a for loop; both show in the stack.
local function looks_yieldable()
  local level = 2
  local info = debug.getinfo(level, "Sn")
  while info do
    if info.what == "C" or info.name == "(for generator)" then
      return false
    end
    level = level + 1
    info = debug.getinfo(level, "Sn")
  end
  return true
end

--- LuaJIT does not tell inside nginx, and can nearly everywhere; where it cannot (`table.sort`), it
-- raises the error that nginx's own functions raise there.
local function always()
  return true
end

local is_yieldable = in_nginx and always or rawget(coroutine, "isyieldable") or looks_yieldable

--- Whether the code that runs is a task's own, where it can yield.
local function may_yield(task)
  return coroutine.running() == task.thread and is_yieldable()
end

--- Whether a pause lets other tasks run, here in the running task.
function Scheduler:yields() -- luacheck: ignore self
  return may_yield(running.task())
end

--- The scheduler that the running code is in, or nil.
function scheduler.current()
  local task = running.task()
  return task and task.scheduler
end

local close_coroutine = rawget(coroutine, "close")

--- Ends a task: tells who waits for it, and the group it belongs to.
local function finish(task, ok, ...)
  local self = task.scheduler
  task.is_over, task.ok = true, ok
  if ok then
    task.count, task.results = select("#", ...), { ... }
  else
    task.error = (...)
    task.is_cancelled = task.error == cancelled
    task.traceback = not task.is_cancelled and
      debug.traceback(task.thread, tostring(task.error)) or nil
    if close_coroutine then
      close_coroutine(task.thread) -- its to-be-closed variables
    end
  end
  self.tasks[task] = nil
  self:leave(task)
  for waiter in pairs(task.waiters) do
    waiter:wake()
  end
  if task.on_end then
    task.on_end(task)
  end
end

local function after_resume(task, previous, ok, ...)
  running.swap(previous)
  if coroutine.status(task.thread) == "dead" then
    finish(task, ok, ...)
  elseif not task.is_waiting then
    task:wake() -- a yield of the user's own lets the others go first
  end
end

local function resume(task)
  local previous = running.swap(task)
  task.is_waiting = false
  after_resume(task, previous, coroutine.resume(task.thread))
end

--- A set of tasks that wait for something; it keeps none of them alive.
function scheduler.new_waiters()
  return setmetatable({}, { __mode = "k" })
end

--- Makes a task, to be begun by whoever drives.
-- @tparam function f called with the further arguments
-- @return task with the methods `wait` and `cancel`
function Scheduler:spawn(f, ...)
  local count, arguments = select("#", ...), { ... }
  local task = setmetatable({
    scheduler = self, waiters = scheduler.new_waiters(),
    thread = coroutine.create(function()
      return f(unpack(arguments, 1, count))
    end),
  }, Task)
  running.add(task)
  self.tasks[task] = true
  task:wake()
  return task
end

--- Puts a task among those to be resumed. It looks itself whether what it waits for is there.
function Task:wake()
  if not self.is_queued then
    self.is_queued = true
    self.scheduler.ready:push(self)
  end
end

--- A task that was cancelled does nothing any more: code that goes on after a pcall is told again.
local function check_cancelled(task)
  if task.is_cancelled then
    error(cancelled, 0)
  end
end

--- Yields the running task until it is woken.
local function pause(task)
  check_cancelled(task)
  task.is_waiting = true
  coroutine.yield()
  check_cancelled(task)
end

--- Ends a task: what it waits for is called off, and it unwinds with an error. Without effect on
-- one that is over.
function Task:cancel()
  if self.is_over then
    return
  elseif coroutine.status(self.thread) ~= "suspended" then
    error("cancel: the task is running", 2)
  end
  local own = self.scheduler
  if self.exchange then
    own.waiting[self.exchange] = nil
    own.waiting_count = own.waiting_count - 1
    own.handle:cancel(self.exchange)
    self.exchange = nil
  end
  if self.timer then
    self.timer.value, self.timer = nil, nil
  end
  self.is_cancelled = true
  if self.on_cancel then
    self.on_cancel()
  end
  if self.is_waiting then
    resume(self)
  end
  if not self.is_over then
    finish(self, false, cancelled) -- has not begun, or has yielded by itself: it never goes on
  end
end

--- Ends a task unless it is over, or is running and so cannot be ended.
local function cancel_if_possible(task)
  if not task.is_over and coroutine.status(task.thread) == "suspended" then
    task:cancel()
  end
end

--- The same for all tasks of a set.
function scheduler.cancel_all(tasks)
  for task in pairs(tasks) do
    cancel_if_possible(task)
  end
end

--- Waits until the task is over.
-- @return what its function returned
-- @raise what its function raised
function Task:wait()
  local own, task = self.scheduler, running.task()
  if task == self then
    error("wait: a task cannot wait for itself", 2)
  end
  self.is_observed = true
  if not self.is_over then
    own:wait_until(function()
      return self.is_over
    end, self.waiters, { [self] = true })
  end
  if not self.ok then
    error(self.error, 0)
  end
  return unpack(self.results, 1, self.count)
end

--- Waits until `condition()`: by yielding, woken by who finds this task in `waiters`; or where that
-- cannot be by driving from here.
-- @tparam table own set of the tasks that make it true
function Scheduler:wait_until(condition, waiters, own)
  local task = running.task()
  if task and task.scheduler == self and may_yield(task) then
    waiters[task] = true
    while not condition() do
      pause(task)
    end
    waiters[task] = nil
    return
  end
  self:drive(condition, own)
end

--- Waits for an exchange that was started.
function Scheduler:await(exchange)
  local task = running.task()
  if not may_yield(task) then
    return self.handle:wait(exchange)
  end
  self.waiting[exchange] = task
  self.waiting_count = self.waiting_count + 1
  task.exchange = exchange
  repeat
    pause(task)
  until not task.exchange
  local response, failure = task.response, task.failure
  task.response, task.failure = nil, nil
  return response, failure
end

--- Sends a request of the core, see transport/curl.lua.
function Scheduler:send(request, settings, timeout)
  check_cancelled(running.task())
  local exchange, failure = self.handle:start_signed(request, settings, timeout)
  if not exchange then
    return nil, failure
  end
  return self:await(exchange)
end

--- Sends a request that is a table.
function Scheduler:exchange(request)
  check_cancelled(running.task())
  local exchange, failure = self.handle:start(request)
  if not exchange then
    return nil, failure
  end
  return self:await(exchange)
end

--- Has an exchange made by `f(…)`, which may wait: where `kind` is "nginx".
function Scheduler:call(f, ...)
  check_cancelled(running.task())
  return self:await(self.handle:start(f, ...))
end

--- Pauses the running task.
function Scheduler:sleep(seconds)
  local task = running.task()
  if not may_yield(task) then
    self.means.sleep(seconds)
    return
  end
  task.timer = self.timers:add(core.monotonic() + seconds, task)
  repeat
    pause(task)
  until not task.timer
end

--- Before an attempt: waits while as many as may be are in flight. Which task has a place is kept
-- with the task, so that it is given on also when the task ends in the midst of its attempt.
function Scheduler:enter()
  local task = running.task()
  if not self.limit or task.has_place then
    return
  elseif self.in_flight < self.limit or not may_yield(task) then
    self.in_flight = self.in_flight + 1
    task.has_place = true
    return
  end
  self.line:push(task)
  repeat
    pause(task)
  until task.has_place
end

--- After an attempt, or at the end of a task: the place goes to the next in line.
function Scheduler:leave(task)
  if not task.has_place then
    return
  end
  task.has_place = false
  local next_task = self.line:pop()
  while next_task and next_task.is_over do
    next_task = self.line:pop()
  end
  if next_task then
    next_task.has_place = true
    next_task:wake()
  else
    self.in_flight = self.in_flight - 1
  end
end

--- Resumes the tasks that are ready now, until `condition()`; those that become ready meanwhile are
-- for the next time.
-- @tparam ?table only set of the tasks that may go on
-- @return how many may not
local function run_ready(self, condition, only)
  local left = 0
  for _ = 1, self.ready:size() do
    local task = self.ready:pop()
    if only and not only[task] then
      self.ready:push(task)
      left = left + 1
    else
      task.is_queued = false
      if not task.is_over and coroutine.status(task.thread) == "suspended" then
        resume(task)
        if condition() then
          break
        end
      end
    end
  end
  return left
end

local function wake_sleepers(self)
  local task = self.timers:due(core.monotonic())
  while task do
    task.timer = nil
    task:wake()
    task = self.timers:due(core.monotonic())
  end
end

--- How long to wait for an exchange: seconds; nil when there is nothing to wait for.
local function patience(self, left)
  if self.ready:size() > left then
    return 0
  end
  local at = self.timers.count > 0 and self.timers:next_time()
  if at then
    return math.max(0, at - core.monotonic())
  end
  return self.waiting_count > 0 and FOREVER or nil
end

--- Waits for one exchange that ends, or for the first pause, and goes on with its task.
-- @return false when there is neither
local function wait_for_network(self, only, left)
  local seconds = patience(self, left)
  if not seconds then
    return false
  end
  local exchange, response, failure = self.handle:next(seconds)
  local task = exchange and self.waiting[exchange]
  if task then
    self.waiting[exchange] = nil
    self.waiting_count = self.waiting_count - 1
  end
  if task and task.exchange == exchange then -- else an error ended the wait
    task.exchange, task.response, task.failure = nil, response, failure
    if (not only or only[task]) and coroutine.status(task.thread) == "suspended" then
      resume(task)
    else
      task:wake() -- it may not go on, or drives this very loop
    end
  elseif not exchange and seconds > 0 and self.waiting_count == 0 then
    self.means.sleep(seconds)
  end
  return true
end

--- Ends a task soon, from a finalizer: it may come in the midst of anything, inside nginx in that
-- of another request.
function Scheduler:drop(task)
  self.dropped:push(task)
end

local function cancel_dropped(self)
  local task = self.dropped:pop()
  while task do
    cancel_if_possible(task)
    task = self.dropped:pop()
  end
end

--- Lets tasks run until `condition()`.
-- @tparam ?table own set of the tasks that make it true, if not all do
function Scheduler:drive(condition, own)
  if self.depth >= TOO_DEEP then
    error("too many tasks wait in place for tasks that wait in place", 0)
  end
  local only = self.depth >= DEEP and own or nil
  self.depth = self.depth + 1
  local goes_on = true
  while goes_on and not condition() do
    if self.dropped:size() > 0 then
      cancel_dropped(self)
    end
    if self.timers.count > 0 then
      wake_sleepers(self)
    end
    local left = self.ready:size() > 0 and run_ready(self, condition, only) or 0
    goes_on = condition() or wait_for_network(self, only, left)
  end
  self.depth = self.depth - 1
  if not goes_on then
    error("the tasks wait for each other", 0)
  end
end

--- Ends all tasks that are not over, and keeps the connections for the next scheduler.
function Scheduler:close()
  scheduler.cancel_all(self.tasks)
  if not self.handle or next(self.tasks) ~= nil then
    return
  elseif self.kind == "curl" then
    scheduler.close()
    idle = self.handle
  else
    self.handle:close()
  end
  self.handle = nil
end

return scheduler
