--- The credentials of role sessions: made, kept until nobody asks for them, and ended on demand.
--
-- A session is what a request's key leads to (see principals.lua). One that has expired stays
-- known, so that its key is told to be expired and not to be unknown; when there are too many, old
-- expired ones are forgotten first.

local clock = require "cr.emulator.clock"
local crypto = require "cr.emulator.crypto"
local iso8601 = require "cr.emulator.iso8601"

local sessions = {}

local CAPACITY = 5000

--- What a registry keeps its sessions in.
function sessions.new_store()
  return { list = {}, by_key = {} }
end

local function random_bytes(count)
  local parts = {}
  for index = 1, math.ceil(count / 64) do
    parts[index] = crypto.random(64)
  end
  return table.concat(parts):sub(1, count)
end

--- Letters and digits; an unlucky draw is replaced by more.
local function random_word(length)
  local word = ""
  while #word < length do
    word = word .. ngx.encode_base64(crypto.random(48)):gsub("[^%w]", "")
  end
  return word:sub(1, length)
end

--- As long as the service's. The first bytes are fixed, so that every token has a + and a / and
-- ends in =: a client that forgets to encode one of them is found out every time.
local function new_token()
  return ngx.encode_base64("\8\2\18\251\255" .. random_bytes(296))
end

local function make_room(store)
  local now, half, kept = clock.seconds(), #store.list / 2, {}
  for index, session in ipairs(store.list) do
    if index > half or now < session.expires then
      kept[#kept + 1] = session
    else
      store.by_key[session.access_key_id] = nil
    end
  end
  if #kept == #store.list then
    store.by_key[table.remove(kept, 1).access_key_id] = nil
  end
  store.list = kept
end

--- Opens a session of a role.
-- @param given name, seconds; policy (statements) when the session is to have less than the role
-- @return access_key_id, access_key_secret, security_token, expires, seconds, role, session_name,
-- session_policy
function sessions.open(registry, role, given)
  local store = registry.sessions
  if #store.list >= CAPACITY then
    make_room(store)
  end
  local seconds = role.session_seconds or given.seconds
  local session = {
    access_key_id = "STS.NT" .. random_word(22),
    access_key_secret = random_word(44),
    security_token = new_token(),
    made = clock.seconds(),
    seconds = seconds,
    expires = clock.seconds() + seconds,
    role = role,
    session_name = given.name,
    session_policy = given.policy,
  }
  store.list[#store.list + 1] = session
  store.by_key[session.access_key_id] = session
  return session
end

--- Ends all sessions made so far, for good, wherever the clock is moved to.
-- @return how many were still good
function sessions.expire(registry)
  local now, count = clock.seconds(), 0
  for _, session in ipairs(registry.sessions.list) do
    count = count + (now < session.expires and 1 or 0)
    session.expires = 0
  end
  return count
end

--- The four fields that every answer with credentials has.
function sessions.fields(session)
  return {
    AccessKeyId = session.access_key_id,
    AccessKeySecret = session.access_key_secret,
    SecurityToken = session.security_token,
    Expiration = iso8601.format(session.made + session.seconds),
  }
end

--- The document that the metadata server and a credentials address answer.
function sessions.document(session)
  local fields = sessions.fields(session)
  fields.Code = "Success"
  fields.LastUpdated = iso8601.format(session.made)
  return fields
end

return sessions
