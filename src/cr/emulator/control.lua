--- The control address, /_emulator/…: faults, log, reset, health. Loopback clients only.

local faults = require "cr.emulator.faults"
local json = require "cr.emulator.json"
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

local routes = {
  health = {
    GET = function()
      return answer(200, DONE)
    end,
  },
  reset = {
    POST = function(_, reset)
      reset()
      return answer(200, DONE)
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
-- @param reset function that restores the fixture
function control.handle(name, reset)
  if not is_loopback(ngx.var.remote_addr) then
    return answer(403, { error = "control is for clients on this machine only" })
  end
  local route = routes[name]
  if not route then
    return answer(404, { error = "no such control address; there are faults, log, reset, health" })
  end
  local method = ngx.req.get_method()
  if not route[method] then
    return answer(405, { error = ("%s does not go with %s"):format(method, name) })
  end
  ngx.req.read_body()
  return route[method](ngx.req.get_body_data() or "", reset)
end

return control
