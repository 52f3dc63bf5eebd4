--- What follows an operation's name on the command line: parameters and options.
--
-- The parser is argparse's, made for the one operation that was named: 119 of them would take
-- longer than the call. Each parameter goes by two names, --InstanceId and --instance-id; where an
-- option of the program has the second one (--all), the parameter has only the first.

local names = require "cr.command.names"
local options = require "cr.command.options"
local suggest = require "cr.suggest"
local values = require "cr.command.values"

local arguments = {}

--- Whether the value is a line of standard input at a time.
local function is_bulk(texts)
  return texts[1] == "-" and #texts == 1
end

local function is_option(name)
  for _, option in ipairs(options) do
    if option.name == name then
      return true
    end
  end
  return false
end

--- The names of a parameter, as they are written.
-- @return "--InstanceId", "--instance-id" or nil
function arguments.names_of(parameter)
  local kebab = names.kebab(parameter.name)
  return "--" .. parameter.name, not is_option(kebab) and "--" .. kebab or nil
end

--- The vendor's command line writes arrays and objects in them as --Tag.1.Key and --Tag.1.Value:
-- options of their own for the parser, put together afterwards.
-- @return array of {option, parameter, path}
local function numbered(operation, words)
  local found, seen = {}, {}
  for _, word in ipairs(words) do
    local option, head = word:match("^(%-%-(%w+)%.[%w.]+)")
    for _, parameter in ipairs(option and not seen[option] and operation.parameters or {}) do
      if parameter.name == head and parameter.type == "array" then
        seen[option] = true
        found[#found + 1] = { option = option, parameter = parameter,
          path = option:sub(#head + 4) }
      end
    end
  end
  return found
end

local function new_parser(operation, words)
  local parser = require "argparse" ("cr"):add_help(false)
  parser:argument("rest"):args("*")
  for _, option in ipairs(options) do
    local spelled = "--" .. option.name .. (option.short and " " .. option.short or "")
    if option.argument then
      local made = parser:option(spelled):target(option.name)
      if option.choices then
        made:choices(option.choices)
      end
    else
      parser:flag(spelled):target(option.name)
    end
  end
  for _, parameter in ipairs(operation.parameters) do
    local name, kebab = arguments.names_of(parameter)
    local option = parser:option(kebab and name .. " " .. kebab or name):target(name)
    if parameter.type == "array" then
      option:count("*"):init(nil)
    elseif parameter.type == "boolean" then
      option:args("?"):overwrite(false)
    else
      option:overwrite(false)
    end
  end
  local extra = numbered(operation, words)
  for _, given in ipairs(extra) do
    parser:option(given.option):overwrite(false):target(given.option)
  end
  return parser, extra
end

--- argparse's message, with our own "did you mean".
local function explained(message, operation)
  local unknown = message:match("^unknown option '(.-)'")
  if not unknown then
    return message
  elseif not unknown:find("^%-%-") then
    return ("unknown option %s; a value that begins with - is given as --Name=-value")
      :format(unknown)
  end
  local candidates = {}
  for _, parameter in ipairs(operation.parameters) do
    local name, kebab = arguments.names_of(parameter)
    candidates[#candidates + 1] = name
    candidates[#candidates + 1] = kebab
  end
  for _, option in ipairs(options) do
    candidates[#candidates + 1] = not option.is_hidden and "--" .. option.name or nil
  end
  local best = suggest(unknown, candidates)
  return ("unknown option %s%s"):format(unknown, best and "; did you mean " .. best .. "?" or "")
end

local function checked_options(parsed)
  local checked = {}
  for _, option in ipairs(options) do
    local given = parsed[option.name]
    local expected
    if given and option.check then
      given, expected = option.check(given)
    end
    if expected then
      return nil, ("--%s: %s expected"):format(option.name, expected)
    end
    checked[option.name] = given
  end
  return checked
end

--- Puts what was given as --Tag.1.Key into the array.
local function insert(params, extra, text)
  local name = extra.parameter.name
  local place, schema, key = params, extra.parameter, name
  for part in extra.path:gmatch("[^.]+") do
    place[key] = place[key] or {}
    place = place[key]
    if schema.type == "array" then
      schema, key = schema.items, tonumber(part)
    else
      local fields = schema.fields or {}
      schema, key = nil, part
      for _, field in ipairs(fields) do
        schema = field.name == part and field or schema
      end
    end
    if not schema or not key or key == 0 then
      return ("%s: no such place in %s"):format(extra.option, name)
    end
  end
  local value, wrong = values.of(schema, { text })
  place[key] = value
  return wrong and ("%s: %s"):format(extra.option, wrong)
end

local function read_parameter(result, parameter, given)
  local texts = type(given) == "table" and given or { given }
  if is_bulk(texts) then
    if result.bulk then
      return ("--%s and --%s cannot both be -: there is one standard input")
        :format(result.bulk.name, parameter.name)
    end
    result.bulk = parameter
    return nil
  end
  local convert = parameter.type == "boolean" and values.of_switch or values.of
  local value, wrong = convert(parameter, texts)
  result.params[parameter.name] = value
  return wrong and ("--%s: %s"):format(parameter.name, wrong)
end

local function missing(operation, result)
  local list = {}
  for _, parameter in ipairs(operation.parameters) do
    local name = parameter.name
    if parameter.required and result.params[name] == nil and result.bulk ~= parameter then
      list[#list + 1] = ("--%s <%s>"):format(name, parameter.type)
    end
  end
  return #list > 0 and "missing " .. table.concat(list, " and ") or nil
end

--- @tparam table operation its descriptor
-- @tparam table words what follows its name
-- @return {params, options (by name), bulk (the parameter that is read from standard input)}
-- @return nil, what is wrong
function arguments.parse(operation, words)
  local parser, extra = new_parser(operation, words)
  local ok, parsed = parser:pparse(words)
  if not ok then
    return nil, explained(parsed, operation)
  elseif parsed.rest[1] then
    return nil, ("unexpected argument '%s'; values are given as --Name value")
      :format(parsed.rest[1])
  end
  local checked, wrong = checked_options(parsed)
  if not checked or checked.help then
    return checked and { options = checked }, wrong
  end
  local result = { params = {}, options = checked }
  for _, parameter in ipairs(operation.parameters) do
    local given = parsed["--" .. parameter.name]
    wrong = wrong or given and read_parameter(result, parameter, given)
  end
  for _, given in ipairs(extra) do
    wrong = wrong or insert(result.params, given, parsed[given.option])
  end
  wrong = wrong or missing(operation, result)
  if wrong then
    return nil, wrong
  end
  return result
end

return arguments
