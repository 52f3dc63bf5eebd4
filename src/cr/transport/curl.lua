--- The default transport: one libcurl handle, kept, blocking; within a task of the scheduler, the
-- scheduler's handle, where what would block yields.
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
--
-- Only the library's own transports have `send` (a request of the core instead of a table),
-- `yields` and, around every attempt, `enter` and `leave`.

local core = require "cr.core"
local in_task = require "cr.transport.in_task"

return function()
  local idle

  local transport = { now = core.time }

  -- None in a scheduler over nginx's light threads: who wants libcurl there wants to wait in place.
  local task_here = in_task("curl", transport, core.sleep)

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

  function transport.yields()
    local task = task_here()
    return task ~= nil and task.scheduler:yields()
  end

  function transport.exchange(request)
    local task = task_here()
    if task then
      return task.scheduler:exchange(request)
    end
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
    local task = task_here()
    if task then
      return task.scheduler:send(request, settings, timeout)
    end
    local handle, failure = take()
    if not handle then
      return nil, failure
    end
    local response
    response, failure = handle:send(request, settings, timeout)
    idle = handle
    return response, failure
  end

  --- Drops the kept connections; the next exchange makes a new one.
  function transport.close()
    local scheduler = package.loaded["cr.scheduler"]
    if scheduler then
      scheduler.close()
    end
    local handle = idle
    idle = nil
    if handle then
      handle:close()
    end
  end

  return transport
end
