--- The grammar of what a registry's request names: repositories, tags, digests.
--
-- Names go on to two readers, the registry and the API. What both read alike is narrow: lower-case
-- names, no character that any of them would decode or fold. Everything else is refused here, so
-- that no spelling of a name can mean one image to the gate and another to the registry.

local names = {}

local MAX_REPOSITORY = 255
local MAX_TAG = 128
local HEX_DIGITS = { sha256 = 64, sha512 = 128 }

--- Whether a component is runs of letters and digits with single separators between them: a point,
-- one or two underscores, any number of hyphens.
local function is_component(text)
  if not text:find("^[a-z0-9][a-z0-9._-]*$") or not text:find("[a-z0-9]$") then
    return false
  end
  for separator in text:gmatch("[._-]+") do
    if separator ~= "." and separator ~= "_" and separator ~= "__" and
      not separator:find("^%-+$") then
      return false
    end
  end
  return true
end

--- @treturn boolean
function names.is_repository(text)
  if type(text) ~= "string" or text == "" or #text > MAX_REPOSITORY or text:find("//", 1, true) or
    text:find("^/") or text:find("/$") then
    return false
  end
  for component in text:gmatch("[^/]+") do
    if not is_component(component) then
      return false
    end
  end
  return true
end

--- @treturn boolean
function names.is_tag(text)
  return type(text) == "string" and #text <= MAX_TAG and text:find("^[%w_][%w_.-]*$") ~= nil
end

--- @treturn boolean
function names.is_digest(text)
  local algorithm, hex = (type(text) == "string" and text or ""):match("^(%w+):([0-9a-f]+)$")
  return algorithm ~= nil and HEX_DIGITS[algorithm] == #hex
end

--- A digest as the API writes it (64 hexadecimal digits), or as a registry does, in the registry's
-- form.
-- @return digest, or nil when it is none
function names.to_digest(text)
  if type(text) ~= "string" then
    return nil
  elseif #text == HEX_DIGITS.sha256 and text:find("^[0-9a-f]+$") then
    return "sha256:" .. text
  end
  return names.is_digest(text) and text or nil
end

return names
