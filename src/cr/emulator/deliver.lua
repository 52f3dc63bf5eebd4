--- Sends an answer, or does to the connection what a fault says.
--
-- nginx writes proper HTTP only, so the improper answers go through the raw socket. Connections
-- are reset by `reset_timedout_connection`, which also covers the close without an answer that
-- ngx.exit(444) does.

local clock = require "cr.emulator.clock"
local crypto = require "cr.emulator.crypto"

local NO_ANSWER = 444

local function send(answer, fault)
  ngx.status = answer.status
  -- nginx writes the machine's date; clients tell from it how far off their clock is.
  if clock.offset() ~= 0 then
    ngx.header["Date"] = ngx.http_time(clock.seconds())
  end
  for name, value in pairs(answer.headers) do
    ngx.header[name] = value
  end
  -- Without its length an answer is compressed however short it is.
  if not (fault and fault.gzip) then
    ngx.header["Content-Length"] = #answer.body
  end
  ngx.print(answer.body)
end

local function raw_head(answer)
  local lines = { ("HTTP/1.1 %d %s"):format(answer.status, "Emulated") }
  for name, value in pairs(answer.headers) do
    lines[#lines + 1] = name .. ": " .. value
  end
  lines[#lines + 1] = "Date: " .. ngx.http_time(clock.seconds())
  lines[#lines + 1] = "Content-Length: " .. #answer.body
  lines[#lines + 1] = "Connection: close"
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function send_raw(bytes)
  local socket = assert(ngx.req.socket(true))
  -- A client that has gone away is not our problem.
  socket:send(bytes)
end

--- Bytes that are no HTTP: the first has the top bit set.
local function garbage(count)
  local parts = { "\255" }
  for _ = 1, math.ceil(count / 64) do
    parts[#parts + 1] = crypto.random(64)
  end
  return table.concat(parts):sub(1, count)
end

local function reset(answer, fault)
  if fault.reset == "headers" then
    send_raw(raw_head(answer))
  elseif fault.reset == "body" then
    send_raw(raw_head(answer) .. answer.body:sub(1, math.floor(#answer.body / 2)))
  end
  return ngx.exit(NO_ANSWER)
end

--- @param answer see respond.lua; nil when the fault leaves none
-- @param fault the fault to be suffered, or nil
local function deliver(answer, fault)
  if not fault then
    return send(answer)
  end
  if fault.delay_ms then
    ngx.sleep(fault.delay_ms / 1000)
  end
  for name, value in pairs(answer and fault.headers or {}) do
    answer.headers[name] = value
  end
  if fault.reset then
    return reset(answer, fault)
  elseif fault.garbage then
    return send_raw(garbage(fault.garbage == true and 64 or fault.garbage))
  elseif fault.truncate then
    return send_raw(raw_head(answer) .. answer.body:sub(1, fault.truncate))
  elseif fault.close then
    return send_raw(raw_head(answer) .. answer.body)
  end
  return send(answer, fault)
end

return deliver
