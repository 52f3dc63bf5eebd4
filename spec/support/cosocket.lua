--- A transport for the library inside nginx that yields: HTTP/1.1 over cosockets, for the specs'
-- plain http on loopback. Loaded by nginx.

local transport = { sleep = ngx.sleep }

function transport.now()
  ngx.update_time()
  return ngx.now()
end

local function write(socket, request, host, path)
  local lines = { ("%s %s HTTP/1.1"):format(request.method, path) }
  request.headers.host = host
  for name, value in pairs(request.headers) do
    lines[#lines + 1] = name .. ": " .. value
  end
  lines[#lines + 1] = "content-length: " .. #request.body
  lines[#lines + 1] = "connection: close"
  return socket:send(table.concat(lines, "\r\n") .. "\r\n\r\n" .. request.body)
end

local function read(socket)
  local line, reason = socket:receive "*l"
  local status = line and line:match "^HTTP/1%.1 (%d+)"
  if not status then
    return nil, reason or "no status line"
  end
  local headers = {}
  for header in function() return socket:receive "*l" end do
    if header == "" then
      break
    end
    local name, value = header:match "^([^:]+):%s*(.*)$"
    headers[name:lower()] = value
  end
  local body
  body, reason = socket:receive(tonumber(headers["content-length"]) or "*a")
  return body and { status = tonumber(status), headers = headers, body = body }, reason
end

function transport.exchange(request)
  local host, port, path = request.url:match "^http://([^:/]+):(%d+)(/.*)$"
  local socket = ngx.socket.tcp()
  socket:settimeout(request.timeout * 1000)
  local ok, reason = socket:connect(host, tonumber(port))
  if not ok then
    return nil, { code = "ConnectFailed", message = reason, sent = false }
  end
  local response
  ok, reason = write(socket, request, host .. ":" .. port, path)
  if ok then
    response, reason = read(socket)
  end
  socket:close()
  if not response then
    return nil, { code = reason == "timeout" and "Timeout" or "ConnectionClosed", message = reason }
  end
  return response
end

return transport
