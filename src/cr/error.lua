--- The error object that failed calls return.
--
-- Fields: `kind` ("validation", "credentials", "transport", "service", "response"), `code`,
-- `message`, and where known `operation`, `http_status`, `request_id`, `attempts`, `retryable`,
-- `hint` (what to do), `recommend` (the service's troubleshooting address), `access_denied` (the
-- service's account of the missing permission); of a wait also `answer` (the last one) and `cause`
-- (the error of the last call). `tostring` gives all of it in one line.

local trim = require "cr.trim"

local Error = {}
Error.__index = Error
Error.__name = "cr.error"

local function with_stop(text)
  return trim(text):find("[%.!?]$") and text or text .. "."
end

function Error:__tostring()
  local parts = {}
  local code = self.code
  if self.http_status then
    code = ("%s (HTTP %d)"):format(code, self.http_status)
  end
  parts[1] = with_stop((self.operation and self.operation .. ": " or "") .. code .. ": " ..
    self.message)
  if self.hint then
    parts[#parts + 1] = with_stop(self.hint:gsub("^%l", string.upper))
  end
  if self.attempts and self.attempts > 1 then
    parts[#parts + 1] = ("After %d attempts."):format(self.attempts)
  end
  if self.request_id then
    parts[#parts + 1] = "RequestId " .. self.request_id
  end
  return (table.concat(parts, " "):gsub("[\r\n]+%s*", " ")) -- a string to sign has lines
end

function Error.__concat(a, b)
  return tostring(a) .. tostring(b)
end

--- @tparam table fields kept as the object, not copied
return function(fields)
  return setmetatable(fields, Error)
end
