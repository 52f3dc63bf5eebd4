--- What the registry holds: users, roles, instances, namespaces, repositories, tags.
--
-- Lives in the memory of nginx's one worker and is built from a fixture, at the start and again at
-- every reset. Plain Lua without nginx, so that the launcher can build it too, to find what is
-- wrong with a fixture before there is a server.

local default = require "cr.emulator.fixture"
local identities = require "cr.emulator.identities"
local shape = require "cr.emulator.shape"

local state = {}

local SAMPLE_TIME = 1572839125000 -- for what a fixture leaves out; fixed, so that answers repeat

-- Ordered set: `list` for paging, `by_key` for looking up.
local Collection = {}
Collection.__index = Collection

local function collection(key)
  return setmetatable({ key = key, list = {}, by_key = {} }, Collection)
end

function Collection:get(key)
  return self.by_key[key]
end

function Collection:add(item)
  self.list[#self.list + 1] = item
  self.by_key[item[self.key]] = item
  return item
end

function Collection:remove(item)
  for index, candidate in ipairs(self.list) do
    if candidate == item then
      table.remove(self.list, index)
      self.by_key[item[self.key]] = nil
      return
    end
  end
end

--- Adds what comes from a fixture: a key that is there already is the fixture's mistake.
function Collection:add_once(item, place)
  local key = item[self.key]
  if self:get(key) then
    error({ fixture = ("%s: %s %s is there twice"):format(place, self.key, key) })
  end
  return self:add(item)
end

local function with_defaults(defaults, given)
  local record = {}
  for name, value in pairs(defaults) do
    record[name] = value
  end
  for name, value in pairs(given) do
    if type(value) ~= "table" then
      record[name] = value
    end
  end
  return record
end

--- Hex digits that look random and are the same in every run (Lehmer's generator).
local function digits(seed, count)
  local value, out = 1 + seed % 2147483646, {}
  for index = 1, count do
    value = value * 16807 % 2147483647
    out[index] = ("%x"):format(math.floor(value / 16) % 16)
  end
  return table.concat(out)
end

local function seed_of(text)
  local seed = 7
  for index = 1, #text do
    seed = (seed * 131 + text:byte(index)) % 2147483647
  end
  return seed
end

--- A new identifier such as "crr-0123456789abcdef".
function state.new_id(registry, prefix)
  registry.last_id = registry.last_id + 1
  return prefix .. digits(registry.last_id * 7919, 16)
end

local function new_tag(repository, given)
  local seed = seed_of(repository.RepoId .. ":" .. given.Tag)
  local tag = with_defaults({
    Status = "NORMAL", ImageCreate = SAMPLE_TIME, ImageSize = 20971520 + seed % 10485760,
    Digest = digits(seed, 64), ImageId = digits(seed + 1, 64),
  }, given)
  tag.ImageUpdate = tag.ImageUpdate or tag.ImageCreate
  tag.scans = given.scans -- statuses of its scan, one after the other
  tag.vulnerabilities = given.vulnerabilities or {}
  return tag
end

local function load_tags(repository, given, place)
  for index, tag in ipairs(given.tags or {}) do
    repository.tags:add_once(new_tag(repository, tag), ("%s.tags[%d]"):format(place, index))
  end
  local generate = given.generate
  if generate and generate.count > shape.MAX_GENERATED then
    error({ fixture = ("%s.generate.count: at most %d"):format(place, shape.MAX_GENERATED) })
  end
  for index = 1, generate and generate.count or 0 do
    repository.tags:add_once(new_tag(repository, {
      Tag = ("%s%03d"):format(generate.prefix or "tag-", index),
      ImageCreate = SAMPLE_TIME + index * 60000,
    }), place .. ".generate")
  end
end

--- @param given the fields that are known; RepoId and the rest get defaults
function state.new_repository(registry, instance, namespace, given)
  local repository = with_defaults({
    RepoType = "PRIVATE", RepoBuildType = "MANUAL", RepoStatus = "NORMAL", Summary = "",
    Detail = "", TagImmutability = false, ResourceGroupId = namespace.ResourceGroupId,
    CreateTime = SAMPLE_TIME,
  }, given)
  repository.RepoId = repository.RepoId or state.new_id(registry, "crr-")
  repository.ModifiedTime = repository.ModifiedTime or repository.CreateTime
  repository.InstanceId = instance.InstanceId
  repository.RepoNamespaceName = namespace.NamespaceName
  repository.path = namespace.NamespaceName .. "/" .. repository.RepoName
  repository.tags = collection("Tag")
  return repository
end

function state.new_namespace(registry, instance, given)
  local namespace = with_defaults({
    NamespaceStatus = "NORMAL", AutoCreateRepo = false, DefaultRepoType = "PRIVATE",
    ResourceGroupId = instance.ResourceGroupId,
  }, given)
  namespace.NamespaceId = namespace.NamespaceId or state.new_id(registry, "crn-")
  namespace.InstanceId = instance.InstanceId
  return namespace
end

local function load_namespace(registry, instance, given, place)
  local namespace = instance.namespaces:add_once(
    state.new_namespace(registry, instance, given), place)
  for index, entry in ipairs(given.repositories or {}) do
    local here = ("%s.repositories[%d]"):format(place, index)
    local repository = state.new_repository(registry, instance, namespace, entry)
    instance.repositories:add_once(repository, here)
    if instance.paths[repository.path] then
      error({ fixture = ("%s: RepoName %s is there twice"):format(here, repository.RepoName) })
    end
    instance.paths[repository.path] = repository
    load_tags(repository, entry, here)
  end
end

local function load_instance(registry, given, place)
  local instance = with_defaults({
    InstanceName = given.InstanceId, InstanceSpecification = "Enterprise_Basic",
    InstanceStatus = "RUNNING", InstanceIssue = "", ResourceGroupId = "rg-emulator",
    CreateTime = SAMPLE_TIME,
  }, given)
  instance.ModifiedTime = instance.ModifiedTime or instance.CreateTime
  instance.RegionId = registry.region
  instance.namespaces = collection("NamespaceName")
  instance.repositories = collection("RepoId")
  instance.paths = {} -- "namespace/name" → repository
  instance.deleted = {} -- RepoId and "namespace/name" of what is gone → true
  registry.instances:add_once(instance, place)
  for index, entry in ipairs(given.namespaces or {}) do
    load_namespace(registry, instance, entry, ("%s.namespaces[%d]"):format(place, index))
  end
end

local function load(fixture)
  local registry = {
    region = fixture.region or default.region,
    account = fixture.account or default.account,
    users = collection("access_key_id"),
    roles = collection("name"),
    oidc_providers = collection("arn"),
    instances = collection("InstanceId"),
    last_id = 0,
  }
  identities.load(registry, fixture)
  for index, given in ipairs(fixture.instances or default.instances) do
    load_instance(registry, given, ("instances[%d]"):format(index))
  end
  return registry
end

--- Builds a registry.
-- @return the registry, or nil and what is wrong with the fixture, place first
function state.new(fixture)
  local problem = shape.problem(fixture)
  if problem then
    return nil, problem
  end
  local ok, result = pcall(load, fixture)
  if ok then
    return result
  elseif type(result) == "table" and result.fixture then
    return nil, result.fixture
  end
  error(result, 0)
end

return state
