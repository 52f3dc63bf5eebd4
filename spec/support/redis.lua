--- A real redis-server on loopback, for the specs.
--
--     local server = redis.start { password = "…" }
--     server.port, server:command("GET", "key"), server:signal "STOP", server:stop()

local child = require "spec.support.child"
local core = require "cr.core"
local socket = require "socket"

local redis = {}

local TLS = "--tls-port PORT --port 0 --tls-auth-clients no --tls-cert-file FOLDER/server.pem " ..
  "--tls-key-file FOLDER/server.key --tls-ca-cert-file FOLDER/ca.pem"

local Server = {}
Server.__index = Server

--- One command on a new connection.
-- @return the reply's first line, and what follows of a bulk reply
function Server:command(...)
  local connection = assert(socket.connect("127.0.0.1", self.port))
  connection:settimeout(10)
  local function say(...)
    local parts = { ("*%d\r\n"):format(select("#", ...)) }
    for _, word in ipairs { ... } do
      parts[#parts + 1] = ("$%d\r\n%s\r\n"):format(#word, word)
    end
    assert(connection:send(table.concat(parts)))
    local line = assert(connection:receive "*l")
    local size = tonumber(line:match "^%$(%d+)$")
    return line, size and assert(connection:receive(size + 2)):sub(1, -3)
  end
  if self.password then
    say("AUTH", self.password)
  end
  if self.database then
    say("SELECT", self.database)
  end
  local line, bulk = say(...)
  connection:close()
  return line, bulk
end

--- @tparam[opt] table given port, password, database (of `command`), tls (folder of an emulator,
--   for its certificate)
function redis.start(given)
  given = given or {}
  local port, folder = given.port or core.free_port(), child.new_folder()
  local password = given.password and " --requirepass " .. given.password or ""
  local listen = given.tls and TLS:gsub("PORT", port):gsub("FOLDER", given.tls) or "--port " .. port
  local process = child.start(("redis-server %s --bind 127.0.0.1 --save '' --dir %s%s >/dev/null")
    :format(listen, folder, password))
  local server = setmetatable({
    process = process, port = tonumber(port), folder = folder, password = given.password,
    database = given.database,
  }, Server)
  for _ = 1, 500 do
    local connection = socket.connect("127.0.0.1", server.port)
    if connection then
      connection:close()
      return server
    end
    core.sleep(0.02)
  end
  server:stop()
  error("redis-server did not start", 2)
end

--- Sends it a signal.
function Server:signal(name)
  os.execute(("kill -%s %s"):format(name, self.process.pid))
end

function Server:stop()
  self:signal "CONT"
  self.process.stop()
  child.remove_folder(self.folder)
end

return redis
