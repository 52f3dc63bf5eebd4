--- Who declared credentials sign as, as a text without anything that could sign.
--
-- Answers depend on the permissions of who asks, so a cache that others share keeps them apart by
-- this text. It stays the same while sessions come and go: it is made of what was declared, not of
-- what was fetched.

local NEVER = { -- secrets, and what says nothing of who signs
  access_key_secret = true, security_token = true, access_token = true,
  access_token_expires = true, timeout = true, connect_timeout = true, source = true,
}

-- Types whose declaration names who signs, wherever it is read. The others are told by the machine
-- they are used on: its environment, files, metadata server.
local NAMES_IT = {
  access_key = true, cloud_sso = true, oidc_role_arn = true, ram_role_arn = true, sts = true,
}

--- @tparam table declared credentials
-- @treturn string
-- @treturn boolean whether the same text means the same one on every machine
return function(declared)
  local parts = {}
  for name, value in pairs(declared) do
    if not NEVER[name] then
      value = tostring(value)
      parts[#parts + 1] = ("%s=%d:%s"):format(name, #value, value)
    end
  end
  table.sort(parts)
  return table.concat(parts, "\n"), NAMES_IT[declared.type] == true
end
