--- Which task of the scheduler runs at this moment. A module of its own, so that a transport can
-- ask without loading the scheduler.
--
-- Outside nginx one task runs at a time, and what it calls belongs to it, coroutines of the user's
-- included. Inside nginx a task may wait for something of nginx's own, and other requests run
-- meanwhile: there a task is told by its coroutine.

local running = {}

local function by_coroutine()
  -- Of user's coroutines nginx keeps none for later, so that no other request is met in one.
  local tasks = setmetatable({}, { __mode = "kv" })
  local is_used = false
  local this = coroutine.running

  function running.add(task)
    tasks[task.thread], is_used = task, true
  end

  function running.task()
    local thread = is_used and this()
    return thread and tasks[thread] or nil
  end

  function running.swap() end
end

local function one_at_a_time()
  local current

  --- Makes a new task known.
  function running.add() end

  --- The task that runs, or nil.
  function running.task()
    return current
  end

  --- Before a task runs, and after it with what came of that.
  -- @return the task that ran until now
  function running.swap(task)
    local previous = current
    current = task
    return previous
  end
end

if require "cr.transport" .in_nginx() then
  by_coroutine()
else
  one_at_a_time()
end

return running
