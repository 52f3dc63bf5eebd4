--- Tells what is wrong with a fixture, and where: `instances[1].namespaces[2]: …`.
--
-- A fixture is written by hand; a name with a typing error that is passed over in silence would
-- show much later, as a puzzling answer. So names that are not known are refused too. Plain Lua:
-- the launcher asks before nginx starts.

local iso8601 = require "cr.emulator.iso8601"
local policies = require "cr.emulator.policies"

local shape = {}

local MAX_GENERATED = 100000

local VULNERABILITIES = {
  high = "integer", medium = "integer", low = "integer", unknown = "integer",
}
local TAG = {
  Tag = "string!", Status = "string", ImageCreate = "integer", ImageUpdate = "integer",
  ImageSize = "integer", Digest = "string", ImageId = "string", scans = { list = "string" },
  vulnerabilities = VULNERABILITIES,
}
local GENERATE = { count = "integer!", prefix = "string" }
local REPOSITORY = {
  RepoName = "string!", RepoId = "string", RepoType = "string", RepoBuildType = "string",
  RepoStatus = "string", Summary = "string", Detail = "string", TagImmutability = "boolean",
  ResourceGroupId = "string", CreateTime = "integer", ModifiedTime = "integer",
  tags = { list = TAG }, generate = GENERATE,
}
local NAMESPACE = {
  NamespaceName = "string!", NamespaceId = "string", NamespaceStatus = "string",
  AutoCreateRepo = "boolean", DefaultRepoType = "string", ResourceGroupId = "string",
  repositories = { list = REPOSITORY },
}
local INSTANCE = {
  InstanceId = "string!", InstanceName = "string", InstanceSpecification = "string",
  InstanceStatus = "string", InstanceIssue = "string", ResourceGroupId = "string",
  CreateTime = "integer", ModifiedTime = "integer",
  namespaces = { list = NAMESPACE },
}
local USER = {
  name = "string!", access_key_id = "string!", access_key_secret = "string!",
  security_token = "string", expiration = "date",
  policies = policies.problem, allow = { list = "string" }, deny = { list = "string" },
}

--- A whole number within bounds.
local function whole(from, to)
  return function(value, place)
    if type(value) ~= "number" or value % 1 ~= 0 or value < from or value > to then
      return ("%s: a whole number from %d to %d expected"):format(place, from, to)
    end
  end
end

local SECONDS = whole(1, 31536000) -- a year

local ROLE = {
  name = "string!", arn = "string", trusted = { list = "string" }, external_id = "string",
  policies = policies.problem, allow = { list = "string" }, deny = { list = "string" },
  max_session_seconds = whole(900, 43200), session_seconds = SECONDS,
}
local PROVIDER = {
  arn = "string!",
  tokens = { list = { token = "string!", subject = "string!", expired = "boolean" } },
}
local FIXTURE = {
  region = "string", account = "string", users = { list = USER }, instances = { list = INSTANCE },
  roles = { list = ROLE }, oidc_providers = { list = PROVIDER },
  metadata = { role = "text", token_required = "boolean", session_seconds = SECONDS },
  credentials_uri = { role = "text" },
  cloud_sso = {
    access_token = "string!", account_id = "string!", access_configuration_id = "string!",
    role = "string!",
  },
}

local is = {}

function is.string(value)
  return type(value) == "string" and value ~= ""
end

function is.text(value)
  return type(value) == "string"
end

function is.integer(value)
  return type(value) == "number" and value % 1 == 0 and value >= 0
end

function is.boolean(value)
  return type(value) == "boolean"
end

function is.date(value)
  return type(value) == "string" and iso8601.parse(value) ~= nil
end

local EXPECTED = {
  string = "a string that is not empty", text = "a string", integer = "a whole number from 0",
  boolean = "true or false", date = "a date like 2026-01-31T00:00:00Z",
}

local function describe(value)
  local kind = type(value)
  return kind == "string" and ('"%s"'):format(value) or kind == "table" and "an object or array"
    or kind .. " " .. tostring(value)
end

local function known_names(fields)
  local names = {}
  for name in pairs(fields) do
    names[#names + 1] = name
  end
  table.sort(names)
  return table.concat(names, ", ")
end

local check

local function check_list(value, kind, place)
  if type(value) ~= "table" or (next(value) ~= nil and value[1] == nil) then
    return place .. ": an array expected, got " .. describe(value)
  end
  for index, item in ipairs(value) do
    local wrong = check(item, kind, ("%s[%d]"):format(place, index))
    if wrong then
      return wrong
    end
  end
end

local function check_object(value, fields, place)
  if type(value) ~= "table" or value[1] ~= nil then
    return place .. ": an object expected, got " .. describe(value)
  end
  local prefix = place == "" and "" or place .. "."
  for name, item in pairs(value) do
    if not fields[name] then
      return ("%s%s: no such name; known here: %s"):format(prefix, tostring(name),
        known_names(fields))
    end
    local wrong = check(item, fields[name], prefix .. name)
    if wrong then
      return wrong
    end
  end
  for name, kind in pairs(fields) do
    if type(kind) == "string" and kind:sub(-1) == "!" and value[name] == nil then
      return prefix .. name .. ": missing"
    end
  end
end

--- @param kind name of a type, fields of an object, { list = kind }, or a function that checks
function check(value, kind, place)
  if type(kind) == "function" then
    return kind(value, place)
  elseif type(kind) == "table" then
    if kind.list then
      return check_list(value, kind.list, place)
    end
    return check_object(value, kind, place)
  end
  kind = kind:gsub("!", "")
  if not is[kind](value) then
    return ("%s: %s expected, got %s"):format(place, EXPECTED[kind], describe(value))
  end
end

--- Nil when the fixture has its shape, else a sentence that begins with the place.
function shape.problem(fixture)
  if type(fixture) ~= "table" then
    return "an object expected, got " .. describe(fixture)
  end
  local wrong = check_object(fixture, FIXTURE, "")
  if wrong then
    return wrong
  end
  if fixture.users and #fixture.users == 0 then
    return "users: at least one expected, or leave the name away"
  end
end

shape.MAX_GENERATED = MAX_GENERATED

return shape
