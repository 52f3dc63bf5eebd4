--- What is to happen at a time: a binary heap, the earliest first; of two at the same time the one
-- that was added first. What was called off stays in it until its time, as nothing.

local timers = {}
timers.__index = timers

function timers.new()
  return setmetatable({ count = 0, added = 0 }, timers)
end

local function is_before(a, b)
  return a.at < b.at or (a.at == b.at and a.number < b.number)
end

--- @return the timer; `timer.value = nil` calls it off
function timers:add(at, value)
  self.added = self.added + 1
  self.count = self.count + 1
  local timer, place = { at = at, number = self.added, value = value }, self.count
  while place > 1 do
    local above = (place - place % 2) / 2
    if not is_before(timer, self[above]) then
      break
    end
    self[place] = self[above]
    place = above
  end
  self[place] = timer
  return timer
end

local function remove_first(self)
  local last = self[self.count]
  self[self.count] = nil
  self.count = self.count - 1
  local place = 1
  while self.count > 0 do
    local below = place * 2
    if below < self.count and is_before(self[below + 1], self[below]) then
      below = below + 1
    end
    if below > self.count or not is_before(self[below], last) then
      self[place] = last
      break
    end
    self[place] = self[below]
    place = below
  end
end

--- The time of the earliest one that was not called off, or nil.
function timers:next_time()
  while self.count > 0 and self[1].value == nil do
    remove_first(self)
  end
  return self.count > 0 and self[1].at or nil
end

--- Takes out the value of the earliest one, if its time has come.
function timers:due(now)
  local at = self:next_time()
  if at and at <= now then
    local value = self[1].value
    remove_first(self)
    return value
  end
  return nil
end

return timers
