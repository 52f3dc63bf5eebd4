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

  function transport.exchange(request)
    -- Taken out while it works: a call from a finalizer in between finds none and makes its own.
    local handle = idle
    idle = nil
    if not handle then
      local made, reason = core.http()
      if not made then
        return nil, { code = "OutOfMemory", message = reason, sent = false }
      end
      handle = made
    end
    local response, failure = handle:exchange(request)
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
