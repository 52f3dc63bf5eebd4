--- Lines for awk and cut: the values of a row between tabs, no header. Tabs, line breaks and other
-- controls in a value are written as \t, \n, \x1B, so that a row is a line whatever it holds.

local core = require "cr.core"
local json = require "cr.command.output.json"
local sink = require "cr.command.sink"
local terminal = require "cr.command.terminal"

local text = {}

--- A value as a cell: nothing for what is absent, JSON for lists and objects.
function text.cell(value, operation, path)
  if value == nil or value == core.null then
    return ""
  elseif type(value) == "string" then
    return terminal.clean(value)
  elseif type(value) == "number" then
    return json.number(value)
  elseif type(value) == "table" then
    return json.line(value, operation, path)
  end
  return tostring(value)
end

local Writer = {}
Writer.__index = Writer

function Writer:add(values)
  local cells = {}
  for index, column in ipairs(self.columns) do
    cells[index] = text.cell(values[index], self.operation, column.full_path)
  end
  sink.write(table.concat(cells, "\t"), "\n")
end

function Writer:finish() -- luacheck: ignore 212
end

function text.new(settings)
  return setmetatable({ operation = settings.operation, columns = settings.columns }, Writer)
end

return text
