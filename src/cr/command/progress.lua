--- A line on the terminal that tells how far long work has come. Only where standard error is a
-- terminal and standard output is not (rows on the screen tell as much), and only after a second.

local core = require "cr.core"
local terminal = require "cr.command.terminal"

local progress = {}

local AFTER, EVERY = 1, 0.1 -- seconds
local CLEAR = "\r\27[K"
local MAX_BAR = 40 -- columns

local Progress = {}
Progress.__index = Progress

local function clear()
  io.stderr:write(CLEAR)
  terminal.clear_line = nil
  core.on_interrupt ""
end

local function line_of(self, now)
  local done, total = self.done, self.total
  local rest = ("  %.0f/s%s"):format(done / (now - self.began),
    self.failed > 0 and ("  %d failed"):format(self.failed) or "")
  if not total or total < done or total == 0 then
    return done .. " done" .. rest
  end
  local figures = ("%3d %%  %d of %d%s"):format(math.floor(done * 100 / total), done, total, rest)
  local room = math.min(MAX_BAR, self.columns - #figures - 4)
  if room < 5 then
    return figures
  end
  local full = math.floor(room * done / total)
  return ("[%s%s] %s"):format(("#"):rep(full), (" "):rep(room - full), figures)
end

--- Counts what is done; draws when it is time.
-- @tparam number done since the last step
-- @tparam ?number total of all, when it is known
function Progress:step(done, total)
  self.done, self.total = self.done + done, total or self.total
  if not self.columns then
    return
  end
  local now = core.monotonic()
  if now - self.began < AFTER or now - self.drawn < EVERY then
    return
  end
  self.drawn = now
  core.on_interrupt(CLEAR)
  io.stderr:write(CLEAR, line_of(self, now):sub(1, self.columns - 1))
  terminal.clear_line = clear
end

function Progress:fail()
  self.failed = self.failed + 1
end

--- Takes the line off the screen.
function Progress:finish() -- luacheck: ignore 212
  if terminal.clear_line then
    terminal.clear_line()
  end
end

function progress.new()
  local now = core.monotonic()
  return setmetatable({
    columns = not terminal.output() and terminal.error() or nil,
    began = now, drawn = 0, done = 0, failed = 0,
  }, Progress)
end

return progress
