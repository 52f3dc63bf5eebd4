--- Starts the emulator: prepares a private folder and becomes nginx.
--
-- nginx replaces this process, so that the process a user started is the one that listens to
-- signals: SIGTERM, SIGINT and SIGQUIT end everything. A process cannot remove its folder after
-- SIGKILL; a watcher does, which waits on a pipe that closes when the last nginx process is gone.

local certificates = require "cr.emulator.certificates"
local find_nginx = require "cr.emulator.find_nginx"
local json = require "cr.emulator.json"
local nginx_conf = require "cr.emulator.nginx_conf"
local options = require "cr.emulator.options"
local shell = require "cr.emulator.shell"
local state = require "cr.emulator.state"

local launcher = {}

local FAILURE, WRONG_USAGE = 1, 2

local function complain(message)
  io.stderr:write("cr emulator: ", message, "\n")
end

--- The folder that holds cr/emulator/launcher.lua: src in a checkout, or where it was installed.
local function module_root()
  local root = debug.getinfo(1, "S").source:match("^@(.*)cr/emulator/launcher%.lua$")
  root = root:gsub("/$", "")
  if root:sub(1, 1) ~= "/" then
    root = shell.run("pwd -P") .. "/" .. root
  end
  return root
end

--- The fixture's text, or nil and what is wrong with it and where.
local function read_fixture(path)
  local file, reason = io.open(path, "r")
  if not file then
    return nil, reason
  end
  local text
  text, reason = file:read("*a")
  file:close()
  if not text then
    return nil, path .. ": " .. reason
  end
  local fixture
  fixture, reason = require("cjson.safe").decode(text)
  if fixture == nil then
    return nil, ("%s: no valid JSON: %s"):format(path, reason)
  end
  local registry
  registry, reason = state.new(fixture)
  if not registry then
    return nil, ("%s: %s"):format(path, reason)
  end
  return text
end

--- Two free ports where the user named none.
local function choose_ports(parsed)
  local core = require "cr.core"
  local reason
  for name, other in pairs { port = "tls_port", tls_port = "port" } do
    while not parsed[name] or parsed[name] == parsed[other] do
      parsed[name], reason = core.free_port()
      if not parsed[name] then
        return nil, reason
      end
    end
  end
  return true
end

local function in_url(address)
  local reachable = ({ ["0.0.0.0"] = "127.0.0.1", ["::"] = "::1" })[address] or address
  return reachable:find(":", 1, true) and "[" .. reachable .. "]" or reachable
end

--- Removes the folder when all that inherited the pipe's end are gone, however they went.
local function watch(folder)
  -- In a session of its own, so that a signal to our process group does not end it first.
  local script = "cat >/dev/null; rm -rf -- " .. shell.quote(folder)
  return assert(io.popen("exec setsid sh -c " .. shell.quote(script), "w"))
end

local function settings_of(parsed, folder)
  local host = in_url(parsed.host)
  return {
    endpoint = ("http://%s:%d"):format(host, parsed.port),
    https_endpoint = ("https://%s:%d"):format(host, parsed.tls_port),
    ca_file = folder .. "/ca.pem",
    has_fixture = parsed.fixture ~= nil,
    quiet = parsed.quiet == true,
    -- the shell's parent is this process, which nginx will be
    pid = tonumber((shell.run("echo $PPID"))),
  }
end

local function write_files(parsed, folder, modules, fixture)
  local specific = parsed.host ~= "0.0.0.0" and parsed.host ~= "::" and parsed.host or nil
  local ok, reason = certificates.make(folder, specific)
  if not ok then
    return nil, "openssl could not make certificates (apt-get install openssl): " .. reason
  end
  local files = {
    ["nginx.conf"] = nginx_conf.write {
      modules = modules,
      is_root = shell.run("id -u") == "0",
      root = module_root(),
      address = parsed.host:find(":", 1, true) and "[" .. parsed.host .. "]" or parsed.host,
      port = parsed.port,
      tls_port = parsed.tls_port,
    },
    ["settings.json"] = json.encode(settings_of(parsed, folder)),
    ["fixture.json"] = fixture,
  }
  for name, text in pairs(files) do
    ok, reason = shell.write_file(folder .. "/" .. name, text)
    if not ok then
      return nil, reason
    end
  end
  return true
end

--- Becomes nginx, or returns why that failed.
local function become(nginx, modules, parsed, fixture)
  local folder, status = shell.run(
    'folder=$(mktemp -d "${TMPDIR:-/tmp}/cr-emulator.XXXXXXXXXX") && cd "$folder" && pwd -P')
  if status ~= 0 then
    return "no folder for temporary files; set TMPDIR to one that is writable: " .. folder
  end
  local watcher = watch(folder)
  local ok, reason = write_files(parsed, folder, modules, fixture)
  if ok then
    -- LuaJIT inside nginx would read these two, which are for the interpreter we run in.
    ok, reason = require("cr.core").exec("env", {
      "-u", "LUA_PATH", "-u", "LUA_CPATH",
      nginx, "-p", folder .. "/", "-c", folder .. "/nginx.conf", "-e", "stderr",
    })
  end
  -- Also what keeps the pipe from being collected, and the folder from being removed, before.
  watcher:close()
  return not ok and reason
end

--- All that can fail; on success this does not return.
local function start(parsed)
  local nginx, modules = find_nginx()
  if not nginx then
    return modules
  end
  local fixture, reason
  if parsed.fixture then
    fixture, reason = read_fixture(parsed.fixture)
    if not fixture then
      return "--fixture " .. reason
    end
  end
  local ok
  ok, reason = choose_ports(parsed)
  if not ok then
    return reason
  end
  return become(nginx, modules, parsed, fixture)
end

--- @param arguments array of strings, what follows `cr emulator`
-- @return an exit status, 1 or 2 with a message on stderr; does not return when nginx runs
function launcher.main(arguments)
  local parsed, wrong = options.parse(arguments)
  if not parsed then
    complain(wrong)
    return WRONG_USAGE
  elseif parsed.help then
    io.stdout:write(options.USAGE)
    return 0
  end
  complain(start(parsed))
  return FAILURE
end

return launcher
