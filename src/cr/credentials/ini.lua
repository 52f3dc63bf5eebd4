--- Reads INI files as the vendor's programs write and users edit them.
--
-- Sections, `key = value` with or without blanks, lines that begin with # or ; as comments, also
-- behind a value after a blank, values in quotes, line ends of any system. A line that is none of
-- this is an error, which names the line and does not show it: it may hold half a secret.

local trim = require "cr.trim"

local ini = {}

--- What stands between quotes, or nil. The closing one is followed by nothing, or by a comment:
-- another may be part of a policy.
local function in_quotes(text)
  local quote, position = text:match("^[\"']"), 1
  while quote do
    position = text:find(quote, position + 1, true)
    if not position then
      return nil
    elseif text:find("^%s*$", position + 1) or text:find("^%s+[#;]", position + 1) then
      return text:sub(2, position - 1)
    end
  end
end

--- A value in quotes is what stands between them; a comment behind it starts after a blank. What
-- begins like JSON (a policy) is taken whole.
local function value_of(text)
  local quoted = in_quotes(text)
  if quoted then
    return quoted
  elseif text:find("^[{%[]") then
    return text
  end
  local comment = text:find("%s[#;]")
  return text:find("^[#;]") and "" or trim(comment and text:sub(1, comment) or text)
end

--- @tparam string text
-- @return tables of strings by section name; names of the sections in order
-- @return nil, reason with the number of the line
function ini.parse(text)
  local sections, names, current = {}, {}, nil
  local number = 0
  for line in (text .. "\n"):gsub("\r\n?", "\n"):gmatch("([^\n]*)\n") do
    number = number + 1
    line = trim(line)
    local section = line:match("^%[([^%]]*)%]%s*$") or line:match("^%[([^%]]*)%]%s*[#;]")
    section = section and trim(section)
    local key, value = line:match("^([^=%[][^=]*)=(.*)$")
    if key then
      key, value = trim(key), trim(value)
    end
    local is_comment = line == "" or line:find("^[#;]") ~= nil
    if section and section ~= "" then
      if not sections[section] then
        names[#names + 1] = section
      end
      sections[section] = sections[section] or {}
      current = sections[section]
    elseif key and current and not is_comment then
      current[key] = value_of(value)
    elseif not is_comment then
      return nil, ("line %d: %s"):format(number, key and "a key before the first [section]" or
        "neither [section] nor key = value")
    end
  end
  return sections, names
end

return ini
