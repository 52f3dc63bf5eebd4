--- A registry for the specs of gates: one repository with a tag for each reason to refuse it.

local tags = {}

local DAY = 86400000

--- A digest of 64 digits that looks like none other.
function tags.digest(digit)
  return (digit .. "f"):rep(32)
end

--- @tparam ?table more tags
function tags.fixture(more)
  local now = os.time() * 1000
  local list = {
    { Tag = "good", ImageCreate = now - DAY, Digest = tags.digest "1" },
    { Tag = "old", ImageCreate = now - 40 * DAY, Digest = tags.digest "2" },
    { Tag = "deleting", ImageCreate = now, Status = "DELETING", Digest = tags.digest "3" },
    { Tag = "vulnerable", ImageCreate = now, Digest = tags.digest "4",
      vulnerabilities = { high = 1 } },
    { Tag = "medium", ImageCreate = now, Digest = tags.digest "5",
      vulnerabilities = { medium = 2, unknown = 1 } },
    { Tag = "scanning", ImageCreate = now, Digest = tags.digest "6", scans = { "SCANNING" } },
    { Tag = "failed", ImageCreate = now, Digest = tags.digest "7", scans = { "FAILED" } },
    { Tag = "nodigest", ImageCreate = now, Digest = "what it is not" },
  }
  for _, tag in ipairs(more or {}) do
    list[#list + 1] = tag
  end
  return {
    users = {
      { name = "gate", access_key_id = "LTAI5tGate", access_key_secret = "not-a-real-one" },
      { name = "blind", access_key_id = "LTAI5tBlind", access_key_secret = "not-a-real-one",
        deny = { "cr:ListRepositoryTag" } },
    },
    instances = { {
      InstanceId = "cri-gate",
      namespaces = { {
        NamespaceName = "team",
        repositories = { { RepoId = "crr-app", RepoName = "app", tags = list } },
      } },
    } },
  }
end

return tags
