--- A transport that keeps the requests it gets and answers from a list: `transport` is a public
-- setting of the client, so that requests and answers can be looked at without a network.

local cr = require "cr"

local recorder = {}

--- Percent-decodes.
local function decode(text)
  return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
end

--- The parameters of a URL, decoded.
function recorder.query(url)
  local parameters = {}
  for name, value in (url:match("%?(.*)$") or ""):gmatch("([^&=]+)=([^&]*)") do
    name = decode(name)
    assert(parameters[name] == nil, "a parameter twice in the query: " .. name)
    parameters[name] = decode(value)
  end
  return parameters
end

--- A response; the body is a string.
function recorder.response(status, body, headers)
  return { status = status, body = body, headers = headers or { ["x-acs-request-id"] = "R-1" } }
end

recorder.SUCCESS = '{"IsSuccess":true,"Code":"success","RequestId":"R-1"}'

--- A transport with a clock of its own.
--
-- `answers` is an array: a response table, a string (the body of an HTTP 200), a table with
-- `failure` (what the transport returns beside nil), or a function of the request that returns
-- what exchange returns. The last one is repeated. Fields: `requests`, `pauses`, `clock`.
function recorder.new(answers)
  local transport = { requests = {}, pauses = {}, clock = 1572925525 }
  answers = answers or { recorder.SUCCESS }

  function transport.now()
    return transport.clock
  end

  function transport.sleep(seconds)
    transport.pauses[#transport.pauses + 1] = seconds
    transport.clock = transport.clock + seconds
  end

  function transport.exchange(request)
    local number = #transport.requests + 1
    transport.requests[number] = request
    local answer = answers[math.min(number, #answers)]
    if type(answer) == "function" then
      return answer(request, transport)
    elseif type(answer) == "string" then
      return recorder.response(200, answer)
    elseif answer.failure ~= nil then
      return nil, answer.failure
    end
    return answer
  end

  return transport
end

recorder.KEY = {
  type = "access_key", access_key_id = "LTAI-recorder", access_key_secret = "recorder-secret",
}

--- A client over a recording transport, which is returned too.
function recorder.client(answers, config)
  local transport = recorder.new(answers)
  local settings = { region = "cn-hangzhou", credentials = recorder.KEY, transport = transport }
  for name, value in pairs(config or {}) do
    settings[name] = value
  end
  return cr.new(settings), transport
end

return recorder
