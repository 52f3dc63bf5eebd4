--- Text forms of the core that other specs only touch in passing.

local core = require "cr.core"

describe("cr.core.iso8601", function()
  it("agrees with the system's calendar over ten thousand years", function()
    local seconds, wrong = -62167219200, {}
    while seconds < 253402300800 do
      local date = os.date("!*t", seconds)
      local text = ("%04d-%02d-%02dT%02d:%02d:%02dZ"):format(date.year, date.month, date.day,
        date.hour, date.min, date.sec)
      wrong[#wrong + 1] = core.iso8601(seconds) ~= text and text or nil
      seconds = seconds + 86400 * 17 + 3607
    end
    assert.same({}, wrong)
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

describe("cr.core.parse_iso8601", function()
  local parse = core.parse_iso8601

  it("reads what iso8601 writes, over ten thousand years", function()
    local seconds, wrong = -62167219200, {}
    while seconds < 253402300800 do
      wrong[#wrong + 1] = parse(core.iso8601(seconds)) ~= seconds and seconds or nil
      seconds = seconds + 86400 * 37 + 3607
    end
    assert.same({}, wrong)
    assert.equal(253402300799, parse "9999-12-31T23:59:59Z")
  end)

  it("gives an integer and drops a fraction", function()
    assert.equal(1572925525, parse "2019-11-05T03:45:25Z")
    for _, fraction in ipairs { ".0", ".9", ".999", ".123456789" } do
      assert.equal(1572925525, parse("2019-11-05T03:45:25" .. fraction .. "Z"))
    end
    if math.type then
      assert.equal("integer", math.type(parse "2019-11-05T03:45:25.5Z"))
    end
  end)

  it("knows the days of every month", function()
    local days = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 }
    for month, last in ipairs(days) do
      for _, year in ipairs { 1900, 2000, 2023, 2024 } do
        local leap = month == 2 and (year == 2000 or year == 2024) and 1 or 0
        local form = "%04d-%02d-%02dT00:00:00Z"
        assert.equal("number", type(parse(form:format(year, month, last + leap))))
        assert.is_nil(parse(form:format(year, month, last + leap + 1)))
        assert.is_nil(parse(form:format(year, month, 0)))
      end
    end
  end)

  it("takes a leap second for the second after it", function()
    assert.equal(parse "2017-01-01T00:00:00Z", parse "2016-12-31T23:59:60Z")
  end)

  it("reads nothing else", function()
    for _, text in ipairs {
      "", "Z", "2019-11-05", "2019-11-05T03:45:25", "2019-11-05T03:45:25z", "2019-11-05 03:45:25Z",
      "2019-11-05t03:45:25Z", "2019-11-05T03:45Z", "2019-11-05T03:45:25+00:00",
      "2019-11-05T03:45:2Z",
      " 2019-11-05T03:45:25Z", "2019-11-05T03:45:25Z ", "2019-11-05T03:45:25Z\0",
      "2019-11-05T03:45:25.Z", "2019-11-05T03:45:25.1234567890Z", "2019-11-05T03:45:25.1 Z",
      "2019-11-05T03:45:25,1Z", "2019-11-05T03:45:25.12", "2019/11/05T03:45:25Z",
      "2019-00-05T03:45:25Z", "2019-13-05T03:45:25Z", "2019-11-05T24:00:00Z",
      "2019-11-05T03:60:25Z", "2019-11-05T03:45:61Z", "+019-11-05T03:45:25Z",
      "-019-11-05T03:45:25Z", "2019-1a-05T03:45:25Z", "12019-11-05T03:45:25Z",
      "2019-11-05T03:45:25ZZ", "20191105T034525Z", "2019-11-05T03:45:25/1Z",
    } do
      assert.is_nil(parse(text), text)
    end
    assert.has_error(function() parse(nil) end)
    assert.has_error(function() parse(20191105) end)
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
