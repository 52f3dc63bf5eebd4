--- examples/openresty/registry_gate: a real nginx in front of a real registry, with skopeo as the
-- client. The images are made here.

if not rawget(_G, "jit") then
  return
end

local child = require "spec.support.child"
local cjson = require "cjson"
local core = require "cr.core"
local emulator = require "spec.support.emulator"
local fixture = require "spec.support.fixture"
local http = require "socket.http"
local images = require "spec.support.images"
local nginx_example = require "spec.support.nginx_example"

local ACCEPTED = "application/vnd.oci.image.manifest.v1+json, " ..
  "application/vnd.oci.image.index.v1+json"

--- The registry of the example, with data and port of its own.
local function start_registry(folder)
  local port = core.free_port()
  local process = child.start(("env REGISTRY_HTTP_ADDR=127.0.0.1:%d " ..
    "REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY=%s/data docker-registry serve " ..
    "examples/openresty/registry_gate/registry.yml >%s/registry.log 2>&1"):format(port, folder,
    folder))
  for _ = 1, 500 do
    local _, status = http.request(("http://127.0.0.1:%d/v2/"):format(port))
    if status == 200 then
      return process, "127.0.0.1:" .. port
    end
    core.sleep(0.02)
  end
  process.stop()
  error("the registry did not start: " .. fixture.read(folder .. "/registry.log"))
end

local function skopeo(arguments)
  return child.shell("skopeo --insecure-policy " .. arguments)
end

