--- RAM policies in the emulator: how they are read, how they decide, and which resource a request
-- is about.

local cjson = require "cjson"
local emulator = require "spec.support.emulator"
local mime = require "mime"
local policies = require "cr.emulator.policies"
local raw = require "spec.support.raw_client"
local shape = require "cr.emulator.shape"

local ACCOUNT = "1000000000000001"
local INSTANCE, REPOSITORY = "cri-kmsiwlxxdcva****", "crr-tquyps22md8p****"
local EMPTY = "cri-emulatorempty001" -- no star in it, which a policy would read as one
local SAMPLE = { InstanceId = INSTANCE, RepoId = REPOSITORY, Tag = "1.0" }

local function cr(path)
  return ("acs:cr:cn-hangzhou:%s:%s"):format(ACCOUNT, path)
end

local function statement(effect, action, resource)
  return { Effect = effect, Action = action, Resource = resource }
end

local function policy(...)
  return { Version = "1", Statement = { ... } }
end

local function allow(action, resource)
  return policy(statement("Allow", action, resource))
end

describe("a policy", function()
  local function decide(document, action, resource)
    return policies.refusal(policies.of { policies = document }, action, resource) or "Allow"
  end

  it("allows what a statement allows, and denies the rest", function()
    local document = allow({ "cr:Get*", "cr:ListInstance" }, { "a/*", "b" })
    for action, expected in pairs {
      ["cr:GetInstance"] = "Allow", ["cr:ListInstance"] = "Allow", ["cr:Get"] = "Allow",
      ["cr:ListInstances"] = "ImplicitDeny", ["sts:GetInstance"] = "ImplicitDeny",
    } do
      assert.are.equal(expected, decide(document, action, "b"), action)
    end
    for resource, expected in pairs {
      ["a/"] = "Allow", ["a/b/c"] = "Allow", b = "Allow", a = "ImplicitDeny", bb = "ImplicitDeny",
    } do
      assert.are.equal(expected, decide(document, "cr:GetInstance", resource), resource)
    end
  end)

  it("lets a denial win over every permission, wherever it stands", function()
    local yes, no = statement("Allow", "*", "*"), statement("Deny", "cr:Delete*", "a*")
    for _, document in ipairs { policy(yes, no), policy(no, yes), { policy(no), policy(yes) } } do
      assert.are.equal("ExplicitDeny", decide(document, "cr:DeleteRepoTag", "a/b"))
      assert.are.equal("Allow", decide(document, "cr:DeleteRepoTag", "b"))
      assert.are.equal("Allow", decide(document, "cr:GetRepoTag", "a/b"))
    end
    assert.are.equal("ExplicitDeny", decide(policy(no), "cr:DeleteRepoTag", "a"))
  end)

  it("compares actions without regard to case, and resources with it", function()
    assert.are.equal("Allow", decide(allow("CR:get*", "*"), "cr:GetInstance", "x"))
    assert.are.equal("Allow", decide(allow("*", "Team/*"), "cr:GetInstance", "Team/app"))
    assert.are.equal("ImplicitDeny", decide(allow("*", "Team/*"), "cr:GetInstance", "team/app"))
  end)

  it("has * for anything and ? for one character, and nothing else that is special", function()
    for pattern, cases in pairs {
      ["a?c"] = { abc = true, ac = false, abbc = false },
      ["*b*c"] = { bc = true, abxbc = true, abcx = false, ac = false },
      ["**"] = { [""] = true, x = true },
      ["a.c"] = { ["a.c"] = true, abc = false },
      ["%w[x]"] = { ["%w[x]"] = true, ax = false },
    } do
      for text, expected in pairs(cases) do
        assert.are.equal(expected, decide(allow("*", pattern), "a", text) == "Allow",
          pattern .. " " .. text)
      end
    end
    -- ends in no time, also where going back to every star would not
    local slow = ("*a"):rep(40) .. "b"
    assert.are.equal("ImplicitDeny", decide(allow("*", slow), "a", ("a"):rep(500)))
  end)

  it("has short forms for actions on everything", function()
    local function short(given, action)
      return policies.refusal(policies.of(given), action, "x") or "Allow"
    end
    assert.are.equal("Allow", short({}, "cr:GetInstance"))
    assert.are.equal("Allow", short({ allow = { "cr:Get*" } }, "cr:GetInstance"))
    assert.are.equal("ImplicitDeny", short({ allow = { "cr:Get*" } }, "cr:ListInstance"))
    assert.are.equal("ImplicitDeny", short({ allow = {} }, "cr:ListInstance"))
    assert.are.equal("ExplicitDeny", short({ deny = { "cr:Get*" } }, "cr:GetInstance"))
    assert.are.equal("Allow", short({ deny = { "cr:Get*" } }, "cr:ListInstance"))
    local both = { policies = allow("cr:Get*", "x"), allow = { "cr:List*" }, deny = { "*:GetX" } }
    for action, expected in pairs {
      ["cr:GetA"] = "Allow", ["cr:ListA"] = "Allow", ["cr:GetX"] = "ExplicitDeny",
      ["cr:CreateA"] = "ImplicitDeny",
    } do
      assert.are.equal(expected, short(both, action), action)
    end
    assert.are.equal("ImplicitDeny", short({ policies = {} }, "cr:GetA"))
  end)
end)

