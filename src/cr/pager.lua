--- Fetches the pages of a list, one after the other: what `client:pages` and `client:items` share.
--
-- A pager asks for a page when it is wanted, or, told to read ahead and inside the scheduler, as
-- soon as the page before has come and says that there is another. It is plain closures and
-- calls, without coroutines of its own, so that whoever calls it may yield. After a failure
-- everything is as before: the next call asks for the same page again.

local client = require "cr.client"
local config = require "cr.config"
local new_error = require "cr.error"
local paging = require "cr.paging"

local pager = {}

local MAX_PAGES = 100000 -- of one list; a server that never ends must not run for ever

-- How the options are checked that only lists have.
pager.options = {
  method = config.call_options.method,
  max_pages = config.whole(1, 1000000000),
  read_ahead = config.is "boolean",
  trust_total = config.is "boolean",
}

local NONE = {}

local function shared_options(options)
  local shared = {}
  for name, value in pairs(options) do
    if pager.options[name] == nil then
      shared[name] = value
    end
  end
  return shared
end

--- The scheduler's module, or nil where nobody has loaded it and nothing can run in it.
local function loaded_scheduler()
  return package.loaded["cr.scheduler"]
end

local function current_scheduler()
  local scheduler = loaded_scheduler()
  return scheduler and scheduler.current()
end

local Pager = {}
Pager.__index = Pager

--- What the call for the next page returned, or raised.
function Pager:get()
  local ahead = self.ahead
  local task = ahead.task
  if task and not task.is_cancelled then
    local ok, answer, err, info = pcall(task.wait, task)
    ahead.task = nil
    if not ok then
      task:cancel() -- of no effect unless it is who waits that was cancelled
      error(answer, 0)
    end
    return answer, err, info
  end
  ahead.task = nil
  local answer, err, info = client.perform(self.settings, self.operation, self.cursor.params)
  return answer, err, info
end

--- A failure of the rules of paging as an error object.
function Pager:error_of(failure, info)
  return new_error {
    kind = "response", code = failure.code, message = failure.message, hint = failure.hint,
    operation = self.operation.name, retryable = false,
    http_status = info.http_status, request_id = info.request_id, attempts = info.attempts,
  }
end

function Pager:prepare_next(info)
  if self.count >= self.max_pages then
    self.problem = self:error_of({
        code = "TooManyPages",
        message = ("there are more than the %d pages that max_pages allows"):format(self.max_pages),
        hint = "give a larger max_pages, or a larger page",
      }, info)
    return
  end
  local current = self.read_ahead and current_scheduler()
  if current then
    -- The task holds no pager: it must not keep alive one that has been dropped.
    self.ahead.task = current:spawn(client.perform, self.settings, self.operation,
      self.cursor.params)
  end
end

--- The next page.
-- @return answer, info, array of its items; nil at the end
-- @raise error object
function Pager:next()
  if self.is_over then
    return nil
  elseif self.problem then
    error(self.problem, 0)
  end
  local count = self.count
  local answer, err, info = self:get()
  if self.count ~= count then
    error("a list gives pages and items to one coroutine at a time", 0)
  elseif not answer then
    error(err, 0)
  end
  local items, more = self.cursor:accept(answer)
  if not items then
    error(self:error_of(more, info), 0)
  end
  self.count = self.count + 1
  if more == true then
    self:prepare_next(info)
  elseif more then
    self.problem = self:error_of(more, info) -- these items are good, what follows is not
  else
    self.is_over = true
  end
  return answer, info, items
end

--- Ends the list: nothing of it is left running.
function Pager:close()
  local task = self.ahead.task
  self.is_over, self.ahead.task = true, nil
  if task then
    task:cancel()
  end
end

Pager.__close = Pager.close -- a loop of Lua 5.4 closes what it gets as its fourth value

--- Where a loop does not close what it leaves, the collector does: not at once, since it may come
-- in the midst of anything, but when the scheduler has time.
local function guard_of(ahead)
  local function collect()
    local task = ahead.task
    ahead.task = nil
    if task and not task.is_over then
      task.scheduler:drop(task)
    end
  end
  if newproxy then
    local guard = newproxy(true)
    getmetatable(guard).__gc = collect
    return guard
  end
  return setmetatable({}, { __gc = collect })
end

local function not_paged(operation)
  return new_error {
    kind = "validation", code = "NotPaged", operation = operation.name, retryable = false,
    message = "this operation has no pages",
    hint = "those that have are " .. table.concat(paging.names(), ", "),
  }
end

--- Makes a pager of a list that begins where the parameters say.
-- @tparam table settings of the client
-- @tparam string name of the operation
-- @tparam ?table params
-- @tparam ?table options checked before, see pager.options
-- @raise error object for an operation that is none, or has no pages
function pager.new(settings, name, params, options)
  options = options or NONE
  local operation, err = client.find_operation(name, options)
  local found = operation and paging.of(operation)
  if not found then
    error(err or not_paged(operation), 0)
  end
  settings = client.resolve(shared_options(options), settings)
  local ahead = {} -- `task` while one reads ahead
  return setmetatable({
    settings = settings,
    operation = operation,
    cursor = paging.cursor(found, params or NONE, settings.defaults or NONE,
      options.trust_total ~= false),
    count = 0,
    max_pages = options.max_pages or MAX_PAGES,
    read_ahead = options.read_ahead,
    ahead = ahead,
    guard = options.read_ahead and guard_of(ahead),
  }, Pager)
end

return pager
