--- A role assumed with an OIDC token, against the emulator's STS; what is sent, against a peer.

local bad_answers = require "spec.support.bad_answers"
local child = require "spec.support.child"
local emulator = require "spec.support.emulator"
local environment = require "spec.support.environment"
local peers = require "spec.support.peer"
local recorder = require "spec.support.recorder"
local support = require "spec.support.credentials"

local TAG = support.TAG
local PROVIDER = "acs:ram::1000000000000001:oidc-provider/emulator"
local TOKEN, OTHER_TOKEN = "emulator-oidc-token-1", "emulator-oidc-token-2"
local READER = support.role "reader"

describe("oidc_role_arn", function()
  local server, folder, path

  setup(function()
    server = emulator.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    environment.set {}
    folder = child.new_folder()
    path = folder .. "/token"
    child.write(path, TOKEN .. "\n") -- with the line break that editors leave
    server:reset()
  end)

  after_each(function()
    environment.restore()
    child.remove_folder(folder)
  end)

  local function declare(more)
    return support.with({
      type = "oidc_role_arn", role_arn = READER, oidc_provider_arn = PROVIDER,
      oidc_token_file_path = path, sts_endpoint = server.sts_endpoint,
    }, more)
  end

  local function client(more, settings)
    return support.client(server, declare(more), settings)
  end

  local function what()
    return "AssumeRoleWithOIDC at " .. server.endpoint:gsub("^http://", "")
  end

  it("signs with the role's session, which is asked for without a signature", function()
    local caller = client()
    for _ = 1, 2 do
      assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
    end
    assert.same({ "AssumeRoleWithOIDC", "GetRepoTag", "GetRepoTag" }, support.operations(server))
    local asked = server:log()[1]
    assert.equal("none", asked.signature)
    assert.equal("reader", asked.role)
    assert.equal("pod-1", asked.subject)
    assert.equal(3600, asked.duration_seconds)
    assert.truthy(asked.role_session_name:find("^cr%-%d+$"))
    local who = assert(caller:credentials())
    assert.equal("oidc_role_arn", who.provider)
    assert.equal("role " .. READER, who.origin)
  end)

  it("sends the token in the body of a POST, and no Authorization", function()
    local body = support.encode { Credentials = support.session() }
    local peer = peers.start(("serve(answer('200 OK', %q))"):format(body))
    finally(function() peer:stop() end)
    assert(client({
      sts_endpoint = "http://" .. peer.address, policy = '{"Version":"1","Statement":[]}',
      role_session_name = "a pod+1", role_session_expiration = 900,
    }):credentials())
    local request = peer:requests()[1]
    local sent, form = recorder.query(request.line:match(" (%S+) ")),
      recorder.query("?" .. request.body)
    assert.truthy(request.line:find("^POST /%?"))
    assert.truthy(sent.Timestamp:find("^%d+%-%d+%-%d+T%d+:%d+:%d+Z$"))
    sent.Timestamp = nil
    assert.same({ Action = "AssumeRoleWithOIDC", Version = "2015-04-01", Format = "JSON" }, sent)
    assert.same({
      OIDCProviderArn = PROVIDER, OIDCToken = TOKEN, RoleArn = READER, DurationSeconds = "900",
      RoleSessionName = "a pod+1", Policy = '{"Version":"1","Statement":[]}',
    }, form)
    assert.equal("application/x-www-form-urlencoded", request.headers["content-type"])
    for _, name in ipairs { "authorization", "x-acs-accesskey-id", "x-acs-security-token" } do
      assert.is_nil(request.headers[name])
    end
  end)

  it("reads the token's file anew at every refresh", function()
    local caller = client(nil, { max_attempts = 2 })
    assert(caller:get_repo_tag(TAG))
    child.write(path, OTHER_TOKEN)
    assert(caller:get_repo_tag(TAG)) -- the session is still good
    server:expire()
    assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
    local asked = support.entries(server, "AssumeRoleWithOIDC")
    assert.equal(2, #asked)
    assert.equal("pod-1", asked[1].subject)
    assert.equal("pod-2", asked[2].subject)
  end)

  it("takes what is not given from the environment", function()
    environment.set {
      ALIBABA_CLOUD_ROLE_ARN = READER, ALIBABA_CLOUD_OIDC_PROVIDER_ARN = PROVIDER,
      ALIBABA_CLOUD_OIDC_TOKEN_FILE = path, ALIBABA_CLOUD_ROLE_SESSION_NAME = "from-outside",
      CR_STS_ENDPOINT = server.sts_endpoint,
    }
    assert(support.client(server, { type = "oidc_role_arn" }):get_repo_tag(TAG))
    assert.equal("from-outside", server:log()[1].role_session_name)
    -- What is given wins.
    assert(support.client(server, { type = "oidc_role_arn", role_session_name = "given",
      role_arn = support.role "node" }):get_repo_tag(TAG))
    local asked = support.entries(server, "AssumeRoleWithOIDC")[2]
    assert.equal("given", asked.role_session_name)
    assert.equal("node", asked.role)
  end)

  it("says which of its variables is not set", function()
    local function failed(message, variables)
      environment.set(variables)
      local err = support.failed(message,
        support.client(server, { type = "oidc_role_arn" }):get_repo_tag(TAG))
      assert.is_false(err.retryable)
    end
    failed("no role: role_arn is not given, and ALIBABA_CLOUD_ROLE_ARN not set", {})
    failed("no provider: oidc_provider_arn is not given, and ALIBABA_CLOUD_OIDC_PROVIDER_ARN " ..
      "not set", { ALIBABA_CLOUD_ROLE_ARN = READER })
    failed("no token: oidc_token_file_path is not given, and ALIBABA_CLOUD_OIDC_TOKEN_FILE not set",
      { ALIBABA_CLOUD_ROLE_ARN = READER, ALIBABA_CLOUD_OIDC_PROVIDER_ARN = PROVIDER })
    assert.same({}, server:log())
  end)

  describe("without a good file", function()
    local caller

    before_each(function()
      caller = client()
    end)

    local function failed(reason)
      local err = support.failed(("OIDC token file %s%s"):format(path, reason),
        caller:get_repo_tag(TAG))
      support.hides({ "oidc-token" }, err)
      assert.is_false(err.retryable)
      assert.same({}, server:log())
      child.shell("rm -rf " .. child.quote(path))
      child.write(path, TOKEN)
      assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag) -- mended at once
    end

    it("says that it is missing", function()
      os.remove(path)
      failed ": No such file or directory"
    end)

    it("says that it is a folder", function()
      os.remove(path)
      child.shell("mkdir " .. child.quote(path))
      failed ": is a directory"
    end)

    it("does not wait for a pipe's other end", function()
      os.remove(path)
      child.shell("mkfifo " .. child.quote(path))
      failed ": is no regular file"
    end)

    for name, text in pairs { ["nothing"] = "", ["only blanks"] = " \n\t\n" } do
      it("says that it is empty: " .. name, function()
        child.write(path, text)
        failed " is empty"
      end)
    end

    for name, text in pairs {
      ["two tokens"] = "oidc-token oidc-token", ["two lines"] = "oidc-token\noidc-token",
      ["a NUL"] = "oidc-token\0", ["a tab"] = "oidc\toidc-token",
    } do
      it("says that it is no token: " .. name, function()
        child.write(path, text)
        failed " holds no token: there is a blank or a control character in it"
      end)
    end

    it("says that it is too large", function()
      child.write(path, ("oidc-token"):rep(2001))
      failed ": has more than 20000 bytes"
    end)
  end)

  it("takes the largest token that the service takes", function()
    child.write(path, ("o"):rep(20000))
    support.failed(what() .. ": AuthenticationFail.OIDCToken.Invalid (HTTP 400): This OIDC " ..
      "token is invalid.", client():get_repo_tag(TAG))
  end)

  it("tells a token that has expired, and is well with the next one", function()
    child.write(path, "emulator-oidc-token-expired")
    local caller = client()
    local err = support.failed(what() .. ": AuthenticationFail.OIDCToken.Expired (HTTP 400): " ..
      "This OIDC token is expired.", caller:get_repo_tag(TAG))
    support.hides({ "emulator-oidc-token" }, err)
    assert.is_false(err.retryable)
    assert.truthy(err.request_id:find("^%x+%-"))
    child.write(path, TOKEN)
    assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
  end)

  it("tells an unknown token, provider or role", function()
    support.failed(what() .. ": EntityNotExist.OIDCProvider (HTTP 404): The specified OIDC " ..
      "provider not exists.", client { oidc_provider_arn = PROVIDER .. "s" }:get_repo_tag(TAG))
    support.failed(what() .. ": EntityNotExist.Role (HTTP 404): The specified Role not exists.",
      client { role_arn = support.role "nobody" }:get_repo_tag(TAG))
    child.write(path, "unknown-token-of-a-pod")
    local err = support.failed(what() .. ": AuthenticationFail.OIDCToken.Invalid (HTTP 400): " ..
      "This OIDC token is invalid.", client():get_repo_tag(TAG))
    support.hides({ "unknown-token-of-a-pod" }, err)
  end)

  it("tells that a role does not trust the provider", function()
    local err = support.failed(what() .. ": NoPermission (HTTP 403): …",
      client { role_arn = support.role "chained" }:get_repo_tag(TAG))
    assert.equal("AssumeRolePolicy", err.access_denied.PolicyType)
    assert.equal("needs sts:AssumeRoleWithOIDC for pod-1; the role's trust policy does not name " ..
      "who asks", err.hint)
  end)

  it("narrows the session with a policy, which the registry's refusal names", function()
    local answer, err = client {
      policy = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"cr:GetInstance",' ..
        '"Resource":"*"}]}',
    }:get_repo_tag(TAG)
    assert.is_nil(answer)
    assert.equal("NoPermission", err.code)
    assert.equal("SessionPolicy", err.access_denied.PolicyType)
  end)

  it("refuses plain http to another machine, and says what to do", function()
    local transport = recorder.new()
    local err = support.failed("sts_endpoint: endpoint http://sts.example is plain http to a " ..
      "host that is not this machine",
      client({ sts_endpoint = "http://sts.example" }, { transport = transport }):get_repo_tag(TAG))
    assert.equal("use https://, or set allow_plaintext = true if the network in between is trusted",
      err.hint)
    assert.equal(0, #transport.requests)
  end)

  bad_answers {
    server = function() return server end,
    operation = "AssumeRoleWithOIDC", declare = declare, what = "AssumeRoleWithOIDC at HOST",
    origin = "role " .. READER, secrets = { TOKEN },
    wrap = function(session) return { Credentials = session } end,
  }
end)
