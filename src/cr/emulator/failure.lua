--- The two ways of this API to say no.
--
-- The gateway in front of the service answers with an HTTP error; the service behind it answers
-- HTTP 200 with a Code. Handlers return nil and one of these.

local failure = {}

--- An error of the gateway.
-- @param status HTTP status
-- @param detail AccessDeniedDetail, optional
function failure.gateway(status, code, message, detail)
  return { status = status, code = code, message = message, detail = detail }
end

--- An error of the service itself: HTTP 200.
-- @param has_left true leaves IsSuccess out, which the service does for what was deleted
function failure.application(code, message, has_left)
  return { status = 200, code = code, message = message, without_success = has_left }
end

function failure.missing_parameter(name)
  return failure.gateway(400, "MissingParameter", ('The input parameter "%s" that is mandatory ' ..
    "for processing this request is not supplied"):format(name))
end

function failure.invalid_parameter(name, expected, value)
  return failure.gateway(400, "InvalidParameter", ('The parameter "%s" is not valid: %s ' ..
    'expected, got "%s".'):format(name, expected, value))
end

return failure
