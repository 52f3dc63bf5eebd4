--- Which host a call goes to.
--
-- An explicit endpoint wins. Else region and network decide by the rule that all listed regions
-- follow: cr.<region>.aliyuncs.com, or cr-vpc.<region>.aliyuncs.com inside a VPC. A client with
-- neither asks the environment (ALIBABA_CLOUD_ENDPOINT, ALIBABA_CLOUD_REGION_ID,
-- ALIBABA_CLOUD_ENDPOINT_TYPE), at each call.

local core = require "cr.core"
local new_error = require "cr.error"
local suggest = require "cr.suggest"

local endpoint = {}

-- Values of ALIBABA_CLOUD_ENDPOINT_TYPE.
local NETWORKS = { vpc = true, public = true, internet = true, [""] = true }

local DEFAULT_PORT = { http = 80, https = 443 }

local function invalid(message, hint)
  return nil, new_error {
    kind = "validation", code = "InvalidEndpoint", message = message, hint = hint,
    retryable = false,
  }
end

--- Whether a host is this machine. What only looks like an address (127.0.0.256, 127.0.0.08) is a
-- name, which a resolver may find anywhere.
local function is_loopback(host)
  local octets = { host:match("^127%.(%d+)%.(%d+)%.(%d+)$") }
  for _, octet in ipairs(octets) do
    if tonumber(octet) > 255 or octet:find("^0%d") then
      return false
    end
  end
  return #octets == 3 or host == "localhost" or host == "[::1]"
end

--- Takes an endpoint apart.
-- @tparam string text "https://host:port", "host", "http://127.0.0.1:8080"
-- @tparam ?boolean allow_plaintext http:// to hosts that are not loopback
-- @return {origin = "https://host:port", host = "host:port" as the Host header has it}
-- @return nil, error
function endpoint.parse(text, allow_plaintext)
  if text:find("@", 1, true) then -- not shown: what stands before the @ may be a password
    return invalid("the endpoint holds a user or a password", "write only the host")
  end
  local scheme, rest = text:match("^(%a[%w+.-]*)://(.*)$")
  scheme, rest = (scheme or "https"):lower(), (rest or text):gsub("/$", "")
  if not DEFAULT_PORT[scheme] then
    return invalid(("endpoint %s has the scheme %s"):format(text, scheme), "use https://")
  end
  local host, port = rest:match("^(%[[%x:.]+%])(.*)$")
  if not host then
    host, port = rest:match("^([%w.-]+)(.*)$")
  end
  local number = port and tonumber(port:match("^:(%d+)$"))
  if not host or (port ~= "" and not (number and number >= 1 and number <= 65535)) then
    return invalid(("endpoint %q is not a host"):format(text),
      'write it as "host", "host:port" or "https://host:port", without path or user')
  end
  host = host:lower()
  local loopback = is_loopback(host)
  if scheme == "http" and not allow_plaintext and not loopback then
    return invalid(("endpoint %s is plain http to a host that is not this machine"):format(text),
      "use https://, or set allow_plaintext = true if the network in between is trusted")
  end
  if number and number ~= DEFAULT_PORT[scheme] then
    host = ("%s:%d"):format(host, number)
  end
  return { origin = scheme .. "://" .. host, host = host, is_loopback = loopback }
end

--- Whether a text can be the id of a region, and so part of a host's name.
function endpoint.is_region(text)
  return text:find("^[a-z0-9][a-z0-9-]*$") ~= nil and #text <= 63
end

--- The host of a region.
-- @treturn ?string host
-- @return nil, error for a name that cannot be a region, or one known to have no VPC host
function endpoint.of_region(region, network)
  if not endpoint.is_region(region) then
    return invalid(("region %q is not a region id"):format(region), 'write it like "cn-hangzhou"')
  end
  if network ~= "vpc" then
    return ("cr.%s.aliyuncs.com"):format(region)
  end
  if core.region_has_vpc(region) == false then
    return invalid(("region %s has no VPC endpoint"):format(region),
      'leave out network = "vpc", or give the endpoint of a private network yourself')
  end
  return ("cr-vpc.%s.aliyuncs.com"):format(region)
end

--- Whether a region is close to a listed one but not it; for hints when its host does not resolve.
function endpoint.region_suggestion(region)
  if core.region_has_vpc(region) == nil then
    return suggest(region, core.region_ids())
  end
end

local function from_environment(settings)
  local explicit = os.getenv "ALIBABA_CLOUD_ENDPOINT"
  if explicit and explicit ~= "" then
    return explicit
  end
  local region = os.getenv "ALIBABA_CLOUD_REGION_ID"
  if not region or region == "" then
    return invalid("no region and no endpoint is configured",
      'set region = "cn-…" or endpoint = "…", or the variable ALIBABA_CLOUD_REGION_ID')
  end
  local network = settings.network
  if not network then
    network = (os.getenv "ALIBABA_CLOUD_ENDPOINT_TYPE" or ""):lower()
    if not NETWORKS[network] then
      return invalid(("ALIBABA_CLOUD_ENDPOINT_TYPE is %q"):format(network),
        'set it to "vpc" or "public", or not at all')
    end
  end
  return endpoint.of_region(region, network)
end

--- The endpoint of a call.
-- @tparam table settings
-- @return {origin=, host=}
-- @return nil, error
function endpoint.resolve(settings)
  local text, err
  if settings.endpoint then
    text = settings.endpoint
  elseif settings.region then
    text, err = endpoint.of_region(settings.region, settings.network)
  else
    text, err = from_environment(settings)
  end
  if not text then
    return nil, err
  end
  return endpoint.parse(text, settings.allow_plaintext)
end

return endpoint
