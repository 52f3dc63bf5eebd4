--- The second level: a Redis that several nginx share, so that a fleet makes one call per key.
--
-- It holds the same texts as the dict, locks with an expiry, the failure of the last call, and a
-- list of what was invalidated, which each nginx reads once a second while it is used. What comes
-- from Redis may have been written by anyone: no more is read than an entry may be long, and what
-- is no entry is none. Whatever fails, the call is made without it.

local clock = require "cr.cache.clock"
local core = require "cr.core"
local entry = require "cr.cache.entry"
local freshness = require "cr.cache.freshness"

local fleet = {}
fleet.__index = fleet

local FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.1 -- seconds between two looks at another's lock
local LEAST = 1 -- seconds that a call must have; with less of the dict's lock left it begins anew
local OVERLAP = 10 -- seconds of the list that are read again: clocks differ, and writes overtake
local PAGE, MAX_PAGES = 200, 50 -- of the list, read at once
local LONGEST_RECORD = 2048 -- bytes
local RECORD = "^(%d+%.%d%d%d%d%d%d)\n(%l+)\n([^\n]*)\n([^\n]*)$"
local SINCE = "n:since"

-- Operations whose answers are keys to the registry: these stay in this nginx.
local SECRET = { GetAuthorizationToken = true }

-- Puts a text under KEYS[1] unless it was invalidated after ARGV[3], and gives the lock KEYS[2]
-- back if it is still ours. An empty text deletes.
local LEAVE = [[
local head = redis.call('GETRANGE', KEYS[1], 0, 40)
local invalidated = string.match(head, '^1 x (%d+%.%d+)\n')
local kept = 0
if not (invalidated and tonumber(invalidated) >= tonumber(ARGV[3])) then
  if ARGV[1] == '' then
    redis.call('DEL', KEYS[1])
  else
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  end
  kept = 1
end
if redis.call('GET', KEYS[2]) == ARGV[4] then
  redis.call('DEL', KEYS[2])
end
return kept
]]

--- @tparam table given redis, store, purges, dict, counts, prefix, poll, max_value_bytes, life
function fleet.new(given)
  return setmetatable(given, fleet)
end

function fleet.takes(operation)
  return not SECRET[operation.name]
end

local function milliseconds(seconds)
  return ("%.0f"):format(math.max(1, math.ceil(seconds * 1000)))
end

--- An entry from a reply, or nil.
local function read(self, key, reply)
  if type(reply) ~= "string" or reply == "" then
    return nil
  end
  local found = #reply <= self.max_value_bytes and entry.read(reply, clock.now()) or nil
  if not found then
    self.counts.corrupt = self.counts.corrupt + 1
  elseif found.kind == entry.INVALID or self.purges:covers(key, found.created) then
    return nil
  end
  return found
end

--- What the replies to the two reading commands mean for a call.
-- @return outcome (see fetch.lua) or nil; entry that is old
local function judge(self, call, value, failure)
  self.purges:learn()
  local found = read(self, call.key, value)
  if found and freshness.of(found, clock.now(), call.limits) == freshness.FRESH then
    return { entry = found, level = "redis" }
  end
  local failed = read(self, call.key, failure)
  if failed and failed.kind == entry.FAILURE and
    freshness.of(failed, clock.now(), call.limits) == freshness.FRESH then
    return { failure = failed, old = found }
  end
  return nil, found
end

local function reading(self, key)
  local longest = self.max_value_bytes -- the index of the last byte, so one more than may be
  return { "getrange", self.prefix .. "e:" .. key, 0, longest },
    { "getrange", self.prefix .. "f:" .. key, 0, longest }
end

local function leaving(self, kind, key, text, life, created, token)
  return { "eval", LEAVE, 2, self.prefix .. kind .. key, self.prefix .. "l:" .. key, text,
    milliseconds(life), ("%.6f"):format(created), token }
end

--- Tries to take the lock, and looks what is there.
-- @return outcome, old, token  or nil when Redis is away
local function try(self, call, lock)
  local token = assert(core.nonce())
  local value, failure = reading(self, call.key)
  local replies = self.redis:run {
    { "set", self.prefix .. "l:" .. call.key, token, "NX", "PX", milliseconds(lock.expiry) },
    value, failure,
  }
  if not replies then
    return nil
  end
  local outcome, old = judge(self, call, replies[2], replies[3])
  local has_lock = replies[1] == "OK"
  if outcome and has_lock then
    self.redis:run { leaving(self, "f:", call.key, "", 0, 0, token) }
  end
  return outcome or "", old, has_lock and token or nil
