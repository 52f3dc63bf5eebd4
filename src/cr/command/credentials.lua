--- `cr credentials`: whose credential the client would sign with.

local check = require "cr.credentials.check"

local USAGE = [[
usage: cr credentials [options]

Fetches a credential as a call would and tells whose it is; never the secret.

  --profile NAME  profile of the command line or section of the ini file,
                  instead of ALIBABA_CLOUD_PROFILE
  --why           what each provider of the default chain said
  --help          this text

The exit status is 3 when there is no credential.
]]

local OK, WRONG_USAGE, NO_CREDENTIALS = 0, 2, 3

--- @return table why, help, profile; or nil and what is wrong
local function parse(arguments)
  local parsed, index = {}, 1
  while arguments[index] do
    local name, value = arguments[index]:match("^(%-%-[^=]+)=(.*)$")
    name = name or arguments[index]
    if name == "--profile" then
      if not value then
        index = index + 1
        value = arguments[index]
      end
      if not check.line(value) then
        return nil, "--profile: a name expected"
      end
      parsed.profile = value
    elseif (name == "--why" or name == "--help") and not value then
      parsed[name:sub(3)] = true
    elseif name == "-h" then
      parsed.help = true
    else
      return nil, arguments[index] .. ": no such option; cr credentials --help lists them"
    end
    index = index + 1
  end
  return parsed
end

local function print_why(chain)
  print("")
  for _, entry in ipairs(chain) do
    print(("%-16s%-16s%s"):format(entry.provider, entry.outcome,
      entry.outcome == "not asked" and "" or entry.reason):match("^(.-)%s*$"))
  end
end

--- @param arguments array of strings, what follows `cr credentials`
-- @return an exit status
return function(arguments)
  local parsed, wrong = parse(arguments)
  if not parsed then
    io.stderr:write("cr credentials: ", wrong, "\n")
    return WRONG_USAGE
  elseif parsed.help then
    io.stdout:write(USAGE)
    return OK
  end
  local client = require("cr").new {
    credentials = { type = "default", profile = parsed.profile },
  }
  local found, err = client:credentials()
  if not found then
    io.stderr:write("cr credentials: ", tostring(err), "\n")
    if parsed.why then
      print_why(err.chain or {})
    end
    return NO_CREDENTIALS
  end
  for _, warning in ipairs(found.warnings) do
    io.stderr:write("cr credentials: warning: ", warning, "\n")
  end
  print("provider       " .. found.provider)
  print("origin         " .. found.origin)
  print("access key id  " .. found.access_key_id)
  print("expires        " .. (found.expiration or "never"))
  if parsed.why then
    print_why(found.chain)
  end
  return OK
end
