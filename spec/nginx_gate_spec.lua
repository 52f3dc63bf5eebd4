--- The gate in a real nginx, over the emulator. That is LuaJIT, so only LuaJIT's run of the specs
-- has the build for it.

if not rawget(_G, "jit") then
  return
end

local cached = require "spec.support.cached"
local cjson = require "cjson"
local emulator = require "spec.support.emulator"
local http = require "socket.http"
local ltn12 = require "ltn12"
local socket = require "socket"
local tags = require "spec.support.tags"

local GOOD, OTHER = tags.digest "1", tags.digest "9"

-- Gates by name; a request says with x-gate which one it stands before.
local INIT = [[
  local new = require("cr.gate").new
  local function gate(given)
    given.instance = "cri-gate"
    if not given.client then given.cache = cache end
    return new(given)
  end
  local function direct(endpoint, id)
    return require("cr").new { endpoint = endpoint, max_attempts = 1, timeout = 2,
      credentials = { type = "access_key", access_key_id = id,
        access_key_secret = "not-a-real-one" } }
  end
  local mistaken = require("cr").new { endpoint = "%s", thread_pool = "nowhere",
    credentials = { type = "access_key", access_key_id = "LTAI5tGate",
      access_key_secret = "not-a-real-one" } }
  local away = direct("http://127.0.0.1:1", "LTAI5tGate")
  local pinned = { ["team/app:good"] = "sha256:%s", ["team/app:old"] = "%s",
    ["team/app:medium"] = false }
  gates = {
    plain = gate {},
    closed = gate { client = away },
    open = gate { client = away, fail = "open", dict = "open" },
    mistaken = gate { client = mistaken, fail = "open" },
    blind = gate { client = direct("%s", "LTAI5tBlind"), fail = "open" },
    high = gate { scan = "high" }, medium = gate { scan = "medium" },
    unknown = gate { scan = "unknown" }, scanned = gate { scan = "complete" },
    young = gate { max_age_days = 30 },
    one = gate { digest = "%s" }, listed = gate { digest = pinned },
    asked = gate { digest = function(repository, tag)
      return pinned[repository .. ":" .. tag]
    end },
    failing = gate { digest = function() error "secret trouble" end },
    brief = gate { digest_ttl = 0.05, dict = "brief" },
    writable = gate { writes = "pass" }, narrow = gate { other = "refuse" },
    moving = gate { pin = false },
    any = gate { digests = "pass" }, none = gate { digests = "refuse" },
    chosen = gate { digests = function(repository, digest)
      return repository == "team/app" and digest == "sha256:%s"
    end },
    mapped = gate { repositories = { short = "crr-app" } },
    pattern = gate { find = { pattern = "^/deploy/(?<repository>.+)/(?<tag>[^/]+)$" } },
    variables = gate { find = { repository = "http_x_repository", tag = "http_x_tag" } },
    own = gate { find = function() return ngx.var.arg_name, ngx.var.arg_tag end },
  }
]]

local INDEX = ('{"manifests":[{"digest":"sha256:%s"},{"digest":7},{}]}'):format(OTHER)

local LOCATIONS = ([[
  set $cr_gate_decision ""; set $cr_gate_reason "";
  location / {
    add_header x-decision $cr_gate_decision always;
    add_header x-reason $cr_gate_reason always;
    access_by_lua_block { gates[ngx.var.http_x_gate or "plain"]:check() }
    body_filter_by_lua_block { gates[ngx.var.http_x_gate or "plain"]:learn() }
    content_by_lua_block {
      ngx.header["x-served"] = ngx.var.uri
      ngx.status = tonumber(ngx.var.http_x_status) or 200
      ngx.header["content-type"] = ngx.var.http_x_type
      ngx.print('%s')
    }
  }
]]):format(INDEX)

