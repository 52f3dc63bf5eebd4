--- What the scheduler waits with inside nginx, in the place of libcurl's handle: light threads.
--
-- A task of the scheduler cannot wait for nginx itself, or the coroutine that drives all of them
-- would wait with it. So the exchange of each task is made in one of nginx's light threads, and the
-- driver waits for a semaphore. As many threads are begun as exchanges are under way at a time, by
-- the driver: nginx lets nobody but who began one end it. They are used again, since whatever
-- coroutine is made in a request costs it memory until its end.

local core = require "cr.core"
local phases = require "cr.transport.phases"
local queue = require "cr.queue"
local semaphore = require "ngx.semaphore"

local TURN = 0.005 -- seconds after which nginx gets its turn
local SHORTEST = 0.001 -- seconds; a shorter pause makes nginx without OpenResty's patches warn
local IDLE = 0.05 -- seconds until a thread without work ends: nginx ends no request before

local light = { kind = "nginx" }

local Handle = {}
Handle.__index = Handle

--- Whether the caller is where light threads can be begun and waited for.
function light.is_possible()
  return phases.can_wait()
end

function light.sleep(seconds)
  ngx.sleep(math.max(seconds, SHORTEST))
end

function light.handle()
  return setmetatable({
    begun = queue.new(), done = queue.new(), -- exchanges
    in_flight = 0, -- those that nobody has called off or been given
    threads = {}, -- thread → what is known of it
    idle = 0, -- threads that wait for work
    work = semaphore.new(0), -- what they wait for
    news = semaphore.new(0), -- what the driver waits for
    waited_at = core.monotonic(),
  }, Handle)
end

local function tell_driver(self)
  if self.is_waiting then
    self.is_waiting = false
    self.news:post(1)
  end
end

local function run(self, exchange, thread)
  exchange.thread = thread
  local ok, response, failure = pcall(exchange.f, unpack(exchange, 1, exchange.count))
  exchange.thread = nil
  if not ok then
    response, failure = nil, { code = "ThreadFailed", message = tostring(response), sent = true }
  end
  exchange.response, exchange.failure = response, failure
  if not exchange.is_dropped then
    self.done:push(exchange)
    tell_driver(self)
  end
end

--- What a light thread does.
local function serve(self, thread)
  repeat
    local exchange = self.begun:pop()
    if exchange and not exchange.is_dropped then
      run(self, exchange, thread)
    end
    if self.begun:size() == 0 and not thread.is_doomed then
      self.idle = self.idle + 1
      self.work:wait(IDLE)
      self.idle = self.idle - 1
    end
  until self.begun:size() == 0 or thread.is_doomed
  thread.is_over, self.has_ended = true, true
end

--- Sees to it that what was begun goes on.
local function launch(self)
  local count = self.begun:size()
  if count > 0 and self.idle > 0 then
    self.work:post(math.min(count, self.idle))
  end
  for _ = 1, count - self.idle do
    local thread = {}
    thread.thread = ngx.thread.spawn(serve, self, thread)
    self.threads[thread] = true
  end
end

--- Takes note of the threads that have ended, and ends those that are to.
local function tidy(self)
  for thread in pairs(self.threads) do
    if thread.is_over or thread.is_doomed then
      ngx.thread.kill(thread.thread) -- also one that is over: nginx forgets it only then
      self.threads[thread] = nil
    end
  end
end

--- Begins an exchange: `f(…)`, which returns a response, or nil and a failure, and may wait.
function Handle:start(f, ...)
  local exchange = { f = f, count = select("#", ...), ... }
  self.begun:push(exchange)
  self.in_flight = self.in_flight + 1
  return exchange
end

--- Calls an exchange off. What has been handed to a thread of nginx's pool goes on there, and
-- nobody waits for it.
function Handle:cancel(exchange)
  if exchange.is_dropped then
    return
  end
  exchange.is_dropped = true
  self.in_flight = self.in_flight - 1
  if exchange.thread then
    exchange.thread.is_doomed, self.has_ended = true, true
  end
end

--- Lets nginx go on with other requests. Tasks that have always something to go on with (they yield
-- by themselves) keep the worker for TURN at most.
local function wait(self, seconds)
  if seconds > 0 then
    self.is_waiting = true
    self.news:wait(seconds)
    self.is_waiting = false
  elseif core.monotonic() - self.waited_at < TURN then
    return
  else
    ngx.sleep(SHORTEST)
  end
  self.waited_at = core.monotonic()
end

--- Waits for the next exchange that ends.
-- @return exchange, response, failure  or nothing
function Handle:next(seconds)
  if self.has_ended then
    self.has_ended = false
    tidy(self)
  end
  launch(self)
  if self.done:size() == 0 and (self.in_flight > 0 or seconds == 0) then
    wait(self, seconds)
  end
  local exchange = self.done:pop()
  while exchange and exchange.is_dropped do
    exchange = self.done:pop()
  end
  if exchange then
    exchange.is_dropped = true
    self.in_flight = self.in_flight - 1
    return exchange, exchange.response, exchange.failure
  end
end

--- Ends all that is under way.
function Handle:close()
  for thread in pairs(self.threads) do
    thread.is_doomed = true
  end
  tidy(self)
end

return light
