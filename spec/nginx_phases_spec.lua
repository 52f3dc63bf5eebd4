--- A call in every phase of a real nginx, held against the table of docs/openresty.md.

if not rawget(_G, "jit") then
  return
end

local child = require "spec.support.child"
local core = require "cr.core"
local emulator = require "spec.support.emulator"
local fixture = require "spec.support.fixture"
local nginx = require "spec.support.nginx"

local INIT = [[
  local client = require("cr").new { endpoint = "%s", max_attempts = 1, credentials = {
    type = "access_key", access_key_id = "%s", access_key_secret = "%s" } }
  function try()
    local tag, err = client:get_repo_tag { InstanceId = "cri-kmsiwlxxdcva****",
      RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
    ngx.log(ngx.ERR, "<", ngx.get_phase(), "=", tag and "waits" or tostring(err), ">")
  end
  try()
]]

local HTTP = [[
  init_worker_by_lua_block { try() ngx.timer.at(0, try) }
  exit_worker_by_lua_block { try() }
  ssl_session_tickets off;
  ssl_session_fetch_by_lua_block { try() }
  ssl_session_store_by_lua_block { try() }
  upstream balanced {
    server 127.0.0.1:1;
    balancer_by_lua_block {
      try()
      require("ngx.balancer").set_current_peer("127.0.0.1", <PLAIN>)
    }
  }
  server {
    listen 127.0.0.1:<TLS> ssl;
    ssl_protocols TLSv1.2;
    ssl_certificate <FOLDER>/certificate.pem;
    ssl_certificate_key <FOLDER>/key.pem;
    ssl_client_hello_by_lua_block { try() }
    ssl_certificate_by_lua_block { try() }
    location / { return 204; }
  }
  server {
    listen 127.0.0.1:<PLAIN>;
    location / { return 204; }
  }
]]

local LOCATIONS = [[
  server_rewrite_by_lua_block { if ngx.var.uri ~= "/ready" then try() end }
  location = /all {
    set_by_lua_block $nothing { try() return "" }
    rewrite_by_lua_block { try() }
    access_by_lua_block { try() }
    content_by_lua_block { try() ngx.say "done" }
    header_filter_by_lua_block { try() }
    body_filter_by_lua_block { try() }
    log_by_lua_block { try() }
  }
  location = /balanced { proxy_pass http://balanced; }
]]

local CERTIFICATE = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes " ..
  "-days 2 -subj /CN=spec -keyout %s/key.pem -out %s/certificate.pem"

--- Runs nginx through all its phases.
-- @return what the calls said, by phase
local function outcomes()
  local api, folder, server = emulator.start(), child.new_folder(), nil
  finally(function()
    if server then
      server:stop()
    end
    api:stop()
    child.remove_folder(folder)
  end)
  local tls, plain = core.free_port(), core.free_port()
  assert(select(2, child.shell(CERTIFICATE:format(folder, folder))))
  local http = HTTP:gsub("<(%u+)>", { FOLDER = folder, TLS = ("%d"):format(tls),
    PLAIN = ("%d"):format(plain) })
  server = nginx.start {
    init = INIT:format(api.endpoint, api.access_key_id, api.access_key_secret), http = http,
    locations = LOCATIONS, level = "error",
  }
  local ok = select(2, child.shell(("curl -sSf %s/all %s/balanced"):format(server.url, server.url)))
  local _, handshake = child.shell(("curl -sSfk --tls-max 1.2 https://127.0.0.1:%d/"):format(tls))
  child.shell(("openssl s_client -connect 127.0.0.1:%d -tls1_2 -reconnect </dev/null"):format(tls))
  local said = server:stop()
  server = nil
  assert.is_true(ok and handshake, said)
  local found = {}
  for phase, outcome in said:gmatch "<([%l_]+)=(.-)>" do
    assert.equal(found[phase] or outcome, outcome)
    found[phase] = outcome
  end
  return found
end

--- The outcomes in the documentation, by phase.
local function documented()
  local found = {}
  local table_of = fixture.read("docs/openresty.md"):match "\n## Phases\n(.-)\n## "
  for phase, outcome in table_of:gmatch "\n| [^|]+ | `([%l_]+)` | (%l+)[^|]* |" do
    found[phase] = outcome
  end
  return found
end

describe("the phases of nginx", function()
  it("let a call wait, or say what to do, as it is documented", function()
    local expected, found = documented(), outcomes()
    for phase, outcome in pairs(found) do
      if outcome == "waits" then
        assert.equal(expected[phase], outcome, phase)
      else
        assert.equal("fails", expected[phase], phase)
        assert.matches("GetRepoTag: WrongPhase: nginx cannot wait for a call in its phase " ..
          phase .. ": make it ", outcome, 1, true)
        assert.matches('or give transport = "curl", which blocks the worker.', outcome, 1, true)
      end
    end
    for phase in pairs(expected) do
      assert.truthy(found[phase], phase .. " was not tried")
    end
  end)
end)
