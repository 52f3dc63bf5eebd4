--- Runs an example of examples/openresty as it stands: its nginx.conf with another port, this
-- checkout's paths, and what a real nginx needs to run in the foreground in a folder of its own.
--
--     local example = nginx_example.start("tag_status", {
--       environment = { CR_INSTANCE_ID = "…" }, replaced = { ["127.0.0.1:5000"] = "…" },
--     })
--     example.url, example.port, example.folder, example:stop() → what it wrote

local child = require "spec.support.child"
local core = require "cr.core"
local fixture = require "spec.support.fixture"
local nginx = require "spec.support.nginx"

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
  local count
  text, count = text:gsub('\n%s*lua_package_c?path +"[^"]*";', "")
  assert(count == 2, "the example's nginx.conf has no paths")
  text = replace(text, "http {\n", HTTP:format(folder, package.path, package.cpath))
  text = replace(text, "listen 127.0.0.1:8080;",
    ("listen 127.0.0.1:%d; location = /ready { return 204; }"):format(port))
  for old, new in pairs(replaced or {}) do
    text = replace(text, old, new)
  end
  return MAIN:format(nginx.module_lines()) .. text
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
  local example = setmetatable(nginx.launch(folder, ("-p %s -c nginx.conf"):format(folder),
    given.environment), Example)
  example.port, example.url = tonumber(port), ("http://127.0.0.1:%d"):format(port)
  if not nginx.await(function() return nginx.is_ready(example.url) end) then
    error(name .. " did not start: " .. example:stop(), 2)
  end
  return example
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
  return nginx.finish(self)
end

return nginx_example
