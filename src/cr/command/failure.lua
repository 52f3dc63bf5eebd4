--- A call's error as the command line tells it: the hints of the library name its own settings,
-- here they name the program's options.

local failure = {}

local WORDS = {
  { ", or pass credentials to cr.new", "; cr credentials --why tells what each one said" },
  { ', or pass credentials = {type = "access_key", …} to cr.new', "" },
  { 'leave out network = "vpc"', "leave out --network vpc" },
  { ", or set allow_plaintext = true if the network in between is trusted", "" },
  { "with ca_file", "with --ca-file" },
  { "that ca_file", "that --ca-file" },
  { 'type = "sts", or ', "" },
}

local function replaced(text, from, to)
  local first, last = text:find(from, 1, true)
  return first and text:sub(1, first - 1) .. to .. text:sub(last + 1) or text
end

--- @tparam table err the error object of a call; its hint is changed
-- @treturn string one line
function failure.text(err)
  if err.hint then
    for _, words in ipairs(WORDS) do
      err.hint = replaced(err.hint, words[1], words[2])
    end
  end
  return tostring(err)
end

return failure
