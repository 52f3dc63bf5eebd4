--- Decisions out of the cache in a real nginx: wrk on two locations of one worker in turns, one
-- that looks a tag up in the cache, one that has a constant in the lookup's place. bench/run gives
-- the address of an upstream server. Run by LuaJIT, whose build nginx needs.

local nginx = require "spec.support.nginx"
local http = require "socket.http"

local ROUNDS, SECONDS, CONNECTIONS, HITS = 21, 1, 32, 200000

local INIT = [[
  client = require("cr").new { endpoint = "%s",
    credentials = { type = "access_key", access_key_id = "LTAI-bench",
    access_key_secret = "bench-secret" } }
  cache = require("cr.cache").new { client = client, ttl = 86400 }
  constant = { Status = "NORMAL" }
  function question(name)
    return { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = name }
  end
  function look_up(params)
    return constant
  end
]]

local LOCATIONS = [[
  location = /constant { content_by_lua_block {
    local tag = look_up(question(ngx.var.arg_tag))
    ngx.say(tag and tag.Status == "NORMAL" and "yes" or "no")
  } }
  location = /cached { content_by_lua_block {
    local tag = cache:get_repo_tag(question(ngx.var.arg_tag))
    ngx.say(tag and tag.Status == "NORMAL" and "yes" or "no")
  } }
  location = /hits { content_by_lua_block {
    local options = ngx.var.arg_shared and { shared = true } or nil
    local params, start = question "1.0", require("cr.core").monotonic()
    for _ = 1, %d do
      cache:get_repo_tag(params, options)
    end
    ngx.say((require("cr.core").monotonic() - start) / %d)
  } }
]]

local server = nginx.start {
  http = "lua_shared_dict cr_cache 10m;", init = INIT:format(arg[1]),
  locations = LOCATIONS:format(HITS, HITS),
}

local function rate(path)
  local pipe = io.popen(("wrk -t1 -c%d -d%ds '%s%s?tag=1.0'"):format(CONNECTIONS, SECONDS,
    server.url, path))
  local said = pipe:read "*a"
  pipe:close()
  assert(not said:find "Non%-2xx" and not said:find "Socket errors", said)
  return assert(said:match "Requests/sec:%s*(%S+)", said)
end

local ok, reason = pcall(function()
  for _, path in ipairs { "/constant?tag=1.0", "/cached?tag=1.0" } do
    assert(http.request(server.url .. path) == "yes\n")
  end
  rate "/constant"
  rate "/cached"
  for round = 1, ROUNDS do
    local constant, cached
    if round % 2 == 0 then
      constant, cached = rate "/constant", rate "/cached"
    else
      cached, constant = rate "/cached", rate "/constant"
    end
    print(("round %s %s"):format(constant, cached))
  end
  io.write("hit copied ", (http.request(server.url .. "/hits")))
  io.write("hit shared ", (http.request(server.url .. "/hits?shared=1")))
end)
local said = server:stop()
assert(ok, tostring(reason) .. said)