describe("cr.gate", function()
  local api, server

  setup(function()
    api = emulator.start { fixture = tags.fixture() }
    server = cached.start(api, {
      init = INIT:format(api.endpoint, GOOD, GOOD, api.endpoint, GOOD, OTHER),
      http = "lua_shared_dict cr_gate 1m; lua_shared_dict open 1m; lua_shared_dict brief 1m;",
      locations = LOCATIONS,
    })
  end)

  teardown(function()
    server:stop()
    api:stop()
  end)

  --- @return status, decoded body, headers
  local function ask(gate, path, given)
    given = given or {}
    local headers = given.headers or {}
    headers["x-gate"] = gate
    local chunks = {}
    local _, status, got = http.request {
      url = server.url .. path, method = given.method, headers = headers,
      sink = ltn12.sink.table(chunks), redirect = false,
    }
    local body = table.concat(chunks)
    return status, body ~= "" and cjson.decode(body) or nil, got
  end

  local function manifest(tag)
    return "/v2/team/app/manifests/" .. tag
  end

  --- What is said of a tag: its status and the reason.
  local function outcome(gate, tag)
    local status, _, headers = ask(gate, manifest(tag))
    return status .. (headers["x-reason"] and " " .. headers["x-reason"] or "")
  end

  before_each(function()
    server:lua [[ for _, name in ipairs { "cr_gate", "open", "brief" } do
      ngx.shared[name]:flush_all() end; cache:purge() ]]
  end)

  it("lets a tag pass that is there and NORMAL, as the digest that it had", function()
    local status, _, headers = ask("plain", manifest "good")
    assert.equal(200, status)
    assert.equal("pass", headers["x-decision"])
    assert.equal(manifest("sha256:" .. GOOD), headers["x-served"])
    status, _, headers = ask("moving", manifest "good")
    assert.equal(200, status)
    assert.equal(manifest "good", headers["x-served"])
  end)

  it("answers others with a status and JSON, also in the registry's own form", function()
    local status, body, headers = ask("plain", manifest "deleting")
    assert.equal(403, status)
    assert.equal("refuse", headers["x-decision"])
    assert.equal("TagNotNormal", headers["x-reason"])
    assert.equal("application/json", headers["content-type"])
    assert.equal("no-store", headers["cache-control"])
    assert.is_nil(headers["x-served"])
    assert.same({
      code = "TagNotNormal", message = "the tag is DELETING, not NORMAL", repository = "team/app",
      tag = "deleting", errors = { { code = "DENIED", detail = { reason = "TagNotNormal" },
        message = "the tag is DELETING, not NORMAL" } },
    }, body)
    status, body = ask("plain", manifest "nowhere")
    assert.equal(404, status)
    assert.same({ "TagNotFound", "MANIFEST_UNKNOWN" }, { body.code, body.errors[1].code })
    status, body = ask("plain", "/v2/team/nothing/manifests/1")
    assert.same({ 404, "RepositoryNotFound" }, { status, body.code })
    status, body = ask("plain", "/v2/alone/manifests/1")
    assert.same({ 404, "RepositoryNotFound" }, { status, body.code })
  end)

  it("decides HEAD as GET, and keeps the connection in step", function()
    local status, body, headers = ask("plain", manifest "deleting", { method = "HEAD" })
    assert.same({ 403, nil, "TagNotNormal" }, { status, body, headers["x-reason"] })
    assert.equal(200, (ask("plain", manifest "good", { method = "HEAD" })))
    local connection = assert(socket.connect("127.0.0.1", server.port))
    local line = "GET " .. manifest "deleting" .. " HTTP/1.1\r\nHost: a\r\n%s\r\n"
    connection:send(line:format "" .. line:format "Connection: close\r\n")
    local said = connection:receive "*a"
    connection:close()
    local _, answers = said:gsub("HTTP/1.1 403", "")
    assert.equal(2, answers)
  end)

  it("holds tags against the scan", function()
    local expected = {
      scanned = { good = "200", vulnerable = "200", scanning = "403 ScanNotComplete",
        failed = "403 ScanNotComplete" },
      high = { good = "200", medium = "200", vulnerable = "403 Vulnerable",
        scanning = "403 ScanNotComplete", deleting = "403 TagNotNormal" },
      medium = { good = "200", medium = "403 Vulnerable", vulnerable = "403 Vulnerable" },
      unknown = { good = "200", medium = "403 Vulnerable" },
    }
    for gate, tags_of_gate in pairs(expected) do
      for tag, wanted in pairs(tags_of_gate) do
        assert.equal(wanted, outcome(gate, tag))
      end
    end
  end)

  it("asks for the scan of the digest that the tag has", function()
    api:clear_log()
    assert.equal(200, (ask("high", manifest "good")))
    local seen = {}
    for _, logged in ipairs(api:log()) do
      seen[#seen + 1] = logged.operation .. " " .. tostring(logged.parameters.Digest)
    end
    assert.same({ "GetRepository nil", "GetRepoTag nil", "GetRepoTagScanStatus " .. GOOD,
      "GetRepoTagScanSummary " .. GOOD }, seen)
    for _ = 1, 10 do
      assert.equal(200, (ask("high", manifest "good")))
    end
    assert.equal(4, #api:log()) -- the cache knows the rest
  end)

  it("holds tags against an age and against digests", function()
    assert.equal("200", outcome("young", "good"))
    assert.equal("403 TooOld", outcome("young", "old"))
    assert.equal("200", outcome("one", "good"))
    assert.equal("403 DigestMismatch", outcome("one", "medium"))
    for _, gate in ipairs { "listed", "asked" } do
      assert.equal("200", outcome(gate, "good"))
      assert.equal("200", outcome(gate, "medium"))
      assert.equal("403 DigestMismatch", outcome(gate, "old"))
      assert.equal("403 DigestNotPinned", outcome(gate, "vulnerable"))
    end
    assert.equal("503 DigestUnreadable", outcome("plain", "nodigest"))
  end)

  it("fails closed, or open where an outage may do that", function()
    local status, body = ask("closed", manifest "good")
    assert.same({ 503, "Unavailable", "UNAVAILABLE" },
      { status, body.code, body.errors[1].code })
    local by_digest = manifest("sha256:" .. OTHER)
    assert.equal("403 DigestNotChecked", outcome("open", "sha256:" .. OTHER))
    local headers
    status, body, headers = ask("open", manifest "good")
    assert.is_table(body.manifests)
    assert.same({ 200, "open", "Unavailable", manifest "good" },
      { status, headers["x-decision"], headers["x-reason"], headers["x-served"] })
    status, body, headers = ask("open", by_digest) -- the rest of the pull
    assert.is_table(body.manifests)
    assert.same({ 200, "open" }, { status, headers["x-decision"] })
    assert.equal("403 PathNotPlain", outcome("open", "%2e"))
  end)

  it("stays closed where the gate itself lacks something", function()
    for _, gate in ipairs { "blind", "mistaken" } do
      local status, body = ask(gate, manifest "good")
      assert.same({ 503, "CannotCheck" }, { status, body.code }, gate)
    end
    local status, body = ask("failing", manifest "good")
    assert.same({ 503, "GateFailed" }, { status, body.code })
    assert.is_nil(cjson.encode(body):find("secret trouble", 1, true))
  end)

  it("lets a digest pass only while a checked tag had it lately", function()
    local good = "sha256:" .. GOOD
    assert.equal("403 DigestNotChecked", outcome("plain", good))
    assert.equal(200, (ask("plain", manifest "good")))
    assert.equal("200", outcome("plain", good))
    assert.equal("403 DigestNotChecked", outcome("plain", "sha256:" .. OTHER))
    -- of this repository only
    assert.equal(403, (ask("plain", "/v2/team/other/manifests/" .. good)))
    -- and not of a tag that was refused
    assert.equal(403, (ask("plain", manifest "deleting")))
    assert.equal("403 DigestNotChecked", outcome("plain", "sha256:" .. tags.digest "3"))
    assert.equal(200, (ask("brief", manifest "good")))
    socket.sleep(0.1)
    assert.equal("403 DigestNotChecked", outcome("brief", good))
  end)

  it("learns the parts of a list of manifests that passed", function()
    local kind = { ["x-type"] = "application/vnd.oci.image.index.v1+json; charset=utf-8" }
    local part = "sha256:" .. OTHER
    ask("plain", manifest "good") -- of no type that has parts
    ask("plain", manifest "good", { method = "HEAD", headers = kind })
    ask("plain", manifest "deleting", { headers = kind })
    local failed = { ["x-type"] = kind["x-type"], ["x-status"] = "404" }
    ask("plain", manifest "good", { headers = failed })
    assert.equal("403 DigestNotChecked", outcome("plain", part))
    assert.equal(200, (ask("plain", manifest "good", { headers = kind })))
    assert.equal("200", outcome("plain", part))
  end)

  it("takes digests as configured", function()
    assert.equal("200", outcome("any", "sha256:" .. OTHER))
    ask("none", manifest "good")
    assert.equal("403 DigestNotChecked", outcome("none", "sha256:" .. GOOD))
    assert.equal("200", outcome("chosen", "sha256:" .. OTHER))
    assert.equal("403 DigestNotChecked", outcome("chosen", "sha256:" .. GOOD))
  end)

  it("lets reads pass that are about no tag, or refuses them", function()
    for _, path in ipairs { "/v2/", "/v2", "/v2/_catalog?n=5", "/v2/team/app/tags/list",
      "/v2/team/app/blobs/sha256:" .. OTHER, "/v2/team/app/referrers/sha256:" .. OTHER } do
      local status, _, headers = ask("plain", path)
      assert.same({ 200, "NotAboutATag", "pass" },
        { status, headers["x-reason"], headers["x-decision"] }, path)
      assert.same(403, (ask("narrow", path)), path)
    end
    for _, path in ipairs { "/", "/v1/", "/V2/", "/v2/team/app/blobs/latest",
      "/v2/Team/app/tags/list", "/v2/team/app/manifests/", "/v2/team/app/manifests",
      "/v2/team/app/manifests/good/" } do
      local status, body = ask("plain", path)
      assert.same({ 404, "UnknownPath" }, { status, body and body.code }, path)
    end
  end)

  it("refuses writes unless they are let through", function()
    for _, method in ipairs { "PUT", "POST", "DELETE", "PATCH", "OPTIONS" } do
      local status, body = ask("plain", manifest "good", { method = method })
      assert.same({ 403, "WritesRefused" }, { status, body.code }, method)
      assert.equal(403, (ask("plain", "/v2/team/app/blobs/uploads/", { method = method })))
      assert.equal(200, (ask("writable", manifest "new", { method = method })))
    end
    assert.equal(404, (ask("writable", manifest "nowhere")))
  end)

  it("is not got round by how a path is written", function()
    local paths = {
      "/v2/team/app/manifests/d%65leting", "/v2/team%2fapp/manifests/deleting",
      "/v2/team/app%2Fmanifests/deleting", "/v2//team/app/manifests/deleting",
      "/v2/team/app/manifests//deleting", "//v2/team/app/manifests/deleting",
      "/v2/team/./app/manifests/deleting", "/v2/team/x/../app/manifests/deleting",
      "/v2/team/app/manifests/good/../deleting", "/v2/team/app/manifests/good%2f..%2fdeleting",
      "/v2/team/app/manifests/%2e%2e/manifests/deleting", "/v2/team/app/manifests/deleting%00",
      "/v2/team/app/manifests/deleting%0d", "/v2/team/app/manifests/deleting#/../good",
      "/v2/team/app/manifests/deleting%3fx", "/v2/team/app/manifests/deleting;x=good",
      "/v2/team/app/manifests/deleting\\..\\good", "/v2/team/app/manifests/..",
      "/v2/team/app/manifests/sha256%3a" .. GOOD, "/v2/Team/App/manifests/deleting",
      "/v2/team/app/manifests/SHA256:" .. GOOD, "/v2/team/app/manifests/sha256:" .. GOOD:upper(),
      "/v2/" .. ("a"):rep(300) .. "/manifests/deleting",
      "/v2/team/app/manifests/" .. ("a"):rep(129),
      "/v2/team/app/manifests/" .. ("a"):rep(3000),
      "/v2/team/app/manifests/good/manifests/deleting",
      "/v2/team/app/blobs/../manifests/deleting", "/v2/team/app/manifests/d\195\169leting",
      "http://other/v2/team/app/manifests/deleting", "/v2/team/app/manifests/deleting/",
      "/v2/team/app/manifests/deleting?tag=good", "/v2/team/app/manifests/deleting%",
    }
    ask("plain", manifest "good")
    for _, path in ipairs(paths) do
      for _, method in ipairs { "GET", "HEAD" } do
        local connection = assert(socket.connect("127.0.0.1", server.port))
        connection:send(("%s %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"):format(method,
          path))
        local said = connection:receive "*a"
        connection:close()
        local status = said:match "^HTTP/1.1 (%d+)"
        assert.is_truthy(status == "403" or status == "404" or status == "400",
          ("%s %s: %s"):format(method, path, said))
        assert.is_nil(said:find("x-served", 1, true), path)
      end
    end
  end)

  it("finds repository and tag by a pattern, variables or a function", function()
    local function of(gate, path, headers)
      local status, _, got = ask(gate, path, { headers = headers })
        return status .. (got["x-reason"] and " " .. got["x-reason"] or "")
    end
    assert.equal("200", of("pattern", "/deploy/team/app/good"))
    assert.equal("403 TagNotNormal", of("pattern", "/deploy/team/app/deleting"))
    assert.equal("403 NotAboutATag", of("pattern", "/elsewhere"))
    assert.equal("403 PathNotPlain", of("pattern", "/deploy//team/app/good"))
    assert.equal("403 DigestNotChecked", of("pattern", "/deploy/team/app/sha256:" .. GOOD))
    local function names(repository, tag)
      return { ["x-repository"] = repository, ["x-tag"] = tag }
    end
    assert.equal("200", of("variables", "/x", names("team/app", "good")))
    assert.equal("403 TagNotNormal", of("variables", "/x", names("team/app", "deleting")))
    assert.equal("403 InvalidName", of("variables", "/x", names("team/app", nil)))
    assert.equal("403 InvalidName", of("variables", "/x", names("team%2fapp", "good")))
    assert.equal("403 NotAboutATag", of("variables", "/x"))
    assert.equal("200", of("own", "/x?name=team/app&tag=good"))
    assert.equal("403 InvalidName", of("own", "/x?name=team/app"))
    assert.equal("403 NotAboutATag", of("own", "/x"))
    assert.equal("200", of("mapped", "/v2/short/manifests/good"))
    assert.equal("404 RepositoryNotFound", of("mapped", manifest "good"))
  end)

  it("raises for what is wrong with the configuration, at the caller", function()
    local function message(given)
      return server:lua(([[
        local ok, err = pcall(function() require("cr.gate").new(%s) end)
        return tostring(ok) .. " " .. tostring(err)
      ]]):format(given))
    end
    local whole = '{ cache = cache, instance = "cri-gate", %s }'
    local expected = {
      ["7"] = "the configuration must be a table, got a number",
      ['{ instance = "i" }'] = "give either cache",
      ['{ cache = cache, client = client, instance = "i" }'] = "give either cache",
      ["{ cache = cache }"] = "instance is missing",
      ['{ cache = {}, instance = "i" }'] = "cache must be a cache made by cr.cache.new",
      [whole:format 'instanse = "x"'] = "unknown key instanse; did you mean instance",
      [whole:format 'fail = "maybe"'] = 'fail must be "open" or "closed", got a string',
      [whole:format 'scan = "grave"'] = 'scan must be "complete" or "high"',
      [whole:format "max_age_days = 0"] = "max_age_days must be a number of days above 0",
      [whole:format 'digest = "latest"'] = "digest must be a digest such as",
      [whole:format 'digest = { app = "x" }'] = 'by "repository:tag"',
      [whole:format 'digests = "some"'] = "or a function",
      [whole:format 'dict = "nowhere"'] = "lua_shared_dict nowhere 1m;",
      [whole:format "repositories = { App = 'crr' }"] = "a table of RepoIds",
      [whole:format 'find = "uri"'] = 'find must be "registry"',
      [whole:format "find = {}"] = "find must be { pattern",
      [whole:format 'find = { repository = "$a", tag = "b" }'] = "without %$",
      [whole:format 'find = { pattern = "/(.*)" }'] = "from %^ to %$",
      [whole:format 'find = { pattern = "^/(.*)$" }'] = "must have the groups",
      [whole:format 'find = { pattern = "^/(?<repository>(?<tag>.*)$" }'] = "find.pattern: ",
      [whole:format "find = function() end, pin = true"] = "pin works with find",
    }
    for given, pattern in pairs(expected) do
      local said = message(given)
      assert.is_truthy(said:find("^false .*%]:1: cr.gate.new: [^\n]*" .. pattern),
        given .. "\n" .. said)
      assert.is_nil(said:find("cr/gate", 1, true), said)
    end
    assert.is_truthy(message(whole:format ""):find "^true ")
  end)

  it("raises where it cannot decide", function()
    assert.matches("in the access or rewrite phase, not in content",
      server:lua [[ return select(2, pcall(gates.plain.check, gates.plain)) ]])
    assert.matches("not a gate", server:lua [[ return select(2, pcall(gates.plain.check)) ]])
    assert.matches("not a gate", server:lua [[ return select(2, pcall(gates.plain.learn, {})) ]])
  end)
end)
