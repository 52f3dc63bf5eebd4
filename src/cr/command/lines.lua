--- Standard input line by line, as it comes: without waiting where there is nothing yet, and
-- without keeping more than a line of bounded length.

local core = require "cr.core"

local lines = {}

lines.MAX = 65536 -- bytes of a line; a request's address would not take more

local Lines = {}
Lines.__index = Lines

--- Takes the next line that is not blank out of what was read.
local function take(self)
  while true do
    local found = self.rest:find("\n", self.position, true)
    if not found and not self.is_at_end then
      return nil
    end
    local line = self.rest:sub(self.position, found and found - 1 or -1)
    self.number = self.number + 1
    if not found then
      self.rest, self.position = "", 1
    else
      self.position = found + 1
    end
    if line:find("%S") then
      return (line:gsub("\r$", ""))
    elseif not found then
      return nil
    end
  end
end

local function read(self)
  local text, reason = core.read_input()
  if not text then
    return "standard input: " .. reason
  end
  self.rest, self.position = self.rest:sub(self.position) .. text, 1
  self.is_at_end = text == ""
  if not self.rest:find("\n", 1, true) and #self.rest > lines.MAX then
    return ("standard input: line %d is longer than %d bytes"):format(self.number + 1, lines.MAX)
  end
end

--- @tparam boolean waits for a line, if there is none yet
-- @return line  or nil, nil when there is none yet or no more (`is_done`)
-- @return nil, what is wrong
function Lines:next(waits)
  while true do
    local line = take(self)
    if line and #line > lines.MAX then
      return nil, ("standard input: line %d is longer than %d bytes")
        :format(self.number, lines.MAX)
    elseif line or self.is_at_end then
      self.is_done = not line
      return line
    elseif not waits and not core.has_input() then
      return nil
    end
    local wrong = read(self)
    if wrong then
      return nil, wrong
    end
  end
end

function lines.new()
  return setmetatable({ rest = "", position = 1, number = 0, is_at_end = false, is_done = false },
    Lines)
end

return lines
