--- The command line of `cr emulator`.

local options = {}

options.USAGE = [[
usage: cr emulator [options]

Runs a local Container Registry API and prints, once it listens, the environment
that points clients at it, as lines for a shell. Runs until SIGTERM or SIGINT.

  --port N        port of http://, a free one if not given
  --tls-port N    port of https://, a free one if not given
  --host ADDRESS  IP address to listen on, 127.0.0.1 if not given
  --fixture FILE  JSON of what the registry holds at the start (docs/emulator.md)
  --quiet         print nothing on standard output
  --help          this text
]]

local function port(text)
  local number = text:match("^%d+$") and #text <= 5 and tonumber(text)
  if not number or number < 1 or number > 65535 then
    return nil, "a port from 1 to 65535 expected"
  end
  return number
end

local function is_ipv4(text)
  local count = 0
  for part in (text .. "."):gmatch("([^.]*)%.") do
    count = count + 1
    if not part:match("^%d%d?%d?$") or tonumber(part) > 255 then
      return false
    end
  end
  return count == 4
end

local function host(text)
  text = text == "localhost" and "127.0.0.1" or text
  if not is_ipv4(text) and not text:match("^%x*:[%x:.]*:%x*[%x.]*$") then
    return nil, "an IP address such as 127.0.0.1 or ::1 expected"
  end
  return text
end

local function file(text)
  if text == "" then
    return nil, "the name of a JSON file expected"
  end
  return text
end

local WITH_VALUE = {
  ["--port"] = { "port", port }, ["--tls-port"] = { "tls_port", port },
  ["--host"] = { "host", host }, ["--fixture"] = { "fixture", file },
}
local FLAGS = { ["--quiet"] = "quiet", ["--help"] = "help", ["-h"] = "help" }

--- @param arguments array of strings; both `--port 80` and `--port=80` are understood
-- @return table port, tls_port, host, fixture, quiet, help; or nil and what is wrong
function options.parse(arguments)
  local parsed, index = { host = "127.0.0.1" }, 1
  while arguments[index] do
    local name, value = arguments[index]:match("^(%-%-[^=]+)=(.*)$")
    name = name or arguments[index]
    if WITH_VALUE[name] then
      if not value then
        index = index + 1
        value = arguments[index]
      end
      local field, convert = WITH_VALUE[name][1], WITH_VALUE[name][2]
      local converted, expected = convert(value or "")
      if not converted then
        return nil, ("%s: %s, got '%s'"):format(name, expected, value or "")
      end
      parsed[field] = converted
    elseif FLAGS[name] and not value then
      parsed[FLAGS[name]] = true
    else
      return nil, ("%s: no such option; cr emulator --help lists them"):format(arguments[index])
    end
    index = index + 1
  end
  if parsed.port and parsed.port == parsed.tls_port then
    return nil, "--tls-port: must differ from --port"
  end
  return parsed
end

return options
