--- The library inside a real nginx with its Lua module. That is LuaJIT, so only LuaJIT's run of the
-- specs has the build for it.

if not rawget(_G, "jit") then
  return
end

local child = require "spec.support.child"
local core = require "cr.core"
local emulator = require "spec.support.emulator"
local find_nginx = require "cr.emulator.find_nginx"
local http = require "socket.http"

local CONFIGURATION = [[
%s
daemon off;
worker_processes 1;
pid %s/nginx.pid;
error_log stderr crit;
events { worker_connections 64; }
http {
  access_log off;
  lua_package_path "%s;;";
  lua_package_cpath "%s;;";
  client_body_temp_path %s/body; proxy_temp_path %s/proxy; fastcgi_temp_path %s/fastcgi;
  uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;
  init_by_lua_block {
    client = require("cr").new { endpoint = "%s", credentials = { type = "access_key",
      access_key_id = "%s", access_key_secret = "%s" } }
    function describe()
      return client:get_repo_tag { InstanceId = "cri-kmsiwlxxdcva****",
        RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
    end
    at_start = assert(describe())
  }
  server {
    listen 127.0.0.1:%d;
    location / {
      content_by_lua_block {
        local tag, err = describe()
        ngx.say(tag and tag.ImageSize or tostring(err), " ", at_start.ImageSize)
      }
    }
  }
}
]]

describe("in nginx", function()
  it("a client made and used in init_by_lua goes on in the worker", function()
    local server = emulator.start()
    local folder, port = child.new_folder(), core.free_port()
    local nginx, modules = find_nginx()
    local load = {}
    for index, module in ipairs(modules) do
      load[index] = ("load_module %s;"):format(module)
    end
    child.write(folder .. "/nginx.conf", CONFIGURATION:format(table.concat(load, "\n"), folder,
      package.path, package.cpath, folder, folder, folder, folder, folder, server.endpoint,
      server.access_key_id, server.access_key_secret, port))
    local process = io.popen(("echo $$; exec env -u LD_PRELOAD %s -p %s -c %s/nginx.conf 2>&1")
      :format(nginx, folder, folder))
    local pid = process:read "*l"
    local body
    for _ = 1, 200 do
      body = http.request(("http://127.0.0.1:%d/"):format(port))
      if body then
        break
      end
      core.sleep(0.02)
    end
    os.execute("kill " .. pid)
    local said = process:read "*a" -- ends with nginx
    process:close()
    server:stop()
    child.remove_folder(folder)
    assert.equal("27107966 27107966\n", body, said)
  end)
end)
