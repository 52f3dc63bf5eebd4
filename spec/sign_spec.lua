--- cr.sign: the pure function, against requests signed by the official SDKs and by hand.

local cr = require "cr"
local fixture = require "spec.support.fixture"
local finalizer = require "spec.support.finalizer"

local vectors = fixture.json "spec/fixtures/signing.json"

local EMPTY_SHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

--- A V3 request with these fields over usual ones.
local function request(fields)
  local made = {
    method = "POST", headers = { host = "cr.cn-hangzhou.aliyuncs.com" },
    access_key_id = "LTAI-test", access_key_secret = "test-secret",
  }
  for name, value in pairs(fields or {}) do
    made[name] = value
  end
  return made
end

local function v1(fields)
  local made = request(fields)
  made.algorithm = "HMAC-SHA1"
  return made
end

--- The lines of a canonical request.
local function lines(result)
  local list = {}
  for line in (result.canonical_request .. "\n"):gmatch("([^\n]*)\n") do
    list[#list + 1] = line
  end
  return list
end

local function query_line(query)
  return lines(cr.sign(request { query = query }))[3]
end

describe("cr.sign with V3", function()
  it("agrees with 160 requests of the official SDK in every stage", function()
    assert.equal(160, #vectors.v3)
    for index, vector in ipairs(vectors.v3) do
      local result = cr.sign {
        algorithm = "ACS3-HMAC-SHA256", method = vector.method, path = vector.path,
        query = vector.query, headers = vector.headers, body = vector.body,
        access_key_id = vector.access_key_id, access_key_secret = vector.access_key_secret,
      }
      local where = ("vector %d, %s"):format(index, vector.operation)
      assert.equal(vector.canonical_request, result.canonical_request, where)
      assert.equal(vector.string_to_sign, result.string_to_sign, where)
      assert.equal(vector.authorization, result.authorization, where)
      assert.equal(vector.authorization:match("Signature=(%x+)$"), result.signature, where)
      assert.equal(vector.authorization:match("SignedHeaders=([^,]*),"), result.signed_headers,
        where)
    end
  end)

  it("agrees with the published example", function()
    local result = cr.sign {
      method = "POST",
      query = {
        ImageId = "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd",
        RegionId = "cn-shanghai",
      },
      headers = {
        host = "ecs.cn-shanghai.aliyuncs.com",
        ["x-acs-action"] = "RunInstances",
        ["x-acs-version"] = "2014-05-26",
        ["x-acs-date"] = "2023-10-26T10:22:32Z",
        ["x-acs-signature-nonce"] = "3156853299f313e23d1673dc12e1703d",
        ["x-acs-content-sha256"] = EMPTY_SHA256,
      },
      access_key_id = "YourAccessKeyId", access_key_secret = "YourAccessKeySecret",
    }
    assert.equal("ACS3-HMAC-SHA256\n" ..
      "7ea06492da5221eba5297e897ce16e55f964061054b7695beedaac1145b1e259", result.string_to_sign)
    assert.equal("06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0",
      result.signature)
    assert.equal("host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;" ..
      "x-acs-version", result.signed_headers)
  end)

  it("returns exactly five stages", function()
    local names = {}
    for name, value in pairs(cr.sign(request())) do
      assert.equal("string", type(value))
      names[#names + 1] = name
    end
    table.sort(names)
    assert.same({ "authorization", "canonical_request", "signature", "signed_headers",
      "string_to_sign" }, names)
  end)

  it("takes V3, the path / and an empty body where nothing else is said", function()
    local short = cr.sign(request())
    local long = cr.sign(request {
      algorithm = "ACS3-HMAC-SHA256", path = "/", body = "", query = {},
    })
    assert.same(long, short)
    assert.equal("POST\n/\n\nhost:cr.cn-hangzhou.aliyuncs.com\n\nhost\n" .. EMPTY_SHA256,
      short.canonical_request)
  end)

  it("hashes a body", function()
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      lines(cr.sign(request { body = "abc" }))[7])
    assert.equal("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
      lines(cr.sign(request { body = "\0" }))[7])
  end)

  it("puts the path in as it is", function()
    assert.equal("/a b/%41", lines(cr.sign(request { path = "/a b/%41" }))[2])
  end)

  it("signs without any header", function()
    local result = cr.sign { method = "GET", access_key_id = "i", access_key_secret = "s" }
    assert.equal("GET\n/\n\n\n\n" .. EMPTY_SHA256, result.canonical_request)
    assert.equal("", result.signed_headers)
  end)
end)

describe("the headers of cr.sign with V3", function()
  it("are signed when they are host, content-type or x-acs-*, in any case", function()
    local result = cr.sign(request {
      headers = {
        HOST = "h", ["Content-Type"] = "c", ["X-Acs-Zone"] = "z", ["x-ACS-a"] = "A",
        ["User-Agent"] = "ignored", Accept = "ignored", ["x-acs"] = "ignored",
        ["hos"] = "ignored", ["host2"] = "ignored", ["content-type2"] = "ignored",
        ["xx-acs-a"] = "ignored", Authorization = "ignored",
      },
    })
    assert.equal("content-type;host;x-acs-a;x-acs-zone", result.signed_headers)
    assert.equal("POST\n/\n\ncontent-type:c\nhost:h\nx-acs-a:A\nx-acs-zone:z\n\n" ..
      "content-type;host;x-acs-a;x-acs-zone\n" .. EMPTY_SHA256, result.canonical_request)
  end)

  it("do not change the signature when they are not signed", function()
    local with = request { headers = { host = "h", accept = "a", ["user-agent"] = "u" } }
    assert.same(cr.sign(request { headers = { host = "h" } }), cr.sign(with))
  end)

  it("lose the blanks and tabs at their ends only", function()
    local list = lines(cr.sign(request {
      headers = { ["x-acs-a"] = " \t in  side\t ", ["x-acs-b"] = " \t ", ["x-acs-c"] = "" },
    }))
    assert.equal("x-acs-a:in  side", list[4])
    assert.equal("x-acs-b:", list[5])
    assert.equal("x-acs-c:", list[6])
  end)

  it("sort by their lower-case names, prefixes first", function()
    local result = cr.sign(request {
      headers = { ["x-acs-ab"] = "1", ["X-ACS-B"] = "2", ["x-acs-a"] = "3", ["X-Acs-a-b"] = "4" },
    })
    assert.equal("x-acs-a;x-acs-a-b;x-acs-ab;x-acs-b", result.signed_headers)
  end)

  it("sort when there are many of them", function()
    local headers, names = {}, {}
    for i = 1, 60 do
      local name = ("x-acs-%d"):format((i * 37) % 61)
      headers[i % 2 == 0 and name or name:upper()] = tostring(i)
      names[i] = name
    end
    table.sort(names)
    local result = cr.sign(request { headers = headers })
    assert.equal(table.concat(names, ";"), result.signed_headers)
  end)

  it("must not come twice in different case", function()
    local ok, message = pcall(cr.sign, request { headers = { Host = "a", host = "b" } })
    assert.is_false(ok)
    assert.matches("a header is given twice in different case", message, 1, true)
    assert.has_error(function()
      cr.sign(request { headers = { ["X-ACS-A"] = "a", ["x-acs-a"] = "a", accept = "b" } })
    end)
  end)

  it("must be one line each, or other headers could be read into what is signed", function()
    for _, headers in ipairs {
      { ["x-acs-a"] = "v\nx-acs-b:w" }, { ["x-acs-a"] = "v\r\n" }, { host = "\rh" },
      { ["x-acs-a"] = "\0" }, { ["x-acs-a\nx-acs-b"] = "v" }, { ["content-type"] = "\n" },
    } do
      assert.error_matches(function() cr.sign(request { headers = headers }) end,
        "a header holds a line break or a NUL")
    end
    assert.same(cr.sign(request { headers = {} }),
      cr.sign(request { headers = { accept = "not signed\n" } }))
  end)

  it("may come twice in different case when they are not signed", function()
    assert.same(cr.sign(request { headers = {} }),
      cr.sign(request { headers = { Accept = "a", accept = "b" } }))
  end)

  it("may be 64 and no more", function()
    local headers = {}
    for i = 1, 64 do
      headers["x-acs-" .. i] = "v"
    end
    local _, count = cr.sign(request { headers = headers }).signed_headers:gsub(";", "")
    assert.equal(63, count)
    headers["x-acs-65"] = "v"
    assert.error_matches(function() cr.sign(request { headers = headers }) end,
      "field headers has more entries than one request can carry")
  end)
end)

describe("the query of cr.sign", function()
  it("percent-encodes every byte as RFC 3986 says", function()
    for byte = 0, 255 do
      local value = "a" .. string.char(byte) .. "z"
      assert.equal("k=" .. fixture.percent_encode(value), query_line { k = value })
      assert.equal(fixture.percent_encode(value) .. "=v", query_line { [value] = "v" })
    end
  end)

  it("percent-encodes long values across the encoder's chunks", function()
    for _, length in ipairs { 255, 256, 257, 511, 512, 513, 5000 } do
      local value = ("ab*"):rep(math.ceil(length / 3)):sub(1, length)
      assert.equal("k=" .. fixture.percent_encode(value), query_line { k = value })
    end
  end)

  it("keeps the = of an empty value and of an empty name", function()
    assert.equal("a=&b=", query_line { a = "", b = "" })
    assert.equal("=v&a=", query_line { [""] = "v", a = "" })
  end)

  it("sorts by the raw name, not by the encoded one", function()
    -- encoded, "a!" ("a%21") would come before "a-"; raw "-" (0x2D) is above "!" (0x21) too, but
    -- "a." (0x2E) and "a/" ("a%2F") change places
    assert.equal("a=1&a.=2&a%2F=3&a0=4", query_line { ["a/"] = "3", a0 = "4", ["a."] = "2",
      a = "1" })
    assert.equal("Z=1&a=2&%7F=3&%80=4&%C3%BF=5&%FF=6", query_line { ["\127"] = "3", a = "2",
      ["\195\191"] = "5", Z = "1", ["\255"] = "6", ["\128"] = "4" })
  end)

  it("sorts names that are prefixes of each other, zero bytes included", function()
    local query, name = {}, ""
    for i = 1, 40 do
      query[name] = tostring(i)
      query[name .. "\0"] = "zero"
      name = name .. "k"
    end
    assert.equal(fixture.canonical_query(query), query_line(query))
  end)

  it("sorts any number of pairs as Lua does", function()
    local seed = 7
    local function random(limit)
      seed = (seed * 16807) % 2147483647
      return seed % limit
    end
    for _, count in ipairs { 0, 1, 2, 3, 23, 24, 25, 26, 27, 48, 49, 50, 51, 100, 333, 1088 } do
      local query, made = {}, 0
      while made < count do
        local bytes = {}
        for i = 1, random(4) + 1 do
          bytes[i] = string.char(random(256))
        end
        local name = table.concat(bytes)
        if not query[name] then
          query[name] = tostring(made)
          made = made + 1
        end
      end
      assert.equal(fixture.canonical_query(query), query_line(query))
      assert.equal("POST&%2F&" .. fixture.percent_encode(fixture.canonical_query(query)),
        cr.sign(v1 { query = query }).string_to_sign)
    end
  end)

  it("sorts ascending and descending names of the heap's size", function()
    for _, direction in ipairs { 1, -1 } do
      local query = {}
      for i = 1, 200 do
        query[("%05d"):format(50000 + direction * i)] = "v"
      end
      assert.equal(fixture.canonical_query(query), query_line(query))
    end
  end)

  it("may have 1088 pairs and no more", function()
    local query = {}
    for i = 1, 1088 do
      query["p" .. i] = "v"
    end
    assert.equal(fixture.canonical_query(query), query_line(query))
    query.more = "v"
    assert.error_matches(function() query_line(query) end,
      "field query has more entries than one request can carry")
  end)

  it("may be 1 MiB encoded and no longer", function()
    local room = 1024 * 1024 - #"k="
    assert.equal(1024 * 1024, #query_line { k = ("v"):rep(room) })
    assert.equal(1024 * 1024, #query_line { k = ("*"):rep(349524) .. "vv" })
    for _, value in ipairs { ("v"):rep(room + 1), ("*"):rep(349525) } do
      assert.error_matches(function() query_line { k = value } end,
        "the request is larger than this library sends")
    end
    assert.equal("k=v", query_line { k = "v" })
  end)
end)

describe("cr.sign with V1", function()
  it("refuses a parameter that would be taken for the signature", function()
    for _, name in ipairs { "Signature", "signature", "SIGNATURE" } do
      assert.error_matches(function() cr.sign(v1 { query = { [name] = "x", Tag = "1" } }) end,
        "a parameter cannot be named Signature")
    end
    assert.matches("SignatureNonce%%3Dn", cr.sign(v1 { query = { SignatureNonce = "n" } })
      .string_to_sign)
    assert.equal(64, #cr.sign(request { query = { Signature = "x" } }).signature)
  end)

  it("agrees with 160 requests of the official SDK in every stage", function()
    assert.equal(160, #vectors.v1)
    for index, vector in ipairs(vectors.v1) do
      local result = cr.sign {
        algorithm = "HMAC-SHA1", method = vector.method, query = vector.signed_parameters,
        access_key_id = vector.access_key_id, access_key_secret = vector.access_key_secret,
      }
      local where = ("vector %d, %s"):format(index, vector.operation)
      assert.equal(vector.string_to_sign, result.string_to_sign, where)
      assert.equal(vector.signature, result.signature, where)
    end
  end)

  it("returns signature and string to sign, nothing else", function()
    local result = cr.sign(v1())
    assert.equal("string", type(result.signature))
    assert.equal("POST&%2F&", result.string_to_sign)
    result.signature, result.string_to_sign = nil, nil
    assert.is_nil(next(result))
  end)

  it("needs no access key id and ignores headers and body", function()
    local made = v1 { query = { a = "1" } }
    local plain = cr.sign(made)
    made.access_key_id = nil
    made.headers = { Host = "a", host = "b" }
    made.body = "body"
    assert.same(plain, cr.sign(made))
  end)

  it("encodes the path", function()
    assert.equal("GET&%2Fa%20b&", cr.sign(v1 { method = "GET", path = "/a b" }).string_to_sign)
  end)

  it("gives a different signature than V3's key would", function()
    -- the key is the secret and "&": a secret ending in "&" is another key
    assert.not_equal(cr.sign(v1 { access_key_secret = "s" }).signature,
      cr.sign(v1 { access_key_secret = "s&" }).signature)
  end)
end)

describe("cr.sign is pure:", function()
  it("the same request gives the same result, whatever was signed in between", function()
    local first, second = request { query = { a = "1" } }, v1 { query = { a = "1" } }
    local results = { cr.sign(first), cr.sign(second) }
    for i = 1, 20 do
      local secret = ("s"):rep(i)
      cr.sign(request { access_key_secret = secret, body = ("b"):rep(i) })
      cr.sign(v1 { access_key_secret = secret })
      assert.same(results[1], cr.sign(first))
      assert.same(results[2], cr.sign(second))
    end
  end)

  it("secrets that share a start or a length are told apart", function()
    local seen = {}
    -- no two that differ in zero bytes at the end only: an HMAC pads its key with those
    for _, secret in ipairs { "a", "aa", "ab", "ba", "aaa", "\0", "a\0b", "a\0c" } do
      local signature = cr.sign(request { access_key_secret = secret }).signature
      assert.is_nil(seen[signature])
      seen[signature] = true
      assert.equal(signature, cr.sign(request { access_key_secret = secret }).signature)
    end
  end)

  it("the caller's tables stay as they are", function()
    local made = request {
      query = { b = "2", a = "1", [" c"] = "" }, headers = { Host = " h ", ["X-Acs-A"] = "a" },
      body = "b", path = "/", algorithm = "ACS3-HMAC-SHA256",
    }
    local before = fixture.copy(made)
    cr.sign(made)
    assert.same(before, made)
    made.algorithm, before.algorithm = "HMAC-SHA1", "HMAC-SHA1"
    cr.sign(made)
    assert.same(before, made)
  end)

  it("an error leaves nothing behind that the next signature could see", function()
    local expected = cr.sign(request { query = { a = "1" } })
    for _, wrong in ipairs {
      request { query = { a = 1 } }, request { headers = { Host = "a", host = "b" } },
      request { access_key_secret = "" }, request { query = { k = ("v"):rep(2 * 1024 * 1024) } },
    } do
      assert.is_false((pcall(cr.sign, wrong)))
      assert.same(expected, cr.sign(request { query = { a = "1" } }))
    end
  end)
end)

describe("misuse of cr.sign", function()
  local function message_of(argument)
    local ok, message = pcall(function()
      cr.sign(argument) -- the line that is to blame
    end)
    assert.is_false(ok)
    return message
  end

  it("is blamed on the caller's line", function()
    local here = debug.getinfo(message_of, "S").short_src
    assert.equal(here, message_of({}):match("^(.-):%d+: "))
    assert.equal(here, message_of(request { method = 1 }):match("^(.-):%d+: "))
  end)

  it("names cr.sign and what it wants when there is no table", function()
    for _, wrong in ipairs { "text", 1, true } do
      assert.matches("sign.*table", (message_of(wrong):gsub("^.-:%d+: ", "")))
    end
    assert.matches("sign.*table", (message_of(nil):gsub("^.-:%d+: ", "")))
  end)

  it("names the field and what it was", function()
    local cases = {
      { { method = 7 }, "sign: field method must be a string, got a number" },
      { { method = false }, "sign: field method must be a string, got a boolean" },
      { { path = {} }, "sign: field path must be a string, got a table" },
      { { body = 1.5 }, "sign: field body must be a string, got a number" },
      { { query = "a=b" }, "sign: field query must be a table of strings, got a string" },
      { { headers = 1 }, "sign: field headers must be a table of strings, got a number" },
      { { query = { a = 1 } }, "sign: field query must have string keys and string values only" },
      { { query = { "a" } }, "sign: field query must have string keys and string values only" },
      { { headers = { a = true } },
        "sign: field headers must have string keys and string values only" },
      { { algorithm = "HMAC-SHA256" },
        "sign: field algorithm must be ACS3-HMAC-SHA256 or HMAC-SHA1, got HMAC-SHA256" },
    }
    for _, case in ipairs(cases) do
      assert.matches(case[2], message_of(request(case[1])), 1, true)
    end
  end)

  it("names the field that is missing", function()
    for _, name in ipairs { "method", "access_key_id", "access_key_secret" } do
      local made = request()
      made[name] = nil
      assert.matches("sign: field " .. name .. " must be a string, got nothing", message_of(made),
        1, true)
    end
  end)

  it("does not show a secret of the wrong type or kind", function()
    local made = request { access_key_secret = 8675309 }
    local ok, message = pcall(cr.sign, made)
    assert.is_false(ok)
    assert.is_nil(message:find("8675309", 1, true))
  end)

  it("includes an empty secret and one that is too long", function()
    assert.matches("the access key secret is empty", message_of(request { access_key_secret = "" }))
    assert.matches("the access key secret is empty", message_of(v1 { access_key_secret = "" }))
    assert.matches("the access key secret .*longer than 512 bytes",
      message_of(request { access_key_secret = ("x"):rep(513) }))
    assert.matches("the access key secret .*longer than 511 bytes",
      message_of(v1 { access_key_secret = ("x"):rep(512) }))
    assert.equal(64, #cr.sign(request { access_key_secret = ("x"):rep(512) }).signature)
    assert.equal(28, #cr.sign(v1 { access_key_secret = ("x"):rep(511) }).signature)
  end)
end)

describe("cr.sign and the collector:", function()
  local inner = { request { query = { i = "inner" } }, v1 { query = { i = "inner" } } }
  local long = { o = ("outer"):rep(4000) } -- results large enough to start the collector
  local outer = { request { query = long }, v1 { query = long } }
  local expected = { inner = {}, outer = {} }

  before_each(function()
    for i = 1, 2 do
      expected.inner[i], expected.outer[i] = cr.sign(inner[i]), cr.sign(outer[i])
    end
  end)

  --- Signs while dead objects wait whose finalizers sign too, until some of those have run inside
  -- of another signature. Returns how many did.
  local function stress(rounds)
    local inside, nested, wrong = false, 0, 0
    local function finalize()
      nested = nested + (inside and 1 or 0)
      for i = 1, 2 do
        local result = cr.sign(inner[i])
        if result.signature ~= expected.inner[i].signature or
          result.string_to_sign ~= expected.inner[i].string_to_sign then
          wrong = wrong + 1
        end
      end
    end
    for round = 1, rounds do
      for _ = 1, 5 do
        finalizer(finalize) -- garbage at once
      end
      local which = round % 2 + 1
      inside = true
      local result = cr.sign(outer[which])
      inside = false
      assert.same(expected.outer[which], result)
      if nested >= 100 then
        break
      end
    end
    collectgarbage()
    assert.equal(0, wrong)
    return nested
  end

  it("a finalizer may sign while the results of another signature are pushed", function()
    local pause = collectgarbage("setpause", 1)
    local step = collectgarbage("setstepmul", 1000)
    local ok, nested = pcall(stress, 20000)
    collectgarbage("setpause", pause)
    collectgarbage("setstepmul", step)
    assert.is_true(ok, nested)
    assert.is_true(nested > 0, "no finalizer ran inside of a signature: the test shows nothing")
  end)

  if _VERSION == "Lua 5.4" then
    it("a finalizer may do so in generational mode", function()
      collectgarbage "generational"
      local ok, nested = pcall(stress, 20000)
      collectgarbage "incremental"
      assert.is_true(ok, nested)
      assert.is_true(nested > 0, "no finalizer ran inside of a signature: the test shows nothing")
    end)
  end

  it("keeps no memory of past signatures", function()
    local function many()
      for i = 1, 2000 do
        cr.sign(request { query = { n = tostring(i % 10) }, access_key_secret = "s" .. i % 3 })
      end
      collectgarbage()
      collectgarbage()
      return collectgarbage "count"
    end
    many()
    local before = many()
    assert.is_true(many() < before + 16)
  end)
end)
