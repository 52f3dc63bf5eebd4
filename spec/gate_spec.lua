--- The parts of cr.gate that need no nginx: names and conditions.

local names = require "cr.gate.names"
local rules = require "cr.gate.rules"

local HEX = ("0123456789abcdef"):rep(4)

describe("names of", function()
  it("repositories are those of the registry's grammar", function()
    for _, name in ipairs { "app", "team/app", "team/deep/app", "a.b_c__d---e/9",
      ("a"):rep(255) } do
      assert.is_true(names.is_repository(name), name)
    end
    for _, name in ipairs { "", "/app", "app/", "team//app", "Team/app", "team/App", "team/.app",
      "team/app.", "a..b", "a___b", "a._b", "team/../app", ".", "..", "team app", "team/app\n",
      "team%2fapp", "app:1.0", "app@sha256", "t\195\169am", "app\0", ("a"):rep(256) } do
      assert.is_false(names.is_repository(name), name)
    end
    assert.is_false(names.is_repository(nil))
    assert.is_false(names.is_repository(7))
  end)

  it("tags are words of at most 128 characters", function()
    for _, tag in ipairs { "1.0", "latest", "_x", "V1-rc.2", ("t"):rep(128) } do
      assert.is_true(names.is_tag(tag), tag)
    end
    for _, tag in ipairs { "", ".x", "-x", "a/b", "a:b", "a%2e", "a b", "a\n", "\195\169",
      ("t"):rep(129) } do
      assert.is_false(names.is_tag(tag), tag)
    end
    assert.is_false(names.is_tag(nil))
  end)

  it("digests have the length of their algorithm, in lower case", function()
    assert.is_true(names.is_digest("sha256:" .. HEX))
    assert.is_true(names.is_digest("sha512:" .. HEX .. HEX))
    for _, digest in ipairs { HEX, "sha256:" .. HEX:upper(), "SHA256:" .. HEX,
      "sha256:" .. HEX .. "0", "sha256:", "sha512:" .. HEX, "md5:" .. HEX,
      "sha256:" .. HEX .. "\n" } do
      assert.is_false(names.is_digest(digest), digest)
    end
    assert.equal("sha256:" .. HEX, names.to_digest(HEX))
    assert.equal("sha256:" .. HEX, names.to_digest("sha256:" .. HEX))
    assert.is_nil(names.to_digest(HEX:sub(2)))
    assert.is_nil(names.to_digest(HEX:sub(5) .. "****"))
    assert.is_nil(names.to_digest(nil))
  end)
end)

describe("conditions:", function()
  it("a tag is NORMAL", function()
    assert.is_nil(rules.status { Status = "NORMAL" })
    assert.equal("TagNotNormal", (rules.status { Status = "DELETING" }))
    assert.equal("TagNotNormal", (rules.status { Status = "normal" }))
    assert.equal("TagNotNormal", (rules.status {}))
  end)

  it("an image is younger than some days", function()
    local now = 1700000000
    local function made(seconds_ago)
      return (rules.age({ ImageCreate = (now - seconds_ago) * 1000 }, 2, now))
    end
    assert.is_nil(made(0))
    assert.is_nil(made(2 * 86400))
    assert.equal("TooOld", made(2 * 86400 + 1))
    assert.equal("AgeUnknown", (rules.age({}, 2, now)))
    assert.equal("AgeUnknown", (rules.age({ ImageCreate = "soon" }, 2, now)))
  end)

  it("a tag has the digest that is pinned", function()
    local tag = { Digest = HEX }
    assert.is_nil(rules.digest(tag, HEX))
    assert.is_nil(rules.digest(tag, "sha256:" .. HEX))
    assert.is_nil(rules.digest(tag, false))
    assert.equal("DigestNotPinned", (rules.digest(tag, nil)))
    assert.equal("DigestNotPinned", (rules.digest(tag, "latest")))
    assert.equal("DigestMismatch", (rules.digest(tag, ("0"):rep(64))))
    assert.equal("DigestMismatch", (rules.digest({}, HEX)))
  end)

  it("a scan is complete and found nothing from a level on", function()
    assert.is_nil(rules.scan_status { Status = "COMPLETE" })
    for _, status in ipairs { "SCANNING", "FAILED", "complete" } do
      assert.equal("ScanNotComplete", (rules.scan_status { Status = status }))
    end
    assert.equal("ScanNotComplete", (rules.scan_status {}))
    local function found(limit, high, medium, low, unknown, total)
      return (rules.scan_summary({ HighSeverity = high, MediumSeverity = medium, LowSeverity = low,
        UnknownSeverity = unknown, TotalSeverity = total or high + medium + low + unknown }, limit))
    end
    assert.is_nil(found("unknown", 0, 0, 0, 0))
    assert.is_nil(found("high", 0, 9, 9, 9))
    assert.equal("Vulnerable", found("high", 1, 0, 0, 0))
    assert.is_nil(found("medium", 0, 0, 9, 9))
    assert.equal("Vulnerable", found("medium", 0, 1, 0, 0))
    assert.is_nil(found("low", 0, 0, 0, 9))
    assert.equal("Vulnerable", found("low", 0, 0, 1, 0))
    assert.equal("Vulnerable", found("unknown", 0, 0, 0, 1))
    -- one more than the four levels add up to: of a level with another name
    assert.equal("Vulnerable", found("high", 0, 2, 3, 4, 10))
    assert.is_nil(found("high", 0, 2, 3, 4, 9))
  end)

  it("a summary that lacks a number lets nothing pass", function()
    local whole = { HighSeverity = 0, MediumSeverity = 0, LowSeverity = 0, UnknownSeverity = 0,
      TotalSeverity = 0 }
    for field in pairs(whole) do
      local summary = {}
      for name, value in pairs(whole) do
        summary[name] = name ~= field and value or nil
      end
      local code, message = rules.scan_summary(summary, "high")
      assert.equal("ScanUnreadable", code)
      assert.matches(field, message)
    end
  end)
end)
