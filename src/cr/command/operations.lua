--- `cr operations [PATTERN]`: what can be called.

local core = require "cr.core"
local exit_status = require "cr.command.exit_status"
local names = require "cr.command.names"
local sink = require "cr.command.sink"
local terminal = require "cr.command.terminal"

local WHO = "cr operations"

local USAGE = [[
usage: cr operations [PATTERN]

Lists the operations with method, RAM action ("-" where none is published) and whether the answer
comes in pages; with a pattern those whose name has it in it: cr operations tag, cr operations
'get*scan'. Upper and lower case and dashes do not matter. The columns are tab-separated where
standard output is no terminal.
]]

--- A Lua pattern for a text in which * stands for anything.
local function pattern_of(text)
  return (text:lower():gsub("[-_]", ""):gsub("%W", function(char)
    return char == "*" and ".*" or "%" .. char
  end))
end

-- @tparam table words what follows `cr operations`
-- @return the exit status
return function(words)
  if words[1] == "--help" or words[1] == "-h" then
    sink.write(USAGE)
    return exit_status.OK
  elseif #words > 1 or words[1] and words[1]:find("^%-") then
    terminal.say(WHO, "one pattern expected; cr operations --help tells more")
    return exit_status.USAGE
  end
  local pattern, count = pattern_of(words[1] or ""), 0
  local writer = require("cr.command.output." .. (terminal.output() and "table" or "text")).new {
    is_list = true,
    columns = { { name = "Operation" }, { name = "Command" }, { name = "Method" },
      { name = "RAM action" }, { name = "Paged" } },
  }
  for number = 1, core.operation_count do
    local operation = core.operation(number)
    if operation.name:lower():find(pattern) then
      count = count + 1
      writer:add { operation.name, names.kebab(operation.name), operation.method,
        operation.ram_action or "-", operation.paging and "paged" or "-" }
    end
  end
  if count == 0 then
    terminal.say(WHO, ("no operation has '%s' in its name"):format(words[1]))
    return exit_status.FAILED
  end
  writer:finish()
  return exit_status.OK
end
