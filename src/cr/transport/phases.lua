--- The phases of nginx's Lua module: in which of them a call can wait for its answer, and what to
-- do in the others.

local phases = {}

local CAN_WAIT = {
  access = true, content = true, precontent = true, rewrite = true, server_rewrite = true,
  ssl_cert = true, timer = true,
}

-- Of these, the ones that a thread's end does not wake as it should.
local NEEDS_TIMER = { ssl_cert = true }

local IN_A_TIMER = "make it in ngx.timer.at(0, function() … end)"

-- What to do instead, by phase. Only an nginx with OpenResty's patches can wait, for anything, in
-- the first two of TLS; others end the handshake.
local WAY_ROUND = {
  ssl_client_hello = "make it in ssl_certificate_by_lua",
  ssl_session_fetch = "make it in ssl_certificate_by_lua",
  init = "make it in init_worker_by_lua, in ngx.timer.at(0, function() … end)",
  exit_worker = "make it earlier",
}

local BLOCKING = 'transport = "curl", which blocks the worker'

--- Whether the calling code can wait without blocking the worker.
function phases.can_wait()
  return CAN_WAIT[ngx.get_phase()] == true
end

--- Whether a timer has to wait for threads in place of the calling code.
function phases.needs_timer()
  return NEEDS_TIMER[ngx.get_phase()] == true
end

--- Why no call can be made here, as a transport's failure, or nil.
function phases.obstacle()
  local phase = ngx.get_phase()
  if not CAN_WAIT[phase] then
    return {
      code = "WrongPhase", sent = false,
      message = ("nginx cannot wait for a call in its phase %s: %s, or give %s"):format(phase,
        WAY_ROUND[phase] or IN_A_TIMER, BLOCKING),
    }
  elseif not ngx.run_worker_thread then
    return {
      code = "NoThreadPool", sent = false,
      message = ("this nginx runs no Lua in threads: that takes nginx built with " ..
        "--with-threads and lua-nginx-module 0.10.21 or newer; or give %s"):format(BLOCKING),
    }
  end
end

return phases
