--- Finds an nginx with Lua: Debian's with its module, or OpenResty.

local shell = require "cr.emulator.shell"

local INSTALL = "install it with: apt-get install nginx-light libnginx-mod-http-lua lua-cjson"
local PLACES = "/usr/sbin:/usr/local/sbin:/usr/local/openresty/nginx/sbin:/usr/local/nginx/sbin"
local MODULES = { "ndk_http_module.so", "ngx_http_lua_module.so" }

local function exists(path)
  local file = io.open(path, "r")
  return file and file:close() ~= nil
end

--- @return path of nginx and array of the modules it must load, or nil and what to do
local function find_nginx()
  local path, status = shell.run(("PATH=$PATH:%s; command -v nginx || command -v openresty")
    :format(PLACES))
  if status ~= 0 then
    return nil, "nginx was not found; " .. INSTALL
  end
  local build = shell.run(shell.quote(path) .. " -V")
  if build:find("ngx_lua", 1, true) or build:find("lua%-nginx%-module") then
    return path, {}
  end
  local folder = build:match("%-%-modules%-path=(%S+)") or
    (build:match("%-%-prefix=(%S+)") or "/usr/local/nginx") .. "/modules"
  local modules = {}
  for index, name in ipairs(MODULES) do
    modules[index] = folder .. "/" .. name
    if not exists(modules[index]) then
      return nil, ("%s has no Lua: %s is missing; %s"):format(path, modules[index], INSTALL)
    end
  end
  return path, modules
end

return find_nginx
