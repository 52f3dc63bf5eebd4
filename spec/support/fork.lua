--- Scripts that fork: `fork` for the interpreter under test, from fork.c.
--
--     local forks = require("spec.support.fork").new()
--     local output, ok = forks:run [[ if fork.fork() == 0 then … end ]]
--     forks:stop()

local child = require "spec.support.child"

local Forks = {}
Forks.__index = Forks

local function include_folder()
  local name = child.LUA:match "[^/]*$"
  return "/usr/include/" .. (name:find "^luajit" and "luajit-2.1" or name)
end

--- Runs a script in a process of its own, with `fork` beside the usual globals.
-- @return what it wrote, whether its exit status was 0
function Forks:run(script)
  return child.lua(("package.cpath = %q .. package.cpath fork = require 'fork'\n%s"):format(
    self.folder .. "/?.so;", script))
end

function Forks:stop()
  child.remove_folder(self.folder)
end

return {
  new = function()
    local forks = setmetatable({ folder = child.new_folder() }, Forks)
    local output, ok = child.shell(("${CC:-cc} -std=c11 -D_POSIX_C_SOURCE=200809L -shared -fPIC " ..
      "-I%s -o %s/fork.so spec/support/fork.c"):format(include_folder(), forks.folder))
    assert(ok, output)
    return forks
  end,
}
