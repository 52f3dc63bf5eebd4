--- Values for examples of calls: the vendor's documented samples where there are some, else one of
-- the right type.

local SAMPLES = {
  InstanceId = '"cri-kmsiwlxxdcva****"',
  RepoId = '"crr-tquyps22md8p****"',
  Tag = '"1.0"',
  RegionId = '"cn-hangzhou"',
}

local SCALARS = { string = '"…"', boolean = "true", integer = "1", long = "1" }

local values = {}

--- A Lua expression for a value of this schema.
-- @tparam table schema see facts.lua
function values.of(schema)
  if schema.type == "array" then
    return ("{ %s }"):format(values.of(schema.items))
  elseif schema.fields then
    return ("{ %s }"):format(values.fields(schema.fields))
  elseif schema.type == "map" then
    return "{}"
  end
  return schema.type == "string" and SAMPLES[schema.name] or SCALARS[schema.type]
end

--- The same for all of these fields, as what stands between a table's braces.
function values.fields(fields)
  local parts = {}
  for index, field in ipairs(fields) do
    parts[index] = ("%s = %s"):format(field.name, values.of(field))
  end
  return table.concat(parts, ", ")
end

return values
