--- Percent-encoding (RFC 3986) for what the providers of credentials send, and for what is shown of
-- a request. Requests to the API are encoded in C.

local percent = {}

local function escape(character)
  return ("%%%02X"):format(character:byte())
end

--- Everything but unreserved characters becomes %XX.
function percent.encode(text)
  return (text:gsub("[^%w%-_.~]", escape))
end

--- Every %XX becomes its byte again.
function percent.decode(text)
  return (text:gsub("%%(%x%x)", function(digits)
    return string.char(tonumber(digits, 16))
  end))
end

--- A table of strings as a query or an urlencoded form, in the order of the names.
function percent.form(fields)
  local parts = {}
  for name, value in pairs(fields) do
    parts[#parts + 1] = percent.encode(name) .. "=" .. percent.encode(value)
  end
  table.sort(parts)
  return table.concat(parts, "&")
end

return percent
