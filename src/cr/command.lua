--- The command line: `cr <command> …` and `cr <operation> …`. Dispatches to one module per command,
-- which is loaded only then: a call's start is part of its time.

local core = require "cr.core"
local exit_status = require "cr.command.exit_status"

local command = {}

-- Name, what the help says of it, and the options of those that have their own.
command.COMMANDS = {
  { "explain", "show what an operation would send, without sending it" },
  { "policy", "print the smallest RAM policy for some operations",
    options = { "--region", "--account", "--resource", "--help" } },
  { "operations", "list the operations; cr operations PATTERN those that match" },
  { "help", "print this text; cr help OPERATION what an operation takes" },
  { "completion", "print completions: cr completion bash, zsh or fish" },
  { "credentials", "tell whose credential signs; cr credentials --why tells why",
    options = { "--profile", "--why", "--help" } },
  { "emulator", "run a local Container Registry API",
    options = { "--port", "--tls-port", "--host", "--fixture", "--quiet", "--help" } },
  { "version", "print the version" },
}

local commands = {}

function commands.emulator(words)
  return require("cr.emulator.launcher").main(words)
end

function commands.credentials(words)
  return require "cr.command.credentials" (words)
end

function commands.operations(words)
  return require "cr.command.operations" (words)
end

function commands.explain(words)
  return require("cr.command.explain").main(words)
end

function commands.policy(words)
  return require "cr.command.policy" (words)
end

function commands.completion(words)
  return require("cr.command.completion").main(words)
end

function commands.version()
  require("cr.command.sink").write("cr ", require "cr.version", "\n")
  return exit_status.OK
end

function commands.help(words)
  return require("cr.command.help").main(words)
end

commands["--help"], commands["-h"] = commands.help, commands.help
commands["--version"] = commands.version

--- Runs what was named.
local function dispatch(words)
  if words[1] and words[1]:find("^%-%-") then
    require "cr.command.name_first" (words, commands)
  end
  local name = table.remove(words, 1)
  if not name then
    return require("cr.command.help").usage()
  elseif commands[name] then
    return commands[name](words)
  end
  local operation = require("cr.command.names").operation(name)
  if operation then
    return require("cr.command.operation").run(operation, words, "cr " .. name)
  end
  return require("cr.command.help").unknown(name)
end

--- Runs one command.
-- @tparam table arguments array of strings, the command's name first
-- @return the exit status, see exit_status.lua
function command.main(arguments)
  local words = {}
  for index, word in ipairs(arguments) do
    words[index] = word
  end
  local status = dispatch(words) or exit_status.OK
  require("cr.command.sink").flush()
  return status
end

--- Runs one command and ends the process.
function command.exit(arguments)
  collectgarbage "stop" -- what is loaded stays
  core.on_interrupt "" -- the interpreter's own handler would wait for the call under way
  core.exit(command.main(arguments))
end

return command
