--- RAM: how policies name what an operation is about.
--
-- The vendor publishes a resource per operation as a pattern, `repository/{InstanceId}/…`, which
-- stands behind `acs:cr:<region>:<account>:`. Some operations have none that is published, or one
-- whose text is cut short ("chart/..."): about these nothing is guessed.
--
-- Source: the vendor's pages on RAM authorization of the API, as in api/cr-2018-12-01.json.

local ram = {}

--- The names that patterns have in braces.
ram.NAMES = { "InstanceId", "NamespaceName", "RepositoryId", "RepositoryName", "ScanRuleId" }

--- Whether a text can be a part of a resource's name; `*` and `?` stand for others.
function ram.is_part(text)
  return text:find("^[%w%-_.*?]+$") ~= nil
end

--- Puts every combination of values into a pattern.
local function fill(pattern, values, list)
  local start, stop, name = pattern:find("{(%w+)}")
  if not start then
    list[#list + 1] = pattern
    return list
  end
  for _, value in ipairs(values[name] or { "*" }) do
    fill(pattern:sub(1, start - 1) .. value .. pattern:sub(stop + 1), values, list)
  end
  return list
end

--- The resources of an operation, as policies have them.
-- @tparam ?string pattern the operation's `ram_resource`
-- @tparam table values arrays of texts by name; `*` stands for what is not there
-- @tparam ?string region all if not given
-- @tparam ?string account likewise
-- @treturn ?table array; {"*"} where an operation cannot be narrowed, nil where nothing (whole) is
--   published
function ram.resources(pattern, values, region, account)
  if pattern == "*" then
    return { "*" }
  elseif not pattern or not pattern:find("^%l+/{%w+}") then
    return nil
  end
  return fill(("acs:cr:%s:%s:%s"):format(region or "*", account or "*", pattern), values, {})
end

-- The parameters of calls that tell a name of the patterns, the best first.
local PARAMETERS = {
  InstanceId = { "InstanceId" },
  NamespaceName = { "RepoNamespaceName", "NamespaceName" },
  RepositoryId = { "RepoId" },
  RepositoryName = { "RepoName" },
  ScanRuleId = { "ScanRuleId" },
}

--- What a call's parameters tell of the names: texts by parameter → values, as above.
function ram.values_of(parameters)
  local values = {}
  for name, sources in pairs(PARAMETERS) do
    for _, source in ipairs(sources) do
      local text = parameters[source]
      if not values[name] and text and ram.is_part(text) then
        values[name] = { text }
      end
    end
  end
  return values
end

return ram
