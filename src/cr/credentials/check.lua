--- Checks of the fields of declared credentials. Each is a function of a value, which returns
-- whether it will do and what is expected; no message ever shows a value.

local core = require "cr.core"

local check = {}

local LATEST = 253402300800 -- seconds, the end of the year 9999

-- Bytes. A secret's limit is the signer's, an id and a token travel in headers.
local MAXIMUM = { access_key_id = 256, access_key_secret = 511, security_token = 16384 }

local LONGEST_TEXT = 8192 -- bytes: a command, a policy (the service takes 2048), a path

--- What is wrong with a part of a credential, or nil.
-- @tparam string name access_key_id, access_key_secret or security_token
function check.key_problem(name, value)
  if type(value) ~= "string" or value == "" then
    return ("%s must be a non-empty string, got %s"):format(name,
      value == "" and "an empty one" or value == nil and "nothing" or "a " .. type(value))
  elseif value:find("[%c ]") then
    return name .. " holds a blank or a control character (a line break copied along?)"
  elseif #value > MAXIMUM[name] then
    return ("%s is longer than %d bytes"):format(name, MAXIMUM[name])
  end
end

--- What is wrong with a whole credential, or nil.
-- @tparam table credential access_key_id, access_key_secret, ?security_token
function check.credential_problem(credential)
  return check.key_problem("access_key_id", credential.access_key_id) or
    check.key_problem("access_key_secret", credential.access_key_secret) or
    (credential.security_token ~= nil and
      check.key_problem("security_token", credential.security_token)) or nil
end

--- The time of an expiration as the answers have it, in seconds since the epoch; nil for others.
function check.expiration(value)
  local time = type(value) == "string" and core.parse_iso8601(value)
  return time and time < LATEST and time or nil
end

function check.text(value)
  return type(value) == "string" and value ~= "" and #value <= LONGEST_TEXT and
    not value:find("%z"), "a non-empty string"
end

--- A text of one line.
function check.line(value)
  return check.text(value) and not value:find("%c"), "a non-empty string without control characters"
end

function check.boolean(value)
  return type(value) == "boolean", "true or false"
end

--- Seconds that a request may take.
function check.seconds(value)
  return type(value) == "number" and value > 0 and value <= 300, "a number of seconds up to 300"
end

--- Seconds that a session lives; the service has limits of its own.
function check.duration(value)
  return type(value) == "number" and value >= 900 and value <= 43200 and value % 1 == 0,
    "a whole number of seconds from 900 to 43200"
end

function check.signature(value)
  return value == "v3" or value == "v1", '"v3" or "v1"'
end

return check
