--- What the two kinds of profile have in common: a section of a file stands for other credentials.

local check = require "cr.credentials.check"
local overlay = require "cr.overlay"
local unavailable = require "cr.credentials.unavailable"

local profiles = {}

-- Handed down to what a profile stands for.
local HANDED_DOWN = {
  sts_endpoint = check.line,
  metadata_endpoint = check.line,
  timeout = check.seconds,
  connect_timeout = check.seconds,
}

local RENEWED_AFTER = 300 -- seconds after which the file of a key without expiration is read anew

--- The declared credentials with the profile's own settings where their type has them.
local function inherit(declared, given, checks)
  local known = checks(declared.type)
  for name in pairs(HANDED_DOWN) do
    if known[name] and declared[name] == nil then
      declared[name] = given[name]
    end
  end
  if type(declared.source) == "table" then
    inherit(declared.source, given, checks)
  end
  return declared
end

--- Fetches what a profile stands for.
local function fetch(ask, make, declared, origin)
  local credential, err = make(declared).get(ask)
  if not credential then
    err.message = origin .. ": " .. err.message
    return nil, err
  end
  local described = overlay(credential, { origin = origin })
  described.renewed_after = not described.expires and RENEWED_AFTER or nil
  return described
end

--- The provider of a kind of profile.
-- @tparam function find `find(ask, given, checks)` returns declared credentials and where they were
--   found  or nil, reason, whether nothing is configured
function profiles.provider(find)
  return {
    fields = overlay(HANDED_DOWN, { profile = check.line, file = check.line }),

    new = function(given, make, checks)
      return {
        fetch = function(ask)
          local declared, origin, is_absent = find(ask, given, checks)
          if not declared then
            return nil, unavailable(origin), is_absent
          end
          return fetch(ask, make, inherit(declared, given, checks), origin)
        end,
      }
    end,
  }
end

return profiles
