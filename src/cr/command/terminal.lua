--- What is written for people: messages on standard error, colours where they are wanted, and
-- nothing that could steer the terminal it ends up on.

local core = require "cr.core"

local terminal = {}

local INPUT, OUTPUT, ERROR = 0, 1, 2

--- Columns of the terminal, or nil where there is none.
function terminal.input()
  return core.columns(INPUT)
end

function terminal.output()
  return core.columns(OUTPUT)
end

function terminal.error()
  return core.columns(ERROR)
end

local SHORT = { ["\t"] = "\\t", ["\n"] = "\\n", ["\r"] = "\\r" }

--- The text without control characters: they become visible escapes (\t, \n, \x1B), also those that
-- UTF-8 writes in two bytes.
function terminal.clean(text)
  text = text:gsub("%c", function(char)
    return SHORT[char] or ("\\x%02X"):format(char:byte())
  end)
  return (text:gsub("\194([\128-\159])", function(char)
    return ("\\x%02X"):format(char:byte())
  end))
end

--- Whether colours are wanted (https://no-color.org).
local function has_colours()
  local no_color = os.getenv "NO_COLOR"
  return (no_color == nil or no_color == "") and os.getenv "TERM" ~= "dumb"
end

local CODES = { bold = "1", failure = "1;31", warning = "33" }

--- The text in a style, if `columns` says that it goes to a terminal.
function terminal.styled(style, text, columns)
  if columns and has_colours() then
    return ("\27[%sm%s\27[0m"):format(CODES[style], text)
  end
  return text
end

-- Set by progress.lua while its line is on the screen.
terminal.clear_line = nil

--- A line on standard error: "cr get-repo-tag: …".
-- @tparam string who "cr get-repo-tag"
-- @tparam string text
-- @tparam ?string style of what stands in front: "failure" if not given
function terminal.say(who, text, style)
  if terminal.clear_line then
    terminal.clear_line()
  end
  io.stderr:write(terminal.styled(style or "failure", who .. ":", terminal.error()), " ",
    terminal.clean(text), "\n")
end

return terminal
