--- `cr completion bash|zsh|fish`: what a shell needs to complete the command line, as a script of
-- that shell. All of it is in the script: completing starts no program and asks no service.
--
-- The scripts do the same in three languages; this module fills in what they know of operations,
-- parameters, fields and options. After a name in the API's style parameters come in that style.

local arguments = require "cr.command.arguments"
local core = require "cr.core"
local exit_status = require "cr.command.exit_status"
local names = require "cr.command.names"
local options = require "cr.command.options"
local rows = require "cr.command.rows"
local sink = require "cr.command.sink"
local terminal = require "cr.command.terminal"

local completion = {}

local WHO = "cr completion"

local USAGE = [[
usage: cr completion bash|zsh|fish

  bash  source <(cr completion bash)            in ~/.bashrc
  zsh   source <(cr completion zsh)             in ~/.zshrc, after compinit
  fish  cr completion fish | source             in ~/.config/fish/config.fish
]]

local SHELLS = { "bash", "zsh", "fish" }

local function sorted(set)
  local list = {}
  for key in pairs(set) do
    list[#list + 1] = key
  end
  table.sort(list)
  return list
end

--- Of one operation: its parameters in both styles, and what --fields can name.
local function facts_of(operation, switches)
  local api, kebab = {}, {}
  for index, parameter in ipairs(operation.parameters) do
    local name, other = arguments.names_of(parameter)
    api[index], kebab[index] = name, other or name
    if parameter.type == "boolean" then
      switches[name], switches[other or name] = true, true
    end
  end
  local fields, seen = {}, {}
  for _, name in ipairs(rows.names(operation)) do
    if not seen[name] then
      seen[name] = true
      fields[#fields + 1] = name
    end
  end
  return {
    name = operation.name, kebab = names.kebab(operation.name),
    api_parameters = api, kebab_parameters = kebab, fields = fields,
  }
end

--- What the scripts know.
-- @treturn table operations (see facts_of), commands (array of {name, text, options}), switches,
--   flags, valued (arrays of options with their dashes), choices (array of {option, values}), files
function completion.facts()
  local facts, switches = { operations = {}, flags = {}, valued = {}, choices = {}, files = {} }, {}
  for number = 1, core.operation_count do
    facts.operations[number] = facts_of(core.operation(number), switches)
  end
  facts.switches = sorted(switches)
  facts.options = {}
  for _, option in ipairs(options) do
    if not option.is_hidden then
      local name = "--" .. option.name
      facts.options[#facts.options + 1] = name
      local kind = option.argument and facts.valued or facts.flags
      kind[#kind + 1] = name
      facts.choices[#facts.choices + 1] = option.choices and { name, option.choices } or nil
      facts.files[#facts.files + 1] = option.is_file and name or nil
    end
  end
  facts.commands = require("cr.command").COMMANDS
  return facts
end

--- The words of a list that holds names of operations or commands.
-- @tparam string field "name" or "kebab"
function completion.names(facts, field)
  local list = {}
  for index, operation in ipairs(facts.operations) do
    list[index] = operation[field]
  end
  return list
end

function completion.command_names(facts)
  local list = {}
  for index, command in ipairs(facts.commands) do
    list[index] = command[1]
  end
  return list
end

--- The commands that have options of their own, instead of those of operations.
function completion.optioned(facts)
  local list = {}
  for _, command in ipairs(facts.commands) do
    list[#list + 1] = command.options and command[1] or nil
  end
  return list
end

--- Puts texts in the place of {{names}}; `of` gives each.
function completion.fill(template, of)
  return (template:gsub("{{(%w+)}}", function(name)
    return assert(of[name], name)
  end))
end

--- Lines made of each operation or command, for a script's switch.
function completion.lines(list, make)
  local lines = {}
  for _, item in ipairs(list) do
    local line = make(item)
    lines[#lines + 1] = line
  end
  return table.concat(lines, "\n")
end

local function join(list, separator)
  return table.concat(list, separator or " ")
end

--- What fills the scripts of bash and zsh.
-- @tparam function case a line of the shell's switch from a pattern and words
function completion.switches(facts, case)
  return {
    parameters = completion.lines(facts.operations, function(operation)
      return case(operation.kebab, join(operation.kebab_parameters)) .. "\n" ..
        case(operation.name, join(operation.api_parameters))
    end) .. "\n" .. completion.lines(facts.commands, function(command)
      return command.options and case(command[1], join(command.options))
    end),
    fields = completion.lines(facts.operations, function(operation)
      return case(operation.kebab .. "|" .. operation.name, join(operation.fields))
    end),
    choices = completion.lines(facts.choices, function(choice)
      return case(choice[1], join(choice[2]))
    end),
    switches = join(facts.switches, "|"),
    valued = join(facts.valued, "|"),
    flags = join(facts.flags, "|"),
    files = join(facts.files, "|") .. "|--fixture",
    optioned = join(completion.optioned(facts), "|"),
    options = join(facts.options),
    apiNames = join(completion.names(facts, "name")),
    kebabNames = join(completion.names(facts, "kebab")),
    commandNames = join(completion.command_names(facts)),
  }
end

--- @tparam table words what follows `cr completion`
-- @return the exit status
function completion.main(words)
  local shell = words[1]
  if shell == "--help" or shell == "-h" then
    sink.write(USAGE)
    return exit_status.OK
  end
  for _, known in ipairs(SHELLS) do
    if shell == known and #words == 1 then
      sink.write(require("cr.command.completion." .. shell)(completion.facts()))
      return exit_status.OK
    end
  end
  terminal.say(WHO, "the name of a shell expected: bash, zsh or fish")
  return exit_status.USAGE
end

return completion
