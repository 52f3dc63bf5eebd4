--- Sessions between the workers of a real nginx: one of them fetches for all.

if not rawget(_G, "jit") then
  return
end

local emulator = require "spec.support.emulator"
local nginx = require "spec.support.nginx"
local socket = require "socket"

local WORKERS, CLIENTS = 4, 200

local INIT = [[
  local cr = require "cr"
  local function client_of(role, key)
    return cr.new {
      endpoint = "%s", session_dict = "cr_sessions",
      credentials = {
        type = "ram_role_arn", role_arn = "acs:ram::1000000000000001:role/" .. role,
        sts_endpoint = "%s", source = key,
      },
    }
  end
  local key = { type = "access_key", access_key_id = "%s", access_key_secret = "%s" }
  clients = {
    reader = client_of("reader", key),
    other = client_of("reader", function() return key end), -- not known what it returns elsewhere
    wrong = client_of("reader", { type = "access_key", access_key_id = key.access_key_id,
      access_key_secret = "not-a-real-secret" }),
  }
  no_dict = select(2, pcall(cr.new, { session_dict = "none" }))
]]

local LOCATIONS = [[
  location = /tag {
    content_by_lua_block {
      local tag, err = clients[ngx.var.arg_by]:get_repo_tag {
        InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0",
      }
      ngx.say(ngx.worker.id(), " ", tag and tag.Tag or tostring(err))
    }
  }
  location = /no-dict { content_by_lua_block { ngx.say(0, " ", no_dict) } }
  location = /kept {
    content_by_lua_block {
      local dict = ngx.shared.cr_sessions
      for _, name in ipairs(dict:get_keys(0)) do
        ngx.say(0, " ", name, " ", dict:get(name))
      end
    }
  }
]]

local api, server

before_each(function()
  api = emulator.start()
  server = nginx.start {
    init = INIT:format(api.endpoint, api.endpoint, api.access_key_id, api.access_key_secret),
    locations = LOCATIONS, level = "error", http = "lua_shared_dict cr_sessions 1m;",
    workers = WORKERS, connections = 1024, listen = "reuseport",
  }
end)

after_each(function()
  server:stop()
  api:stop()
end)

--- Many requests at once.
-- @return how many workers answered, how many answers there were of each kind
local function at_once(count, path)
  local connections, workers, bodies, seen = {}, {}, {}, 0
  for number = 1, count do
    connections[number] = assert(socket.connect("127.0.0.1", server.port))
    connections[number]:settimeout(30)
    assert(connections[number]:send("GET " .. path .. " HTTP/1.0\r\n\r\n"))
  end
  for _, connection in ipairs(connections) do
    local worker, body = assert(connection:receive "*a"):match "\r\n\r\n(%d+) (.*)\n$"
    connection:close()
    seen = seen + (workers[worker] and 0 or 1)
    workers[worker] = true
    bodies[body] = (bodies[body] or 0) + 1
  end
  return seen, bodies
end

local function count(operation)
  local found = 0
  for _, entry in ipairs(api:log()) do
    found = found + (entry.operation == operation and 1 or 0)
  end
  return found
end

describe("the workers", function()
  it("fetch one session at a cold start, and one when it was refused", function()
    api:fault { operation = "AssumeRole", delay_ms = 200 }
    local workers, bodies = at_once(CLIENTS, "/tag?by=reader")
    assert.same({ ["1.0"] = CLIENTS }, bodies)
    assert.equal(WORKERS, workers)
    assert.equal(1, count "AssumeRole")
    api:expire()
    api:fault { operation = "AssumeRole", delay_ms = 200 }
    workers, bodies = at_once(CLIENTS, "/tag?by=reader")
    assert.same({ ["1.0"] = CLIENTS }, bodies)
    assert.equal(WORKERS, workers)
    assert.equal(2, count "AssumeRole")
  end)

  it("try one after the other where it fails, and the next one brings it", function()
    api:fault { operation = "AssumeRole", status = 403, code = "Forbidden", count = 1 }
    local _, bodies = at_once(CLIENTS, "/tag?by=reader")
    assert.is_true(bodies["1.0"] > 0)
    assert.equal(2, count "AssumeRole")
  end)

  it("never share between other credentials", function()
    local _, bodies = at_once(1, "/tag?by=reader")
    assert.same({ ["1.0"] = 1 }, bodies)
    _, bodies = at_once(1, "/tag?by=wrong")
    assert.is_nil(bodies["1.0"])
    assert.matches("SignatureDoesNotMatch", (next(bodies)))
    _, bodies = at_once(1, "/tag?by=other")
    assert.same({ ["1.0"] = 1 }, bodies)
    assert.equal(3, count "AssumeRole")
  end)

  it("keep what was fetched, not what it was fetched with", function()
    at_once(1, "/tag?by=reader")
    local _, kept = at_once(1, "/kept")
    local text = next(kept)
    assert.matches("^session:%x+ {.*security_token", text)
    assert.is_nil(text:find(api.access_key_secret, 1, true))
  end)
end)

it("a dict that is not there is a mistake in the program", function()
  local _, bodies = at_once(1, "/no-dict")
  assert.matches("cr.new: session_dict must be the name of a lua_shared_dict", (next(bodies)), 1,
    true)
end)
