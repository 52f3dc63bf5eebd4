--- The names of the API's operations, and the RAM action and resource of those that are emulated.
--
-- All names are here so that "not emulated" and "no such operation" are told apart. Permissions
-- are not one to one with operations; where none is published the emulator asks for
-- `cr:<OperationName>` on `*`.

local catalogue = {}

catalogue.version = "2018-12-01"
catalogue.sts_version = "2015-04-01"

local NAMES = [[
  CancelArtifactBuildTask CancelRepoBuildRecord CancelRepoSyncTask ChangeResourceGroup
  CreateArtifactBuildRule CreateArtifactLifecycleRule CreateArtifactSubscriptionRule
  CreateArtifactSubscriptionTask CreateBuildRecordByRecord CreateBuildRecordByRule CreateChain
  CreateChartNamespace CreateChartRepository CreateInstanceCustomizedDomain
  CreateInstanceEndpointAclPolicy CreateInstanceVpcEndpointLinkedVpc CreateNamespace
  CreateRepoBuildRule CreateRepoSourceCodeRepo CreateRepoSyncRule CreateRepoSyncTask
  CreateRepoSyncTaskByRule CreateRepoTag CreateRepoTagScanTask CreateRepoTrigger CreateRepository
  CreateScanRule CreateStorageDomainRoutingRule DeleteArtifactLifecycleRule
  DeleteArtifactSubscriptionRule DeleteChain DeleteChartNamespace DeleteChartRelease
  DeleteChartRepository DeleteEventCenterRule DeleteInstanceCustomizedDomain
  DeleteInstanceEndpointAclPolicy DeleteInstanceVpcEndpointLinkedVpc DeleteNamespace
  DeleteRepoBuildRule DeleteRepoSyncRule DeleteRepoTag DeleteRepoTrigger DeleteRepository
  DeleteScanRule DeleteStorageDomainRoutingRule GetArtifactBuildRule GetArtifactBuildTask
  GetArtifactLifecycleRule GetArtifactSubscriptionRule GetArtifactSubscriptionTask
  GetArtifactSubscriptionTaskResult GetAuthorizationToken GetChain GetChartNamespace
  GetChartRepository GetInstance GetInstanceCount GetInstanceCustomizedDomain GetInstanceEndpoint
  GetInstanceUsage GetInstanceVpcEndpoint GetNamespace GetRepoBuildRecord GetRepoBuildRecordStatus
  GetRepoSourceCodeRepo GetRepoSyncTask GetRepoTag GetRepoTagScanStatus GetRepoTagScanSummary
  GetRepository GetScanRule GetStorageDomainRoutingRule ListArtifactBuildTaskLog
  ListArtifactLifecycleRule ListArtifactSubscriptionRule ListArtifactSubscriptionTask ListChain
  ListChainInstance ListChartNamespace ListChartRelease ListChartRepository ListEventCenterRecord
  ListEventCenterRuleName ListInstance ListInstanceEndpoint ListInstanceRegion ListNamespace
  ListRepoBuildRecord ListRepoBuildRecordLog ListRepoBuildRule ListRepoSyncRule ListRepoSyncTask
  ListRepoTag ListRepoTagScanResult ListRepoTrigger ListRepository ListScanBaselineByTask
  ListScanMaliciousFileByTask ListScanRule ListTagResources ResetLoginPassword TagResources
  UntagResources UpdateArtifactLifecycleRule UpdateArtifactSubscriptionRule UpdateChain
  UpdateChartNamespace UpdateChartRepository UpdateEventCenterRule UpdateInstanceCustomizedDomain
  UpdateInstanceEndpointStatus UpdateNamespace UpdateRepoBuildRule UpdateRepoSourceCodeRepo
  UpdateRepoTrigger UpdateRepository UpdateScanRule UpdateStorageDomainRoutingRule
]]

catalogue.known = {}
for name in NAMES:gmatch("%S+") do
  catalogue.known[name] = true
end

local ACTIONS = {
  DeleteRepoTag = "cr:DeleteRepositoryTag",
  GetRepoTag = "cr:ListRepositoryTag",
  GetRepoTagScanStatus = "cr:GetScan",
  GetRepoTagScanSummary = "cr:GetScanCount",
  ListRepoTag = "cr:ListRepositoryTag",
}

local RESOURCES = {
  CreateNamespace = "repository/{InstanceId}",
  CreateRepository = "repository/{InstanceId}/{NamespaceName}",
  GetInstance = "instance/{InstanceId}",
  GetNamespace = "repository/{InstanceId}/{NamespaceName}",
  GetRepoTag = "repository/{InstanceId}",
  GetRepoTagScanStatus = "repository/{InstanceId}/{NamespaceName}/{RepositoryName}",
  GetRepository = "repository/{InstanceId}/{NamespaceName}/{RepositoryName}",
  ListRepository = "repository/{InstanceId}/{NamespaceName}/*",
}

--- The RAM action that a user needs for an operation.
function catalogue.action(operation)
  return ACTIONS[operation] or "cr:" .. operation
end

--- The RAM resource of an operation, after `acs:cr:<region>:<account>:`, with names in braces.
function catalogue.resource(operation)
  return RESOURCES[operation] or "*"
end

return catalogue
