--- examples/docker-credential-cr, started as Docker starts it, against the emulator.

local child = require "spec.support.child"
local cjson = require "cjson"
local emulator = require "spec.support.emulator"
local fixture = require "spec.support.fixture"
local peer = require "spec.support.peer"

local HOST = "demo-registry.cn-hangzhou.cr.aliyuncs.com"
local INSTANCE = "cri-kmsiwlxxdcva****"
local NOT_FOUND = "credentials not found in native keychain\n"

describe("docker-credential-cr", function()
  local server, home

  setup(function()
    server = emulator.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
    home = child.new_folder()
    local program = fixture.read "examples/docker-credential-cr"
    child.write(home .. "/docker-credential-cr",
      (program:gsub("^#![^\n]*", "#!/usr/bin/env " .. child.LUA)))
    child.shell("chmod +x " .. home .. "/docker-credential-cr")
  end)

  after_each(function()
    child.remove_folder(home)
  end)

  --- The command line for a shell, with an environment; false removes a variable.
  local function command(name, variables)
    local all = {
      HOME = home, XDG_CACHE_HOME = home .. "/it's a cache", XDG_CONFIG_HOME = false,
      CR_DOCKER_CONFIG = false, CR_INSTANCE_ID = INSTANCE,
      CR_REGISTRY = "other.example.com " .. HOST,
      ALIBABA_CLOUD_ENDPOINT = server.endpoint, ALIBABA_CLOUD_REGION_ID = server.region,
      ALIBABA_CLOUD_ACCESS_KEY_ID = server.access_key_id,
      ALIBABA_CLOUD_ACCESS_KEY_SECRET = server.access_key_secret,
    }
    for variable, value in pairs(variables or {}) do
      all[variable] = value
    end
    local words, set = { "PATH=" .. home .. ":$PATH env" }, {}
    for variable, value in pairs(all) do
      if value then
        set[#set + 1] = variable .. "=" .. child.quote(value)
      else
        words[#words + 1] = "-u " .. variable
      end
    end
    return ("%s %s docker-credential-cr %s"):format(table.concat(words, " "),
      table.concat(set, " "), name)
  end

  --- Runs it as Docker does.
  -- @return standard output, whether the exit status was 0, standard error
  local function run(name, input, variables)
    local _, ok = child.shell(("printf %%s %s | { %s; } > %s/out 2> %s/err"):format(
      child.quote(input or ""), command(name, variables), home, home))
    return fixture.read(home .. "/out"), ok, fixture.read(home .. "/err")
  end

  local function get(variables, url)
    local output, ok, err = run("get", url or HOST, variables)
    assert.is_true(ok, output .. err)
    assert.equal("", err)
    return cjson.decode(output)
  end

  local function cache_path()
    return home .. "/it's a cache/docker-credential-cr/" .. HOST .. ".json"
  end

  --- Changes the kept token.
  local function change_cache(change)
    local kept = cjson.decode(fixture.read(cache_path()))
    for name, value in pairs(change) do
      kept[name] = value
    end
    child.write(cache_path(), cjson.encode(kept))
  end

  local function requests()
    local count = 0
    for _, entry in ipairs(server:log()) do
      assert.equal("GetAuthorizationToken", entry.operation)
      count = count + 1
    end
    return count
  end

  it("gets a token of the server's instance, once for all pulls", function()
    local first = get()
    assert.equal(HOST, first.ServerURL)
    assert.equal("cr_temp_user", first.Username)
    assert.matches("^%x+$", first.Secret)
    assert.equal(INSTANCE, server:log()[1].parameters.InstanceId)
    for _, url in ipairs { "https://" .. HOST, "https://" .. HOST:upper() .. ":443/v2/\n",
      HOST .. "/" } do
      local again = get(nil, url)
      assert.equal(first.Secret, again.Secret)
      assert.equal((url:gsub("\n", "")), again.ServerURL)
    end
    assert.equal(1, requests())
  end)

  it("keeps it for its owner only, and leaves nothing else behind", function()
    get()
    local folder = child.quote(home .. "/it's a cache/docker-credential-cr")
    assert.equal("700\n600\n", (child.shell(("stat -c %%a %s %s/*"):format(folder, folder))))
    assert.equal(HOST .. ".json\n", (child.shell("ls -A " .. folder)))
  end)

  it("has no credential for a server that is none of ours", function()
    for _, url in ipairs { "https://index.docker.io/v1/", "", HOST .. ".example.com",
      HOST .. ":5000", "evil@" .. HOST } do
      local output, ok = run("get", url)
      assert.is_false(ok)
      assert.equal(NOT_FOUND, output)
    end
    assert.equal(0, requests())
  end)

  it("replaces what is in the cache and no token", function()
    local last = get().Secret
    local whole = fixture.read(cache_path())
    for number, text in ipairs { "", "\0\1\2", whole:sub(1, 40), "[]", "null", "{}", '"x"',
      whole:gsub('"secret":"[^"]*"', '"secret":7'), whole:gsub('"expires":[%d.]+', '"expires":"x"'),
      whole:gsub(INSTANCE:gsub("[%-*]", "%%%0"), "cri-other") } do
      child.write(cache_path(), text)
      local token = get()
      assert.not_equal(last, token.Secret, "case " .. number)
      last = token.Secret
      assert.equal(last, get().Secret)
      assert.equal(number + 1, requests())
    end
  end)

  it("does without a cache where there can be none", function()
    child.write(home .. "/it's a cache", "a file")
    assert.not_equal(get().Secret, get().Secret)
    local nowhere = { HOME = false, XDG_CACHE_HOME = false }
    assert.not_equal(get(nowhere).Secret, get(nowhere).Secret)
    assert.matches("^%x+$", get({ XDG_CACHE_HOME = "relative" }).Secret)
    assert.equal("x", (child.shell("test -e relative || printf x")))
  end)

  it("gets a fresh one in time before the end", function()
    local first = get()
    change_cache { expires = os.time() + 240 }
    local second = get()
    assert.not_equal(first.Secret, second.Secret)
    change_cache { expires = os.time() + 400 }
    assert.equal(second.Secret, get().Secret)
    change_cache { expires = os.time() - 1 }
    assert.not_equal(second.Secret, get().Secret)
    assert.equal(3, requests())
  end)

  it("lives through a service that is down as long as the token does", function()
    local down = { ALIBABA_CLOUD_ENDPOINT = "http://127.0.0.1:1" }
    local first = get()
    change_cache { identity = cjson.decode(fixture.read(cache_path())).identity:gsub(
      server.endpoint:gsub("%p", "%%%0"), down.ALIBABA_CLOUD_ENDPOINT), expires = os.time() + 3600 }
    assert.equal(first.Secret, get(down).Secret)
    change_cache { expires = os.time() + 60 }
    assert.equal(first.Secret, get(down).Secret)
    change_cache { expires = os.time() - 60 }
    local output, ok, err = run("get", HOST, down)
    assert.is_false(ok)
    assert.matches("^GetAuthorizationToken: ConnectFailed: ", output)
    assert.is_nil((output .. err):find(first.Secret, 1, true))
    assert.is_nil((output .. err):find(server.access_key_secret, 1, true))
  end)

  it("uses a token for the same identity, endpoint and instance only", function()
    local first = get()
    local seen = { [first.Secret] = true }
    for _, other in ipairs {
      { ALIBABA_CLOUD_ACCESS_KEY_ID = "STS.NTEmulatorSession",
        ALIBABA_CLOUD_ACCESS_KEY_SECRET = "EmulatorSecretSession-not-a-real-one",
        ALIBABA_CLOUD_SECURITY_TOKEN = "EmulatorSecurityToken-not-a-real-one" },
      { CR_INSTANCE_ID = "cri-emulatorempty001" },
      { ALIBABA_CLOUD_ENDPOINT = server.endpoint:gsub("127.0.0.1", "localhost") },
    } do
      local token = get(other)
      assert.is_nil(seen[token.Secret])
      seen[token.Secret] = true
    end
  end)

  it("may run many times at once", function()
    server:fault { operation = "GetAuthorizationToken", delay_ms = 50, count = 0 }
    local script = {}
    for number = 1, 8 do
      script[number] = ("for i in 1 2 3; do echo %s | %s || echo failed; rm -f %s; done > %s &")
        :format(HOST, command "get", child.quote(cache_path()), home .. "/out" .. number)
    end
    local output = child.shell(table.concat(script, "\n") .. "\nwait")
    assert.equal("", output)
    local answers = 0
    for number = 1, 8 do
      for line in fixture.read(home .. "/out" .. number):gmatch "[^\n]+" do
        assert.matches("^%x+$", cjson.decode(line).Secret)
        answers = answers + 1
      end
    end
    assert.equal(24, answers)
    server:clear_faults()
    local last = get()
    assert.equal(last.Secret, get().Secret)
    assert.equal(HOST .. ".json\n", (child.shell("ls -A " ..
      child.quote(home .. "/it's a cache/docker-credential-cr"))))
  end)

  it("tells Docker why there is no token", function()
    local output, ok, err = run("get", HOST, { CR_INSTANCE_ID = "cri-nowhere" })
    assert.is_false(ok)
    assert.matches("^GetAuthorizationToken: INSTANCE_NOT_EXIST ", output)
    assert.equal("", err)
    output, ok = run("get", HOST, { ALIBABA_CLOUD_ACCESS_KEY_SECRET = "wrong-secret-000" })
    assert.is_false(ok)
    assert.matches("SignatureDoesNotMatch", output)
    assert.is_nil(output:find("wrong-secret-000", 1, true))
  end)

  it("knows the servers of a file", function()
    local none = { CR_INSTANCE_ID = false, CR_REGISTRY = false }
    assert.equal(NOT_FOUND, (run("get", HOST, none)))
    child.shell("mkdir -p " .. home .. "/.config")
    child.write(home .. "/.config/docker-credential-cr.json", cjson.encode {
      [HOST] = INSTANCE, ["https://Images.Example.com"] = "cri-emulatorempty001" })
    get(none)
    get(none, "images.example.com")
    assert.equal(INSTANCE, server:log()[1].parameters.InstanceId)
    assert.equal("cri-emulatorempty001", server:log()[2].parameters.InstanceId)
    local elsewhere = { CR_INSTANCE_ID = false, CR_REGISTRY = false,
      CR_DOCKER_CONFIG = home .. "/other.json" }
    for _, wrong in ipairs { "", "[1]", '{"a":1}', "{" } do
      child.write(home .. "/other.json", wrong)
      local output, ok = run("get", HOST, elsewhere)
      assert.is_false(ok)
      assert.truthy(output:find(home .. "/other.json", 1, true), output)
    end
    child.write(home .. "/other.json", "{}")
    assert.equal(NOT_FOUND, (run("get", HOST, elsewhere)))
  end)

  it("takes the region from the server's name where there is no other", function()
    local proxy = peer.start [==[serve "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"]==]
    finally(function() proxy:stop() end)
    for host, region in pairs {
      ["demo-registry.cn-beijing.cr.aliyuncs.com"] = "cn-beijing",
      ["demo-registry-vpc.eu-central-1.cr.aliyuncs.com"] = "eu-central-1",
    } do
      proxy:clear_log()
      local _, ok = run("get", host, { CR_REGISTRY = host, https_proxy = proxy.url,
        ALIBABA_CLOUD_ENDPOINT = false, ALIBABA_CLOUD_REGION_ID = false })
      assert.is_false(ok)
      assert.equal(("CONNECT cr.%s.aliyuncs.com:443 HTTP/1.1"):format(region),
        proxy:requests()[1].line)
    end
  end)

  it("stores no passwords", function()
    local function store(url)
      return run("store", cjson.encode { ServerURL = url, Username = "me", Secret = "hunter2" })
    end
    local output, ok = store("https://" .. HOST)
    assert.is_true(ok, output)
    output, ok = store "https://index.docker.io/v1/"
    assert.is_false(ok)
    assert.equal("docker-credential-cr stores no passwords\n", output)
    assert.is_false(select(2, run("store", "no JSON")))
    assert.equal("", (child.shell("grep -rl hunter2 " .. home)))
  end)

  it("erases the kept token", function()
    local first = get()
    assert.is_true(select(2, run("erase", "https://" .. HOST)))
    assert.is_true(select(2, run("erase", HOST)))
    assert.not_equal(first.Secret, get().Secret)
    local output, ok = run("erase", "https://index.docker.io/v1/")
    assert.is_false(ok)
    assert.equal(NOT_FOUND, output)
  end)

  it("lists its servers", function()
    local output, ok = run "list"
    assert.is_true(ok)
    assert.same({ [HOST] = "cr_temp_user", ["other.example.com"] = "cr_temp_user" },
      cjson.decode(output))
    assert.equal("{}\n", (run("list", nil, { CR_REGISTRY = false })))
    assert.equal(0, requests())
  end)

  it("says how it is used", function()
    for _, name in ipairs { "", "version", "main" } do
      local output, ok, err = run(name)
      assert.is_false(ok)
      assert.equal("", output)
      assert.matches("^usage: docker%-credential%-cr get", err)
    end
  end)
end)
