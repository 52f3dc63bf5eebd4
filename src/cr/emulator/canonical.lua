--- What a signature covers, written down byte for byte as both ends must write it.
--
-- The emulator's own reading of signatures V3 (ACS3-HMAC-SHA256) and V1 (HMAC-SHA1), in plain Lua
-- and without a line in common with the client's: a mistake in one of them shows as a signature
-- that does not match, which it would not if both shared it.

local canonical = {}

local function percent(byte)
  return ("%%%02X"):format(byte:byte())
end

--- RFC 3986: everything but unreserved characters becomes %XX.
function canonical.encode(text)
  return (text:gsub("[^A-Za-z0-9%-._~]", percent))
end

local function character(hex)
  return string.char(tonumber(hex, 16))
end

--- The inverse, with + as a space, which is how forms and most servers read it.
function canonical.decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", character))
end

--- A raw query string or urlencoded form → array of {name, value}, decoded, in order.
function canonical.split(raw)
  local list = {}
  for piece in raw:gmatch("[^&]+") do
    local name, value = piece:match("^([^=]*)=?(.*)$")
    list[#list + 1] = { canonical.decode(name), canonical.decode(value) }
  end
  return list
end

--- Array of {name, value} → canonical query: by raw name in byte order, each side encoded.
function canonical.query(list)
  local sorted = {}
  for index, pair in ipairs(list) do
    sorted[index] = pair
  end
  table.sort(sorted, function(a, b)
    if a[1] ~= b[1] then
      return a[1] < b[1]
    end
    return a[2] < b[2]
  end)
  for index, pair in ipairs(sorted) do
    sorted[index] = canonical.encode(pair[1]) .. "=" .. canonical.encode(pair[2])
  end
  return table.concat(sorted, "&")
end

--- The canonical request of V3.
-- @param request method, path, pairs (array of {name, value}), headers (lower-case name → value)
-- @param signed array of the signed header names in lower case, each present in the headers
-- @param payload_hash lower-case hex SHA-256 of the body
function canonical.v3_request(request, signed, payload_hash)
  local names, lines = {}, {}
  for index, name in ipairs(signed) do
    names[index] = name
  end
  table.sort(names)
  for index, name in ipairs(names) do
    lines[index] = name .. ":" .. request.headers[name]:match("^%s*(.-)%s*$") .. "\n"
  end
  return table.concat({
    request.method,
    request.path,
    canonical.query(request.pairs),
    table.concat(lines),
    table.concat(names, ";"),
    payload_hash,
  }, "\n")
end

--- @param request_hash lower-case hex SHA-256 of the canonical request
function canonical.v3_string_to_sign(request_hash)
  return "ACS3-HMAC-SHA256\n" .. request_hash
end

--- The string to sign of V1: over all parameters, wherever they came, but the signature itself.
function canonical.v1_string_to_sign(method, list)
  local signed = {}
  for _, pair in ipairs(list) do
    if pair[1] ~= "Signature" then
      signed[#signed + 1] = pair
    end
  end
  return method .. "&%2F&" .. canonical.encode(canonical.query(signed))
end

return canonical
