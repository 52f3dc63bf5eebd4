--- Keys of answers.
--
-- A key is what would be asked: whom (endpoint), as whom (identity), which operation, with which
-- parameters. The parameters stand in it in the form in which they would be sent, with the client's
-- defaults among them: two calls share a key exactly when they would send the same. Names and
-- values are percent-encoded, so that no text of one can pass for another's, and sorted.
--
--     9b1c…32 hex digits…GetRepoTag?InstanceId=cri-1&RepoId=crr-2&Tag=1.0
--     `---- space -----´`------------------ path ----------------------´

local core = require "cr.core"
local new_error = require "cr.error"
local percent = require "cr.percent"
local pipeline = require "cr.pipeline"

local key = {}

key.SPACE_LENGTH = 32

local LONGEST_QUERY = 300 -- bytes; a longer one is hashed

-- A request of the core, taken out while it is used: a finalizer that calls finds none.
local idle_request

--- What keeps answers of one endpoint and identity apart from others.
-- @treturn string
function key.space(origin, identity)
  return (assert(core.sha256(("cr.cache 1\n%d:%s\n%s"):format(#origin, origin, identity)))
    :sub(1, key.SPACE_LENGTH))
end

--- The part of a key that follows the space.
-- @tparam table operation see operations.lua
-- @return string
-- @return nil, error  when the parameters cannot be sent
function key.path(operation, params, defaults)
  local request = idle_request or core.request()
  idle_request = nil
  local ok, path, expected, got = request:fill(operation.number, params, defaults)
  local query, reason, code
  if ok then
    query, reason, code = request:query()
  end
  request:clear()
  idle_request = request
  if not ok then
    return nil, pipeline.validation_error(operation, path, expected, got)
  elseif not query then
    return nil, new_error {
      kind = "validation", code = code, message = reason, operation = operation.name,
      retryable = false,
    }
  elseif #query > LONGEST_QUERY then
    query = "#" .. assert(core.sha256(query))
  end
  return operation.name .. "?" .. query
end

--- The texts that a path holds when these parameters are in it: what `purge` looks for. Sorted and
-- joined, so that the same parameters give the same text.
-- @tparam table params strings, numbers and booleans by name
-- @return string "&InstanceId=cri-1&RepoId=crr-2&", "" for none
-- @return nil, name  of a parameter that has another type
function key.pairs(params)
  local list = {}
  for name, value in pairs(params) do
    local kind = type(value)
    if kind ~= "string" and kind ~= "boolean" and not (kind == "number" and value % 1 == 0) then
      return nil, tostring(name)
    end
    local text = kind == "number" and ("%.0f"):format(value) or tostring(value)
    list[#list + 1] = percent.encode(tostring(name)) .. "=" .. percent.encode(text)
  end
  table.sort(list)
  return #list > 0 and "&" .. table.concat(list, "&") .. "&" or ""
end

--- Whether a key begins with a prefix (its space included) and holds all of `wanted`, a text made
-- by `key.pairs`. What a hashed query holds nobody knows: it counts as all.
function key.matches(whole, prefix, wanted)
  if whole:sub(1, #prefix) ~= prefix then
    return false
  elseif wanted == "" then
    return true
  end
  local query = whole:match("^[^?]*%?(.*)$")
  if query:sub(1, 1) == "#" then
    return true
  end
  query = "&" .. query .. "&"
  for pair in wanted:gmatch("[^&]+") do
    if not query:find("&" .. pair .. "&", 1, true) then
      return false
    end
  end
  return true
end

return key
