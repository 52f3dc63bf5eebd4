--- Locks in the dict: who holds the one of a key asks for all workers.
--
-- A lock ends by itself after its expiry, so that a worker that died holds up nobody for longer.
-- The dict cannot compare and delete in one step. Instead the owner only removes a lock that cannot
-- have ended yet: its own clock, which began before the dict's, says that more than MARGIN of the
-- expiry is left. Later it is left alone, to end by itself; it may be somebody else's by then. A
-- process stopped for longer than MARGIN between the two steps would remove another's lock: the
-- price is one call more.

local core = require "cr.core"

local lock = {}
lock.__index = lock

local MARGIN = 0.5 -- seconds

--- Takes the lock of a key.
-- @param dict the shared dict
-- @tparam string key
-- @tparam number expiry seconds
-- @return the lock, or nil when another has it
function lock.take(dict, key, expiry)
  local name, token = "l:" .. key, assert(core.nonce())
  local ends = core.monotonic() + expiry
  local ok, reason = dict:add(name, token, expiry)
  if not ok and reason == "exists" then
    return nil
  end
  -- Else it is ours, or there is no memory even for a lock; then it is better to ask than not to.
  return setmetatable({ dict = dict, name = name, token = token, expiry = expiry, ends = ends },
    lock)
end

--- Seconds for which it is surely ours.
function lock:left()
  return self.ends - MARGIN - core.monotonic()
end

--- Lets it begin anew, while it is surely ours.
function lock:renew()
  if self:left() > 0 then
    self.ends = core.monotonic() + self.expiry
    self.dict:set(self.name, self.token, self.expiry)
  end
end

--- Gives it back. Idempotent.
function lock:release()
  local name = self.name
  self.name = nil
  if name and self:left() > 0 and self.dict:get(name) == self.token then
    self.dict:delete(name)
  end
end

--- Whether someone has the lock of a key.
function lock.is_held(dict, key)
  return dict:get("l:" .. key) ~= nil
end

return lock
