--- The default transport: one libcurl handle, kept, blocking.
--
-- A transport is a table of three functions:
--
-- - `exchange(request)` sends {method, url, headers (values by name), body, timeout and
--   connect_timeout (seconds), max_response_bytes, ca_file, ca_path, proxy} and returns {status,
--   headers (values by name) or header_block (the raw text), body, info}, or nil and {code,
--   message, sent}; `sent` is false when no byte of the request can have reached the server.
--   `info` may be absent; else it is a new table, which becomes the info of the call: dns, connect,
--   tls, first_byte, total (seconds since the start), connection_reused.
-- - `sleep(seconds)`
-- - `now()`, seconds since the epoch

local core = require "cr.core"

return function()
  local idle

  local transport = { now = core.time, sleep = core.sleep }

  --- A handle, taken out while it works: a call from a finalizer in between finds none and makes
  -- its own.
  local function take()
    local handle = idle
    idle = nil
    if handle then
      return handle
    end
    local made, reason = core.http()
    return made, { code = "OutOfMemory", message = reason, sent = false }
  end

  function transport.exchange(request)
    local handle, failure = take()
    if not handle then
      return nil, failure
    end
    local response
    response, failure = handle:exchange(request)
    idle = handle
    return response, failure
  end

  --- The same for a request of the core (`cr.core.request`), without a table in between.
  function transport.send(request, settings, timeout)
    local handle, failure = take()
    if not handle then
      return nil, failure
    end
    local response
    response, failure = handle:send(request, settings, timeout)
    idle = handle
    return response, failure
  end

  --- Drops the kept connection; the next exchange makes a new one.
  function transport.close()
    local handle = idle
    idle = nil
    if handle then
      handle:close()
    end
  end

  return transport
end
