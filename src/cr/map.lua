--- `client:map`: one operation over a list, many calls in flight, results as they come.
--
-- So many workers, tasks of the scheduler, take an item, call, and deliver. Items are taken only
-- when there is somebody to call with them, and results wait for the loop, so that neither a list
-- of millions nor a slow loop grows memory.

local client = require "cr.client"
local config = require "cr.config"
local new_error = require "cr.error"
local queue = require "cr.queue"
local running = require "cr.running"
local scheduler = require "cr.scheduler"

local own_options = {
  concurrency = config.concurrency.check,
  method = config.call_options.method,
}

local Results = {}
Results.__index = Results
Results.__name = "cr.map"

local function wake_all(waiters)
  for task in pairs(waiters) do
    task:wake()
  end
end

--- The next item, one worker at a time: the list may be a function that makes calls itself.
-- @return its number and it, or nil at the end
local function take(self)
  if self.taker then
    self.scheduler:wait_until(function()
      return not self.taker
    end, self.takers, self.tasks)
  end
  if self.is_at_end then
    return nil
  end
  self.taker = running.task()
  local item
  if self.next_item then
    item = self.next_item()
  else
    item = self.list[self.taken + 1]
  end
  self.taker = nil
  wake_all(self.takers)
  if item == nil then
    self.is_at_end = true
    return nil
  end
  self.taken = self.taken + 1
  return self.taken, item
end

local function wrong_item(self, index, item)
  return new_error {
    kind = "validation", code = "InvalidParameter", retryable = false,
    operation = self.operation.name,
    message = ("item %d of the list must be a table of parameters, got a %s"):format(index,
      type(item)),
  }
end

local function deliver(self, result)
  if self.results:size() >= self.concurrency then
    self.scheduler:wait_until(function()
      return self.results:size() < self.concurrency
    end, self.full, self.tasks)
  end
  self.results:push(result)
  wake_all(self.consumers)
end

local function work(self)
  local task = running.task()
  local index, item = take(self)
  while index do -- no for loop: plain Lua 5.1 cannot yield in its iterator
    task.index = index
    if type(item) == "table" then
      local answer, err, info = client.perform(self.settings, self.operation, item)
      deliver(self, { index, answer, err, info })
    else
      deliver(self, { index, nil, wrong_item(self, index, item) })
    end
    index, item = take(self)
  end
end

local function raised(self, task)
  return new_error {
    kind = "raised", code = "Raised", retryable = false, operation = self.operation.name,
    message = tostring(task.error), traceback = task.traceback, cause = task.error,
  }
end

local start_worker

--- A worker has ended: at the end of the list, by an error (of a hook, of the list), from outside.
local function on_end(self, task)
  self.workers = self.workers - 1
  if self.taker == task then
    self.taker, self.is_at_end, self.list_error = nil, true, task.error
    wake_all(self.takers)
  elseif task.is_cancelled then
    self.is_cut = true
  elseif not task.ok then
    self.results:push { task.index, nil, raised(self, task) }
    start_worker(self)
  end
  wake_all(self.consumers)
end

function start_worker(self)
  self.workers = self.workers + 1
  local task = self.scheduler:spawn(work, self)
  task.on_end = function()
    on_end(self, task)
  end
  self.tasks[task] = true
end

local function start(self)
  self.has_more = function() -- or has come to its end
    return self.results:size() > 0 or self.workers == 0
  end
  local current = scheduler.current()
  self.scheduler = current or scheduler.new()
  self.is_own = not current
  local count = self.next_item and self.concurrency or math.min(self.concurrency, #self.list)
  for _ = 1, count do
    start_worker(self)
  end
end

local function describe(reason)
  return { error = reason, traceback = debug.traceback(tostring(reason), 2) }
end

--- The next result where one call at a time is wanted and no other task waits: without a scheduler,
-- at the price of a call.
local function advance_alone(self)
  local index, item = take(self)
  if not index then
    self:close()
    return nil
  elseif type(item) ~= "table" then
    return index, nil, wrong_item(self, index, item)
  end
  local ok, answer, err, info = xpcall(function()
    return client.perform(self.settings, self.operation, item)
  end, describe)
  if not ok then
    return index, nil, raised(self, answer)
  end
  return index, answer, err, info
end

--- The next result.
local function advance(self)
  if self.is_closed then
    return nil
  elseif self.concurrency == 1 and not (self.scheduler or running.task()) then
    return advance_alone(self)
  elseif not self.scheduler then
    start(self)
  end
  local results = self.results
  if results:size() == 0 then
    self.scheduler:wait_until(self.has_more, self.consumers, self.tasks)
  end
  local result = results:pop()
  if result then
    wake_all(self.full)
    return result[1], result[2], result[3], result[4]
  end
  self:close()
  if self.list_error ~= nil then
    error(self.list_error, 0)
  elseif self.is_cut then
    error("map: the run that these calls belonged to is over", 0)
  end
  return nil
end

Results.__call = advance -- itself, so that plain Lua 5.1 shows the for loop that calls it

--- Ends what is in flight: nothing of it is sent or received any more. Idempotent. A for loop that
-- is left does so by itself in Lua 5.4; elsewhere the collector does it, sooner or later.
function Results:close()
  if self.is_closed then
    return
  end
  self.is_closed = true
  scheduler.cancel_all(self.tasks)
  if self.is_own then
    self.scheduler:close()
  end
end

Results.__close = Results.close

--- Calls one operation with each item of a list, many at a time.
--
--     for index, tag, err in client:map("GetRepoTag", list, { concurrency = 64 }) do … end
--
-- @function map
-- @tparam string name of the operation, "GetRepoTag" or "get_repo_tag"
-- @param list an array of parameter tables, or a function that returns the next one and nil at the
--   end (it may make calls itself)
-- @tparam[opt] table options `concurrency` (16, up to 10000) calls in flight; and as of a call
-- @return iterator of index, answer, nil, info  or index, nil, error; in order of completion. Its
--   method `close` ends what is in flight
-- @raise for an operation that does not exist, and when the list raises
return function(self, name, list, options)
  if type(name) ~= "string" then
    error(("map: the operation's name must be a string, got a %s"):format(type(name)), 2)
  elseif type(list) ~= "table" and type(list) ~= "function" then
    error(("map: the list must be an array or a function, got a %s"):format(type(list)), 2)
  end
  client.check_call("map", nil, options, own_options)
  local settings = client.settings_of(self, 3)
  local operation, err = client.find_operation(name, options)
  if not operation then
    error(err, 0)
  end
  local concurrency
  if options then
    local given = {}
    for key, value in pairs(options) do
      given[key] = value
    end
    concurrency, given.concurrency = given.concurrency, nil
    settings = client.resolve(given, settings)
  end
  local is_function = type(list) == "function" or getmetatable(list) ~= nil and
    getmetatable(list).__call ~= nil
  local results = setmetatable({
    settings = settings, operation = operation,
    concurrency = concurrency or config.concurrency.default,
    list = list, next_item = is_function and list or nil, taken = 0,
    takers = scheduler.new_waiters(),
    results = queue.new(), consumers = scheduler.new_waiters(), full = scheduler.new_waiters(),
    workers = 0, tasks = {},
  }, Results)
  return results, nil, nil, results
end
