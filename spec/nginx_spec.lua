--- The library inside a real nginx with its Lua module. That is LuaJIT, so only LuaJIT's run of the
-- specs has the build for it.

if not rawget(_G, "jit") then
  return
end

local emulator = require "spec.support.emulator"
local http = require "socket.http"
local nginx = require "spec.support.nginx"

local INIT = [[
  client = require("cr").new { endpoint = "%s", credentials = { type = "access_key",
    access_key_id = "%s", access_key_secret = "%s" } }
  function describe(options)
    return client:get_repo_tag({ InstanceId = "cri-kmsiwlxxdcva****",
      RepoId = "crr-tquyps22md8p****", Tag = "1.0" }, options)
  end
  at_start = assert(describe { transport = "curl" })
]]

local LOCATIONS = [[
  location = / {
    content_by_lua_block {
      local tag, err = describe()
      ngx.say(tag and tag.ImageSize or tostring(err), " ", at_start.ImageSize)
    }
  }
]]

describe("in nginx", function()
  it("a client made and used in init_by_lua goes on in the worker", function()
    local api = emulator.start()
    local server = nginx.start {
      init = INIT:format(api.endpoint, api.access_key_id, api.access_key_secret),
      locations = LOCATIONS,
    }
    local body = http.request(server.url .. "/")
    local said = server:stop()
    api:stop()
    assert.equal("27107966 27107966\n", body, said)
  end)
end)
