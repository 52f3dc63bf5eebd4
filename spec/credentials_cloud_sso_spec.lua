--- Credentials from CloudSSO, against the emulator; what is sent, against a peer.

local bad_answers = require "spec.support.bad_answers"
local cjson = require "cjson"
local core = require "cr.core"
local emulator = require "spec.support.emulator"
local environment = require "spec.support.environment"
local peers = require "spec.support.peer"
local recorder = require "spec.support.recorder"
local support = require "spec.support.credentials"

local TAG = support.TAG
local SIGN_IN_AGAIN = "sign in again: aliyun configure --mode CloudSSO"

describe("cloud_sso", function()
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
      type = "cloud_sso", sign_in_url = server.endpoint .. "/start/login?region=cn-hangzhou",
      account_id = "1000000000000001", access_config = "ac-emulator",
      access_token = "emulator-sso-access-token",
    }, more)
  end

  local function what()
    return "CloudSSO at " .. server.endpoint:gsub("^http://", "")
  end

  it("signs with the session of the access configuration", function()
    local client = support.client(server, declare())
    for _ = 1, 2 do
      assert.equal("1.0", assert(client:get_repo_tag(TAG)).Tag)
    end
    assert.same({ "CloudSSO", "GetRepoTag", "GetRepoTag" }, support.operations(server))
    local who = assert(client:credentials())
    assert.equal("cloud_sso", who.provider)
    assert.equal("CloudSSO account 1000000000000001, configuration ac-emulator", who.origin)
  end)

  it("sends the access token as bearer and the rest as JSON, and nothing of either in the address",
    function()
      local body = support.encode { CloudCredential = support.session() }
      local peer = peers.start(("serve(answer('200 OK', %q))"):format(body))
      finally(function() peer:stop() end)
      local client = support.client(server,
        declare { sign_in_url = "HTTP://" .. peer.address .. "/start#login" })
      assert(client:credentials())
      local request = peer:requests()[1]
      assert.equal("POST /cloud-credentials HTTP/1.1", request.line)
      assert.equal(peer.address, request.headers.host)
      assert.equal("Bearer emulator-sso-access-token", request.headers.authorization)
      assert.equal("application/json", request.headers["content-type"])
      assert.equal("application/json", request.headers.accept)
      assert.equal(tostring(#request.body), request.headers["content-length"])
      assert.same({ AccountId = "1000000000000001", AccessConfigurationId = "ac-emulator" },
        cjson.decode(request.body))
    end)

  it("is asked once more when the service refuses the session as expired", function()
    local client = support.client(server, declare(), { max_attempts = 2 })
    assert(client:get_repo_tag(TAG))
    server:expire()
    server:clear_log()
    assert.equal("1.0", assert(client:get_repo_tag(TAG)).Tag)
    assert.same({ "GetRepoTag InvalidSecurityToken.Expired", "CloudSSO", "GetRepoTag" },
      support.operations(server))
  end)

  it("is not asked with an access token that is known to have expired", function()
    local client = support.client(server, declare { access_token_expires = core.time() - 1 })
    local err = support.failed("the CloudSSO access token has expired", client:get_repo_tag(TAG))
    assert.equal(SIGN_IN_AGAIN, err.hint)
    assert.equal("GetRepoTag: CredentialsUnavailable: the CloudSSO access token has expired. " ..
      "Sign in again: aliyun configure --mode CloudSSO.", tostring(err))
    assert.is_false(err.retryable)
    assert.same({}, server:log())
    for _, time in ipairs { core.time() + 3600, 0 } do -- the vendor's program writes 0 for unknown
      assert(support.client(server, declare { access_token_expires = time }):credentials())
    end
  end)

  it("goes on with a good session after the access token's end", function()
    local clock = core.time()
    local inner = require "cr.transport.curl" ()
    local client = support.client(server, declare { access_token_expires = clock + 60 }, {
      transport = { exchange = inner.exchange, now = function() return clock end },
    })
    assert(client:get_repo_tag(TAG))
    clock = clock + 120
    assert(client:get_repo_tag(TAG))
    assert.equal(1, #support.entries(server, "CloudSSO"))
  end)

  it("with an access token that is refused says to sign in again", function()
    local client = support.client(server, declare { access_token = "another-access-token" })
    local err = support.failed(what() .. ": InvalidAccessToken (HTTP 401): The access token is " ..
      "not valid.", client:get_repo_tag(TAG))
    assert.equal(SIGN_IN_AGAIN, err.hint)
    assert.truthy(err.request_id)
    assert.is_false(err.retryable)
    support.hides({ "another-access-token" }, err)
    server:fault { operation = "CloudSSO", status = 401, body = "<html>who are you?</html>" }
    err = support.failed(what() .. ": NotJson (HTTP 401): …",
      support.client(server, declare()):get_repo_tag(TAG))
    assert.equal(SIGN_IN_AGAIN, err.hint)
  end)

  it("of another account or configuration is told without that hint", function()
    local err = support.failed(what() .. ": EntityNotExists.Account (HTTP 404): There is no " ..
      "such account.", support.client(server, declare { account_id = "1" }):get_repo_tag(TAG))
    assert.is_nil(err.hint)
    support.failed(what() .. ": EntityNotExists.AccessConfiguration (HTTP 404): There is no " ..
      "such access configuration.",
      support.client(server, declare { access_config = "ac-nothere" }):get_repo_tag(TAG))
  end)

  it("with a sign-in address that is none is refused", function()
    for _, url in ipairs { "signin-cn-shanghai.alibabacloudsso.com", "https:/x", "file:///x" } do
      support.failed("the CloudSSO sign-in URL is no URL like https://signin-cn-…",
        support.client(server, declare { sign_in_url = url }):get_repo_tag(TAG))
    end
  end)

  it("with plain http to another machine is refused, which says what to do", function()
    local transport = recorder.new()
    local client = support.client(server,
      declare { sign_in_url = "http://signin.example/start/login" }, { transport = transport })
    local err = support.failed("sign_in_url: endpoint http://signin.example is plain http to a " ..
      "host that is not this machine", client:get_repo_tag(TAG))
    assert.equal("use https://, or set allow_plaintext = true if the network in between is trusted",
      err.hint)
    assert.equal(0, #transport.requests)
  end)

  it("over https asks the origin of the sign-in address", function()
    local transport = recorder.new { support.encode { CloudCredential = support.session() } }
    local client = support.client(server,
      declare { sign_in_url = "https://signin-cn-shanghai.alibabacloudsso.com/device/login?x=y" },
      { transport = transport })
    assert(client:credentials())
    assert.equal("https://signin-cn-shanghai.alibabacloudsso.com/cloud-credentials",
      transport.requests[1].url)
  end)

  it("needs all that tells who signed in", function()
    for _, name in ipairs { "sign_in_url", "account_id", "access_config", "access_token" } do
      local declared = declare()
      declared[name] = nil
      assert.error_matches(function() support.client(server, declared) end,
        ("^cr%%.new: credentials of type cloud_sso: %s is missing$"):format(name))
    end
  end)

  it("that answers no credential says so", function()
    for _, body in ipairs { "{}", '{"CloudCredential":null}', '{"CloudCredential":"x"}' } do
      server:fault { operation = "CloudSSO", body = body }
      support.failed(what() .. ": the answer holds no credentials",
        support.client(server, declare()):get_repo_tag(TAG))
    end
  end)

  bad_answers {
    server = function() return server end,
    operation = "CloudSSO", declare = declare, what = "CloudSSO at HOST",
    origin = "CloudSSO account 1000000000000001, configuration ac-emulator",
    secrets = { "emulator-sso-access-token" },
    wrap = function(session) return { CloudCredential = session } end,
  }
end)
