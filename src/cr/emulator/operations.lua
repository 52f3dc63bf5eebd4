--- The operations that are emulated: what each needs, and what it does to the registry.
--
-- Each entry names its parameters by type, `!` for the required ones; `run(registry, parameters)`
-- gets them checked and converted and returns the fields of the answer, or nil and a failure. The
-- types of the answers' fields are the API's own, differences between operations included: a
-- creation time is a number in one answer and a string in another.

local cjson = require "cjson.safe"
local clock = require "cr.emulator.clock"
local crypto = require "cr.emulator.crypto"
local failure = require "cr.emulator.failure"
local find = require "cr.emulator.find"
local paging = require "cr.emulator.paging"
local state = require "cr.emulator.state"
local view = require "cr.emulator.view"

local operations = {}

local PAGE = { PageNo = "integer", PageSize = "integer" }
local PAGE_OR_TOKEN = {
  PageNo = "integer", PageSize = "integer", MaxResults = "integer", NextToken = "string",
}

--- One table of parameters out of two.
local function with(shared, own)
  for name, kind in pairs(shared) do
    own[name] = kind
  end
  return own
end

--- Keeps the items whose fields are as asked for; a filter that is not given matches all.
-- @param filters field → wanted value or nil
local function select(list, filters)
  local kept = {}
  for _, item in ipairs(list) do
    local matches = true
    for field, wanted in pairs(filters) do
      matches = matches and item[field] == wanted
    end
    if matches then
      kept[#kept + 1] = item
    end
  end
  return kept
end

--- Three operations give the total as a string.
local function total_as_string(answer, wrong)
  if answer then
    answer.TotalCount = ("%d"):format(answer.TotalCount)
  end
  return answer, wrong
end

operations.GetInstance = {
  parameters = { InstanceId = "string!" },
  run = function(registry, given)
    local instance, wrong = find.instance(registry, given)
    return instance and view.instance(instance), wrong
  end,
}

operations.ListInstance = {
  parameters = with(PAGE, {
    InstanceName = "string", InstanceStatus = "string", ResourceGroupId = "string",
  }),
  run = function(registry, given)
    local list = select(registry.instances.list, {
      InstanceName = given.InstanceName, InstanceStatus = given.InstanceStatus,
      ResourceGroupId = given.ResourceGroupId,
    })
    return paging.answer(list, given, "Instances", view.listed_instance)
  end,
}

operations.GetNamespace = {
  parameters = { InstanceId = "string!", NamespaceId = "string", NamespaceName = "string" },
  run = function(registry, given)
    local namespace, wrong = find.namespace(registry, given)
    return namespace and view.namespace(namespace), wrong
  end,
}

operations.ListNamespace = {
  parameters = with(PAGE, {
    InstanceId = "string!", NamespaceName = "string", NamespaceStatus = "string",
  }),
  run = function(registry, given)
    local instance, wrong = find.instance(registry, given)
    if not instance then
      return nil, wrong
    end
    local list = select(instance.namespaces.list, {
      NamespaceName = given.NamespaceName, NamespaceStatus = given.NamespaceStatus,
    })
    return total_as_string(paging.answer(list, given, "Namespaces", view.namespace))
  end,
}

--- The parameter that is an object, sent as JSON text; an empty one when it was not sent.
local function read_defaults(text)
  local defaults = cjson.decode(text or "{}")
  local kind = type(defaults) == "table" and defaults.RepoType
  if kind == nil or kind == "PUBLIC" or kind == "PRIVATE" then
    return defaults
  end
  return nil, failure.invalid_parameter("DefaultRepoConfiguration",
    "a JSON object with RepoType PUBLIC or PRIVATE", text)
end

operations.CreateNamespace = {
  parameters = {
    InstanceId = "string!", NamespaceName = "string!", AutoCreateRepo = "boolean",
    DefaultRepoType = "repo_type", DefaultRepoConfiguration = "string",
  },
  run = function(registry, given)
    local instance, wrong = find.instance(registry, given)
    if not instance then
      return nil, wrong
    elseif instance.namespaces:get(given.NamespaceName) then
      return nil, failure.application("NAMESPACE_ALREADY_EXIST", "namespace already exists")
    end
    local defaults
    defaults, wrong = read_defaults(given.DefaultRepoConfiguration)
    if not defaults then
      return nil, wrong
    end
    instance.namespaces:add(state.new_namespace(registry, instance, {
      NamespaceName = given.NamespaceName, AutoCreateRepo = given.AutoCreateRepo,
      DefaultRepoType = defaults.RepoType or given.DefaultRepoType,
      TagImmutability = defaults.TagImmutability == true,
    }))
    return {}
  end,
}

operations.DeleteNamespace = {
  parameters = { InstanceId = "string!", NamespaceName = "string!" },
  run = function(registry, given)
    local namespace, wrong, instance = find.namespace(registry, given)
    if not namespace then
      return nil, wrong
    end
    local inside = { RepoNamespaceName = namespace.NamespaceName }
    if #select(instance.repositories.list, inside) > 0 then
      return nil, failure.application("NAMESPACE_NOT_EMPTY", "namespace still has repositories")
    end
    instance.namespaces:remove(namespace)
    return {}
  end,
}

local REPOSITORY_KEYS = {
  InstanceId = "string!", RepoId = "string", RepoName = "string", RepoNamespaceName = "string",
}

operations.GetRepository = {
  parameters = REPOSITORY_KEYS,
  run = function(registry, given)
    local repository, wrong = find.repository(registry, given)
    return repository and view.repository(repository), wrong
  end,
}

operations.ListRepository = {
  parameters = with(PAGE_OR_TOKEN, {
    InstanceId = "string!", RepoName = "string", RepoNamespaceName = "string",
    RepoStatus = "string",
  }),
  run = function(registry, given)
    local instance, wrong = find.instance(registry, given)
    if not instance then
      return nil, wrong
    end
    local list = select(instance.repositories.list, {
      RepoName = given.RepoName, RepoNamespaceName = given.RepoNamespaceName,
      -- "ALL" is a documented value, not a status
      RepoStatus = given.RepoStatus ~= "ALL" and given.RepoStatus or nil,
    })
    return total_as_string(paging.answer(list, given, "Repositories", view.listed_repository))
  end,
}

operations.CreateRepository = {
  parameters = {
    InstanceId = "string!", RepoName = "string!", RepoNamespaceName = "string!",
    RepoType = "repo_type!", Summary = "string!", Detail = "string", TagImmutability = "boolean",
  },
  run = function(registry, given)
    local namespace, wrong, instance = find.namespace(registry, {
      InstanceId = given.InstanceId, NamespaceName = given.RepoNamespaceName,
    })
    if not namespace then
      return nil, wrong
    elseif instance.paths[given.RepoNamespaceName .. "/" .. given.RepoName] then
      return nil, failure.application("REPO_ALREADY_EXIST", "repository already exists")
    end
    local repository = state.new_repository(registry, instance, namespace, {
      RepoName = given.RepoName, RepoType = given.RepoType, Summary = given.Summary,
      Detail = given.Detail, TagImmutability = given.TagImmutability,
      CreateTime = clock.milliseconds(),
    })
    instance.repositories:add(repository)
    instance.paths[repository.path] = repository
    instance.deleted[repository.path] = nil
    return { RepoId = repository.RepoId }
  end,
}

operations.DeleteRepository = {
  parameters = REPOSITORY_KEYS,
  run = function(registry, given)
    local repository, wrong, instance = find.repository(registry, given)
    if not repository then
      return nil, wrong
    end
    instance.repositories:remove(repository)
    instance.paths[repository.path] = nil
    instance.deleted[repository.path] = true
    instance.deleted[repository.RepoId] = true
    return {}
  end,
}

local TAG_KEYS = { InstanceId = "string!", RepoId = "string!", Tag = "string!" }

operations.GetRepoTag = {
  parameters = TAG_KEYS,
  run = function(registry, given)
    local tag, wrong = find.tag(registry, given)
    return tag and view.tag(tag), wrong
  end,
}

local SCAN_KEYS = with(TAG_KEYS, { Digest = "string" })

--- Each query is told the next status, so that a scan gets on without a clock.
operations.GetRepoTagScanStatus = {
  parameters = SCAN_KEYS,
  run = function(registry, given)
    local tag, wrong = find.scanned(registry, given)
    if not tag then
      return nil, wrong
    end
    local scans = tag.scans or {}
    tag.queries = math.min((tag.queries or 0) + 1, math.max(#scans, 1))
    return { Status = scans[tag.queries] or "COMPLETE", ScanService = "ACR_SCAN_SERVICE" }
  end,
}

operations.GetRepoTagScanSummary = {
  parameters = SCAN_KEYS,
  run = function(registry, given)
    local tag, wrong = find.scanned(registry, given)
    return tag and view.scan_summary(tag), wrong
  end,
}

operations.ListRepoTag = {
  parameters = with(PAGE_OR_TOKEN, { InstanceId = "string!", RepoId = "string!" }),
  run = function(registry, given)
    local repository, wrong = find.repository(registry, given)
    if not repository then
      return nil, wrong
    end
    return total_as_string(paging.answer(repository.tags.list, given, "Images", view.listed_tag))
  end,
}

operations.DeleteRepoTag = {
  parameters = TAG_KEYS,
  run = function(registry, given)
    local tag, wrong, repository = find.tag(registry, given)
    if not tag then
      return nil, wrong
    end
    repository.tags:remove(tag)
    return {}
  end,
}

operations.GetAuthorizationToken = {
  parameters = { InstanceId = "string!", ExpiresInHours = "integer" },
  run = function(registry, given)
    local instance, wrong = find.instance(registry, given)
    if not instance then
      return nil, wrong
    end
    local hours = given.ExpiresInHours or 1
    if hours < 1 then
      return nil, failure.invalid_parameter("ExpiresInHours", "1 or more", ("%d"):format(hours))
    end
    return {
      AuthorizationToken = crypto.hex(crypto.random(32)),
      TempUsername = "cr_temp_user",
      ExpireTime = clock.milliseconds() + hours * 3600000,
    }
  end,
}

return operations
