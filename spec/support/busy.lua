--- An API that looks at how it is called: it answers every request with the Tag that was asked for,
-- and knows how many requests were there at the same time, on how many connections, and which were
-- given up by the client. A real nginx, one process; its Lua is not the spec's, so that it has no
-- JSON library.
--
--     local server = busy.start()
--     server.url, server:seen() → {requests, most, connections, given_up}, server:await(field, n),
--     server:reset() → most is 0, and nobody has met
--
-- What a tag begins with decides what happens to its request:
--
-- - `meet-3-…`: is answered when three requests of this beginning are there; HTTP 500 after a while
-- - `with-3-…`: is answered when three requests of any kind are there
-- - `last-…`: is answered when no other request is there any more
-- - `slow-…`: takes a few milliseconds
-- - `hang-…`: is not answered
-- - `fail-…`: an error of the service
-- - `twice-…`: HTTP 503 the first time

local cjson = require "cjson"
local core = require "cr.core"
local http = require "socket.http"
local nginx = require "spec.support.nginx"

local busy = {}

local INIT = [[
  seen = { requests = 0, now = 0, most = 0, given_up = 0, connections = 0 }
  met, known, asked = {}, {}, {}
]]

local LOCATIONS = [[
  keepalive_requests 100000;
  location = /seen {
    content_by_lua_block {
      local parts = {}
      for name, count in pairs(seen) do
        parts[#parts + 1] = ('"%s":%d'):format(name, count)
      end
      ngx.say("{", table.concat(parts, ","), "}")
    }
  }
  location = /reset {
    content_by_lua_block {
      repeat ngx.sleep(0.005) until seen.now == 0
      seen.most, met = 0, {}
      ngx.say()
    }
  }
  location = / {
    lua_check_client_abort on;
    content_by_lua_block {
      local tag = ngx.unescape_uri(ngx.var.arg_Tag or "")
      local kind = tag:match("^(%l+)%-")
      local function leave()
        seen.now = seen.now - 1
      end
      ngx.on_abort(function()
        leave()
        seen.given_up = seen.given_up + 1
        ngx.exit(499)
      end)
      seen.requests, seen.now = seen.requests + 1, seen.now + 1
      seen.most = math.max(seen.most, seen.now)
      if not known[ngx.var.connection] then
        known[ngx.var.connection] = true
        seen.connections = seen.connections + 1
      end
      asked[tag] = (asked[tag] or 0) + 1
      local answer = ('{"IsSuccess":true,"Code":"success","RequestId":"B-%s","Tag":"%s"}')
        :format(tag, tag)
      local status = 200
      local tries = 0
      local function patient()
        tries = tries + 1
        ngx.sleep(0.005)
        return tries < 2000
      end
      if kind == "meet" then
        local count = tonumber(tag:match("^meet%-(%d+)"))
        local beginning = tag:match("^meet%-%d+")
        met[beginning] = (met[beginning] or 0) + 1
        while met[beginning] < count and patient() do end
        status = met[beginning] >= count and 200 or 500
      elseif kind == "with" then
        local count = tonumber(tag:match("^with%-(%d+)"))
        repeat until seen.now >= count or not patient()
      elseif kind == "last" then
        repeat until seen.now == 1 and tries > 3 or not patient()
      elseif kind == "slow" then
        patient()
      elseif kind == "hang" then
        while patient() do end
      elseif kind == "fail" then
        answer = '{"IsSuccess":false,"Code":"TAG_NOT_EXIST","RequestId":"B"}'
      elseif kind == "twice" and asked[tag] == 1 then
        status = 503
      end
      leave()
      ngx.status = status
      ngx.say(answer)
    }
  }
]]

local Server = {}
Server.__index = Server

function busy.start()
  local inner = nginx.start { init = INIT, locations = LOCATIONS }
  return setmetatable({ inner = inner, url = inner.url }, Server)
end

function Server:seen()
  return cjson.decode((http.request(self.url .. "/seen")))
end

--- Waits until a count is reached.
function Server:await(field, count)
  for _ = 1, 1000 do
    if self:seen()[field] >= count then
      return
    end
    core.sleep(0.01)
  end
  error(("%s did not become %d"):format(field, count), 2)
end

--- Waits until no request is there, and forgets how many met.
function Server:reset()
  assert(http.request(self.url .. "/reset"))
end

function Server:stop()
  self.inner:stop()
end

return busy
