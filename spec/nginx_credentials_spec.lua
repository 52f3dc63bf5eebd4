--- Sessions in a real nginx: requests of one worker wait for one refresh, and it waits for them.

if not rawget(_G, "jit") then
  return
end

local emulator = require "spec.support.emulator"
local http = require "socket.http"
local nginx = require "spec.support.nginx"
local socket = require "socket"

local INIT = [[
  client = require("cr").new {
    endpoint = "%s",
    credentials = {
      type = "ram_role_arn", role_arn = "acs:ram::1000000000000001:role/reader",
      sts_endpoint = "%s", timeout = 1,
      source = { type = "access_key", access_key_id = "%s", access_key_secret = "%s" },
    },
  }
]]

local PROGRAM = [[
  by_program = require("cr").new {
    endpoint = "%s",
    credentials = { type = "external", process_command = "%s" },
  }
]]

local LOCATIONS = [[
  location = /tag {
    content_by_lua_block {
      local used = ngx.var.arg_by == "program" and by_program or client
      local tag, err = used:get_repo_tag { InstanceId = "cri-kmsiwlxxdcva****",
        RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
      ngx.say(tag and tag.Tag or tostring(err))
    }
  }
  location = /given-up {
    lua_check_client_abort on;
    content_by_lua_block {
      ngx.on_abort(function() ngx.exit(499) end)
      client:get_repo_tag { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "r", Tag = "1.0" }
    }
  }
]]

local api, server

before_each(function()
  api = emulator.start()
  local key = ([[printf '{"mode":"AK","access_key_id":"%s","access_key_secret":"%s"}']])
    :format(api.access_key_id, api.access_key_secret)
  server = nginx.start {
    init = INIT:format(api.endpoint, api.endpoint, api.access_key_id, api.access_key_secret) ..
      PROGRAM:format(api.endpoint, (key:gsub('[\\"]', "\\%0"))),
    locations = LOCATIONS, level = "error",
  }
end)

after_each(function()
  server:stop()
  api:stop()
end)

local function send(path)
  local connection = assert(socket.connect("127.0.0.1", server.port))
  connection:settimeout(30)
  assert(connection:send("GET " .. path .. " HTTP/1.0\r\n\r\n"))
  return connection
end

--- Many requests at once.
-- @return the bodies
local function at_once(count, path)
  local connections, bodies = {}, {}
  for number = 1, count do
    connections[number] = send(path)
  end
  for number, connection in ipairs(connections) do
    bodies[number] = assert(connection:receive "*a"):match "\r\n\r\n(.*)\n$"
    connection:close()
  end
  return bodies
end

local function assert_all(expected, bodies)
  for _, body in ipairs(bodies) do
    assert.equal(expected, body)
  end
end

local function count(operation)
  local found = 0
  for _, entry in ipairs(api:log()) do
    found = found + (entry.operation == operation and 1 or 0)
  end
  return found
end

describe("requests of one worker", function()
  it("fetch one session, first and after it was refused", function()
    api:fault { operation = "AssumeRole", delay_ms = 200 }
    assert_all("1.0", at_once(50, "/tag"))
    assert.equal(1, count "AssumeRole")
    api:expire()
    api:fault { operation = "AssumeRole", delay_ms = 200 }
    assert_all("1.0", at_once(50, "/tag"))
    assert.equal(2, count "AssumeRole")
  end)

  it("are not held up by a refresh whose client went away", function()
    api:fault { operation = "AssumeRole", delay_ms = 5000 }
    local given_up = send "/given-up"
    repeat
      socket.sleep(0.01)
    until count "AssumeRole" == 1
    given_up:close()
    assert_all("1.0", at_once(10, "/tag"))
    assert.equal(2, count "AssumeRole")
  end)

  it("share a program's credential, though nginx takes its exit status", function()
    local bodies = at_once(20, "/tag?by=program")
    assert_all("1.0", bodies)
    assert.equal("1.0\n", (http.request(server.url .. "/tag?by=program")))
  end)
end)
