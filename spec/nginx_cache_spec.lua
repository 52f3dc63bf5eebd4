--- cr.cache in a real nginx: what it gives out, for how long, and to whom.

if not rawget(_G, "jit") then
  return
end

local cached = require "spec.support.cached"
local child = require "spec.support.child"
local cjson = require "cjson"
local core = require "cr.core"
local emulator = require "spec.support.emulator"
local http = require "socket.http"

local api, server

setup(function()
  api = emulator.start()
end)

teardown(function()
  api:stop()
end)

after_each(function()
  if server then
    server:stop()
  end
  server = nil
  api:reset()
end)

local function calls()
  return cached.count(api, "GetRepoTag")
end

describe("a cached answer", function()
  it("comes from upstream once, then from the worker's memory", function()
    server = cached.start(api, {})
    local first, second = server:tag(), server:tag()
    assert.equal("upstream", first.info.level)
    assert.equal(200, first.info.http_status)
    assert.equal("lru", second.info.level)
    assert.is_nil(second.info.stale)
    assert.same(first.answer, second.answer)
    assert.equal(27107966, second.answer.ImageSize)
    assert.equal(1, calls())
  end)

  it("is the one of the same question, however it is put", function()
    server = cached.start(api, { client = 'defaults = { InstanceId = "cri-kmsiwlxxdcva****" }' })
    server:tag()
    local found = server:lua [[
      return tell(cache:get("GetRepoTag", { Tag = "1.0", RepoId = "crr-tquyps22md8p****" }))
    ]]
    assert.equal("lru", found.info.level)
    assert.equal("upstream", server:tag("latest").info.level)
    assert.equal("upstream", server:lua [[
      return tell(cache:get("ListRepoTag", { RepoId = "crr-tquyps22md8p****" })).info.level
    ]])
  end)

  it("cannot be spoilt by who got it, unless it is asked for as shared", function()
    server = cached.start(api, {})
    local found = server:lua [[
      local mine = cache:get_repo_tag(tag "1.0")
      mine.Status = "DELETING"
      local again = cache:get_repo_tag(tag "1.0")
      again.Status = "GONE"
      local one = cache:get_repo_tag(tag "1.0", { shared = true })
      local other = cache:get_repo_tag(tag "1.0", { shared = true })
      return { status = one.Status, is_same = one == other, is_mine = one == mine }
    ]]
    assert.same({ status = "NORMAL", is_same = true, is_mine = false }, found)
  end)

  it("is asked for anew when it is older than who asks allows", function()
    server = cached.start(api, { cache = "ttl = 60, stale_while_revalidate = 0" })
    server:tag()
    server:lua "shift(30)"
    assert.equal("lru", server:tag().info.level)
    assert.equal(30, math.floor(server:tag().info.age + 0.5))
    assert.equal("upstream", server:tag("1.0", "{ ttl = 10 }").info.level)
    server:lua "shift(61)"
    assert.equal("upstream", server:tag().info.level)
    assert.equal(3, calls())
  end)

  it("keeps apart what clients of two identities asked", function()
    server = cached.start(api, { init = ([[
      limited = require("cr.cache").new { client = require("cr").new { max_attempts = 1,
        endpoint = "%s", credentials = {
        type = "access_key", access_key_id = "LTAI5tEmulatorLimited",
        access_key_secret = "EmulatorLimitedSecret01234567" } } }
    ]]):format(api.endpoint) })
    server:tag()
    local refused = server:lua 'return tell(limited:get_repo_tag(tag "1.0"))'
    assert.is_nil(refused.answer)
    assert.equal("lru", server:tag().info.level)
  end)

  it("keeps every digit of a number, and null in arrays", function()
    server = cached.start(api, {})
    api:fault { operation = "GetRepoTag",
      body = '{"IsSuccess":true,"Big":9007199254740991,"Half":0.1,"List":[1,null,[]],"Empty":{}}' }
    local found = server:lua [[
      cache:get_repo_tag(tag "1.0")
      local text = ngx.shared.cr_cache:get(ngx.shared.cr_cache:get_keys(0)[1])
      for _, name in ipairs(ngx.shared.cr_cache:get_keys(0)) do
        if name:find "^e:" then text = ngx.shared.cr_cache:get(name) end
      end
      local read = require("cr.cache.entry").read(text, ngx.now()).body
      return { big = ("%.0f"):format(read.Big), half = read.Half == 0.1,
        is_null = read.List[2] == require("cr").null, size = #read.List }
    ]]
    assert.same({ big = "9007199254740991", half = true, is_null = true, size = 3 }, found)
  end)
end)

describe("an error that is an answer", function()
  it("is remembered for negative_ttl, as an object of its own each time", function()
    server = cached.start(api, { cache = "negative_ttl = 5" })
    local first, second = server:tag "none", server:tag "none"
    assert.equal("TAG_NOT_EXIST", first.code)
    assert.equal(first.err, second.err)
    assert.equal("lru", second.info.level)
    assert.equal(1, calls())
    assert.equal("TAG_NOT_EXIST", server:lua [[
      local _, err = cache:get_repo_tag(tag "none")
      err.code = "spoilt"
      local _, again = cache:get_repo_tag(tag "none")
      return again.code
    ]])
    server:lua "shift(6)"
    assert.equal("upstream", server:tag "none".info.level)
    assert.equal(4, server:stats().hits_negative + server:stats().calls - 1)
  end)

  it("takes the place of the answer that was there before", function()
    server = cached.start(api, { cache = "ttl = 10, stale_while_revalidate = 0, negative_ttl = 5" })
    server:tag()
    server:lua "shift(11)"
    api:fault { operation = "GetRepoTag", status = 200, code = "TAG_NOT_EXIST" }
    assert.equal("TAG_NOT_EXIST", server:tag().code)
    server:lua "shift(6)"
    api:fault { operation = "GetRepoTag", status = 503 }
    assert.equal(503, tonumber(server:tag().err:match "HTTP (%d+)"))
  end)
end)

describe("a failed call", function()
  it("is no answer, and the next one is made after failure_ttl", function()
    server = cached.start(api, {})
    for _, fault in ipairs { { status = 503 }, { throttle_ms = 100 }, { reset = true },
      { code = "InvalidAccessKeyId.NotFound", status = 404 } } do
      fault.operation = "GetRepoTag"
      api:fault(fault)
      local failed = server:tag()
      assert.is_nil(failed.answer)
      assert.is_nil(failed.info)
      assert.equal(failed.err, server:tag().err)
      server:lua "shift(1.1)"
      assert.equal("upstream", server:tag().info.level)
      server:lua [[cache:invalidate("GetRepoTag", tag "1.0")]]
    end
    assert.equal(8, calls())
  end)
end)

describe("when the API is away", function()
  it("nobody gets an error for as long as stale answers are allowed", function()
    server = cached.start(api, {
      cache = "ttl = 10, stale_while_revalidate = 20, stale_if_error = 120",
    })
    server:tag()
    api:fault { operation = "GetRepoTag", status = 503, count = 0 }
    for age = 1, 125 do
      server:lua "shift(1)"
      local found = server:tag()
      assert.equal("NORMAL", found.answer and found.answer.Status, found.err)
      assert.equal(age >= 10 and true or nil, found.info.stale)
      assert.equal(age >= 30, found.info.failure ~= nil)
    end
    server:lua "shift(10)"
    assert.equal("ServiceUnavailable", server:tag().code)
    api:clear_faults()
    server:lua "shift(2)"
    assert.equal("upstream", server:tag().info.level)
  end)

  it("a stale answer is served at once while one call is made for a fresh one", function()
    server = cached.start(api, { cache = "ttl = 10, stale_while_revalidate = 20" })
    server:tag()
    server:lua "shift(11)"
    api:fault { operation = "GetRepoTag", delay_ms = 300 }
    for _ = 1, 20 do
      assert.is_true(server:tag().info.stale)
    end
    local found = server:lua [[
      for _ = 1, 1000 do
        local answer, err, info = cache:get_repo_tag(tag "1.0")
        if not info.stale then
          return tell(answer, err, info)
        end
        ngx.sleep(0.01)
      end
    ]]
    assert.equal("lru", found.info.level)
    assert.equal(2, calls())
    assert.equal(1, server:stats().revalidations)
  end)
end)

describe("invalidation", function()
  it("makes one answer invalid, and one that is under way", function()
    server = cached.start(api, {})
    server:tag()
    server:tag "latest"
    assert.is_true(server:lua [[return (cache:invalidate("GetRepoTag", tag "1.0"))]])
    assert.equal("upstream", server:tag().info.level)
    assert.equal("lru", server:tag().info.level)
    assert.equal("lru", server:tag "latest".info.level)
    api:fault { operation = "GetRepoTag", delay_ms = 200 }
    local levels = server:lua [[
      cache:invalidate("GetRepoTag", tag "1.0")
      local early = ngx.thread.spawn(function() return tell(cache:get_repo_tag(tag "1.0")) end)
      ngx.sleep(0.05)
      cache:invalidate("GetRepoTag", tag "1.0")
      local late = tell(cache:get_repo_tag(tag "1.0"))
      local _, first = ngx.thread.wait(early)
      return { first.answer.RequestId ~= late.answer.RequestId,
        tell(cache:get_repo_tag(tag "1.0")).answer.RequestId == late.answer.RequestId }
    ]]
    assert.same({ true, true }, levels)
  end)

  it("purges by the operation's name and by parameters", function()
    server = cached.start(api, {})
    local function ask()
      local levels = server:lua [[
        local repository = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****" }
        return { tell(cache:get_repo_tag(tag "1.0")).info.level,
          tell(cache:get("ListRepoTag", repository)).info.level,
          tell(cache:get("GetInstance", { InstanceId = "cri-kmsiwlxxdcva****" })).info.level }
      ]]
      return table.concat(levels, " ")
    end
    assert.equal("upstream upstream upstream", ask())
    assert.equal("lru lru lru", ask())
    server:lua 'return cache:purge "GetRepo"'
    assert.equal("upstream lru lru", ask())
    server:lua 'return cache:purge(nil, { RepoId = "crr-tquyps22md8p****" })'
    assert.equal("upstream upstream lru", ask())
    server:lua 'return cache:purge "GetRepoTag?InstanceId=other"'
    assert.equal("lru lru lru", ask())
    server:lua 'return cache:purge()'
    assert.equal("upstream upstream upstream", ask())
  end)

  it("is known to workers that are started later", function()
    server = cached.start(api, {})
    server:tag()
    server:lua 'return cache:purge "GetRepoTag"'
    local old = server:lua "return ngx.worker.pid()"
    os.execute("kill -HUP " .. server.nginx.pid)
    local streak = 0
    for _ = 1, 1000 do -- the old one takes a last request or two
      streak = server:lua "return ngx.worker.pid()" ~= old and streak + 1 or 0
      if streak == 20 then
        break
      end
      core.sleep(0.01)
    end
    assert.equal(20, streak)
    assert.equal("upstream", server:tag().info.level)
    assert.equal("lru", server:tag().info.level)
  end)

  it("by more purges than a worker remembers goes too far rather than not far enough", function()
    server = cached.start(api, {})
    local code = [[
      for number = 1, %d do
        cache:purge("GetInstance", { InstanceId = tostring(number) })
      end
      return tell(cache:get_repo_tag(tag "1.0")).info.level
    ]]
    server:tag()
    assert.equal("lru", server:lua(code:format(90)))
    assert.equal("upstream", server:lua(code:format(150)))
    assert.equal("lru", server:tag().info.level)
  end)
end)

describe("limits", function()
  it("what is too large is served and not kept", function()
    server = cached.start(api, { cache = "max_value_bytes = 100" })
    assert.equal("upstream", server:tag().info.level)
    assert.equal("upstream", server:tag().info.level)
    assert.equal(2, server:stats().too_large)
  end)

  it("a full dict drops what was used longest ago, and goes on", function()
    server = cached.start(api, { dict = "32k", cache = "lru_size = 1" })
    for number = 1, 120 do
      local name = ("build-%03d"):format(number)
      local found = server:lua(([[return tell(cache:get_repo_tag {
        InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-emulatorbuilds01", Tag = "%s" })]])
        :format(name))
      assert.equal(name, found.answer and found.answer.Tag, found.err)
    end
    assert.is_true(server:stats().evictions > 0)
  end)

  it("a value that something else put there is none", function()
    server = cached.start(api, {})
    server:tag()
    for _, value in ipairs { "", "1 a", "2 a 1.000000\n{}", "1 a 99999999999.000000\n{}",
      "1 n 1.000000\n{}", "1 a 1.000000\n[1]", "1 a 1.000000\n{", "\0" } do
      local found = server:lua(([[
        for _, name in ipairs(ngx.shared.cr_cache:get_keys(0)) do
          if name:find "^e:" then ngx.shared.cr_cache:set(name, %q) end
        end
        ngx.shared.cr_cache:incr("v", 1)
        return tell(cache:get_repo_tag(tag "1.0"))
      ]]):format(value))
      assert.equal("upstream", found.info and found.info.level, value)
    end
    assert.equal(8, server:stats().corrupt)
  end)

  it("what was asked wrongly costs no call and raises only for misuse", function()
    server = cached.start(api, {})
    local found = server:lua [[
      local function raises(f, ...)
        local ok, message = pcall(f, ...)
        return not ok and tostring(message) or "nothing raised"
      end
      local made = require("cr.cache").new
      return {
        tell(cache:get("GetRepoTagg", {})).code, tell(cache:get_repo_tag { Tag = "1.0" }).code,
        raises(cache.get, cache, "DeleteRepoTag", tag "1.0"),
        raises(function() return cache:delete_repo_tag {} end),
        raises(cache.get, cache, "GetRepoTag", "1.0"),
        raises(cache.get, cache, "GetRepoTag", {}, { tll = 1 }),
        raises(cache.get, {}, "GetRepoTag"),
        raises(made, { dict = "none" }), raises(made, { ttl = 0 }), raises(made, { tttl = 1 }),
        raises(made, { client = require("cr").new { credentials = function() end } }),
        raises(made, { redis = { pasword = "x" } }),
        raises(made, { client = require("cr").new { credentials = { type = "environment" } },
          redis = {} }),
        raises(cache.purge, cache, nil, { RepoId = {} }),
      }
    ]]
    assert.same({ "UnknownOperation", "MissingParameter" }, { found[1], found[2] })
    for index, expected in ipairs {
      "DeleteRepoTag changes something", "delete_repo_tag changes something",
      "parameters must be a table, got a string", "did you mean ttl?", "not a cache",
      "lua_shared_dict none 10m;", "ttl must be a number of seconds from 0.001",
      "did you mean ttl?", 'identity = "', "did you mean password?",
      "credentials of type environment may be somebody else's", "RepoId must be a string",
    } do
      local message = found[index + 2]
      assert.is_truthy(message:find(expected, 1, true), message)
    end
    assert.equal(0, #api:log())
  end)
end)

describe("phases", function()
  local CODE = [[
    local ok, answer, err, info = pcall(cache.get_repo_tag, cache, tag(ngx.var.arg_tag))
    ngx.shared.shifted:set("said", require("cjson").encode { ok = ok, code = err and err.code,
      raised = not ok and tostring(answer) or nil, level = info and info.level,
      message = err and err.message })
  ]]
  local ANSWER = [[content_by_lua_block { ngx.say "done" }]]
  local function location(phase, rest)
    return ("location = /%s { %s_by_lua_block { %s } %s }\n"):format(phase, phase, CODE, rest)
  end
  local locations = location("rewrite", ANSWER) .. location("access", ANSWER) ..
    location("content", "") .. location("header_filter", "return 204;") ..
    location("body_filter", "return 200 x;") .. location("log", "return 204;") ..
    [[location = /set { set_by_lua_block $found { ]] .. CODE .. [[ return 1 } return 204; }
      location = /timer { content_by_lua_block {
        local name = ngx.var.arg_tag
        local done = require("ngx.semaphore").new()
        ngx.timer.at(0, function()
          local answer, err, info = cache:get_repo_tag(tag(name))
          ngx.shared.shifted:set("said", require("cjson").encode { ok = true,
            code = err and err.code, level = info and info.level })
          done:post()
        end)
        done:wait(5)
      } } ]]

  local function said(phase, name)
    http.request(server.url .. "/" .. phase .. "?tag=" .. name)
    for _ = 1, 200 do -- the log phase comes after the answer
      local text = server:lua [[
        local text = ngx.shared.shifted:get "said"
        ngx.shared.shifted:delete "said"
        return text
      ]]
      if text then
        return cjson.decode(text)
      end
    end
    error(phase .. " said nothing")
  end

  it("wait for an answer where nginx can, and serve hits everywhere", function()
    server = cached.start(api, { locations = locations })
    for _, phase in ipairs { "rewrite", "access", "content", "timer" } do
      server:lua "return cache:purge()"
      assert.equal("upstream", said(phase, "1.0").level, phase)
      assert.equal("lru", said(phase, "1.0").level, phase)
    end
    for _, phase in ipairs { "set", "header_filter", "body_filter", "log" } do
      assert.equal("lru", said(phase, "1.0").level, phase)
      local missed = said(phase, "latest")
      assert.equal("CannotWait", missed.code, missed.raised)
      assert.is_truthy(missed.message:find("phase " .. phase, 1, true))
    end
    assert.equal(4, calls())
  end)

  it("wait for a certificate, and before a location is known", function()
    local port, folder = core.free_port(), api.ca_file:match "^(.*)/"
    local code = CODE:gsub("ngx%.var%.arg_tag", '"1.0"')
    for phase, level in pairs {
      ssl_certificate = "upstream", server_rewrite = "upstream", ssl_client_hello = "CannotWait",
    } do
      server = cached.start(api, {
        http = ([[
          server {
            listen 127.0.0.1:%s ssl;
            ssl_certificate %s/server.pem;
            ssl_certificate_key %s/server.key;
            %s_by_lua_block { %s }
            location / { content_by_lua_block { ngx.print "done" } }
          } ]]):format(port, folder, folder, phase, code),
      })
      local body = child.shell(("curl -sS --cacert %s https://localhost:%s/"):format(api.ca_file,
        port))
      local told = cjson.decode(server:lua [[return ngx.shared.shifted:get "said"]])
      local errors = server:stop()
      assert.equal("done", body, phase .. errors)
      assert.equal(level, told.level or told.code, phase)
    end
    server = nil
  end)

  it("serve stale answers everywhere, and ask anew for them", function()
    server = cached.start(api, { locations = locations,
      cache = "ttl = 10, stale_while_revalidate = 20" })
    server:tag()
    server:lua "shift(11)"
    assert.is_truthy(said("log", "1.0").level)
    local found
    for _ = 1, 1000 do
      found = server:tag()
      if not found.info.stale then
        break
      end
    end
    assert.is_nil(found.info.stale)
    assert.equal(2, calls())
  end)
end)
