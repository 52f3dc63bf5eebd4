--- Programs in a process of their own: the interpreter under test with another environment, and
-- servers that are stopped by their process id.

local child = {}

--- The interpreter that runs this.
child.LUA = os.getenv "CR_LUA" or
  (rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d+%.%d+"))

--- In front of every command: a sanitized build and what it preloads are for the specs' own
-- process; the programs that they start get the plain build.
local PLAIN = "unset LD_PRELOAD ASAN_OPTIONS; " ..
  "LUA_CPATH=$(printf %s \"$LUA_CPATH\" | sed 's,/build/asan-,/build/,g'); export LUA_CPATH; "

function child.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- What a shell command writes, standard error included, and whether its exit status was 0.
function child.shell(command)
  local pipe = assert(io.popen(PLAIN .. "{ " .. command .. "\n} 2>&1; echo \"status $?\""))
  local output = pipe:read("*a")
  pipe:close()
  local text, status = output:match("^(.*)status (%d+)\n$")
  return text, status == "0"
end

--- Runs Lua code in a new interpreter.
-- @tparam string code
-- @tparam ?table environment variables to set; false removes one
-- @return what it wrote, whether its exit status was 0
function child.lua(code, environment)
  local words = { "env" }
  for name, value in pairs(environment or {}) do
    if not value then
      words[#words + 1] = "-u " .. name
    end
  end
  for name, value in pairs(environment or {}) do
    if value then
      words[#words + 1] = name .. "=" .. child.quote(value)
    end
  end
  words[#words + 1] = child.LUA .. " -e " .. child.quote(code)
  return child.shell(table.concat(words, " "))
end

--- Starts a program that goes on running. `process:line()` reads its output, `process:stop()`
-- ends it and waits until it has gone.
function child.start(command)
  local pipe = assert(io.popen(PLAIN .. "echo $$; exec " .. command))
  local process = { pid = assert(pipe:read("*l"), "no shell") }

  function process.line()
    return pipe:read("*l")
  end

  function process.stop()
    if pipe then
      os.execute("kill " .. process.pid .. " 2>/dev/null")
      pipe:close()
      pipe = nil
    end
  end

  return process
end

--- A new folder under the system's folder for temporary files.
function child.new_folder()
  local pipe = assert(io.popen "mktemp -d")
  local path = assert(pipe:read("*l"))
  pipe:close()
  return path
end

function child.remove_folder(path)
  assert(path:find("^/.+/.+"))
  os.execute("rm -rf " .. child.quote(path))
end

function child.write(path, text)
  local file = assert(io.open(path, "wb"))
  assert(file:write(text))
  file:close()
end

return child
