--- The last requests, for specs that ask what a client really sent.

local json = require "cr.emulator.json"

local log = {}

local CAPACITY = 1000

local ring, total = {}, 0

-- What V1 adds to an operation's own parameters. Signatures and tokens are nobody's business.
local PROTOCOL = {
  Action = true, Format = true, Version = true, Timestamp = true, AccessKeyId = true,
  OIDCToken = true, SecurityToken = true, Signature = true, SignatureMethod = true,
  SignatureNonce = true, SignatureVersion = true,
}

local function own_parameters(parameters)
  local own = {}
  for name, value in pairs(parameters) do
    own[name] = not PROTOCOL[name] and value or nil
  end
  return own
end

--- @param answer what will be sent, nil for none
function log.record(request, answer, fault)
  local entry = {
    operation = request.operation,
    method = request.method,
    signature = request.is_unsigned and "none" or request.is_v3 and "v3" or "v1",
    access_key_id = request.access_key_id,
    nonce = request.nonce,
    parameters = own_parameters(request.parameters),
    user_agent = request.headers["user-agent"],
    status = answer and answer.status or 0,
    code = answer and answer.code,
    fault = fault ~= nil,
    time = ngx.now(),
    attempt = tonumber(request.headers["x-acs-retry-attempts"]) or 0,
    retry_delay_ms = tonumber(request.headers["x-acs-retry-delay"]),
    connection = tonumber(ngx.var.connection),
  }
  for name, value in pairs(request.log or {}) do
    entry[name] = value
  end
  total = total + 1
  ring[(total - 1) % CAPACITY + 1] = entry
end

--- Oldest first.
function log.list()
  local list = json.array({})
  for number = math.max(1, total - CAPACITY + 1), total do
    list[#list + 1] = ring[(number - 1) % CAPACITY + 1]
  end
  return list
end

function log.clear()
  ring, total = {}, 0
end

return log
