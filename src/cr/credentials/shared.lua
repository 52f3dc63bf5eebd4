--- Sessions that the workers of one nginx share, in the shared dict that `session_dict` names.
--
-- A worker that needs a session first looks there. When there is none, or it is time for the next
-- one, one worker at a time fetches, under a lock that ends by itself; the others go on with what
-- they have, or wait. Within a worker refreshing.lua has let one caller through already.
--
-- The name of a session is a hash of all that was declared, secrets and sources included: whoever
-- finds it could have fetched it. The session itself stands in the memory of nginx as it does in
-- that of each worker. One that the service refused as expired is removed before the next is
-- fetched.

local core = require "cr.core"
local json = require "cr.json"
local lock = require "cr.cache.lock"
local refreshing = require "cr.credentials.refreshing"
local unavailable = require "cr.credentials.unavailable"

local FIRST_LOCK = 5 -- seconds, until the fetch says how long its first step takes
local SLACK = 2 -- seconds that a lock lasts longer than a step
local FIRST_LOOK, LONGEST_LOOK = 0.002, 0.05 -- seconds between looks at another worker's fetch

-- Types whose session is the same whichever worker fetches it. The others hold these within them,
-- or have none.
local SHARED = {
  cloud_sso = true, credentials_uri = true, ecs_ram_role = true, external = true,
  oidc_role_arn = true, ram_role_arn = true,
}

--- A declaration as a text that no other one has; nil when a function is within: that says nothing.
local function text_of(declared)
  local parts = {}
  for name, value in pairs(declared) do
    local kind, text = type(value), tostring(value)
    if kind == "table" then
      text = text_of(value)
    elseif kind == "function" then
      text = nil
    end
    if not text then
      return nil
    end
    parts[#parts + 1] = ("%s %s %d:%s"):format(name, kind, #text, text)
  end
  table.sort(parts)
  return table.concat(parts, "\n")
end

local function is_refused(found, ask)
  return ask.is_refused and found.access_key_id == ask.held.access_key_id and
    found.security_token == ask.held.security_token
end

--- What is there: a session that has not expired, and was not refused.
-- @return session or nil, whether it is too early for another
local function read(dict, name, ask)
  local text = dict:get(name)
  local found = text and json.decode(text)
  if type(found) ~= "table" or not found.expires or found.expires <= ask.time or
    is_refused(found, ask) then
    return nil, false
  end
  return found, ask.time < (refreshing.windows(found.expires, found.since))
end

local function write(dict, name, session, ask)
  session.since = ask.time
  if session.expires and session.expires > ask.time then
    dict:set(name, json.encode {
      access_key_id = session.access_key_id, access_key_secret = session.access_key_secret,
      security_token = session.security_token, expires = session.expires, since = session.since,
      origin = session.origin,
    }, session.expires - ask.time)
  end
end

--- Fetches under the lock, which lasts as long as the steps of it say.
local function fetch_locked(fetch, held, ask)
  local expect = ask.expect
  ask.expect = function(seconds)
    held.expiry = seconds + SLACK
    held:renew()
    expect(seconds)
  end
  local ok, session, err, is_absent = pcall(fetch, ask)
  ask.expect = expect
  if not ok then
    held:release()
    error(session, 0)
  end
  return session, err, is_absent
end

--- The way of the worker that has the lock.
local function bring(fetch, dict, name, held, ask)
  local found, is_fresh = read(dict, name, ask) -- another may have brought it meanwhile
  if is_fresh then
    held:release()
    return found
  elseif not found then
    dict:delete(name)
  end
  local session, err, is_absent = fetch_locked(fetch, held, ask)
  if session then
    write(dict, name, session, ask)
  end
  held:release()
  if session or not found or not ask.is_overdue then
    return session, err, is_absent
  end
  ask.warnings = ask.warnings or {}
  table.insert(ask.warnings, "no fresh credential: " .. err.message)
  return found
end

--- What a caller gets while another worker fetches: what there is, or nothing yet.
local function meanwhile(found, ask)
  return found or (not ask.is_overdue and ask.held) or nil
end

local function obtain(fetch, dict, name, ask)
  local settings, pause = ask.settings, FIRST_LOOK
  while true do
    local found, is_fresh = read(dict, name, ask)
    if is_fresh then
      return found
    end
    local held = lock.take(dict, name, FIRST_LOCK)
    if held then
      return bring(fetch, dict, name, held, ask)
    end
    found = meanwhile(found, ask)
    if found then
      return found
    elseif not settings.yields() then
      return fetch(ask)
    elseif settings.clock() + pause >= ask.ends then
      ask.cut_short = true
      return nil, unavailable("the deadline passed while another worker fetched the credential")
    end
    ask.expect(pause)
    settings.transport.sleep(pause)
    pause = math.min(pause * 1.5, LONGEST_LOOK)
  end
end

--- Makes a provider's `fetch` one that shares, for clients that have a `session_dict`.
-- @tparam function fetch see refreshing.lua
-- @tparam table declared credentials
-- @treturn function
return function(fetch, declared)
  local text = SHARED[declared.type] and text_of(declared)
  if not text then
    return fetch
  end
  local name = "session:" .. assert(core.sha256("cr.credentials 1\n" .. text))
  return function(ask)
    local ngx = rawget(_G, "ngx")
    local dict = ask.settings.session_dict and ngx and ngx.shared[ask.settings.session_dict]
    if not dict then
      return fetch(ask)
    end
    return obtain(fetch, dict, name, ask)
  end
end
