--- The emulator's places that hand out credentials without a key, over real HTTP: the metadata
-- server, the credentials address and CloudSSO.

local cjson = require "cjson"
local emulator = require "spec.support.emulator"
local raw = require "spec.support.raw_client"

local SAMPLE = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
local TOKEN = "X-aliyun-ecs-metadata-token"
local TTL = "X-aliyun-ecs-metadata-token-ttl-seconds"
local ROLES = "/latest/meta-data/ram/security-credentials/"

local server

--- A request without a signature.
-- @return the decoded body (nil when it is no JSON), and the answer
local function send(method, path, headers, body)
  return raw.send(server, raw.unsigned(server, {
    method = method, path = path, headers = headers, body = body,
  }))
end

local function get(path, headers)
  return send("GET", path, headers)
end

local function new_token(ttl)
  local _, answer = send("PUT", "/latest/api/token", { [TTL] = ttl or "21600" })
  assert.are.equal(200, answer.status)
  return answer.body
end

local function sign_in(headers, body)
  return send("POST", "/cloud-credentials", headers or {
    authorization = "Bearer emulator-sso-access-token", ["content-type"] = "application/json",
  }, body or '{"AccountId":"1000000000000001","AccessConfigurationId":"ac-emulator"}')
end

--- What a command prints; it must not look for a proxy.
local function run(command)
  local pipe = assert(io.popen("unset LD_PRELOAD; export no_proxy='*'\n" .. command, "r"))
  local output = pipe:read("*a")
  pipe:close()
  return output
end

--- Whether credentials are good for the registry, and whose they are.
local function identity(credentials)
  local user = raw.user_of(credentials)
  assert.are.equal("success", raw.call(server, "GetRepoTag", SAMPLE, user).Code)
  return raw.sts(server, "GetCallerIdentity", {}, user).Arn:match(":assumed%-role/(.*)$")
end

local function seconds(date)
  local year, month, day, hour, minute, second =
    date:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)T(%d%d):(%d%d):(%d%d)Z$")
  return os.time { year = year, month = month, day = day, hour = hour, min = minute, sec = second }
end

local function lifetime(document)
  return seconds(document.Expiration) - seconds(document.LastUpdated)
end

local function restart(fixture)
  server:stop()
  server = emulator.start { fixture = fixture }
end

