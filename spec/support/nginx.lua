--- A real nginx with its Lua module, for specs of the library inside it. That is LuaJIT, so only
-- LuaJIT's run of the specs has the build for it.
--
--     local server = nginx.start { init = "Lua", locations = "nginx", workers = 4 }
--     server.url, server:stop() → what it wrote on standard error

local child = require "spec.support.child"
local core = require "cr.core"
local find_nginx = require "cr.emulator.find_nginx"
local http = require "socket.http"

local nginx = {}

-- @NAME@ are filled in.
local CONFIGURATION = [[
@modules@
daemon off;
worker_processes @workers@;
@main@
pid @folder@/nginx.pid;
error_log stderr @level@;
events { worker_connections @connections@; }
http {
  access_log off;
  lua_package_path "@path@;;";
  lua_package_cpath "@cpath@;;";
  client_body_temp_path @folder@/body; proxy_temp_path @folder@/proxy;
  fastcgi_temp_path @folder@/fastcgi; uwsgi_temp_path @folder@/uwsgi; scgi_temp_path @folder@/scgi;
  @http@
  init_by_lua_block { @init@ }
  server {
    listen 127.0.0.1:@port@ @listen@;
    location = /ready { return 204; }
    @locations@
  }
}
]]

local Server = {}
Server.__index = Server

local function module_lines()
  local _, modules = find_nginx()
  local lines = {}
  for index, module in ipairs(modules) do
    lines[index] = ("load_module %s;"):format(module)
  end
  return table.concat(lines, "\n")
end

--- Starts it and waits until it answers.
-- @param given init (Lua), locations (nginx), http and main (more directives; in main a thread
--   pool "cr" by default), level of the error log ("crit"), workers (1), connections (256 per
--   worker), listen (options of it)
function nginx.start(given)
  local folder, port = child.new_folder(), core.free_port()
  local root = io.popen("pwd"):read "*l"
  local values = {
    modules = module_lines(), folder = folder, level = given.level or "crit",
    path = ("%s/?.lua;%s"):format(root, package.path), cpath = package.cpath,
    main = given.main or "thread_pool cr threads=32;", http = given.http or "",
    workers = given.workers or 1, connections = given.connections or 256,
    init = given.init or "", port = port,
    listen = given.listen or "",
    locations = given.locations,
  }
  child.write(folder .. "/nginx.conf", (CONFIGURATION:gsub("@(%l+)@", values)))
  local output = io.popen(("echo $$; exec env -u LD_PRELOAD %s -p %s -c %s/nginx.conf 2>&1")
    :format((find_nginx()), folder, folder))
  local server = setmetatable({
    pid = output:read "*l", output = output, folder = folder, port = tonumber(port),
    url = ("http://127.0.0.1:%d"):format(port),
  }, Server)
  for _ = 1, 500 do
    local _, status = http.request(server.url .. "/ready")
    if status == 204 then
      return server
    end
    core.sleep(0.02)
  end
  error("nginx did not start: " .. server:stop(), 2)
end

--- Ends it; returns what it wrote.
function Server:stop()
  os.execute("kill " .. self.pid)
  local said = self.output:read "*a" -- ends with nginx
  self.output:close()
  child.remove_folder(self.folder)
  return said
end

return nginx
