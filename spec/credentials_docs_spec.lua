--- docs/credentials.md against the code: types, fields, variables, modes and their keys.

local child = require "spec.support.child"
local cjson = require "cjson"
local cr = require "cr"
local environment = require "spec.support.environment"
local fixture = require "spec.support.fixture"
local recorder = require "spec.support.recorder"

local text = fixture.read "docs/credentials.md"

local function section(title)
  return assert(text:match("\n#+ " .. title .. "\n(.-)\n#"), title)
end

--- The rows of the first table after a line that begins with this.
local function rows(part, head)
  local list = {}
  local body = assert((part .. "\n."):match("\n| " .. head .. "[^\n]*\n|[-|]+|\n(.-)\n[^|]"), head)
  for line in (body .. "\n"):gmatch "([^\n]+)\n" do
    local cells = {}
    for cell in line:gmatch "|([^|]*)" do
      cells[#cells + 1] = cell:match "^%s*(.-)%s*$"
    end
    list[#list + 1] = cells
  end
  return list
end

local function names_in(cell)
  local names = {}
  for name in cell:gmatch "`([%w_]+)`" do
    names[name] = true
  end
  return names
end

--- The types that there are, as the message about an unknown one lists them.
local function types()
  local _, message = pcall(cr.new, { credentials = { type = "?" } })
  local names = {}
  for name in message:match "the types are (.*)$":gmatch "[%w_]+" do
    names[name] = true
  end
  return names
end

describe("docs/credentials.md", function()
  it("lists every type as a provider", function()
    local listed = {}
    for _, row in ipairs(rows("\n" .. section "Providers", "`type`")) do
      listed[row[1]:match "^`(.*)`$" or "function"] = true
    end
    local expected = types()
    expected["function"] = true
    assert.same(expected, listed)
  end)

  it("lists every field of every type", function()
    local listed = {}
    for _, row in ipairs(rows("\n" .. section "Fields", "`type`")) do
      for name in pairs(names_in(row[1])) do
        listed[name] = row[2]
      end
    end
    local role = names_in((listed.ram_role_arn:gsub("%b()", "")))
    for name in pairs(types()) do
      local module = require("cr.credentials." .. name)
      local fields = listed[name] and names_in((listed[name]:gsub("%b()", ""))) or {}
      if name == "oidc_role_arn" then
        fields.ram_role_arn = nil
        for field in pairs(role) do
          fields[field] = true
        end
        fields.external_id, fields.source, fields.signature = nil, nil, nil
      end
      local expected = {}
      for field in pairs(module.fields or {}) do
        expected[field] = true
      end
      for _, field in ipairs(module.keys or {}) do
        expected[field] = true
      end
      assert.same(expected, fields, name)
    end
  end)

  it("names every variable that the providers read, and no other", function()
    local read, named = {}, {}
    local source = child.shell("cat src/cr/credentials/*.lua")
    for name in source:gmatch '"([A-Z]+_[A-Z0-9_]+)"' do
      read[name] = true
    end
    for name in text:gmatch "`(A[A-Z]+_[A-Z0-9_]+)" do
      named[name] = true
    end
    for name in text:gmatch "`(CR_[A-Z0-9_]+)" do
      named[name] = true
    end
    read.ALIBABA_CLOUD_REGION_ID = nil -- the client's own region
    assert.same(read, named)
  end)
end)

describe("the table of modes", function()
  local folder

  before_each(function()
    folder = child.new_folder()
    environment.set {}
  end)

  after_each(function()
    child.remove_folder(folder)
    environment.restore()
  end)

  --- What a client says of a profile.
  local function refusal(profile)
    local path = folder .. "/config.json"
    child.write(path, cjson.encode { profiles = { profile } })
    os.execute("chmod 600 " .. path)
    local client = recorder.client(nil, {
      credentials = { type = "profile", profile = "spec", file = path },
    })
    local _, err = client:credentials()
    return err and err.message or ""
  end

  it("has every mode", function()
    local listed, known = {}, {}
    for _, row in ipairs(rows("\n" .. section "Modes of a profile", "`mode`")) do
      listed[row[1]:match "`(.*)`"] = true
    end
    for name in refusal { name = "spec", mode = "??????" }:match "known are (.*)$":gmatch "%w+" do
      known[name] = true
    end
    assert.same(known, listed)
  end)

  for _, row in ipairs(rows("\n" .. section "Modes of a profile", "`mode`")) do
    local mode = row[1]:match "`(.*)`"
    for key in pairs(names_in(row[2])) do
      it(("says rightly that mode %s needs %s"):format(mode, key), function()
        local profile = { name = "spec", mode = mode }
        for name in pairs(names_in(row[2])) do
          profile[name] = name ~= key and "value" or nil
        end
        assert.matches(("mode %s%%): %s is missing$"):format(mode, key), refusal(profile))
      end)
    end
  end
end)
