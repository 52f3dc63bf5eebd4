--- The declared fields of an operation's answer, from the texts in answers.lua.

local schema = {}

--- Reads fields up to the closing bracket or the end.
-- @return array of {name, type, fields (of an object, and of the objects of an array), items (the
--   type of other items)}, the position behind
local function read(text, position)
  local list = {}
  while true do
    local name, mark, behind = text:match("^ ?(%w+)([=%[{]?)()", position)
    if not name then
      return list, position
    end
    local field = { name = name, type = "string" }
    position = behind
    if mark == "=" then
      field.type, position = text:match("^(%l+)()", position)
    elseif mark ~= "" then
      field.type = mark == "[" and "array" or "object"
      field.items, behind = text:match("^=(%l+)()", position)
      if field.items then
        position = behind
      else
        field.fields, position = read(text, position)
      end
      position = position + 1
    end
    list[#list + 1] = field
  end
end

--- @tparam string name of the operation, as the API writes it
-- @treturn table array of fields, see above
function schema.of(name)
  return (read(require "cr.command.answers"[name] or "", 1))
end

--- @return the field of that name, or nil
function schema.field(fields, name)
  for _, field in ipairs(fields or {}) do
    if field.name == name then
      return field
    end
  end
end

return schema
