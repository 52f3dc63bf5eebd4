--- The transport inside nginx: exchanges run in a pool of threads (`ngx.run_worker_thread`), while
-- the worker goes on with other requests.
--
-- Only the exchange runs there, in C (job.h), on connections that the thread's Lua state keeps
-- alive; that state holds nothing else of the library. What nginx leaves to its callers is done
-- here, once for all clients of a worker:
--
-- - Never more exchanges are under way than the pool has threads, or room in its queue. A task
--   beyond that crashes the worker up to lua-nginx-module 0.10.31. Who comes later waits in line.
-- - A request that goes away (its client did) leaves its exchange behind in the thread. It counts
--   as under way until that has ended; its answer is dropped.
-- - A worker that was told to quit (at a reload) waits for connections with a timer, and a task of
--   a thread has none. So while exchanges are under way one timer of ours looks after them.
-- - Phases of nginx that cannot wait get an error instead of a blocked worker.

local core = require "cr.core"
local in_task = require "cr.transport.in_task"
local overlay = require "cr.overlay"
local phases = require "cr.transport.phases"
local semaphore = require "ngx.semaphore"

local USUAL_THREADS = 32 -- nginx's own default, for a pool that cannot be looked at
local MAX_WAITING = 1024 -- calls in line, of one worker
local LOOK = 0.2 -- seconds between looks at what is under way
local NO_STATE_PAUSE = 0.01 -- seconds until a thread's Lua state may be free
local SLACK = 1 -- seconds that a look may be late
local SHORTEST = 0.001 -- seconds for an exchange that waited until the last moment
local USUAL_TIMEOUT = 10 -- seconds, for a request that has none

-- Calls that began together end together, and other requests would wait until the worker has gone
-- on with all of them. So they go on one after the other, GAP seconds apart, as long as that adds
-- no more than a SHARE of the time that the exchange took: to short ones nothing.
local GAP, SHARE = 0.001, 1 / 25

--- The pools of this worker by name.
local pools = {}

local function failure(code, message)
  return { code = code, message = message, sent = false }
end

local function new_pool(name)
  local threads, max_queue = core.thread_pool(name)
  if threads == false then
    return nil, failure("NoThreadPool", ('nginx has no thread pool "%s": add the line ' ..
      "`thread_pool %s threads=%d;` to the main block of nginx.conf"):format(name, name,
      USUAL_THREADS))
  end
  local limit = threads and math.min(threads, max_queue) or USUAL_THREADS
  if limit < 1 then
    return nil, failure("NoThreadPool", ('nginx\'s thread pool "%s" takes no task: raise its ' ..
      "max_queue"):format(name))
  end
  return {
    name = name, limit = limit,
    under_way = 0, -- how many
    jobs = {}, -- which: job → true
    spare = {}, -- jobs to be used again
    line = semaphore.new(0), -- who waits for a thread
    has_line = false, -- whether anybody may be waiting
    looks_until = 0, -- by core.monotonic
    next_turn = 0, -- when the next call may go on, likewise
  }
end

--- Lets the next in line go on.
local function call_next(pool)
  pool.has_line = pool.line:count() < 0
  if pool.has_line then
    pool.line:post(1)
  end
end

--- Takes a job off the count, once, and lets the next in line go on.
local function leave(pool, job)
  if pool.jobs[job] then
    pool.jobs[job] = nil
    pool.under_way = pool.under_way - 1
    if pool.has_line then
      call_next(pool)
    end
  end
end

--- Takes jobs off the count whose request went away before they had ended.
local function sweep(pool)
  for job in pairs(pool.jobs) do
    if job:is_done() then
      leave(pool, job)
    end
  end
end

--- In a timer, for as long as exchanges are under way: keeps a quitting worker alive, and finds
-- those that nobody waits for any more.
local function look_after(_, pool)
  repeat
    pool.looks_until = core.monotonic() + LOOK + SLACK
    ngx.sleep(LOOK)
    sweep(pool)
    if pool.under_way < pool.limit then
      call_next(pool) -- again: it may have been a request that went away
    end
  until pool.under_way == 0
  pool.looks_until = 0
end

--- In a timer of its own, unless there is one: it may be gone where nginx had no room for it.
local function see_to_it(pool, now)
  if pool.looks_until < now then
    pool.looks_until = now + SLACK
    ngx.timer.at(0, look_after, pool)
  end
end

--- Waits for a place among the exchanges under way.
-- @return seconds that are left  or nil, failure
local function take_place(pool, ends)
  local left = ends - core.monotonic()
  while pool.under_way >= pool.limit do
    if left <= 0 then
      return nil, failure("Timeout", ("none of the %d threads that nginx has for calls was free " ..
        "in time"):format(pool.limit))
    elseif -pool.line:count() >= MAX_WAITING then
      return nil, failure("QueueFull", ("%d calls are waiting for one of the %d threads that " ..
        "nginx has for them"):format(MAX_WAITING, pool.limit))
    end
    pool.has_line = true
    pool.line:wait(left)
    left = ends - core.monotonic()
  end
  return math.max(left, SHORTEST)
