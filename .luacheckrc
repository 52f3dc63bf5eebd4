std = "max"
max_line_length = 100
codes = true

files["src/cr/emulator"] = { std = "ngx_lua" }
-- luacheck does not know all of ngx_lua's functions yet
local THREADS = { std = "ngx_lua", globals = { ngx = { fields = { run_worker_thread = {} } } } }
files["src/cr/transport/nginx.lua"] = THREADS
files["src/cr/transport/phases.lua"] = THREADS
files["src/cr/transport/light.lua"] = { std = "ngx_lua" }
files["bench/gateway_works.lua"] = THREADS
files["src/cr/cache"] = { std = "ngx_lua" }
files["src/cr/cache.lua"] = { std = "ngx_lua" }
files["src/cr/gate"] = { std = "ngx_lua" }
files["src/cr/gate.lua"] = { std = "ngx_lua" }
files["examples/openresty"] = { std = "ngx_lua" }
files["spec"] = { std = "max+busted" }
files["types"] = { max_line_length = false, ignore = { "212", "241" } } -- declarations
