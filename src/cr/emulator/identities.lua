--- The people and machines of a fixture: users, roles, and who may become a role without a key.
--
-- Plain Lua, as state.lua, whose part this is. Where a fixture brings roles of its own, the
-- built-in places that hand out a role which is not among them hand out none.

local default = require "cr.emulator.fixture"
local iso8601 = require "cr.emulator.iso8601"
local policies = require "cr.emulator.policies"

local identities = {}

local DEFAULT_MAX_SESSION = 3600 -- seconds

--- Eighteen digits that are the same in every run.
local function id_of(first_digit, name)
  local seed = 7
  for index = 1, #name do
    seed = (seed * 131 + name:byte(index)) % 2147483647
  end
  return ("%s%010d%07d"):format(first_digit, seed, seed % 9999991)
end

local function load_users(registry, given)
  for index, entry in ipairs(given) do
    registry.users:add_once({
      id = id_of("2", entry.name),
      name = entry.name,
      access_key_id = entry.access_key_id,
      access_key_secret = entry.access_key_secret,
      security_token = entry.security_token,
      expires = entry.expiration and iso8601.parse(entry.expiration),
      statements = policies.of(entry),
    }, ("users[%d]"):format(index))
  end
end

local function load_roles(registry, given)
  for index, entry in ipairs(given) do
    local role = {
      id = id_of("3", entry.name),
      name = entry.name,
      arn = entry.arn or ("acs:ram::%s:role/%s"):format(registry.account, entry.name),
      statements = policies.of(entry),
      trusted = entry.trusted,
      external_id = entry.external_id,
      max_session_seconds = entry.max_session_seconds or DEFAULT_MAX_SESSION,
      session_seconds = entry.session_seconds,
    }
    local place = ("roles[%d]"):format(index)
    registry.roles:add_once(role, place)
    if registry.roles_by_arn[role.arn] then
      error({ fixture = ("%s: arn %s is there twice"):format(place, role.arn) })
    end
    registry.roles_by_arn[role.arn] = role
  end
end

local function load_providers(registry, given)
  for index, entry in ipairs(given) do
    local provider = { arn = entry.arn, tokens = {} }
    for _, token in ipairs(entry.tokens or {}) do
      provider.tokens[token.token] = token
    end
    registry.oidc_providers:add_once(provider, ("oidc_providers[%d]"):format(index))
  end
end

--- The role that a place hands out, or nil.
-- @param own the name that the fixture has there, or nil
local function role_of(registry, own, built_in, place)
  local role = registry.roles:get(own or built_in)
  if own and own ~= "" and not role then
    error({ fixture = ("%s.role: there is no role %s"):format(place, own) })
  end
  return role
end

local function load_places(registry, fixture)
  local metadata, uri = fixture.metadata or {}, fixture.credentials_uri or {}
  registry.metadata = {
    role = role_of(registry, metadata.role, default.metadata.role, "metadata"),
    token_required = metadata.token_required == true,
    session_seconds = metadata.session_seconds or default.metadata.session_seconds,
  }
  registry.credentials_uri = {
    role = role_of(registry, uri.role, default.credentials_uri.role, "credentials_uri"),
  }
  local sso = fixture.cloud_sso or default.cloud_sso
  registry.cloud_sso = {
    access_token = sso.access_token,
    account_id = sso.account_id,
    access_configuration_id = sso.access_configuration_id,
    role = role_of(registry, fixture.cloud_sso and sso.role, sso.role, "cloud_sso"),
  }
end

--- Fills what state.lua prepared.
-- @param registry has region, account and the empty sets users, roles, oidc_providers
function identities.load(registry, fixture)
  registry.roles_by_arn = {}
  load_users(registry, fixture.users or default.users)
  load_roles(registry, fixture.roles or default.roles)
  load_providers(registry, fixture.oidc_providers or default.oidc_providers)
  load_places(registry, fixture)
end

return identities
