--- The facts of api/cr-2018-12-01.json in the form that the generators share: everything in the
-- order of names, objects with a list of fields instead of a map, nothing of the input changed.

local facts = {}

--- The text of a file, or nil.
function facts.read(path)
  local file = io.open(path, "rb")
  if not file then
    return nil
  end
  local text = file:read("*a")
  file:close()
  return text
end

--- Fills a file's sections.
-- @tparam string path
-- @tparam string pattern of the line that a section stands in, with its name as a capture
-- @tparam function lines_of the array of a section's lines by its name; an empty last one is left
--   out
function facts.fill(path, pattern, lines_of)
  return (assert(facts.read(path)):gsub(pattern, function(section)
    local lines = lines_of(section)
    if lines[#lines] == "" then
      lines[#lines] = nil
    end
    return table.concat(lines, "\n") .. "\n"
  end))
end

function facts.sorted_keys(map)
  local keys = {}
  for key in pairs(map) do
    keys[#keys + 1] = key
  end
  table.sort(keys)
  return keys
end

--- GetRepoTag → get_repo_tag; a run of capitals counts as one word.
function facts.snake_case(name)
  local spaced = name:gsub("(%l)(%u)", "%1_%2"):gsub("(%u)(%u%l)", "%1_%2")
  return spaced:lower()
end

--- Only what its name says is a read is repeated after it was sent, see src/cr/operations.lua.
local function is_read(name)
  return name:find("^Get%u") ~= nil or name:find("^List%u") ~= nil
end

--- @treturn table {name, type ("string", "boolean", "integer", "long", "array", "object", "map"),
--   required, deprecated, style (of arrays and objects: "repeat" or "json"), items, fields}
local function schema(fact, name, inherited_style)
  local style = fact.style or inherited_style or "repeat"
  local made = {
    name = name,
    type = fact.map and "map" or fact.type,
    required = fact.required == true,
    deprecated = fact.deprecated == true,
    style = style,
  }
  if fact.map then
    return made
  elseif fact.type == "array" then
    made.items = schema(fact.items, nil, style)
  elseif fact.type == "object" then
    made.fields = {}
    for index, key in ipairs(facts.sorted_keys(fact.properties or {})) do
      made.fields[index] = schema(fact.properties[key], key, style)
    end
  end
  return made
end

local function operation(name, fact)
  local parameters = {}
  for index, parameter in ipairs(fact.parameters) do
    parameters[index] = schema(parameter, parameter.name)
  end
  table.sort(parameters, function(a, b) return a.name < b.name end)
  return {
    name = name,
    lua_name = facts.snake_case(name),
    method = fact.method,
    is_read = is_read(name),
    parameters = parameters,
    answer = schema(fact.response),
    paging = fact.paging,
    ram_action = fact.ram_action,
    ram_resource = fact.ram_resource,
  }
end

--- @tparam table api what the JSON file holds
-- @treturn table array of operations {name, lua_name, method, is_read, parameters (array of
--   schemas), answer (schema), paging, ram_action, ram_resource}
function facts.operations(api)
  local list = {}
  for index, name in ipairs(facts.sorted_keys(api.operations)) do
    list[index] = operation(name, api.operations[name])
  end
  return list
end

--- The schema of what an answer of a paged operation lists.
function facts.item_of(paged)
  local found = paged.answer
  for _, name in ipairs(paged.paging.items) do
    for _, field in ipairs(found.fields) do
      if field.name == name then
        found = field
        break
      end
    end
  end
  return assert(found.items, paged.name .. ": what it pages through is no array")
end

return facts
