--- Who a caller is: a user of the fixture, or a session of a role.
--
-- Both are what a request's key leads to. A session is told by its `role`.

local principals = {}

--- @return the user or session whose key this is, or nil
function principals.find(registry, access_key_id)
  return registry.users:get(access_key_id) or registry.sessions.by_key[access_key_id]
end

function principals.arn(registry, principal)
  local kind = principal.role
    and ("assumed-role/%s/%s"):format(principal.role.name, principal.session_name)
    or "user/" .. principal.name
  return ("acs:ram::%s:%s"):format(registry.account, kind)
end

--- The name that AccessDeniedDetail shows.
function principals.display_name(principal)
  return principal.role and principal.role.name .. ":" .. principal.session_name or principal.name
end

--- The role's own id and name for a session: `34…:build`.
function principals.assumed_role_id(session)
  return session.role.id .. ":" .. session.session_name
end

--- Whether a role's list of whom it trusts has this name or ARN.
-- @param trusted array of strings; nil trusts everybody of the account
function principals.is_listed(trusted, name, arn)
  for _, entry in ipairs(trusted or {}) do
    if entry == name or entry == arn then
      return true
    end
  end
  return trusted == nil
end

--- Whether a role trusts this caller. A session is trusted as its role.
function principals.is_trusted(registry, role, principal)
  if principal.role then
    return principals.is_listed(role.trusted, principal.role.name, principal.role.arn)
  end
  return principals.is_listed(role.trusted, principal.name, principals.arn(registry, principal))
end

return principals
