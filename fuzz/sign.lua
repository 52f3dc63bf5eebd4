--- The texts that the signer made, against those of the emulator; and it refuses what it must.

local canonical = require "cr.emulator.canonical"

--- Whether a name comes twice.
local function has_twin(list, key_of)
  local seen = {}
  for _, pair in ipairs(list) do
    local key = key_of(pair[1])
    if key and seen[key] then
      return true
    end
    seen[key or ""] = key and true
  end
  return false
end

local function same(name)
  return name
end

local function signed_name(name)
  name = name:lower()
  return (name == "host" or name == "content-type" or name:find("^x%-acs%-.")) and name or nil
end

--- Whether a signed header would be more than one line, or hold what no header can.
local function has_line_break(headers)
  for _, pair in ipairs(headers) do
    if signed_name(pair[1]) and (pair[1] .. pair[2]):find("[\r\n%z]") then
      return true
    end
  end
  return false
end

--- Blanks that are none in HTTP: the two sides may trim them differently, no server takes them.
local function has_odd_blank(headers)
  for _, pair in ipairs(headers) do
    if pair[2]:find("[\v\f]") then
      return true
    end
  end
  return false
end

local function v3_text(method, path, query, headers, hash)
  local values, names = {}, {}
  for _, pair in ipairs(headers) do
    local name = signed_name(pair[1])
    if name then
      names[#names + 1], values[name] = name, pair[2]
    end
  end
  return canonical.v3_request({ method = method, path = path, pairs = query, headers = values },
    names, hash)
end

return function(method, path, query, headers, hash, secret, v3, v3_to_sign, v1)
  local is_bad_query = has_twin(query, same)
  local refuses_v3 = is_bad_query or has_twin(headers, signed_name) or has_line_break(headers) or
    secret == "" or #secret > 512
  assert((v3 == nil) == refuses_v3, "V3 does not refuse what it must, or more")
  if v3 and not has_odd_blank(headers) then
    assert(v3 == v3_text(method, path, query, headers, hash), "V3 canonical requests differ")
    assert(#v3_to_sign == 17 + 64 and v3_to_sign:find("^ACS3%-HMAC%-SHA256\n%x+$"))
  end
  local refuses_v1 = is_bad_query or secret == "" or #secret > 511
  for _, pair in ipairs(query) do
    refuses_v1 = refuses_v1 or pair[1]:lower() == "signature"
  end
  assert((v1 == nil) == refuses_v1, "V1 does not refuse what it must, or more")
  if v1 and path == "/" then
    assert(v1 == canonical.v1_string_to_sign(method, query), "V1 strings to sign differ")
  end
end
