--- examples/openresty/deploy_webhook in a real nginx with TLS, as a pipeline asks it. The
-- signatures of the spec are openssl's.

if not rawget(_G, "jit") then
  return
end

local child = require "spec.support.child"
local cjson = require "cjson"
local emulator = require "spec.support.emulator"
local fixture = require "spec.support.fixture"
local webhook = require "spec.support.webhook"

local HOST = "demo-registry.cn-hangzhou.cr.aliyuncs.com"
local HEX = ("0123456789abcdef"):rep(4)
local SECRET = ("s3cret-"):rep(5)
local OLD_SECRET = ("before-"):rep(5)
local BODY = '{"repository":"team/app","tag":"1.0"}'

local FIXTURE = {
  region = "cn-hangzhou",
  instances = { { InstanceId = "cri-example", namespaces = { {
    NamespaceName = "team", repositories = { { RepoName = "app", RepoId = "crr-app", tags = {
      { Tag = "1.0", Digest = HEX:upper(), ImageSize = 27107966, ImageUpdate = 1572875608000 },
      { Tag = "0.8", Digest = HEX, Status = "DELETING" }, { Tag = "odd", Digest = "67bf****" },
      { Tag = "short", Digest = HEX:sub(2) },
    } } },
  } } } },
}

local api, hook

setup(function()
  api = emulator.start { fixture = FIXTURE }
end)

teardown(function()
  api:stop()
end)

before_each(function()
  api:reset()
end)

after_each(function()
  if hook then
    hook:stop()
  end
  hook = nil
end)

local function start(given)
  given = given or {}
  hook = webhook.start("deploy_webhook", api, {
    change = given.change, is_failing = given.is_failing,
    environment = given.environment or { DEPLOY_WEBHOOK_SECRET = SECRET },
  })
  if given.is_failing then
    local said = hook
    hook = nil
    return said
  end
end

--- The signature of a text, by openssl.
local function mac(secret, text)
  local path = os.tmpname()
  child.write(path, text)
  local output = child.shell(("openssl dgst -sha256 -hmac %s -r %s"):format(child.quote(secret),
    path))
  os.remove(path)
  return "sha256=" .. assert(output:match "^%x+")
end

local function headers_of(body, given)
  given = given or {}
  local time = given.time or tostring(os.time())
  local signature = given.signature or mac(given.secret or SECRET, time .. "." .. body)
  return { "X-Deploy-Timestamp: " .. time, "X-Deploy-Signature: " .. signature }
end

--- A signed question. @return status, decoded answer
local function ask(body, headers)
  local status, text, kind = hook:post("/resolve", body, headers or headers_of(body))
  assert.equal("application/json", kind, text)
  return status, cjson.decode(text)
end

local function question(tag, repository)
  return cjson.encode { repository = repository or "team/app", tag = tag }
end

describe("the deploy webhook", function()
  it("turns a tag into an image with a digest", function()
    start()
    local status, answer = ask(BODY)
    assert.equal(200, status)
    assert.same({
      image = HOST .. "/team/app@sha256:" .. HEX, digest = "sha256:" .. HEX,
      repository = "team/app", tag = "1.0", size = 27107966, updated = 1572875608000,
    }, answer)
  end)

  it("takes the request that its README shows", function()
    start()
    local client = fixture.read("examples/openresty/deploy_webhook/README.md")
      :match "\n```sh\n(.-)\n```\n"
    client = client:gsub("https://deploy.example.com:8444", function()
      return hook.url
    end):gsub("curl %-s", function()
      return "curl -s --cacert " .. hook.ca_file
    end)
    local output = child.shell(("DEPLOY_WEBHOOK_SECRET=%s\n%s"):format(child.quote(SECRET), client))
    assert.equal(HOST .. "/team/app@sha256:" .. HEX, cjson.decode(output).image)
  end)

  it("gives the digest of the tag as it is, not as it was", function()
    start()
    assert.equal(200, (ask(BODY)))
    api:fault { operation = "*", status = 503, count = 0 }
    local status, answer
    for _ = 1, 100 do -- until a second's answer is old
      status, answer = ask(BODY)
      if status ~= 200 then
        break
      end
      require("cr.core").sleep(0.1)
    end
    assert.equal(503, status)
    assert.equal("ServiceUnavailable", answer.error.code)
  end)
end)

