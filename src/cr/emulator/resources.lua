--- Which resource a request to the registry is about, as RAM policies name it.
--
-- The published pattern of the operation, filled from the request: `repository/{InstanceId}/…`.
-- A namespace or repository that was given by id is looked up; what the request does not tell is
-- `*`.

local catalogue = require "cr.emulator.catalogue"
local find = require "cr.emulator.find"

local resources = {}

local function given_or_nil(parameters)
  return setmetatable({}, {
    __index = function(_, name)
      local value = parameters[name]
      return value ~= "" and value or nil
    end,
  })
end

--- The names that a pattern may have in it, by the same rules by which the operation finds them.
local function values_of(registry, parameters)
  local given = given_or_nil(parameters)
  local values = {
    InstanceId = given.InstanceId,
    NamespaceName = given.NamespaceName or given.RepoNamespaceName,
    RepositoryName = given.RepoName,
  }
  if given.RepoId then
    local repository = find.repository(registry, given)
    values.NamespaceName = repository and repository.RepoNamespaceName
    values.RepositoryName = repository and repository.RepoName
  elseif given.NamespaceId and not given.NamespaceName then
    local namespace = find.namespace(registry, given)
    values.NamespaceName = namespace and namespace.NamespaceName
  end
  return values
end

--- @return `acs:cr:<region>:<account>:…`
function resources.of(registry, request)
  local path = catalogue.resource(request.operation)
  if path ~= "*" then
    local values = values_of(registry, request.parameters)
    path = path:gsub("{(%w+)}", function(name)
      return values[name] or "*"
    end)
  end
  return ("acs:cr:%s:%s:%s"):format(registry.region, registry.account, path)
end

return resources
