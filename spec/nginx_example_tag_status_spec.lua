--- examples/openresty/tag_status in a real nginx.

if not rawget(_G, "jit") then
  return
end

local cached = require "spec.support.cached"
local cjson = require "cjson"
local emulator = require "spec.support.emulator"
local http = require "socket.http"
local nginx_example = require "spec.support.nginx_example"

describe("examples/openresty/tag_status", function()
  local api, example

  setup(function()
    api = emulator.start()
    example = nginx_example.start("tag_status",
      { environment = nginx_example.environment(api, "cri-kmsiwlxxdcva****") })
  end)

  teardown(function()
    example:stop()
    api:stop()
  end)

  local function ask(query)
    local body, status, headers = http.request(example.url .. "/status?" .. query)
    assert.equal("application/json", headers["content-type"], body)
    return status, cjson.decode(body)
  end

  it("answers status, digest, size and dates of a tag", function()
    local status, answer = ask "repository=sample/app&tag=1.0"
    assert.equal(200, status)
    assert.same({
      status = "NORMAL", size = 27107966, pushed = "2019-11-04T03:45:25Z",
      updated = "2019-11-04T13:53:28Z",
      digest = "sha256:67bfbcc12b67936ec7f867927817cbb071832b873dbcaed312a1930ba5f1****",
    }, answer)
    status, answer = ask "repository=sample/app&tag=0.8"
    assert.same({ 200, "DELETING" }, { status, answer.status })
  end)

  it("asks the API once, however many ask it", function()
    ask "repository=sample/app&tag=latest"
    api:clear_log()
    for _ = 1, 20 do
      assert.equal(200, (ask "repository=sample/app&tag=latest"))
    end
    assert.equal(0, cached.count(api, "GetRepoTag"))
    assert.equal(0, cached.count(api, "GetRepository"))
  end)

  it("tells what is not there from what it could not ask", function()
    local status, answer = ask "repository=sample/app&tag=nothing"
    assert.same({ 404, "TAG_NOT_EXIST" }, { status, answer.error })
    status, answer = ask "repository=sample/nothing&tag=1.0"
    assert.same({ 404, "REPO_NOT_EXIST" }, { status, answer.error })
    for _, query in ipairs { "", "repository=sample/app", "repository=app&tag=1", "tag=1",
      "repository=sample/app&tag=a&tag=b", "repository=sample/app&tag=" } do
      assert.equal(400, (ask(query)), query)
    end
    api:fault { operation = "GetRepoTag", status = 503, count = 0 }
    status = ask "repository=sample/app&tag=0.9"
    api:clear_faults()
    assert.equal(503, status)
  end)
end)
