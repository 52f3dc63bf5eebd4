std = "max"
max_line_length = 100
codes = true

files["src/cr/emulator"] = { std = "ngx_lua" }
files["src/cr/transport/nginx.lua"] = { std = "ngx_lua" }
files["src/cr/transport/phases.lua"] = { std = "ngx_lua" }
files["spec"] = { std = "max+busted" }
files["types"] = { max_line_length = false, ignore = { "212", "241" } } -- declarations
