--- Deletes old tags: lists what is older than some days, and deletes it only with --yes.
--
--     lua5.4 examples/retention.lua --days N [--keep N] [--repository NAME]… [--yes] [INSTANCE_ID]
--
-- A tag's age is the time since it was last pushed (ImageUpdate, or ImageCreate where there is
-- none). The newest tags of each repository, as many as --keep says (1), stay however old they are;
-- tags that are being deleted already neither count nor are deleted again; a tag without a date
-- stays. --repository is <namespace>/<name> or a RepoId, and can be given several times; all
-- repositories of the instance are looked at without it. The instance is CR_INSTANCE_ID where it is
-- not named; region and credentials come from the environment.
--
-- Everything is read before anything is deleted, so that no page shifts under the reader, and a
-- repository of which something could not be read is left as it is. A tag pushed to between
-- the reading and the deleting is deleted all the same: the API has no condition for that. Ages are
-- by this machine's clock.
--
-- Exit status: 0 when everything could be read and, with --yes, deleted; 1 when something could
-- not; 2 for a wrong option.

local argparse = require "argparse"
local cr = require "cr"

local PAGE_SIZE = 100 -- the most that the API gives
local DAY = 86400 -- seconds

local function whole(text)
  local number = tonumber(text)
  if not (number and number >= 0 and number <= 1e6 and number % 1 == 0) then
    return nil, ("'%s' is no whole number from 0 to 1000000"):format(text)
  end
  return number
end

local function options()
  local parser = argparse("retention.lua", "Lists old tags; deletes them with --yes.")
  parser:argument("instance", "instance id, else CR_INSTANCE_ID"):args "?"
  parser:option("--days", "older than this many days"):count(1):convert(whole)
  parser:option("--keep", "newest tags that stay, per repository", "1"):convert(whole)
  parser:option("--repository", "<namespace>/<name> or RepoId; all if not given"):count "*"
  parser:option("--concurrency", "requests in flight", "16"):convert(whole)
  parser:flag("--yes", "delete")
  local ok, given = parser:pparse()
  local problem = not ok and given
  given = ok and given or {}
  given.instance = given.instance or os.getenv "CR_INSTANCE_ID"
  if ok and not given.instance then
    problem = "no instance: name one, or set CR_INSTANCE_ID"
  elseif ok and (given.concurrency < 1 or given.concurrency > 1000) then
    problem = "--concurrency must be from 1 to 1000"
  end
  if problem then
    io.stderr:write(parser:get_usage(), "\nretention.lua: ", problem, "\n")
    os.exit(2)
  end
  return given
end

local given = options()
local failed = false

local function complain(...)
  failed = true
  io.stderr:write("retention.lua: ", table.concat { ... }, "\n")
end

local UNITS = { "bytes", "KiB", "MiB", "GiB", "TiB", "PiB" }

--- Bytes → "25.9 MiB".
local function size(bytes)
  local unit = 1
  while bytes >= 1024 and unit < #UNITS do
    bytes, unit = bytes / 1024, unit + 1
  end
  return (unit == 1 and "%.0f %s" or "%.1f %s"):format(bytes, UNITS[unit])
end

--- Calls f for each repository that was asked for; what cannot be found is told.
local function each_repository(f)
  if #given.repository == 0 then
    for repository in cr.items("ListRepository",
      { InstanceId = given.instance, PageSize = PAGE_SIZE }) do
      f(repository)
    end
    return
  end
  for _, wanted in ipairs(given.repository) do
    local namespace, name = wanted:match("^([^/]+)/(.+)$")
    local repository, err = cr.get_repository {
      InstanceId = given.instance, RepoNamespaceName = namespace, RepoName = name,
      RepoId = not namespace and wanted or nil,
    }
    if repository then
      f(repository)
    else
      complain(wanted, ": ", tostring(err))
    end
  end
end

--- Adds to `old` the tags of a repository that go.
local function select_tags(repository, old)
  local id = repository.RepoId
  local tags = {}
  for tag in cr.items("ListRepoTag",
    { InstanceId = given.instance, RepoId = id, PageSize = PAGE_SIZE }) do
    local updated = tonumber(tag.ImageUpdate) or tonumber(tag.ImageCreate)
    if tag.Status ~= "DELETING" and updated then
      tags[#tags + 1] = {
        repository = ("%s/%s"):format(repository.RepoNamespaceName, repository.RepoName),
        id = id, tag = tag.Tag, size = tonumber(tag.ImageSize) or 0,
        age = (os.time() - updated / 1000) / DAY,
      }
    end
  end
  table.sort(tags, function(a, b)
    if a.age ~= b.age then
      return a.age < b.age
    end
    return a.tag < b.tag
  end)
  for index = given.keep + 1, #tags do
    if tags[index].age > given.days then
      old[#old + 1] = tags[index]
    end
  end
end

--- What goes, by repository, the oldest first.
local function read()
  local old = {}
  cr.run(function(spawn)
    each_repository(function(repository)
      spawn(select_tags, repository, old)
    end)
  end, {
    concurrency = given.concurrency,
    on_error = function(err)
      complain(tostring(err))
    end,
  })
  table.sort(old, function(a, b)
    if a.repository ~= b.repository then
      return a.repository < b.repository
    elseif a.age ~= b.age then
      return a.age > b.age
    end
    return a.tag < b.tag
  end)
  return old
end

local function line_of(tag)
  return ("%s:%s  %d days  %s"):format(tag.repository, tag.tag, math.floor(tag.age), size(tag.size))
end

--- Deletes, and tells each as it is done.
local function delete(old)
  local list = {}
  for index, tag in ipairs(old) do
    list[index] = { InstanceId = given.instance, RepoId = tag.id, Tag = tag.tag }
  end
  local count, bytes = 0, 0
  for index, answer, err in cr.map("DeleteRepoTag", list, { concurrency = given.concurrency }) do
    local tag = old[index]
    if answer then
      count, bytes = count + 1, bytes + tag.size
      print("deleted  " .. line_of(tag))
    else
      complain(tag.repository, ":", tag.tag, ": ", tostring(err))
    end
  end
  print(("Deleted %d of %d tags, %s."):format(count, #old, size(bytes)))
end

local old = read()
if given.yes then
  delete(old)
else
  local bytes = 0
  for _, tag in ipairs(old) do
    bytes = bytes + tag.size
    print("would delete  " .. line_of(tag))
  end
  print(("Would delete %d tags, %s. Nothing was deleted: that takes --yes."):format(#old,
    size(bytes)))
end
os.exit(failed and 1 or 0)
