--- examples/retention.lua against the emulator: what is chosen, that nothing is deleted unless it
-- is told to, what fails.

local cr = require "cr"
local emulator = require "spec.support.emulator"
local example = require "spec.support.example"

local DAY = 86400

local function tag(name, days, more)
  local made = {
    Tag = name, ImageSize = 1048576, ImageUpdate = math.floor(os.time() - days * DAY) * 1000,
    ImageCreate = 1000, Digest = ("%064x"):format(days * 1000),
  }
  for key, value in pairs(more or {}) do
    made[key] = value
  end
  return made
end

local function many()
  local tags = {}
  for number = 1, 130 do
    tags[number] = tag("n" .. number, 1000 - number)
  end
  return tags
end

describe("examples/retention.lua", function()
  local server

  setup(function()
    server = emulator.start { fixture = {
      instances = { { InstanceId = "cri-keep", namespaces = { { NamespaceName = "team",
        repositories = {
          { RepoName = "app", RepoId = "crr-app", tags = {
            tag("old", 50.5), tag("older", 99.5), tag("new", 1), tag("edge", 29.9),
            tag("going", 400, { Status = "DELETING" }),
          } },
          { RepoName = "web", RepoId = "crr-web", tags = { tag("only", 700.5) } },
          { RepoName = "many", RepoId = "crr-many", tags = many() },
          { RepoName = "none", RepoId = "crr-none" },
        } } } } },
    } }
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  local function run(arguments)
    return example.run(server, "retention.lua " .. arguments)
  end

  --- Names of the tags that a repository has.
  local function tags_of(id)
    local client = cr.new { endpoint = server.endpoint, credentials = { type = "access_key",
      access_key_id = server.access_key_id, access_key_secret = server.access_key_secret } }
    local names = {}
    for _, image in ipairs(assert(client:list_repo_tag { InstanceId = "cri-keep", RepoId = id,
      PageSize = 100 }).Images) do
      names[#names + 1] = image.Tag
    end
    table.sort(names)
    return names
  end

  local function deletions()
    local count = 0
    for _, entry in ipairs(server:log()) do
      count = count + (entry.operation == "DeleteRepoTag" and 1 or 0)
    end
    return count
  end

  it("tells what it would delete, with ages and sizes, and deletes nothing", function()
    local output, status, err = run "--days 30 --repository team/app cri-keep"
    assert.equal([[
would delete  team/app:older  99 days  1.0 MiB
would delete  team/app:old  50 days  1.0 MiB
Would delete 2 tags, 2.0 MiB. Nothing was deleted: that takes --yes.
]], output)
    assert.equal(0, status)
    assert.equal("", err)
    assert.equal(0, deletions())
  end)

  it("deletes that, and no other, with --yes", function()
    local output, status, err = run "--days 30 --repository crr-app --yes cri-keep"
    assert.matches("\nDeleted 2 of 2 tags, 2%.0 MiB%.\n$", output)
    assert.matches("deleted  team/app:older  99 days  1%.0 MiB\n", output)
    assert.equal(0, status)
    assert.equal("", err)
    assert.same({ "edge", "going", "new" }, tags_of "crr-app")
    output = run "--days 30 --repository team/app --yes cri-keep"
    assert.equal("Deleted 0 of 0 tags, 0 bytes.\n", output)
    assert.equal(2, deletions())
  end)

  it("keeps the newest of each repository, however old", function()
    for keep, count in pairs { [0] = 134, [1] = 132, [3] = 128, [200] = 0 } do
      local output, status = run(("--days 10 --keep %d cri-keep"):format(keep))
      assert.matches(("\nWould delete %d tags, "):format(count), "\n" .. output)
      assert.equal(0, status)
    end
    run "--days 0 --keep 2 --yes cri-keep"
    assert.same({ "edge", "going", "new" }, tags_of "crr-app") -- one on its way does not count
    assert.same({ "only" }, tags_of "crr-web")
    assert.same({ "n129", "n130" }, tags_of "crr-many")
  end)

  it("goes on after a deletion that fails, and tells", function()
    server:fault { operation = "DeleteRepoTag", status = 403, code = "NoPermission" }
    local output, status, err = run("--days 30 --repository team/app --repository team/web " ..
      "--keep 0 --concurrency 1 --yes cri-keep")
    assert.equal(1, status)
    assert.matches("^retention%.lua: team/app:older: DeleteRepoTag: NoPermission ", err)
    assert.matches("\nDeleted 2 of 3 tags, 2%.0 MiB%.\n$", output)
    assert.same({ "edge", "going", "new", "older" }, tags_of "crr-app")
    assert.same({}, tags_of "crr-web")
  end)

  it("leaves a repository alone that it could not read whole", function()
    server:fault { operation = "ListRepoTag", delay_ms = 1 }
    server:fault { operation = "ListRepoTag", status = 403, code = "NoPermission" }
    local output, status, err = run(
      "--days 30 --repository team/many --repository team/app --concurrency 1 --yes cri-keep")
    assert.equal(1, status)
    assert.matches("^retention%.lua: ListRepoTag: NoPermission ", err)
    local app, many_left = tags_of "crr-app", tags_of "crr-many"
    assert.is_true(#app == 5 or #many_left == 100) -- one of them
    assert.matches("\nDeleted %d+ of %d+ tags", "\n" .. output)
    assert.is_nil(output:find(#app == 5 and "team/app" or "team/many", 1, true))
  end)

  it("tells of a repository that is not there, and goes on with the others", function()
    local output, status, err = run(
      "--days 30 --repository team/nowhere --repository crr-nowhere --repository team/app cri-keep")
    assert.equal(1, status)
    assert.matches("^retention%.lua: team/nowhere: GetRepository: REPO_NOT_EXIST", err)
    assert.matches("\nretention%.lua: crr%-nowhere: GetRepository: REPO_NOT_EXIST", err)
    assert.matches("\nWould delete 2 tags, ", output)
  end)

  it("says how it is used, and does nothing", function()
    for _, wrong in ipairs { "cri-keep", "--days cri-keep", "--days -1 cri-keep",
      "--days 1.5 cri-keep", "--days 1", "--days 1 --keep x cri-keep",
      "--days 1 --concurrency 0 cri-keep",
      "--days 1 --delete cri-keep" } do
      local output, status, err = run(wrong)
      assert.equal(2, status)
      assert.equal("", output)
      assert.matches("Usage: retention%.lua .*\nretention%.lua: ", err)
    end
    assert.same({}, server:log())
  end)
end)
