--- How workers learn that something they hold is invalid.
--
-- The dict holds a number, the version, that grows with every invalidation and purge. A worker
-- reads it at each look; as long as it is the one it knows, what it holds in its own memory counts.
-- When it has grown, each entry is compared with the dict once more before it is used.
--
-- A purge does not look for what it purges: it leaves a record {time, prefix, wanted pairs}, and
-- what was asked for before that time and matches is dropped by whoever comes upon it. A record
-- stays as long as an entry can. Should the dict be so full that it drops what was used longest
-- ago, it drops purged entries before their record: entries are only touched by workers that know
-- the record, and these drop them.

local clock = require "cr.cache.clock"
local keys = require "cr.cache.key"

local purges = {}
purges.__index = purges

local VERSION, COUNT, RECORD = "v", "p", "p:"

local MAX_RECORDS = 100 -- a worker knows; what is older than the oldest of these counts as purged

--- @param dict the shared dict
-- @tparam number life seconds that entries are kept at most
function purges.new(dict, life)
  return setmetatable({ dict = dict, life = life, records = {}, floor = 0 }, purges)
end

--- A first number that no earlier life of the counter had.
local function beginning()
  return math.floor(clock.exact() * 1000000)
end

--- The name of a record. Numbers have 16 digits, of which `..` would write 14.
local function name_of(number)
  return ("%s%.0f"):format(RECORD, number)
end

--- Makes every worker look again.
function purges:bump()
  self.dict:incr(VERSION, 1, beginning())
end

--- The version now.
function purges:version()
  local version = self.dict:get(VERSION)
  if not version then
    self.dict:add(VERSION, beginning())
    version = self.dict:get(VERSION) or 0
  end
  return version
end

--- Leaves a record.
-- @tparam number time what was asked for until then is invalid
-- @tparam string prefix of keys
-- @tparam string wanted as made by key.pairs
function purges:add(time, prefix, wanted)
  local number = self.dict:incr(COUNT, 1, beginning())
  if number then
    self.dict:set(name_of(number), ("%.6f\n%s\n%s"):format(time, prefix, wanted), self.life)
  end
  self:bump()
end

local function read(text)
  local time, prefix, wanted = (text or ""):match("^(%d+%.%d+)\n([^\n]*)\n([^\n]*)$")
  return time and { time = tonumber(time), prefix = prefix, wanted = wanted }
end

--- Reads the records after `known`, the newest first. Without `known` a missing record is the end
-- of those that still matter; else it is one that this worker will never know, and everything until
-- now counts as purged.
local function collect(self, known, newest)
  local found = {}
  for number = newest, (known or 0) + 1, -1 do
    local record = read(self.dict:get(name_of(number)))
    if not record or #found == MAX_RECORDS then
      if known then
        self.floor = clock.exact()
      elseif record then
        self.floor = math.max(self.floor, record.time)
      end
      break
    end
    found[#found + 1] = record
  end
  return found
end

--- Takes note of records that others left.
function purges:learn()
  local newest = self.dict:get(COUNT)
  if not newest or newest == self.known then
    return
  end
  local list = collect(self, self.known, newest)
  local oldest = clock.now() - self.life
  for _, record in ipairs(self.records) do
    if record.time < oldest then
      break
    elseif #list == MAX_RECORDS then
      self.floor = math.max(self.floor, record.time)
    else
      list[#list + 1] = record
    end
  end
  self.records, self.known = list, newest
end

--- Whether an entry was purged.
function purges:covers(key, created)
  if created <= self.floor then
    return true
  end
  for _, record in ipairs(self.records) do
    if created <= record.time and keys.matches(key, record.prefix, record.wanted) then
      return true
    end
  end
  return false
end

return purges
