--- Options may stand in front of the operation's name, as in `cr --region cn-x get-repo-tag`: here
-- they go behind it, with their values.

local function takes_value(word)
  for _, option in ipairs(require "cr.command.options") do
    if word == "--" .. option.name then
      return option.argument ~= nil
    end
  end
  return false
end

-- @tparam table words is changed
-- @tparam ?table commands words with dashes that are names themselves
return function(words, commands)
  local front = {}
  while words[1] and words[1]:find("^%-%-%l") and not (commands and commands[words[1]]) do
    local word = table.remove(words, 1)
    front[#front + 1] = word
    if takes_value(word) then
      front[#front + 1] = table.remove(words, 1)
    end
  end
  for index, word in ipairs(front) do
    table.insert(words, math.min(index + 1, #words + 1), word)
  end
end
