--- Sections of strings or the number of a bad line; words, which quoted anew are the same words.

local ini = require "cr.credentials.ini"
local split = require "cr.credentials.words"

local function check_ini(text)
  local sections, names = ini.parse(text)
  if not sections then
    local number = tonumber(names:match("^line (%d+): "))
    local _, breaks = text:gsub("[\r\n]", "")
    assert(number >= 1 and number <= breaks + 1, "no such line")
    return
  end
  local listed = {}
  for _, name in ipairs(names) do
    assert(not listed[name] and sections[name], "a name is listed twice or has no section")
    listed[name] = true
  end
  for name, section in pairs(sections) do
    assert(listed[name] and name ~= "", "a section is not listed")
    for key, value in pairs(section) do
      assert(type(key) == "string" and key ~= "" and not key:find("="), "an odd key")
      assert(type(value) == "string" and not value:find("\n"), "an odd value")
      assert(text:find(value, 1, true) and text:find(key, 1, true), "not in the file")
    end
  end
  return sections, names
end

--- The quotes that a value can stand in: those that do not end in it, before what looks like a
-- comment. Nil where there are none.
local function quotes_for(value)
  for _, quote in ipairs { '"', "'" } do
    if not (value .. quote):find(quote .. "%s+[#;]") then
      return quote
    end
  end
end

--- What is written from the sections reads as the same sections.
local function check_written(sections, names)
  local lines = {}
  for _, name in ipairs(names) do
    lines[#lines + 1] = "[" .. name .. "]"
    for key, value in pairs(sections[name]) do
      local quote = quotes_for(value)
      if quote then
        lines[#lines + 1] = ("%s = %s%s%s"):format(key, quote, value, quote)
      end
    end
  end
  local again, names_again = ini.parse(table.concat(lines, "\n"))
  assert(again, names_again)
  assert(#names_again == #names)
  for name, section in pairs(sections) do
    for key, value in pairs(section) do
      assert(again[name][key] == value or not quotes_for(value),
        "a value is not read as it was written")
    end
  end
end

local function same_words(words, line)
  local again = split(line)
  assert(again and #again == #words, "other words")
  for index, word in ipairs(words) do
    assert(again[index] == word, "another word")
  end
end

local function check_words(text)
  local words, reason = split(text)
  if not words then
    assert(reason:find("quote is never closed$") or reason == "it is empty")
    return
  end
  local single, double, escaped = {}, {}, {}
  for index, word in ipairs(words) do
    single[index] = "'" .. word:gsub("'", [['\'']]) .. "'"
    double[index] = '"' .. word:gsub('["\\$`]', "\\%0") .. '"'
    escaped[index] = word == "" and "''" or word:gsub(".", "\\%0")
  end
  same_words(words, table.concat(single, " "))
  same_words(words, table.concat(double, "\t"))
  same_words(words, table.concat(escaped, "\n "))
end

return function(text)
  local sections, names = check_ini(text)
  if sections then
    check_written(sections, names)
  end
  check_words(text)
end
