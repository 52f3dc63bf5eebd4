--- Credential providers: who signs.
--
-- A provider is a table with `name` and `get()`, which returns a credential {access_key_id,
-- access_key_secret, security_token} or nil and an error. Secrets live in upvalues, never in
-- fields: walking over a client or printing it shows none.

local new_error = require "cr.error"
local suggest = require "cr.suggest"

local credentials = {}

local providers = {
  access_key = "cr.credentials.access_key",
  sts = "cr.credentials.sts",
  environment = "cr.credentials.environment",
  default = "cr.credentials.environment",
}

local FIELDS = {
  access_key = { "access_key_id", "access_key_secret" },
  sts = { "access_key_id", "access_key_secret", "security_token" },
  environment = {},
  default = {},
}

-- Bytes. A secret's limit is the signer's, an id and a token travel in headers.
local MAXIMUM = { access_key_id = 256, access_key_secret = 511, security_token = 16384 }

--- What is wrong with one field of a credential, or nil. Never shows the value.
function credentials.field_problem(name, value)
  if type(value) ~= "string" or value == "" then
    return ("%s must be a non-empty string, got %s"):format(name,
      value == "" and "an empty one" or value == nil and "nothing" or "a " .. type(value))
  elseif value:find("[%c ]") then
    return name .. " holds a blank or a control character (a line break copied along?)"
  elseif #value > MAXIMUM[name] then
    return ("%s is longer than %d bytes"):format(name, MAXIMUM[name])
  end
end

--- The error of a provider that has no credential.
function credentials.unavailable(message, hint)
  return new_error {
    kind = "credentials", code = "CredentialsUnavailable", message = message, hint = hint,
    retryable = false,
  }
end

local function sorted(map)
  local names = {}
  for name in pairs(map) do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

--- What is wrong with a declarative table, or nil.
function credentials.problem(declared)
  local kind = declared.type
  local fields = FIELDS[kind]
  if kind == nil then
    return "credentials: the field type is missing; the types are " ..
      table.concat(sorted(FIELDS), ", ")
  elseif not fields then
    local best = type(kind) == "string" and suggest(kind, sorted(FIELDS))
    return ("credentials: unknown type %s; %s"):format(tostring(kind), best and
      "did you mean " .. best .. "?" or "the types are " .. table.concat(sorted(FIELDS), ", "))
  end
  local known = { type = true }
  for _, name in ipairs(fields) do
    known[name] = true
    local problem = credentials.field_problem(name, declared[name])
    if problem then
      return ("credentials of type %s: %s"):format(kind, problem)
    end
  end
  for name in pairs(declared) do
    if not known[name] then
      local best = type(name) == "string" and suggest(name, fields)
      return ("credentials of type %s: unknown field %s%s"):format(kind, tostring(name),
        best and "; did you mean " .. best .. "?" or "")
    end
  end
end

--- A provider that asks the user's function at each call.
local function from_function(produce)
  return {
    name = "function",
    get = function()
      local declared, reason = produce()
      if type(declared) ~= "table" then
        return nil, credentials.unavailable("the credentials function returned no table" ..
          (type(reason) == "string" and ": " .. reason or ""),
          'return {type = "access_key", access_key_id = …, access_key_secret = …}')
      end
      local problem = credentials.problem(declared)
      if problem then
        return nil, credentials.unavailable("the credentials function returned " .. problem)
      end
      return credentials.new(declared).get()
    end,
  }
end

--- Makes the provider for a declarative table or a function; nil stands for the default chain.
-- The declaration must have no problem (`credentials.problem`).
function credentials.new(declared)
  if type(declared) == "function" then
    return from_function(declared)
  end
  return require(providers[declared and declared.type or "default"])(declared)
end

return credentials
