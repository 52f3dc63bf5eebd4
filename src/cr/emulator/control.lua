--- The control address, /_emulator/…: faults, limit, log, clock, expire, reset, health.
--
-- For loopback clients only.

local cjson = require "cjson.safe"
local clock = require "cr.emulator.clock"
local faults = require "cr.emulator.faults"
local json = require "cr.emulator.json"
local limit = require "cr.emulator.limit"
local log = require "cr.emulator.log"

local control = {}

local function is_loopback(address)
  return address:find("^127%.") ~= nil or address == "::1" or address:find("^::ffff:127%.") ~= nil
end

local function answer(status, value)
  return { status = status, headers = { ["Content-Type"] = "application/json" },
    body = json.encode(value) .. "\n" }
end

local DONE = { ok = true }

local MAX_OFFSET = 1e9 -- seconds, some thirty years

local function clock_answer()
  return answer(200, { offset_seconds = clock.offset(), time = clock.seconds() })
end

local routes = {
  clock = {
    GET = clock_answer,
    POST = function(body)
      local given = cjson.decode(body)
      local offset = type(given) == "table" and given.offset_seconds
      if type(offset) ~= "number" or offset % 1 ~= 0 or math.abs(offset) > MAX_OFFSET then
        return answer(400, { error = ('{"offset_seconds":N} expected, N a whole number from ' ..
          "-%d to %d"):format(MAX_OFFSET, MAX_OFFSET) })
      end
      clock.shift(offset)
      return clock_answer()
    end,
  },
  expire = {
    POST = function(_, actions)
      return answer(200, { expired = actions.expire() })
    end,
  },
  health = {
    GET = function()
      return answer(200, DONE)
    end,
  },
  reset = {
    POST = function(_, actions)
      actions.reset()
      return answer(200, DONE)
    end,
  },
  limit = {
    GET = function()
      return answer(200, limit.get())
    end,
    DELETE = function()
      limit.set({})
      return answer(200, DONE)
    end,
    POST = function(body)
      local ok, reason = limit.set(cjson.decode(body))
      return answer(ok and 200 or 400, ok and limit.get() or { error = reason })
    end,
  },
  log = {
    GET = function()
      return answer(200, log.list())
    end,
    DELETE = function()
      log.clear()
      return answer(200, DONE)
    end,
  },
  faults = {
    GET = function()
      return answer(200, json.array(faults.list()))
    end,
    DELETE = function()
      faults.clear()
      return answer(200, DONE)
    end,
    POST = function(body)
      local fault, reason = faults.parse(body)
      if fault then
        fault, reason = faults.add(fault)
      end
      if not fault then
        return answer(400, { error = reason })
      end
      return answer(201, fault)
    end,
  },
}

--- @param name what follows /_emulator/
-- @param actions `reset` restores the fixture, `expire` ends sessions and returns how many
function control.handle(name, actions)
  if not is_loopback(ngx.var.remote_addr) then
    return answer(403, { error = "control is for clients on this machine only" })
  end
  local route = routes[name]
  if not route then
    return answer(404, { error = "no such control address; there are " ..
      "faults, limit, log, clock, expire, reset, health" })
  end
  local method = ngx.req.get_method()
  if not route[method] then
    return answer(405, { error = ("%s does not go with %s"):format(method, name) })
  end
  ngx.req.read_body()
  return route[method](ngx.req.get_body_data() or "", actions)
end

return control