end

--- A job, from the spare ones: what a request that went away left behind is never among them.
local function take_job(pool)
  local job = table.remove(pool.spare)
  if job then
    return job
  end
  local reason
  job, reason = core.job()
  return job, failure("OutOfMemory", reason)
end

--- Puts a job on the count.
local function enter(pool, job)
  pool.jobs[job] = true
  pool.under_way = pool.under_way + 1
end

--- Hands a job to a thread and waits for it.
-- @return true  or false, reason
local function run(pool, job)
  local ok, reason = ngx.run_worker_thread(pool.name, "cr.transport.thread", "run", job:lend())
  if not ok then
    job:take_back()
  end
  leave(pool, job)
  return ok, reason
end

--- Waits until it is this call's turn to go on.
-- @tparam number began when its exchange began
local function take_turn(pool, began)
  local now = core.monotonic()
  local pause = math.min(math.max(pool.next_turn - now, 0), (now - began) * SHARE)
  pool.next_turn = math.max(pool.next_turn, now + pause + GAP)
  if pause >= SHORTEST then
    ngx.sleep(pause)
  end
end

--- The same for phases of TLS, which nginx does not wake when a thread has ended: a timer waits for
-- the thread, and the phase for the timer.
local function run_in_timer(pool, job, seconds)
  local finished = semaphore.new(0)
  local has_begun, ok, reason = false, nil, nil
  local started, why = ngx.timer.at(0, function()
    if job ~= nil then
      has_begun = true
      ok, reason = run(pool, job)
      finished:post(1)
    end
  end)
  if started and finished:wait(seconds + SLACK) then
    return ok, reason
  end
  if not has_begun then
    leave(pool, job)
    job = nil
  end
  return false, why or "nginx ran no timer for it in time"
end

--- There was no Lua state for a thread: nginx has lua_worker_thread_vm_pool_size of them, for all
-- that runs in threads. Then so many calls as are under way are what it can do.
local function adapt(pool)
  if pool.under_way == 0 then
    ngx.sleep(NO_STATE_PAUSE)
    return
  end
  pool.limit = pool.under_way
  ngx.log(ngx.WARN, "cr: only ", pool.limit, " calls at once, though the thread pool ", pool.name,
    " has more threads: raise lua_worker_thread_vm_pool_size")
end

local function prepare(job, seconds, request, settings)
  if settings then
    return job:prepare(request, settings, seconds)
  end
  return job:prepare(overlay(request, { timeout = seconds }))
end

--- One exchange.
-- @param request of the core, or a table
-- @tparam ?table settings for one of the core
-- @return response  or nil, failure
local function exchange(pool, timeout, request, settings)
  local now = core.monotonic()
  local ends = now + timeout
  see_to_it(pool, now)
  while true do
    local left, reason = take_place(pool, ends)
    if not left then
      return nil, reason
    end
    local job
    job, reason = take_job(pool)
    if not job then
      return nil, reason
    end
    local ok
    ok, reason = prepare(job, left, request, settings)
    if not ok then
      return nil, failure("OutOfMemory", reason)
    end
    enter(pool, job)
    if phases.needs_timer() then
      ok, reason = run_in_timer(pool, job, left)
    else
      local began = core.monotonic()
      ok, reason = run(pool, job)
      take_turn(pool, began)
    end
    if ok then
      local response, why = job:response()
      pool.spare[#pool.spare + 1] = job
      return response, why
    elseif reason ~= "no available Lua vm" then
      return nil, failure("ThreadFailed", reason)
    elseif core.monotonic() >= ends then
      return nil, failure("Timeout", "nginx had no Lua state for a thread in time: raise " ..
        "lua_worker_thread_vm_pool_size")
    end
    adapt(pool)
  end
end

--- @tparam string name of the thread pool
return function(name)
  -- Whoever makes an exchange has looked for an obstacle before.
  local transport = { now = core.time, yields = phases.can_wait, obstacle = phases.obstacle }
  local task_here = in_task("nginx", transport, ngx.sleep)

  --- In a task the scheduler has a light thread make the exchange, and other tasks go on.
  local function dispatch(...)
    local task = task_here()
    if task then
      return task.scheduler:call(exchange, ...)
    end
    return exchange(...)
  end

  local function find_pool()
    local pool, reason = pools[name], nil
    if not pool then
      pool, reason = new_pool(name)
      pools[name] = pool
    end
    return pool, reason
  end

  function transport.exchange(request)
    local pool, reason = find_pool()
    if not pool then
      return nil, reason
    end
    return dispatch(pool, request.timeout or USUAL_TIMEOUT, request)
  end

  --- The same for a request of the core, without a table in between.
  function transport.send(request, settings, timeout)
    local pool, reason = find_pool()
    if not pool then
      return nil, reason
    end
    return dispatch(pool, timeout, request, settings)
  end

  return transport
end
