--- What the README lists is what there is.

local child = require "spec.support.child"
local config = require "cr.config"
local emulator = require "spec.support.emulator"
local fixture = require "spec.support.fixture"

local README = fixture.read "README.md"

local function section(title)
  return assert(README:match("\n## " .. title .. "\n(.-)\n## "), "no section " .. title)
end

local function sorted_keys(set)
  local keys = {}
  for key in pairs(set) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

describe("the README", function()
  it("has every key of the configuration in its table, and no other", function()
    local listed = {}
    for cell in section("Configuration"):match("^(.-)\n\nWithout"):gmatch("\n| (`[^|]*) |") do
      for key in cell:gmatch("`([%w_]+)`") do
        listed[key] = true
      end
    end
    assert.same(sorted_keys(config.keys), sorted_keys(listed))
  end)

  it("gives the defaults that the configuration has", function()
    for key, value in pairs(config.defaults) do
      local cell = section("Configuration"):match("\n| `" .. key .. "` | ([^|]-) |") or
        section("Configuration"):match("\n| `" .. key .. "` | (.-) |")
      assert.equal(tostring(value), (cell:gsub("[`\"]", "")), key)
    end
  end)

  it("lists codes of errors as the source that makes them writes them", function()
    local source = {}
    for _, file in ipairs { "src/cr/client.lua", "src/cr/pipeline.lua", "src/cr/exchange.lua",
      "src/cr/paging.lua", "src/cr/pager.lua", "src/cr/wait_for.lua",
      "src/cr/answer.lua", "src/cr/endpoint.lua", "src/cr/credentials/unavailable.lua",
      "src/cr/transport/curl.lua", "src/cr/transport/nginx.lua", "src/cr/transport/phases.lua",
      "src/core/http.c", "src/core/http_failure.c", "src/core/http_transfer.c",
      "src/binding/request.c",
      "src/cr/cache.lua", "src/cr/cache/fetch.lua", "src/cr/cache/setup.lua" } do
      source[#source + 1] = fixture.read(file)
    end
    source = table.concat(source)
    for _, kind in ipairs { "validation", "credentials", "transport", "response" } do
      local row = assert(section("Errors"):match("\n| `" .. kind .. "` | [^|]* | ([^\n]*) |"))
      for code in row:gmatch("`(%u%a+)`") do
        assert.truthy(source:find('"' .. code .. '"', 1, true), code)
      end
    end
  end)

  for _, name in ipairs { "Many calls at once", "Pages, items and waiting" } do
    it("has an example that prints what it says: " .. name, function()
      local text = section(name)
      local code, printed = text:match(
        "```lua\n(.-)```\n\nprints, against the emulator:\n\n(.-)\n\n%S")
      local server = emulator.start()
      finally(function() server:stop() end)
      local output, ok = child.lua(code, {
        ALIBABA_CLOUD_ENDPOINT = server.endpoint, ALIBABA_CLOUD_REGION_ID = server.region,
        ALIBABA_CLOUD_ACCESS_KEY_ID = server.access_key_id,
        ALIBABA_CLOUD_ACCESS_KEY_SECRET = server.access_key_secret,
      })
      assert.is_true(ok, output)
      assert.equal(printed:gsub("    ", "") .. "\n", output)
    end)
  end

  it("lists every code that the transport gives", function()
    local row = section("Errors"):match("\n| `transport` | [^|]* | ([^\n]*) |")
    local count = 0
    for _, file in ipairs { "http.c", "http_failure.c", "http_transfer.c" } do
      local text = fixture.read("src/core/" .. file)
      for _, pattern in ipairs { 'return "(%u%a+)";', 'refuse%(failure, "(%u%a+)"',
        'refuse%(%s*failure, "(%u%a+)"', ' name = "(%u%a+)";' } do
        for code in text:gmatch(pattern) do
          assert.truthy(row:find("`" .. code .. "`", 1, true), code)
          count = count + 1
        end
      end
    end
    assert.is_true(count > 20)
  end)
end)
