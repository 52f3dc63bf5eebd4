--- Files with credentials: read whole and small, and only when nobody else can have written them.

local core = require "cr.core"

local file = {}

-- Permission bits, as stat(2) has them.
local WRITE = { group = 16, others = 2 }
local READ = { group = 32, others = 4 }

local MAX_CONFIGURATION = 1024 * 1024 -- bytes

local function has(mode, bit)
  return mode % (2 * bit) >= bit
end

--- @return the text  or nil, reason without the path
function file.read(path, maximum)
  local text, reason = core.read_file(path, maximum)
  return text, not text and reason or nil
end

--- Whether somebody but us could have put something into the file.
local function is_writable_by_others(mode, owner)
  local user = core.effective_user()
  return has(mode, WRITE.group) or has(mode, WRITE.others) or
    (owner ~= user and owner ~= 0 and user ~= 0)
end

--- Reads a file that holds secrets. One that others can write is refused; one that others can read
-- is read, with a warning to the hook (`ask.warnings`).
-- @return the text without a byte order mark
-- @return nil, reason (with the path), whether the file is missing
function file.read_private(ask, path)
  local text, mode, owner = core.read_file(path, MAX_CONFIGURATION)
  if not text then
    local reason, kind = mode, owner
    return nil, ("%s: %s"):format(path, reason), kind == "missing"
  elseif is_writable_by_others(mode, owner) then
    return nil, ("%s can be written by others (mode %04o, owner %d): chmod 600 it")
      :format(path, mode, owner)
  elseif has(mode, READ.group) or has(mode, READ.others) then
    ask.warnings = ask.warnings or {}
    table.insert(ask.warnings, ("%s can be read by others (mode %04o): chmod 600 it")
      :format(path, mode))
  end
  return (text:gsub("^\239\187\191", ""))
end

--- A path below the user's home.
-- @return path  or nil, reason
function file.in_home(path)
  local home = os.getenv "HOME"
  if not home or home == "" then
    return nil, "HOME is not set"
  end
  return home .. "/" .. path
end

return file
