--- One page of a list, by page number or by token.
--
-- Page numbers start at 1; a page has 30 items unless PageSize says otherwise, at most 100. The
-- operations with MaxResults and NextToken take either way; a token is opaque to clients.

local failure = require "cr.emulator.failure"
local json = require "cr.emulator.json"

local paging = {}

local DEFAULT_SIZE, MAX_SIZE = 30, 100
local TOKEN_PREFIX = "offset="

local function size_of(parameters, name)
  local size = parameters[name] or DEFAULT_SIZE
  if size < 1 or size > MAX_SIZE then
    return nil, failure.invalid_parameter(name, "1 to " .. MAX_SIZE, ("%d"):format(size))
  end
  return size
end

local function slice(list, first, size, convert)
  local page = json.array({})
  for index = first, math.min(first + size - 1, #list) do
    page[#page + 1] = convert(list[index])
  end
  return page
end

local function by_number(list, parameters, items_name, convert)
  local size, wrong = size_of(parameters, "PageSize")
  if not size then
    return nil, wrong
  end
  local number = parameters.PageNo or 1
  if number < 1 then
    return nil, failure.invalid_parameter("PageNo", "1 or more", ("%d"):format(number))
  end
  return {
    PageNo = number,
    PageSize = size,
    TotalCount = #list,
    [items_name] = slice(list, (number - 1) * size + 1, size, convert),
  }
end

local function offset_of(token)
  if not token or token == "" then
    return 0
  end
  local text = ngx.decode_base64(token)
  return text and text:sub(1, #TOKEN_PREFIX) == TOKEN_PREFIX and
    tonumber(text:match("^%d+$", #TOKEN_PREFIX + 1))
end

local function by_token(list, parameters, items_name, convert)
  local size, wrong = size_of(parameters, "MaxResults")
  if not size then
    return nil, wrong
  end
  local offset = offset_of(parameters.NextToken)
  if not offset then
    return nil, failure.gateway(400, "InvalidParameter.NextToken",
      "The NextToken parameter is invalid.")
  end
  local next_offset = offset + size
  return {
    MaxResults = size,
    NextToken = next_offset < #list and
      ngx.encode_base64(("%s%d"):format(TOKEN_PREFIX, next_offset)) or "",
    TotalCount = #list,
    [items_name] = slice(list, offset + 1, size, convert),
  }
end

--- @param list all items that the caller may see
-- @param parameters of the request, integers as numbers
-- @param items_name the field of the answer that holds the items
-- @param convert makes the answer's form of one item
-- @return fields of the answer, or nil and a failure
function paging.answer(list, parameters, items_name, convert)
  if parameters.MaxResults or parameters.NextToken then
    return by_token(list, parameters, items_name, convert)
  end
  return by_number(list, parameters, items_name, convert)
end

return paging
