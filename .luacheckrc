std = "max"
max_line_length = 100
codes = true

files["src/cr/emulator"] = { std = "ngx_lua" }
files["src/cr/cache"] = { std = "ngx_lua" }
files["src/cr/cache.lua"] = { std = "ngx_lua" }
files["spec"] = { std = "max+busted" }
files["spec/support/cosocket.lua"] = { std = "ngx_lua" }
files["types"] = { max_line_length = false, ignore = { "212", "241" } } -- declarations
