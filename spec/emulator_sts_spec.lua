--- The emulator's STS over real HTTP: roles assumed by key and by OIDC token, and what their
-- sessions can do.

local emulator = require "spec.support.emulator"
local raw = require "spec.support.raw_client"

local SAMPLE = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
local ACCOUNT = "1000000000000001"
local PROVIDER = "acs:ram::" .. ACCOUNT .. ":oidc-provider/emulator"

local USERS = {}
for _, user in ipairs(require("cr.emulator.fixture").users) do
  USERS[user.name] = user
end

local function role_arn(name)
  return ("acs:ram::%s:role/%s"):format(ACCOUNT, name)
end

local FIXTURE = {
  users = {
    { name = "admin", access_key_id = "LTAI5tAdmin", access_key_secret = "not-a-real-one" },
    {
      name = "builder", access_key_id = "LTAI5tBuilder", access_key_secret = "not-a-real-one",
      policies = { Version = "1", Statement = { {
        Effect = "Allow", Action = "sts:AssumeRole", Resource = "acs:ram::*:role/b*",
      } } },
    },
  },
  roles = {
    { name = "build" },
    { name = "deploy" },
    { name = "guarded", external_id = "emulator-external-id" },
    { name = "brief", session_seconds = 60 },
    { name = "long", max_session_seconds = 7200 },
    { name = "people", trusted = { "admin" } },
    { name = "by-arn", trusted = { "acs:ram::" .. ACCOUNT .. ":user/builder", role_arn "build" } },
    { name = "pods", arn = "acs:ram::" .. ACCOUNT .. ":role/of/pods", trusted = { PROVIDER } },
  },
}

