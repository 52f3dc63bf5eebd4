--- What a transport of ours does within a task of the scheduler, where what would block yields: the
-- same for each of them, but for the scheduler that it is for.

local running = require "cr.running"

--- Gives a transport its `sleep`, `enter` and `leave`.
-- @tparam string kind of the schedulers that have this transport's exchanges made
-- @tparam table transport
-- @tparam function sleep outside of tasks, seconds
-- @return a function: the running task, if its scheduler is of that kind
return function(kind, transport, sleep)
  local function task_here()
    local task = running.task()
    return task and task.scheduler.kind == kind and task or nil
  end

  function transport.sleep(seconds)
    local task = task_here()
    if task then
      task.scheduler:sleep(seconds)
    else
      sleep(seconds)
    end
  end

  function transport.enter()
    local task = task_here()
    if task then
      task.scheduler:enter()
    end
  end

  function transport.leave()
    local task = task_here()
    if task then
      task.scheduler:leave(task)
    end
  end

  return task_here
end
