--- Runs the few programs that the launcher needs, in any Lua.
--
-- Lua 5.1 cannot tell how a program ended that io.popen started, so the status is printed by the
-- shell after the output.

local shell = {}

function shell.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- @return standard output and error together, without the last line break, and the exit status
function shell.run(command)
  local pipe = assert(io.popen("{ " .. command .. "\n} 2>&1; printf '\\n%d' $?", "r"))
  local output = pipe:read("*a")
  pipe:close()
  local text, status = output:match("^(.-)\n?\n(%d+)$")
  return text or output, tonumber(status) or 127
end

function shell.write_file(path, text)
  local file, reason = io.open(path, "w")
  if not file then
    return nil, reason
  end
  local ok
  ok, reason = file:write(text)
  file:close()
  return ok, reason
end

return shell
