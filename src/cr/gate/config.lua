--- The configuration of a gate: known keys, their checks and defaults. What is wrong is said while
-- nginx starts, since a gate that finds out at the first request is a gate that was open or an
-- outage.

local base = require "cr.config"
local names = require "cr.gate.names"
local request = require "cr.gate.request"
local rules = require "cr.gate.rules"

local config = {}

local function either(check, kind, also)
  return function(value)
    local ok, expected = check(value)
    return ok or type(value) == kind, expected .. " or " .. also
  end
end

local function has(method, expected)
  return function(value)
    return type(value) == "table" and type(value[method]) == "function", expected
  end
end

local function positive(unit)
  return function(value)
    return type(value) == "number" and value > 0 and value < math.huge,
      "a number of " .. unit .. " above 0"
  end
end

local function text(value)
  return type(value) == "string" and value ~= "", "a string that is not empty"
end

local function find(value)
  return value == "registry" or type(value) == "function" or type(value) == "table",
    '"registry", { pattern = "…" }, { repository = "…", tag = "…" } or a function'
end

local function repositories(value)
  for name, id in pairs(type(value) == "table" and value or { false }) do
    if not names.is_repository(name) or type(id) ~= "string" or id == "" then
      return false, "a table of RepoIds by names of repositories"
    end
  end
  return true
end

local function digest(value)
  if type(value) == "string" then
    return names.to_digest(value) ~= nil, 'a digest such as "sha256:…"'
  end
  for key, wanted in pairs(type(value) == "table" and value or {}) do
    if type(key) ~= "string" or not key:find("^[^:]+:[^:]+$") or
      (wanted ~= false and not names.to_digest(wanted)) then
      return false, 'a table of digests (or false) by "repository:tag"'
    end
  end
  return type(value) == "table" or type(value) == "function",
    'a digest such as "sha256:…", a table of them by "repository:tag", or a function'
end

local pass_or_refuse = base.one_of("pass", "refuse")

local KEYS = {
  cache = has("get", "a cache made by cr.cache.new"),
  client = has("call", "a client made by cr.new"),
  instance = text,
  find = find,
  repositories = repositories,
  digest = digest,
  scan = base.one_of("complete", "high", "medium", "low", "unknown"),
  max_age_days = positive "days",
  fail = base.one_of("open", "closed"),
  other = pass_or_refuse,
  writes = pass_or_refuse,
  digests = either(base.one_of("checked", "pass", "refuse"), "function", "a function"),
  digest_ttl = positive "seconds",
  dict = text,
  pin = base.is "boolean",
}

local DEFAULTS = { find = "registry", fail = "closed", writes = "refuse", digest_ttl = 300,
  dict = "cr_gate" }

--- The pattern as a finder. @return finder  or nil, what is wrong
local function pattern_finder(pattern)
  if type(pattern) ~= "string" or pattern:sub(1, 1) ~= "^" or pattern:sub(-1) ~= "$" then
    return nil, "find.pattern must be a string from ^ to $: what it leaves open could be anything"
  elseif not pattern:find("%(%?P?<repository>") or not pattern:find("%(%?P?<tag>") then
    return nil, "find.pattern must have the groups (?<repository>…) and (?<tag>…)"
  end
  local _, _, err = ngx.re.find("/", pattern, "jo")
  if err then
    return nil, "find.pattern: " .. err
  end
  return request.by_pattern(pattern)
end

local function only(given, ...)
  local count = 0
  for _ in pairs(given) do
    count = count + 1
  end
  for _, name in ipairs { ... } do
    if given[name] == nil then
      return false
    end
  end
  return count == select("#", ...)
end

--- @return finder  or nil, what is wrong
local function finder(given)
  if given == "registry" then
    return request.registry
  elseif type(given) == "function" then
    return request.by_function(given)
  elseif only(given, "pattern") then
    return pattern_finder(given.pattern)
  elseif only(given, "repository", "tag") and tostring(given.repository):find("^[%w_]+$") and
    tostring(given.tag):find("^[%w_]+$") then
    return request.by_variables(given.repository, given.tag)
  end
  return nil, "find must be { pattern = \"…\" } or { repository = \"…\", tag = \"…\" }, " ..
    "the latter with names of nginx variables, without $"
end

--- What follows from other keys, and what they exclude.
-- @return true  or nil, what is wrong
local function complete(settings)
  local is_registry = settings.find == "registry"
  settings.other = settings.other or (is_registry and "pass" or "refuse")
  settings.digests = settings.digests or (is_registry and "checked" or "refuse")
  if settings.pin == nil then
    settings.pin = is_registry
  elseif settings.pin and not is_registry then
    return nil, 'pin works with find = "registry" only: other paths are yours to rewrite'
  end
  if settings.digests == "checked" then
    settings.shared = ngx.shared[settings.dict]
    if not settings.shared then
      return nil, ("there is no shared dict %s, which remembers digests; add this line to the " ..
        "http block of nginx.conf: lua_shared_dict %s 1m;"):format(settings.dict, settings.dict)
    end
  end
  if settings.scan and settings.scan ~= "complete" then
    settings.scan_limit = settings.scan
    assert(rules.levels[settings.scan_limit])
  end
  local reason
  settings.finder, reason = finder(settings.find)
  return settings.finder and true, reason
end

--- Reads a configuration.
-- @return settings  or nil, what is wrong
function config.read(given)
  local settings = {}
  for key, value in pairs(DEFAULTS) do
    settings[key] = value
  end
  local problem = base.check(given, KEYS)
  if problem then
    return nil, problem
  end
  for key, value in pairs(given) do
    settings[key] = value
  end
  if not rawget(_G, "ngx") then
    return nil, "works inside nginx with its Lua module only"
  elseif (settings.cache == nil) == (settings.client == nil) then
    return nil, "give either cache = …, made by cr.cache.new, or client = …, made by cr.new"
  elseif not settings.instance then
    return nil, 'instance is missing: the InstanceId, "cri-…", in which tags are looked up'
  end
  local ok, reason = complete(settings)
  return ok and settings, reason
end

return config
