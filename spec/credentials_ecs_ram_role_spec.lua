--- The role of an ECS instance, against the emulator's metadata server.

local bad_answers = require "spec.support.bad_answers"
local child = require "spec.support.child"
local emulator = require "spec.support.emulator"
local environment = require "spec.support.environment"
local peers = require "spec.support.peer"
local recorder = require "spec.support.recorder"
local support = require "spec.support.credentials"

local TAG = support.TAG
local TOKEN_PATH = "/latest/api/token"
local ROLE_PATH = "/latest/meta-data/ram/security-credentials/"

describe("ecs_ram_role", function()
  local server, strict, bare

  setup(function()
    server = emulator.start()
    strict = emulator.start { fixture = { metadata = { role = "node", token_required = true } } }
    bare = emulator.start { fixture = { metadata = { role = "" } } }
  end)

  teardown(function()
    server:stop()
    strict:stop()
    bare:stop()
  end)

  before_each(function()
    environment.set {}
    server:reset()
    strict:reset()
    bare:reset()
  end)

  after_each(environment.restore)

  local function declare(more, at)
    return support.with({
      type = "ecs_ram_role", metadata_endpoint = (at or server).metadata_endpoint,
    }, more)
  end

  local function client(more, settings, at)
    return support.client(at or server, declare(more, at), settings)
  end

  local function what(path, at)
    local host = type(at) == "string" and at or (at or server).endpoint:gsub("^http://", "")
    return ("ECS metadata server at %s, %s"):format(host, path)
  end

  --- The names of a log's entries for the metadata server, marked with + where a token came.
  local function asked(at)
    local names = {}
    for _, entry in ipairs((at or server):log()) do
      if entry.operation:find "^Metadata" then
        names[#names + 1] = entry.operation .. (entry.metadata_token and "+" or "")
      end
    end
    return names
  end

  it("takes a token, learns the role's name, and keeps its session", function()
    local caller = client()
    for _ = 1, 2 do
      assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
    end
    assert.same({ "MetadataToken", "MetadataRole+", "MetadataCredentials+" }, asked())
    assert.equal("node", server:log()[3].role)
    local who = assert(caller:credentials())
    assert.equal("ecs_ram_role", who.provider)
    assert.equal("role node of this ECS instance", who.origin)
  end)

  it("works where a token is demanded", function()
    assert.equal("1.0", assert(client(nil, nil, strict):get_repo_tag(TAG)).Tag)
    assert.same({ "MetadataToken", "MetadataRole+", "MetadataCredentials+" }, asked(strict))
  end)

  it("asks for a token of six hours, and sends it with what follows", function()
    local session = support.encode(support.session())
    local peer = peers.start(([[
      serve(function(head)
        local body = head:find("^PUT") and "a-metadata-token=\n" or
          head:find("credentials/ ") and "spec-role\n" or %q
        return answer("200 OK", body)
      end)
    ]]):format(session))
    finally(function() peer:stop() end)
    assert.equal("role spec-role of this ECS instance",
      assert(client { metadata_endpoint = peer.url }:credentials()).origin)
    local requests = peer:requests()
    assert.equal(3, #requests)
    assert.equal("PUT " .. TOKEN_PATH .. " HTTP/1.1", requests[1].line)
    assert.equal("21600", requests[1].headers["x-aliyun-ecs-metadata-token-ttl-seconds"])
    assert.equal("0", requests[1].headers["content-length"])
    assert.is_nil(requests[1].headers["x-aliyun-ecs-metadata-token"])
    assert.equal("GET " .. ROLE_PATH .. " HTTP/1.1", requests[2].line)
    assert.equal("GET " .. ROLE_PATH .. "spec-role HTTP/1.1", requests[3].line)
    for index = 2, 3 do
      assert.equal("a-metadata-token=", requests[index].headers["x-aliyun-ecs-metadata-token"])
      assert.equal(peer.address, requests[index].headers.host)
    end
    for _, request in ipairs(requests) do
      assert.is_nil(request.headers.authorization)
      assert.is_nil(request.headers["x-forwarded-for"])
    end
  end)

  it("does not ask for the role's name where that is known", function()
    assert(client { role_name = "node" }:get_repo_tag(TAG))
    assert.same({ "MetadataToken", "MetadataCredentials+" }, asked())
    server:clear_log()
    environment.set { ALIBABA_CLOUD_ECS_METADATA = "node" }
    assert(client():get_repo_tag(TAG))
    assert.same({ "MetadataToken", "MetadataCredentials+" }, asked())
    server:clear_log()
    environment.set { ALIBABA_CLOUD_ECS_METADATA = "another" }
    assert(client { role_name = "node" }:get_repo_tag(TAG))
    assert.equal("node", server:log()[2].role)
  end)

  it("finds the server's address in the environment", function()
    environment.set { CR_METADATA_ENDPOINT = server.metadata_endpoint }
    assert(support.client(server, { type = "ecs_ram_role" }):get_repo_tag(TAG))
  end)

  it("takes a new session and a new token when the service refuses the old one", function()
    local caller = client(nil, { max_attempts = 2 })
    assert(caller:get_repo_tag(TAG))
    server:clear_log()
    server:fault { operation = "GetRepoTag", code = "InvalidSecurityToken.Expired" }
    assert(caller:get_repo_tag(TAG))
    assert.same({ "MetadataToken", "MetadataRole+", "MetadataCredentials+" }, asked())
  end)

  describe("without a token", function()
    local faults = {
      ["HTTP 404"] = { status = 404 }, ["HTTP 403"] = { status = 403 },
      ["HTTP 405"] = { status = 405 }, ["HTTP 400"] = { status = 400 },
      ["HTTP 500"] = { status = 500 }, ["a reset"] = { reset = "before" },
      ["no token but HTML"] = { body = "<html><body>Welcome!</body></html>" },
      ["no body"] = { body = "" },
      ["too much"] = { body = ("a"):rep(65537) },
    }
    local said = {
      ["HTTP 404"] = ": HTTP 404", ["HTTP 403"] = ": HTTP 403", ["HTTP 405"] = ": HTTP 405",
      ["HTTP 400"] = ": HTTP 400", ["HTTP 500"] = ": HTTP 500",
      ["a reset"] = ": ConnectionClosed: ",
      ["too much"] = ": ResponseTooLarge: the answer is larger than 65536 bytes",
      ["no token but HTML"] = ": the answer is no token", ["no body"] = ": the answer is no token",
    }
    for name, fault in pairs(faults) do
      it("goes on after " .. name, function()
        server:fault(support.with({ operation = "MetadataToken" }, fault))
        assert.equal("1.0", assert(client():get_repo_tag(TAG)).Tag)
        assert.same({ "MetadataToken", "MetadataRole", "MetadataCredentials" }, asked())
      end)

      it("does not go on after " .. name .. " where that is forbidden", function()
        local forbidding = {
          { more = { disable_imds_v1 = true } },
          { variables = { ALIBABA_CLOUD_IMDSV1_DISABLED = "True" } },
        }
        for _, way in ipairs(forbidding) do
          environment.set(way.variables or {})
          server:clear_log()
          server:fault(support.with({ operation = "MetadataToken" }, fault))
          local caller = client(way.more)
          local err = support.failed(what(TOKEN_PATH) .. said[name] .. "…",
            caller:get_repo_tag(TAG))
          assert.truthy(err.message:find(", and the way without a token is disabled", 1, true))
          assert.same({ "MetadataToken" }, asked())
          assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
        end
      end)
    end

    it("goes on when no answer comes in time", function()
      server:fault { operation = "MetadataToken", delay_ms = 5000 }
      assert.equal("1.0", assert(client { timeout = 1 }:get_repo_tag(TAG)).Tag)
      assert.same({ "MetadataToken", "MetadataRole", "MetadataCredentials" }, asked())
    end)

    it("is told where a token is demanded", function()
      strict:fault { operation = "MetadataToken", status = 404 }
      support.failed(("%s: HTTP 403; before that, %s: HTTP 404"):format(what(ROLE_PATH, strict),
        what("/latest/api/token", strict)),
        client(nil, nil, strict):get_repo_tag(TAG))
    end)
  end)

  it("tells that no role is attached", function()
    local err = support.failed(("no RAM role is attached to this ECS instance (%s: HTTP 404)")
      :format(what(ROLE_PATH, bare)), client(nil, nil, bare):get_repo_tag(TAG))
    assert.is_false(err.retryable)
  end)

  it("tells that another role is attached", function()
    support.failed(("role reader is not attached to this ECS instance (%s: HTTP 404)")
      :format(what(ROLE_PATH .. "reader")), client { role_name = "reader" }:get_repo_tag(TAG))
  end)

  it("tells that nothing listens", function()
    local err = support.failed(what(TOKEN_PATH, "127.0.0.1:1") .. ": ConnectFailed: …",
      client { metadata_endpoint = "http://127.0.0.1:1" }:get_repo_tag(TAG))
    assert.is_true(err.retryable)
  end)

  for name, body in pairs {
    ["HTML"] = "<html>\n<body>Sign in to this network</body></html>", ["nothing"] = "",
    ["JSON"] = '{"a":1}', ["words"] = "Welcome to this host",
  } do
    it("tells that something else lives at the address, which answers " .. name, function()
      server:fault { operation = "MetadataRole", body = body }
      support.failed(("what answers at %s is no ECS metadata server: it told no role's name")
        :format((server.endpoint:gsub("^http://", ""))), client():get_repo_tag(TAG))
    end)
  end

  it("tells what was wrong with the answer about the role's name", function()
    local caller = client()
    local function failed(fault, message)
      server:fault(support.with({ operation = "MetadataRole" }, fault))
      local err = support.failed(what(ROLE_PATH) .. message, caller:get_repo_tag(TAG))
      assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
      caller = client()
      return err.retryable
    end
    assert.is_true(failed({ status = 500 }, ": HTTP 500"))
    assert.is_false(failed({ status = 403 }, ": HTTP 403"))
    assert.is_false(failed({ status = 302, headers = { Location = "/" } }, ": HTTP 302"))
    assert.is_true(failed({ reset = "before" }, ": ConnectionClosed: …"))
    assert.is_true(failed({ truncate = 2 }, ": TruncatedBody: …"))
    assert.is_false(failed({ body = ("a"):rep(65537) },
      ": ResponseTooLarge: the answer is larger than 65536 bytes"))
  end)

  it("takes the first of several roles", function()
    server:fault { operation = "MetadataRole", body = "node\nanother\n" }
    assert.equal("1.0", assert(client():get_repo_tag(TAG)).Tag)
  end)

  it("sends no role's name that is none", function()
    for _, name in ipairs { "../../user-data", "no de", "node?x", "node#", "a/b", ".." } do
      local caller = client { role_name = name }
      support.failed("the name of the ECS instance's role is not made of letters, digits and " ..
        ". _ - (role_name, or ALIBABA_CLOUD_ECS_METADATA)", caller:get_repo_tag(TAG))
    end
    assert.same({}, server:log())
  end)

  describe("with a proxy about", function()
    local peer

    before_each(function()
      peer = peers.start [[serve(answer("200 OK", "proxied"))]]
    end)

    after_each(function()
      peer:stop()
    end)

    it("in the configuration asks past it", function()
      assert(client(nil, { proxy = "http://" .. peer.address }):credentials())
      assert.equal(3, #asked())
      assert.equal("", peer:log())
    end)

    it("in the environment asks past it", function()
      local proxy = "http://" .. peer.address
      local output, ok = child.lua(([[
        local cr = require "cr"
        local client = cr.new {
          endpoint = %q, proxy = os.getenv "SPEC_PROXY", credentials = { type = "ecs_ram_role" },
        }
        print(assert(client:credentials()).origin)
      ]]):format(server.endpoint), {
        http_proxy = proxy, https_proxy = proxy, all_proxy = proxy, ALL_PROXY = proxy,
        no_proxy = false, NO_PROXY = false, SPEC_PROXY = proxy,
        CR_METADATA_ENDPOINT = server.metadata_endpoint, ALIBABA_CLOUD_ECS_METADATA = false,
        ALIBABA_CLOUD_IMDSV1_DISABLED = false,
      })
      assert.equal("role node of this ECS instance\n", output)
      assert.is_true(ok)
      assert.equal("", peer:log())
    end)
  end)

  it("asks the address that every instance has, past any proxy and in a second", function()
    local transport = recorder.new {
      "a-token", "node", support.encode(support.session()),
    }
    assert(support.client(server, { type = "ecs_ram_role" },
      { transport = transport, proxy = "http://127.0.0.1:9" }):credentials())
    for index, path in ipairs { TOKEN_PATH, ROLE_PATH, ROLE_PATH .. "node" } do
      local request = transport.requests[index]
      assert.equal("http://100.100.100.200" .. path, request.url)
      assert.equal("100.100.100.200", request.headers.host)
      assert.equal("", request.proxy)
      assert.equal(1, request.timeout)
      assert.equal(1, request.connect_timeout)
    end
    assert.equal(3, #transport.requests)
  end)

  it("asks another machine only over https, and says so", function()
    local transport = recorder.new()
    local err = support.failed("metadata_endpoint: endpoint http://metadata.example is plain " ..
      "http to a host that is not this machine",
      client({ metadata_endpoint = "http://metadata.example" }, { transport = transport })
        :get_repo_tag(TAG))
    assert.equal("use https://, or set allow_plaintext = true if the network in between is trusted",
      err.hint)
    assert.equal(0, #transport.requests)
  end)

  it("tells what the server says in its own way", function()
    server:fault { operation = "MetadataCredentials",
      body = support.encode(support.session { Code = "Failure", Message = "no luck" }) }
    local err = support.failed(what(ROLE_PATH .. "node") .. ": Failure (HTTP 200): no luck",
      client():get_repo_tag(TAG))
    support.hides({ "handed-out-secret", "handed-out-token" }, err)
  end)

  local session_at = "ECS metadata server at HOST, " .. ROLE_PATH .. "node"
  bad_answers {
    server = function() return server end,
    operation = "MetadataCredentials", declare = declare, what = session_at,
    origin = "role node of this ECS instance",
    wrap = function(session) return session end,
    messages = {
      ["HTTP 404"] = ("role node is not attached to this ECS instance (%s: HTTP 404)")
        :format(session_at),
      ["HTTP 500"] = session_at .. ": HTTP 500",
      ["HTML with HTTP 502"] = session_at .. ": HTTP 502",
      ["a redirect"] = session_at .. ": HTTP 302",
    },
  }
end)
