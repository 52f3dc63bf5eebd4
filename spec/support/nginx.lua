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

--- The load_module lines of the main block.
function nginx.module_lines()
  local _, modules = find_nginx()
  local lines = {}
  for index, module in ipairs(modules) do
    lines[index] = ("load_module %s;"):format(module)
  end
  return table.concat(lines, "\n")
end

--- Starts a process of nginx in a folder that is removed when it is stopped.
-- @tparam string arguments of nginx, for a shell
-- @tparam ?table environment
-- @return {pid, output, folder}
function nginx.launch(folder, arguments, environment)
  local words = { "env -u LD_PRELOAD" }
  for name, value in pairs(environment or {}) do
    words[#words + 1] = name .. "=" .. child.quote(value)
  end
  local output = io.popen(("echo $$; exec %s %s %s 2>&1"):format(table.concat(words, " "),
    (find_nginx()), arguments))
  return { pid = output:read "*l", output = output, folder = folder }
end

--- Waits until `is_ready()`; false when that takes too long.
function nginx.await(is_ready)
  for _ = 1, 500 do
    if is_ready() then
      return true
    end
    core.sleep(0.02)
  end
  return false
end

--- Ends a process that was launched; returns what it wrote.
-- @tparam ?boolean is_over it ends by itself
function nginx.finish(process, is_over)
  if not is_over then
    os.execute("kill " .. process.pid)
  end
  local said = process.output:read "*a" -- ends with nginx
  process.output:close()
  child.remove_folder(process.folder)
  return said
end

--- Whether the location /ready answers.
function nginx.is_ready(url)
  local _, status = http.request(url .. "/ready")
  return status == 204
end

--- Starts it and waits until it answers.
-- @param given init (Lua), locations (nginx), http and main (more directives; in main a thread
--   pool "cr" by default), level of the error log ("crit"), workers (1), connections (256 per
--   worker), listen (options of it)
function nginx.start(given)
  local folder, port = child.new_folder(), core.free_port()
  local root = io.popen("pwd"):read "*l"
  local values = {
    modules = nginx.module_lines(), folder = folder, level = given.level or "crit",
    path = ("%s/?.lua;%s"):format(root, package.path), cpath = package.cpath,
    main = given.main or "thread_pool cr threads=32;", http = given.http or "",
    workers = given.workers or 1, connections = given.connections or 256,
    init = given.init or "", port = port,
    listen = given.listen or "",
    locations = given.locations,
  }
  child.write(folder .. "/nginx.conf", (CONFIGURATION:gsub("@(%l+)@", values)))
  local server = setmetatable(
    nginx.launch(folder, ("-p %s -c %s/nginx.conf"):format(folder, folder)), Server)
  server.port, server.url = tonumber(port), ("http://127.0.0.1:%d"):format(port)
  if not nginx.await(function() return nginx.is_ready(server.url) end) then
    error("nginx did not start: " .. server:stop(), 2)
  end
  return server
end

--- Ends it; returns what it wrote.
function Server:stop()
  return nginx.finish(self)
end

return nginx
