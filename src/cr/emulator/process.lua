--- What the worker asks of the operating system.

local ffi = require "ffi"

ffi.cdef [[
int prctl(int option, unsigned long value, unsigned long, unsigned long, unsigned long);
int getppid(void);
int raise(int signal);
]]

local process = {}

local PR_SET_PDEATHSIG, SIGTERM = 1, 15

--- A worker survives a master that was killed hard; not this one.
-- @param parent the master's process id, which may be gone already
function process.die_with_parent(parent)
  if ffi.os ~= "Linux" then
    return
  end
  ffi.C.prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0)
  if ffi.C.getppid() ~= parent then
    ffi.C.raise(SIGTERM)
  end
end

return process