describe("examples/openresty/registry_gate", function()
  local api, example, folder, registry, behind, digests, parts
  local pulled = {} -- folders

  local function push(name, tag)
    local output, ok = skopeo(("copy --all --preserve-digests --dest-tls-verify=false " ..
      "oci:%s/%s:x docker://%s/team/app:%s"):format(folder, name, behind, tag))
    assert(ok, output)
  end

  --- Two images and one for two platforms, under the tags that the API knows.
  local function fill()
    digests = {}
    for _, name in ipairs { "first", "second", "many" } do
      child.shell(("mkdir %s/%s"):format(folder, name))
    end
    digests.first = images.single(folder .. "/first", "x", "one")
    digests.second = images.single(folder .. "/second", "x", "two")
    digests.many, parts = images.list(folder .. "/many", "x", { amd64 = "three", arm64 = "four" })
    for _, tag in ipairs { "good", "vulnerable", "unknown" } do
      push("first", tag)
    end
    push("second", "deleting")
    push("second", "moved") -- the API tells of the first still
    push("many", "many")
  end

  local function known_tags()
    local function tag(name, digest, more)
      more = more or {}
      more.Tag, more.Digest = name, digest:gsub("^sha256:", "")
      return more
    end
    return {
      tag("good", digests.first), tag("moved", digests.first), tag("many", digests.many),
      tag("deleting", digests.second, { Status = "DELETING" }),
      tag("vulnerable", digests.first, { vulnerabilities = { high = 2 } }),
      tag("scanning", digests.first, { scans = { "SCANNING" } }),
    }
  end

  setup(function()
    folder = child.new_folder()
    registry, behind = start_registry(folder)
    fill()
    api = emulator.start { fixture = {
      instances = { {
        InstanceId = "cri-example",
        namespaces = { {
          NamespaceName = "team",
          repositories = { { RepoId = "crr-app", RepoName = "app", tags = known_tags() } },
        } },
      } },
    } }
    example = nginx_example.start("registry_gate", {
      environment = nginx_example.environment(api, "cri-example"),
      replaced = { ["http://127.0.0.1:5000"] = "http://" .. behind, ["access_log logs/access.log"] =
        "access_log " .. folder .. "/access.log" },
    })
  end)

  teardown(function()
    for _, server in ipairs { example or false, api or false } do
      if server then
        server:stop()
      end
    end
    if registry then
      registry.stop()
    end
    child.remove_folder(folder)
  end)

  after_each(function()
    for index = #pulled, 1, -1 do
      child.remove_folder(table.remove(pulled, index))
    end
  end)

  --- Pulls through the gate into a folder. @return what skopeo says, whether it worked
  local function pull(reference, options)
    local target = child.new_folder()
    pulled[#pulled + 1] = target
    local output, ok = skopeo(("copy %s --src-tls-verify=false docker://127.0.0.1:%d/team/app%s " ..
      "dir:%s"):format(options or "", example.port, reference, target))
    return output, ok, target
  end

  local function get(reference)
    local _, status, headers = http.request {
      url = ("%s/v2/team/app/manifests/%s"):format(example.url, reference),
      headers = { accept = ACCEPTED },
    }
    return status, headers
  end

  it("lets skopeo copy an image whose tag is good", function()
    local output, ok, target = pull ":good"
    assert.is_true(ok, output)
    local manifest = cjson.decode(fixture.read(target .. "/manifest.json"))
    assert.equal("amd64", cjson.decode(fixture.read(("%s/%s"):format(target,
      manifest.config.digest:match "%x+$"))).architecture)
    local content = child.shell(("tar -xzOf %s/%s"):format(target,
      manifest.layers[1].digest:match "%x+$"))
    assert.equal("one", content)
  end)

  it("refuses a tag that is being deleted, vulnerable, not scanned or not known", function()
    local reasons = { deleting = "the tag is DELETING", vulnerable = "the scan found 2",
      scanning = "the scan is SCANNING", unknown = "there is no such tag" }
    for tag, reason in pairs(reasons) do
      local output, ok = pull(":" .. tag)
      assert.is_false(ok, tag)
      assert.is_truthy(output:find(reason, 1, true) or tag == "unknown" and
        output:find("manifest unknown", 1, true), output)
    end
    -- they are there, behind the gate
    local output, ok = skopeo(("inspect --tls-verify=false docker://%s/team/app:deleting"):format(
      behind))
    assert.is_true(ok, output)
    assert.is_truthy(output:find(digests.second, 1, true))
  end)

  it("refuses digests that no good tag has, and lets those of good ones pass", function()
    local output, ok = pull("@" .. digests.second)
    assert.is_false(ok)
    assert.is_truthy(output:find("no tag that was checked lately has this digest", 1, true), output)
    assert.equal(200, (get "good"))
    output, ok = pull("@" .. digests.first)
    assert.is_true(ok, output)
  end)

  it("serves the image that was checked when the tag has moved on", function()
    local status, headers = get "moved"
    assert.same({ 200, digests.first }, { status, headers["docker-content-digest"] })
    local _, _, direct = http.request {
      url = ("http://%s/v2/team/app/manifests/moved"):format(behind), method = "HEAD",
      headers = { accept = ACCEPTED },
    }
    assert.equal(digests.second, direct["docker-content-digest"])
  end)

  it("lets an image for several platforms pass with its parts", function()
    assert.equal(403, (get(parts.arm64)))
    local output, ok = pull(":many", "--all")
    assert.is_true(ok, output)
    assert.equal(200, (get(parts.arm64)))
    assert.equal(200, (get(parts.amd64)))
  end)

  it("does not serve manifests as blobs, where they would not be checked", function()
    local _, status = http.request(("%s/v2/team/app/blobs/%s"):format(example.url, digests.second))
    assert.equal(404, status)
  end)

  it("refuses to push", function()
    local output, ok = skopeo(("copy --dest-tls-verify=false oci:%s/second:x " ..
      "docker://127.0.0.1:%d/team/app:new"):format(folder, example.port))
    assert.is_false(ok, output)
    assert.equal(404, (get "new"))
  end)

  it("writes its decisions to the log", function()
    get "good"
    get "deleting"
    local log = fixture.read(folder .. "/access.log")
    assert.is_truthy(log:find("200 GET /v2/team/app/manifests/good gate=pass reason= digest=" ..
      digests.first, 1, true), log)
    assert.is_truthy(log:find("403 GET /v2/team/app/manifests/deleting gate=refuse " ..
      "reason=TagNotNormal", 1, true), log)
  end)
end)
