--- Environment variables as the providers read them: one that is empty is not set.

local variable = {}

function variable.text(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

--- "true" in any case; everything else is false, as with the vendor's own programs.
function variable.flag(name)
  return (os.getenv(name) or ""):lower() == "true"
end

--- Which of the variables are not set: "A is", "A and B are", or nil when all are.
function variable.missing(names)
  local missing = {}
  for _, name in ipairs(names) do
    if not variable.text(name) then
      missing[#missing + 1] = name
    end
  end
  local last = table.remove(missing)
  if #missing == 0 then
    return last and last .. " is"
  end
  return table.concat(missing, ", ") .. " and " .. last .. " are"
end

return variable
