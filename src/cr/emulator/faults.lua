--- Failures on demand: what to do to which request, and how often.
--
-- Faults wait in a queue that is filled over the control address, or come with a request of their
-- own in the header x-cr-emulator-fault. They hit requests that were authenticated, so that a
-- client which repeats a nonce with its second attempt is still found out.

local cjson = require "cjson.safe"
local failure = require "cr.emulator.failure"
local respond = require "cr.emulator.respond"

local faults = {}

local MAX_DELAY = 600000 -- milliseconds
local MAX_QUEUED = 1000

local queue = {}

local function whole(from, to)
  return function(value)
    return type(value) == "number" and value % 1 == 0 and value >= from and value <= to,
      ("a whole number from %d to %d"):format(from, to)
  end
end

local function string_value(value)
  return type(value) == "string", "a string"
end

local function flag(value)
  return type(value) == "boolean", "true or false"
end

local function header_table(value)
  local ok = type(value) == "table"
  for name, text in pairs(ok and value or {}) do
    ok = ok and type(name) == "string" and not name:find("[^%w_-]")
      and type(text) == "string" and not text:find("%c")
  end
  return ok, "an object of strings without control characters"
end

local STAGES = { before = true, headers = true, body = true, [true] = true }

local CHECKS = {
  operation = string_value, count = whole(0, 1e9), delay_ms = whole(0, MAX_DELAY),
  status = whole(200, 599), body = string_value, headers = header_table, code = string_value,
  truncate = whole(0, 1e9), throttle_ms = whole(0, 1e9), close = flag, gzip = flag,
  reset = function(value)
    return STAGES[value] or false, 'true, "before", "headers" or "body"'
  end,
  garbage = function(value)
    return value == true or whole(1, 1048576)(value), "true or a number of bytes up to 1048576"
  end,
}

--- @return what is wrong with a fault that was asked for, or nil
local function problem(fault)
  if type(fault) ~= "table" or fault[1] ~= nil then
    return "an object expected"
  end
  for name, value in pairs(fault) do
    local check = CHECKS[name]
    if not check then
      return ("%s: no such name"):format(tostring(name))
    end
    local ok, expected = check(value)
    if not ok then
      return ("%s: %s expected"):format(name, expected)
    end
  end
end

--- @param text JSON of one fault
-- @return the fault, or nil and what is wrong
function faults.parse(text)
  local fault, reason = cjson.decode(text)
  if fault == nil then
    return nil, "no JSON: " .. reason
  end
  reason = problem(fault)
  if reason then
    return nil, reason
  end
  fault.operation = fault.operation or "*"
  fault.count = fault.count or 1
  return fault
end

function faults.add(fault)
  if #queue >= MAX_QUEUED then
    return nil, ("%d faults wait already; DELETE clears them"):format(MAX_QUEUED)
  end
  queue[#queue + 1] = fault
  return fault
end

function faults.list()
  return queue
end

function faults.clear()
  queue = {}
end

local function take_queued(operation)
  for index, fault in ipairs(queue) do
    if fault.operation == "*" or fault.operation == operation then
      if fault.count == 1 then
        table.remove(queue, index)
      elseif fault.count > 1 then
        fault.count = fault.count - 1
      end
      return fault
    end
  end
end

--- The fault for this request, or nil; or nil and a failure when its own header makes no sense.
function faults.take(request)
  local own = request.headers["x-cr-emulator-fault"]
  if not own then
    return take_queued(request.operation)
  end
  local fault, reason = faults.parse(own)
  if not fault then
    return nil, failure.gateway(400, "InvalidFault", "x-cr-emulator-fault: " .. reason)
  end
  return fault
end

--- Whether the operation is not to be carried out at all.
function faults.replaces_operation(fault)
  return (fault.code or fault.throttle_ms or fault.status or fault.body or fault.garbage
    or fault.reset == true or fault.reset == "before") and true or false
end

local CODES = { -- of an HTTP status that was asked for without a code
  [403] = "NoPermission", [404] = "NotFound", [429] = "Throttling.User", [500] = "InternalError",
  [502] = "BadGateway", [503] = "ServiceUnavailable", [504] = "GatewayTimeout",
}
local STATUSES = {} -- of a code that was asked for without a status; 400 for the others
for status, code in pairs(CODES) do
  STATUSES[code] = code ~= "Throttling.User" and status or nil
end

--- The answer that stands in for the operation's; nil when the connection is all that happens.
function faults.answer(fault, request)
  if fault.garbage or fault.reset == true or fault.reset == "before" then
    return nil
  elseif fault.body or (fault.status and fault.status < 400 and not fault.code) then
    return {
      status = fault.status or 200, body = fault.body or "",
      headers = { ["Content-Type"] = "application/json;charset=utf-8" },
    }
  end
  local code = fault.code or fault.throttle_ms and "Throttling.User" or CODES[fault.status]
    or ("Http%d"):format(fault.status)
  local answer = respond.failure(request, failure.gateway(
    fault.status or STATUSES[code] or 400, code, "The emulator was told to answer this."))
  if fault.throttle_ms then
    answer.headers["x-acs-retry-after"] = ("%d"):format(fault.throttle_ms)
  end
  return answer
end

return faults
