--- Percent-encoding (RFC 3986) for what the providers of credentials send. Requests to the API are
-- encoded in C.

local percent = {}

local function escape(character)
  return ("%%%02X"):format(character:byte())
end

--- Everything but unreserved characters becomes %XX.
function percent.encode(text)
  return (text:gsub("[^%w%-_.~]", escape))
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
