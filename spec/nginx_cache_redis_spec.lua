--- cr.cache with a real Redis: one call per key for several nginx, and none the worse without it.

if not rawget(_G, "jit") then
  return
end

local cached = require "spec.support.cached"
local child = require "spec.support.child"
local core = require "cr.core"
local emulator = require "spec.support.emulator"
local redis = require "spec.support.redis"

local PASSWORD = "a-password-nobody-sees"

local api, store, one, two

setup(function()
  api = emulator.start()
end)

teardown(function()
  api:stop()
end)

--- Two nginx with one Redis.
local function start(given, more)
  store = store or redis.start(given)
  local cache = ("redis = { port = %d, prefix = 'spec:' %s }, %s"):format(store.port,
    given and given.redis or "", more and more.cache or "")
  more = more or {}
  local settings = {
    http = more.http, cache = cache, workers = more.workers, connections = 2048, level = "warn",
  }
  one, two = cached.start(api, settings), cached.start(api, settings)
end

after_each(function()
  local said = (one and one:stop() or "") .. (two and two:stop() or "")
  if store then
    store:stop()
  end
  one, two, store = nil, nil, nil
  api:reset()
  assert.is_nil(said:find("runtime error", 1, true), said)
  assert.is_nil(said:find("cr.cache: .*traceback"), said)
  assert.is_nil(said:find(PASSWORD, 1, true))
end)

local function calls()
  return cached.count(api, "GetRepoTag")
end

describe("two nginx and a Redis", function()
  it("make one call for one cold key of 1,000 clients", function()
    start(nil, { workers = 2 })
    api:fault { operation = "GetRepoTag", delay_ms = 1000, count = 0 }
    local said = child.shell(("ulimit -n $(ulimit -Hn); for url in %s/tag %s/tag; do " ..
      "wrk -t1 -c500 -d2s --timeout 20 $url & done; wait"):format(one.url, two.url))
    assert.is_nil(said:find("Non-2xx", 1, true), said)
    assert.is_nil(said:find("Socket errors", 1, true), said)
    local _, count = said:gsub("requests in", "")
    assert.equal(2, count, said)
    assert.equal(1, calls())
  end)

  it("share answers, errors that are answers, and failures", function()
    start({ password = PASSWORD, database = "3",
      redis = (", password = %q, database = 3"):format(PASSWORD) })
    assert.equal("upstream", one:tag().info.level)
    local found = two:tag()
    assert.equal("redis", found.info.level, found.err)
    assert.equal(27107966, found.answer.ImageSize)
    assert.equal("lru", two:lua "return tell(cache:get_repo_tag(tag '1.0')).info.level")
    assert.equal("TAG_NOT_EXIST", one:tag "none".code)
    assert.equal("redis", two:tag "none".info.level)
    api:fault { operation = "GetRepoTag", status = 503 }
    assert.equal("ServiceUnavailable", one:tag "latest".code)
    assert.equal("ServiceUnavailable", two:tag "latest".code)
    assert.equal(3, calls())
    assert.equal(":0", (store:command("EXISTS", "nothing")))
    assert.equal("well", two:stats().redis)
  end)

  it("serve what Redis has of old when the API is away", function()
    start(nil, { cache = "ttl = 10, stale_while_revalidate = 0" })
    one:tag()
    one:lua "shift(20)"
    two:lua "shift(20)"
    api:fault { operation = "GetRepoTag", status = 503, count = 0 }
    for _ = 1, 3 do
      local found = two:tag()
      assert.equal("NORMAL", found.answer and found.answer.Status, found.err)
      assert.is_true(found.info.stale)
    end
  end)

  it("tell each other what is invalid", function()
    start({ redis = ", poll = 0.05" })
    for _, how in ipairs { [[cache:invalidate("GetRepoTag", tag "1.0")]], [[cache:purge "Get"]] } do
      one:tag()
      local before = two:tag().answer.RequestId
      assert.is_true(one:lua("return (" .. how .. ")"))
      local after
      for _ = 1, 300 do
        after = two:tag().answer.RequestId
        if after ~= before then
          break
        end
        core.sleep(0.02)
      end
      assert.not_equal(before, after)
      assert.equal(after, one:tag().answer.RequestId)
    end
    assert.equal(3, calls())
  end)

  it("speak to it through TLS, and only to the right one", function()
    local folder = api.ca_file:match "^(.*)/"
    store = redis.start { tls = folder }
    start({ redis = ", tls = true, server_name = 'localhost'" }, {
      http = ("lua_ssl_trusted_certificate %s; lua_ssl_verify_depth 3;"):format(api.ca_file),
    })
    one:tag()
    assert.equal("redis", two:tag().info.level)
    assert.is_nil(one:stats().redis_failures ~= 0 or nil)
    one:stop()
    two:stop()
    start({ redis = ", tls = true, server_name = 'another.example'" }, {
      http = ("lua_ssl_trusted_certificate %s; lua_ssl_verify_depth 3;"):format(api.ca_file),
    })
    assert.equal("upstream", one:tag().info.level)
    assert.equal("away", one:stats().redis)
  end)

  it("do not keep in Redis what opens the registry", function()
    start()
    local code = [[
      return tell(cache:get("GetAuthorizationToken", { InstanceId = "cri-kmsiwlxxdcva****" }))
    ]]
    assert.equal("upstream", one:lua(code).info.level)
    assert.equal("lru", one:lua(code).info.level)
    assert.equal("upstream", two:lua(code).info.level)
  end)

  it("give each other what one of them was killed over", function()
    start(nil, { cache = "lock_expiry = 2, lock_timeout = 15" })
    api:fault { operation = "GetRepoTag", delay_ms = 20000 }
    one:lua [[ngx.timer.at(0, function() cache:get_repo_tag(tag "1.0") end)]]
    for _ = 1, 500 do
      if calls() == 1 then
        break
      end
      core.sleep(0.01)
    end
    os.execute("kill -KILL " .. one:lua "return ngx.worker.pid()")
    local found = two:tag()
    assert.equal("upstream", found.info and found.info.level, found.err)
    assert.equal(2, calls())
  end)
end)

