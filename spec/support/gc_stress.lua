--- A busted helper: the collector starts a cycle at every opportunity, so that a value the C code
-- holds without an anchor is gone when it is used.

if _VERSION == "Lua 5.4" then
  collectgarbage("incremental", 1, 1000, 1)
else
  collectgarbage("setpause", 1)
  collectgarbage("setstepmul", 1000)
end
