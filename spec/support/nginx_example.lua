--- Runs an example of examples/openresty as it stands: its nginx.conf with another port, this
-- checkout's paths, and what a real nginx needs to run in the foreground in a folder of its own.
--
--     local example = nginx_example.start("tag_status", {
--       environment = { CR_INSTANCE_ID = "…" }, replaced = { ["127.0.0.1:5000"] = "…" },
--     })
--     example.url, example.port, example.folder, example:stop() → what it wrote

local child = require "spec.support.child"
local core = require "cr.core"
local find_nginx = require "cr.emulator.find_nginx"
local fixture = require "spec.support.fixture"
local http = require "socket.http"

local nginx_example = {}

local Example = {}
Example.__index = Example

local MAIN = [[
%s
daemon off;
pid nginx.pid;
error_log stderr crit;
]]

local HTTP = [[http {
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  access_log off;
  lua_package_path "%s/?.lua;%s";
  lua_package_cpath "%s";
]]

--- Replaces text that must be there.
local function replace(text, old, new)
  local from, to = text:find(old, 1, true)
  assert(from, "the example's nginx.conf has no " .. old)
  return text:sub(1, from - 1) .. new .. text:sub(to + 1)
end

local function configuration(text, folder, port, replaced)
  local _, modules = find_nginx()
  local lines = {}
  for index, module in ipairs(modules) do
    lines[index] = ("load_module %s;"):format(module)
  end
  local count
  text, count = text:gsub('\n%s*lua_package_c?path +"[^"]*";', "")
  assert(count == 2, "the example's nginx.conf has no paths")
  text = replace(text, "http {\n", HTTP:format(folder, package.path, package.cpath))
  text = replace(text, "listen 127.0.0.1:8080;",
    ("listen 127.0.0.1:%d; location = /ready { return 204; }"):format(port))
  for old, new in pairs(replaced or {}) do
    text = replace(text, old, new)
  end
  return MAIN:format(table.concat(lines, "\n")) .. text
end

--- @tparam string name of a folder in examples/openresty
-- @tparam table given environment, replaced (texts of nginx.conf)
function nginx_example.start(name, given)
  local folder, port = child.new_folder(), core.free_port()
  local source = "examples/openresty/" .. name
  local _, copied = child.shell(("cp -r %s/. %s && mkdir %s/logs"):format(source, folder, folder))
  assert(copied, source)
  child.write(folder .. "/nginx.conf", configuration(fixture.read(source .. "/nginx.conf"), folder,
    port, given.replaced))
  local words = { "env -u LD_PRELOAD" }
  for variable, value in pairs(given.environment or {}) do
    words[#words + 1] = variable .. "=" .. child.quote(value)
  end
  local output = io.popen(("echo $$; exec %s %s -p %s -c nginx.conf 2>&1"):format(
    table.concat(words, " "), (find_nginx()), folder))
  local example = setmetatable({
    pid = output:read "*l", output = output, folder = folder, port = tonumber(port),
    url = ("http://127.0.0.1:%d"):format(port),
  }, Example)
  for _ = 1, 500 do
    local _, status = http.request(example.url .. "/ready")
    if status == 204 then
      return example
    end
    core.sleep(0.02)
  end
  error(name .. " did not start: " .. example:stop(), 2)
end

--- The environment in which an example finds an emulator.
function nginx_example.environment(api, instance)
  return {
    CR_INSTANCE_ID = instance, ALIBABA_CLOUD_ENDPOINT = api.endpoint,
    ALIBABA_CLOUD_REGION_ID = api.region, ALIBABA_CLOUD_ACCESS_KEY_ID = api.access_key_id,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET = api.access_key_secret,
  }
end

--- Ends it; returns what it wrote.
function Example:stop()
  os.execute("kill " .. self.pid)
  local said = self.output:read "*a" -- ends with nginx
  self.output:close()
  child.remove_folder(self.folder)
  return said
end

return nginx_example
