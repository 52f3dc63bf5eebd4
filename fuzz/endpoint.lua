--- An endpoint is refused, or libcurl goes to the host that it says, and without TLS only to this
-- machine.

local endpoint = require "cr.endpoint"

local function is_this_machine(host)
  local octets = { host:match("^(127)%.(%d+)%.(%d+)%.(%d+)$") }
  for _, octet in ipairs(octets) do
    if tonumber(octet) > 255 or octet:find("^0%d") then -- a name
      return false
    end
  end
  return #octets == 4 or host == "localhost" or host == "[::1]"
end

local function check_refusal(text, err)
  assert(err.kind == "validation" and err.code == "InvalidEndpoint")
  assert(type(err.message) == "string" and not tostring(err):find("[\r\n]"))
  assert(not text:find("@", 1, true) or not tostring(err):find(text, 1, true), "shows a password")
end

--- What is signed as the host is where the request goes.
local function check_host(found, parts)
  local host, port = found.host:match("^(.-):?(%d*)$")
  if not found.host:find(":%d+$") then
    host, port = found.host, ""
  end
  assert(found.origin == parts.scheme .. "://" .. found.host, "another scheme")
  assert(not parts.user and parts.path == "/" and parts.query == "a=b", "more than a host")
  assert((parts.port or "") == port, "another port")
  local is_address = parts.host:find("^[%d.]+$") or parts.host:find("^%[") -- in its usual form
  assert(parts.host == host or is_address, "another host")
end

return function(read_url, text)
  for _, allow_plaintext in ipairs { true, false } do
    local found, err = endpoint.parse(text, allow_plaintext)
    if not found then
      check_refusal(text, err)
    else
      assert(not found.host:find("[%c%s/?#@\\%%]"), "no host")
      local parts = read_url(found.origin .. "/?a=b")
      if parts then -- else the call ends with InvalidUrl
        check_host(found, parts)
        local is_here = is_this_machine(parts.host)
        assert(is_here or not found.is_loopback, "taken for this machine")
        assert(is_here or allow_plaintext or parts.scheme == "https", "plain http to elsewhere")
      end
    end
  end
end
