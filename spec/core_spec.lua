--- Text forms of the core that other specs only touch in passing.

local core = require "cr.core"

describe("cr.core.iso8601", function()
  it("agrees with the system's calendar over ten thousand years", function()
    local seconds = -62167219200
    while seconds < 253402300800 do
      local date = os.date("!*t", seconds)
      assert.equal(("%04d-%02d-%02dT%02d:%02d:%02dZ"):format(date.year, date.month, date.day,
        date.hour, date.min, date.sec), core.iso8601(seconds))
      seconds = seconds + 86400 * 17 + 3607
    end
  end)

  it("knows leap days, the epoch and the ends of its range", function()
    assert.equal("1970-01-01T00:00:00Z", core.iso8601(0))
    assert.equal("2000-02-29T23:59:59Z", core.iso8601(951868799.9))
    assert.equal("1969-12-31T23:59:59Z", core.iso8601(-0.5))
    assert.equal("0000-01-01T00:00:00Z", core.iso8601(-62167219200))
    assert.equal("9999-12-31T23:59:59Z", core.iso8601(253402300799))
    assert.has_error(function() core.iso8601(253402300800) end)
    assert.has_error(function() core.iso8601(0 / 0) end)
  end)
end)

describe("cr.core.nonce", function()
  it("gives 32 hex digits, never the same twice", function()
    local seen = {}
    for _ = 1, 10000 do
      local nonce = core.nonce()
      assert.truthy(nonce:find("^%x+$"))
      assert.equal(32, #nonce)
      assert.is_nil(seen[nonce])
      seen[nonce] = true
    end
  end)
end)

describe("cr.core.utf8_error", function()
  it("points at the first byte that is not UTF-8", function()
    assert.is_nil(core.utf8_error("")) -- nothing wrong with nothing
    assert.is_nil(core.utf8_error(
      "plain \0 \195\169 \233\149\156 \240\159\152\128 \244\143\191\191"))
    for text, offset in pairs {
      ["a\128"] = 2, ["ab\192\128"] = 3, ["\224\159\191"] = 1, ["\237\160\128"] = 1,
      ["\244\144\128\128"] = 1, ["\240\143\191\191"] = 1, ["x\195"] = 2, ["\226\130"] = 1,
      ["\245\128\128\128"] = 1, ["\226\40\161"] = 1,
    } do
      assert.equal(offset, core.utf8_error(text))
    end
  end)
end)

describe("cr.core.parse_date", function()
  it("reads the Date header of HTTP", function()
    assert.equal(1572925525, core.parse_date("Tue, 05 Nov 2019 03:45:25 GMT"))
    assert.is_nil(core.parse_date("yesterday-ish"))
  end)
end)

describe("cr.core.sleep", function()
  it("refuses what is no duration", function()
    for _, seconds in ipairs { -1, 0 / 0, 1e9 } do
      assert.has_error(function() core.sleep(seconds) end)
    end
    core.sleep(0)
  end)
end)
