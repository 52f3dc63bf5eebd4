--- Commands to Redis, over kept connections, and a switch that leaves a Redis alone that is away.
--
-- Every step has the same short timeout. After a failure no worker of this nginx asks for a pause;
-- then one tries, and the others when that went well. So a Redis that hangs costs one request in a
-- pause its timeout, and the others nothing.

local redis = {}
redis.__index = redis

local DOWN, FAILED, PROBE = "r:down", "r:failed", "r:probe"

--- The client library: as OpenResty names it, or as Debian does (lua-nginx-redis).
local function library()
  local ok, found = pcall(require, "resty.redis")
  if ok then
    return found
  end
  ok, found = pcall(require, "nginx.redis")
  return ok and found or nil
end

--- @param dict the shared dict, for the switch
-- @tparam table given see config.lua
-- @return redis  or nil, what is missing
function redis.new(dict, given)
  local found = library()
  if not found then
    return nil, "no Redis client library; install lua-nginx-redis (Debian) or lua-resty-redis"
  end
  local is_socket = given.host:find("^unix:") ~= nil
  return setmetatable({
    library = found, dict = dict, given = given,
    address = is_socket and given.host or given.host .. ":" .. given.port,
    milliseconds = math.ceil(given.timeout * 1000),
    is_socket = is_socket,
    -- Only for connections that were told the same: user and database stay with a connection.
    pool = ("cr.cache:%s:%d:%d:%s:%s"):format(given.host, given.port, given.database,
      given.username or "", given.tls and "tls " .. (given.server_name or "") or ""),
  }, redis)
end

local function begin(self, connection)
  local given = self.given
  if given.tls then
    local ok, reason = connection._sock:sslhandshake(false, given.server_name or given.host, true)
    if not ok then
      return nil, reason
    end
  end
  if given.password then
    local ok, reason
    if given.username then
      ok, reason = connection:auth(given.username, given.password)
    else
      ok, reason = connection:auth(given.password)
    end
    if not ok then
      return nil, reason
    end
  end
  if given.database ~= 0 then
    return connection:select(given.database)
  end
  return true
end

local function connect(self)
  local connection, reason = self.library:new()
  if not connection then
    return nil, reason
  end
  connection:set_timeout(self.milliseconds)
  local options = { pool = self.pool, pool_size = self.given.pool_size }
  local ok
  if self.is_socket then
    ok, reason = connection:connect(self.given.host, options)
  else
    ok, reason = connection:connect(self.given.host, self.given.port, options)
  end
  if ok and connection:get_reused_times() == 0 then
    ok, reason = begin(self, connection)
    if not ok then
      connection:close()
    end
  end
  return ok and connection or nil, reason
end

--- All commands in one go.
local function exchange(self, commands)
  local connection, reason = connect(self)
  if not connection then
    return nil, reason
  end
  connection:init_pipeline(#commands)
  for _, command in ipairs(commands) do
    connection[command[1]](connection, unpack(command, 2))
  end
  local replies
  replies, reason = connection:commit_pipeline()
  if not replies then
    connection:close()
    return nil, reason
  end
  connection:set_keepalive(self.given.keepalive * 1000, self.given.pool_size)
  for _, reply in ipairs(replies) do
    if type(reply) == "table" and reply[1] == false then
      return nil, reply[2] -- LOADING, READONLY, NOAUTH, OOM …: as good as away
    end
  end
  return replies
end

--- Whether it is to be asked now.
local function may_ask(self)
  if self.dict:get(DOWN) then
    return false
  end
  return not self.dict:get(FAILED) or
    self.dict:add(PROBE, true, math.max(self.given.pause, 5 * self.given.timeout)) == true
end

--- Whether a text can be shown: a library's reason might hold what it was given.
local function shown(self, reason)
  reason = tostring(reason)
  local password = self.given.password
  return password and reason:find(password, 1, true) and "refused" or reason
end

--- Runs commands.
-- @tparam table commands array of {name, argument…}
-- @return array of replies (ngx.null for nothing)
-- @return nil, reason  when it is away, or is left alone because it was
function redis:run(commands)
  if not may_ask(self) then
    return nil, "left alone after a failure"
  end
  local replies, reason = exchange(self, commands)
  if replies then
    if self.dict:get(FAILED) then
      self.dict:delete(FAILED)
      self.dict:delete(PROBE)
      ngx.log(ngx.NOTICE, "cr.cache: Redis at ", self.address, " answers again")
    end
    return replies
  end
  reason = shown(self, reason)
  self.dict:set(FAILED, true)
  self.dict:set(DOWN, true, self.given.pause)
  self.dict:delete(PROBE)
  self.dict:incr("s:redis_failures", 1, 0)
  ngx.log(ngx.WARN, "cr.cache: Redis at ", self.address, " fails (", reason,
    "), going on without it for ", self.given.pause, " s")
  return nil, reason
end

--- Whether it is well, as far as is known.
function redis:is_away()
  return self.dict:get(FAILED) == true
end

return redis
