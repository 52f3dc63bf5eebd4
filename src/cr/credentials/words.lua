--- Splits a command line into its words as a POSIX shell would, and does nothing else that a shell
-- does: no variables, no patterns, no substitution.
--
-- Single quotes keep everything, double quotes let a backslash stand before " \ $ and `, outside of
-- quotes a backslash keeps the next character.

--- The text up to the closing quote and the position behind it; nil when it never closes.
local function quoted(text, position, quote)
  local parts = {}
  while true do
    local plain, mark, after = text:match('^([^"\\\']*)(["\\\'])()', position)
    if not plain then
      return nil
    end
    parts[#parts + 1] = plain
    position = after
    if mark == quote then
      return table.concat(parts), position
    elseif mark == "\\" and quote == '"' then
      local escaped = text:match('^["\\$`]', position)
      parts[#parts + 1] = escaped or "\\"
      position = position + (escaped and 1 or 0)
    else
      parts[#parts + 1] = mark
    end
  end
end

--- @tparam string text
-- @return array of strings
-- @return nil, reason
return function(text)
  local words, word, position = {}, nil, 1
  while position <= #text do
    local blank, plain = text:match("^%s+", position), text:match("^[^%s\"'\\]+", position)
    local mark = text:sub(position, position)
    if blank then
      words[#words + 1] = word
      word, position = nil, position + #blank
    elseif plain then
      word, position = (word or "") .. plain, position + #plain
    elseif mark == "\\" then
      word, position = (word or "") .. text:sub(position + 1, position + 1), position + 2
    else
      local inside, after = quoted(text, position + 1, mark)
      if not inside then
        return nil, ("a %s quote is never closed"):format(mark == '"' and "double" or "single")
      end
      word, position = (word or "") .. inside, after
    end
  end
  words[#words + 1] = word
  if #words == 0 then
    return nil, "it is empty"
  end
  return words
end
