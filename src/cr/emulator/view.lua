--- How the things of the registry look in answers: which fields, of which type.
--
-- Get and List operations show the same thing with small differences, kept here as they are in the
-- API.

local json = require "cr.emulator.json"

local view = {}

local function names(text)
  local list = {}
  for name in text:gmatch("%S+") do
    list[#list + 1] = name
  end
  return list
end

local function pick(record, fields)
  local out = {}
  for _, name in ipairs(fields) do
    out[name] = record[name]
  end
  return out
end

local function as_strings(out, ...)
  for _, name in ipairs { ... } do
    out[name] = ("%.0f"):format(out[name])
  end
  return out
end

local INSTANCE = names [[InstanceId InstanceName InstanceSpecification InstanceStatus InstanceIssue
  ResourceGroupId CreateTime ModifiedTime]]
local NAMESPACE = names [[NamespaceId NamespaceName NamespaceStatus InstanceId AutoCreateRepo
  DefaultRepoType ResourceGroupId]]
local LISTED_REPOSITORY = names [[RepoId RepoName RepoNamespaceName RepoStatus RepoType
  RepoBuildType Summary TagImmutability InstanceId ResourceGroupId CreateTime ModifiedTime]]
local TAG = names "Tag Status ImageCreate ImageUpdate ImageSize ImageId Digest"

function view.instance(instance)
  local out = pick(instance, INSTANCE)
  out.Tags = json.array({})
  return out
end

function view.listed_instance(instance)
  local out = as_strings(view.instance(instance), "CreateTime", "ModifiedTime")
  out.RegionId = instance.RegionId
  return out
end

function view.namespace(namespace)
  local out = pick(namespace, NAMESPACE)
  out.DefaultRepoConfiguration = {
    RepoType = namespace.DefaultRepoType,
    TagImmutability = namespace.TagImmutability == true,
    ArtifactBuildRuleParameters = { ImageIndexOnly = false },
  }
  return out
end

function view.listed_repository(repository)
  return pick(repository, LISTED_REPOSITORY)
end

function view.repository(repository)
  local out = view.listed_repository(repository)
  out.Detail = repository.Detail
  return out
end

function view.tag(tag)
  return pick(tag, TAG)
end

function view.listed_tag(tag)
  return as_strings(view.tag(tag), "ImageCreate", "ImageUpdate")
end

--- The numbers of a scan's findings, by severity.
function view.scan_summary(tag)
  local found = tag.vulnerabilities
  local high, medium, low = found.high or 0, found.medium or 0, found.low or 0
  local unknown = found.unknown or 0
  return {
    HighSeverity = high, MediumSeverity = medium, LowSeverity = low, UnknownSeverity = unknown,
    TotalSeverity = high + medium + low + unknown,
  }
end

return view
