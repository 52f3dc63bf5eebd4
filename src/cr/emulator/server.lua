--- The emulator inside nginx: what the directives of nginx.conf call.
--
-- The registry lives in the one worker's memory. Whatever goes wrong in here becomes a JSON answer
-- and a line on stderr, never nginx's HTML.

local cjson = require "cjson.safe"
local clock = require "cr.emulator.clock"
local control = require "cr.emulator.control"
local deliver = require "cr.emulator.deliver"
local faults = require "cr.emulator.faults"
local limit = require "cr.emulator.limit"
local log = require "cr.emulator.log"
local pipeline = require "cr.emulator.pipeline"
local process = require "cr.emulator.process"
local request = require "cr.emulator.request"
local respond = require "cr.emulator.respond"
local services = require "cr.emulator.services"
local sessions = require "cr.emulator.sessions"
local state = require "cr.emulator.state"

local server = {}

local CONTROL = "/_emulator/"

local settings, registry

local function read(name)
  local file = assert(io.open(ngx.config.prefix() .. name, "r"))
  local text = file:read("*a")
  file:close()
  return assert(cjson.decode(text))
end

local function reset()
  local fixture = settings.has_fixture and read("fixture.json") or {}
  registry = assert(state.new(fixture))
  registry.sessions = sessions.new_store()
  clock.shift(0)
  limit.set({})
  ngx.shared.cr_nonces:flush_all()
  faults.clear()
  log.clear()
end

local actions = {
  reset = reset,
  expire = function()
    return sessions.expire(registry)
  end,
}

--- Says where it listens, once: a worker that takes over from a crashed one keeps silent.
local function announce()
  if settings.quiet or not ngx.shared.cr_once:add("announced", true) then
    return
  end
  local user = registry.users.list[1]
  local lines = {
    { "ALIBABA_CLOUD_ENDPOINT", settings.endpoint },
    { "ALIBABA_CLOUD_REGION_ID", registry.region },
    { "ALIBABA_CLOUD_ACCESS_KEY_ID", user.access_key_id },
    { "ALIBABA_CLOUD_ACCESS_KEY_SECRET", user.access_key_secret },
    { "CR_EMULATOR_HTTPS_ENDPOINT", settings.https_endpoint },
    { "CR_EMULATOR_CA_FILE", settings.ca_file },
    { "CR_STS_ENDPOINT", settings.endpoint },
    { "CR_METADATA_ENDPOINT", settings.endpoint },
    { "CR_EMULATOR_CREDENTIALS_URI", settings.endpoint .. "/credentials" },
    { "CR_EMULATOR_PID", ("%d"):format(settings.pid) },
  }
  for _, line in ipairs(lines) do
    local value = line[2]
    if value:find("[^%w%._:/@%%+=,-]") or value == "" then
      value = "'" .. value:gsub("'", "'\\''") .. "'"
    end
    io.stdout:write("export ", line[1], "=", value, "\n")
  end
  io.stdout:flush()
end

--- For init_worker_by_lua: the sockets listen by now.
function server.start()
  settings = read("settings.json")
  process.die_with_parent(settings.pid)
  reset()
  announce()
end

local function internal_error(incoming, reason)
  ngx.log(ngx.ERR, "cr emulator: ", reason)
  return respond.failure(incoming, {
    status = 500, code = "InternalError",
    message = "The request processing has failed due to some unknown error.",
  })
end

--- For content_by_lua of every path.
function server.content()
  local path = ngx.var.uri
  if path:sub(1, #CONTROL) == CONTROL then
    return deliver(control.handle(path:sub(#CONTROL + 1), actions))
  end
  local incoming = request.read()
  local ok, answer, fault = xpcall(pipeline.handle, debug.traceback,
    services.find(incoming), registry, incoming)
  if not ok then
    answer, fault = internal_error(incoming, answer), nil
  end
  log.record(incoming, answer, fault)
  return deliver(answer, fault)
end

--- For error_page: what nginx itself refuses, such as a header that is too large.
function server.refused()
  local status = ngx.status
  local incoming = { host = ngx.var.http_host or "", headers = {}, is_v3 = true }
  return deliver(respond.failure(incoming, {
    status = status, code = ("Http%d"):format(status),
    message = ("nginx refused the request with HTTP status %d."):format(status),
  }))
end

return server
