--- What the nginx transport loads into the Lua state of a thread: one function in C, with the
-- connections of that state. See nginx.lua.

local core = require "cr.core"

return { run = assert(core.runner()) }
