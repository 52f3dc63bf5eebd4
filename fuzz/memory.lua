--- Everything of the core that allocates, done once with a text; the result is one string.

local core = require "cr.core"
local json = require "cr.json"

local function sign(text)
  local request = core.request()
  local ok, _, _, got = request:fill_any("NewOperation", { a = text, b = { text, { c = 1.5 } } },
    "POST")
  if not ok then
    assert(got ~= "out of memory", got)
    return "refused: " .. got
  end
  request:aim("https://cr.example", "cr.example", "fuzz")
  assert(request:sign_v3(0, "id", "secret", text, 0, 0))
  assert(request:sign_v1(0, "id", "secret", nil, 1, 250))
  local url = request:table({}, 1).url:gsub("Signature[^&]*", "") -- the nonce is another each time
  request:clear()
  return url
end

local function stages(text)
  local result = core.sign {
    method = "POST", query = { [text] = text }, body = text, access_key_id = "id",
    access_key_secret = "secret",
  }
  return result.canonical_request .. result.signature
end

local function headers(text)
  local list = {}
  for name, value in pairs(core.headers(text)) do
    list[#list + 1] = name .. "=" .. value
  end
  table.sort(list)
  return table.concat(list, ",")
end

local function tidy(text)
  local value = json.decode_object(text)
  return value and tostring(next(core.tidy_json(value))) or ""
end

return function(text)
  local file = assert(core.read_file("LICENSE", 65536))
  return table.concat({ sign(text), stages(text), headers(text), tidy(text), #file }, "\n")
end