describe("a fixture's mistake in policies and roles", function()
  local function user(document)
    return { users = { { name = "a", access_key_id = "b", access_key_secret = "c",
      policies = document } } }
  end

  local function with(changes)
    local one = statement("Allow", "*", "*")
    for name, value in pairs(changes) do
      one[name] = value
    end
    return user(policy(one))
  end

  it("is told with its place", function()
    local place = "users[1].policies.Statement[1]"
    for _, case in ipairs {
      { user { Version = "2", Statement = {} }, 'users[1].policies.Version: "1" expected' },
      { user { policy(), { Version = "1" } },
        "users[1].policies[2].Statement: an array expected" },
      { user { Version = "1", Statement = {}, Id = "x" },
        "users[1].policies.Id: no such name in a policy here" },
      { with { Condition = {} },
        place .. ".Condition: conditions are not evaluated here, leave it away" },
      { with { Effect = "allow" }, place .. '.Effect: "Allow" or "Deny" expected' },
      { with { Action = {} }, place .. ".Action: a string or an array of strings expected" },
      { with { Resource = { "*", 5 } },
        place .. ".Resource: a string or an array of strings expected" },
      { with { NotAction = "*" }, place .. ".NotAction: no such name in a policy here" },
      { { roles = { { arn = "a" } } }, "roles[1].name: missing" },
      { { roles = { { name = "a", policies = "b" } } }, "roles[1].policies: an object expected" },
      { { roles = { { name = "a", max_session_seconds = 60 } } },
        "roles[1].max_session_seconds: a whole number from 900 to 43200 expected" },
      { { roles = { { name = "a", session_seconds = 0 } } },
        "roles[1].session_seconds: a whole number from 1 to 31536000 expected" },
      { { oidc_providers = { { arn = "a", tokens = { { token = "b" } } } } },
        "oidc_providers[1].tokens[1].subject: missing" },
      { { metadata = { roles = "a" } }, "metadata.roles: no such name; known here: role, " },
      { { metadata = { token_required = "yes" } },
        'metadata.token_required: true or false expected, got "yes"' },
      { { credentials_uri = { role = 5 } }, "credentials_uri.role: a string expected" },
      { { cloud_sso = { access_token = "a", account_id = "b", access_configuration_id = "c" } },
        "cloud_sso.role: missing" },
    } do
      local told = shape.problem(case[1])
      assert.are.equal(case[2], told and told:sub(1, #case[2]))
    end
  end)

  it("is told also where names do not fit together", function()
    local state = require "cr.emulator.state"
    for _, case in ipairs {
      { { roles = { { name = "a" }, { name = "a" } } }, "roles[2]: name a is there twice" },
      { { roles = { { name = "a", arn = "x" }, { name = "b", arn = "x" } } },
        "roles[2]: arn x is there twice" },
      { { oidc_providers = { { arn = "x" }, { arn = "x" } } },
        "oidc_providers[2]: arn x is there twice" },
      { { metadata = { role = "nobody" } }, "metadata.role: there is no role nobody" },
      { { credentials_uri = { role = "nobody" } },
        "credentials_uri.role: there is no role nobody" },
      { { cloud_sso = { access_token = "a", account_id = "b", access_configuration_id = "c",
        role = "nobody" } }, "cloud_sso.role: there is no role nobody" },
    } do
      local registry, told = state.new(case[1])
      assert.is_nil(registry)
      assert.are.equal(case[2], told)
    end
  end)
end)

describe("the emulator's permissions", function()
  local server

  teardown(function()
    server:stop()
  end)

  local function user(name, document)
    return { name = name, access_key_id = "LTAI5t" .. name, access_key_secret = "not-a-real-one",
      policies = document }
  end

  local USERS = {
    admin = user("admin"),
    one_instance = user("one_instance", allow("cr:*", cr("instance/" .. INSTANCE))),
    other_region = user("other_region", allow("cr:*", "acs:cr:cn-beijing:*:*")),
    sample = user("sample", policy(
      statement("Allow", "cr:*", cr("repository/" .. INSTANCE .. "/sample/*")),
      statement("Deny", "cr:GetRepository", cr("repository/*/sample/builds")))),
    creator = user("creator", allow({ "cr:CreateNamespace", "cr:CreateRepository" },
      { cr("repository/" .. EMPTY), cr("repository/" .. EMPTY .. "/team") })),
    everything = user("everything", allow("cr:*", cr("*"))),
    star = user("star", allow("cr:*", "*")),
  }

  setup(function()
    local list = { USERS.admin }
    for name, entry in pairs(USERS) do
      if name ~= "admin" then
        list[#list + 1] = entry
      end
    end
    server = emulator.start { fixture = { users = list } }
  end)

  before_each(function()
    server:reset()
  end)

  --- The operation's code, or the kind of refusal.
  local function outcome(name, operation, query)
    local body = raw.call(server, operation, query, USERS[name])
    return body.AccessDeniedDetail and body.AccessDeniedDetail.NoPermissionType or body.Code
  end

  it("follow the resources that are published", function()
    local catalogue = require "cr.emulator.catalogue"
    local file = assert(io.open("api/cr-2018-12-01.json", "r"))
    local api = cjson.decode(file:read("*a")).operations
    file:close()
    file = assert(io.open("docs/emulator.md", "r"))
    local docs = file:read("*a")
    file:close()
    for _, name in ipairs { "GetInstance", "ListInstance", "GetNamespace", "ListNamespace",
      "CreateNamespace", "DeleteNamespace", "GetRepository", "ListRepository", "CreateRepository",
      "DeleteRepository", "GetRepoTag", "ListRepoTag", "DeleteRepoTag", "GetAuthorizationToken",
      "GetRepoTagScanStatus", "GetRepoTagScanSummary",
    } do
      local published = api[name].ram_resource
      assert.are.equal(type(published) == "string" and published or "*", catalogue.resource(name))
      -- and the documentation lists those that are not `*`
      local listed = catalogue.resource(name):gsub("InstanceId", "instance")
        :gsub("NamespaceName", "namespace"):gsub("RepositoryName", "repository")
        :gsub("{", "<"):gsub("}", ">")
      local row = ("\n| %s | `%s` |\n"):format(name, listed)
      assert.are.equal(listed ~= "*", docs:find(row, 1, true) ~= nil, name)
    end
  end)

  it("know the instance, region and account of a request", function()
    local instance = { InstanceId = INSTANCE }
    assert.are.equal("success", outcome("one_instance", "GetInstance", instance))
    assert.are.equal("ImplicitDeny",
      outcome("one_instance", "GetInstance", { InstanceId = EMPTY }))
    assert.are.equal("ImplicitDeny", outcome("one_instance", "ListInstance", {}))
    assert.are.equal("ImplicitDeny", outcome("other_region", "GetInstance", instance))
    for _, name in ipairs { "everything", "star", "admin" } do
      assert.are.equal("success", outcome(name, "GetInstance", instance))
      assert.are.equal("success", outcome(name, "ListInstance", {}))
      assert.are.equal("success", outcome(name, "GetRepoTag", SAMPLE))
    end
  end)

  it("know a repository by id and by name", function()
    local function get(query)
      query.InstanceId = INSTANCE
      return outcome("sample", "GetRepository", query)
    end
    assert.are.equal("success", get { RepoId = REPOSITORY })
    assert.are.equal("success", get { RepoNamespaceName = "sample", RepoName = "app" })
    assert.are.equal("ExplicitDeny", get { RepoId = "crr-emulatorbuilds01" })
    assert.are.equal("ExplicitDeny", get { RepoNamespaceName = "sample", RepoName = "builds" })
    -- the id decides, as it does for the operation
    assert.are.equal("ExplicitDeny", get { RepoId = "crr-emulatorbuilds01",
      RepoNamespaceName = "sample", RepoName = "app" })
    assert.are.equal("ImplicitDeny", get { RepoNamespaceName = "team", RepoName = "app" })
    assert.are.equal("ImplicitDeny", get { RepoId = "crr-nobody" })
    assert.are.equal("REPO_NOT_EXIST", get { RepoNamespaceName = "sample", RepoName = "nobody" })
    -- GetRepoTag is about `repository/<instance>`, and ListRepoTag about no one resource
    assert.are.equal("ImplicitDeny", outcome("sample", "GetRepoTag", SAMPLE))
    assert.are.equal("ImplicitDeny", outcome("sample", "ListRepoTag", SAMPLE))
  end)

  it("know a namespace by name and by id", function()
    local function get(operation, query)
      query.InstanceId = INSTANCE
      return outcome("sample", operation, query)
    end
    local by_name = { InstanceId = INSTANCE, NamespaceName = "sample" }
    local id = raw.call(server, "GetNamespace", by_name).NamespaceId
    assert.are.equal("ImplicitDeny", get("GetNamespace", { NamespaceName = "sample" }))
    assert.are.equal("ImplicitDeny", get("GetNamespace", { NamespaceId = id }))
    assert.are.equal("success", get("ListRepository", { RepoNamespaceName = "sample" }))
    assert.are.equal("ImplicitDeny", get("ListRepository", { RepoNamespaceName = "team" }))
    assert.are.equal("ImplicitDeny", get("ListRepository", {}))
    local refused = raw.call(server, "GetNamespace", { InstanceId = INSTANCE, NamespaceId = id },
      USERS.sample)
    local diagnostic = refused.AccessDeniedDetail.EncodedDiagnosticMessage
    local told = cjson.decode((mime.unb64(diagnostic)))
    assert.are.equal(cr("repository/" .. INSTANCE .. "/sample"), told.resource)
    assert.are.equal("cr:GetNamespace", told.action)
    assert.are.equal("sample", told.user)
  end)

  it("know what is to be created", function()
    local function create(operation, query)
      query.InstanceId, query.RepoType, query.Summary = EMPTY, "PRIVATE", "s"
      return outcome("creator", operation, query)
    end
    assert.are.equal("success", create("CreateNamespace", { NamespaceName = "team" }))
    assert.are.equal("success",
      create("CreateRepository", { RepoNamespaceName = "team", RepoName = "new" }))
    assert.are.equal("ImplicitDeny",
      create("CreateRepository", { RepoNamespaceName = "sample", RepoName = "new" }))
  end)

  it("give a session no more than its own policy", function()
    local function session(document)
      local body = raw.sts(server, "AssumeRole", {
        RoleArn = "acs:ram::" .. ACCOUNT .. ":role/reader", RoleSessionName = "spec",
        Policy = cjson.encode(document),
      })
      return raw.user_of(body.Credentials)
    end
    local function refusal(document, operation, query)
      local detail = raw.call(server, operation, query, session(document)).AccessDeniedDetail
      return detail and detail.PolicyType .. " " .. detail.NoPermissionType
    end
    local instance = { InstanceId = INSTANCE }
    local narrow = allow({ "cr:GetInstance", "cr:CreateNamespace" }, cr("instance/" .. INSTANCE))
    assert.is_nil(refusal(narrow, "GetInstance", instance))
    assert.are.equal("SessionPolicy ImplicitDeny", refusal(narrow, "GetRepoTag", SAMPLE))
    assert.are.equal("SessionPolicy ImplicitDeny",
      refusal(narrow, "GetInstance", { InstanceId = EMPTY }))
    assert.are.equal("SessionPolicy ExplicitDeny", refusal(policy(statement("Allow", "*", "*"),
      statement("Deny", "cr:GetInstance", "*")), "GetInstance", instance))
    -- the role's own policies stay
    assert.are.equal("AccountLevelIdentityBasedPolicy ImplicitDeny",
      refusal(allow("*", "*"), "CreateNamespace", { InstanceId = INSTANCE, NamespaceName = "n" }))
    assert.are.equal("SessionPolicy ImplicitDeny",
      refusal({ Version = "1", Statement = {} }, "GetInstance", instance))
  end)
end)
