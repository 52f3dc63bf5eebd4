--- Whether a caller may do something, and what the service says when not.
--
-- A user is judged by the user's policies; a session by those of its role and, when it was opened
-- with a policy of its own, by that as well: both must allow.

local failure = require "cr.emulator.failure"
local json = require "cr.emulator.json"
local policies = require "cr.emulator.policies"
local principals = require "cr.emulator.principals"

local permissions = {}

--- The gateway's refusal, with what an administrator needs to know which policy to change.
-- @param given action, resource, policy_type, refusal ("ExplicitDeny", "ImplicitDeny"); name and
-- principal_type of whom it refuses
function permissions.failure(registry, given)
  return failure.gateway(403, "NoPermission", "You are not authorized to perform this action.", {
    PolicyType = given.policy_type,
    NoPermissionType = given.refusal,
    AuthAction = given.action,
    AuthPrincipalDisplayName = given.name,
    AuthPrincipalOwnerId = registry.account,
    AuthPrincipalType = given.principal_type,
    EncodedDiagnosticMessage = ngx.encode_base64(json.encode {
      action = given.action, resource = given.resource, user = given.name,
    }),
  })
end

--- The same about a caller who signed.
function permissions.refuse(registry, principal, given)
  given.name = principals.display_name(principal)
  given.principal_type = principal.role and "AssumedRoleUser" or "SubUser"
  return permissions.failure(registry, given)
end

--- @return nil when the caller may, else a failure
function permissions.check(registry, principal, action, resource)
  local holder = principal.role or principal
  local policy_type = "AccountLevelIdentityBasedPolicy"
  local refusal = policies.refusal(holder.statements, action, resource)
  if not refusal then
    policy_type = "SessionPolicy"
    refusal = policies.refusal(principal.session_policy, action, resource)
  end
  if refusal then
    return permissions.refuse(registry, principal, {
      action = action, resource = resource, policy_type = policy_type, refusal = refusal,
    })
  end
end

return permissions
