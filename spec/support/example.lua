--- Runs an example as a user does: a process of its own, with the emulator's variables.

local child = require "spec.support.child"
local fixture = require "spec.support.fixture"

local example = {}

--- The command line for a shell.
-- @tparam table server an emulator
-- @tparam string words the program's name below examples/ and its arguments, quoted for a shell
-- @tparam ?table more variables; false removes one
function example.command(server, words, more)
  local variables = {
    ALIBABA_CLOUD_ENDPOINT = server.endpoint, ALIBABA_CLOUD_REGION_ID = server.region,
    ALIBABA_CLOUD_ACCESS_KEY_ID = server.access_key_id,
    ALIBABA_CLOUD_ACCESS_KEY_SECRET = server.access_key_secret,
    CR_INSTANCE_ID = false,
  }
  for name, value in pairs(more or {}) do
    variables[name] = value
  end
  local removed, set = { "env" }, {}
  for name, value in pairs(variables) do
    if value then
      set[#set + 1] = name .. "=" .. child.quote(value)
    else
      removed[#removed + 1] = "-u " .. name
    end
  end
  return ("%s %s %s examples/%s"):format(table.concat(removed, " "), table.concat(set, " "),
    child.LUA, words)
end

--- Runs it, its output in a pipe.
-- @return standard output, exit status, standard error
function example.run(server, words, more)
  local errors = os.tmpname()
  local output, _ = child.shell(("{ %s; } 2>%s; echo \"exit $?\""):format(
    example.command(server, words, more), errors))
  local text, status = output:match("^(.*)exit (%d+)\n$")
  local err = fixture.read(errors)
  os.remove(errors)
  return text, tonumber(status), err
end

--- Runs it in a terminal, where standard output and error are one.
-- @return what the terminal got, line ends as "\n"
function example.run_in_terminal(server, words, more)
  local output = child.shell(("script -qec %s /dev/null </dev/null"):format(
    child.quote(example.command(server, words, more))))
  return (output:gsub("\r\n", "\n"))
end

return example
