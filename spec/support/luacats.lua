--- Reads LuaCATS declarations, as far as types/cr.lua has them.

local luacats = {}

--- A field's or parameter's name, whether it is optional, and the rest of the line.
local function named(text)
  local name, optional, rest = text:match "^([%w_]+)(%??) (.*)$"
  return name, optional == "?", rest
end

--- The type at the start of a text that may go on with a description.
local function type_in(text)
  if text:find "^fun%(" or text:find "^[%w_.|]*|fun%(" then
    return (text:gsub("^(.-%b())(.*)$", "%1")) -- what it returns is not looked at
  end
  return text:match '^(table<[^>]*>%S*)' or text:match '^("[^"]*"%S*)' or text:match "^(%S+)"
end

local function new_class(declarations, text)
  local name, parent = text:gsub("^%(exact%) ", ""):match "^([%w_.]+):? ?([%w_.]*)$"
  assert(name, "a class that is not understood: " .. text)
  assert(not declarations.classes[name], name .. " is declared twice")
  local class = { name = name, parent = parent ~= "" and parent or nil, fields = {} }
  declarations.classes[name] = class
  return class
end

local function add_field(class, text)
  local name, optional, rest = named(text)
  if not name then
    name, rest = text:match "^(%[%w+%]) (.*)$"
  end
  assert(name, "a field that is not understood: " .. text)
  assert(not class.fields[name], class.name .. " has the field twice: " .. name)
  class.fields[name] = { optional = optional == true, type = type_in(rest) }
end

local function add_function(declarations, line, block)
  local name, arguments = line:match "^function ([%w_.:]+)%(([^)]*)%) end$"
  if not name then
    return
  end
  assert(not declarations.functions[name], name .. " is declared twice")
  declarations.functions[name] = {
    arguments = arguments, params = block.params, returns = block.returns,
    overloads = block.overloads,
  }
end

local function new_block()
  return { params = {}, returns = {}, overloads = {} }
end

local READERS = {
  class = function(state, text)
    state.class = new_class(state.declarations, text)
  end,
  field = function(state, text)
    add_field(state.class, text)
  end,
  alias = function(state, text)
    local name, value = text:match "^([%w_.]+) ?(.*)$"
    state.alias = { value ~= "" and value or nil }
    state.declarations.aliases[name] = state.alias
  end,
  param = function(state, text)
    local name, optional, rest = named(text)
    state.block.params[name] = { optional = optional, type = type_in(rest) }
  end,
  ["return"] = function(state, text)
    state.block.returns[#state.block.returns + 1] = type_in(text)
  end,
  overload = function(state, text)
    local overloads = state.block.overloads
    overloads[#overloads + 1] = text
  end,
  meta = function() end,
  operator = function() end,
}

--- @tparam string text of a file of declarations
-- @treturn table `classes` by name {name, parent, fields (by name {optional, type})},
--   `aliases` by name (arrays of values), `functions` by name as declared, "cr.new" or
--   "Client:call" {arguments, params (by name {optional, type}), returns, overloads (texts)}
function luacats.read(text)
  local state = {
    declarations = { classes = {}, aliases = {}, functions = {} }, block = new_block(),
  }
  for line in text:gmatch "([^\n]*)\n" do
    local tag, rest = line:match "^%-%-%-@(%w+) (.*)$"
    if tag then
      READERS[tag](state, rest)
    elseif line:find "^%-%-%-| " then
      state.alias[#state.alias + 1] = line:sub(6)
    elseif not line:find "^%-%-" then
      add_function(state.declarations, line, state.block)
      state.block = new_block()
    end
  end
  return state.declarations
end

return luacats
