--- A call for each line of standard input, the calls beside each other, the answers in the order of
-- the lines.
--
-- A bounded number of calls is under way or waits for its turn to be written, so that memory does
-- not grow with the input. Lines are read when there is room, without waiting for a producer that
-- is slower than the service: while it has nothing, the calls under way go on.

local cr = require "cr"
local exit_status = require "cr.command.exit_status"
local failure = require "cr.command.failure"
local rows = require "cr.command.rows"
local sink = require "cr.command.sink"
local terminal = require "cr.command.terminal"
local values = require "cr.command.values"

local CONCURRENCY = 16
local AHEAD = 4 -- calls begun or done ahead of the oldest one, in multiples of the concurrency

--- The parameters of one line's call, or nil and what is wrong with the line.
local function params_of(job, line)
  local value, wrong = values.of(job.bulk, { line })
  if value == nil then
    return nil, wrong
  end
  local params = { [job.bulk.name] = value }
  for name, given in pairs(job.params) do
    params[name] = given
  end
  return params
end

--- What ends the work: no other line can do better than this one did.
local function is_final(err)
  return err.kind == "credentials" or
    err.kind == "validation" and err.code ~= "InvalidParameter"
end

local Bulk = {}
Bulk.__index = Bulk

--- Tells that a line has failed, and goes on.
function Bulk:fail(line, text)
  terminal.say(self.job.who, ("%s: %s"):format(line, text))
  self.progress:fail()
  self.status = exit_status.FAILED
end

--- Takes the result of the oldest call.
-- @return the exit status when it ends the work
function Bulk:settle(entry)
  local answer, err = entry.task:wait()
  self.progress:step(1)
  if answer then
    for _, item in ipairs(rows.items(self.job.plan, answer)) do
      self.writer:add(rows.row(self.job.plan, item))
    end
    return nil
  end
  self:fail(entry.line, failure.text(err))
  return is_final(err) and exit_status.of(err) or nil
end

--- Begins the calls of the lines that are there.
-- @return what is wrong with standard input
function Bulk:begin(spawn)
  while self.last - self.first < self.ahead and not self.lines.is_done do
    local line, wrong = self.lines:next(self.last == self.first)
    if not line then
      return wrong
    end
    local params
    params, wrong = params_of(self.job, line)
    if params then
      self.last = self.last + 1
      self.waiting[self.last] = {
        line = line, task = spawn(self.job.client.call, self.job.client,
          self.job.operation.name, params),
      }
    else
      self:fail(line, wrong)
    end
  end
end

function Bulk:run(spawn)
  while true do
    local wrong = self:begin(spawn)
    if wrong then
      terminal.say(self.job.who, wrong)
      self.status, self.is_cut, self.lines.is_done = exit_status.FAILED, true, true
    end
    if self.first == self.last and self.lines.is_done then
      return
    elseif self.first < self.last then
      self.first = self.first + 1
      local entry = self.waiting[self.first]
      self.waiting[self.first] = nil
      local status = self:settle(entry)
      if status then
        self.status, self.is_cut = status, true
        for index = self.first + 1, self.last do
          self.waiting[index].task:cancel()
        end
        return
      end
    end
  end
end

-- @tparam table job see operation.lua
-- @return the exit status
return function(job)
  if terminal.input() then
    terminal.say(job.who, ("reading %s from the terminal, one a line; Ctrl-D ends them")
      :format(job.bulk.name), "warning")
  end
  local concurrency = job.options.concurrency or CONCURRENCY
  local bulk = setmetatable({
    job = job, lines = require("cr.command.lines").new(), writer = job:writer_of(true),
    progress = require("cr.command.progress").new(), waiting = {}, first = 0, last = 0,
    ahead = concurrency * AHEAD, status = exit_status.OK,
  }, Bulk)
  sink.by_row()
  cr.run(function(spawn)
    bulk:run(spawn)
  end, { concurrency = concurrency })
  bulk.progress:finish()
  if not bulk.is_cut then
    bulk.writer:finish()
  end
  return bulk.status
end
