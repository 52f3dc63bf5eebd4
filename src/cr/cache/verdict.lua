--- Whether a failed call is an answer: the service looked at the question and said no.
--
-- Only such an error may be remembered in an answer's place. Everything that another moment,
-- another connection or another key would have spared the caller says nothing about what was asked,
-- and what was known before stays as good as it was.

local retry = require "cr.retry"

-- Refusals of who signs or how, not of what is asked.
local NOT_ABOUT_THE_QUESTION = {
  "^InvalidAccessKeyId", "^InvalidSecurityToken", "^SignatureDoesNotMatch", "^SignatureNonceUsed",
  "^IncompleteSignature", "^InvalidTimeStamp", "^IllegalTimestamp", "^MissingSecurityToken",
  "^InvalidAccessKeySecret", "^Forbidden%.AccessKeyDisabled", "^ServiceUnavailable",
  "^InternalError", "^SLB_SERVICE_ERROR",
}

--- @tparam table err what a call returned
-- @treturn boolean
return function(err)
  if err.kind ~= "service" or err.retryable or retry.is_throttling(err) or
    (err.http_status or 0) >= 500 then
    return false
  end
  for _, pattern in ipairs(NOT_ABOUT_THE_QUESTION) do
    if err.code:find(pattern) then
      return false
    end
  end
  return true
end
