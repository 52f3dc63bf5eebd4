--- Writes a fixture for the emulator: one instance with so many repositories of so many tags.
--
--     lua5.4 bench/audit_fixture.lua REPOSITORIES TAGS > fixture.json
--     cr emulator --fixture fixture.json
--
-- Every tag has a size, a date and a digest of its own, all of them the same in every run.

local INSTANCE = "cri-auditfixture0001"

local FIRST_PUSH = 1572839125000 -- milliseconds since the epoch
local HOUR = 3600000

local function tag(repository, number)
  local seed = repository * 1000 + number
  return ('{"Tag":"1.%d","ImageSize":%d,"ImageCreate":%.0f,"ImageUpdate":%.0f,"Digest":"%064x"}')
    :format(number, 1048576 + seed * 7919 % 99999989, FIRST_PUSH, FIRST_PUSH + seed * HOUR, seed)
end

local repositories, tags = tonumber(arg[1]), tonumber(arg[2])
if not repositories or not tags then
  io.stderr:write("usage: audit_fixture.lua REPOSITORIES TAGS\n")
  os.exit(2)
end

local list = {}
for repository = 1, repositories do
  local own = {}
  for number = 1, tags do
    own[number] = tag(repository, number)
  end
  list[repository] = ('{"RepoName":"app-%d","RepoId":"crr-audit%08d","tags":[%s]}'):format(
    repository, repository, table.concat(own, ","))
end
io.stdout:write(([[{"instances":[{"InstanceId":"%s","namespaces":[{"NamespaceName":"audit",
"repositories":[%s]}]}]}]]):format(INSTANCE, table.concat(list, ",\n")), "\n")
