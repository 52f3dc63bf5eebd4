--- Names as a command line writes them: get-repo-tag and --instance-id beside the API's own.

local core = require "cr.core"

local names = {}

--- InstanceId → instance-id; a run of capitals counts as one word.
function names.kebab(name)
  return (name:gsub("(%l)(%u)", "%1-%2"):gsub("(%u)(%u%l)", "%1-%2"):lower())
end

--- The operation of that name, GetRepoTag, get-repo-tag or get_repo_tag.
-- @return its descriptor (see cr.operations), or nil
function names.operation(text)
  local number = core.find_operation(text) or core.find_operation((text:gsub("%-", "_")))
  return number and core.operation(number)
end

--- The names of all operations, in order, as the API writes them.
function names.operations()
  local list = {}
  for number = 1, core.operation_count do
    list[number] = core.operation_names(number)
  end
  return list
end

return names
