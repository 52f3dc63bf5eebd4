--- The Security Token Service: roles to become, by a key or by an OIDC token, and who one is.
--
-- Checked in this order: the parameters, the permission of the caller, the role, whom the role
-- trusts, and how long the session is to be. AssumeRoleWithOIDC is not signed; there the provider
-- and its token stand in for the caller.

local failure = require "cr.emulator.failure"
local permissions = require "cr.emulator.permissions"
local policies = require "cr.emulator.policies"
local principals = require "cr.emulator.principals"
local respond = require "cr.emulator.respond"
local sessions = require "cr.emulator.sessions"

local sts = {}

local ACTION = "sts:AssumeRole"
local MIN_SECONDS, DEFAULT_SECONDS = 900, 3600 -- of a session

local function required(given, ...)
  for _, name in ipairs { ... } do
    if (given[name] or "") == "" then
      return failure.missing_parameter(name)
    end
  end
end

local function optional(value)
  return value ~= "" and value or nil
end

local function check_session_name(name)
  if #name < 2 or #name > 64 or name:find("[^%w_.@-]") then
    return failure.gateway(400, "InvalidParameter.RoleSessionName", "The parameter " ..
      "RoleSessionName is wrongly formed: 2 to 64 letters, digits and _ . @ - expected.")
  end
end

--- What both ways to become a role have in common, read and checked as far as that needs no role.
-- @return table arn, name, seconds (nil when it is no number), policy; or nil and a failure
local function read_common(request)
  local given = request.parameters
  local seconds = optional(given.DurationSeconds)
  local asked = {
    arn = given.RoleArn,
    name = given.RoleSessionName,
    seconds = DEFAULT_SECONDS,
  }
  if seconds then
    asked.seconds = #seconds <= 9 and seconds:match("^%d+$") and tonumber(seconds) or nil
  end
  request.log = {
    role = (given.RoleArn or ""):match(":role/(.+)$"),
    role_session_name = given.RoleSessionName,
    duration_seconds = asked.seconds,
  }
  local wrong = required(given, "RoleArn", "RoleSessionName")
    or check_session_name(given.RoleSessionName)
  if wrong then
    return nil, wrong
  end
  local policy = optional(given.Policy)
  if policy then
    local reason
    asked.policy, reason = policies.parse(policy)
    if not asked.policy then
      return nil, failure.gateway(400, "InvalidParameter.PolicyGrammar",
        "The parameter Policy has not passed grammar check: " .. reason .. ".")
    end
  end
  return asked
end

local function find_role(registry, arn)
  local role = registry.roles_by_arn[arn]
  if not role then
    return nil, failure.gateway(404, "EntityNotExist.Role", "The specified Role not exists.")
  end
  return role
end

local function check_duration(role, seconds)
  if not seconds or seconds < MIN_SECONDS or seconds > role.max_session_seconds then
    return failure.gateway(400, "InvalidParameter.DurationSeconds", ("The parameter " ..
      "DurationSeconds is out of range: %d to %d expected for this role.")
      :format(MIN_SECONDS, role.max_session_seconds))
  end
end

local function open(registry, role, asked)
  local wrong = check_duration(role, asked.seconds)
  if wrong then
    return nil, wrong
  end
  local session = sessions.open(registry, role, asked)
  return respond.plain {
    AssumedRoleUser = {
      Arn = principals.arn(registry, session),
      AssumedRoleId = principals.assumed_role_id(session),
    },
    Credentials = sessions.fields(session),
  }
end

--- The refusal of a role that does not trust who asks.
local function distrust(role)
  return {
    action = ACTION, resource = role.arn, policy_type = "AssumeRolePolicy",
    refusal = "ImplicitDeny",
  }
end

local operations = {}

function operations.AssumeRole(registry, request, caller)
  local asked, wrong = read_common(request)
  if not asked then
    return nil, wrong
  end
  wrong = permissions.check(registry, caller, ACTION, asked.arn)
  if wrong then
    return nil, wrong
  end
  local role
  role, wrong = find_role(registry, asked.arn)
  if not role then
    return nil, wrong
  end
  local external_id = optional(request.parameters.ExternalId)
  if not principals.is_trusted(registry, role, caller)
    or role.external_id and external_id ~= role.external_id then
    return nil, permissions.refuse(registry, caller, distrust(role))
  end
  return open(registry, role, asked)
end

--- The token's entry in the fixture, or nil and a failure.
local function find_token(registry, given)
  local provider = registry.oidc_providers:get(given.OIDCProviderArn)
  if not provider then
    return nil, failure.gateway(404, "EntityNotExist.OIDCProvider",
      "The specified OIDC provider not exists.")
  end
  local token = provider.tokens[given.OIDCToken]
  if not token then
    return nil, failure.gateway(400, "AuthenticationFail.OIDCToken.Invalid",
      "This OIDC token is invalid.")
  elseif token.expired then
    return nil, failure.gateway(400, "AuthenticationFail.OIDCToken.Expired",
      "This OIDC token is expired.")
  end
  return token
end

function operations.AssumeRoleWithOIDC(registry, request)
  local given = request.parameters
  local asked, wrong = read_common(request)
  wrong = wrong or required(given, "OIDCProviderArn", "OIDCToken")
  if wrong then
    return nil, wrong
  end
  local token
  token, wrong = find_token(registry, given)
  if not token then
    return nil, wrong
  end
  request.log.subject = token.subject
  local role
  role, wrong = find_role(registry, asked.arn)
  if not role then
    return nil, wrong
  elseif not principals.is_listed(role.trusted, given.OIDCProviderArn) then
    local refusal = distrust(role)
    refusal.action = "sts:AssumeRoleWithOIDC"
    refusal.name, refusal.principal_type = token.subject, "Federated"
    return nil, permissions.failure(registry, refusal)
  end
  return open(registry, role, asked)
end

function operations.GetCallerIdentity(registry, _, caller)
  local fields = { AccountId = registry.account, Arn = principals.arn(registry, caller) }
  if caller.role then
    fields.IdentityType = "AssumedRoleUser"
    fields.PrincipalId = principals.assumed_role_id(caller)
    fields.RoleId = caller.role.id
  else
    fields.IdentityType = "RAMUser"
    fields.PrincipalId, fields.UserId = caller.id, caller.id
  end
  return respond.plain(fields)
end

function sts.prepare(request)
  request.product = "sts"
  request.is_unsigned = request.operation == "AssumeRoleWithOIDC"
  if request.method ~= "GET" and request.method ~= "POST" then
    return failure.gateway(405, "UnsupportedHTTPMethod", "This http method is not supported.")
  elseif not operations[request.operation or ""] then
    return failure.gateway(404, "InvalidAction.NotFound",
      "Specified api is not found, please check your url and method.")
  end
end

function sts.perform(registry, request, caller)
  return operations[request.operation](registry, request, caller)
end

return sts
