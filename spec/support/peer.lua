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
--
-- `misbehave(fault)` is a server that does wrong until the spec calls `peer:behave()`, and from
-- then on answers as it should; `peer:misbehave()` turns it back. See there.

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

  --- From the next request (with `at_connect`: the next connection) on the peer answers as it
  -- should. A script that has to do something first says so: `waits` is what it will note.
  function peer:behave(waits)
    child.write(self.folder .. "/behave", "")
    if waits then
      self:await(waits)
    end
  end

  --- Waits until this was noted.
  function peer:await(text)
    while not self:log():find(text, 1, true) do
      require("socket").sleep(0.002)
    end
  end

  function peer:misbehave()
    os.remove(self.folder .. "/behave")
  end

  --- Forgets what was noted so far.
  function peer:clear_log()
    child.write(self.folder .. "/log", "")
  end

  --- How often the peer did wrong so far.
  function peer:faults()
    local _, count = self:log():gsub("<fault>", "")
    return count
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

local server, port

--- Listens: at first on a free port, anew on the same one.
local function listen(backlog)
  server = assert(socket.bind("127.0.0.1", port or 0, backlog))
  server:settimeout(PATIENCE)
  local _, bound = server:getsockname()
  port = bound
end

listen()
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

--- Waits until the client leaves.
function Connection:stay()
  repeat
    local _, reason, rest = self.tcp:receive(4096)
  until reason and #rest == 0
end

--- Waits until the client has sent something, and leaves it unread.
function Connection:await()
  socket.select({ self.tcp }, nil, PATIENCE)
end

--- Sends a text over and over until the client leaves or the limit of bytes is reached.
function Connection:flood(text, limit)
  local sent = 0
  while sent < (limit or math.huge) and self.tcp:send(text) do
    sent = sent + #text
  end
end

--- Sends a text byte by byte, with pauses of seconds, until the client leaves.
function Connection:drip(text, pause)
  for i = 1, #text do
    if not self.tcp:send(text:sub(i, i)) then
      return
    end
    socket.sleep(pause)
  end
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

--- Whether the spec wants the peer to do as it should now.
function environment.behaves()
  local file = io.open(arg[1] .. "/behave")
  if file then
    file:close()
  end
  return file ~= nil
end

--- Waits until `behaves()`.
function environment.await_behaviour()
  while not environment.behaves() do
    socket.sleep(0.002)
  end
end

environment.GOOD = environment.answer("200 OK",
  '{"IsSuccess":true,"Code":"success","RequestId":"GOOD","Status":"NORMAL"}')

--- A server that does wrong while it may: `fault(connection, head)` instead of an answer. Where it
-- returns true the connection is kept, else it is closed.
-- @tparam function fault
-- @tparam[opt] boolean at_connect the fault comes before the request is read
-- @tparam[opt] function good what is done with a connection when all is well, instead of answering
function environment.misbehave(fault, at_connect, good)
  local function wrong(connection, head)
    environment.note "<fault>"
    return fault(connection, head)
  end
  local function begin(connection)
    if environment.behaves() then
      return not good or good(connection)
    end
    return not at_connect or wrong(connection)
  end
  while true do
    local connection = environment.accept()
    local is_kept = begin(connection)
    while is_kept do
      local head = connection:request()
      if not head then
        is_kept = false
      elseif environment.behaves() then
        connection:send(environment.GOOD)
      else
        is_kept = wrong(connection, head)
      end
    end
    connection:close()
  end
end

--- Passes everything on between the client and another server until one of them leaves.
-- @tparam number other the server's port
-- @tparam[opt] function change what the server sends → what the client gets, nil for the end; it is
--   also given how many bytes came before
function Connection:relay(other, change)
  local there = assert(socket.connect("127.0.0.1", other))
  local came = 0
  self.tcp:settimeout(0)
  there:settimeout(0)
  local function pass(from, to)
    local data, reason, rest = from:receive(65536)
    data = data or rest
    if from == there and change then
      came, data = came + #data, change(data, came)
    end
    to:settimeout(PATIENCE)
    local is_sent = data and to:send(data)
    to:settimeout(0)
    return is_sent and reason ~= "closed"
  end
  local goes_on = true
  while goes_on do
    for _, from in ipairs((socket.select({ self.tcp, there }, nil, PATIENCE))) do
      goes_on = goes_on and pass(from, from == there and self.tcp or there)
    end
  end
  there:close()
end

--- Stops listening; connections are refused from now on.
function environment.close_port()
  server:close()
end

--- Listens again on the same port.
environment.open_port = listen

environment.port = port
environment.socket = socket

local chunk
if setfenv then
  chunk = assert(loadfile(arg[1] .. "/script.lua"))
  setfenv(chunk, environment)
else
  chunk = assert(loadfile(arg[1] .. "/script.lua", "t", environment))
end
chunk()