describe("a request", function()
  local function refused(headers, body)
    local status, answer = ask(body or BODY, headers)
    assert.equal(401, status)
    assert.equal(0, #api:log())
    return answer.error.code
  end

  it("is refused without a signature, or with one of something else", function()
    start()
    local time = tostring(os.time())
    local right = mac(SECRET, time .. "." .. BODY)
    assert.equal("SignatureMissing", refused {})
    assert.equal("SignatureMissing", refused { "X-Deploy-Timestamp: " .. time })
    assert.equal("SignatureMissing", refused { "X-Deploy-Signature: " .. right })
    assert.equal("SignatureMissing", refused { "X-Deploy-Timestamp: " .. time,
      "X-Deploy-Signature: " .. right, "X-Deploy-Signature: " .. right })
    for _, signature in ipairs {
      mac(OLD_SECRET, time .. "." .. BODY), mac(SECRET, BODY), mac(SECRET, time .. BODY),
      right:sub(8), right:sub(1, -2), right .. "0", right:upper(), "sha256=", "sha256=" .. HEX,
    } do
      assert.equal("SignatureWrong", refused(headers_of(BODY, { time = time,
        signature = signature })), signature)
    end
    assert.equal("SignatureWrong", refused(headers_of(BODY), BODY .. " "))
    assert.equal("SignatureWrong", refused(headers_of(BODY,
      { time = tostring(os.time() + 1), signature = right })))
    assert.equal("SignatureWrong", refused({ "X-Deploy-Timestamp: " .. time,
      "X-Deploy-Signature: " .. right }, ""))
  end)

  it("is refused outside of its window, though it is signed", function()
    start()
    for _, time in ipairs { os.time() - 310, os.time() + 310 } do
      assert.equal("TimestampWrong", refused(headers_of(BODY, { time = tostring(time) })))
    end
    for _, time in ipairs { "now", "-5", "1e9", "0x65", os.time() .. ".0", ("9"):rep(400) } do
      assert.equal("TimestampWrong", refused(headers_of(BODY, { time = time })), time)
    end
    for _, time in ipairs { os.time() - 200, os.time() + 200 } do
      assert.equal(200, (ask(BODY, headers_of(BODY, { time = tostring(time) }))))
    end
  end)

  it("may be signed with the old secret while there is one", function()
    start { environment = { DEPLOY_WEBHOOK_SECRET = SECRET,
      DEPLOY_WEBHOOK_OLD_SECRET = OLD_SECRET } }
    for _, secret in ipairs { SECRET, OLD_SECRET } do
      assert.equal(200, (ask(BODY, headers_of(BODY, { secret = secret }))))
    end
    assert.equal("SignatureWrong", select(2, ask(BODY,
      headers_of(BODY, { secret = ("x"):rep(40) }))).error.code)
  end)

  it("is answered in JSON when it is none that can be answered", function()
    start()
    for body, message in pairs {
      [""] = "^the body is not JSON: ", ["{"] = "^the body is not JSON: ",
      ["null"] = "^the body is not a JSON object$", ["1"] = "^the body is not a JSON object$",
      ["[]"] = "^repository must be", ['{"tag":"1.0"}'] = "^repository must be",
      ['{"repository":"app","tag":"1"}'] = "^repository must be",
      ['{"repository":"team/app/sub","tag":"1"}'] = "^repository must be",
      ['{"repository":"Team/app","tag":"1"}'] = "^repository must be",
      ['{"repository":["team/app"],"tag":"1"}'] = "^repository must be",
      ['{"repository":"team/app"}'] = "^tag must be",
      ['{"repository":"team/app","tag":1}'] = "^tag must be",
      ['{"repository":"team/app","tag":"a b"}'] = "^tag must be",
      [question(("t"):rep(129))] = "^tag must be",
    } do
      local status, answer = ask(body)
      assert.equal(400, status, body)
      assert.equal("InvalidBody", answer.error.code)
      assert.matches(message, answer.error.message)
    end
    assert.equal(0, #api:log())
    local status, answer = ask((" "):rep(4097))
    assert.equal(413, status)
    assert.equal("TooLarge", answer.error.code)
    assert.equal(200, (ask(BODY .. (" "):rep(4096 - #BODY))))
    local text
    status, text = hook:ask("/resolve", "")
    assert.equal(405, status)
    assert.equal("MethodNotAllowed", cjson.decode(text).error.code)
    status, text = hook:post("/other", BODY)
    assert.equal(404, status)
    assert.equal("NotFound", cjson.decode(text).error.code)
  end)
end)

describe("the answer of the API", function()
  local function failure(body)
    local status, answer = ask(body or BODY)
    return ("%d %s: %s"):format(status, answer.error.code, answer.error.message)
  end

  it("decides on the status", function()
    start()
    assert.equal("404 TAG_NOT_EXIST: tag none of team/app does not exist", failure(question "none"))
    assert.equal("404 REPO_NOT_EXIST: repository team/none does not exist",
      failure(question("1.0", "team/none")))
    assert.equal("409 TagNotNormal: tag 0.8 of team/app is DELETING", failure(question "0.8"))
    for _, tag in ipairs { "odd", "short" } do
      assert.equal(("502 NoDigest: tag %s of team/app has no digest"):format(tag),
        failure(question(tag)))
    end
  end)

  it("is not told in full when it is about the credential or the settings", function()
    start()
    api:fault { operation = "GetRepoTag", status = 403, code = "NoPermission", count = 0 }
    assert.equal("502 NoPermission: the registry's API refuses the question", failure())
    api:reset()
    api:fault { operation = "GetRepoTag", body = "{", count = 0 }
    assert.matches("^502 %w+: the registry's API refuses the question$", failure(question "odd"))
    api:reset()
    api:fault { operation = "GetRepoTag", status = 200, code = "SLB_SERVICE_ERROR", count = 0 }
    assert.equal("502 SLB_SERVICE_ERROR: the registry's API refuses the question",
      failure(question "0.8"))
    api:reset()
    api:fault { operation = "GetRepository", status = 200, code = "USER_NOT_EXIST", count = 0 }
    assert.equal("502 USER_NOT_EXIST: the registry's API refuses the question",
      failure(question("1.0", "team/user")))
    local said = hook:stop()
    assert.matches("deploy webhook: GetRepoTag: NoPermission", said)
    assert.is_nil(said:find(SECRET, 1, true))
    assert.is_nil(said:find(api.access_key_secret, 1, true))
    api:reset()
    start { change = { ['instance = "cri-example"'] = 'instance = "cri-none"' } }
    assert.equal("502 INSTANCE_NOT_EXIST: the registry's API refuses the question", failure())
  end)

  it("is asked for later when there is none", function()
    start()
    api:fault { operation = "GetRepoTag", status = 200, code = "ServiceUnavailable", count = 0 }
    assert.equal("503 ServiceUnavailable: the registry's API does not answer", failure())
    api:reset()
    api:fault { operation = "GetRepository", reset = true, count = 0 }
    local body = question("1.0", "team/other") -- nothing is known of it yet
    local status, text = hook:ask("/resolve", ("-D - -d %s -H %s -H %s"):format(
      child.quote(body), child.quote(headers_of(body)[1]), child.quote(headers_of(body)[2])))
    assert.equal(503, status)
    assert.matches("\r\nRetry%-After: 5\r\n", text)
    assert.matches("\r\nCache%-Control: no%-store\r\n", text)
    assert.matches('"the registry\'s API does not answer"', text)
  end)
end)

describe("nginx", function()
  it("does not start without a secret that is long enough", function()
    assert.matches("there is no secret; is DEPLOY_WEBHOOK_SECRET set%?",
      start { environment = {}, is_failing = true })
    assert.matches("there is no secret", start { is_failing = true,
      environment = { DEPLOY_WEBHOOK_OLD_SECRET = OLD_SECRET } })
    local said = start { environment = { DEPLOY_WEBHOOK_SECRET = ("k"):rep(31) },
      is_failing = true }
    assert.matches("a secret is shorter than 32 bytes", said)
    assert.is_nil(said:find("kkkk", 1, true))
    assert.matches("window must be given properly", start { is_failing = true,
      change = { ["window = 300, "] = "window = 0, " } })
  end)
end)
