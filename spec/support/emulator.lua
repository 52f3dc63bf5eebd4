--- Starts, steers and stops an emulator for the specs.
--
--     local server = emulator.start()            -- or { fixture = table or file, args = "…" }
--     server.endpoint, server.https_endpoint, server.ca_file, server.region, server.pid,
--     server.access_key_id, server.access_key_secret, server.sts_endpoint,
--     server.metadata_endpoint, server.credentials_uri
--     server:fault { operation = "GetRepoTag", status = 503 }
--     server:stop()
--
-- The command is $CR_BIN, else bin/cr. Its standard output ends when nginx and the watcher of its
-- folder are both gone, so stopping needs no waiting by the clock.

local cjson = require "cjson"
local http = require "socket.http"
local ltn12 = require "ltn12"

local emulator = {}

local Server = {}
Server.__index = Server

local FIELDS = {
  ALIBABA_CLOUD_ENDPOINT = "endpoint",
  ALIBABA_CLOUD_REGION_ID = "region",
  ALIBABA_CLOUD_ACCESS_KEY_ID = "access_key_id",
  ALIBABA_CLOUD_ACCESS_KEY_SECRET = "access_key_secret",
  CR_EMULATOR_HTTPS_ENDPOINT = "https_endpoint",
  CR_EMULATOR_CA_FILE = "ca_file",
  CR_STS_ENDPOINT = "sts_endpoint",
  CR_METADATA_ENDPOINT = "metadata_endpoint",
  CR_EMULATOR_CREDENTIALS_URI = "credentials_uri",
  CR_EMULATOR_PID = "pid",
}

function emulator.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- A shell command that runs `cr emulator`.
-- @param arguments string, already quoted for a shell
function emulator.command(arguments)
  return ("%s emulator %s"):format(os.getenv("CR_BIN") or "bin/cr", arguments or "")
end

--- Writes a temporary file; the caller removes it.
function emulator.temporary_file(text)
  local path = os.tmpname()
  local file = assert(io.open(path, "w"))
  file:write(text)
  file:close()
  return path
end

local function unquote(value)
  return value:match("^'(.*)'$") and value:sub(2, -2):gsub("'\\''", "'") or value
end

--- Starts an emulator and waits until it listens.
-- @param given fixture (a table, or the path of a file), args (string for the shell); optional
function emulator.start(given)
  given = given or {}
  local arguments, written = given.args or "", nil
  local fixture = given.fixture
  if type(fixture) == "table" then
    written = emulator.temporary_file(cjson.encode(fixture))
    fixture = written
  end
  if fixture then
    arguments = arguments .. " --fixture " .. emulator.quote(fixture)
  end
  local server = setmetatable({}, Server)
  server.output = assert(io.popen("exec env -u LD_PRELOAD " ..
    emulator.command(arguments), "r"))
  for line in server.output:lines() do
    local name, value = line:match("^export ([%w_]+)=(.*)$")
    server[FIELDS[name] or "unexpected"] = value and unquote(value) or line
    if server.pid then
      break
    end
  end
  if written then
    os.remove(written)
  end
  if not server.pid then
    server.output:close()
    error("the emulator did not start: " .. emulator.command(arguments), 2)
  end
  server.pid = tonumber(server.pid)
  return server
end

--- Ends it, and returns when no process and no folder of it is left.
-- @param signal name without SIG, TERM if not given
function Server:stop(signal)
  if not self.output then
    return
  end
  os.execute(("kill -%s %d"):format(signal or "TERM", self.pid))
  self.output:read("*a")
  self.output:close()
  self.output = nil
end

--- One exchange with the control address.
-- @return the decoded answer and the HTTP status
function Server:control(method, name, body)
  local chunks = {}
  body = body or ""
  local ok, status = http.request {
    url = self.endpoint .. "/_emulator/" .. name,
    method = method,
    headers = { ["content-length"] = tostring(#body) },
    source = ltn12.source.string(body),
    sink = ltn12.sink.table(chunks),
  }
  assert(ok, status)
  return cjson.decode(table.concat(chunks)), status
end

local function succeed(answer, status)
  if status >= 300 then
    error(("the emulator answers %d: %s"):format(status, tostring(answer.error)), 3)
  end
  return answer
end

--- Queues a fault; docs/emulator.md lists the fields.
function Server:fault(fault)
  return succeed(self:control("POST", "faults", cjson.encode(fault)))
end

function Server:faults()
  return succeed(self:control("GET", "faults"))
end

function Server:clear_faults()
  return succeed(self:control("DELETE", "faults"))
end

--- Limits requests per second: {per_second=, burst=}.
function Server:limit(given)
  return succeed(self:control("POST", "limit", cjson.encode(given)))
end

--- The last requests, oldest first.
function Server:log()
  return succeed(self:control("GET", "log"))
end

function Server:clear_log()
  return succeed(self:control("DELETE", "log"))
end

--- Ends every session made so far.
-- @return how many were still good
function Server:expire()
  return succeed(self:control("POST", "expire")).expired
end

--- Moves the emulator's clock against the machine's.
-- @param offset_seconds whole number; nothing is moved without it
-- @return the offset in force
function Server:clock(offset_seconds)
  if not offset_seconds then
    return succeed(self:control("GET", "clock")).offset_seconds
  end
  local body = ('{"offset_seconds":%d}'):format(offset_seconds)
  return succeed(self:control("POST", "clock", body)).offset_seconds
end

--- Back to the fixture: registry, sessions, clock, nonces, faults and log.
function Server:reset()
  return succeed(self:control("POST", "reset"))
end

return emulator
