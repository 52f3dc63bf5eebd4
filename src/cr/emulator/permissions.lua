--- Whether a user may do something: a small reading of RAM policies.
--
-- A user's `deny` list is looked at first, then `allow`; no `allow` list allows everything. The
-- patterns know `*` and `?`, as policies do.

local json = require "cr.emulator.json"

local permissions = {}

local compiled = {}

local function matches(pattern, action)
  local lua_pattern = compiled[pattern]
  if not lua_pattern then
    lua_pattern = "^" .. pattern:gsub("%W", "%%%0"):gsub("%%%*", ".*"):gsub("%%%?", ".") .. "$"
    compiled[pattern] = lua_pattern
  end
  return action:find(lua_pattern) ~= nil
end

local function any_matches(patterns, action)
  for _, pattern in ipairs(patterns) do
    if matches(pattern, action) then
      return true
    end
  end
  return false
end

--- @return nil when allowed, else "ExplicitDeny" or "ImplicitDeny"
function permissions.refusal(user, action)
  if user.deny and any_matches(user.deny, action) then
    return "ExplicitDeny"
  elseif user.allow and not any_matches(user.allow, action) then
    return "ImplicitDeny"
  end
end

--- What the service adds to a refusal, so that an administrator knows which policy to change.
function permissions.detail(user, account, action, refusal)
  return {
    PolicyType = "AccountLevelIdentityBasedPolicy",
    NoPermissionType = refusal,
    AuthAction = action,
    AuthPrincipalDisplayName = user.name,
    AuthPrincipalOwnerId = account,
    AuthPrincipalType = "SubUser",
    EncodedDiagnosticMessage = ngx.encode_base64(json.encode { action = action, user = user.name }),
  }
end

return permissions
