--- `cr explain get-repo-tag …`, and --dry-run: what would be sent, laid open, and nothing sent.

local exit_status = require "cr.command.exit_status"
local failure = require "cr.command.failure"
local names = require "cr.command.names"
local sink = require "cr.command.sink"
local terminal = require "cr.command.terminal"

local explain = {}

local USAGE = [[
usage: cr explain OPERATION [--Parameter value …] [options]

Signs what the operation would send and shows it: URL, headers, canonical request, string to sign,
signature, the same as a curl command, and the RAM action it needs. Nothing is sent; secrets are
masked. --output json or lua gives it to programs.
]]

--- An explanation without its metatable, for the writers.
local function plain(explanation)
  local copy = {}
  for key, value in pairs(explanation) do
    copy[key] = value
  end
  return copy
end

local function write(job, explanation, is_first)
  if job.options.output == "json" or job.options.output == "lua" then
    require("cr.command.output." .. job.options.output).new({
      operation = job.operation.name, is_pretty = terminal.output() ~= nil,
    }):add(plain(explanation))
  else
    sink.write(is_first and "" or "\n\n", tostring(explanation):gsub("%c", function(char)
      return char ~= "\n" and terminal.clean(char) or nil
    end), "\n")
  end
end

local function explain_one(job, params, is_first)
  local explanation, err = job.client:explain(job.operation.name, params)
  if not explanation then
    terminal.say(job.who, failure.text(err))
    return exit_status.of(err)
  end
  write(job, explanation, is_first)
  return exit_status.OK
end

--- The call of each line of standard input, one after the other.
local function explain_lines(job)
  local lines, values = require("cr.command.lines").new(), require "cr.command.values"
  local is_first, status = true, exit_status.OK
  while true do
    local line, wrong = lines:next(true)
    if not line and not wrong then
      return status
    end
    local value
    if line then
      value, wrong = values.of(job.bulk, { line })
    end
    if wrong then
      terminal.say(job.who, wrong)
      return exit_status.FAILED
    end
    job.params[job.bulk.name] = value
    local ended = explain_one(job, job.params, is_first)
    if ended ~= exit_status.OK then
      return ended
    end
    is_first = false
  end
end

--- @tparam table job see operation.lua
-- @return the exit status
function explain.job(job)
  if job.bulk then
    return explain_lines(job)
  end
  return explain_one(job, job.params, true)
end

--- @tparam table words what follows `cr explain`
-- @return the exit status
function explain.main(words)
  require "cr.command.name_first" (words)
  local name = table.remove(words, 1)
  if name == "--help" or name == "-h" then
    sink.write(USAGE)
    return exit_status.OK
  elseif not name then
    terminal.say("cr explain", "the name of an operation expected, as in cr explain get-repo-tag …")
    return exit_status.USAGE
  end
  local descriptor = names.operation(name)
  if not descriptor then
    return require("cr.command.help").unknown(name, "cr explain")
  end
  return require("cr.command.operation").run(descriptor, words, "cr explain " .. name, true)
end

return explain
