--- Standard output. Every write is looked at, because what is not written must not pass for
-- written: a full disk is a failure, a reader that has left (`| head`) ends the program quietly.

local exit_status = require "cr.command.exit_status"
local terminal = require "cr.command.terminal"

local sink = {}

local EPIPE = 32

local function stop(reason, code)
  if code == EPIPE then
    os.exit(exit_status.BROKEN_PIPE) -- where SIGPIPE is ignored; else it has ended us already
  end
  terminal.say("cr", "standard output: " .. tostring(reason))
  os.exit(exit_status.FAILED)
end

local is_by_row = false

--- From now on what is written leaves at once, a row at a time. Line buffering would do the same,
-- but the C library does not tell when it fails.
function sink.by_row()
  is_by_row = true
end

function sink.write(...)
  local ok, reason, code = io.stdout:write(...)
  if ok and is_by_row then
    ok, reason, code = io.stdout:flush()
  end
  if not ok then
    stop(reason, code)
  end
end

function sink.flush()
  local ok, reason, code = io.stdout:flush()
  if not ok then
    stop(reason, code)
  end
end

return sink
