--- Credential providers: who signs.
--
-- Credentials are declared as tables with a `type`, so that they can stand in a configuration and
-- be passed between Lua states; each type is a module of this folder with
--
-- - `keys`, names of the parts of a credential it must be given, or `fields`, checks by name (see
--   check.lua; "credentials" for a field that is declared credentials itself), and `required`,
--   names of those that must be there;
-- - `fetch(ask, declared)`, which returns the credential {access_key_id, access_key_secret,
--   security_token, expires, origin}, or nil, an error and whether nothing is configured; what is
--   fetched is kept and refreshed by refreshing.lua;
-- - or, where there is something to keep between the calls, `new(declared, make, checks)`, which
--   returns `fetch(ask)`, or `get(ask)` where nothing needs to be refreshed.
--
-- Secrets live in upvalues, never in fields: walking over a client or printing it shows none.

local check = require "cr.credentials.check"
local overlay = require "cr.overlay"
local refreshing = require "cr.credentials.refreshing"
local shared = require "cr.credentials.shared"
local suggest = require "cr.suggest"

local credentials = {}

local MAX_NESTING = 8 -- of a source's source; more is a table that holds itself

local TYPES = {
  "access_key", "cloud_sso", "credentials_uri", "default", "ecs_ram_role", "environment",
  "external", "ini_profile", "oidc_role_arn", "profile", "ram_role_arn", "sts",
}
local IS_TYPE = {}
for _, name in ipairs(TYPES) do
  IS_TYPE[name] = true
end

local function module_of(kind)
  return require("cr.credentials." .. kind)
end

local function checks_of(kind)
  return module_of(kind).fields or {}
end

local function no_such_type(kind)
  local best = type(kind) == "string" and suggest(kind, TYPES)
  return ("credentials: unknown type %s; %s"):format(tostring(kind),
    best and "did you mean " .. best .. "?" or "the types are " .. table.concat(TYPES, ", "))
end

local function is_in(list, name)
  for _, known in ipairs(list) do
    if known == name then
      return true
    end
  end
  return false
end

local NONE = {}

local function unknown_field(module, name)
  local names = {}
  for known in pairs(module.fields or NONE) do
    names[#names + 1] = known
  end
  for _, known in ipairs(module.keys or NONE) do
    names[#names + 1] = known
  end
  table.sort(names)
  local best = type(name) == "string" and suggest(name, names)
  return ("unknown field %s; %s"):format(tostring(name),
    best and "did you mean " .. best .. "?" or
    #names == 0 and "there are none" or "the fields are " .. table.concat(names, ", "))
end

--- Credentials within credentials.
local function nested_problem(name, value, depth)
  if type(value) == "function" then
    return nil
  elseif type(value) ~= "table" then
    return name .. " must be a table with a field type, or a function that returns one"
  end
  if depth > MAX_NESTING then
    return ("%s is nested more than %d deep"):format(name, MAX_NESTING)
  end
  local problem = credentials.problem(value, depth)
  return problem and ("%s: %s"):format(name, problem)
end

--- What is wrong with one field of a declaration, or nil.
local function field_problem(module, name, value, depth)
  local field = (module.fields or NONE)[name]
  if is_in(module.keys or NONE, name) then
    return check.key_problem(name, value)
  elseif field == "credentials" then
    return nested_problem(name, value, depth + 1)
  elseif not field then
    return unknown_field(module, name)
  end
  local ok, expected = field(value)
  -- The value stays out of the message: it could be a secret in the wrong place.
  return not ok and ("%s must be %s, got a %s"):format(name, expected, type(value)) or nil
end

local function missing_field(module, declared)
  for _, name in ipairs(module.keys or NONE) do
    if declared[name] == nil then
      return check.key_problem(name, nil)
    end
  end
  for _, name in ipairs(module.required or NONE) do
    if declared[name] == nil then
      return name .. " is missing"
    end
  end
end

--- What is wrong with a declarative table, or nil.
-- @tparam table declared
-- @tparam ?number depth how many others it is declared within
function credentials.problem(declared, depth)
  local kind = declared.type
  if kind == nil then
    return "credentials: the field type is missing; the types are " .. table.concat(TYPES, ", ")
  elseif not IS_TYPE[kind] then
    return no_such_type(kind)
  end
  local module = module_of(kind)
  local problem = missing_field(module, declared)
  for name, value in pairs(declared) do
    problem = problem or (name ~= "type" and field_problem(module, name, value, depth or 0)) or nil
  end
  return problem and ("credentials of type %s: %s"):format(kind, problem)
end

--- Makes the provider for a declarative table or a function; nil stands for the default chain.
-- The declaration must have no problem (`credentials.problem`).
-- @return `name`, `get(ask)`, `principal()` (see principal.lua; not there for a function) and,
--   where there may be a fresh session after one that was refused as expired,
--   `refuse(credential, time)`
function credentials.new(declared)
  if type(declared) == "function" then
    return require "cr.credentials.from_function" (declared, credentials.new, credentials.problem)
  end
  declared = overlay(declared or { type = "default" }, {}) -- the caller's may change
  local module = module_of(declared.type)
  local provider = module.new and module.new(declared, credentials.new, checks_of) or {
    fetch = function(ask)
      return module.fetch(ask, declared)
    end,
  }
  if provider.fetch then
    provider = refreshing.new(shared(provider.fetch, declared))
  end
  provider.name = declared.type
  provider.principal = function()
    return require "cr.credentials.principal" (declared)
  end
  return provider
end

return credentials
