--- Credentials from a local service over HTTP, against the emulator.

local bad_answers = require "spec.support.bad_answers"
local emulator = require "spec.support.emulator"
local environment = require "spec.support.environment"
local peers = require "spec.support.peer"
local recorder = require "spec.support.recorder"
local support = require "spec.support.credentials"

local TAG = support.TAG

describe("credentials_uri", function()
  local server

  setup(function()
    server = emulator.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    environment.set {}
    server:reset()
  end)

  after_each(environment.restore)

  local function declare(more)
    return support.with({
      type = "credentials_uri", credentials_uri = server.credentials_uri,
    }, more)
  end

  local function host()
    return (server.endpoint:gsub("^http://", ""))
  end

  it("signs with the session that is handed out, as often as it is good", function()
    local client = support.client(server, declare())
    for _ = 1, 3 do
      assert.equal("1.0", assert(client:get_repo_tag(TAG)).Tag)
    end
    assert.same({ "CredentialsURI", "GetRepoTag", "GetRepoTag", "GetRepoTag" },
      support.operations(server))
    local who = assert(client:credentials())
    assert.equal("credentials_uri", who.provider)
    assert.equal("credentials URI at " .. host(), who.origin)
    assert.truthy(who.access_key_id:find("^%*%*%*%*%w%w%w%w$"))
    assert.truthy(who.expiration:find("^%d+%-%d+%-%d+T%d+:%d+:%d+Z$"))
  end)

  it("is found in the environment", function()
    environment.set { ALIBABA_CLOUD_CREDENTIALS_URI = server.credentials_uri }
    local client = support.client(server, { type = "credentials_uri" })
    assert.equal("1.0", assert(client:get_repo_tag(TAG)).Tag)
    environment.set { ALIBABA_CLOUD_CREDENTIALS_URI = "" }
    support.failed("credentials_uri is not given, and ALIBABA_CLOUD_CREDENTIALS_URI not set",
      support.client(server, { type = "credentials_uri" }):get_repo_tag(TAG))
  end)

  it("is asked once more when the service refuses the session as expired", function()
    local client = support.client(server, declare(), { max_attempts = 2 })
    assert(client:get_repo_tag(TAG))
    assert.equal(1, server:expire())
    server:clear_log()
    assert.equal("1.0", assert(client:get_repo_tag(TAG)).Tag)
    assert.same({ "GetRepoTag InvalidSecurityToken.Expired", "CredentialsURI", "GetRepoTag" },
      support.operations(server))
  end)

  it("is asked with a GET for exactly the path and query that were given", function()
    local body = support.encode(support.session())
    local peer = peers.start(("serve(answer('200 OK', %q))"):format(body))
    finally(function() peer:stop() end)
    local paths = {
      ["?key=a%20b/c&d"] = "/?key=a%20b/c&d", ["/a/b?c=d#part"] = "/a/b?c=d", [""] = "/",
    }
    for given, sent in pairs(paths) do
      local client = support.client(server,
        declare { credentials_uri = "http://" .. peer.address .. given })
      assert.equal("credentials URI at " .. peer.address, assert(client:credentials()).origin)
      client:close() -- the peer has one connection at a time
      local requests = peer:requests()
      local request = requests[#requests]
      assert.equal("GET " .. sent .. " HTTP/1.1", request.line)
      assert.equal(peer.address, request.headers.host)
      assert.equal("application/json", request.headers.accept)
      assert.truthy(request.headers["user-agent"]:find("^cr/"))
      assert.is_nil(request.headers.authorization)
    end
  end)

  it("that is no URL is refused, and not shown", function()
    for _, uri in ipairs { "127.0.0.1:80/secret-key", "file:///secret-key", "http:/secret-key",
      "http://127.0.0.1/secret key" } do
      local client = support.client(server, declare { credentials_uri = uri })
      local err = support.failed("the credentials URI is no URL like http://127.0.0.1:8080/path",
        client:get_repo_tag(TAG))
      support.hides({ "secret" }, err)
    end
    local client = support.client(server,
      declare { credentials_uri = "http://me:secret@127.0.0.1/" })
    local err = support.failed("credentials_uri: the endpoint holds a user or a password",
      client:get_repo_tag(TAG))
    support.hides({ "secret" }, err)
  end)

  it("with plain http to another machine is refused, which says what to do", function()
    local transport = recorder.new()
    local client = support.client(server,
      declare { credentials_uri = "http://credentials.example/secret-key" },
      { transport = transport })
    local err = support.failed("credentials_uri: endpoint http://credentials.example is plain " ..
      "http to a host that is not this machine", client:get_repo_tag(TAG))
    assert.equal("use https://, or set allow_plaintext = true if the network in between is trusted",
      err.hint)
    support.hides({ "secret" }, err)
    assert.equal(0, #transport.requests)
  end)

  it("where nothing listens is told with its host", function()
    local err = support.failed("credentials URI at 127.0.0.1:1: ConnectFailed: …", support.client(
      server, declare { credentials_uri = "http://127.0.0.1:1/" }):get_repo_tag(TAG))
    assert.is_true(err.retryable)
  end)

  bad_answers {
    server = function() return server end,
    operation = "CredentialsURI", declare = declare, what = "credentials URI at HOST",
    origin = "credentials URI at HOST",
    wrap = function(session) return session end,
  }
end)