describe("the emulator's metadata server", function()
  setup(function()
    server = emulator.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  it("is at the printed address", function()
    assert.are.equal(server.endpoint, server.metadata_endpoint)
    assert.are.equal(server.endpoint, server.sts_endpoint)
    assert.are.equal(server.endpoint .. "/credentials", server.credentials_uri)
  end)

  it("gives a token, the role's name and its credential", function()
    local _, answer = send("PUT", "/latest/api/token", { [TTL] = "21600" })
    assert.are.equal("text/plain;charset=utf-8", answer.headers["content-type"])
    local headers = { [TOKEN] = answer.body }
    _, answer = get(ROLES, headers)
    assert.are.equal(200, answer.status)
    assert.are.equal("text/plain;charset=utf-8", answer.headers["content-type"])
    assert.are.equal("node", answer.body)
    local document
    document, answer = get(ROLES .. "node", headers)
    assert.are.equal("application/json;charset=utf-8", answer.headers["content-type"])
    assert.are.equal("Success", document.Code)
    assert.are.equal(21600, lifetime(document))
    assert.are.equal("node/i-emulator", identity(document))
  end)

  it("works without a token, but not with a wrong one", function()
    assert.are.equal("node/i-emulator", identity((get(ROLES .. "node"))))
    for _, token in ipairs { "x", new_token() .. "x" } do
      for _, path in ipairs { ROLES, ROLES .. "node" } do
        local _, answer = get(path, { [TOKEN] = token })
        assert.are.equal(401, answer.status)
      end
    end
  end)

  it("lets a token live as long as was asked for", function()
    local headers = { [TOKEN] = new_token "60" }
    local _, answer
    for offset, status in pairs { [50] = 200, [70] = 401 } do
      server:clock(offset)
      _, answer = get(ROLES, headers)
      assert.are.equal(status, answer.status)
    end
    headers = { [TOKEN] = new_token() }
    server:reset()
    _, answer = get(ROLES, headers)
    assert.are.equal(401, answer.status)
  end)

  it("wants the life of a token, 1 to 21600 seconds", function()
    for _, ttl in ipairs { "0", "21601", "-1", "x", "", "1.5", "999999999999" } do
      local _, answer = send("PUT", "/latest/api/token", { [TTL] = ttl })
      assert.are.equal(400, answer.status, ttl)
    end
    local _, answer = send("PUT", "/latest/api/token")
    assert.are.equal(400, answer.status)
    assert.is_true(#new_token "1" > 0)
  end)

  it("keeps the last 1000 tokens", function()
    local first = new_token()
    local line = ("PUT /latest/api/token HTTP/1.1\r\nhost: x\r\n%s: 60\r\n"):format(TTL)
    local function ask(count)
      raw.exchange(server, (line .. "\r\n"):rep(count - 1) .. line .. "connection: close\r\n\r\n")
    end
    ask(999)
    local _, answer = get(ROLES, { [TOKEN] = first })
    assert.are.equal(200, answer.status)
    ask(1)
    _, answer = get(ROLES, { [TOKEN] = first })
    assert.are.equal(401, answer.status)
  end)

  it("hands out the same credential until a sixth of its time is left", function()
    local first = get(ROLES .. "node")
    server:clock(17990)
    assert.are.same(first, (get(ROLES .. "node")))
    server:clock(18010)
    local second = get(ROLES .. "node")
    assert.are_not.equal(first.AccessKeyId, second.AccessKeyId)
    assert.are.equal(21600, lifetime(second))
    assert.is_true(seconds(second.Expiration) > seconds(first.Expiration))
    server:expire()
    assert.are_not.equal(second.AccessKeyId, get(ROLES .. "node").AccessKeyId)
  end)

  it("knows its role and no other, and nothing else", function()
    for path, status in pairs {
      [ROLES .. "reader"] = 404, [ROLES .. "node/"] = 404, ["/latest/meta-data/"] = 404,
      ["/latest/"] = 404, ["/latest/api/token"] = 405,
    } do
      local _, answer = get(path)
      assert.are.equal(status, answer.status, path)
      assert.are.equal("text/plain;charset=utf-8", answer.headers["content-type"])
    end
    local _, answer = send("PUT", ROLES)
    assert.are.equal(405, answer.status)
  end)

  it("refuses what came through a proxy", function()
    for name, value in pairs { ["X-Forwarded-For"] = "10.0.0.1", Via = "1.1 proxy" } do
      local _, answer = send("PUT", "/latest/api/token", { [TTL] = "60", [name] = value })
      assert.are.equal(403, answer.status)
      for _, path in ipairs { ROLES, ROLES .. "node" } do
        _, answer = get(path, { [name] = value })
        assert.are.equal(403, answer.status)
      end
    end
  end)

  it("logs whether a token came, and no token", function()
    local token = new_token()
    local document = get(ROLES .. "node", { [TOKEN] = token })
    get(ROLES)
    local log = server:log()
    assert.are.equal(3, #log)
    for index, expected in ipairs {
      { "MetadataToken", "PUT", false }, { "MetadataCredentials", "GET", true },
      { "MetadataRole", "GET", false },
    } do
      assert.are.equal(expected[1], log[index].operation)
      assert.are.equal(expected[2], log[index].method)
      assert.are.equal(expected[3], log[index].metadata_token)
      assert.are.equal("none", log[index].signature)
      assert.are.equal(200, log[index].status)
    end
    assert.are.equal("node", log[2].role)
    local _, answer = get "/_emulator/log"
    for _, secret in ipairs { token, document.AccessKeySecret, document.SecurityToken } do
      assert.is_nil(answer.body:find(secret, 1, true))
    end
  end)

  it("fails on demand, by the operation's name", function()
    server:fault { operation = "MetadataCredentials", code = "InternalError" }
    server:fault { operation = "MetadataRole", body = "<html>", status = 502 }
    server:fault { operation = "MetadataToken", status = 404 }
    server:fault { operation = "MetadataToken", gzip = true }
    local _, answer = send("PUT", "/latest/api/token", { [TTL] = "60" })
    assert.are.equal(404, answer.status)
    assert.are.equal("text/plain;charset=utf-8", answer.headers["content-type"])
    _, answer = send("PUT", "/latest/api/token", { [TTL] = "60", ["accept-encoding"] = "gzip" })
    assert.are.equal("gzip", answer.headers["content-encoding"])
    _, answer = get(ROLES)
    assert.are.equal("<html>", answer.body)
    _, answer = get(ROLES .. "node")
    assert.are.equal(500, answer.status)
    assert.are.same({}, server:faults())
    server:fault { operation = "MetadataRole", reset = true }
    assert.is_nil(raw.exchange(server, raw.bytes(raw.unsigned(server, { path = ROLES })))
      :find("HTTP", 1, true))
    local log = server:log()
    assert.is_true(log[#log].fault)
  end)

  it("does what a fixture says", function()
    restart {
      roles = { { name = "mine" }, { name = "brief", session_seconds = 1 } },
      metadata = { role = "mine", token_required = true, session_seconds = 600 },
    }
    for _, path in ipairs { ROLES, ROLES .. "mine" } do
      local _, answer = get(path)
      assert.are.equal(403, answer.status)
    end
    local document = get(ROLES .. "mine", { [TOKEN] = new_token() })
    assert.are.equal(600, lifetime(document))
    -- whom the role trusts is no matter here
    restart {
      roles = { { name = "brief", session_seconds = 1, trusted = { "nobody" } } },
      metadata = { role = "brief" },
    }
    assert.are.equal(1, lifetime((get(ROLES .. "brief"))))
    for _, fixture in ipairs { { metadata = { role = "" } }, { roles = { { name = "mine" } } } } do
      restart(fixture)
      for _, path in ipairs { ROLES, ROLES .. "node" } do
        local _, answer = get(path)
        assert.are.equal(404, answer.status)
      end
    end
    restart()
  end)
end)

describe("the emulator's credentials address", function()
  setup(function()
    server = emulator.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  it("hands out a credential of its role", function()
    local first, answer = get "/credentials"
    assert.are.equal(200, answer.status)
    assert.are.equal("Success", first.Code)
    assert.are.equal(3600, lifetime(first))
    assert.are.equal("reader/credentials-uri", identity(first))
    assert.are_not.equal(first.AccessKeyId, get("/credentials").AccessKeyId)
    local log = server:log()
    assert.are.equal("CredentialsURI", log[1].operation)
    assert.are.equal("none", log[1].signature)
  end)

  it("is on the HTTPS listener too", function()
    local document = cjson.decode(run(("curl -sSf --cacert %s %s/credentials")
      :format(emulator.quote(server.ca_file), server.https_endpoint)))
    assert.are.equal("reader/credentials-uri", identity(document))
  end)

  it("is for GET", function()
    local _, answer = send("POST", "/credentials")
    assert.are.equal(405, answer.status)
    _, answer = get "/credentials/"
    assert.are.equal(404, answer.status)
  end)

  it("fails on demand", function()
    server:fault { operation = "CredentialsURI", status = 500 }
    local body, answer = get "/credentials"
    assert.are.equal("InternalError", body.Code)
    assert.are.equal(500, answer.status)
    assert.are.equal("Success", get("/credentials").Code)
  end)

  it("hands out the role that a fixture names, or none", function()
    restart { credentials_uri = { role = "node" } }
    assert.are.equal("node/credentials-uri", identity((get "/credentials")))
    restart { credentials_uri = { role = "" } }
    local _, answer = get "/credentials"
    assert.are.equal(404, answer.status)
    restart()
  end)
end)

describe("the emulator's CloudSSO", function()
  setup(function()
    server = emulator.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  local function assert_refused(status, code, body, answer)
    assert.are.equal(status, answer.status)
    assert.are.equal(code, body.ErrorCode)
    assert.is_truthy(body.ErrorMessage and body.RequestId)
    assert.is_nil(body.CloudCredential)
  end

  it("gives a credential for an access token", function()
    local body, answer = sign_in()
    assert.are.equal(200, answer.status)
    assert.are.equal(answer.headers["x-acs-request-id"], body.RequestId)
    assert.are.equal("reader/cloud-sso", identity(body.CloudCredential))
    assert.is_truthy(body.CloudCredential.Expiration:find("^%d+%-%d+%-%d+T%d+:%d+:%d+Z$"))
  end)

  it("refuses another token, or none", function()
    for _, value in ipairs { "Bearer x", "emulator-sso-access-token", "Bearer ",
      "Basic emulator-sso-access-token" } do
      assert_refused(401, "InvalidAccessToken", sign_in { authorization = value })
    end
    assert_refused(401, "InvalidAccessToken", sign_in {})
  end)

  it("wants a JSON body with account and configuration", function()
    for _, text in ipairs { "", "{", "5", "AccountId=1000000000000001" } do
      assert_refused(400, "InvalidParameter", sign_in(nil, text))
    end
    for _, text in ipairs { "{}", '{"AccountId":"1000000000000001"}',
      '{"AccountId":1,"AccessConfigurationId":"ac-emulator"}' } do
      assert_refused(400, "MissingParameter", sign_in(nil, text))
    end
    assert_refused(404, "EntityNotExists.Account",
      sign_in(nil, '{"AccountId":"2","AccessConfigurationId":"ac-emulator"}'))
    assert_refused(404, "EntityNotExists.AccessConfiguration",
      sign_in(nil, '{"AccountId":"1000000000000001","AccessConfigurationId":"ac-2"}'))
    assert_refused(405, "UnsupportedHTTPMethod", get "/cloud-credentials")
  end)

  it("logs what was asked for, and fails on demand in its own form", function()
    server:fault { operation = "CloudSSO", status = 503, count = 2 }
    assert_refused(503, "ServiceUnavailable", sign_in())
    assert_refused(503, "ServiceUnavailable", sign_in { authorization = "Bearer x" })
    sign_in()
    local log = server:log()
    assert.are.equal("CloudSSO", log[3].operation)
    assert.are.equal("none", log[3].signature)
    assert.are.same({ AccountId = "1000000000000001", AccessConfigurationId = "ac-emulator" },
      log[3].parameters)
    assert.is_nil(cjson.encode(log):find("access%-token"))
  end)

  it("does what a fixture says", function()
    restart { cloud_sso = { access_token = "emulator-other-token", account_id = "7",
      access_configuration_id = "ac-7", role = "node" } }
    assert_refused(401, "InvalidAccessToken", sign_in())
    local body = sign_in({ authorization = "Bearer emulator-other-token" },
      '{"AccountId":"7","AccessConfigurationId":"ac-7"}')
    assert.are.equal("node/cloud-sso", identity(body.CloudCredential))
    restart()
  end)
end)

describe("the documentation's examples of credentials", function()
  setup(function()
    server = emulator.start()
  end)

  teardown(function()
    server:stop()
  end)

  it("work as they stand", function()
    local file = assert(io.open("docs/emulator.md", "r"))
    local script = file:read("*a"):match("\n## Credentials\n.-```sh\n(.-)```")
    file:close()
    local output = run(("set -e; ALIBABA_CLOUD_ENDPOINT=%s CR_STS_ENDPOINT=%s " ..
      "CR_METADATA_ENDPOINT=%s CR_EMULATOR_CREDENTIALS_URI=%s\n%s"):format(server.endpoint,
      server.sts_endpoint, server.metadata_endpoint, server.credentials_uri, script))
    local names = {}
    for key, secret, token in output:gmatch(
      '"AccessKeyId":"(.-)","AccessKeySecret":"(.-)",.-"SecurityToken":"(.-)"') do
      names[#names + 1] = identity { AccessKeyId = key, AccessKeySecret = secret,
        SecurityToken = token }
    end
    assert.are.same({ "reader/pod", "node/i-emulator", "reader/credentials-uri",
      "reader/cloud-sso" }, names)
  end)
end)
