--- The error of a provider that has no credential.

local new_error = require "cr.error"

--- @tparam string message without secrets
-- @tparam ?table fields further fields of the error: hint, retryable, request_id, …
return function(message, fields)
  local err = { retryable = false }
  for name, value in pairs(fields or {}) do
    err[name] = value
  end
  err.kind, err.code, err.message = "credentials", "CredentialsUnavailable", message
  return new_error(err)
end
