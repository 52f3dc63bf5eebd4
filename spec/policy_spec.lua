--- The smallest RAM policy for some operations, held against the emulator's own engine.

local cjson = require "cjson"
local cr = require "cr"
local emulator = require "spec.support.emulator"
local fixture = require "spec.support.fixture"

local api = fixture.json "api/cr-2018-12-01.json"

local function statement(actions, resources)
  return { Effect = "Allow", Action = actions, Resource = resources }
end

--- The statements of a policy that leaves nothing out.
local function statements(names, options)
  local policy, unpublished = cr.policy(names, options)
  assert.equal("1", policy.Version)
  assert.same({}, unpublished)
  return policy.Statement
end

describe("a policy", function()
  it("allows an operation's action on its resource", function()
    assert.same({ statement({ "cr:GetInstance" }, { "acs:cr:*:*:instance/*" }) },
      statements "GetInstance")
    assert.same({ statement({ "cr:GetInstance" }, { "acs:cr:cn-hangzhou:123:instance/cri-1" }) },
      statements({ "get_instance" },
        { region = "cn-hangzhou", account = "123", resources = { InstanceId = "cri-1" } }))
  end)

  it("has each action once, and one statement for all actions on the same resources", function()
    local options = { resources = { InstanceId = "cri-1" } }
    assert.same({
      statement({ "cr:CreateNamespace", "cr:CreateSyncRule" }, { "acs:cr:*:*:repository/cri-1" }),
      statement({ "cr:GetInstance", "cr:GetInstanceUsage" }, { "acs:cr:*:*:instance/cri-1" }),
    }, statements({ "GetInstanceUsage", "CreateRepoSyncRule", "GetInstance", "CreateNamespace",
      "get_instance" }, options))
  end)

  it("takes every value there is for a name", function()
    assert.same({ statement({ "cr:GetRepository" }, {
      "acs:cr:*:*:repository/cri-1/team/app", "acs:cr:*:*:repository/cri-1/team/web-*",
    }) }, statements("GetRepository", { resources = {
      InstanceId = "cri-1", NamespaceName = "team", RepositoryName = { "web-*", "app" },
    } }))
    assert.same({ statement({ "cr:UpdateRepositoryBuildRule" },
      { "acs:cr:*:*:repository/crr-1" }) },
      statements("UpdateRepoBuildRule", { resources = { RepositoryId = "crr-1" } }))
  end)

  it("leaves out a resource that another one covers", function()
    -- ListRepoTag needs the same action as GetRepoTag, on everything.
    assert.same({ statement({ "cr:ListRepositoryTag" }, { "*" }) },
      statements({ "GetRepoTag", "ListRepoTag" }, { resources = { InstanceId = "cri-1" } }))
    assert.same({ statement({ "cr:GetInstance" }, { "acs:cr:*:*:instance/cri-*" }) },
      statements("GetInstance", { resources = { InstanceId = { "cri-1", "cri-*", "cri-?" } } }))
    assert.same({ statement({ "cr:GetInstance" },
      { "acs:cr:*:*:instance/a.c", "acs:cr:*:*:instance/abc" }) },
      statements("GetInstance", { resources = { InstanceId = { "abc", "a.c" } } }))
  end)

  it("has * where no resource is published, or only a part of one", function()
    for _, name in ipairs { "DeleteRepoTag", "ListRepoTrigger", "GetChartRepository",
      "UpdateRepository", "GetAuthorizationToken" } do
      assert.same({ "*" }, statements(name, { region = "cn-hangzhou",
        resources = { InstanceId = "cri-1" } })[1].Resource, name)
    end
  end)

  it("names the operations whose action is not published, and guesses none", function()
    local policy, unpublished = cr.policy { "ListScanRule", "GetInstance", "delete_repository",
      "DeleteRepository" }
    assert.same({ "DeleteRepository", "ListScanRule" }, unpublished)
    assert.same({ statement({ "cr:GetInstance" }, { "acs:cr:*:*:instance/*" }) },
      policy.Statement)
  end)

  it("has every action that the API's description has, and no other", function()
    local names, actions = {}, {}
    for name, operation in pairs(api.operations) do
      names[#names + 1] = name
      if operation.ram_action then
        actions[operation.ram_action] = true
      end
    end
    local policy, unpublished = cr.policy(names)
    local missing = 0
    for _, operation in pairs(api.operations) do
      missing = missing + (operation.ram_action and 0 or 1)
    end
    assert.equal(missing, #unpublished)
    local allowed = {}
    for _, one in ipairs(policy.Statement) do
      for _, action in ipairs(one.Action) do
        assert.is_nil(allowed[action])
        allowed[action] = true
      end
    end
    assert.same(actions, allowed)
  end)

  it("is JSON as a string, its arrays arrays", function()
    local policy = cr.policy({ "GetInstance", "ListInstance" },
      { resources = { InstanceId = { "cri-1", "cri-2" } } })
    local decoded = cjson.decode(tostring(policy))
    assert.same({ Version = policy.Version, Statement = policy.Statement }, decoded)
    assert.same(decoded, cjson.decode(cjson.encode(policy)))
    assert.equal('{\n  "Version": "1",\n  "Statement": []\n}', tostring(cr.policy "ListScanRule"))
  end)

  it("is refused for an operation that is not there", function()
    local policy, err = cr.policy { "GetInstance", "get_repo_tga" }
    assert.is_nil(policy)
    assert.equal("UnknownOperation", err.code)
    assert.equal("policy: UnknownOperation: no such operation: get_repo_tga; did you mean " ..
      "get_repo_tag?", tostring(err))
    policy, err = cr.policy "X"
    assert.is_nil(policy)
    assert.is_nil(tostring(err):find("did you mean", 1, true))
  end)

  it("is refused with a value that cannot be part of a resource", function()
    for _, options in ipairs {
      { region = "cn hangzhou" }, { account = "1:2" }, { region = "" },
      { resources = { InstanceId = { "cri-1", 'cri"' } } },
      { resources = { NamespaceName = "a/b" } },
    } do
      local policy, err = cr.policy("GetInstance", options)
      assert.is_nil(policy)
      assert.equal("InvalidParameter", err.code)
    end
  end)

  it("raises at the caller's line for what no data can excuse", function()
    for expected, arguments in pairs {
      ["must be a name or an array of names, got a nil"] = {},
      ["must be an array of at least one name"] = { {} },
      ["an array of at least one"] = { { GetInstance = true } },
      ["operation 2 must be a string, got a number"] = { { "GetInstance", 2 } },
      ["options must be a table, got a string"] = { "GetInstance", "cn-hangzhou" },
      ["unknown option regoin; did you mean region?"] = { "GetInstance", { regoin = "x" } },
      ["account must be a string, got a number"] = { "GetInstance", { account = 123 } },
      ["resources must be a table, got a string"] = { "GetInstance", { resources = "cri-1" } },
      ["unknown name in resources: InstanceID; did you mean InstanceId?"] =
        { "GetInstance", { resources = { InstanceID = "cri-1" } } },
      ["unknown name in resources: RepoName; there are InstanceId, NamespaceName,"] =
        { "GetInstance", { resources = { RepoName = "x" } } },
      ["resources.InstanceId must be a string or an array of strings"] =
        { "GetInstance", { resources = { InstanceId = {} } } },
    } do
      local ok, message = pcall(function()
        local policy = cr.policy(arguments[1], arguments[2])
        return policy
      end)
      assert.is_false(ok)
      assert.truthy(message:find("policy_spec.lua", 1, true), message)
      assert.truthy(message:find(expected, 1, true), message)
    end
  end)
end)

describe("whose only policy is the one for some calls", function()
  local INSTANCE, OTHER = "cri-policyspec01", "cri-policyspec02"

  -- Every operation that the emulator has and whose action is published, as calls on two instances
  -- and two repositories.
  local function calls_on(instance, repository)
    local by_name = { InstanceId = instance, RepoNamespaceName = "team", RepoName = repository }
    return {
      GetInstance = { InstanceId = instance },
      ListInstance = {},
      GetAuthorizationToken = { InstanceId = instance },
      GetNamespace = { InstanceId = instance, NamespaceName = "team" },
      ListNamespace = { InstanceId = instance },
      CreateNamespace = { InstanceId = instance, NamespaceName = "new" },
      GetRepository = by_name,
      ListRepository = { InstanceId = instance, RepoNamespaceName = "team" },
      CreateRepository = { InstanceId = instance, RepoNamespaceName = "team", RepoName = "new",
        RepoType = "PRIVATE", Summary = "s" },
      GetRepoTag = { InstanceId = instance, RepoId = "crr-" .. repository, Tag = "1.0" },
      ListRepoTag = { InstanceId = instance, RepoId = "crr-" .. repository },
      DeleteRepoTag = { InstanceId = instance, RepoId = "crr-" .. repository, Tag = "1.0" },
    }
  end

  local function repository(name)
    return { RepoId = "crr-" .. name, RepoName = name, tags = { { Tag = "1.0" } } }
  end

  local server

  after_each(function()
    server:stop()
  end)

  --- A client of an emulator in which everybody's policy is this one.
  local function client_with(policy)
    local instances = {}
    for index, id in ipairs { INSTANCE, OTHER } do
      local suffix = index == 2 and "-other" or ""
      instances[index] = { InstanceId = id, namespaces = { { NamespaceName = "team",
        repositories = { repository("app" .. suffix), repository("web" .. suffix) } } } }
    end
    server = emulator.start { fixture = {
      instances = instances,
      users = { { name = "job", access_key_id = "LTAI5tJob", access_key_secret = "not-a-real-one",
        policies = cjson.decode(tostring(policy)) } },
      roles = { { name = "job", policies = cjson.decode(tostring(policy)) } },
    } }
    return cr.new { endpoint = server.endpoint, max_attempts = 1, credentials = {
      type = "access_key", access_key_id = "LTAI5tJob", access_key_secret = "not-a-real-one" } }
  end

  --- The operations that are not refused.
  local function allowed(client, calls)
    local names = {}
    server:reset()
    for name, params in pairs(calls) do
      local answer, err = client:call(name, params)
      if answer then
        names[#names + 1] = name
      else
        assert.equal("NoPermission", err.code)
      end
    end
    table.sort(names)
    return names
  end

  for _, names in ipairs {
    { "GetInstance" },
    { "GetRepository" },
    { "CreateNamespace", "GetNamespace" },
    { "CreateRepository", "GetInstance", "ListRepository" },
    { "DeleteRepoTag" },
    { "ListInstance", "ListNamespace" },
    { "GetAuthorizationToken" },
  } do
    it("may make these and no other: " .. table.concat(names, ", "), function()
      local policy = cr.policy(names, { region = "cn-hangzhou", account = "1000000000000001",
        resources = { InstanceId = INSTANCE, NamespaceName = "team" } })
      local client = client_with(policy)
      assert.same(names, allowed(client, calls_on(INSTANCE, "app")))
      -- Elsewhere only what cannot be narrowed.
      local everywhere = {}
      for _, name in ipairs(names) do
        local resource = api.operations[name].ram_resource
        if not resource or resource == "*" then
          everywhere[#everywhere + 1] = name
        end
      end
      assert.same(everywhere, allowed(client, calls_on(OTHER, "app-other")))
    end)
  end

  it("may do on one repository what others may not be asked for", function()
    local policy = cr.policy("GetRepository", { resources = {
      InstanceId = INSTANCE, NamespaceName = "team", RepositoryName = { "app" } } })
    local client = client_with(policy)
    assert.same({ "GetRepository" }, allowed(client, calls_on(INSTANCE, "app")))
    assert.same({}, allowed(client, calls_on(INSTANCE, "web")))
  end)

  it("may list and describe tags, which is one action", function()
    local client = client_with((cr.policy { "GetRepoTag" }))
    assert.same({ "GetRepoTag" }, allowed(client, calls_on(INSTANCE, "app")))
    server:stop()
    client = client_with((cr.policy { "GetRepoTag", "ListRepoTag" }))
    assert.same({ "GetRepoTag", "ListRepoTag" }, allowed(client, calls_on(INSTANCE, "app")))
  end)
end)
