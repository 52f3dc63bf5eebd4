--- Which host a call goes to.

local cr = require "cr"
local child = require "spec.support.child"
local fixture = require "spec.support.fixture"
local recorder = require "spec.support.recorder"

local api = fixture.json "api/cr-2018-12-01.json"

--- Where a call of a client with this configuration goes: origin and Host header, or nil, error.
local function target(config, options)
  config.credentials = recorder.KEY
  local transport = recorder.new()
  config.transport = transport
  local answer, err = cr.new(config):get_instance_count(nil, options)
  if not answer then
    assert.equal(0, #transport.requests)
    return nil, err
  end
  local request = transport.requests[1]
  return request.url:match("^(.-//[^/]*)/"), request.headers.host
end

local function refused(message, hint, origin, err)
  assert.is_nil(origin)
  assert.equal("validation", err.kind)
  assert.equal("InvalidEndpoint", err.code)
  assert.equal(message, err.message)
  assert.equal(hint, err.hint)
  assert.is_false(err.retryable)
  assert.equal("GetInstanceCount", err.operation)
end

describe("a region", function()
  it("has the public host that the vendor lists, all 43 of them", function()
    local count = 0
    for region, hosts in pairs(api.endpoints) do
      for _, network in ipairs { "public", false } do
        local origin, host = target { region = region, network = network or nil }
        assert.equal("https://" .. hosts.public, origin)
        assert.equal(hosts.public, host)
      end
      count = count + 1
    end
    assert.equal(43, count)
  end)

  it("has the VPC host that the vendor lists, or a clear error", function()
    local with, without = 0, 0
    for region, hosts in pairs(api.endpoints) do
      if hosts.vpc then
        assert.equal("https://" .. hosts.vpc, (target { region = region, network = "vpc" }))
        with = with + 1
      else
        refused(("region %s has no VPC endpoint"):format(region),
          'leave out network = "vpc", or give the endpoint of a private network yourself',
          target { region = region, network = "vpc" })
        without = without + 1
      end
    end
    assert.equal(35, with)
    assert.equal(8, without)
  end)

  it("that is not listed follows the rule", function()
    assert.equal("https://cr.xx-new-7.aliyuncs.com", (target { region = "xx-new-7" }))
    assert.equal("https://cr-vpc.xx-new-7.aliyuncs.com",
      (target { region = "xx-new-7", network = "vpc" }))
  end)

  it("must look like one, so that it cannot become another host", function()
    for _, region in ipairs {
      "CN-HANGZHOU", "cn_hangzhou", "cn-hangzhou.evil.com/", "a/b", "a b", "-cn", "cn.hangzhou",
      "evil.com#", "a@b", "a:1", "ä", ("a"):rep(64),
    } do
      for _, network in ipairs { "public", "vpc" } do
        refused(("region %q is not a region id"):format(region), 'write it like "cn-hangzhou"',
          target { region = region, network = network })
      end
    end
    assert.truthy(target { region = ("a"):rep(63) })
  end)

  it("that does not resolve gets the name that was meant as a hint", function()
    local client = recorder.client({ { failure = { code = "ResolveFailed", sent = false } } },
      { region = "cn-hangzhuo", max_attempts = 1 })
    local _, err = client:get_instance_count()
    assert.equal("region cn-hangzhuo is not listed; did you mean cn-hangzhou?", err.hint)
    client = recorder.client({ { failure = { code = "ResolveFailed", sent = false } } },
      { region = "cn-hangzhou", max_attempts = 1 })
    _, err = client:get_instance_count()
    assert.equal("check region or endpoint, and that this machine can resolve " ..
      "cr.cn-hangzhou.aliyuncs.com", err.hint)
  end)

  it("in a VPC that is not reached gets a hint", function()
    local client = recorder.client({ { failure = { code = "ConnectFailed", sent = false } } },
      { network = "vpc", max_attempts = 1 })
    local _, err = client:get_instance_count()
    assert.equal("VPC endpoints answer only inside the VPC of their region", err.hint)
  end)
end)

describe("an explicit endpoint", function()
  it("may be a host, with a port, with a scheme, in any case", function()
    local cases = {
      { "cr.example.com", "https://cr.example.com", "cr.example.com" },
      { "CR.Example.COM", "https://cr.example.com", "cr.example.com" },
      { "https://cr.example.com", "https://cr.example.com", "cr.example.com" },
      { "HTTPS://CR.example.com/", "https://cr.example.com", "cr.example.com" },
      { "cr.example.com/", "https://cr.example.com", "cr.example.com" },
      { "cr.example.com:8443", "https://cr.example.com:8443", "cr.example.com:8443" },
      { "cr.example.com:8443/", "https://cr.example.com:8443", "cr.example.com:8443" },
      { "https://cr.example.com:443", "https://cr.example.com", "cr.example.com" },
      { "cr.example.com:0443", "https://cr.example.com", "cr.example.com" },
      { "https://cr.example.com:80", "https://cr.example.com:80", "cr.example.com:80" },
      { "cr.example.com:1", "https://cr.example.com:1", "cr.example.com:1" },
      { "cr.example.com:65535", "https://cr.example.com:65535", "cr.example.com:65535" },
      { "10.0.0.1", "https://10.0.0.1", "10.0.0.1" },
      { "[2001:DB8::1]", "https://[2001:db8::1]", "[2001:db8::1]" },
      { "https://[2001:db8::1]:8443/", "https://[2001:db8::1]:8443", "[2001:db8::1]:8443" },
      { "[2001:db8::1]:443", "https://[2001:db8::1]", "[2001:db8::1]" },
      { "http://127.0.0.1:8080", "http://127.0.0.1:8080", "127.0.0.1:8080" },
      { "http://127.0.0.1:80", "http://127.0.0.1", "127.0.0.1" },
      { "http://127.0.0.1:443", "http://127.0.0.1:443", "127.0.0.1:443" },
    }
    for _, case in ipairs(cases) do
      local origin, host = target { endpoint = case[1] }
      assert.equal(case[2], origin, case[1])
      assert.equal(case[3], host, case[1])
    end
  end)

  it("may be nothing else", function()
    for _, endpoint in ipairs {
      "https://", "https:///", "cr.example.com/path", "https://cr.example.com/a", "h//",
      "cr.example.com?x=y", "cr.example.com#x", "http:cr.example.com",
      "//cr.example.com", "cr.example.com:", "cr.example.com:0", "cr.example.com:65536",
      "cr.example.com:80a", "cr.example.com:-1", "cr.example.com:80:80",
      "cr.example.com:99999999999",
      "[::1", "::1", "[::1]x", "[::1]:", "[zz]", "[]", "cr example.com", "cr.example.com ", ":80",
      "%41.example.com", "ex\\ample.com", "cr.example.com:8e1", "cr.example.com:0x50",
    } do
      local origin, err = target { endpoint = endpoint }
      assert.is_nil(origin, endpoint)
      assert.equal("InvalidEndpoint", err.code)
      assert.equal(("endpoint %q is not a host"):format(endpoint), err.message)
      assert.equal('write it as "host", "host:port" or "https://host:port", without path or user',
        err.hint)
    end
  end)

  it("may not have another scheme", function()
    for _, scheme in ipairs { "ftp", "file", "ws", "gopher", "httpss", "http+unix" } do
      refused(("endpoint %s://127.0.0.1 has the scheme %s"):format(scheme, scheme), "use https://",
        target { endpoint = scheme .. "://127.0.0.1" })
    end
  end)

  it("does not show a password that stands in it by mistake", function()
    for _, endpoint in ipairs {
      "https://user:hunter2@cr.example.com", "user:hunter2@cr.example.com",
      "ftp://user:hunter2@cr.example.com", "http://user:hunter2@cr.example.com",
    } do
      local origin, err = target { endpoint = endpoint }
      refused("the endpoint holds a user or a password", "write only the host", origin, err)
      assert.is_false(fixture.shows(err, "hunter2"))
      assert.is_nil(tostring(err):find("hunter2", 1, true))
      local client = cr.new { endpoint = endpoint }
      assert.is_nil(tostring(client):find("hunter2", 1, true))
    end
  end)

  it("outranks region and network", function()
    assert.equal("https://cr.example.com", (target {
      endpoint = "cr.example.com", region = "cn-heyuan", network = "vpc",
    }))
  end)
end)

describe("plain http", function()
  it("goes to loopback addresses", function()
    for _, host in ipairs {
      "127.0.0.1", "127.0.0.1:8080", "127.1.2.3", "localhost", "LOCALHOST:99", "[::1]",
      "[::1]:8080",
    } do
      assert.equal("http://" .. host:lower(), (target { endpoint = "http://" .. host }))
    end
  end)

  it("goes nowhere else", function()
    for _, host in ipairs {
      "cr.example.com", "10.0.0.1", "127.0.0.1.example.com", "localhost.example.com",
      "notlocalhost", "0.0.0.0", "[::]", "[::ffff:10.0.0.1]", "128.0.0.1", "127.0.0.1.",
      "1127.0.0.1", "localhost.",
      "127.evil.com", "127.0.0.evil", "127.0.0.256", "127.0.0.08", "127.1000.0.1", "127.00.0.1",
    } do
      refused(("endpoint http://%s is plain http to a host that is not this machine"):format(host),
        "use https://, or set allow_plaintext = true if the network in between is trusted",
        target { endpoint = "http://" .. host })
    end
  end)

  it("goes anywhere when that is allowed, for a client or a call", function()
    assert.equal("http://cr.example.com", (target {
      endpoint = "http://cr.example.com", allow_plaintext = true,
    }))
    assert.equal("http://cr.example.com", (target({ endpoint = "http://cr.example.com" },
      { allow_plaintext = true })))
    assert.is_nil((target({ endpoint = "http://cr.example.com", allow_plaintext = true },
      { allow_plaintext = false })))
  end)
end)

describe("options of one call", function()
  it("choose region, network or endpoint for that call only", function()
    local client, transport = recorder.client()
    local hosts = {}
    for index, options in ipairs {
      {}, { region = "cn-beijing" }, { network = "vpc" }, { endpoint = "cr.example.com:444" },
      { region = "cn-beijing", network = "vpc" }, {}, { region = "cn-heyuan", network = "vpc" }, {},
    } do
      local answer = client:get_instance_count(nil, options)
      hosts[index] = answer and transport.requests[#transport.requests].headers.host or "none"
    end
    assert.same({
      "cr.cn-hangzhou.aliyuncs.com", "cr.cn-beijing.aliyuncs.com",
      "cr-vpc.cn-hangzhou.aliyuncs.com", "cr.example.com:444", "cr-vpc.cn-beijing.aliyuncs.com",
      "cr.cn-hangzhou.aliyuncs.com", "none",
      "cr.cn-hangzhou.aliyuncs.com",
    }, hosts)
  end)

  it("with a region outrank the client's endpoint, with both the endpoint", function()
    assert.equal("https://cr.cn-beijing.aliyuncs.com",
      (target({ endpoint = "cr.example.com" }, { region = "cn-beijing" })))
    assert.equal("https://cr.other.com", (target({ endpoint = "cr.example.com" },
      { region = "cn-beijing", endpoint = "cr.other.com" })))
    assert.equal("https://cr-vpc.cn-beijing.aliyuncs.com",
      (target({ region = "cn-hangzhou", network = "vpc" }, { region = "cn-beijing" })))
  end)
end)

describe("the environment", function()
  --- The origin that a client without region and endpoint calls in this environment.
  local function origin_in(environment, config, options)
    for _, name in ipairs { "ENDPOINT", "REGION_ID", "ENDPOINT_TYPE" } do
      local variable = "ALIBABA_CLOUD_" .. name
      environment[variable] = environment[name] or false
      environment[name] = nil
    end
    local output = child.lua(([[
      local recorder = require "spec.support.recorder"
      local transport = recorder.new()
      local config = { %s }
      config.credentials, config.transport = recorder.KEY, transport
      local answer, err = require("cr").new(config):get_instance_count(nil, { %s })
      io.write(answer and transport.requests[1].url:match("^(.-//[^/]*)/") or tostring(err))
    ]]):format(config or "", options or ""), environment)
    return output
  end

  it("names region, endpoint and network of a client that has none", function()
    assert.equal("https://cr.cn-beijing.aliyuncs.com", origin_in { REGION_ID = "cn-beijing" })
    assert.equal("https://cr-vpc.cn-beijing.aliyuncs.com",
      origin_in { REGION_ID = "cn-beijing", ENDPOINT_TYPE = "vpc" })
    assert.equal("https://cr.cn-beijing.aliyuncs.com",
      origin_in { REGION_ID = "cn-beijing", ENDPOINT_TYPE = "public" })
    assert.equal("http://127.0.0.1:8080", origin_in {
      REGION_ID = "cn-beijing", ENDPOINT = "http://127.0.0.1:8080", ENDPOINT_TYPE = "vpc",
    })
    assert.equal("https://cr.cn-beijing.aliyuncs.com",
      origin_in { REGION_ID = "cn-beijing", ENDPOINT = "", ENDPOINT_TYPE = "" })
  end)

  it("gives way to the configuration and to options", function()
    local all = { REGION_ID = "cn-beijing", ENDPOINT = "cr.example.com", ENDPOINT_TYPE = "vpc" }
    assert.equal("https://cr.cn-shanghai.aliyuncs.com",
      origin_in(fixture.copy(all), 'region = "cn-shanghai"'))
    assert.equal("https://cr.cn-shanghai.aliyuncs.com",
      origin_in(fixture.copy(all), "", 'region = "cn-shanghai"'))
    assert.equal("https://cr.other.com",
      origin_in(fixture.copy(all), "", 'endpoint = "cr.other.com"'))
    assert.equal("https://cr.cn-beijing.aliyuncs.com", origin_in(
      { REGION_ID = "cn-beijing", ENDPOINT_TYPE = "vpc" }, 'network = "public"'))
    assert.equal("https://cr-vpc.cn-beijing.aliyuncs.com", origin_in(
      { REGION_ID = "cn-beijing" }, "", 'network = "vpc"'))
  end)

  it("that says nothing makes an error which says what to set", function()
    local text = "GetInstanceCount: InvalidEndpoint: no region and no endpoint is configured. " ..
      'Set region = "cn-…" or endpoint = "…", or the variable ALIBABA_CLOUD_REGION_ID.'
    assert.equal(text, origin_in {})
    assert.equal(text, origin_in { REGION_ID = "", ENDPOINT = "" })
  end)

  it("is held to the same rules", function()
    assert.matches("plain http", origin_in { ENDPOINT = "http://cr.example.com" }, 1, true)
    assert.matches("is not a host", origin_in { ENDPOINT = "cr.example.com/a" }, 1, true)
    assert.matches("is not a region id", origin_in { REGION_ID = "a.b" }, 1, true)
    assert.matches("region cn-heyuan has no VPC endpoint",
      origin_in { REGION_ID = "cn-heyuan", ENDPOINT_TYPE = "vpc" }, 1, true)
  end)
end)
