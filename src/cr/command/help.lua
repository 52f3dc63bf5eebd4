--- What `cr help`, `cr help get-repo-tag` and `cr get-repo-tag --help` print.

local arguments = require "cr.command.arguments"
local exit_status = require "cr.command.exit_status"
local names = require "cr.command.names"
local options = require "cr.command.options"
local schema = require "cr.command.schema"
local sink = require "cr.command.sink"
local suggest = require "cr.suggest"
local terminal = require "cr.command.terminal"

local help = {}

local EXAMPLES = [[
  cr list-instance --fields InstanceId,InstanceName
  cr get-repo-tag --instance-id cri-… --repo-id crr-… --tag 1.0
  cr list-repo-tag --instance-id cri-… --repo-id crr-… --all --fields Tag |
    cr get-repo-tag --instance-id cri-… --repo-id crr-… --tag - --fields Tag,Digest
]]

local VALUES = [[
  By the parameter's type. A boolean may be given without a value. A list: the option repeated, or
  a JSON array. An object: JSON. @file takes the text of a file, @@ stands for @. A value - takes
  the lines of standard input, a call for each; the answers come in the order of the lines.
]]

local function heading(text)
  return terminal.styled("bold", text, terminal.output()) .. "\n"
end

--- Two columns.
local function write_rows(rows)
  local longest = 0
  for _, row in ipairs(rows) do
    longest = math.max(longest, #row[1])
  end
  for _, row in ipairs(rows) do
    sink.write("  ", row[1], (" "):rep(longest - #row[1] + 2), row[2], "\n")
  end
end

local function write_options()
  local rows = {}
  for _, option in ipairs(options) do
    if not option.is_hidden then
      local text = option.text
      if option.choices then
        text = table.concat(option.choices, ", ") .. "; " .. text
      end
      rows[#rows + 1] = { ("--%s%s%s"):format(option.name,
        option.short and ", " .. option.short or "",
        option.argument and " " .. option.argument or ""), text }
    end
  end
  write_rows(rows)
end

local function commands()
  return require("cr.command").COMMANDS
end

function help.overview()
  sink.write("usage: cr OPERATION [--Parameter value …] [options]\n",
    "       cr COMMAND …\n\n",
    "Calls Alibaba Cloud Container Registry, Enterprise Edition. An operation goes by its name\n",
    "in the API or in lower case: GetRepoTag, get-repo-tag; a parameter as --InstanceId or\n",
    "--instance-id, in any order, with its value behind a space or an =.\n\n",
    heading "Commands")
  write_rows(commands())
  sink.write("\n", heading "Options of every operation")
  write_options()
  sink.write("\n", heading "Values", VALUES, "\n", heading "Examples", EXAMPLES, "\n",
    heading "Exit status",
    "  0 done, 1 the service said no, 2 wrong usage, 3 no credentials, 4 network,\n",
    "  130 interrupted\n")
  return exit_status.OK
end

--- For `cr` alone: standard error, because nothing was asked for.
function help.usage()
  io.stderr:write("usage: cr OPERATION [--Parameter value …] [options]\n",
    "cr help tells more, cr operations lists what there is\n")
  return exit_status.USAGE
end

--- For a name that is neither an operation's nor a command's.
-- @tparam ?string who in front of the message; then only operations are looked at
function help.unknown(name, who)
  local list = names.operations()
  for index, api_name in ipairs(list) do
    list[index] = name:find("^%u") and api_name or names.kebab(api_name)
  end
  for _, row in ipairs(who and {} or commands()) do
    list[#list + 1] = row[1]
  end
  local best = suggest((name:gsub("_", "-")), list)
  terminal.say(who or "cr", ("no operation%s '%s'; %s"):format(who and "" or " or command", name,
    best and "did you mean " .. best .. "?" or "cr operations lists them"))
  return exit_status.USAGE
end

--- "array of string", "array of {Key, Value}".
local function type_of(parameter)
  local kind = parameter.type
  if kind == "array" then
    return "array of " .. type_of(parameter.items)
  elseif kind == "object" and parameter.fields and #parameter.fields > 0 then
    local list = {}
    for index, field in ipairs(parameter.fields) do
      list[index] = field.name
    end
    return "{" .. table.concat(list, ", ") .. "}"
  end
  return kind
end

local function parameter_row(parameter)
  local name, kebab = arguments.names_of(parameter)
  local notes = { type_of(parameter) }
  notes[#notes + 1] = parameter.required and "required" or nil
  notes[#notes + 1] = parameter.deprecated and "deprecated" or nil
  notes[#notes + 1] = parameter.style == "json" and "sent as JSON" or nil
  return { kebab and name .. ", " .. kebab or name, table.concat(notes, ", ") }
end

local function add_fields(rows, fields, prefix)
  for _, field in ipairs(fields) do
    local kind = field.type
    if kind == "array" then
      kind = "array of " .. (field.items or "objects")
    end
    rows[#rows + 1] = { prefix .. field.name, kind }
    add_fields(rows, field.fields or {}, prefix .. field.name .. ".")
  end
  return rows
end

local function example_of(operation)
  local words = { "cr", names.kebab(operation.name) }
  for _, parameter in ipairs(operation.parameters) do
    if parameter.required then
      local _, kebab = arguments.names_of(parameter)
      words[#words + 1] = ("%s %s"):format(kebab or "--" .. parameter.name,
        parameter.type == "string" and parameter.name == "InstanceId" and "cri-…" or
        parameter.name == "RepoId" and "crr-…" or "<" .. parameter.type .. ">")
    end
  end
  return table.concat(words, " ")
end

local function permission_of(operation)
  if not operation.ram_action then
    return "not published"
  end
  return operation.ram_action .. (operation.ram_resource and " on " .. operation.ram_resource or "")
end

--- @tparam table operation its descriptor
function help.operation(operation)
  sink.write(heading(operation.name),
    "  usage       ", example_of(operation), "\n",
    "  method      ", operation.method, "\n",
    "  RAM action  ", permission_of(operation), "\n")
  if operation.paging then
    sink.write("  pages       of ", operation.paging.items, "; --all goes through all of them\n")
  end
  if #operation.parameters > 0 then
    local rows = {}
    for _, is_required in ipairs { true, false } do
      for _, parameter in ipairs(operation.parameters) do
        if parameter.required == is_required then
          rows[#rows + 1] = parameter_row(parameter)
        end
      end
    end
    sink.write("\n", heading "Parameters")
    write_rows(rows)
  end
  local fields = add_fields({}, schema.of(operation.name), "")
  if #fields > 0 then
    sink.write("\n", heading "Answer")
    write_rows(fields)
  end
  sink.write("\ncr help lists the options that every operation has.\n")
  return exit_status.OK
end

--- @tparam table words what follows `cr help`
-- @return the exit status
function help.main(words)
  local name = words[1]
  if not name or name == "--help" or name == "-h" or name == "help" then
    return help.overview()
  end
  local operation = names.operation(name)
  if operation then
    return help.operation(operation)
  end
  for _, row in ipairs(commands()) do
    if row[1] == name then
      if name == "version" then
        return help.overview()
      end
      return require("cr.command").main { name, "--help" }
    end
  end
  return help.unknown(name)
end

return help
