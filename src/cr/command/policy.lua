--- `cr policy get-repo-tag list-repository …`: the smallest RAM policy for these operations.

local exit_status = require "cr.command.exit_status"
local names = require "cr.command.names"
local sink = require "cr.command.sink"
local terminal = require "cr.command.terminal"

local WHO = "cr policy"

local USAGE = [[
usage: cr policy OPERATION… [options]

Prints the smallest RAM policy document that allows these operations, as JSON.

  --region ID          region in the resources, * if not given
  --account ID         account in the resources, * if not given
  --resource NAME=ID   InstanceId, NamespaceName, RepositoryName, RepositoryId or ScanRuleId in the
                       resources, * if not given; may be repeated
  --help               this text

The exit status is 1 when the action of one of them is not published: the policy is then printed
without it, and standard error tells which.
]]

local function parse(words)
  local parser = require "argparse" ("cr policy"):add_help(false)
  parser:argument("operations"):args("*")
  parser:option("--region")
  parser:option("--account")
  parser:option("--resource"):count("*")
  parser:flag("-h --help")
  return parser:pparse(words)
end

--- NAME=ID, NAME=ID … by name, as cr.policy takes them.
local function resources_of(given)
  local resources = {}
  for _, text in ipairs(given) do
    local name, value = text:match("^(%w+)=(.+)$")
    if not name then
      return nil, ("--resource: NAME=ID expected, got '%s'"):format(text)
    end
    resources[name] = resources[name] or {}
    table.insert(resources[name], value)
  end
  return resources
end

local function usage_error(text)
  terminal.say(WHO, text)
  return exit_status.USAGE
end

--- The API's names of what was written.
local function operations_of(words)
  local list = {}
  for index, word in ipairs(words) do
    local descriptor = names.operation(word)
    if not descriptor then
      return nil, word
    end
    list[index] = descriptor.name
  end
  return list
end

-- @tparam table words what follows `cr policy`
-- @return the exit status
return function(words)
  local ok, parsed = parse(words)
  if not ok then
    return usage_error(parsed:gsub("\n", "; ") .. "; cr policy --help lists the options")
  elseif parsed.help then
    sink.write(USAGE)
    return exit_status.OK
  elseif #parsed.operations == 0 then
    return usage_error "names of operations expected, as in cr policy get-repo-tag"
  end
  local list, unknown = operations_of(parsed.operations)
  if not list then
    return require("cr.command.help").unknown(unknown, WHO)
  end
  local resources, wrong = resources_of(parsed.resource)
  if not resources then
    return usage_error(wrong)
  end
  local called, policy, missing = pcall(require "cr.policy", list, {
    region = parsed.region, account = parsed.account, resources = resources,
  })
  if not called then -- a name of a resource that there is none of
    return usage_error((tostring(policy):gsub("^.-policy: ", "")))
  elseif not policy then
    return usage_error(missing.message)
  end
  sink.write(tostring(policy), "\n")
  if #missing > 0 then
    terminal.say(WHO, "the RAM action of these is not published: " .. table.concat(missing, ", "),
      "warning")
    return exit_status.FAILED
  end
  return exit_status.OK
end
