--- Looks up what a request means: an instance, and in it a namespace, a repository, a tag.
--
-- Each function returns the thing, nil or a failure, and what it is in.

local failure = require "cr.emulator.failure"

local find = {}

function find.instance(registry, given)
  local instance = registry.instances:get(given.InstanceId)
  if not instance then
    return nil, failure.application("INSTANCE_NOT_EXIST", "instance does not exist")
  end
  return instance
end

local function namespace_by_id(instance, id)
  for _, namespace in ipairs(instance.namespaces.list) do
    if namespace.NamespaceId == id then
      return namespace
    end
  end
end

--- By NamespaceName, or by NamespaceId.
function find.namespace(registry, given)
  local instance, wrong = find.instance(registry, given)
  if not instance then
    return nil, wrong
  elseif not given.NamespaceName and not given.NamespaceId then
    return nil, failure.missing_parameter("NamespaceName")
  end
  local namespace
  if given.NamespaceName then
    namespace = instance.namespaces:get(given.NamespaceName)
  else
    namespace = namespace_by_id(instance, given.NamespaceId)
  end
  if not namespace then
    return nil, failure.application("NAMESPACE_NOT_EXIST", "namespace does not exist")
  end
  return namespace, nil, instance
end

--- By RepoId, or by RepoNamespaceName and RepoName.
function find.repository(registry, given)
  local instance, wrong = find.instance(registry, given)
  if not instance then
    return nil, wrong
  end
  local repository, key
  if given.RepoId then
    key = given.RepoId
    repository = instance.repositories:get(key)
  elseif not given.RepoName then
    return nil, failure.missing_parameter("RepoId")
  elseif not given.RepoNamespaceName then
    return nil, failure.missing_parameter("RepoNamespaceName")
  else
    key = given.RepoNamespaceName .. "/" .. given.RepoName
    repository = instance.paths[key]
  end
  if not repository then
    return nil, failure.application("REPO_NOT_EXIST", "repository does not exist",
      instance.deleted[key])
  end
  return repository, nil, instance
end

function find.tag(registry, given)
  local repository, wrong = find.repository(registry, given)
  if not repository then
    return nil, wrong
  end
  local tag = repository.tags:get(given.Tag)
  if not tag then
    return nil, failure.application("TAG_NOT_EXIST", "tag does not exist")
  end
  return tag, nil, repository
end

--- The tag whose scan is asked for: with a Digest, only while the tag has that one.
function find.scanned(registry, given)
  local tag, wrong, repository = find.tag(registry, given)
  if tag and given.Digest and given.Digest ~= tag.Digest then
    return nil, failure.application("SCAN_NOT_EXIST", "there is no scan of this digest")
  end
  return tag, wrong, repository
end

return find
