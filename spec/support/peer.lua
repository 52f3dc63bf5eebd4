--- A TCP server on loopback that does what a spec says, in a process of its own.
--
--     local peer = require("spec.support.peer").start [[
--       local connection = accept()
--       connection:request()
--       connection:send "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
--     ]]
--     ... peer.url, peer:log(), peer:stop()
--
-- The script runs in a new interpreter with `accept()`, `note(text)` and `serve(answer)` beside the
-- usual globals. A connection has `request()`, which reads one request, notes it and returns its
-- head and body (nil when the client has gone), `send(text)`, `close()` and `reset()`. What is
-- noted is in the log before the answer leaves, so a spec that has the answer finds it there.

local IS_SERVER = arg and arg[0] and arg[0]:find("spec/support/peer%.lua$") ~= nil and
  arg[1] ~= nil and arg[1]:find("^/") ~= nil

if not IS_SERVER then
  local child = require "spec.support.child"
  local fixture = require "spec.support.fixture"

  local peer = {}
  peer.__index = peer

  --- Starts a server with this script; returns when it listens.
  function peer.start(script)
    local folder = child.new_folder()
    child.write(folder .. "/script.lua", script)
    child.write(folder .. "/log", "")
    local process = child.start(("%s spec/support/peer.lua %s"):format(child.LUA, folder))
    local port = process.line()
    if not tonumber(port) then
      process.stop()
      error("the peer did not start: " .. tostring(port), 2)
    end
    return setmetatable({
      folder = folder, process = process, port = tonumber(port),
      address = "127.0.0.1:" .. port, url = "http://127.0.0.1:" .. port .. "/",
    }, peer)
  end

  --- Everything that was noted so far.
  function peer:log()
    return fixture.read(self.folder .. "/log")
  end

  --- The requests that were noted so far, each as {line, headers (lower-case name → value, as an
  -- array of names too), body}.
  function peer:requests()
    local list = {}
    for connection, head, body in self:log():gmatch("<request (%d+)\n(.-)\r\n\r\n(.-)\n>\n") do
      local request = { connection = tonumber(connection), headers = {}, body = body }
      for line in (head .. "\r\n"):gmatch("(.-)\r\n") do
        local name, value = line:match("^([^:]+):%s*(.*)$")
        if request.line and name then
          assert(request.headers[name:lower()] == nil, "header twice: " .. name)
          request.headers[name:lower()] = value
          request.headers[#request.headers + 1] = name
        else
          request.line = line
        end
      end
      list[#list + 1] = request
    end
    return list
  end

  function peer:stop()
    self.process.stop()
    child.remove_folder(self.folder)
  end

  return peer
end

-- From here on: the server.

local socket = require "socket"

local PATIENCE = 60 -- seconds; a server whose spec died must not stay

local server = assert(socket.bind("127.0.0.1", 0))
server:settimeout(PATIENCE)
local _, port = server:getsockname()
io.stdout:write(port, "\n")
io.stdout:flush()

local log = assert(io.open(arg[1] .. "/log", "ab"))
local connections = 0

local environment = setmetatable({}, { __index = _G })

function environment.note(text)
  log:write(text, "\n")
  log:flush()
end

local Connection = {}
Connection.__index = Connection

function environment.accept()
  local tcp = assert(server:accept())
  tcp:settimeout(PATIENCE)
  connections = connections + 1
  return setmetatable({ tcp = tcp, number = connections }, Connection)
end

function Connection:request()
  local lines, length = {}, 0
  repeat
    local line = self.tcp:receive "*l"
    if not line then
      return nil
    end
    lines[#lines + 1] = line
    length = tonumber(line:lower():match("^content%-length:%s*(%d+)")) or length
  until line == ""
  local head = table.concat(lines, "\r\n") .. "\r\n"
  local body = length > 0 and self.tcp:receive(length) or ""
  -- no format: %s of Lua 5.1 ends at a zero byte
  environment.note("<request " .. self.number .. "\n" .. head .. body .. "\n>")
  return head, body
end

function Connection:send(text)
  return self.tcp:send(text)
end

function Connection:close()
  self.tcp:close()
end

--- Closes so that the client gets a reset.
function Connection:reset()
  self.tcp:setoption("linger", { on = true, timeout = 0 })
  self.tcp:close()
end

--- Answers every request on every connection, one connection at a time, with the same text or with
-- what a function of head, body and the connection's number returns.
function environment.serve(answer)
  while true do
    local connection = environment.accept()
    for head, body in function() return connection:request() end do
      local text = type(answer) == "function" and answer(head, body, connection.number) or answer
      connection:send(text)
    end
    connection:close()
  end
end

--- A whole answer with the length of its body.
function environment.answer(status, body, headers)
  return "HTTP/1.1 " .. status .. "\r\nContent-Length: " .. #body .. "\r\n" .. (headers or "") ..
    "\r\n" .. body
end

local chunk
if setfenv then
  chunk = assert(loadfile(arg[1] .. "/script.lua"))
  setfenv(chunk, environment)
else
  chunk = assert(loadfile(arg[1] .. "/script.lua", "t", environment))
end
chunk()
