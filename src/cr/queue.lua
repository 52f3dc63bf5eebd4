--- First in, first out. What comes out is forgotten, and a queue that runs empty starts over, so
-- that it never grows beyond what is in it at a time.

local queue = {}
queue.__index = queue

function queue.new()
  return setmetatable({ first = 1, last = 0 }, queue)
end

function queue:push(value)
  self.last = self.last + 1
  self[self.last] = value
end

--- The oldest value, or nil when there is none.
function queue:pop()
  local first = self.first
  if first > self.last then
    return nil
  end
  local value = self[first]
  self[first] = nil
  if first == self.last then
    self.first, self.last = 1, 0
  else
    self.first = first + 1
  end
  return value
end

function queue:size()
  return self.last - self.first + 1
end

return queue
