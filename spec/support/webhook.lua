--- An example of examples/openresty as an operator runs it, with TLS: its folder in a real nginx.
--
--     local hook = webhook.start("admission", api, { change = { ['"closed"'] = '"open"' } })
--     local status, body, headers = hook:post("/validate", text, { "X-Header: value" })
--     hook:stop() → what nginx wrote on standard error
--
-- nginx.conf is the example's own but for the port, the places of this machine and what `change`
-- says; each of these must be in it exactly once.

local child = require "spec.support.child"
local core = require "cr.core"
local fixture = require "spec.support.fixture"
local nginx = require "spec.support.nginx"

local webhook = {}

local Hook = {}
Hook.__index = Hook

local PATHS = '"${prefix}?.lua;/opt/cr/share/lua/5.1/?.lua;/opt/cr/share/lua/5.1/?/init.lua;;"'
local CPATHS = '"/opt/cr/lib/lua/5.1/?.so;;"'

local MODULES = "load_module /usr/lib/nginx/modules/ndk_http_module.so;\n" ..
  "load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;"

local TEMPORARY = [[http {
  access_log off;
  client_body_temp_path @/body; proxy_temp_path @/proxy; fastcgi_temp_path @/fastcgi;
  uwsgi_temp_path @/uwsgi; scgi_temp_path @/scgi;]]

local function replace(text, old, new)
  local from, to = text:find(old, 1, true)
  assert(from and not text:find(old, to + 1, true), "not exactly once in nginx.conf: " .. old)
  return text:sub(1, from - 1) .. new .. text:sub(to + 1)
end

local function configure(folder, port, change)
  local text = fixture.read(folder .. "/nginx.conf")
  local root = io.popen("pwd"):read "*l"
  local places = {
    [MODULES] = nginx.module_lines(),
    [PATHS] = ('"${prefix}?.lua;%s/?.lua;%s"'):format(root, package.path),
    [CPATHS] = ('"%s"'):format(package.cpath),
    ["http {"] = (TEMPORARY:gsub("@", folder)),
    [text:match "listen %d+ ssl;"] = ("listen 127.0.0.1:%d ssl;"):format(port),
    ["worker_processes auto;"] = "worker_processes 1;",
  }
  for old, new in pairs(places) do
    text = replace(text, old, new)
  end
  for old, new in pairs(change or {}) do
    text = replace(text, old, new)
  end
  child.write(folder .. "/nginx.conf", text)
end

local function certificate(folder)
  local output, ok = child.shell(("openssl req -x509 -newkey rsa:2048 -nodes -days 2 " ..
    "-keyout %s/server.key -out %s/server.pem -subj /CN=localhost " ..
    "-addext subjectAltName=DNS:localhost,IP:127.0.0.1"):format(folder, folder))
  assert(ok, output)
end

--- Starts it and waits until it answers.
-- @tparam string name of the example
-- @param api an emulator, or {endpoint, region, access_key_id, access_key_secret}
-- @tparam ?table given change {[text of nginx.conf] = other text}, environment,
--   is_failing: what nginx writes is returned if it does not start
function webhook.start(name, api, given)
  given = given or {}
  local folder, port = child.new_folder(), core.free_port()
  child.shell(("cp examples/openresty/%s/* %s"):format(name, folder))
  certificate(folder)
  configure(folder, port, given.change)
  local environment = {
    ALIBABA_CLOUD_ENDPOINT = api.endpoint, ALIBABA_CLOUD_REGION_ID = api.region,
    ALIBABA_CLOUD_ACCESS_KEY_ID = api.access_key_id,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET = api.access_key_secret,
  }
  for variable, value in pairs(given.environment or {}) do
    environment[variable] = value
  end
  local hook = setmetatable(nginx.launch(folder, ("-p %s/ -c nginx.conf -e stderr -g %s"):format(
    folder, child.quote(("daemon off; pid %s/nginx.pid;"):format(folder))), environment), Hook)
  hook.url, hook.ca_file = ("https://127.0.0.1:%d"):format(port), folder .. "/server.pem"
  if given.is_failing then
    return hook:stop(true)
  end
  if not nginx.await(function() return hook:ask("/", "") ~= 0 end) then
    error("the example did not start: " .. hook:stop(), 2)
  end
  return hook
end

--- One exchange by curl, with the certificate verified.
-- @return status (0: none), body, content type
function Hook:ask(path, arguments)
  local output = child.shell(("curl -s --cacert %s %s -w '\\n%%{http_code} %%{content_type}' %s%s")
    :format(self.ca_file, arguments, self.url, path))
  local body, status, kind = output:match "^(.*)\n(%d%d%d) ([^\n]*)\n?$"
  return tonumber(status or 0), body, kind
end

--- @tparam string body
-- @tparam ?table headers "Name: value", …
function Hook:post(path, body, headers)
  child.write(self.folder .. "/sent", body)
  local words = { "--data-binary @" .. self.folder .. "/sent" }
  for _, header in ipairs(headers or {}) do
    words[#words + 1] = "-H " .. child.quote(header)
  end
  return self:ask(path, table.concat(words, " "))
end

--- Ends it; returns what it wrote. May be done twice.
-- @tparam ?boolean is_over it ends by itself
function Hook:stop(is_over)
  if not self.output then
    return ""
  end
  local said = nginx.finish(self, is_over)
  self.output = nil
  return said
end

return webhook
