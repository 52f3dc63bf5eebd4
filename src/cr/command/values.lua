--- A parameter's value from the texts that the command line gave for it, by its declared type.

local core = require "cr.core"

local values = {}

values.MAX_FILE = 1024 * 1024 -- bytes of an @file; a request's line of parameters is far shorter

--- What `@file` and `@@text` stand for. The line break at the end of a file is an editor's.
-- @return text  or nil, what is wrong
local function referenced(text)
  if text:sub(1, 1) ~= "@" then
    return text
  elseif text:sub(2, 2) == "@" then
    return text:sub(2)
  elseif text == "@" then
    return nil, "the name of a file expected behind @ (@@ stands for @)"
  end
  local content, reason = core.read_file(text:sub(2), values.MAX_FILE)
  if not content then
    return nil, ("%s: %s (@@ stands for @)"):format(text:sub(2), reason)
  end
  return (content:gsub("\r?\n$", ""))
end

local function decode(text)
  return require("cr.json").decode(text)
end

local scalars = {}

function scalars.string(text)
  return text
end

function scalars.integer(text)
  return text:find("^[+-]?%d+$") and tonumber((text:gsub("^%+", ""))) or nil, "an integer"
end

scalars.long = scalars.integer

function scalars.boolean(text)
  if text == "true" or text == "false" then
    return text == "true"
  end
  return nil, "true or false"
end

function scalars.object(text)
  local value = text:find("^%s*{") and decode(text)
  return type(value) == "table" and value or nil, "a JSON object"
end

scalars.map = scalars.object

function scalars.any(text)
  local value = decode(text)
  if value == nil then
    return text
  end
  return value
end

--- What was given, for a message; no more of it than a line shows.
local function shown(text)
  text = text:gsub("%c", "?")
  return "'" .. (#text > 60 and text:sub(1, 60) .. "…" or text) .. "'"
end

local function scalar(schema, text)
  local value, expected = scalars[schema.type](text)
  if value == nil then
    return nil, ("%s expected, got %s"):format(expected, shown(text))
  end
  return value
end

--- Appends one text's items: those of a JSON array, or the text as one item.
local function append(list, schema, text)
  if text:find("^%s*%[") then
    local items = decode(text)
    if type(items) ~= "table" then
      return nil, ("a JSON array expected, got %s"):format(shown(text))
    end
    for _, item in ipairs(items) do
      list[#list + 1] = item
    end
    return list
  elseif schema.items.type == "array" then
    return nil, ("a JSON array expected, got %s"):format(shown(text))
  end
  local item, wrong = scalar(schema.items, text)
  list[#list + 1] = item
  return item ~= nil and list or nil, wrong
end

--- @tparam table schema of the parameter, see cr.operations
-- @tparam table texts array of what was given for it, in order
-- @return the value  or nil, what is wrong
function values.of(schema, texts)
  local list = schema.type == "array" and {} or nil
  local value
  for _, given in ipairs(texts) do
    local text, wrong = referenced(given)
    if text and list then
      value, wrong = append(list, schema, text)
    elseif text then
      value, wrong = scalar(schema, text)
    end
    if wrong then
      return nil, wrong
    end
  end
  return value
end

--- A switch's value: a boolean parameter may be given without one.
function values.of_switch(schema, texts)
  if #texts == 0 then
    return true
  end
  return values.of(schema, texts)
end

return values
