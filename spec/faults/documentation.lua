--- The fault tables as docs/reliability.md shows them. To write them anew:
--
--     lua5.4 spec/faults/documentation.lua --write

local PATH = "docs/reliability.md"
local BEGIN, END = "<!-- faults: begin -->\n", "<!-- faults: end -->\n"

local documentation = {}

documentation.TABLES = {
  { "The connection", "spec.faults.connections" },
  { "TLS", "spec.faults.tls" },
  { "A proxy", "spec.faults.proxies" },
  { "HTTP", "spec.faults.framing" },
  { "The answer", "spec.faults.bodies" },
}

--- The error's code, or codes, as text.
local function codes(row)
  if type(row.gets) == "table" then
    return "`" .. table.concat(row.gets, "` or `") .. "`"
  end
  return "`" .. row.gets .. "`"
end

local function read_cell(row)
  if row.gets == "answer" then
    return "the answer"
  end
  local is_repeated = row.repeats == "reads" or row.repeats == "all"
  return codes(row) .. (is_repeated and ", repeated" or "")
end

local function write_cell(row)
  if row.gets == "answer" then
    return "the answer"
  elseif row.repeats == "all" then
    return codes(row) .. (row.kind == "service" and ", turned away: repeated" or
      ", nothing sent: repeated")
  end
  return codes(row) .. (row.is_unsent and ", nothing sent" or ", sent once")
end

--- All tables as text.
function documentation.render()
  local lines = {}
  for _, entry in ipairs(documentation.TABLES) do
    lines[#lines + 1] = ("### %s\n\n| fault | a read gets | a write gets | bounded by |\n" ..
      "|---|---|---|---|"):format(entry[1])
    for _, row in ipairs(require(entry[2])) do
      lines[#lines + 1] = ("| %s | %s | %s | %s |"):format(row.name, read_cell(row),
        write_cell(row), assert(row.bound, row.name))
    end
    lines[#lines + 1] = ""
  end
  return table.concat(lines, "\n") .. "\n"
end

local function read()
  local file = assert(io.open(PATH, "rb"))
  local text = file:read "*a"
  file:close()
  return text
end

--- What is between the marks now, and what is before and behind.
function documentation.current()
  local text = read()
  local _, first = text:find(BEGIN, 1, true)
  local last = text:find(END, 1, true)
  assert(first and last, "no marks in " .. PATH)
  return text:sub(first + 1, last - 1), text:sub(1, first), text:sub(last)
end

if arg and arg[0] and arg[0]:find "spec/faults/documentation%.lua$" and arg[1] == "--write" then
  package.path = "./?.lua;" .. package.path
  local _, before, behind = documentation.current()
  local file = assert(io.open(PATH, "wb"))
  assert(file:write(before, "\n", documentation.render(), behind))
  file:close()
end

return documentation
