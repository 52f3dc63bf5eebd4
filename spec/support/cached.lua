--- nginx with a cache in it, for the specs of cr.cache.
--
--     local server = cached.start(api, { cache = "ttl = 1", workers = 4 })
--     server:lua [[ return cache:stats() ]]      -- runs there, in the content phase
--     server:stop()
--
-- There are `client`, `cache`, `tag(name)` (parameters of a tag of the built-in fixture), `tell(…)`
-- (what a get returned, as one table), and `shift(seconds)`, which moves the cache's clock in all
-- workers.

local cjson = require "cjson"
local http = require "socket.http"
local ltn12 = require "ltn12"
local nginx = require "spec.support.nginx"

local cached = {}

local Server = {}
Server.__index = Server

local INIT = [[
  local clock, shifted = require "cr.cache.clock", ngx.shared.shifted
  for _, name in ipairs { "now", "exact" } do
    local real = clock[name]
    clock[name] = function() return real() + (shifted:get "by" or 0) end
  end
  function shift(seconds)
    shifted:incr("by", seconds, 0)
  end
  function tag(name)
    return { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = name }
  end
  function tell(answer, err, info)
    return { answer = answer, err = err and tostring(err), code = err and err.code, info = info }
  end
  client = require("cr").new { endpoint = "%s",
    credentials = { type = "access_key", access_key_id = "%s", access_key_secret = "%s" }, %s }
  cache = require("cr.cache").new { client = client, %s }
  %s
]]

local LOCATIONS = [[
  location = /lua {
    client_body_buffer_size 64k;
    content_by_lua_block {
      ngx.req.read_body()
      local code = assert(loadstring(ngx.req.get_body_data()))
      ngx.say(require("cjson").encode { code() })
    }
  }
  location = /tag {
    content_by_lua_block {
      local found, err = cache:get_repo_tag(tag(ngx.var.arg_tag or "1.0"))
      ngx.shared.shifted:incr("worker " .. ngx.worker.pid(), 1, 0)
      ngx.status = found and 200 or 502
      ngx.say(found and found.Digest or tostring(err))
    }
  }
]]

--- @param api an emulator
-- @tparam table given cache (fields of its configuration), client (the same), init (Lua), http,
--   locations, workers, connections, main, level, dict (its size)
function cached.start(api, given)
  local server = nginx.start {
    init = INIT:format(given.endpoint or api.endpoint, api.access_key_id, api.access_key_secret,
      given.client or "max_attempts = 1", given.cache or "", given.init or ""),
    http = ("lua_shared_dict cr_cache %s; lua_shared_dict shifted 1m; %s"):format(
      given.dict or "10m", given.http or ""),
    locations = LOCATIONS .. (given.locations or ""), workers = given.workers,
    connections = given.connections, main = given.main, listen = given.listen,
    level = given.level,
  }
  return setmetatable({ nginx = server, url = server.url, port = server.port }, Server)
end

--- Runs Lua there. @return what it returned first
function Server:lua(code)
  local chunks = {}
  local ok, status = http.request {
    url = self.url .. "/lua", method = "POST", headers = { ["content-length"] = tostring(#code) },
    source = ltn12.source.string(code), sink = ltn12.sink.table(chunks),
  }
  local body = table.concat(chunks)
  if not ok or status ~= 200 then
    error(("%s: %s\n%s"):format(tostring(status), body, code), 2)
  end
  return cjson.decode(body)[1]
end

--- A tag of the fixture, asked for through the cache.
-- @tparam ?string name "1.0"
-- @tparam ?string options Lua
-- @return {answer, err, code, info}
function Server:tag(name, options)
  return self:lua(("return tell(cache:get_repo_tag(tag %q, %s))"):format(name or "1.0",
    options or "nil"))
end

--- The counts of the cache that are not 0.
function Server:stats()
  return self:lua "return cache:stats()"
end

--- Ends it; returns what it wrote.
function Server:stop()
  return self.nginx:stop()
end

--- How often an operation reached the emulator.
function cached.count(api, operation)
  local found = 0
  for _, logged in ipairs(api:log()) do
    found = found + (logged.operation == operation and 1 or 0)
  end
  return found
end

return cached
