--- Which page comes next, and when there is none: the rules, without a network.
--
-- What must not happen is a list that ends too early and looks whole. Totals are not to be
-- trusted blindly: they come as numbers and as strings, are missing, and change while the pages
-- are read; servers cap the size of a page without saying so. So items are counted as they come,
-- and a list by page numbers goes on until exactly as many have come as the latest answer's total
-- says, or until a page is empty:
--
-- - A page that is shorter than asked for ends nothing.
-- - Without a usable total, or with one that is less than what came, an empty page ends the list.
-- - An empty page with a total that more items belong to is an error (IncompleteList).
-- - The page before once more is an error (RepeatedPage), unless the total grew by as much: then
--   the items may have been pushed from one page to the next.
-- - From a page in the middle on, the items before it are known only where its length is the size
--   that was claimed; else the total says nothing, and the list goes on until a page is empty.
--
-- A list by tokens ends where the token is absent or empty, also after an empty page. A token that
-- was there before is an error (RepeatedToken). Memory stays the same whatever the number of pages:
-- the last RECENT tokens are known exactly, and one mark, moved at every doubling of the count, is
-- met again by any longer circle (Brent's algorithm).

local core = require "cr.core"
local operations = require "cr.operations"
local overlay = require "cr.overlay"

local paging = {}

local RECENT = 100 -- tokens

-- Operations that page by numbers and take these two page by token where one of them is given.
local SIZE, TOKEN = "MaxResults", "NextToken"

local NONE = {}

local function failure(code, message, hint)
  return { code = code, message = message, hint = hint }
end

--- The array at a dotted path; empty where the answer leaves it out.
-- @return array
-- @return nil, failure
local function items_at(answer, path)
  local value = answer
  for name in path:gmatch "[^.]+" do
    value = value[name]
    if value == nil then
      return NONE
    elseif type(value) ~= "table" then
      return nil, failure("UnexpectedJson", ("%s is a %s instead of an array of items"):format(path,
        type(value)))
    end
  end
  if #value == 0 and next(value) ~= nil then
    return nil, failure("UnexpectedJson", path .. " is an object instead of an array of items")
  end
  return value
end

--- A count as the service gives it, number or string; nil where it is none.
local function count_of(value)
  if type(value) == "string" and not value:find "^%d+$" then
    return nil
  end
  local count = tonumber(value)
  return count and count >= 0 and count % 1 == 0 and count < 2 ^ 53 and count or nil
end

--- A value as a text that equal values share.
local function text_of(value)
  if type(value) ~= "table" then
    return tostring(value)
  end
  local parts = {}
  for key, part in pairs(value) do
    parts[#parts + 1] = tostring(key) .. "=" .. text_of(part)
  end
  table.sort(parts)
  return "{" .. table.concat(parts, ",") .. "}"
end

--- What tells a page from another: its length, its first and its last item. Not the table itself:
-- that is the user's by then, and may be changed.
local function mark_of(items)
  return ("%d %s %s"):format(#items, text_of(items[1]), text_of(items[#items]))
end

local Numbers = {}
Numbers.__index = Numbers

--- Takes the count of items before a first page in the middle of the list, if it can be known.
function Numbers:begin(answer, count)
  if self.number == 1 then
    self.came = 0
    return
  end
  local size = count_of(answer[self.paging.size]) or count_of(self.size)
  if size == count then
    self.came = (self.number - 1) * size
  else
    self.came, self.uses_total = 0, false
  end
end

local function incomplete(number, total, came)
  return failure("IncompleteList",
    ("page %d is empty, but %.0f items are said to exist and %.0f came"):format(number, total,
      came),
    "ask again; if the service counts what it does not list, give trust_total = false")
end

local function repeated_page(number, page)
  return failure("RepeatedPage",
    ("page %d holds the same items as the page before"):format(number),
    ("the server seems to ignore %s"):format(page))
end

--- Takes the answer to `params`; after a failure without items everything is as before.
-- @tparam table answer
-- @return array of its items, whether another page is to be asked for; the second value is a
--   failure {code, message, hint} where that would go wrong
-- @return nil, failure
function Numbers:accept(answer)
  local items, problem = items_at(answer, self.paging.items)
  if not items then
    return nil, problem
  end
  local count = #items
  if not self.came then
    self:begin(answer, count)
  end
  local total = self.uses_total and count_of(answer[self.paging.total]) or nil
  if count == 0 then
    if total and total > self.came then
      return nil, incomplete(self.number, total, self.came)
    end
    return items, false
  end
  local is_first, came = not self.mark, self.came + count
  if is_first and came == total then
    return items, false
  end
  local mark = mark_of(items)
  local grew = total and self.total and total - self.total or 0
  if mark == self.mark and grew < count then
    return nil, repeated_page(self.number, self.paging.page)
  end
  self.mark, self.total, self.came = mark, total, came
  if came == total then
    return items, false
  end
  self.number = self.number + 1
  self.params[self.paging.page] = self.number
  return items, true
end

local Tokens = {}
Tokens.__index = Tokens

--- Whether a token was there before; remembers it.
function Tokens:knows(token)
  if self.recent[token] or token == self.mark then
    return true
  end
  local place = self.count % RECENT
  local oldest = self.ring[place]
  if oldest then
    self.recent[oldest] = nil
  end
  self.ring[place], self.recent[token] = token, true
  self.count = self.count + 1
  if self.count == self.next_mark then
    self.mark, self.next_mark = token, self.count * 2
  end
  return false
end

--- As Numbers:accept.
function Tokens:accept(answer)
  local items, problem = items_at(answer, self.paging.items)
  if not items then
    return nil, problem
  end
  local token = answer[self.token]
  if token == nil or token == "" then
    return items, false
  elseif type(token) ~= "string" then
    return nil, failure("UnexpectedJson", ("%s is a %s instead of a string"):format(self.token,
      type(token)))
  elseif self:knows(token) then
    return items, failure("RepeatedToken",
      ("the server gave a %s for the second time: its pages go in a circle"):format(self.token),
      "items that came before may have come twice; ask again from the start")
  end
  self.params[self.token] = token
  return items, true
end

local function describe(number)
  local descriptor = core.operation(number)
  local found = descriptor.paging
  for _, parameter in ipairs(found and descriptor.parameters or NONE) do
    found.has_tokens = found.has_tokens or parameter.name == TOKEN
  end
  return found or false
end

--- How an operation is paged, or nil: {style, items, page, size, total, token, has_tokens}.
function paging.of(operation)
  if operation.paging == nil then
    operation.paging = operation.number and describe(operation.number) or false
  end
  return operation.paging or nil
end

--- The API names of all paged operations.
function paging.names()
  local names = {}
  for number = 1, core.operation_count do
    local name = core.operation_names(number)
    if paging.of(operations.find(name)) then
      names[#names + 1] = name
    end
  end
  return names
end

local function by_numbers(found, params, defaults, trust_total)
  local page = found.page
  local number = params[page]
  if number == nil then
    number = defaults[page] or 1
    params[page] = number
  end
  -- What is no number of a page is refused before it is sent.
  return setmetatable({
    paging = found, params = params, number = tonumber(number) or 1, uses_total = trust_total,
    size = params[found.size] or defaults[found.size],
  }, Numbers)
end

local function by_tokens(found, params, defaults)
  local token = found.token or TOKEN
  local cursor = setmetatable({
    paging = found, params = params, token = token,
    recent = {}, ring = {}, count = 0, next_mark = 1, -- what Tokens:knows remembers
  }, Tokens)
  local first = params[token] or defaults[token]
  if type(first) == "string" and first ~= "" then
    cursor:knows(first)
  end
  return cursor
end

--- The place in a list: `params` are those of the next page, `accept` takes its answer.
-- @tparam table found see paging.of
-- @tparam table params the caller's, which are not changed
-- @tparam table defaults the client's, used where `params` say nothing
-- @tparam boolean trust_total whether the total is looked at
function paging.cursor(found, params, defaults, trust_total)
  local own = overlay(params, NONE)
  local function is_given(name)
    return params[name] ~= nil or defaults[name] ~= nil
  end
  if found.style == "next_token" or (found.has_tokens and (is_given(SIZE) or is_given(TOKEN))) then
    return by_tokens(found, own, defaults)
  end
  return by_numbers(found, own, defaults, trust_total)
end

return paging