describe("what Redis says is not believed", function()
  it("unless it is an entry, and a small one", function()
    start(nil, { cache = "max_value_bytes = 2000" })
    one:tag()
    local name = child.shell(("redis-cli -p %d KEYS 'spec:e:*'"):format(store.port)):match "^(%S+)"
    for _, value in ipairs { "x", "1 a 99999999999.000000\n{}", "1 n 1.000000\n{}",
      ("1 a %d.000000\n{\"Status\":\"%s\"}"):format(os.time(), ("x"):rep(5000)),
      ("1 a %d.000000\n%s"):format(os.time(), ("["):rep(1000)) } do
      assert.equal("+OK", (store:command("SET", name, value)))
      two:lua "ngx.shared.cr_cache:flush_all()"
      local found = two:tag()
      assert.equal("upstream", found.info and found.info.level, found.err)
      assert.is_true(two:stats().corrupt > 0)
    end
  end)
end)

describe("without its Redis", function()
  local function is_fine(level)
    local found = one:tag()
    assert.equal(level, found.info and found.info.level, found.err)
    one:lua [[return (cache:purge())]]
  end

  it("an nginx goes on, and comes back to it", function()
    start({ redis = ", pause = 0.5, timeout = 0.2" })
    local port = store.port
    store:stop()
    store = nil
    is_fine "upstream"
    assert.equal("away", one:stats().redis)
    local failures = one:stats().redis_failures
    one:lua "ngx.shared.cr_cache:set('r:down', true, 60)"
    for _ = 1, 10 do
      is_fine "upstream"
    end
    assert.equal(failures, one:stats().redis_failures)
    one:lua "ngx.shared.cr_cache:delete 'r:down'"
    store = redis.start { port = port }
    is_fine "upstream"
    assert.equal("well", one:stats().redis)
    one:tag()
    assert.equal("redis", two:tag().info.level)
  end)

  it("one that hangs is asked once, and then left alone", function()
    start({ redis = ", pause = 60, timeout = 0.2" })
    store:signal "STOP"
    for _ = 1, 5 do
      is_fine "upstream"
    end
    assert.equal(1, one:stats().redis_failures)
    store:signal "CONT"
  end)

  it("says so where somebody must know", function()
    start({ password = PASSWORD, redis = ', password = "wrong-password", pause = 60' })
    is_fine "upstream"
    local code = one:lua [[
      local ok, err = cache:invalidate("GetRepoTag", tag "1.0")
      return ok == nil and err.code
    ]]
    assert.equal("RedisAway", code)
  end)
end)
