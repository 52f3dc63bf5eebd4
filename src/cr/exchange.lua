--- What a transport returned, held to its contract: transports may be the user's.

local exchange = {}

local function is_response(response)
  return type(response) == "table" and type(response.status) == "number" and
    response.status % 1 == 0 and type(response.body) == "string" and
    (response.info == nil or type(response.info) == "table")
end

--- Takes what a transport's `exchange` returned.
-- @return the response
-- @return nil, code, message, sent (false when no byte can have reached the server)
function exchange.check(response, failure)
  if response then
    if is_response(response) then
      return response
    end
    return nil, "BadTransport",
      "the transport returned no table with an integer status and a string body"
  elseif type(failure) == "table" then
    return nil, type(failure.code) == "string" and failure.code or "TransferFailed",
      tostring(failure.message or failure.code or "the transport gives no reason"), failure.sent
  end
  return nil, "TransferFailed", tostring(failure or "the transport gives no reason")
end

return exchange
