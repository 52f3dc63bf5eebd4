--- The default chain: the first provider that is configured.
--
-- Environment, OIDC role, profile of the command line, ini profile, ECS metadata, credentials URI.
-- One that is configured and fails ends the search: going on would sign with another identity. A
-- provider is remembered once it brought a credential. The metadata server, which is asked over the
-- network before it is known to be there, is left alone for a while after it was not.

local check = require "cr.credentials.check"
local unavailable = require "cr.credentials.unavailable"
local variable = require "cr.credentials.variable"

local PROBE_PAUSE = 60 -- seconds

local function unset(names)
  return function()
    local missing = variable.missing(names)
    return missing and missing .. " not set"
  end
end

local function disabled_by(name)
  return function()
    return variable.flag(name) and name .. " is true" or nil
  end
end

-- `against` returns why a provider is not to be asked, or nil.
local CHAIN = {
  { type = "environment" },
  { type = "oidc_role_arn", against = unset { "ALIBABA_CLOUD_ROLE_ARN",
    "ALIBABA_CLOUD_OIDC_PROVIDER_ARN", "ALIBABA_CLOUD_OIDC_TOKEN_FILE" } },
  { type = "profile", against = disabled_by "ALIBABA_CLOUD_CLI_PROFILE_DISABLED" },
  -- Who names a profile wants that one: where neither file has it, another identity will not do.
  { type = "ini_profile", is_wanted_by = "profile" },
  { type = "ecs_ram_role", against = disabled_by "ALIBABA_CLOUD_ECS_METADATA_DISABLED",
    is_probed = true },
  { type = "credentials_uri", against = unset { "ALIBABA_CLOUD_CREDENTIALS_URI" } },
}

local fields = {
  profile = check.line,
  sts_endpoint = check.line,
  metadata_endpoint = check.line,
  timeout = check.seconds,
  connect_timeout = check.seconds,
}

--- The links of one chain. A provider is made, and its module loaded, when it is first asked.
local function build(given, make, checks)
  local links = {}
  for index, entry in ipairs(CHAIN) do
    links[index] = {
      name = entry.type, against = entry.against, is_probed = entry.is_probed,
      is_wanted = given[entry.is_wanted_by or ""] ~= nil,
      make = function()
        local declared, known = { type = entry.type }, checks(entry.type)
        for name in pairs(fields) do
          declared[name] = known[name] and given[name] or nil
        end
        return make(declared)
      end,
    }
  end
  return links
end

--- Asks one provider.
-- @return credential
-- @return nil, error, whether it is not configured
local function ask_link(link, ask)
  local reason = link.against and link.against()
  if reason then
    return nil, unavailable(reason), true
  end
  local since = link.absent_at and ask.time - link.absent_at
  if since and since >= 0 and since < PROBE_PAUSE then
    return nil, link.absence, true
  end
  ask.cut_short = nil
  link.provider = link.provider or link.make()
  local credential, err, is_absent = link.provider.get(ask)
  if is_absent and link.is_probed and not ask.cut_short then
    link.absent_at, link.absence = ask.time, unavailable(err.message)
  end
  return credential, err, is_absent and not link.is_wanted
end

--- Every provider with what it said, as one error.
local function nothing_works(said, failure)
  local parts = {}
  for index, entry in ipairs(said) do
    parts[index] = ("%s: %s"):format(entry.provider, entry.reason)
  end
  local err = unavailable("no credentials: " .. table.concat(parts, "; "), {
    hint = "configure one of these, or pass credentials to cr.new",
  })
  for _, name in ipairs { "hint", "retryable", "retry_after", "request_id", "access_denied" } do
    if failure and failure[name] ~= nil then
      err[name] = failure[name]
    end
  end
  return err
end

--- Asks in order.
-- @return link, credential  or nil, error; and what each said
local function search(links, ask)
  local said = {}
  for index, link in ipairs(links) do
    local credential, err, is_absent = ask_link(link, ask)
    said[index] = {
      provider = link.name, outcome = credential and "used" or is_absent and "not configured" or
        "failed", reason = credential and credential.origin or err.message,
    }
    if credential or not is_absent then
      for rest = index + 1, #links do
        said[rest] = {
          provider = links[rest].name, outcome = "not asked",
          reason = ("not asked, because %s is configured"):format(link.name),
        }
      end
      return credential and link, credential or nothing_works(said, err), said
    end
  end
  return nil, nothing_works(said), said
end

--- What each said in the search, but for the one that is used and has failed since.
local function failed_since(said, name, err)
  local list = {}
  for index, entry in ipairs(said) do
    list[index] = entry.provider ~= name and entry or
      { provider = name, outcome = "failed", reason = err.message }
  end
  return list
end

return {
  fields = fields,

  new = function(given, make, checks)
    local links, used, said

    --- Asks the one that is used; nothing when it is not configured any more.
    -- @return whether it was asked in vain; else what `get` returns
    local function ask_used(ask)
      local link, then_said = used, said -- other callers may change both meanwhile
      local credential, err, is_absent = link.provider.get(ask)
      if is_absent and not ask.cut_short then
        used = used ~= link and used or nil
        return true
      end
      ask.provider = link.name
      ask.said = credential and then_said or failed_since(then_said, link.name, err)
      return false, credential, err
    end

    local function get(ask)
      if used then
        local is_gone, credential, err = ask_used(ask)
        if not is_gone then
          return credential, err
        end
      end
      links = links or build(given, make, checks)
      local link, result, found = search(links, ask)
      ask.said = found
      if not link then
        return nil, result
      end
      used, said, ask.provider = link, found, link.name
      return result
    end

    return {
      get = get,
      refuse = function(credential, time)
        local refuse = used and used.provider.refuse
        return refuse ~= nil and refuse(credential, time)
      end,
    }
  end,
}
