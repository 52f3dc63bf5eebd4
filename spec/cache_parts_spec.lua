--- The parts of cr.cache that need no nginx: keys, entries, freshness, what counts as an answer.

local copy = require "cr.cache.copy"
local cr = require "cr"
local entry = require "cr.cache.entry"
local fixture = require "spec.support.fixture"
local freshness = require "cr.cache.freshness"
local keys = require "cr.cache.key"
local new_error = require "cr.error"
local operations = require "cr.operations"
local principal = require "cr.credentials.principal"
local verdict = require "cr.cache.verdict"
local write_json = require "cr.cache.write_json"

local NOW = 1572925525.25

local function path(name, params, defaults)
  return keys.path(operations.find(name), params, defaults)
end

describe("a key", function()
  it("is the question as it would be sent", function()
    assert.equal("GetRepoTag?InstanceId=cri-1&RepoId=a%20b%26c&Tag=1.0",
      (path("get_repo_tag", { Tag = "1.0", RepoId = "a b&c", InstanceId = "cri-1" })))
    assert.equal("GetRepoTag?InstanceId=cri-1&RepoId=r&Tag=1.0", (path("GetRepoTag",
      { Tag = "1.0", RepoId = "r" }, { InstanceId = "cri-1" })))
    local pages = path("ListRepoTag", { InstanceId = "i", RepoId = "r", PageNo = 1 })
    assert.equal("ListRepoTag?InstanceId=i&PageNo=1&RepoId=r", pages)
  end)

  it("is not another question's, whatever is in the texts", function()
    local seen = {}
    for _, params in ipairs {
      { InstanceId = "a", RepoId = "b", Tag = "c" },
      { InstanceId = "a&RepoId=b", RepoId = "", Tag = "c" },
      { InstanceId = "a", RepoId = "b&Tag=c", Tag = "" },
      { InstanceId = "a", RepoId = "b", Tag = "c " },
      { InstanceId = "a", RepoId = "b", Tag = "C" },
      { InstanceId = "a", RepoId = "b", Tag = "%63" },
      { InstanceId = "a", RepoId = ("x"):rep(400), Tag = "c" },
      { InstanceId = "a", RepoId = ("x"):rep(401), Tag = "c" },
    } do
      local key = assert(path("GetRepoTag", params))
      assert.is_nil(seen[key])
      assert.is_true(#key < 400)
      seen[key] = true
    end
    assert.is_nil(seen[path("GetRepoTagScanStatus", { InstanceId = "a", RepoId = "b", Tag = "c" })])
  end)

  it("is refused with the error of a call when the parameters cannot be sent", function()
    local _, err = path("GetRepoTag", { InstanceId = "i", RepoId = "r", Tagg = "1" })
    assert.equal("UnknownParameter", err.code)
    assert.is_truthy(err.message:find("did you mean Tag?", 1, true))
  end)

  it("is in a space of its endpoint and identity", function()
    local spaces = {}
    for _, pair in ipairs { { "https://a", "b" }, { "https://a\nb", "" }, { "https://", "ab" },
      { "https://a", "b " } } do
      local space = keys.space(pair[1], pair[2])
      assert.equal(keys.SPACE_LENGTH, #space)
      assert.is_nil(spaces[space])
      spaces[space] = true
    end
  end)

  it("matches what a purge looks for", function()
    local key = "s" .. path("GetRepoTag", { InstanceId = "i", RepoId = "r&1", Tag = "1.0" })
    local function matches(prefix, params)
      return keys.matches(key, "s" .. prefix, (keys.pairs(params)))
    end
    assert.is_true(matches("", {}))
    assert.is_true(matches("GetRepo", { RepoId = "r&1" }))
    assert.is_true(matches("GetRepoTag?InstanceId=i&", { Tag = "1.0", InstanceId = "i" }))
    assert.is_false(matches("List", {}))
    assert.is_false(matches("", { RepoId = "r" }))
    assert.is_false(matches("", { Tag = "1" }))
    assert.is_false(matches("", { Id = "i" }))
    assert.is_false(keys.matches(key, "t", ""))
    assert.is_true(keys.matches("sGetRepoTag?#" .. ("0"):rep(64), "sGet", "&Tag=1.0&"))
    assert.same({ nil, "List" }, { keys.pairs { List = {} } })
  end)
end)

describe("an identity", function()
  it("is who was declared, without what is secret or changes", function()
    local function of(declared)
      local text, is_everywhere = principal(declared)
      assert.is_nil(text:find("hidden", 1, true))
      return text, is_everywhere
    end
    local text, is_everywhere = of { type = "access_key", access_key_id = "LTAI-1",
      access_key_secret = "hidden" }
    assert.is_truthy(text:find("LTAI-1", 1, true))
    assert.is_true(is_everywhere)
    local role = of { type = "ram_role_arn", role_arn = "acs:ram::1:role/a", timeout = 3,
      source = { type = "sts", access_key_id = "x", access_key_secret = "hidden",
        security_token = "hidden" } }
    assert.equal(role, (of { type = "ram_role_arn", role_arn = "acs:ram::1:role/a" }))
    assert.not_equal(role, (of { type = "ram_role_arn", role_arn = "acs:ram::1:role/b" }))
    assert.not_equal((of { type = "profile", profile = "a\nb" }), (of { type = "profile",
      profile = "a" }))
    assert.is_false(select(2, of { type = "default" }))
  end)
end)

describe("an entry", function()
  it("reads back as it was written", function()
    local answer = { Big = 9007199254740991, Half = 0.1, Small = 1e-7, Text = 'a"\\\n\0é',
      List = { 1, cr.null, { x = true } }, None = {}, No = false, ["a.b"] = -5 }
    local written = entry.new(entry.ANSWER, NOW, answer)
    local read = assert(entry.read(written.text, NOW))
    assert.equal(entry.ANSWER, read.kind)
    assert.equal(NOW, read.created)
    assert.same(answer, (entry.open(read)))
    assert.equal("9007199254740991", ("%.0f"):format(read.body.Big))
  end)

  it("keeps an error as far as another worker can use it", function()
    local err = new_error { kind = "service", code = "TAG_NOT_EXIST", message = "no such tag",
      http_status = 200, operation = "GetRepoTag", retryable = false, attempts = 1,
      access_denied = { AuthAction = "cr:X" }, internal = function() end }
    local read = assert(entry.read(entry.new(entry.NEGATIVE, NOW, err).text, NOW))
    local answer, again = entry.open(read)
    assert.is_nil(answer)
    assert.equal(tostring(err), tostring(again))
    assert.equal("cr:X", again.access_denied.AuthAction)
    assert.is_nil(again.internal)
  end)

  it("is none when anything about the text is wrong", function()
    for _, text in ipairs {
      "", "1", "1 a 1.000000", "1 a 1.000000\n", "1 a 1.000000\n[]", "1 a 1.000000\n{",
      "2 a 1.000000\n{}",
      "1 b 1.000000\n{}", "1 a -1.000000\n{}", "1 a nan\n{}", "1 a 1.0\n{}", "1 x 1.000000\n{}",
      "1 a 1572925540.000000\n{}", "1 n 1.000000\n{}",
      '1 n 1.000000\n{"kind":1,"code":"a","message":"b"}',
      '1 n 1.000000\n{"kind":"a","code":"a","message":"b","more":1}',
      "1 a 1.000000\n" .. ('{"a":'):rep(100) .. "1" .. ("}"):rep(100), "1 a 1.000000\n{}\0",
    } do
      assert.is_nil(entry.read(text, NOW), text)
    end
    assert.is_table(entry.read("1 a 1.000000\n{}", NOW))
  end)

  it("gives out copies all the way down", function()
    local value = { a = { b = { 1, 2 } }, c = 3 }
    local parents = copy.parents(value)
    for _ = 1, 2 do
      local copied = copy.of(value, parents)
      assert.same({ a = { b = { 1, 2 } }, c = 3 }, copied)
      copied.a.b[1], copied.c = 9, 9
      copied.a.b = nil
    end
    assert.same({ a = { b = { 1, 2 } }, c = 3 }, value)
  end)
end)

describe("JSON of an answer", function()
  it("is what every sample of the API was read from", function()
    local function walk(value)
      if type(value) ~= "table" then
        return
      end
      local text = write_json(value)
      assert.same(fixture.copy(value), fixture.copy(require("cjson").decode(text)))
      for _, field in pairs(value) do
        walk(field)
      end
    end
    walk(fixture.json "api/error_codes.json")
  end)
end)

describe("freshness", function()
  local LIMITS = {
    ttl = 60, negative_ttl = 5, failure_ttl = 1, stale_while_revalidate = 30, stale_if_error = 120,
  }

  local function of(kind, age, limits)
    return freshness.of({ kind = kind, created = NOW }, NOW + age, limits or LIMITS)
  end

  it("is a matter of age and of who asks", function()
    for _, case in ipairs {
      { 0, freshness.FRESH }, { 59.9, freshness.FRESH }, { 60, freshness.STALE },
      { 89.9, freshness.STALE }, { 90, freshness.OLD }, { 179.9, freshness.OLD }, { 180, nil },
      { -4, freshness.FRESH }, { -6, freshness.OLD },
    } do
      assert.equal(case[2], of(entry.ANSWER, case[1]), case[1])
    end
    assert.is_nil(of(entry.ANSWER, 1, { ttl = 1, stale_while_revalidate = 0, stale_if_error = 0 }))
  end)

  it("of errors ends with their ttl", function()
    for kind, ttl in pairs { [entry.NEGATIVE] = 5, [entry.FAILURE] = 1 } do
      assert.equal(freshness.FRESH, of(kind, ttl - 0.1))
      assert.is_nil(of(kind, ttl))
      assert.equal(ttl, freshness.life({ kind = kind }, LIMITS))
    end
    assert.is_nil(of(entry.INVALID, 0))
    assert.equal(180, freshness.life({ kind = entry.ANSWER }, LIMITS))
  end)
end)

describe("an error is an answer", function()
  it("when the service looked at the question, and only then", function()
    local function is_answer(fields)
      fields.message = "x"
      return verdict(new_error(fields))
    end
    for _, code in ipairs { "TAG_NOT_EXIST", "REPO_NOT_EXIST", "NoPermission", "NoPrivilege",
      "InvalidParameter.InstanceId" } do
      assert.is_true(is_answer { kind = "service", code = code, http_status = 400 }, code)
    end
    for _, code in ipairs { "Throttling.User", "ServiceUnavailable", "InvalidAccessKeyId.NotFound",
      "SignatureDoesNotMatch", "InvalidSecurityToken.Expired", "IllegalTimestamp",
      "InvalidTimeStamp.Expired" } do
      assert.is_false(is_answer { kind = "service", code = code, http_status = 400 }, code)
    end
    assert.is_false(is_answer { kind = "service", code = "X", http_status = 500 })
    assert.is_false(is_answer { kind = "service", code = "X", http_status = 429 })
    assert.is_false(is_answer { kind = "service", code = "X", http_status = 200, retryable = true })
    for _, kind in ipairs { "transport", "credentials", "response", "validation" } do
      assert.is_false(is_answer { kind = kind, code = "TAG_NOT_EXIST" }, kind)
    end
  end)
end)

describe("outside nginx", function()
  it("a cache says where it works", function()
    local ok, message = pcall(require("cr.cache").new, { client = cr.new {} })
    assert.is_false(ok)
    assert.is_truthy(message:find("works inside nginx", 1, true), message)
  end)
end)
