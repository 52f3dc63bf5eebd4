--- Requests of the core for another version of an API.

local core = require "cr.core"
local cr = require "cr"
local fixture = require "spec.support.fixture"

local api = fixture.json "api/cr-2018-12-01.json"

local ID, SECRET = "LTAI-test", "test-secret"
local UNSIGNED = { accept = true, authorization = true, ["user-agent"] = true }
local TIME = 1572925525

local request

before_each(function()
  request = core.request()
end)

--- Fills, aims and signs; returns what a transport gets.
local function signed(sign, version, token)
  assert(request:fill_any("AssumeRole", { RoleArn = "acs:ram::1:role/a", Tags = { "x" } }, "POST",
    version))
  request:aim("https://sts.aliyuncs.com", "sts.aliyuncs.com", "spec")
  assert(request[sign](request, TIME, ID, SECRET, token, 0, 0))
  return request:table({}, 1)
end

local function query_of(url)
  local query = {}
  for name, value in url:match("%?(.*)$"):gmatch("([^&=]+)=([^&]*)") do
    query[name] = value:gsub("%%(%x%x)", function(digits)
      return string.char(tonumber(digits, 16))
    end)
  end
  return query
end

--- The authorization that cr.sign gives what was sent.
local function authorization_of(sent)
  local headers = {}
  for name, value in pairs(sent.headers) do
    if not UNSIGNED[name] then
      headers[name] = value
    end
  end
  return cr.sign {
    method = sent.method, query = query_of(sent.url), headers = headers,
    access_key_id = ID, access_key_secret = SECRET,
  }.authorization
end

local function v1_signature_of(sent)
  local query = query_of(sent.url)
  query.Signature = nil
  return cr.sign {
    algorithm = "HMAC-SHA1", method = sent.method, query = query, access_key_secret = SECRET,
  }.signature
end

describe("a version of its own", function()
  it("is in the headers of V3, and signed", function()
    for _, token in ipairs { false, "a-token" } do
      local sent = signed("sign_v3", "2015-04-01", token or nil)
      assert.equal("2015-04-01", sent.headers["x-acs-version"])
      assert.equal("AssumeRole", sent.headers["x-acs-action"])
      assert.equal(authorization_of(sent), sent.headers.authorization)
    end
  end)

  it("is in the parameters of V1, and signed", function()
    for _, token in ipairs { false, "a-token" } do
      local sent = signed("sign_v1", "2015-04-01", token or nil)
      local query = query_of(sent.url)
      assert.equal("2015-04-01", query.Version)
      assert.equal("x", query["Tags.1"])
      assert.equal(v1_signature_of(sent), query.Signature)
    end
  end)

  it("stays for every attempt of a call", function()
    signed("sign_v3", "2015-04-01")
    for retry = 1, 3 do
      assert(request:sign_v3(TIME + retry, ID, SECRET, nil, retry, 10))
      local sent = request:table({}, 1)
      assert.equal("2015-04-01", sent.headers["x-acs-version"])
      assert.equal(authorization_of(sent), sent.headers.authorization)
    end
  end)

  it("is one call's alone", function()
    for _, version in ipairs { "2015-04-01", false } do
      local expected = version or api.version
      assert.equal(expected, signed("sign_v3", version or nil).headers["x-acs-version"])
      assert.equal(expected, query_of(signed("sign_v1", version or nil).url).Version)
    end
    signed("sign_v3", "2015-04-01")
    request:clear()
    assert.equal(api.version, signed("sign_v3").headers["x-acs-version"])
    signed("sign_v3", "2015-04-01")
    assert(request:fill(core.find_operation "ListInstance", {}, nil, nil))
    request:aim("https://cr.cn-hangzhou.aliyuncs.com", "cr.cn-hangzhou.aliyuncs.com", "spec")
    assert(request:sign_v3(TIME, ID, SECRET, nil, 0, 0))
    assert.equal(api.version, request:table({}, 1).headers["x-acs-version"])
  end)

  it("is copied: the caller's string may go", function()
    assert(request:fill_any("AssumeRole", {}, "POST", table.concat { "2015", "-04-", "01" }))
    collectgarbage()
    request:aim("https://sts.aliyuncs.com", "sts.aliyuncs.com", "spec")
    assert(request:sign_v3(TIME, ID, SECRET, nil, 0, 0))
    assert.equal("2015-04-01", request:table({}, 1).headers["x-acs-version"])
  end)

  it("must be a string with something in it", function()
    for _, wrong in ipairs { "", 20150401, false, {} } do
      assert.has_error(function() request:fill_any("AssumeRole", {}, "POST", wrong) end)
    end
  end)
end)

describe("the question of a request", function()
  it("is the query that is sent, before and after a signature", function()
    local params = { RoleArn = "acs:ram::1:role/a b&c=d", Tags = { "x", "" }, A = "*" }
    assert(request:fill_any("AssumeRole", params, "POST"))
    local question = assert(request:query())
    assert.equal("A=%2A&RoleArn=acs%3Aram%3A%3A1%3Arole%2Fa%20b%26c%3Dd&Tags.1=x&Tags.2=", question)
    request:aim("https://sts.aliyuncs.com", "sts.aliyuncs.com", "spec")
    assert(request:sign_v3(TIME, ID, SECRET, nil, 0, 0))
    assert.equal(question, request:table({}, 1).url:match "%?(.*)$")
    assert.equal(question, request:query())
    assert(request:sign_v3(TIME, ID, SECRET, "a-token", 0, 0))
    assert.equal(question, request:table({}, 1).url:match "%?(.*)$")
    request:clear()
    assert.equal("", request:query())
  end)

  it("has a digest as everybody's", function()
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      core.sha256 "abc")
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      core.sha256 "")
  end)
end)
