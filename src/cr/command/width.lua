--- Columns that a text takes on a terminal: a character of UTF-8 takes one, an East Asian wide one
-- or an emoji two, a combining one none.

-- First and last code point, sorted. Wide: East Asian Width W and F of Unicode, in whole blocks.
local WIDE = {
  { 0x1100, 0x115F }, { 0x2E80, 0x303E }, { 0x3041, 0x33FF }, { 0x3400, 0x4DBF },
  { 0x4E00, 0x9FFF }, { 0xA000, 0xA4CF }, { 0xA960, 0xA97F }, { 0xAC00, 0xD7A3 },
  { 0xF900, 0xFAFF }, { 0xFE10, 0xFE19 }, { 0xFE30, 0xFE6F }, { 0xFF01, 0xFF60 },
  { 0xFFE0, 0xFFE6 }, { 0x1F300, 0x1F64F }, { 0x1F680, 0x1F6FF }, { 0x1F900, 0x1F9FF },
  { 0x20000, 0x3FFFD },
}
local NONE = {
  { 0x0300, 0x036F }, { 0x0483, 0x0489 }, { 0x0591, 0x05BD }, { 0x0610, 0x061A },
  { 0x064B, 0x065F }, { 0x0E31, 0x0E31 }, { 0x0E34, 0x0E3A }, { 0x0E47, 0x0E4E },
  { 0x1AB0, 0x1AFF }, { 0x1DC0, 0x1DFF }, { 0x200B, 0x200F }, { 0x20D0, 0x20FF },
  { 0x302A, 0x302D }, { 0x3099, 0x309A }, { 0xFE00, 0xFE0F }, { 0xFE20, 0xFE2F },
}

local function is_in(ranges, code)
  for _, range in ipairs(ranges) do
    if code < range[1] then
      return false
    elseif code <= range[2] then
      return true
    end
  end
  return false
end

--- The code point of one character of valid UTF-8.
local function code_of(character)
  local first = character:byte()
  local code = first < 0xE0 and first - 0xC0 or first < 0xF0 and first - 0xE0 or first - 0xF0
  for i = 2, #character do
    code = code * 64 + character:byte(i) - 0x80
  end
  return code
end

-- @tparam string text without control characters
return function(text)
  if not text:find("[\128-\255]") then
    return #text
  end
  local columns = 0
  for character in text:gmatch("[^\128-\191][\128-\191]*") do
    local code = #character > 1 and code_of(character) or 0
    columns = columns + (is_in(NONE, code) and 0 or is_in(WIDE, code) and 2 or 1)
  end
  return columns
end
