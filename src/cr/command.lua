--- The command line: `cr <command> …`. Dispatches to one module per command.

local command = {}

local USAGE = [[
usage: cr <command> [options]

  credentials tell whose credential signs; cr credentials --why tells why
  emulator    run a local Container Registry API; cr emulator --help lists its options
  version     print the version
  help        print this text
]]

local commands = {}

function commands.emulator(arguments)
  return require("cr.emulator.launcher").main(arguments)
end

function commands.credentials(arguments)
  return require "cr.command.credentials" (arguments)
end

function commands.version()
  print("cr " .. require("cr")._VERSION)
  return 0
end

function commands.help()
  io.stdout:write(USAGE)
  return 0
end

commands["--help"] = commands.help
commands["--version"] = commands.version

--- Runs one command.
-- @param arguments array of strings, the command's name first
-- @return the exit status: 0 success, 2 wrong usage
function command.main(arguments)
  local name = arguments[1]
  local run = name and commands[name]
  if not run then
    io.stderr:write(name and ("cr: no command '" .. name .. "'\n") or "", USAGE)
    return 2
  end
  local rest = {}
  for index = 2, #arguments do
    rest[index - 1] = arguments[index]
  end
  return run(rest) or 0
end

return command
