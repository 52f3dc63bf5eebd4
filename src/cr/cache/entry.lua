--- What is kept of a call: an answer, an error that is an answer too, or the mark that what was
-- there is invalid. As a table in a worker, as a text in the dict and in Redis.
--
-- The text is one line, `1 <kind> <created>`, then JSON. Texts from outside may be anything; what
-- is no entry to the last field is none.

local copy = require "cr.cache.copy"
local core = require "cr.core"
local json = require "cr.json"
local new_error = require "cr.error"
local write_json = require "cr.cache.write_json"

local entry = {}

-- Kinds. FAILURE is no answer, but what to tell others instead of asking again at once.
entry.ANSWER, entry.NEGATIVE, entry.FAILURE, entry.INVALID = "a", "n", "f", "x"

local CLOCK_SLACK = 5 -- seconds that an entry may be from the future: clocks of two machines

local ERROR_FIELDS = {
  kind = "string", code = "string", message = "string", operation = "string",
  http_status = "number", request_id = "string", attempts = "number", retryable = "boolean",
  hint = "string", recommend = "string", access_denied = "table", retry_after = "number",
}

--- The fields of an error that another worker can make one of.
local function fields_of(err)
  local fields = {}
  for name, kind in pairs(ERROR_FIELDS) do
    if type(err[name]) == kind then
      fields[name] = err[name]
    end
  end
  return fields
end

local function is_error(fields)
  if not (fields.kind and fields.code and fields.message) then
    return false
  end
  for name, value in pairs(fields) do
    if type(value) ~= ERROR_FIELDS[name] then
      return false
    end
  end
  return true
end

--- @tparam string kind
-- @tparam number created seconds since the epoch, when the call began
-- @tparam ?table body the answer, or the error
-- @treturn table {kind, created, body, text}
function entry.new(kind, created, body)
  local is_failed = kind == entry.NEGATIVE or kind == entry.FAILURE
  body = is_failed and fields_of(body) or body
  local text = kind == entry.INVALID and "" or write_json(body)
  return {
    kind = kind, created = created, body = body,
    text = ("1 %s %.6f\n%s"):format(kind, created, text),
  }
end

--- Reads a text.
-- @tparam string text
-- @tparam number now seconds since the epoch
-- @return the entry, or nil for everything else
function entry.read(text, now)
  local kind, created, body = text:match("^1 ([anfx]) (%d+%.%d%d%d%d%d%d)\n(.*)$")
  created = tonumber(created)
  if not created or created > now + CLOCK_SLACK then
    return nil
  end
  local read = { kind = kind, created = created, text = text }
  if kind == entry.INVALID then
    return body == "" and read or nil
  end
  read.body = json.decode_object(body)
  if not read.body then
    return nil
  end
  core.tidy_json(read.body)
  return (kind == entry.ANSWER or is_error(read.body)) and read or nil
end

--- What the caller gets of an entry.
-- @tparam table found
-- @tparam ?boolean shared not a copy
-- @return answer, nil  or nil, error
function entry.open(found, shared)
  local body = found.body
  if shared and found.kind == entry.ANSWER then
    return body
  end
  local parents = found.parents
  if not parents then
    parents = copy.parents(body)
    found.parents = parents
  end
  body = copy.of(body, parents)
  if found.kind == entry.ANSWER then
    return body
  end
  return nil, new_error(body)
end

return entry
