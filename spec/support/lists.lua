--- A server that answers all paged operations of the API, each in its own shape, from a list of
-- items named item-1, item-2 …; a script says what is odd about it.
--
--     local server = lists.start "function total() return 500 end"
--     server.client, server:requests(), server:stop()
--
-- The script may define, each for the number of the request for this list from 1 on:
--
-- - `count(n)`: how many items there are (65)
-- - `total(n, count)`: the total that is told; nil for none. A number is sent as the API declares
--   it for the operation, number or string; a string as a string, {text} as it stands in the JSON
-- - `page(n, asked)`: the number of the page that is answered (`asked`)
-- - `token(n, offset)`: the token for the items from an offset on; nil for none, {text} as it
--   stands
-- - `cap`: the largest page, which is not told (1000)
-- - `fails(n)`: a whole HTTP answer instead

local cr = require "cr"
local peer = require "spec.support.peer"
local recorder = require "spec.support.recorder"

local lists = {}

local SCRIPT = [[
local fixture = require "spec.support.fixture"
local recorder = require "spec.support.recorder"
local api = fixture.json "api/cr-2018-12-01.json"
local asked = {} -- by operation

local function items(first, last)
  local list = {}
  for index = first, last do
    list[#list + 1] = ('{"Name":"item-%d","Size":%d}'):format(index, index)
  end
  return "[" .. table.concat(list, ",") .. "]"
end

--- A list at the path where the operation has it.
local function at_path(path, text)
  for index = #path, 1, -1 do
    text = ('{"%s":%s}'):format(path[index], text)
  end
  return text:sub(2, -2)
end

local function total_as_declared(operation, paging, value)
  if type(value) == "table" then
    return value[1]
  end
  local declared = operation.response.properties[paging.total].type
  if type(value) == "string" or declared == "string" then
    return ('"%s"'):format(value)
  end
  return ("%d"):format(value)
end

local function by_number(n, operation, paging, query, there)
  local size = tonumber(query[paging.size]) or 30
  local number = page(n, tonumber(query[paging.page]) or 1)
  local length = math.min(size, cap)
  local fields = { ('"PageNo":%d,"PageSize":%d'):format(number, size) }
  local value = total(n, there)
  if value ~= nil then
    fields[2] = ('"%s":%s'):format(paging.total, total_as_declared(operation, paging, value))
  end
  fields[#fields + 1] = at_path(paging.items,
    items((number - 1) * length + 1, math.min(number * length, there)))
  return table.concat(fields, ",")
end

local function by_token(n, paging, query, there)
  local size = math.min(tonumber(query.MaxResults) or 30, cap)
  local offset = tonumber((query.NextToken or ""):match("%d+")) or 0
  local last = math.min(offset + size, there)
  local following = token(n, last < there and last or nil)
  following = type(following) == "table" and following[1] or following and '"' .. following .. '"'
  return at_path(paging.items, items(offset + 1, last)) ..
    (following and ',"NextToken":' .. following or "")
end

serve(function(head)
  local name = head:match("\nx%-acs%-action: (%w+)")
  local query = recorder.query(head:match("^%u+ (%S+)"))
  local operation = assert(api.operations[name], name)
  local paging = operation.paging
  asked[name] = (asked[name] or 0) + 1
  local n = asked[name]
  local failure = fails(n)
  if failure then
    return failure
  end
  local there = count(n)
  local fields = (query.MaxResults or query.NextToken or paging.style == "next_token") and
    by_token(n, paging, query, there) or by_number(n, operation, paging, query, there)
  return answer("200 OK", ('{"IsSuccess":true,"Code":"success","RequestId":"R-%d",%s}'):format(n,
    fields), "Content-Type: application/json\r\n")
end)
]]

local USUAL = [[
cap = 1000
function count() return 65 end
function total(n, count) return count end
function page(n, asked) return asked end
function token(n, offset) return offset and "t" .. offset or nil end
function fails() end
]]

local Server = {}
Server.__index = Server

function lists.start(script)
  local server = setmetatable({
    peer = peer.start(USUAL .. (script or "") .. "\n" .. SCRIPT),
  }, Server)
  server.client = cr.new {
    endpoint = "http://" .. server.peer.address, credentials = recorder.KEY, max_attempts = 1,
    timeout = 30,
  }
  return server
end

--- The parameters of the requests that came since the last time, in order.
function Server:queries()
  local list = {}
  for index, request in ipairs(self.peer:requests()) do
    list[index] = recorder.query(request.line:match("^%u+ (%S+)"))
  end
  self.peer:clear_log()
  return list
end

function Server:stop()
  self.client:close()
  self.peer:stop()
end

return lists