describe("the emulator's STS", function()
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
    server:reset()
    own:reset()
  end)

  local function assume(role, more, user, at)
    local query = { RoleArn = role_arn(role), RoleSessionName = "spec" }
    for name, value in pairs(more or {}) do
      query[name] = value or nil
    end
    return raw.sts(at or server, "AssumeRole", query, user)
  end

  local function user_of(body)
    return raw.user_of(body.Credentials)
  end

  local function oidc_form(more)
    local form = {
      Action = "AssumeRoleWithOIDC", Version = raw.STS_VERSION, Format = "JSON",
      OIDCProviderArn = PROVIDER, OIDCToken = "emulator-oidc-token-1",
      RoleArn = role_arn "reader", RoleSessionName = "spec",
    }
    for name, value in pairs(more or {}) do
      form[name] = value or nil
    end
    return form
  end

  local function assume_by_token(more, at)
    at = at or server
    return raw.send(at, raw.unsigned(at, { method = "POST", form = oidc_form(more) }))
  end

  local function assert_refused(status, code, body, answer)
    assert.are.equal(code, body.Code)
    assert.are.equal(status, answer.status)
    assert.are.equal(answer.headers["x-acs-request-id"], body.RequestId)
    assert.is_truthy(body.HostId and body.Message and body.Recommend)
    assert.is_nil(body.Credentials)
  end

  local function get_tag(user, at)
    return raw.call(at or server, "GetRepoTag", SAMPLE, user)
  end

  describe("AssumeRole", function()
    it("takes V3 and V1, in the query and in a form, and answers what STS answers", function()
      local parameters = { RoleArn = role_arn "reader", RoleSessionName = "spec@example.com" }
      local given = { operation = "AssumeRole", version = raw.STS_VERSION }
      local requests = {}
      for _, method in ipairs { "GET", "POST" } do
        given.method, given.query = method, parameters
        requests[#requests + 1] = raw.v3(server, given)
        requests[#requests + 1] = raw.v1(server, given)
      end
      given.form = true
      requests[#requests + 1] = raw.v1(server, given)
      given.form, given.query = parameters, nil
      requests[#requests + 1] = raw.v3(server, given)
      for _, request in ipairs(requests) do
        local body, answer = raw.send(server, request)
        assert.are.equal(200, answer.status, answer.body)
        assert.are.equal(answer.headers["x-acs-request-id"], body.RequestId)
        assert.is_nil(body.Code or body.IsSuccess)
        assert.are.equal("acs:ram::" .. ACCOUNT .. ":assumed-role/reader/spec@example.com",
          body.AssumedRoleUser.Arn)
        assert.is_truthy(body.AssumedRoleUser.AssumedRoleId:find("^3%d+:spec@example%.com$"))
        assert.are.equal("success", get_tag(user_of(body)).Code)
      end
    end)

    it("makes credentials of the service's form, each its own", function()
      local first, second = assume("reader").Credentials, assume("reader").Credentials
      assert.is_truthy(first.AccessKeyId:find("^STS%.NT%w+$"))
      assert.is_truthy(first.AccessKeySecret:find("^%w+$"))
      assert.is_true(#first.SecurityToken >= 400)
      for _, pattern in ipairs { "^[%w+/]+=+$", "%+", "/" } do
        assert.is_truthy(first.SecurityToken:find(pattern))
      end
      for name, value in pairs(first) do
        assert.is_true(name == "Expiration" or value ~= second[name], name)
      end
    end)

    it("dates the end by the emulator's clock", function()
      local now = os.time()
      local day = 86400 - now % 86400 + 86400 + 43200 -- noon of the day after tomorrow
      local user = { headers = { ["x-acs-date"] = raw.date(day) } }
      server:clock(day)
      local request = raw.v3(server, {
        operation = "AssumeRole", version = raw.STS_VERSION, headers = user.headers,
        query = { RoleArn = role_arn "reader", RoleSessionName = "spec", DurationSeconds = "900" },
      })
      local body = raw.send(server, request)
      assert.is_truthy(body.Credentials.Expiration:find(
        "^" .. os.date("!%Y%%-%m%%-%d", now + day) .. "T12:1%d:%d%dZ$"))
    end)

    it("wants its parameters", function()
      for _, name in ipairs { "RoleArn", "RoleSessionName" } do
        assert_refused(400, "MissingParameter", assume("reader", { [name] = "" }))
        assert_refused(400, "MissingParameter", assume("reader", { [name] = false }))
      end
      for _, name in ipairs { "a", ("a"):rep(65), "a b", "a/b", "a:b", "é" } do
        assert_refused(400, "InvalidParameter.RoleSessionName",
          assume("reader", { RoleSessionName = name }))
      end
      for _, name in ipairs { "ab", ("a"):rep(64), "a_b.c@d-1" } do
        assert.is_table(assume("reader", { RoleSessionName = name }).Credentials)
      end
    end)

    it("bounds the duration by the role", function()
      for seconds, is_good in pairs {
        ["899"] = false, ["900"] = true, ["3600"] = true, ["3601"] = false, ["1e3"] = false,
        ["99999999999999999999"] = false, ["-900"] = false,
      } do
        local body, answer = assume("reader", { DurationSeconds = seconds })
        assert.are.equal(is_good, body.Credentials ~= nil, seconds)
        if not is_good then
          assert_refused(400, "InvalidParameter.DurationSeconds", body, answer)
        end
      end
      assert.is_table(assume("long", { DurationSeconds = "7200" }, nil, own).Credentials)
      assert_refused(400, "InvalidParameter.DurationSeconds",
        assume("long", { DurationSeconds = "7201" }, nil, own))
    end)

    it("refuses a policy that it cannot read", function()
      local statement = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"*",' ..
        '"Resource":"*"%s}]}'
      assert.is_table(assume("reader", { Policy = statement:format("") }).Credentials)
      for _, text in ipairs { "{", "5", "[]", '{"Version":"2","Statement":[]}', '{"Version":"1"}',
        '{"Version":"1","Statement":[{"Effect":"Allow","Action":"*"}]}',
        '{"Version":"1","Statement":[{"Effect":"Perhaps","Action":"*","Resource":"*"}]}',
        statement:format(',"Condition":{}'), statement:format(',"Principal":"*"') } do
        assert_refused(400, "InvalidParameter.PolicyGrammar", assume("reader", { Policy = text }))
      end
    end)

    it("knows the roles of the fixture only", function()
      assert_refused(404, "EntityNotExist.Role", assume("nobody"))
      local body = assume("x", { RoleArn = "acs:ram::" .. ACCOUNT .. ":role/of/pods" }, nil, own)
      assert.are.equal("AssumeRolePolicy", body.AccessDeniedDetail.PolicyType)
      assert_refused(404, "EntityNotExist.Role", assume("reader", nil, nil, own))
    end)

    it("needs the permission of the caller, on the role", function()
      local body, answer = assume("reader", nil, USERS.limited)
      assert_refused(403, "NoPermission", body, answer)
      local detail = body.AccessDeniedDetail
      assert.are.equal("sts:AssumeRole", detail.AuthAction)
      assert.are.equal("AccountLevelIdentityBasedPolicy", detail.PolicyType)
      assert.are.equal("ImplicitDeny", detail.NoPermissionType)
      assert.are.equal("limited", detail.AuthPrincipalDisplayName)
      assert.are.equal("SubUser", detail.AuthPrincipalType)
      assert.is_table(assume("build", nil, FIXTURE.users[2], own).Credentials)
      assert_refused(403, "NoPermission", assume("deploy", nil, FIXTURE.users[2], own))
    end)

    it("needs the trust of the role, by name or ARN of a user or role", function()
      local body, answer = assume("chained")
      assert_refused(403, "NoPermission", body, answer)
      local detail = body.AccessDeniedDetail
      assert.are.equal("AssumeRolePolicy", detail.PolicyType)
      assert.are.equal("sts:AssumeRole", detail.AuthAction)
      assert.are.equal("full", detail.AuthPrincipalDisplayName)
      assert.are.equal(ACCOUNT, detail.AuthPrincipalOwnerId)
      assert.is_table(assume("people", nil, nil, own).Credentials)
      assert_refused(403, "NoPermission", assume("by-arn", nil, nil, own))
      local build = user_of(assume("build", nil, FIXTURE.users[2], own))
      assert.is_table(assume("by-arn", nil, build, own).Credentials)
      assert_refused(403, "NoPermission", assume("people", nil, build, own))
    end)

    it("wants the external id of a role that has one", function()
      for _, id in ipairs { false, "", "another" } do
        local body, answer = assume("guarded", { ExternalId = id }, nil, own)
        assert_refused(403, "NoPermission", body, answer)
        assert.are.equal("AssumeRolePolicy", body.AccessDeniedDetail.PolicyType)
      end
      assert.is_table(
        assume("guarded", { ExternalId = "emulator-external-id" }, nil, own).Credentials)
    end)

    it("chains: a session assumes the next role, whose rights are all it has", function()
      local reader = user_of(assume "reader")
      local body = assume("chained", { RoleSessionName = "next" }, reader)
      local chained = user_of(body)
      assert.are.equal("acs:ram::" .. ACCOUNT .. ":assumed-role/chained/next",
        body.AssumedRoleUser.Arn)
      local namespace = { InstanceId = SAMPLE.InstanceId, NamespaceName = "new" }
      assert.are.equal("NoPermission", raw.call(server, "CreateNamespace", namespace, reader).Code)
      assert.are.equal("success", raw.call(server, "CreateNamespace", namespace, chained).Code)
    end)

    it("checks signature, time, nonce and token as the registry does", function()
      local query = { RoleArn = role_arn "reader", RoleSessionName = "spec" }
      local function send(given)
        given.operation, given.version, given.query = "AssumeRole", raw.STS_VERSION, query
        return raw.send(server, raw.v3(server, given))
      end
      local nonce = { ["x-acs-signature-nonce"] = raw.nonce() }
      assert.is_table(send({ headers = nonce }).Credentials)
      assert_refused(400, "SignatureNonceUsed", send { headers = nonce })
      assert_refused(400, "InvalidTimeStamp.Expired",
        send { headers = { ["x-acs-date"] = raw.date(960) } })
      assert_refused(400, "SignatureDoesNotMatch",
        send { user = { access_key_id = server.access_key_id, access_key_secret = "another" } })
      assert_refused(400, "InvalidSecurityToken.Expired", send { user = USERS.expired })
      query.Action, query.Version = "AssumeRole", raw.STS_VERSION
      assert_refused(400, "IncompleteSignature",
        raw.send(server, raw.unsigned(server, { query = query })))
    end)

    it("refuses other actions and methods", function()
      assert_refused(404, "InvalidAction.NotFound", raw.sts(server, "GetRepoTag", SAMPLE))
      assert_refused(405, "UnsupportedHTTPMethod", raw.send(server, raw.v3(server, {
        operation = "AssumeRole", version = raw.STS_VERSION, method = "PUT",
      })))
      local query = { RoleArn = role_arn "reader", RoleSessionName = "spec" }
      assert_refused(400, "InvalidParameter", raw.call(server, "AssumeRole", query))
    end)
  end)

  describe("a session", function()
    it("is good for the registry with key, secret and token, V3 and V1", function()
      local user = user_of(assume "reader")
      assert.are.equal("success", get_tag(user).Code)
      local request = raw.v1(server, { operation = "GetRepoTag", query = SAMPLE, user = user })
      assert.are.equal("success", raw.send(server, request).Code)
      local other = user_of(assume "reader")
      for token, code in pairs {
        [""] = "MissingSecurityToken", [other.security_token] = "InvalidSecurityToken.Malformed",
      } do
        assert_refused(400, code, get_tag {
          access_key_id = user.access_key_id, access_key_secret = user.access_key_secret,
          security_token = token ~= "" and token or nil,
        })
      end
      user.access_key_secret = other.access_key_secret
      assert_refused(400, "SignatureDoesNotMatch", get_tag(user))
    end)

    it("may what its role may", function()
      local body, answer = get_tag(user_of(assume "limited"))
      assert_refused(403, "NoPermission", body, answer)
      local detail = body.AccessDeniedDetail
      assert.are.equal("limited:spec", detail.AuthPrincipalDisplayName)
      assert.are.equal("AssumedRoleUser", detail.AuthPrincipalType)
      assert.are.equal("AccountLevelIdentityBasedPolicy", detail.PolicyType)
      assert.are.equal("cr:ListRepositoryTag", detail.AuthAction)
    end)

    it("ends when the clock says so", function()
      local user = user_of(assume("brief", { DurationSeconds = "900" }, nil, own))
      local request = { InstanceId = "cri-kmsiwlxxdcva****" }
      own:clock(55)
      assert.are.equal("success", raw.call(own, "GetInstance", request, user).Code)
      own:clock(65)
      assert_refused(400, "InvalidSecurityToken.Expired",
        raw.call(own, "GetInstance", request, user))
      assert_refused(400, "InvalidSecurityToken.Expired", assume("build", nil, user, own))
      assert.is_table(assume("brief", nil, nil, own).Credentials)
    end)

    it("ends on demand, for good", function()
      local first, second = user_of(assume "reader"), user_of(assume "reader")
      assert.are.equal(2, server:expire())
      assert.are.equal(0, server:expire())
      for _, user in ipairs { first, second } do
        assert_refused(400, "InvalidSecurityToken.Expired", get_tag(user))
      end
      server:clock(-600)
      assert_refused(400, "InvalidSecurityToken.Expired", get_tag(first))
      assert.are.equal("success", get_tag(user_of(assume "reader")).Code)
      assert.are.equal("success", get_tag(USERS.session).Code)
    end)

    it("is forgotten by a reset", function()
      local user = user_of(assume "reader")
      server:reset()
      assert_refused(404, "InvalidAccessKeyId.NotFound", get_tag(user))
    end)

    it("stays known after its end until 5000 others came", function()
      local function open(count)
        local line = "GET /credentials HTTP/1.1\r\nhost: x\r\n%s\r\n"
        for _ = 1, count / 100 do
          raw.exchange(server, line:format(""):rep(99) .. line:format("connection: close\r\n"))
        end
      end
      local old = user_of(assume "reader")
      open(4900)
      server:expire()
      local good = user_of(assume "reader")
      assert_refused(400, "InvalidSecurityToken.Expired", get_tag(old))
      open(100)
      assert_refused(404, "InvalidAccessKeyId.NotFound", get_tag(old))
      assert.are.equal("success", get_tag(good).Code)
      open(5000) -- no more are kept, good as they may be
      assert_refused(404, "InvalidAccessKeyId.NotFound", get_tag(good))
    end)
  end)

  describe("AssumeRoleWithOIDC", function()
    it("takes a token instead of a signature, in a form and in the query", function()
      local body, answer = assume_by_token()
      assert.are.equal(200, answer.status)
      assert.are.equal("acs:ram::" .. ACCOUNT .. ":assumed-role/reader/spec",
        body.AssumedRoleUser.Arn)
      assert.are.equal("success", get_tag(user_of(body)).Code)
      body = raw.send(server, raw.unsigned(server, { method = "POST", query = oidc_form() }))
      assert.are.equal("success", get_tag(user_of(body)).Code)
      local form = oidc_form { Action = false, Version = false }
      body = raw.send(server, raw.unsigned(server, { method = "POST", form = form, headers = {
        ["x-acs-action"] = "AssumeRoleWithOIDC", ["x-acs-version"] = raw.STS_VERSION,
      } }))
      assert.are.equal("success", get_tag(user_of(body)).Code)
    end)

    it("wants its parameters", function()
      for _, name in ipairs { "OIDCProviderArn", "OIDCToken", "RoleArn", "RoleSessionName" } do
        local body, answer = assume_by_token { [name] = false }
        assert_refused(400, "MissingParameter", body, answer)
        assert.is_truthy(body.Message:find('"' .. name .. '"', 1, true))
      end
      for name, code in pairs {
        RoleSessionName = "InvalidParameter.RoleSessionName",
        Policy = "InvalidParameter.PolicyGrammar",
        DurationSeconds = "InvalidParameter.DurationSeconds",
      } do
        assert_refused(400, code, assume_by_token { [name] = "?" })
      end
    end)

    it("knows providers and tokens", function()
      assert_refused(404, "EntityNotExist.OIDCProvider",
        assume_by_token { OIDCProviderArn = PROVIDER .. "2" })
      assert_refused(400, "AuthenticationFail.OIDCToken.Invalid",
        assume_by_token { OIDCToken = "emulator-oidc-token-3" })
      assert_refused(400, "AuthenticationFail.OIDCToken.Expired",
        assume_by_token { OIDCToken = "emulator-oidc-token-expired" })
      assert_refused(404, "EntityNotExist.Role", assume_by_token { RoleArn = role_arn "nobody" })
    end)

    it("needs the trust of a role that says whom it trusts", function()
      local body, answer = assume_by_token { RoleArn = role_arn "chained" }
      assert_refused(403, "NoPermission", body, answer)
      local detail = body.AccessDeniedDetail
      assert.are.equal("AssumeRolePolicy", detail.PolicyType)
      assert.are.equal("sts:AssumeRoleWithOIDC", detail.AuthAction)
      assert.are.equal("pod-1", detail.AuthPrincipalDisplayName)
      local arn = "acs:ram::" .. ACCOUNT .. ":role/of/pods"
      assert.is_table(assume_by_token({ RoleArn = arn }, own).Credentials)
      assert.are.equal("of/pods", own:log()[1].role)
    end)

    it("narrows the session by its policy", function()
      local policy = '{"Version":"1","Statement":[{"Effect":"Allow","Action":"cr:GetInstance",' ..
        '"Resource":"*"}]}'
      local user = user_of(assume_by_token { Policy = policy })
      local instance = { InstanceId = SAMPLE.InstanceId }
      assert.are.equal("success", raw.call(server, "GetInstance", instance, user).Code)
      assert.are.equal("SessionPolicy", get_tag(user).AccessDeniedDetail.PolicyType)
    end)
  end)

  it("tells who the caller is", function()
    local body = raw.sts(server, "GetCallerIdentity", {})
    assert.are.equal(ACCOUNT, body.AccountId)
    assert.are.equal("acs:ram::" .. ACCOUNT .. ":user/full", body.Arn)
    assert.are.equal("RAMUser", body.IdentityType)
    assert.is_truthy(body.UserId:find("^%d+$"))
    assert.are.equal(body.UserId, body.PrincipalId)
    assert.is_truthy(body.RequestId)
    assert.is_nil(body.RoleId)
    local session = assume "limited"
    body = raw.sts(server, "GetCallerIdentity", {}, user_of(session))
    assert.are.equal(session.AssumedRoleUser.Arn, body.Arn)
    assert.are.equal("AssumedRoleUser", body.IdentityType)
    assert.are.equal(session.AssumedRoleUser.AssumedRoleId, body.PrincipalId)
    assert.are.equal(body.PrincipalId, body.RoleId .. ":spec")
    assert.is_nil(body.UserId)
  end)

  describe("and the control address", function()
    it("log what was asked for, and no token or secret", function()
      local first = assume("reader", { DurationSeconds = "900" })
      local second = assume_by_token { OIDCToken = "emulator-oidc-token-2" }
      raw.send(server, raw.v1(server, { operation = "GetCallerIdentity", user = user_of(first),
        version = raw.STS_VERSION }))
      assume_by_token { OIDCToken = "emulator-oidc-token-expired" }
      local log = server:log()
      assert.are.equal("AssumeRole", log[1].operation)
      assert.are.equal("v3", log[1].signature)
      assert.are.equal("reader", log[1].role)
      assert.are.equal("spec", log[1].role_session_name)
      assert.are.equal(900, log[1].duration_seconds)
      assert.is_nil(log[1].subject)
      assert.are.equal("AssumeRoleWithOIDC", log[2].operation)
      assert.are.equal("none", log[2].signature)
      assert.are.equal("pod-2", log[2].subject)
      assert.are.equal(3600, log[2].duration_seconds)
      assert.are.equal(200, log[2].status)
      assert.are.equal(PROVIDER, log[2].parameters.OIDCProviderArn)
      assert.are.equal("GetCallerIdentity", log[3].operation)
      assert.are.equal("AuthenticationFail.OIDCToken.Expired", log[4].code)
      local _, answer = raw.send(server, raw.unsigned(server, { path = "/_emulator/log" }))
      for _, secret in ipairs { "oidc%-token", "OIDCToken\"", "SecurityToken\"", "CAIS" } do
        assert.is_nil(answer.body:find(secret), secret)
      end
      for _, body in ipairs { first, second } do
        assert.is_nil(answer.body:find(body.Credentials.AccessKeySecret, 1, true))
      end
    end)

    it("fail on demand, by the operation's name", function()
      server:fault { operation = "AssumeRole", status = 503 }
      server:fault { operation = "AssumeRoleWithOIDC", throttle_ms = 1500 }
      server:fault { operation = "GetCallerIdentity", truncate = 10 }
      assert.are.equal("success", get_tag().Code)
      assert_refused(503, "ServiceUnavailable", assume "reader")
      local body, answer = assume_by_token()
      assert_refused(400, "Throttling.User", body, answer)
      assert.are.equal("1500", answer.headers["x-acs-retry-after"])
      body, answer = raw.sts(server, "GetCallerIdentity", {})
      assert.is_nil(body)
      assert.are.equal(10, #answer.body)
      assert.are.same({}, server:faults())
      assert.is_table(assume("reader").Credentials)
      local own_fault = { ["x-cr-emulator-fault"] = '{"code":"ServiceUnavailable"}' }
      assert_refused(503, "ServiceUnavailable", raw.send(server, raw.unsigned(server, {
        method = "POST", form = oidc_form(), headers = own_fault,
      })))
    end)

    it("move the window of times with the clock", function()
      assert.are.equal(0, server:clock())
      assert.are.equal(-3600, server:clock(-3600))
      assert_refused(400, "InvalidTimeStamp.Expired", get_tag())
      local _, answer = raw.send(server, raw.v3(server, { operation = "GetRepoTag",
        query = SAMPLE, headers = { ["x-acs-date"] = raw.date(-3600) } }))
      assert.are.equal(200, answer.status)
      -- the date of the answer is the moved one: by it, a client finds out about its clock
      local hour = tonumber(os.date("!%H", os.time() - 3600))
      local minute = tonumber(os.date("!%M"))
      local told = tonumber(answer.headers.date:match(" (%d%d):%d%d:%d%d GMT$"))
      assert.is_true(told == hour or minute == 0 or minute == 59)
      server:reset()
      assert.are.equal(0, server:clock())
      assert.are.equal("success", get_tag().Code)
    end)

    it("refuse an offset that is none", function()
      for _, text in ipairs { "", "5", "{}", '{"offset_seconds":"1"}', '{"offset_seconds":1.5}',
        '{"offset_seconds":1e12}' } do
        local body, status = server:control("POST", "clock", text)
        assert.are.equal(400, status, text)
        assert.is_truthy(body.error:find('{"offset_seconds":N} expected', 1, true))
      end
    end)
  end)
end)
