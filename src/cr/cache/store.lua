--- The two levels of one nginx: the worker's own memory (decoded tables), and behind it the dict,
-- which all workers share (texts).

local clock = require "cr.cache.clock"
local entry = require "cr.cache.entry"
local freshness = require "cr.cache.freshness"

local store = {}
store.__index = store

local FORGETTING = 5 -- seconds longer than a call may take, for the mark of an invalid answer

--- @tparam table given dict, memory (lua-resty-lrucache), purges, counts, max_value_bytes,
--   lock_expiry
function store.new(given)
  return setmetatable(given, store)
end

--- Looks in the dict.
local function read_dict(self, key, held, version)
  self.purges:learn()
  local text = self.dict:get("e:" .. key)
  if not text and held and held.version == version then
    return held, "lru" -- the dict had no room for it
  end
  local found = text and held and held.text == text and held
  if text and not found then
    found = entry.read(text, clock.now())
    if not found then
      self.counts.corrupt = self.counts.corrupt + 1
    end
  end
  if text and (not found or self.purges:covers(key, found.created)) then
    self.dict:delete("e:" .. key)
    found = nil
  end
  if not found or found.kind == entry.INVALID then
    self.memory:delete(key)
    return nil
  end
  found.version = version
  self.memory:set(key, found)
  return found, found == held and "lru" or "dict"
end

--- The entry of a key.
-- @tparam ?boolean again also look in the dict when the worker's memory has one
-- @return entry, "lru" or "dict"  or nil
function store:find(key, again)
  local version = self.purges:version() -- before the rest: what comes later is looked at again
  local held = self.memory:get(key)
  if held and held.version == version and not again then
    return held, "lru"
  end
  return read_dict(self, key, held, version)
end

--- The failure of the last call, while it is remembered.
function store:failure(key, limits)
  local text, now = self.dict:get("f:" .. key), clock.now()
  local found = text and entry.read(text, now)
  return found and freshness.of(found, now, limits) and found or nil
end

local function write(self, name, text, life)
  local ok, _, is_forced = self.dict:set(name, text, math.max(life, 0.001))
  if is_forced then
    self.counts.evictions = self.counts.evictions + 1
  end
  if not ok then
    self.counts.no_memory = self.counts.no_memory + 1
    self.dict:delete(name) -- what stood there is older than what had no room
  end
end

--- Keeps what a call brought.
-- @return false when it was invalidated while the call was under way
function store:keep(key, found, limits)
  local version = self.purges:version()
  local text = self.dict:get("e:" .. key)
  local standing = text and entry.read(text, clock.now())
  self.purges:learn()
  if (standing and standing.kind == entry.INVALID and standing.created >= found.created) or
    self.purges:covers(key, found.created) then
    return false
  end
  local life = math.min(freshness.life(found, limits), self.purges.life) -
    math.max(0, clock.now() - found.created)
  self.dict:delete("f:" .. key)
  if #found.text > self.max_value_bytes or life <= 0 then
    self.counts.too_large = self.counts.too_large + (life > 0 and 1 or 0)
    self.dict:delete("e:" .. key)
    self.memory:delete(key)
    return true
  end
  write(self, "e:" .. key, found.text, life)
  found.version = version
  self.memory:set(key, found)
  return true
end

--- Remembers that a call failed. What was known before stays.
function store:keep_failure(key, found, limits)
  if limits.failure_ttl > 0 and #found.text <= self.max_value_bytes then
    write(self, "f:" .. key, found.text, limits.failure_ttl)
  end
end

--- Makes invalid what was asked for until a time: what is there, and what calls bring that are
-- under way.
function store:invalidate(key, time)
  local text = self.dict:get("e:" .. key)
  local standing = text and entry.read(text, clock.now())
  if standing and standing.created > time then
    return
  end
  local mark = entry.new(entry.INVALID, time)
  write(self, "e:" .. key, mark.text, self.lock_expiry + FORGETTING)
  self.dict:delete("f:" .. key)
  self.memory:delete(key)
  self.purges:bump()
end

return store
