--- The emulator's canonicalisation against requests that were signed by the official SDKs.

local cjson = require "cjson"
local canonical = require "cr.emulator.canonical"
local iso8601 = require "cr.emulator.iso8601"

local function read(path)
  local file = assert(io.open(path, "r"))
  local text = file:read("*a")
  file:close()
  return text
end

local function pairs_of(map)
  local list = {}
  for name, value in pairs(map) do
    list[#list + 1] = { name, value }
  end
  return list
end

local function signed_names(authorization)
  local names = {}
  for name in authorization:match("SignedHeaders=([^,]+)"):gmatch("[^;]+") do
    names[#names + 1] = name
  end
  return names
end

describe("canonical", function()
  local vectors = cjson.decode(read("spec/fixtures/signing.json"))

  it("builds the canonical request and string to sign of every V3 vector", function()
    assert.are.equal(160, #vectors.v3)
    for _, vector in ipairs(vectors.v3) do
      local request = {
        method = vector.method, path = vector.path, headers = vector.headers,
        pairs = pairs_of(vector.query),
      }
      local built = canonical.v3_request(request, signed_names(vector.authorization),
        vector.headers["x-acs-content-sha256"])
      assert.are.equal(vector.canonical_request, built)
      local hash = vector.string_to_sign:match("%x+$")
      assert.are.equal(vector.string_to_sign, canonical.v3_string_to_sign(hash))
    end
  end)

  it("builds the string to sign of every V1 vector", function()
    assert.are.equal(160, #vectors.v1)
    for _, vector in ipairs(vectors.v1) do
      local list = pairs_of(vector.signed_parameters)
      list[#list + 1] = { "Signature", vector.signature }
      assert.are.equal(vector.string_to_sign, canonical.v1_string_to_sign(vector.method, list))
    end
  end)

  it("reads back every query that it writes", function()
    for _, vector in ipairs(vectors.v3) do
      local read_back = {}
      for _, pair in ipairs(canonical.split(canonical.query(pairs_of(vector.query)))) do
        read_back[pair[1]] = pair[2]
      end
      assert.are.same(vector.query, read_back)
    end
  end)

  it("orders names by their raw bytes", function()
    assert.are.equal("%2A=1&A=2&a=3&a.1=4&a1=5&%C3%A9=6", canonical.query {
      { "\195\169", "6" }, { "a1", "5" }, { "a.1", "4" }, { "a", "3" }, { "A", "2" }, { "*", "1" },
    })
  end)

  it("takes a name without a value, a plus and a broken escape as servers do", function()
    assert.are.same({ { "a", "" }, { "b", "" }, { "c", "x y" }, { "d", "%zz=" } },
      canonical.split("a&b=&&c=x+y&d=%zz="))
  end)
end)

describe("iso8601", function()
  it("counts seconds since the epoch", function()
    assert.are.equal(0, iso8601.parse("1970-01-01T00:00:00Z"))
    assert.are.equal(951782400, iso8601.parse("2000-02-29T00:00:00Z"))
    assert.are.equal(1698315752, iso8601.parse("2023-10-26T10:22:32Z"))
    assert.are.equal(4107542399, iso8601.parse("2100-02-28T23:59:59.123Z"))
  end)

  it("refuses what is no date", function()
    for _, text in ipairs { "", "2023-10-26", "2023-10-26T10:22:32", "2023-10-26T10:22:32+08:00",
      "2023-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2023-01-00T00:00:00Z",
      "2023-01-01T24:00:00Z", "2023-01-01T00:00:00.Z" } do
      assert.is_nil(iso8601.parse(text))
    end
  end)
end)
