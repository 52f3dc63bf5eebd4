--- Writes the nginx.conf of one emulator.
--
-- Everything that nginx would put elsewhere (temp paths, pid, logs) lies in the emulator's own
-- folder, which is nginx's prefix; so file names here are relative and need no quoting.

-- @NAME@ are filled in below. One worker: its memory is the registry. Header buffers take
-- whatever a query may hold; a body fits in memory, where Lua reads it.
local TEMPLATE = [[
@modules@
@user@
daemon off;
master_process on;
worker_processes 1;
worker_shutdown_timeout 1s;
pid nginx.pid;
error_log stderr warn;

events {
  worker_connections 4096;
}

http {
  access_log off;
  server_tokens off;
  client_body_temp_path temp;
  proxy_temp_path temp;
  fastcgi_temp_path temp;
  uwsgi_temp_path temp;
  scgi_temp_path temp;

  lua_package_path "@package_path@";
  lua_shared_dict cr_nonces 32m;
  lua_shared_dict cr_once 64k;
  init_worker_by_lua_block { require("cr.emulator.server").start() }

  lingering_timeout 1s;
  keepalive_timeout 300s;
  keepalive_requests 1000000000;
  client_header_buffer_size 16k;
  large_client_header_buffers 4 256k;
  client_body_buffer_size 1m;
  client_max_body_size 1m;
  tcp_nodelay on;
  reset_timedout_connection on;

  gzip on;
  gzip_types application/json text/plain;
  gzip_min_length 1000;
  gzip_proxied any;

  server {
    listen @address@:@port@ backlog=1024;
    listen @address@:@tls_port@ ssl backlog=1024;
    ssl_certificate server.pem;
    ssl_certificate_key server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:cr_tls:1m;

    location / {
      content_by_lua_block { require("cr.emulator.server").content() }
    }

    error_page 400 403 404 405 408 411 412 413 414 416 421 429 494 495 496 497
               500 501 502 503 504 505 /_refused;
    location = /_refused {
      internal;
      content_by_lua_block { require("cr.emulator.server").refused() }
    }
  }
}
]]

local nginx_conf = {}

local function quoted(text)
  return (text:gsub('[\\"]', "\\%0"))
end

--- @param given modules (array of paths to load), is_root, root (folder of the Lua modules),
-- address, port, tls_port
function nginx_conf.write(given)
  local modules = {}
  for index, path in ipairs(given.modules) do
    modules[index] = ('load_module "%s";'):format(quoted(path))
  end
  local values = {
    modules = table.concat(modules, "\n"),
    -- As root, nginx would give its worker to a user who can read neither folder.
    user = given.is_root and "user root root;" or "",
    package_path = quoted(("%s/?.lua;%s/?/init.lua;;"):format(given.root, given.root)),
    address = given.address,
    port = given.port,
    tls_port = given.tls_port,
  }
  return (TEMPLATE:gsub("@([a-z_]+)@", function(name)
    return tostring(values[name])
  end))
end

return nginx_conf