end

--- Looks in Redis, and waits there for whoever asks the same.
-- @tparam table call see fetch.lua
-- @tparam table lock the dict's, held; begins anew while there is a Redis to wait for
-- @return outcome, nil  when it is there; else nil, token (nil when Redis is away), old entry
function fleet:enter(call, lock)
  if not self.dict:get(SINCE) then
    self:read_news() -- before anything in Redis is believed
  end
  local replies = self.redis:run { reading(self, call.key) }
  if not replies then
    return nil
  end
  local outcome, old = judge(self, call, replies[1], replies[2])
  local pause, ends = FIRST_PAUSE, core.monotonic() + call.patience
  while not outcome do
    local found, older, token = try(self, call, lock)
    old = older or old
    if not found then
      return nil, nil, old
    elseif found ~= "" then
      outcome = found
    elseif token then
      lock:renew()
      return nil, token, old
    elseif core.monotonic() + pause >= ends then
      return nil, nil, old
    else
      ngx.sleep(pause)
      pause = math.min(pause * 1.5, LONGEST_PAUSE)
      if lock:left() < lock.expiry / 2 + LEAST then
        lock:renew()
      end
    end
  end
  return outcome
end

--- Hands over what a call brought, and gives the lock back.
-- @return false when it was invalidated meanwhile
function fleet:leave(call, token, found)
  local life = freshness.life(found, call.limits)
  local is_kept = #found.text <= self.max_value_bytes and life > 0
  local kind = found.kind == entry.FAILURE and "f:" or "e:"
  local replies = self.redis:run {
    leaving(self, kind, call.key, is_kept and found.text or "", life, found.created, token),
  }
  return not replies or replies[1] == 1
end

--- Whether a record of the list is new to this nginx. It is read again for OVERLAP at most.
local function is_new(self, member)
  return self.dict:add("n:" .. member, true, 3 * OVERLAP) == true
end

--- Tells all.
local function announce(self, time, record, first)
  local list, member = self.prefix .. "news", ("%.6f\n%s"):format(time, record)
  is_new(self, member)
  return self.redis:run {
    { "zadd", list, ("%.6f"):format(time), member },
    { "zremrangebyscore", list, "-inf", ("%.6f"):format(time - self.life) },
    { "expire", list, ("%.0f"):format(math.ceil(self.life)) },
    first,
  }
end

--- @return true  or nil, reason
function fleet:invalidate(time, key, life)
  local mark = entry.new(entry.INVALID, time)
  local replies, reason = announce(self, time, "key\n" .. key .. "\n",
    { "set", self.prefix .. "e:" .. key, mark.text, "PX", milliseconds(life) })
  return replies and true, reason
end

--- @return true  or nil, reason
function fleet:purge(time, prefix, wanted)
  local replies, reason = announce(self, time, "purge\n" .. prefix .. "\n" .. wanted)
  return replies and true, reason
end

--- Carries out what another nginx announced, once.
local function apply(self, member)
  local time, kind, prefix, wanted = member:match(RECORD)
  time = tonumber(time)
  if not time or not is_new(self, member) then
    return
  elseif kind == "key" then
    self.store:invalidate(prefix, time)
  elseif kind == "purge" then
    self.purges:add(time, prefix, wanted)
  end
end

--- Reads a page of the list.
-- @return array, or nil when Redis is away
local function read_page(self, since)
  local replies = self.redis:run {
    { "zrangebyscore", self.prefix .. "news", ("%.6f"):format(since), "+inf", "LIMIT", 0, PAGE },
  }
  return replies and type(replies[1]) == "table" and replies[1] or nil
end

--- Reads what was announced since the last time: all that still matters, at the first.
function fleet:read_news()
  local now = clock.now()
  local since = (self.dict:get(SINCE) or now - self.life) - OVERLAP
  for _ = 1, MAX_PAGES do
    local page = read_page(self, since)
    if not page then
      return
    end
    for _, member in ipairs(page) do
      if type(member) == "string" and #member <= LONGEST_RECORD then
        apply(self, member)
      end
    end
    local last = #page == PAGE and tonumber((tostring(page[PAGE]):match("^[%d.]+")))
    if not last then
      self.dict:set(SINCE, now)
      return
    end
    since = math.max(since + 0.000001, last)
  end
end

--- The same, once in a while in one worker of this nginx.
function fleet:poll_news()
  if self.dict:add("n", true, self.poll) then
    self:read_news()
  end
end

return fleet
