--- docs/reliability.md against the tables that the specs of faults run.

local documentation = require "spec.faults.documentation"
local fixture = require "spec.support.fixture"

describe("docs/reliability.md", function()
  it("has every row of every table, and no other", function()
    assert.equal("\n" .. documentation.render(), (documentation.current()))
  end)

  it("names limits as the sources have them", function()
    local text = fixture.read "docs/reliability.md"
    for _, case in ipairs {
      { "src/core/http.h", "CR_MAX_RESPONSE_HEADER_BYTES = 64 %* 1024", "64 KiB" },
      { "src/core/http.h", "CR_MAX_RESPONSE_HEADERS = 200", "200" },
      { "src/core/http_transfer.h", "CR_MAX_ALL_HEADER_BYTES = 2 %* CR_MAX_RESPONSE_HEADER_BYTES",
        "128 KiB" },
      { "src/cr/json.lua", "MAX_DEPTH = 64", "64 levels" },
      { "src/cr/config.lua", "max_response_bytes = 16 %* 1024 %* 1024", "16 MiB" },
      { "src/cr/config.lua", "max_attempts = 3", "3" },
      { "src/cr/config.lua", "connect_timeout = 5", "5 s" },
      { "src/cr/config.lua", "[^_]timeout = 10", "10 s" },
      { "src/cr/retry.lua", "FIRST_PAUSE = 0.2", "0.2 s" },
      { "src/cr/retry.lua", "LONGEST_PAUSE = 20", "20 s" },
      { "src/cr/retry.lua", "BUDGET = 100", "may repeat 100 attempts" },
      { "src/cr/retry.lua", "INCOME = 0.1", "one for every ten attempts" },
      { "src/cr/retry.lua", "MAX_THROTTLED = 15", "up to 15 attempts" },
      { "src/cr/pace.lua", "PROOF = 3", "three calls got through" },
      { "src/cr/pace.lua", "FORGOTTEN_AFTER = 60", "After a minute without being throttled" },
    } do
      assert.matches(case[2], fixture.read(case[1]))
      assert.matches(case[3], text, 1, true)
    end
  end)

  it("names every failure that is repeated, as the source has them", function()
    local source = fixture.read "src/cr/retry.lua"
    local text = fixture.read "docs/reliability.md"
    local list = assert(text:match "### Failures that pass\n\n(.-)\n\n")
    local named, expected = {}, {}
    for code in list:gmatch "`(%u%a+)`" do
      named[code] = true
    end
    for code in source:match("PASSING = {(.-)}"):gmatch "(%u%a+) = true" do
      expected[code] = true
    end
    assert.same(expected, named)
  end)
end)

describe("the tables of faults", function()
  it("have a row for each name", function()
    local seen = {}
    for _, entry in ipairs(documentation.TABLES) do
      for _, row in ipairs(require(entry[2])) do
        assert.is_nil(seen[row.name], row.name)
        seen[row.name] = true
      end
    end
  end)

  it("have as many rows as the figures say", function()
    local count = 0
    for _, entry in ipairs(documentation.TABLES) do
      count = count + #require(entry[2])
    end
    assert.matches(("| faults | %d, "):format(count), fixture.read "docs/reliability.md", 1, true)
    assert.matches(("%d faults of the network"):format(count), fixture.read "README.md", 1, true)
  end)

  it("are all run", function()
    local spec = fixture.read "spec/faults/faults_spec.lua"
    for _, entry in ipairs(documentation.TABLES) do
      assert.matches('require "' .. entry[2] .. '"', spec, 1, true)
    end
  end)
end)
