--- What is in an instance: every repository with its tags and their size, and what lies about.
--
--     lua5.4 examples/audit.lua [--concurrency N] [--bytes] [INSTANCE_ID]
--
-- The instance is CR_INSTANCE_ID where it is not named; region and credentials come from the
-- environment. Repositories are listed while the tags of those before are being read, N requests
-- (16) in flight. On a terminal the progress is on standard error. `--bytes` prints sizes as plain
-- numbers, for programs.
--
-- The size of a repository is the sum of its tags' ImageSize. An image with several tags is in it
-- several times; the last line counts each digest of a repository once. Layers that images share
-- are not told by the API, so that the storage in use is smaller than either.
--
-- Untagged: the API lists images by their tags, and one that no tag names any more is in no answer.
-- What it does show is a repository without a tag, one that was emptied or never pushed to. The
-- oldest of these, by CreateTime, is named; and the tag that was not pushed to for longest, by
-- ImageUpdate. Tags that are being deleted (status DELETING) are counted, and told.
--
-- The exit status is 0, or 1 when something could not be read: then the totals are of the rest, and
-- say so. 2 for a wrong option.

local argparse = require "argparse"
local cr = require "cr"

local PAGE_SIZE = 100 -- the most that the API gives
local NEVER = math.huge -- later than every date

local function options()
  local parser = argparse("audit.lua", "Sums up an instance: repositories, tags, sizes.")
  parser:argument("instance", "instance id, else CR_INSTANCE_ID"):args "?"
  parser:option("--concurrency", "requests in flight", "16"):convert(tonumber)
  parser:flag("--bytes", "sizes as plain numbers")
  local ok, given = parser:pparse()
  given = ok and given or { problem = given }
  given.instance = given.instance or os.getenv "CR_INSTANCE_ID"
  local n = given.concurrency
  if ok and not given.instance then
    given.problem = "no instance: name one, or set CR_INSTANCE_ID"
  elseif ok and not (n and n >= 1 and n <= 1000 and n % 1 == 0) then
    given.problem = "--concurrency must be an integer from 1 to 1000"
  end
  if given.problem then
    io.stderr:write(parser:get_usage(), "\naudit.lua: ", given.problem, "\n")
    os.exit(2)
  end
  return given
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

local function bytes_only(bytes)
  return ("%.0f"):format(bytes)
end

--- Milliseconds since the epoch → "2019-11-04".
local function date(milliseconds)
  return milliseconds < NEVER and os.date("!%Y-%m-%d", math.floor(milliseconds / 1000)) or "-"
end

--- A line on a terminal that is written over and over; nothing anywhere else.
local function progress()
  local result = os.execute "test -t 2" -- 0 in Lua 5.1, true later
  if result ~= 0 and result ~= true then
    return function() end
  end
  local shown
  return function(text)
    if text ~= shown then
      io.stderr:write("\r\27[K", text or "")
      shown = text
    end
  end
end

--- Adds a tag to what is known of its repository.
local function add(entry, tag)
  local bytes, updated = tonumber(tag.ImageSize) or 0, tonumber(tag.ImageUpdate) or NEVER
  entry.tags = entry.tags + 1
  entry.size = entry.size + bytes
  entry.deleting = entry.deleting + (tag.Status == "DELETING" and 1 or 0)
  if updated < entry.oldest then
    entry.oldest, entry.oldest_tag = updated, tag.Tag
  end
  local digest = tag.Digest
  if not digest or not entry.digests[digest] then
    entry.size_once = entry.size_once + bytes
    entry.digests[digest or entry.tags] = true
  end
end

--- Reads everything. An error ends what it happened in: the tags of one repository, or the list of
-- repositories; `on_error` is told.
-- @return array of entries, and whether the list of repositories is whole
local function read(instance, concurrency, on_error, on_progress)
  local entries, is_whole, done = {}, false, 0

  local function read_tags(entry, id)
    for tag in cr.items("ListRepoTag",
      { InstanceId = instance, RepoId = id, PageSize = PAGE_SIZE }) do
      add(entry, tag)
    end
    entry.digests, entry.is_whole = nil, true
    done = done + 1
    on_progress(("%d of %s%d repositories"):format(done, is_whole and "" or "at least ", #entries))
  end

  cr.run(function(spawn)
    for repository in cr.items("ListRepository",
      { InstanceId = instance, PageSize = PAGE_SIZE }) do
      local entry = {
        name = ("%s/%s"):format(repository.RepoNamespaceName, repository.RepoName),
        created = tonumber(repository.CreateTime) or NEVER,
        tags = 0, size = 0, size_once = 0, deleting = 0, oldest = NEVER, digests = {},
      }
      entries[#entries + 1] = entry
      spawn(read_tags, entry, repository.RepoId)
    end
    is_whole = true
  end, { concurrency = concurrency, on_error = on_error })
  return entries, is_whole
end

--- The largest first.
local function print_table(entries, show)
  table.sort(entries, function(a, b)
    if a.size ~= b.size then
      return a.size > b.size
    end
    return a.name < b.name
  end)
  local rows, widths = { { "REPOSITORY", "TAGS", "SIZE", "OLDEST" } }, { 0, 0, 0, 0 }
  for _, entry in ipairs(entries) do
    rows[#rows + 1] = {
      entry.name .. (entry.is_whole and "" or " (not whole)"), ("%d"):format(entry.tags),
      show(entry.size), date(entry.oldest),
    }
  end
  for _, row in ipairs(rows) do
    for column, text in ipairs(row) do
      widths[column] = math.max(widths[column], #text)
    end
  end
  local line = ("%%-%ds  %%%ds  %%%ds  %%s\n"):format(widths[1], widths[2], widths[3])
  for _, row in ipairs(rows) do
    io.stdout:write(line:format(row[1], row[2], row[3], row[4]))
  end
end

local function print_totals(entries, is_whole, show)
  local tags, bytes, once, deleting = 0, 0, 0, 0
  local oldest, untagged = { oldest = NEVER }, { created = NEVER }
  for _, entry in ipairs(entries) do
    tags, bytes, once = tags + entry.tags, bytes + entry.size, once + entry.size_once
    deleting = deleting + entry.deleting
    oldest = entry.oldest < oldest.oldest and entry or oldest
    if entry.tags == 0 and entry.is_whole and
      (not untagged.name or entry.created < untagged.created) then
      untagged = entry
    end
  end
  print(("\n%sTotal: %d repositories, %d tags, %s"):format(is_whole and "" or "INCOMPLETE. ",
    #entries, tags, show(bytes)))
  if deleting > 0 then
    print(("Tags being deleted: %d"):format(deleting))
  end
  if oldest.name then
    print(("Oldest tag: %s:%s, pushed %s"):format(oldest.name, oldest.oldest_tag,
      date(oldest.oldest)))
  end
  print("Oldest untagged repository: " .. (untagged.name and
    ("%s, created %s"):format(untagged.name, date(untagged.created)) or "none"))
  print("Each image once: " .. show(once))
end

local given = options()
local show = given.bytes and bytes_only or size
local on_progress = progress()
local failed = false

local entries, is_whole = read(given.instance, given.concurrency, function(err)
  failed = true
  on_progress ""
  io.stderr:write("audit.lua: ", tostring(err), "\n")
end, on_progress)
on_progress ""
print_table(entries, show)
print_totals(entries, is_whole and not failed, show)
os.exit(failed and 1 or 0)
