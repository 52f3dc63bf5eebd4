--- From a call's parameters to the query that is sent: types, defaults, what is refused and how.

local cjson = require "cjson"
local core = require "cr.core"
local cr = require "cr"
local child = require "spec.support.child"
local fixture = require "spec.support.fixture"
local recorder = require "spec.support.recorder"

local vectors = fixture.json "spec/fixtures/signing.json"

local HAS_INTEGERS = math.type ~= nil

local client, transport = recorder.client()

--- The query that a call sends, decoded; or nil, error.
local function sent(name, params, options)
  transport.requests = {}
  local answer, err = client:call(name, params, options)
  if not answer then
    assert.equal(0, #transport.requests)
    return nil, err
  end
  return recorder.query(transport.requests[1].url)
end

--- The value that one parameter is sent as. The others that the call needs are added.
local function sent_value(operation, parameter, value)
  local params = { InstanceId = "cri-1" }
  if operation == "CreateArtifactBuildRule" then
    params.ArtifactType, params.ScopeId, params.ScopeType = "t", "s", "r"
  elseif operation == "CreateNamespace" then
    params.NamespaceName = "n"
  elseif operation == "CreateArtifactLifecycleRule" then
    params.Auto = false
  end
  params[parameter] = value
  local query, err = sent(operation, params)
  return query and query[parameter], err, query
end

--- Integers: `integer` is 32 bits wide, `long` 64.
local function integer(value) return sent_value("ListRepository", "PageNo", value) end
local function long(value)
  return sent_value("CreateArtifactLifecycleRule", "RetentionTagCount", value)
end
local function boolean(value) return sent_value("CreateArtifactLifecycleRule", "Auto", value) end
local function text(value) return sent_value("GetInstance", "InstanceId", value) end
--- A free map, sent as JSON.
local function map(value) return sent_value("CreateArtifactBuildRule", "Parameters", value) end
--- Array of strings, of declared objects: as JSON.
local function json_array(value) return sent_value("UpdateScanRule", "Namespaces", value) end
--- An object with declared fields, as JSON.
local function object(value) return sent_value("CreateNamespace", "DefaultRepoConfiguration",
  value) end

local function entries(value)
  return sent_value("CreateInstanceEndpointAclPolicy", "Entries", value)
end

-- UpdateScanRule and CreateInstanceEndpointAclPolicy need more than an instance.
for name, more in pairs {
  UpdateScanRule = {
    RepoTagFilterPattern = "p", RuleName = "n", ScanRuleId = "i", ScanScope = "s",
    TriggerType = "t",
  },
  CreateInstanceEndpointAclPolicy = { EndpointType = "internet" },
} do
  local original = sent
  sent = function(operation, params, options)
    if operation == name then
      params = fixture.copy(params)
      for parameter, value in pairs(more) do
        params[parameter] = params[parameter] or value
      end
    end
    return original(operation, params, options)
  end
end

--- Array of objects in repeat style.
local function tags(value)
  return sent("TagResources", {
    RegionId = "r", ResourceType = "t", ResourceId = { "i" }, Tag = value,
  })
end

local function refused(code, message, value, err)
  assert.is_nil(value)
  assert.equal("validation", err.kind)
  assert.equal(code, err.code)
  assert.equal(message, err.message)
  assert.is_false(err.retryable)
end

describe("the query of a call", function()
  for _, signature in ipairs { "v3", "v1" } do
    it("is what the official SDK sends, for 160 calls with " .. signature, function()
      local common = {
        "AccessKeyId", "Action", "Format", "SecurityToken", "Signature", "SignatureMethod",
        "SignatureNonce", "SignatureVersion", "Timestamp", "Version",
      }
      for index, vector in ipairs(vectors[signature]) do
        local query, err = sent(vector.operation, vector.params, { signature = signature })
        local expected = vector.query or fixture.copy(vector.signed_parameters)
        for _, name in ipairs(signature == "v1" and common or {}) do
          expected[name] = nil
          query[name] = nil
        end
        assert.same(expected, query, ("vector %d, %s, %s"):format(index, vector.operation,
          tostring(err)))
        assert.equal(vector.method, transport.requests[1].method)
        assert.equal("", transport.requests[1].body)
      end
    end)
  end

  it("is encoded as RFC 3986 says, in the order of the raw names", function()
    local params = {
      InstanceId = "cri-1", RepoId = "~ä /?&=+*'()!", Tag = "\0\1\127",
    }
    assert.truthy(sent("GetRepoTag", params))
    assert.equal("https://cr.cn-hangzhou.aliyuncs.com/?" .. fixture.canonical_query(params),
      transport.requests[1].url)
  end)

  it("is absent when there are no parameters", function()
    for _, params in ipairs { {}, false } do
      assert.same({}, sent("GetInstanceCount", params or nil))
      assert.equal("https://cr.cn-hangzhou.aliyuncs.com/", transport.requests[1].url)
    end
  end)
end)

describe("a missing parameter", function()
  it("is named with what it must be, and nothing is sent", function()
    refused("MissingParameter", "missing required parameter RepoId (a string)",
      sent("GetRepoTag", { InstanceId = "i", Tag = "t" }))
    refused("MissingParameter", "missing required parameter InstanceId (a string)",
      sent("GetRepoTag"))
    refused("MissingParameter",
      "missing required parameter Platform (an array (a table with the keys 1 to n))",
      sent("CreateArtifactSubscriptionRule", {
        InstanceId = "i", NamespaceName = "n", RepoName = "r", SourceNamespaceName = "s",
        SourceProvider = "p", SourceRepoName = "r", TagCount = 1,
      }))
  end)

  it("shows in the text of the error, with the operation", function()
    local _, err = sent("GetRepoTag", { InstanceId = "i", RepoId = "r" })
    assert.equal("GetRepoTag: MissingParameter: missing required parameter Tag (a string).",
      tostring(err))
  end)

  it("is not replaced by an empty array", function()
    for _, params in ipairs { { {}, { { Key = "k" } } }, { { "i" }, {} }, { { "i" }, { {} } } } do
      local query, err = sent("TagResources", {
        RegionId = "r", ResourceType = "t", ResourceId = params[1], Tag = params[2],
      })
      assert.is_nil(query)
      assert.matches("must be at least one item, got an empty table", err.message, 1, true)
    end
  end)

  it("is not replaced by a default that is empty", function()
    local with = recorder.client(nil, { defaults = { ResourceId = {} } })
    local answer, err = with:tag_resources {
      RegionId = "r", ResourceType = "t", Tag = { { Key = "k" } },
    }
    assert.is_nil(answer)
    assert.matches("ResourceId must be at least one item", err.message, 1, true)
  end)

  it("may be an empty string: that is the service's to judge", function()
    assert.equal("", text(""))
  end)
end)

describe("an unknown parameter", function()
  it("is refused with the name that was meant", function()
    for wrong, meant in pairs {
      InstanceID = "InstanceId", instanceid = "InstanceId", InstnaceId = "InstanceId",
      tag = "Tag", Repoid = "RepoId", Tags = "Tag",
    } do
      local params = { InstanceId = "i", RepoId = "r", Tag = "t" }
      params[wrong] = "v"
      refused("UnknownParameter",
        ("unknown parameter %s; did you mean %s?"):format(wrong, meant),
        sent("GetRepoTag", params))
    end
  end)

  it("is refused with all names when none is close", function()
    refused("UnknownParameter", "unknown parameter Colour; it takes InstanceId, RepoId, Tag",
      sent("GetRepoTag", { InstanceId = "i", RepoId = "r", Tag = "t", Colour = "red" }))
    refused("UnknownParameter", "unknown parameter InstanceId; it takes none",
      sent("GetInstanceCount", { InstanceId = "i" }))
    refused("UnknownParameter", "unknown parameter ; it takes InstanceId, RepoId, Tag",
      sent("GetRepoTag", { [""] = "v" }))
  end)

  it("is refused inside an object and an array of objects, by its path", function()
    refused("UnknownParameter",
      "unknown parameter DefaultRepoConfiguration.RepoTyp; " ..
        "did you mean DefaultRepoConfiguration.RepoType?", object { RepoTyp = "PUBLIC" })
    refused("UnknownParameter",
      "unknown parameter DefaultRepoConfiguration.ArtifactBuildRuleParameters.Other; " ..
        "it takes ImageIndexOnly",
      object { ArtifactBuildRuleParameters = { Other = true } })
    refused("UnknownParameter", "unknown parameter Tag.2.key; did you mean Tag.2.Key?",
      tags { { Key = "a" }, { key = "b" } })
    refused("UnknownParameter", "unknown parameter Entries.1.Entri; did you mean Entries.1.Entry?",
      entries { { Entri = "1.1.1.1" } })
  end)

  it("does not make a suggestion for a name of great length", function()
    local _, err = sent("GetRepoTag", { [("Tag"):rep(100000)] = "v" })
    assert.equal("UnknownParameter", err.code)
    assert.is_true(#err.message < 400)
    assert.is_nil(err.message:find("did you mean", 1, true))
  end)

  it("cannot be smuggled in flat form", function()
    local query, err = sent("TagResources", {
      RegionId = "r", ResourceType = "t", ResourceId = { "i" }, ["Tag.1.Key"] = "k",
    })
    assert.is_nil(query)
    assert.equal("UnknownParameter", err.code)
  end)

  it("cannot be a number or a boolean", function()
    for _, key in ipairs { 1, 2.5, true, -1 } do
      local params = { InstanceId = "i" }
      params[key] = "v"
      local query, err = sent("GetInstance", params)
      assert.is_nil(query)
      assert.equal("validation", err.kind)
      assert.matches("parameter names", err.message)
      assert.is_nil(err.message:find("parameter  ", 1, true), err.message)
    end
  end)
end)

describe("a string", function()
  it("is sent byte for byte", function()
    for _, value in ipairs {
      "a", " a ", "\0", "a\0b", "%20", "a+b", "true", "1", "é仓库😀", "\r\n",
    } do
      assert.equal(value, text(value))
    end
  end)

  it("is not made from anything else", function()
    local cases = {
      { 1, "a number (1)" }, { 1.5, "a number (1.5)" }, { 2 ^ 53, "a number (9007199254740992)" },
      { true, "a boolean (true)" }, { false, "a boolean (false)" }, { {}, "a table" },
      { print, "a function" }, { cr.null, "cr.null" }, { io.stdout, "a userdata" },
      { 0 / 0, "NaN" }, { coroutine.create(function() end), "a thread" },
    }
    for _, case in ipairs(cases) do
      refused("InvalidParameter", "parameter InstanceId must be a string, got " .. case[2],
        text(case[1]))
    end
  end)

  it("must be UTF-8", function()
    local cases = {
      { "\128", 1, "80" }, { "abc\255", 4, "FF" }, { "\254", 1, "FE" },
      { "\192\175", 1, "C0" }, { "\193\191", 1, "C1" }, -- over-long in two bytes
      { "\224\128\175", 1, "E0" }, { "\224\159\191", 1, "E0" }, -- in three
      { "\240\128\128\175", 1, "F0" }, { "\240\143\191\191", 1, "F0" }, -- in four
      { "a\237\160\128", 2, "ED" }, { "\237\191\191", 1, "ED" }, -- surrogates
      { "\244\144\128\128", 1, "F4" }, { "\245\128\128\128", 1, "F5" }, -- above U+10FFFF
      { "\195", 1, "C3" }, { "ab\226\130", 3, "E2" }, { "\240\159\152", 1, "F0" }, -- cut off
      { "\195a", 1, "C3" }, { "\226\130a", 1, "E2" }, { "\240\159\152a", 1, "F0" },
      { "é\191", 3, "BF" }, { "\248\136\128\128\128", 1, "F8" },
    }
    for _, case in ipairs(cases) do
      refused("InvalidParameter", ("parameter InstanceId must be a string in UTF-8, " ..
        "got a string that is not UTF-8 (byte %d is 0x%s)"):format(case[2], case[3]),
        text(case[1]))
    end
  end)

  it("may hold the first and the last code point of every length", function()
    for _, value in ipairs {
      "\0", "\127", "\194\128", "\223\191", "\224\160\128", "\237\159\191", "\238\128\128",
      "\239\191\191", "\240\144\128\128", "\244\143\191\191", "\239\187\191",
    } do
      assert.equal(value, text(value))
    end
  end)

  it("does not show in a message", function()
    local secret = "hunter2"
    local params = { InstanceId = "i", PageNo = secret }
    local _, err = sent("ListRepository", params)
    assert.is_false(fixture.shows(err, secret))
    assert.equal("parameter PageNo must be an integer from -2147483648 to 2147483647, " ..
      "got a string", err.message)
  end)

  it("of great length is sent, one that is too long is an error", function()
    assert.equal(1000000, #text(("x"):rep(1000000)))
    for _, value in ipairs { ("x"):rep(1048576), ("*"):rep(400000) } do
      local query, err = text(value)
      assert.is_nil(query)
      assert.equal("validation", err.kind)
      assert.matches("larger than this library sends", err.message, 1, true)
    end
    assert.equal("x", text("x"))
  end)
end)

describe("a boolean", function()
  it("is sent as true or false, false too", function()
    assert.equal("true", boolean(true))
    assert.equal("false", boolean(false))
  end)

  it("is not made from anything else", function()
    local cases = {
      { "true", "a string" }, { 1, "a number (1)" }, { 0, "a number (0)" }, { {}, "a table" },
      { cr.null, "cr.null" },
    }
    for _, case in ipairs(cases) do
      refused("InvalidParameter", "parameter Auto must be a boolean, got " .. case[2],
        boolean(case[1]))
    end
  end)
end)

describe("an integer", function()
  it("of 32 bits is sent in decimal digits, an integral float too", function()
    local cases = {
      { 0, "0" }, { 1, "1" }, { -1, "-1" }, { 30.0, "30" }, { -0.0, "0" }, { 1e3, "1000" },
      { 2147483647, "2147483647" }, { -2147483648, "-2147483648" },
      { 2147483647.0, "2147483647" },
    }
    for _, case in ipairs(cases) do
      assert.equal(case[2], (integer(case[1])))
    end
  end)

  it("of 32 bits is refused beyond them", function()
    local expected = "parameter PageNo must be an integer from -2147483648 to 2147483647, got "
    local cases = {
      { 2147483648, "a number (2147483648)" }, { -2147483649, "a number (-2147483649)" },
      { 1.5, "a number (1.5)" }, { 0 / 0, "NaN" }, { -(0 / 0), "NaN" },
      { math.huge, "a number (inf)" }, { -math.huge, "a number (-inf)" },
      { 1e300, "a number (1.0000000000000001e+300)" }, { 4294967297, "a number (4294967297)" },
      { 2 ^ 64, "a number (1.8446744073709552e+19)" }, { 0.1, "a number (0.10000000000000001)" },
      { "30", "a string" }, { true, "a boolean (true)" }, { {}, "a table" },
      { cr.null, "cr.null" },
    }
    for _, case in ipairs(cases) do
      refused("InvalidParameter", expected .. case[2], integer(case[1]))
    end
  end)

  it("of 64 bits is exact up to 2^53 as a float", function()
    assert.equal("9007199254740992", (long(2 ^ 53)))
    assert.equal("-9007199254740992", (long(-2 ^ 53)))
    assert.equal("9007199254740991", (long(2 ^ 53 - 1)))
    assert.equal("1572839125000", (long(1572839125000)))
    assert.equal("2147483648", (long(2147483648)))
    for _, value in ipairs { 2 ^ 53 + 2, -2 ^ 53 - 2, 2 ^ 63, -2 ^ 63, 2 ^ 64, 1e300, math.huge,
      -math.huge, 0 / 0, 0.5, 2 ^ 51 + 0.5 } do
      local query, err = long(value)
      assert.is_nil(query)
      assert.matches("^parameter RetentionTagCount must be an integer from ", err.message)
    end
  end)

  it("of 64 bits is refused with the range this Lua has", function()
    local range = HAS_INTEGERS and "an integer from -2^63 to 2^63-1 (a float up to 2^53)" or
      "an integer from -2^53 to 2^53"
    refused("InvalidParameter",
      "parameter RetentionTagCount must be " .. range .. ", got a number (9007199254740994)",
      long(2 ^ 53 + 2))
  end)

  if HAS_INTEGERS then
    it("of 64 bits is exact to its ends where Lua has such integers", function()
      assert.equal("9223372036854775807", (long(math.maxinteger)))
      assert.equal("-9223372036854775808", (long(math.mininteger)))
      assert.equal("9007199254740993", (long(math.tointeger(2 ^ 53) + 1)))
      assert.equal("-9007199254740993", (long(-math.tointeger(2 ^ 53) - 1)))
    end)

    it("of 32 bits refuses those with 64", function()
      for _, value in ipairs { math.maxinteger, math.mininteger, math.tointeger(2 ^ 32) } do
        local query, err = integer(value)
        assert.is_nil(query)
        assert.equal("InvalidParameter", err.code)
        assert.matches(("got a number (%d)"):format(value), err.message, 1, true)
      end
    end)
  end
end)

describe("an array", function()
  it("in repeat style is numbered from 1", function()
    local query = tags { { Key = "a", Value = "1" }, { Key = "b" }, { Value = "" } }
    assert.same({
      RegionId = "r", ResourceType = "t", ["ResourceId.1"] = "i", ["Tag.1.Key"] = "a",
      ["Tag.1.Value"] = "1", ["Tag.2.Key"] = "b", ["Tag.3.Value"] = "",
    }, query)
  end)

  it("in repeat style has more than ten items in order", function()
    local ids, expected = {}, {}
    for i = 1, 120 do
      ids[i] = "id" .. i
      expected["ResourceId." .. i] = "id" .. i
    end
    expected.RegionId, expected.ResourceType, expected["Tag.1.Key"] = "r", "t", "k"
    assert.same(expected, sent("TagResources", {
      RegionId = "r", ResourceType = "t", ResourceId = ids, Tag = { { Key = "k" } },
    }))
  end)

  it("in repeat style is absent when it is empty and optional", function()
    assert.same({ RegionId = "r", ResourceType = "t" },
      sent("ListTagResources", { RegionId = "r", ResourceType = "t", ResourceId = {}, Tag = {} }))
  end)

  it("in JSON style is one text, [] when it is empty", function()
    assert.equal('["a","b\\"\\\\/","é"]', (json_array { "a", 'b"\\/', "é" }))
    assert.equal("[]", (json_array {}))
    assert.equal('[{"Comment":"c","Entry":"e"},{},{"Entry":""}]',
      (entries { { Entry = "e", Comment = "c" }, {}, { Entry = "" } }))
    assert.equal("[]", (entries {}))
  end)

  it("must have the keys 1 to n", function()
    local what = "parameter Namespaces must be an array (a table with the keys 1 to n), got "
    local cases = {
      { "a", "a string" }, { 1, "a number (1)" }, { true, "a boolean (true)" },
      { cr.null, "cr.null" }, { { a = "b" }, "a table with other keys" },
      { { "a", x = "b" }, "a table with other keys" },
      { { [0] = "a" }, "a table with other keys" },
      { { "a", [-1] = "b" }, "a table with other keys" },
      { { "a", [1.5] = "b" }, "a table with other keys" },
      { { [true] = "a" }, "a table with other keys" },
      { { ["1"] = "a" }, "a table with other keys" },
    }
    for _, case in ipairs(cases) do
      refused("InvalidParameter", what .. case[2], json_array(case[1]))
    end
  end)

  it("must not have holes, which are named", function()
    refused("InvalidParameter",
      "parameter Namespaces.2 must be a value, got nothing (a hole: the last key is 3)",
      json_array { "a", nil, "c" })
    refused("InvalidParameter",
      "parameter Namespaces.1 must be a value, got nothing (a hole: the last key is 2)",
      json_array { nil, "b" })
    refused("InvalidParameter",
      "parameter Tag.3 must be a value, got nothing (a hole: the last key is 1000000)",
      tags { { Key = "a" }, { Key = "b" }, [1000000] = { Key = "c" } })
  end)

  it("with an absurd last key is refused at once", function()
    for _, key in ipairs { 2 ^ 31, 2 ^ 32 + 1, 2 ^ 53, 2 ^ 63, 1e18, 1e308, math.huge } do
      local query, err = json_array { "a", [key] = "b" }
      assert.is_nil(query)
      assert.matches("^parameter Namespaces%.2 must be a value, got nothing %(a hole", err.message)
      assert.matches(")", err.message:sub(-1), 1, true)
    end
  end)

  it("names the item that is wrong", function()
    refused("InvalidParameter", "parameter Namespaces.2 must be a string, got a number (7)",
      json_array { "a", 7 })
    refused("InvalidParameter", "parameter Tag.2.Value must be a string, got a boolean (true)",
      tags { { Key = "a" }, { Key = "b", Value = true } })
    refused("InvalidParameter",
      "parameter Tag.1 must be an object (a table with string keys), got a string", tags { "a" })
    refused("InvalidParameter",
      "parameter Entries.1 must be an object (a table with string keys), got cr.null",
      entries { cr.null })
    refused("InvalidParameter", "parameter Entries.1 must be an object (a table with string " ..
      "keys), got a table with other keys", entries { { "a" } })
    refused("InvalidParameter", "parameter Namespaces.1 must be a string, got cr.null",
      json_array { cr.null })
    refused("InvalidParameter", "parameter Tag.1.Key must be a string in UTF-8, got a string " ..
      "that is not UTF-8 (byte 2 is 0xFF)", tags { { Key = "k\255" } })
  end)

  it("may have 1024 items and no more", function()
    local items = {}
    for i = 1, 1024 do
      items[i] = "n"
    end
    assert.equal(1024 * 4 + 1, #json_array(items))
    items[1025] = "n"
    refused("InvalidParameter", "parameter Namespaces must be an array of at most 1024 items, " ..
      "got more", json_array(items))
    local query, err = sent("ListTagResources", {
      RegionId = "r", ResourceType = "t", ResourceId = items,
    })
    refused("InvalidParameter", "parameter ResourceId must be an array of at most 1024 items, " ..
      "got more", query, err)
  end)

  it("counts with the other parameters for the limit of a query", function()
    local items = {}
    for i = 1, 1022 do
      items[i] = "n"
    end
    local params = { RegionId = "r", ResourceType = "t", ResourceId = items }
    assert.truthy(sent("ListTagResources", params))
    items[1023] = "n"
    local query, err = sent("ListTagResources", params)
    assert.is_nil(query)
    assert.equal("validation", err.kind)
    assert.matches("at most 1024 values", err.message, 1, true)
  end)

  it("may be as long with V1, where the query carries more", function()
    local items = {}
    for i = 1, 1022 do
      items[i] = "n"
    end
    local query = assert(sent("ListTagResources",
      { RegionId = "r", ResourceType = "t", ResourceId = items }, { signature = "v1" }))
    assert.equal("n", query["ResourceId.1022"])
  end)
end)

describe("an object", function()
  it("has its declared fields in the same order always, nested ones too", function()
    for _ = 1, 3 do
      assert.equal('{"ArtifactBuildRuleParameters":{"ImageIndexOnly":false},' ..
        '"RepoType":"PUBLIC","TagImmutability":true}', (object {
          TagImmutability = true, RepoType = "PUBLIC",
          ArtifactBuildRuleParameters = { ImageIndexOnly = false },
        }))
    end
  end)

  it("is {} when it is empty, also inside", function()
    assert.equal("{}", (object {}))
    assert.equal('{"ArtifactBuildRuleParameters":{}}',
      (object { ArtifactBuildRuleParameters = {} }))
  end)

  it("must have declared fields of the declared types", function()
    refused("InvalidParameter", "parameter DefaultRepoConfiguration.TagImmutability must be a " ..
      "boolean, got a string", object { TagImmutability = "true" })
    refused("InvalidParameter", "parameter DefaultRepoConfiguration must be an object (a table " ..
      "with string keys), got a table with other keys", object { "a" })
    refused("InvalidParameter", "parameter DefaultRepoConfiguration must be an object (a table " ..
      "with string keys), got a string", object "{}")
    refused("InvalidParameter", "parameter DefaultRepoConfiguration must be an object (a table " ..
      "with string keys), got cr.null", object(cr.null))
    refused("InvalidParameter", "parameter DefaultRepoConfiguration.RepoType must be a string, " ..
      "got cr.null", object { RepoType = cr.null })
  end)
end)

describe("a free map", function()
  it("is {} when it is empty; so is an empty table inside", function()
    assert.equal("{}", (map {}))
    assert.equal('{"a":{}}', (map { a = {} }))
  end)

  it("has its names in byte order, whatever the order in the table", function()
    local names = { "b", "a", "aa", "Z", "é", "a b", "", "10", "9", "a\0" }
    local expected
    for turn = 1, #names do
      local table_ = {}
      for i = 1, #names do
        table_[names[(i + turn) % #names + 1]] = "v"
      end
      expected = expected or map(table_)
      assert.equal(expected, (map(table_)))
    end
    assert.equal('{"":"v","10":"v","9":"v","Z":"v","a":"v","a\\u0000":"v","a b":"v","aa":"v",' ..
      '"b":"v","é":"v"}', expected)
  end)

  it("has many names in byte order too", function()
    local table_, names = {}, {}
    for i = 1, 1024 do
      names[i] = ("n%04d"):format(i)
      table_[names[i]] = true
    end
    assert.equal('{"' .. table.concat(names, '":true,"') .. '":true}', (map(table_)))
    table_.more = true
    refused("InvalidParameter", "parameter Parameters must be an object of at most 1024 fields, " ..
      "got more", map(table_))
  end)

  it("takes strings, booleans, null, arrays and maps", function()
    assert.equal('{"a":"x","b":true,"c":false,"d":null,"e":[1,"2",{},{"f":[null,[true]]}]}',
      (map {
        a = "x", b = true, c = false, d = cr.null,
        e = { 1, "2", {}, { f = { cr.null, { true } } } },
      }))
  end)

  it("takes numbers: integers whole, floats so that they read back the same", function()
    local cases = {
      { 0, "0" }, { -1, "-1" }, { 30.0, "30" }, { 0.1, "0.1" }, { 1.5, "1.5" }, { -2.25, "-2.25" },
      { 1e15, "1000000000000000" }, { 2 ^ 53, "9007199254740992" }, { 1 / 3, "0.3333333333333333" },
      { 1e300, "1e+300" }, { 5e-324, "4.94065645841247e-324" }, { 1e-7, "1e-07" }, { -0.0, "0" },
      { 0.1 + 0.2, "0.30000000000000004" }, { 2 ^ 63, "9.223372036854776e+18" },
      { 1.7976931348623157e308, "1.7976931348623157e+308" }, { 1e23, "1e+23" },
    }
    for _, case in ipairs(cases) do
      local json = map { n = case[1] }
      assert.equal(case[1], cjson.decode(json).n)
      assert.equal('{"n":' .. case[2] .. "}", json)
    end
  end)

  it("takes integers of 64 bits where Lua has them", function()
    if HAS_INTEGERS then
      assert.equal('{"n":[9223372036854775807,-9223372036854775808,9007199254740993]}', (map {
        n = { math.maxinteger, math.mininteger, math.tointeger(2 ^ 53) + 1 },
      }))
    else
      assert.equal('{"n":9.223372036854776e+18}', (map { n = 2 ^ 63 }))
    end
  end)

  it("takes no NaN, no infinity, no function", function()
    refused("InvalidParameter", "parameter Parameters.n must be a finite number, got NaN",
      map { n = 0 / 0 })
    refused("InvalidParameter", "parameter Parameters.n.2 must be a finite number, got a number " ..
      "(-inf)", map { n = { 1, -math.huge } })
    local expected = "must be a string, a number, a boolean or a table of these, got a "
    refused("InvalidParameter", "parameter Parameters.f " .. expected .. "function",
      map { f = print })
    refused("InvalidParameter", "parameter Parameters.u " .. expected .. "userdata",
      map { u = io.stdout })
  end)

  it("takes no mixture of positions and names", function()
    refused("InvalidParameter", "parameter Parameters.a must be an array (a table with the keys " ..
      "1 to n), got a table with other keys", map { a = { 1, b = 2 } })
    refused("InvalidParameter", "parameter Parameters.a must be an object (a table with string " ..
      "keys), got a table with other keys", map { a = { [2] = 1, b = 2 } })
    refused("InvalidParameter", "parameter Parameters.a.2 must be a value, got nothing (a hole: " ..
      "the last key is 3)", map { a = { 1, nil, 3 } })
    refused("InvalidParameter", "parameter Parameters must be an object (a table with string " ..
      "keys), got a table with other keys", map { 1, 2 })
  end)

  it("must be UTF-8 in its names too", function()
    local query, err = map { ["\255"] = 1 }
    assert.is_nil(query)
    assert.matches("not UTF-8 (byte 1 is 0xFF)", err.message, 1, true)
  end)

  it("escapes what JSON wants escaped, and nothing else", function()
    local all = {}
    for byte = 0, 127 do
      all[#all + 1] = string.char(byte)
    end
    all = table.concat(all) .. "é仓😀\226\128\168"
    local json = map { [all] = all }
    local value = cjson.decode(json)
    assert.equal(all, value[all])
    assert.truthy(json:find("\\u0000\\u0001", 1, true))
    assert.truthy(json:find("\\b\\t\\n\\u000b\\f\\r\\u000e", 1, true))
    assert.truthy(json:find('/0', 1, true))
    assert.truthy(json:find("~\127é仓😀\226\128\168", 1, true))
  end)

  local comma
  for _, name in ipairs { "de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "de_DE", "cs_CZ.UTF-8" } do
    comma = comma or os.setlocale(name, "numeric")
  end
  os.setlocale("C", "numeric")
  if comma then
    it("has a decimal point in a locale that writes a comma", function()
      os.setlocale(comma, "numeric")
      local json = map { n = 1.5, m = { 0.1, 1e300, -2.25 } }
      os.setlocale("C", "numeric")
      assert.equal('{"m":[0.1,1e+300,-2.25],"n":1.5}', json)
    end)
  end

  it("may be as large as a query and no larger", function()
    local query, err = map { a = ("x"):rep(1024 * 1024) }
    assert.is_nil(query)
    assert.equal("validation", err.kind)
    local list = {}
    for i = 1, 1000 do
      list[i] = ("x"):rep(2000)
    end
    query, err = map { a = list }
    assert.is_nil(query)
    assert.matches("at most 1 MiB as JSON", err.message, 1, true)
    assert.equal('{"a":1}', (map { a = 1 }))
  end)
end)

describe("a table that holds itself", function()
  it("is refused, not followed for ever", function()
    local value = {}
    value.self = value
    local query, err = map(value)
    assert.is_nil(query)
    assert.matches("must be a value nested at most 32 deep, got a deeper one", err.message, 1, true)
    local list = {}
    list[1] = list
    query, err = map { list = list }
    assert.is_nil(query)
    assert.equal("InvalidParameter", err.code)
  end)

  it("is refused as a tag", function()
    local tag = {}
    tag[1] = tag
    local query, err = tags(tag)
    assert.is_nil(query)
    assert.equal("InvalidParameter", err.code)
  end)

  it("may nest 32 names deep", function()
    local value, expected = true, "true"
    for _ = 1, 31 do
      value = { a = value }
      expected = '{"a":' .. expected .. "}"
    end
    assert.equal(expected, (map(value)))
    local query, err = map { a = value }
    assert.is_nil(query)
    assert.matches("nested at most 32 deep", err.message, 1, true)
  end)

  it("that repeats without a cycle is sent twice", function()
    local shared = { x = 1 }
    assert.equal('{"a":{"x":1},"b":{"x":1}}', (map { a = shared, b = shared }))
  end)
end)

describe("the caller's tables", function()
  it("may change in a finalizer while they are read", function()
    local finalizer = require "spec.support.finalizer"
    for _ = 1, 300 do
      local free = { k1 = "v", k2 = "v", k3 = "v" }
      for _ = 1, 2 do
        finalizer(function()
          for i = 1, 400 do
            rawset(free, "x" .. i, "y")
          end
        end)
      end
      -- Right or refused, but no read or write beside the memory: the sanitizers watch.
      pcall(client.create_artifact_build_rule, client, { InstanceId = "a", Parameters = free,
        ArtifactType = "x", ScopeId = "s", ScopeType = "t" })
    end
  end)

  it("run no metamethod", function()
    local function forbidden()
      error "a metamethod was run"
    end
    local metatable = {
      __index = forbidden, __newindex = forbidden, __len = forbidden, __pairs = forbidden,
      __ipairs = forbidden, __tostring = forbidden, __eq = forbidden, __lt = forbidden,
      __concat = forbidden, __call = forbidden, __name = "trap",
    }
    local function trap(value)
      return setmetatable(value, metatable)
    end
    assert.equal('{"a":[{"b":1}]}', (map(trap { a = trap { trap { b = 1 } } })))
    assert.truthy(sent("TagResources", trap {
      RegionId = "r", ResourceType = "t", ResourceId = trap { "i" },
      Tag = trap { trap { Key = "k" } },
    }))
    assert.same({ A = "1", ["B.1"] = "2" }, sent("GetSomethingNew",
      trap { A = "1", B = trap { 2 } }, { method = "GET" }))
  end)

  it("are not inherited from", function()
    local params = setmetatable({ InstanceId = "i", RepoId = "r" },
      { __index = { Tag = "inherited" } })
    refused("MissingParameter", "missing required parameter Tag (a string)",
      sent("GetRepoTag", params))
  end)

  it("stay as they are", function()
    local params = {
      InstanceId = "cri-1", ArtifactType = "t", ScopeId = "s", ScopeType = "r",
      Parameters = { a = { 1, 2.0, "x", { b = cr.null } }, e = {} },
    }
    local before = fixture.copy(params)
    assert.truthy(sent("CreateArtifactBuildRule", params))
    assert.same(before, params)
    params.Parameters.a[2], before.Parameters.a[2] = print, print
    assert.is_nil((sent("CreateArtifactBuildRule", params)))
    assert.same(before, params)
  end)

  it("are not what the request holds", function()
    local params = { InstanceId = "i", RepoId = "r", Tag = "t" }
    sent("GetRepoTag", params)
    local url = transport.requests[1].url
    params.Tag = "changed"
    assert.equal(url, transport.requests[1].url)
  end)
end)

describe("defaults", function()
  local defaults = {
    InstanceId = "cri-default", RegionId = "r-default", PageSize = 30, Tag = "not everywhere",
  }
  local with, log = recorder.client(nil, { defaults = defaults })

  local function query_of(name, params)
    log.requests = {}
    local answer, err = with:call(name, params)
    return answer and recorder.query(log.requests[1].url), err
  end

  it("are given with every call that has such a parameter", function()
    assert.same({ InstanceId = "cri-default" }, query_of("GetInstance"))
    assert.same({ InstanceId = "cri-default", PageSize = "30" }, query_of("ListNamespace", {}))
    assert.same({}, query_of("GetInstanceCount"))
    assert.same({ PageSize = "30" }, query_of("ListInstance"))
  end)

  it("satisfy what is required", function()
    assert.same({ InstanceId = "cri-default", RepoId = "r", Tag = "not everywhere" },
      query_of("GetRepoTag", { RepoId = "r" }))
    refused("MissingParameter", "missing required parameter RepoId (a string)",
      query_of("GetRepoTag", {}))
  end)

  it("give way to what a call says", function()
    assert.same({ InstanceId = "cri-2", PageSize = "5" },
      query_of("ListNamespace", { InstanceId = "cri-2", PageSize = 5 }))
  end)

  it("may be replaced for one call", function()
    log.requests = {}
    assert.truthy(with:get_instance(nil, { defaults = { InstanceId = "cri-3" } }))
    assert.truthy(with:get_instance())
    assert.equal("cri-3", recorder.query(log.requests[1].url).InstanceId)
    assert.equal("cri-default", recorder.query(log.requests[2].url).InstanceId)
  end)

  it("are checked like parameters, where they are used", function()
    local wrong = recorder.client(nil, { defaults = { InstanceId = 5, Nonsense = {} } })
    assert.truthy(wrong:get_instance_count())
    local answer, err = wrong:get_instance()
    refused("InvalidParameter", "parameter InstanceId must be a string, got a number (5)", answer,
      err)
    assert.truthy(wrong:get_instance { InstanceId = "i" })
  end)

  it("do not hide a mistake of the call", function()
    refused("InvalidParameter", "parameter InstanceId must be a string, got a boolean (false)",
      query_of("GetInstance", { InstanceId = false }))
  end)

  it("may be arrays and objects", function()
    local list = { { Key = "k", Value = "v" } }
    local tagger, seen = recorder.client(nil, { defaults = { Tag = list, ResourceType = "t" } })
    assert.truthy(tagger:tag_resources { RegionId = "r", ResourceId = { "i" } })
    assert.equal("v", recorder.query(seen.requests[1].url)["Tag.1.Value"])
    assert.same({ { Key = "k", Value = "v" } }, list)
  end)

  it("with other keys than names are refused with a clear message", function()
    local wrong = recorder.client(nil, { defaults = { "cri-1" } })
    local answer, err = wrong:get_instance { InstanceId = "i" }
    assert.is_nil(answer)
    assert.matches("parameter names", err.message)
    assert.is_nil(err.message:find("parameter  ", 1, true), err.message)
  end)

  it("stay as they are", function()
    assert.same({
      InstanceId = "cri-default", RegionId = "r-default", PageSize = 30, Tag = "not everywhere",
    }, defaults)
  end)
end)

describe("the parameters of an operation that is not listed", function()
  local function free(params)
    return sent("GetSomethingNew", params, { method = "POST" })
  end

  it("travel in repeat style, by what they are", function()
    assert.same({
      A = "text", B = "true", C = "false", D = "1.5", E = "30", ["F.1"] = "a", ["F.2.G"] = "7",
      ["H.I.J"] = "k",
    }, free {
      A = "text", B = true, C = false, D = 1.5, E = 30.0, F = { "a", { G = 7 } },
      H = { I = { J = "k" } }, K = {},
    })
  end)

  it("are checked as far as that goes", function()
    refused("InvalidParameter", "parameter A.2 must be a value, got nothing (a hole: the last " ..
      "key is 3)", free { A = { 1, nil, 3 } })
    refused("InvalidParameter", "parameter A must be a finite number, got NaN",
      free { A = 0 / 0 })
    refused("InvalidParameter", "parameter A.B must be a string, a number, a boolean or a table " ..
      "of these, got a function", free { A = { B = print } })
    refused("InvalidParameter", "parameter A must be a string in UTF-8, got a string that is " ..
      "not UTF-8 (byte 1 is 0xFF)", free { A = "\255" })
  end)

  it("must have names", function()
    local query, err = free { "a" }
    assert.is_nil(query)
    assert.equal("InvalidParameter", err.code)
    assert.is_nil(err.message:find("parameter  ", 1, true), err.message)
  end)

  it("may not be nested in themselves", function()
    local value = {}
    value.a = value
    local query, err = free(value)
    assert.is_nil(query)
    assert.equal("InvalidParameter", err.code)
  end)

  it("may not have names longer than 200 bytes", function()
    assert.truthy(free { [("n"):rep(200)] = "v" })
    local query, err = free { [("n"):rep(201)] = "v" }
    assert.is_nil(query)
    assert.equal("InvalidParameter", err.code)
    query = free { [("n"):rep(198)] = { "v" } }
    assert.same({ [("n"):rep(198) .. ".1"] = "v" }, query)
    assert.is_nil((free { [("n"):rep(199)] = { "v" } }))
  end)

  it("that would meet under one name are refused", function()
    for _, params in ipairs { { ["A.1"] = "x", A = { "y" } }, { [""] = { A = "x" }, A = "y" } } do
      local query, err = free(params)
      assert.is_nil(query, "one of two values got lost")
      assert.equal("InvalidParameter", err.code)
    end
  end)

  it("are an error when one is too large, and the others are not read beyond their end", function()
    -- Names behind the large value, and before it lengths up to the end of a new request's first
    -- buffer: what reads too far there is for the sanitizers to see.
    local large, name = ("z"):rep(5 * 1024 * 1024), ("n"):rep(190)
    for length = 780, 1030, 10 do
      local params = { A = { ("p"):rep(length), large, { [name] = "v" }, { [name] = "v" } } }
      assert.is_true(core.request():fill_any("GetSomethingNew", params, "GET"))
      local query, err = free(params)
      assert.is_nil(query)
      assert.equal("validation", err.kind)
      assert.matches("larger than this library sends", err.message, 1, true)
    end
  end)

  it("do not stand beside those of a V1 signature under the same name", function()
    for _, name in ipairs { "Action", "AccessKeyId", "Timestamp", "Signature", "Version" } do
      local query, err = sent("GetSomethingNew", { [name] = "forged" },
        { method = "GET", signature = "v1" })
      if query then
        assert.not_equal("forged", query[name])
      else
        assert.equal("validation", err.kind)
      end
    end
  end)

  it("stay as they are", function()
    local params = { A = { 1, { B = "x" } } }
    free(params)
    assert.same({ A = { 1, { B = "x" } } }, params)
  end)
end)

describe("arguments that are no tables", function()
  it("raise at the caller's line", function()
    local here = debug.getinfo(1, "S").short_src
    for _, wrong in ipairs { "text", 1, true, print } do
      local ok, message = pcall(function()
        client:get_instance(wrong)
      end)
      assert.is_false(ok)
      assert.equal(here, message:match("^(.-):%d+: "))
      assert.matches(("get_instance: the parameters must be a table, got a %s"):format(type(wrong)),
        message, 1, true)
      ok, message = pcall(function()
        client:call("GetInstance", wrong)
      end)
      assert.is_false(ok)
      assert.equal(here, message:match("^(.-):%d+: "))
    end
  end)
end)

describe("flattening under an aggressive collector", function()
  it("gives the same texts", function()
    local output, ok = child.lua([[
      collectgarbage("setpause", 1)
      collectgarbage("setstepmul", 10000)
      local recorder = require "spec.support.recorder"
      local client, transport = recorder.client()
      local list = {}
      for i = 1, 200 do
        list[i] = { ["k" .. i] = { i, i + 0.5, "v" .. i } }
      end
      for _ = 1, 5 do
        assert(client:create_artifact_build_rule {
          InstanceId = "i", ArtifactType = "t", ScopeId = "s", ScopeType = "r",
          Parameters = { list = list },
        })
      end
      local first = recorder.query(transport.requests[1].url).Parameters
      for _, request in ipairs(transport.requests) do
        assert(recorder.query(request.url).Parameters == first)
      end
      print(#first, first:sub(1, 30))
    ]])
    assert.is_true(ok, output)
    local length, start = output:match("^(%d+)%s(.*)\n$")
    assert.equal('{"list":[{"k1":[1,1.5,"v1"]},{', start)
    assert.is_true(tonumber(length) > 4000)
  end)
end)
