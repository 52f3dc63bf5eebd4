--- JSON by a private lua-cjson: the host program's settings and ours do not meet.

local cjson = require("cjson.safe").new()

local json = {}

json.MAX_DEPTH = 64 -- of nesting; the deepest answer of the API has 6

cjson.decode_max_depth(json.MAX_DEPTH)
cjson.decode_invalid_numbers(false)

--- @return the value
-- @return nil, whether it is nested too deep  when it is no valid JSON
function json.decode(text)
  if text:find("\0", 1, true) then -- lua-cjson takes a NUL for the end
    return nil, false
  end
  local value, reason = cjson.decode(text)
  if value == nil then
    return nil, reason:find("too many nested", 1, true) ~= nil
  end
  return value
end

--- @return the object as a table  or nil when it is no valid JSON or no object
function json.decode_object(text)
  local value = text:find("^%s*{") and json.decode(text)
  return type(value) == "table" and value or nil
end

json.encode = cjson.encode

return json
