--- Copies of what JSON can hold, all the way down.
--
-- Every hit is a copy, and most answers are one flat table: LuaJIT of OpenResty copies such a table
-- in one step. Which tables of an answer hold others is found out once for all its copies.

local has_clone, clone = pcall(require, "table.clone")

local copy = {}

if not has_clone then
  function clone(value)
    local new = {}
    for name, field in pairs(value) do
      new[name] = field
    end
    return new
  end
end

local function note(value, parents)
  for _, field in pairs(value) do
    if type(field) == "table" then
      parents[value] = true
      note(field, parents)
    end
  end
  return parents
end

--- The tables of a value that hold tables.
-- @treturn table a set
function copy.parents(value)
  return note(value, {})
end

--- @tparam table value
-- @tparam table parents its, as `copy.parents` found them
-- @treturn table
function copy.of(value, parents)
  local new = clone(value)
  if parents[value] then
    for name, field in pairs(new) do
      if type(field) == "table" then
        new[name] = copy.of(field, parents)
      end
    end
  end
  return new
end

return copy
