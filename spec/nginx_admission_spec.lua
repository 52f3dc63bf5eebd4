--- examples/openresty/admission in a real nginx with TLS, as the API server of a cluster asks it.

if not rawget(_G, "jit") then
  return
end

local cjson = require "cjson"
local emulator = require "spec.support.emulator"
local fixture = require "spec.support.fixture"
local mime = require "mime"
local webhook = require "spec.support.webhook"

local HOST = "demo-registry.cn-hangzhou.cr.aliyuncs.com"
local HEX = ("0123456789abcdef"):rep(4)
local LATEST = ("fedcba9876543210"):rep(4)

local FIXTURE = {
  region = "cn-hangzhou",
  instances = { { InstanceId = "cri-example", namespaces = { {
    NamespaceName = "team", repositories = {
      { RepoName = "app", RepoId = "crr-app", tags = {
        { Tag = "1.0", Digest = HEX:upper() }, { Tag = "latest", Digest = LATEST },
        { Tag = "0.8", Digest = HEX, Status = "DELETING" }, { Tag = "odd", Digest = "67bf****" },
        { Tag = "short", Digest = HEX:sub(2) },
      } },
      { RepoName = "many", RepoId = "crr-many", generate = { count = 120, prefix = "b-" } },
    },
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

local function start(change)
  hook = webhook.start("admission", api, { change = change })
end

--- A review of a Pod.
-- @tparam table spec of the Pod
-- @tparam ?table request fields that are other than usual
local function review(spec, request)
  local asked = {
    uid = "705ab4f5-6393-11e8-b7cc-42010a800002", operation = "CREATE",
    kind = { group = "", version = "v1", kind = "Pod" },
    object = { apiVersion = "v1", kind = "Pod", metadata = { name = "p" }, spec = spec },
    oldObject = cjson.null, dryRun = false,
  }
  for name, value in pairs(request or {}) do
    asked[name] = value
  end
  return cjson.encode { apiVersion = "admission.k8s.io/v1", kind = "AdmissionReview",
    request = asked }
end

--- The response to a review; checks what every one of them must have.
local function ask(path, spec, request)
  local status, body, kind = hook:post(path, review(spec, request),
    { "Content-Type: application/json" })
  assert.equal(200, status, body)
  assert.equal("application/json", kind)
  local answer = cjson.decode(body)
  assert.equal("admission.k8s.io/v1", answer.apiVersion)
  assert.equal("AdmissionReview", answer.kind)
  assert.equal("705ab4f5-6393-11e8-b7cc-42010a800002", answer.response.uid)
  return answer.response
end

local function one(image)
  return { containers = { { name = "c", image = image } } }
end

--- The patch of a response as {path = value}.
local function patch_of(response)
  assert.is_true(response.allowed)
  assert.equal("JSONPatch", response.patchType)
  local found = {}
  for _, change in ipairs(cjson.decode((mime.unb64(response.patch)))) do
    assert.equal("replace", change.op)
    found[change.path] = change.value
  end
  return found
end

local function message_of(response)
  assert.is_false(response.allowed)
  assert.is_nil(response.patch)
  return response.status.message, response.status.code, response.status.reason
end

local function count(operation)
  local found = 0
  for _, logged in ipairs(api:log()) do
    found = found + (logged.operation == operation and 1 or 0)
  end
  return found
end

local APP = HOST .. "/team/app"

describe("the admission webhook", function()
  it("pins the tags of all containers, each image looked up once", function()
    start { ['"images.example.com"'] = '"Images.example.com"' }
    local response = ask("/mutate", {
      initContainers = { { name = "i", image = APP .. ":1.0" } },
      containers = {
        { name = "a", image = APP .. ":1.0" }, { name = "b", image = APP },
        { name = "c", image = APP .. "@sha256:" .. HEX },
        { name = "d", image = "images.example.com:443/team/app:latest" },
      },
      ephemeralContainers = { { name = "e", image = APP .. ":1.0@sha256:" .. LATEST },
        { name = "f", image = APP .. ":latest" } },
    })
    assert.same({
      ["/spec/initContainers/0/image"] = APP .. "@sha256:" .. HEX,
      ["/spec/containers/0/image"] = APP .. "@sha256:" .. HEX,
      ["/spec/containers/1/image"] = APP .. "@sha256:" .. LATEST,
      ["/spec/containers/3/image"] = "images.example.com:443/team/app@sha256:" .. LATEST,
      ["/spec/ephemeralContainers/1/image"] = APP .. "@sha256:" .. LATEST,
    }, patch_of(response))
    assert.is_nil(response.warnings)
    assert.equal(1, count "GetRepository")
    assert.equal(2, count "GetRepoTag")
  end)

  it("keeps the tag beside the digest when told so", function()
    start { ["keep_tag = false"] = "keep_tag = true" }
    assert.same({
      ["/spec/containers/0/image"] = APP .. ":1.0@sha256:" .. HEX,
      ["/spec/containers/1/image"] = APP .. "@sha256:" .. LATEST,
    }, patch_of(ask("/mutate", { containers = {
      { name = "a", image = APP .. ":1.0" }, { name = "b", image = APP } } })))
  end)

  it("allows without a patch where there is nothing to replace", function()
    start()
    for path, image in pairs { ["/validate"] = APP .. ":1.0",
      ["/mutate"] = APP .. "@sha256:" .. HEX } do
      local response = ask(path, one(image))
      assert.same({ uid = response.uid, allowed = true }, response)
    end
    assert.is_true(ask("/mutate", {}).allowed)
    assert.is_true(ask("/mutate", { containers = cjson.null }).allowed)
  end)

  it("refuses with the name of every container and the reason", function()
    start()
    local message, code, reason = message_of(ask("/mutate", {
      initContainers = { { name = "i", image = APP .. ":none" } },
      containers = {
        { name = "good", image = APP .. ":1.0" }, { name = "deleting", image = APP .. ":0.8" },
        { name = "digest", image = APP .. ":odd" }, { name = "case", image = HOST .. "/Team/app" },
        { name = "deep", image = HOST .. "/team/app/sub" },
        { name = "flat", image = HOST .. "/app" },
        { name = "hub", image = "app:1.0" }, { name = "port", image = HOST .. ":5000/team/app" },
        { name = "nothing" }, { image = 1 },
      },
      ephemeralContainers = { { name = "e", image = HOST .. "/team/none:1.0" } },
    }))
    assert.equal(403, code)
    assert.equal("Forbidden", reason)
    local expected = {}
    for _, line in ipairs {
      { "i", APP .. ":none", "the tag none does not exist (TAG_NOT_EXIST)" },
      { "deleting", APP .. ":0.8", "the tag 0.8 is DELETING" },
      { "digest", APP .. ":odd", "the tag odd has no digest" },
      { "case", HOST .. "/Team/app",
        "is not an image reference: its repository has upper-case letters" },
      { "deep", HOST .. "/team/app/sub", "is not <namespace>/<repository> in its registry" },
      { "flat", HOST .. "/app", "is not <namespace>/<repository> in its registry" },
      { "hub", "app:1.0", "is in the registry docker.io, which is not allowed" },
      { "port", HOST .. ":5000/team/app",
        ("is in the registry %s:5000, which is not allowed"):format(HOST) },
      { "nothing", "", "is not an image reference: no image is named" },
      { "containers[9]", "", "is not an image reference: no image is named" },
      { "e", HOST .. "/team/none:1.0", "the repository does not exist (REPO_NOT_EXIST)" },
    } do
      expected[#expected + 1] = ('container %s: image "%s" %s'):format(line[1], line[2], line[3])
    end
    assert.equal(table.concat(expected, "; "), message)
    assert.equal(message, (message_of(ask("/validate", {
      initContainers = { { name = "i", image = APP .. ":none" } },
      containers = { { name = "deleting", image = APP .. ":0.8" } },
    })) .. message:sub(#table.concat(expected, "; ", 1, 2) + 1)))
  end)

  it("leaves images of other registries alone where they are allowed", function()
    start { ['others = "refuse"'] = 'others = "allow"' }
    assert.same({ ["/spec/containers/1/image"] = APP .. "@sha256:" .. HEX },
      patch_of(ask("/mutate", { containers = {
        { name = "a", image = "app:1.0" }, { name = "b", image = APP .. ":1.0" } } })))
    assert.matches("is not an image reference", (message_of(ask("/mutate", one "app:"))))
    assert.matches("the tag short has no digest$",
      (message_of(ask("/mutate", one(APP .. ":short")))))
  end)

  it("looks at an update's new images only", function()
    start()
    local function update(before, after, more)
      local request = { operation = "UPDATE", oldObject = { spec = before } }
      for name, value in pairs(more or {}) do
        request[name] = value
      end
      return ask("/mutate", after, request)
    end
    assert.is_true(update(one(APP .. ":none"), one(APP .. ":none")).allowed)
    assert.equal(0, #api:log())
    message_of(update(one(APP .. ":1.0"), one(APP .. ":none")))
    message_of(update({ initContainers = one(APP .. ":none").containers }, one(APP .. ":none")))
    message_of(update(one(cjson.null), one(cjson.null)))
    message_of(update(one "", one ""))
    local spec = one(APP .. ":none")
    spec.ephemeralContainers = { { name = "debug", image = APP .. ":1.0" } }
    assert.same({ ["/spec/ephemeralContainers/0/image"] = APP .. "@sha256:" .. HEX },
      patch_of(update(one(APP .. ":none"), spec, { subResource = "ephemeralcontainers" })))
  end)

  it("allows what is not about a Pod's images unexamined", function()
    start()
    local bad = one(APP .. ":none")
    for _, request in ipairs {
      { kind = { group = "apps", version = "v1", kind = "Deployment" } },
      { kind = { group = "example.com", version = "v1", kind = "Pod" } },
      { kind = cjson.null }, { operation = "CONNECT" },
      { operation = "DELETE", object = cjson.null, oldObject = { spec = bad } },
      { operation = "UPDATE", subResource = "status" },
    } do
      local response = ask("/mutate", bad, request)
      assert.same({ uid = response.uid, allowed = true }, response)
    end
    assert.equal(0, #api:log())
    message_of(ask("/mutate", bad, { subResource = "" }))
  end)

  it("refuses a Pod that it cannot understand, or that has too many images", function()
    start { ["max_images = 100"] = "max_images = 3" }
    assert.equal("the request has no object",
      (message_of(ask("/mutate", nil, { object = cjson.null }))))
    assert.equal("spec.containers of the Pod is not an array",
      (message_of(ask("/mutate", { containers = { a = { image = APP } } }))))
    assert.equal("spec.initContainers of the Pod is not an array",
      (message_of(ask("/mutate", { initContainers = "x" }))))
    local containers = {}
    for index = 1, 4 do
      containers[index] = { name = "c" .. index, image = HOST .. "/team/many:b-00" .. index }
    end
    assert.equal("the Pod has 4 images, and 3 can be checked",
      (message_of(ask("/mutate", { containers = containers }))))
    assert.equal(0, #api:log())
  end)
end)

describe("many images", function()
  it("are looked up beside each other, within the bound", function()
    start { ["concurrency = 8"] = "concurrency = 3" }
    hook:post("/validate", review(one(HOST .. "/team/many:b-120")))
    api:clear_log()
    api:fault { operation = "GetRepoTag", delay_ms = 400, count = 0 }
    local containers = {}
    for index = 1, 9 do
      containers[index] = { name = "c" .. index, image = HOST .. "/team/many:b-00" .. index }
    end
    assert.is_true(ask("/validate", { containers = containers }).allowed)
    -- Each is answered 0.4 s after it came, so that those who came within that time of each other
    -- were in flight at once.
    local times, most = {}, 0
    for _, logged in ipairs(api:log()) do
      times[#times + 1] = logged.operation == "GetRepoTag" and logged.time or nil
    end
    for _, time in ipairs(times) do
      local in_flight = 0
      for _, other in ipairs(times) do
        in_flight = in_flight + ((other <= time and time - other < 0.39) and 1 or 0)
      end
      most = math.max(most, in_flight)
    end
    assert.equal(9, #times)
    assert.is_true(most > 1 and most <= 3, most)
  end)
end)

describe("an API that does not answer", function()
  local CLOSED = ('container c: image "%s:1.0" could not be checked: '):format(APP)

  it("refuses where fail is closed, with a code of its own", function()
    start()
    api:fault { operation = "GetRepository", status = 503, count = 0 }
    local message, code, reason = message_of(ask("/mutate", one(APP .. ":1.0")))
    assert.equal(CLOSED .. "the registry's API fails (ServiceUnavailable)", message)
    assert.equal(503, code)
    assert.equal("ServiceUnavailable", reason)
    local both = one(APP .. ":1.0")
    both.containers[2] = { name = "d", image = "app" }
    assert.equal(403, (select(2, message_of(ask("/mutate", both)))))
  end)

  it("allows with a warning where fail is open, but nothing that is known to be wrong", function()
    start { ['fail = "closed"'] = 'fail = "open"' }
    api:fault { operation = "GetRepoTag", status = 503, count = 0 }
    local both = one(APP .. ":1.0")
    both.containers[2] = { name = "pinned", image = APP .. "@sha256:" .. HEX }
    local response = ask("/mutate", both)
    assert.same({ uid = response.uid, allowed = true, warnings = {
      CLOSED .. "the registry's API fails (ServiceUnavailable)" } }, response)
    both.containers[3] = { name = "hub", image = "app" }
    assert.equal('container hub: image "app" is in the registry docker.io, which is not allowed',
      (message_of(ask("/mutate", both))))
  end)

  it("is bridged by what was known", function()
    start { ["ttl = 30, "] = "ttl = 0.001, " }
    local known = patch_of(ask("/mutate", one(APP .. ":1.0")))
    api:fault { operation = "*", status = 503, count = 0 }
    assert.same(known, patch_of(ask("/mutate", one(APP .. ":1.0"))))
    assert.is_true(count "GetRepository" > 1)
  end)

  it("is given up before the API server gives up", function()
    start { ["deadline = 8, "] = "deadline = 0.3, " }
    api:fault { operation = "GetRepository", delay_ms = 1500 }
    local message, code = message_of(ask("/mutate", one(APP .. ":1.0")))
    assert.equal(CLOSED .. "the registry's API has not answered in time", message)
    assert.equal(503, code)
  end)

  it("is none that says that the credential may not ask, or the instance is not there", function()
    api:fault { operation = "GetRepository", status = 403, code = "NoPermission", count = 0 }
    start()
    local message, code = message_of(ask("/mutate", one(APP .. ":1.0")))
    assert.equal(CLOSED .. "the registry's API fails (NoPermission)", message)
    assert.equal(503, code)
    local said = hook:stop()
    assert.matches("admission: GetRepository: NoPermission", said)
    assert.is_nil(said:find(api.access_key_secret, 1, true))
    api:reset()
    start()
    api:fault { operation = "GetRepoTag", status = 200, code = "SLB_SERVICE_ERROR", count = 0 }
    message, code = message_of(ask("/mutate", one(APP .. ":1.0")))
    assert.equal(CLOSED .. "the registry's API fails (SLB_SERVICE_ERROR)", message)
    assert.equal(503, code)
    hook:stop()
    api:reset()
    start { ['instance = "cri-example"'] = 'instance = "cri-none"' }
    message, code = message_of(ask("/mutate", one(APP .. ":1.0")))
    assert.equal(CLOSED .. "the registry's API fails (INSTANCE_NOT_EXIST)", message)
    assert.equal(503, code)
  end)
end)

describe("a fault in the webhook itself", function()
  it("counts as nothing found out, and is in nginx's log", function()
    start { ["cache = cache,"] = "cache = {}," }
    local message, code = message_of(ask("/mutate", one(APP .. ":1.0")))
    assert.equal(('container c: image "%s:1.0" could not be checked: an internal error')
      :format(APP), message)
    assert.equal(503, code)
    assert.matches("admission: .-image_check.lua:%d+: attempt to call", hook:stop())
  end)
end)

describe("a request that is no AdmissionReview", function()
  it("gets another status than 200, and a reason", function()
    start()
    local function problem(text)
      local status, body = hook:post("/mutate", text)
      return status, cjson.decode(body).error
    end
    for text, reason in pairs {
      [""] = "^the body is not JSON: ", ["{"] = "^the body is not JSON: ",
      ["null"] = "^the body is not an AdmissionReview of admission.k8s.io/v1$",
      ["[]"] = "^the body is not an AdmissionReview",
      ['{"apiVersion":"admission.k8s.io/v1beta1","kind":"AdmissionReview","request":{"uid":"1"}}'] =
        "^the body is not an AdmissionReview",
      ['{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":null}'] =
        "^the AdmissionReview has no request with a uid$",
      ['{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":""}}'] =
        "^the AdmissionReview has no request with a uid$",
      [("["):rep(5000)] = "^the body is not JSON: ",
    } do
      local status, said = problem(text)
      assert.equal(400, status, text)
      assert.matches(reason, said)
    end
    assert.equal(413, (hook:post("/mutate", (" "):rep(4 * 1024 * 1024 + 1))))
    assert.equal(405, (hook:ask("/mutate", "")))
    assert.equal(404, (hook:ask("/other", "")))
    assert.equal(204, (hook:ask("/healthz", "")))
    -- A large one, in one piece and in chunks.
    local large = one(APP .. ":1.0")
    large.text = ("x"):rep(3 * 1024 * 1024)
    assert.is_true(ask("/validate", large).allowed)
    local status, body = hook:post("/validate", review(large), { "Transfer-Encoding: chunked" })
    assert.equal(200, status)
    assert.is_true(cjson.decode(body).response.allowed)
  end)
end)

describe("the settings", function()
  it("are checked when nginx starts", function()
    for change, problem in pairs {
      ['fail = "closed"'] = "the setting fail cannot be maybe",
      ["keep_tag = false"] = "there is no setting keep_tags",
      ["concurrency = 8"] = "the setting concurrency cannot be 0",
      ['instance = "cri-example"'] = "the setting instance cannot be nil",
      ['registries = { "demo-registry.cn-hangzhou.cr.aliyuncs.com", "images.example.com" }'] =
        "the setting registries cannot be table",
    } do
      local name = change:match "^%w+"
      local values = {
        fail = 'fail = "maybe"', keep = "keep_tags = false", concurrency = "concurrency = 0",
        instance = "instance = nil", registries = "registries = {}",
      }
      local said = webhook.start("admission", api, {
        change = { [change] = values[name] }, is_failing = true })
      assert.truthy(said:find("admission: " .. problem, 1, true), said)
    end
  end)
end)

describe("webhooks.yaml", function()
  local folder = "examples/openresty/admission/"
  local yaml, conf = fixture.read(folder .. "webhooks.yaml"), fixture.read(folder .. "nginx.conf")

  it("names places that nginx.conf has, and waits longer than it takes", function()
    local paths = {}
    for path in yaml:gmatch "\n +path: (%S+)" do
      paths[#paths + 1] = path
      assert.truthy(conf:find("location = " .. path .. " {", 1, true), path)
    end
    assert.same({ "/mutate", "/validate" }, paths)
    assert.equal(conf:match "listen (%d+) ssl;", yaml:match "targetPort: (%d+)")
    local deadline = tonumber(conf:match "deadline = (%d+), +%-%- seconds")
    local waits = 0
    for seconds in yaml:gmatch "timeoutSeconds: (%d+)" do
      waits = waits + 1
      assert.is_true(tonumber(seconds) > deadline)
    end
    assert.equal(2, waits)
  end)
end)
