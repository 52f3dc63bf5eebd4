--- The table of a block's headers, read once more, line by line.

local answer = require "cr.answer"
local core = require "cr.core"

local LONGEST_NAME = 128

local function trim(text)
  return text:match("^[ \t]*(.-)[ \t]*$")
end

local function read(block)
  local headers = {}
  for line in (block .. "\n"):gmatch("([^\n]*)\n") do
    line = line:gsub("\r$", "")
    local name, value = line:match("^([^:]*):(.*)$")
    if name and not line:find("^[ \t]") and not line:find("^HTTP/") then
      name, value = trim(name):lower(), trim(value)
      if #name <= LONGEST_NAME then
        headers[name] = headers[name] and headers[name] .. ", " .. value or value
      end
    end
  end
  return headers
end

return function(block)
  local ours, theirs = core.headers(block), read(block)
  for name, value in pairs(theirs) do
    assert(ours[name] == value, name)
    assert(answer.header({ header_block = block }, name) == value, name)
  end
  for name in pairs(ours) do
    assert(theirs[name], name)
  end
end
