--- A role assumed with another provider's credential, against the emulator's STS.

local cr = require "cr"
local bad_answers = require "spec.support.bad_answers"
local emulator = require "spec.support.emulator"
local environment = require "spec.support.environment"
local recorder = require "spec.support.recorder"
local support = require "spec.support.credentials"

local TAG, FULL = support.TAG, support.FULL
local READER = support.role "reader"

local SESSION = {
  type = "sts", access_key_id = "STS.NTEmulatorSession",
  access_key_secret = "EmulatorSecretSession-not-a-real-one",
  security_token = "EmulatorSecurityToken-not-a-real-one",
}

local FIXTURE = {
  users = {
    { name = "full", access_key_id = FULL.access_key_id,
      access_key_secret = FULL.access_key_secret },
    { name = "powerless", access_key_id = "LTAI5tPowerless",
      access_key_secret = "powerless-secret", allow = { "cr:*" } },
  },
  roles = {
    { name = "reader" },
    { name = "guarded", external_id = "example-external-id" },
    { name = "long", max_session_seconds = 43200 },
    { name = "friends", trusted = { "reader" } },
  },
}

describe("ram_role_arn", function()
  local server, own

  setup(function()
    server = emulator.start()
    own = emulator.start { fixture = FIXTURE }
  end)

  teardown(function()
    server:stop()
    own:stop()
  end)

  before_each(function()
    environment.set {}
    server:reset()
    own:reset()
  end)

  after_each(environment.restore)

  local function declare(more, at)
    return support.with({
      type = "ram_role_arn", role_arn = READER, source = FULL,
      sts_endpoint = (at or server).sts_endpoint,
    }, more)
  end

  local function client(more, settings)
    return support.client(server, declare(more), settings)
  end

  local function own_client(more, settings)
    return support.client(own, declare(more, own), settings)
  end

  local function what(at)
    return "AssumeRole at " .. (at or server).endpoint:gsub("^http://", "")
  end

  for _, outer in ipairs { "v3", "v1" } do
    it("signs as the client does, " .. outer .. ", and keeps the session", function()
      local caller = client(nil, { signature = outer })
      for _ = 1, 2 do
        assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
      end
      assert.same({ "AssumeRole", "GetRepoTag", "GetRepoTag" }, support.operations(server))
      for _, entry in ipairs(server:log()) do
        assert.equal(outer, entry.signature)
      end
    end)

    it("signs as it is told itself, " .. outer, function()
      assert(client({ signature = outer }, { signature = outer == "v3" and "v1" or "v3" })
        :get_repo_tag(TAG))
      local log = server:log()
      assert.equal(outer, log[1].signature)
      assert.equal(outer == "v3" and "v1" or "v3", log[2].signature)
    end)

    it("assumes with an access key, a session, a role or a function, " .. outer, function()
      local function log_of(source, role)
        environment.set { CR_STS_ENDPOINT = server.sts_endpoint }
        server:clear_log()
        local caller = client { source = source, signature = outer, role_arn = support.role(role) }
        assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
        return server:log()
      end
      assert.equal(FULL.access_key_id, log_of(FULL, "reader")[1].access_key_id)
      assert.equal(SESSION.access_key_id, log_of(SESSION, "reader")[1].access_key_id)
      assert.equal(SESSION.access_key_id,
        log_of(function() return SESSION end, "reader")[1].access_key_id)
      -- The role "chained" trusts nobody but "reader".
      local log = log_of({ type = "ram_role_arn", role_arn = READER, source = FULL },
        "chained")
      assert.equal("reader", log[1].role)
      assert.equal("chained", log[2].role)
      assert.truthy(log[2].access_key_id:find("^STS%."))
      assert.not_equal(log[2].access_key_id, log[3].access_key_id)
      assert.equal(3, #log)
    end)
  end

  it("tells whose session signs", function()
    local who = assert(client():credentials())
    assert.equal("ram_role_arn", who.provider)
    assert.equal("role " .. READER, who.origin)
    assert.truthy(who.access_key_id:find("^%*%*%*%*%w%w%w%w$"))
    assert.truthy(who.expiration:find("^%d+%-%d+%-%d+T%d+:%d+:%d+Z$"))
  end)

  it("assumes with what the default chain finds", function()
    environment.set {
      ALIBABA_CLOUD_ACCESS_KEY_ID = FULL.access_key_id,
      ALIBABA_CLOUD_ACCESS_KEY_SECRET = FULL.access_key_secret,
      CR_STS_ENDPOINT = server.sts_endpoint,
    }
    local caller = support.client(server, { type = "ram_role_arn", role_arn = READER })
    assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
    assert.equal(FULL.access_key_id, server:log()[1].access_key_id)
  end)

  it("says that it is the source which has no credential", function()
    environment.set { CR_METADATA_ENDPOINT = "http://127.0.0.1:1" }
    local declared = declare()
    declared.source = nil
    support.failed("the source of the role: no credentials: environment: …",
      support.client(server, declared):get_repo_tag(TAG))
    support.failed("the source of the role: the credentials function returned no table: not today",
      client { source = function() return nil, "not today" end }:get_repo_tag(TAG))
    support.failed("the source of the role: credentials URI at 127.0.0.1:1: ConnectFailed: …",
      client { source = { type = "credentials_uri", credentials_uri = "http://127.0.0.1:1/" } }
        :get_repo_tag(TAG))
    assert.same({}, server:log())
  end)

  it("sends what the session is to be", function()
    assert(own_client({
      role_arn = support.role "long", role_session_name = "spec@example",
      role_session_expiration = 43200,
    }):get_repo_tag(TAG))
    local asked = own:log()[1]
    assert.equal("long", asked.role)
    assert.equal("spec@example", asked.role_session_name)
    assert.equal(43200, asked.duration_seconds)
    assert(own_client():get_repo_tag(TAG))
    asked = support.entries(own, "AssumeRole")[2]
    assert.truthy(asked.role_session_name:find("^cr%-%d+$"))
    assert.equal(3600, asked.duration_seconds)
    assert.is_nil(asked.parameters.Policy)
    assert.is_nil(asked.parameters.ExternalId)
  end)

  it("takes role and session name from the environment where they are not given", function()
    environment.set {
      ALIBABA_CLOUD_ROLE_ARN = READER, ALIBABA_CLOUD_ROLE_SESSION_NAME = "from-outside",
    }
    local declared = declare()
    declared.role_arn = nil
    assert(support.client(server, declared):get_repo_tag(TAG))
    local asked = server:log()[1]
    assert.equal("reader", asked.role)
    assert.equal("from-outside", asked.role_session_name)
    environment.set { ALIBABA_CLOUD_ROLE_ARN = "" }
    support.failed("no role: role_arn is not given, and ALIBABA_CLOUD_ROLE_ARN not set",
      support.client(server, declared):get_repo_tag(TAG))
  end)

  it("narrows the session with a policy, which the registry's refusal names", function()
    local caller = client {
      role_session_name = "narrow",
      policy = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"cr:GetInstance",' ..
        '"Resource":"*"}]}',
    }
    assert(caller:get_instance { InstanceId = TAG.InstanceId })
    local answer, err = caller:get_repo_tag(TAG)
    assert.is_nil(answer)
    assert.equal("service", err.kind)
    assert.equal("NoPermission", err.code)
    assert.equal("SessionPolicy", err.access_denied.PolicyType)
    assert.equal("needs cr:ListRepositoryTag for reader:narrow; the policy given to the session " ..
      "leaves it out", err.hint)
  end)

  it("tells a policy that is none", function()
    support.failed(what() .. ": InvalidParameter.PolicyGrammar (HTTP 400): …",
      client { policy = "{" }:get_repo_tag(TAG))
  end)

  it("sends the external id that a role may want", function()
    local guarded = support.role "guarded"
    assert.equal("1.0", assert(own_client({
      role_arn = guarded, external_id = "example-external-id",
    }):get_repo_tag(TAG)).Tag)
    for _, id in ipairs { false, "another" } do
      local err = support.failed(what(own) .. ": NoPermission (HTTP 403): …",
        own_client({ role_arn = guarded, external_id = id or nil }):get_repo_tag(TAG))
      assert.equal("AssumeRolePolicy", err.access_denied.PolicyType)
    end
  end)

  it("tells a session that is to be longer than the role allows", function()
    support.failed(what() .. ": InvalidParameter.DurationSeconds (HTTP 400): The parameter " ..
      "DurationSeconds is out of range: 900 to 3600 expected for this role.",
      client { role_session_expiration = 7200 }:get_repo_tag(TAG))
  end)

  for _, signature in ipairs { "v3", "v1" } do
    it("tells a wrong secret of the source, signed " .. signature, function()
      local err = support.failed(what() .. ": SignatureDoesNotMatch (HTTP 400): …", client {
        signature = signature,
        source = support.with(FULL, { access_key_secret = "EmulatorSecretWrong" }),
      }:get_repo_tag(TAG))
      assert.equal("the server signed the same text, so the access key secret is wrong for this " ..
        "access key id", err.hint)
      assert.is_false(err.retryable)
      support.hides({ "EmulatorSecretWrong" }, err)
      -- The string to sign in the message has the session's token.
      err = support.failed(what() .. ": SignatureDoesNotMatch (HTTP 400): …", client {
        signature = signature,
        source = support.with(SESSION, { access_key_secret = "EmulatorSecretWrong" }),
      }:get_repo_tag(TAG))
      support.hides({ "EmulatorSecretWrong", SESSION.security_token }, err)
    end)

    it("tells an unknown key and a session without its token, signed " .. signature, function()
      local err = support.failed(what() .. ": InvalidAccessKeyId.NotFound (HTTP 404): …", client {
        signature = signature,
        source = support.with(FULL, { access_key_id = "LTAI5tNobody6789" }),
      }:get_repo_tag(TAG))
      assert.equal("access key id …6789 does not exist: deleted, mistyped, or of another site",
        err.hint)
      err = support.failed(what() .. ": MissingSecurityToken (HTTP 400): …", client {
        signature = signature,
        source = { type = "access_key", access_key_id = SESSION.access_key_id,
          access_key_secret = SESSION.access_key_secret },
      }:get_repo_tag(TAG))
      assert.truthy(err.hint:find("give its token too", 1, true))
    end)

    it("says what is with the clock when the service refuses the time all the same, signed " ..
      signature, function()
      server:fault { operation = "AssumeRole", code = "InvalidTimeStamp.Expired" }
      local err = support.failed(what() .. ": InvalidTimeStamp.Expired (HTTP 400): …",
        client({ signature = signature }):get_repo_tag(TAG))
      assert.truthy(err.hint:find("^this machine's clock "))
    end)
  end

  it("tells a role that does not exist", function()
    local err = support.failed(what() .. ": EntityNotExist.Role (HTTP 404): The specified Role " ..
      "not exists.", client { role_arn = support.role "nobody" }:get_repo_tag(TAG))
    assert.truthy(err.request_id:find("^%x+%-"))
    assert.is_false(err.retryable)
  end)

  it("tells a role that does not trust the source", function()
    local err = support.failed(what(own) .. ": NoPermission (HTTP 403): …",
      own_client({ role_arn = support.role "friends" }):get_repo_tag(TAG))
    assert.equal("AssumeRolePolicy", err.access_denied.PolicyType)
    assert.equal("needs sts:AssumeRole for full; the role's trust policy does not name who asks",
      err.hint)
  end)

  it("tells a source that may not assume roles", function()
    local err = support.failed(what(own) .. ": NoPermission (HTTP 403): …", own_client({
      source = { type = "access_key", access_key_id = "LTAI5tPowerless",
        access_key_secret = "powerless-secret" },
    }):get_repo_tag(TAG))
    assert.equal("AccountLevelIdentityBasedPolicy", err.access_denied.PolicyType)
    assert.equal("needs sts:AssumeRole for powerless", err.hint)
    own:fault { operation = "AssumeRole", code = "NoPermission" }
    err = support.failed(what(own) .. ": NoPermission (HTTP 403): …",
      own_client():get_repo_tag(TAG))
    assert.equal("the source needs sts:AssumeRole on the role, and the role must trust it",
      err.hint)
  end)

  it("whose source's session has ended fetches that anew, once", function()
    environment.set { CR_STS_ENDPOINT = server.sts_endpoint }
    local function new_caller()
      local made = client({
        role_arn = support.role "chained",
        source = { type = "ram_role_arn", role_arn = READER, source = FULL },
      }, { max_attempts = 2 })
      assert(made:get_repo_tag(TAG))
      return made
    end
    local caller = new_caller()
    assert.equal(2, server:expire())
    server:clear_log()
    assert.equal("1.0", assert(caller:get_repo_tag(TAG)).Tag)
    assert.same({
      "GetRepoTag InvalidSecurityToken.Expired", "AssumeRole InvalidSecurityToken.Expired",
      "AssumeRole", "AssumeRole", "GetRepoTag",
    }, support.operations(server))
    -- When it is refused again, that is the end. (A new client: this one would pause first.)
    caller = new_caller()
    server:expire()
    server:clear_log()
    server:fault { operation = "AssumeRole", headers = { ["X-Spec"] = "the source's" } }
    server:fault { operation = "AssumeRole", code = "InvalidSecurityToken.Expired" }
    local err = support.failed(what() .. ": InvalidSecurityToken.Expired (HTTP 400): …",
      caller:get_repo_tag(TAG))
    assert.equal("the session credential has expired; get a new one", err.hint)
    assert.equal(3, #support.entries(server, "AssumeRole"))
  end)

  it("with a fixed source whose session has ended asks once", function()
    local err = support.failed(what() .. ": InvalidSecurityToken.Expired (HTTP 400): …", client {
      source = {
        type = "sts", access_key_id = "STS.NTEmulatorExpired",
        access_key_secret = "EmulatorSecretExpired-not-a-real-one",
        security_token = "EmulatorSecurityTokenExpired-not-a-real-one",
      },
    }:get_repo_tag(TAG))
    assert.equal("the session credential has expired; get a new one", err.hint)
    assert.equal(1, #server:log())
  end)

  describe("asks the host", function()
    --- The host that is asked with this declaration, settings and environment.
    local function host(given, settings, variables)
      environment.set(variables or {})
      local transport = recorder.new { support.encode { Credentials = support.session() } }
      local declared = declare(given)
      declared.sts_endpoint = given and given.sts_endpoint
      local caller = support.client(server, declared,
        support.with({ transport = transport }, settings))
      local who, err = caller:credentials()
      assert.equal(who and 1 or 0, #transport.requests)
      local request = transport.requests[1]
      return request and request.url:match("^(https?://[^/]+)/%?"), err
    end

    it("of all regions, if nothing else is said", function()
      assert.equal("https://sts.aliyuncs.com", host())
      assert.equal("https://sts.aliyuncs.com", host(nil, { region = "cn-hangzhou" }))
      assert.equal("https://sts.aliyuncs.com", host({ enable_vpc = true }))
    end)

    it("of a region", function()
      assert.equal("https://sts.cn-beijing.aliyuncs.com", host { sts_region = "cn-beijing" })
      assert.equal("https://sts.eu-central-1.aliyuncs.com",
        host(nil, nil, { ALIBABA_CLOUD_STS_REGION = "eu-central-1" }))
      assert.equal("https://sts.cn-beijing.aliyuncs.com", host({ sts_region = "cn-beijing" },
        nil, { ALIBABA_CLOUD_STS_REGION = "eu-central-1" }))
    end)

    it("inside a VPC", function()
      assert.equal("https://sts-vpc.cn-beijing.aliyuncs.com",
        host { sts_region = "cn-beijing", enable_vpc = true })
      assert.equal("https://sts-vpc.cn-beijing.aliyuncs.com", host({ sts_region = "cn-beijing" },
        nil, { ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED = "True" }))
      assert.equal("https://sts.cn-beijing.aliyuncs.com",
        host({ sts_region = "cn-beijing", enable_vpc = false },
          nil, { ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED = "true" }))
      assert.equal("https://sts-vpc.cn-hangzhou.aliyuncs.com",
        host({ enable_vpc = true }, { region = "cn-hangzhou" }))
      assert.equal("https://sts-vpc.cn-hangzhou.aliyuncs.com",
        host(nil, { region = "cn-hangzhou" }, { ALIBABA_CLOUD_VPC_ENDPOINT_ENABLED = "true" }))
      assert.equal("https://sts-vpc.cn-shanghai.aliyuncs.com", host({ enable_vpc = true }, nil,
        { ALIBABA_CLOUD_REGION_ID = "cn-shanghai" }))
    end)

    it("that is given, before all others", function()
      assert.equal("https://sts.example", host({ sts_endpoint = "sts.example",
        sts_region = "cn-beijing", enable_vpc = true }))
      assert.equal("https://sts.example:8443", host({ sts_region = "cn-beijing" }, nil,
        { CR_STS_ENDPOINT = "https://sts.example:8443/" }))
      assert.equal("https://sts.example", host({ sts_endpoint = "sts.example" }, nil,
        { CR_STS_ENDPOINT = "https://another.example" }))
      assert.equal("http://sts.example",
        host({ sts_endpoint = "http://sts.example" }, { allow_plaintext = true }))
    end)

    it("by no name that is no region's", function()
      local url, err = host { sts_region = "evil.example/" }
      assert.is_nil(url)
      assert.equal('STS region "evil.example/" is not a region id', err.message)
      assert.equal('write it like "cn-hangzhou"', err.hint)
    end)

    it("by no plain http on another machine, and says what to do", function()
      local url, err = host { sts_endpoint = "http://sts.example" }
      assert.is_nil(url)
      support.failed("sts_endpoint: endpoint http://sts.example is plain http to a host that is " ..
        "not this machine", nil, err)
      assert.equal("use https://, or set allow_plaintext = true if the network in between is " ..
        "trusted", err.hint)
    end)
  end)

  it("refuses a source that is itself", function()
    local declared = declare()
    declared.source = declared
    assert.error_matches(function() support.client(server, declared) end,
      "^cr%.new: credentials of type ram_role_arn: source: .*: source is nested more than 8 deep$")
    support.failed("the credentials function returned credentials of type ram_role_arn: …",
      support.client(server, function() return declared end):get_repo_tag(TAG))
    local row = FULL -- roles in a row are no such thing
    for _ = 1, 8 do
      row = declare { source = row }
    end
    assert.truthy(support.client(server, row))
  end)

  it("trusts over https whom the client trusts", function()
    local declared = { sts_endpoint = server.https_endpoint }
    local tag = assert(client(declared, { ca_file = server.ca_file }):get_repo_tag(TAG))
    assert.equal("1.0", tag.Tag)
    local host = server.https_endpoint:gsub("^https://", "")
    local err = support.failed("AssumeRole at " .. host .. ": TlsFailed: …",
      client(declared):get_repo_tag(TAG))
    assert.equal("give the certificate authority with ca_file if the endpoint has a private one",
      err.hint)
    assert.is_false(err.retryable)
  end)

  it("goes through the client's proxy, and past it to this machine", function()
    local transport = recorder.new { support.encode { Credentials = support.session() } }
    local declared = declare { sts_endpoint = "sts.example" }
    assert(support.client(server, declared, {
      transport = transport, proxy = "http://127.0.0.1:9",
    }):credentials())
    assert.equal("http://127.0.0.1:9", transport.requests[1].proxy)
    assert(support.client(server, declare(), { transport = transport }):credentials())
    assert.equal("", transport.requests[2].proxy)
    assert(support.client(server, declared, { transport = transport }):credentials())
    assert.is_nil(transport.requests[3].proxy)
  end)

  bad_answers {
    server = function() return server end,
    operation = "AssumeRole", what = "AssumeRole at HOST", origin = "role " .. READER,
    declare = function(more) return declare(support.with({ source = SESSION }, more)) end,
    secrets = { SESSION.access_key_secret, SESSION.security_token },
    wrap = function(session) return { Credentials = session } end,
  }
end)

describe("a parameter of AssumeRole that cannot be sent", function()
  it("is refused, and the request is not sent without it", function()
    local server = emulator.start()
    finally(function() server:stop() end)
    for _, signature in ipairs { "v3", "v1" } do
      local client = cr.new {
        endpoint = server.endpoint, signature = signature, credentials = {
          type = "ram_role_arn", role_arn = "acs:ram::1000000000000001:role/reader",
          sts_endpoint = server.endpoint, policy = '{"Statement":[],"Comment":"caf\233"}',
          source = {
            type = "access_key", access_key_id = server.access_key_id,
            access_key_secret = server.access_key_secret,
          },
        },
      }
      local _, err = client:get_repo_tag { InstanceId = "cri-kmsiwlxxdcva****",
        RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
      assert.matches("^AssumeRole: parameter Policy must be .*UTF%-8", err.message)
    end
    assert.same({}, server:log())
  end)
end)
