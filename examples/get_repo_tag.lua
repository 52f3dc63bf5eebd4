--- Describes one image tag: for people, and as the table that came over the wire.
--
--     lua5.4 examples/get_repo_tag.lua [InstanceId RepoId Tag]
--
-- Region and credentials come from the environment (ALIBABA_CLOUD_REGION_ID or
-- ALIBABA_CLOUD_ENDPOINT, ALIBABA_CLOUD_ACCESS_KEY_ID, ALIBABA_CLOUD_ACCESS_KEY_SECRET). Without
-- arguments it asks for the sample of the API's documentation, which the emulator keeps.

local cr = require "cr"

local tag, err, info = cr.get_repo_tag {
  InstanceId = arg[1] or "cri-kmsiwlxxdcva****",
  RepoId = arg[2] or "crr-tquyps22md8p****",
  Tag = arg[3] or "1.0",
}
if not tag then
  io.stderr:write(tostring(err), "\n")
  os.exit(1)
end

--- Milliseconds since the epoch → "2019-11-04 03:45:25 UTC".
local function date(milliseconds)
  return os.date("!%Y-%m-%d %H:%M:%S UTC", math.floor(milliseconds / 1000))
end

--- Bytes → "25.9 MiB".
local function size(bytes)
  local units, unit = { "bytes", "KiB", "MiB", "GiB", "TiB" }, 1
  while bytes >= 1024 and unit < #units do
    bytes, unit = bytes / 1024, unit + 1
  end
  return (unit == 1 and "%d %s" or "%.1f %s"):format(bytes, units[unit])
end

print(("Tag %s is %s: %s, pushed %s, updated %s"):format(tag.Tag, tag.Status,
  size(tag.ImageSize), date(tag.ImageCreate), date(tag.ImageUpdate)))
print()

local names = {}
for name in pairs(tag) do
  names[#names + 1] = name
end
table.sort(names)
for _, name in ipairs(names) do
  local value = tag[name]
  print(("%-12s %s"):format(name, type(value) == "string" and ("%q"):format(value) or
    tostring(value)))
end
print()
print(("HTTP %d in %.1f ms, attempt %d"):format(info.http_status, info.total * 1000,
  info.attempts))
