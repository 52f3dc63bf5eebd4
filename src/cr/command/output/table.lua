--- Aligned columns for people. The widths are those of the first rows; a longer cell behind them
-- moves its own line and no other, so that a list of any length needs no more memory than that.

local sink = require "cr.command.sink"
local terminal = require "cr.command.terminal"
local text = require "cr.command.output.text"
local width = require "cr.command.width"

local FIRST_ROWS = 200

local RIGHT = { integer = true, long = true, number = true }

local Writer = {}
Writer.__index = Writer

local function padded(cell, columns, is_right)
  local gap = (" "):rep(columns - width(cell))
  return is_right and gap .. cell or cell .. gap
end

local function write_line(self, cells, style)
  local line = {}
  for index, cell in ipairs(cells) do
    line[index] = padded(cell, self.widths[index], RIGHT[self.columns[index].type])
  end
  local whole = table.concat(line, "  "):gsub("%s+$", "")
  sink.write(style and terminal.styled(style, whole, terminal.output()) or whole, "\n")
end

--- Fixes the widths and writes what was kept so far.
local function begin(self)
  local titles = {}
  self.widths = {}
  for index, column in ipairs(self.columns) do
    titles[index] = column.name
    self.widths[index] = width(column.name)
    for _, cells in ipairs(self.kept) do
      self.widths[index] = math.max(self.widths[index], width(cells[index]))
    end
  end
  write_line(self, titles, "bold")
  for _, cells in ipairs(self.kept) do
    write_line(self, cells)
  end
  self.kept = nil
end

function Writer:add(values)
  local cells = {}
  for index, column in ipairs(self.columns) do
    cells[index] = text.cell(values[index], self.operation, column.full_path)
  end
  if not self.kept then
    write_line(self, cells)
    return
  end
  self.kept[#self.kept + 1] = cells
  if #self.kept == FIRST_ROWS then
    begin(self)
  end
end

function Writer:finish()
  if self.kept then
    begin(self)
  end
end

--- One answer: a line per field, name and value.
local Single = {}
Single.__index = Single

function Single:add(values)
  local longest = 0
  for _, column in ipairs(self.columns) do
    longest = math.max(longest, width(column.name))
  end
  for index, column in ipairs(self.columns) do
    if values[index] ~= nil then
      sink.write(terminal.styled("bold", padded(column.name, longest), terminal.output()), "  ",
        text.cell(values[index], self.operation, column.full_path), "\n")
    end
  end
end

function Single:finish() -- luacheck: ignore 212
end

return {
  new = function(settings)
    return setmetatable({
      operation = settings.operation, columns = settings.columns, kept = {},
    }, settings.is_list and Writer or Single)
  end,
}
