--- Subject of "sign": what the client does in a call between the user's table and the transport.
--
-- Work "sign" is all of it: validate and flatten the parameters, then `signing.v3` with time,
-- nonce, date, the table of headers, canonical request, hashes, Authorization, URL and the request
-- table. The other works are its parts, each alone.
--
--     sign.lua             serves rounds
--     sign.lua --lengths   prints the lengths of canonical request and string to sign

local core = require "cr.core"
local operations = require "cr.operations"
local sample = require "bench.sample"
local signing = require "cr.signing"

local ENDPOINT = "https://cr.cn-hangzhou.aliyuncs.com"

if arg[1] == "--lengths" then
  local stages = core.sign {
    method = "GET",
    query = sample.parameters,
    headers = sample.request(ENDPOINT).headers,
    access_key_id = sample.credentials.access_key_id,
    access_key_secret = sample.credentials.access_key_secret,
  }
  print(#stages.canonical_request, #stages.string_to_sign)
  return
end

local operation = assert(operations.find("GetRepoTag"))

local attempt = {
  operation = operation,
  credential = sample.credentials,
  settings = { connect_timeout = 5, max_response_bytes = 16777216 },
  endpoint = { origin = ENDPOINT, host = ENDPOINT:match("//(.*)") },
  number = 1, pause = 0, timeout = 10,
}

local function sign()
  attempt.query = assert(core.flatten(operation.number, {
    InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0",
  }))
  attempt.time = core.time()
  return assert(signing.v3(attempt))
end

local request = sign() -- also makes the signer, as a client's first call does
request.headers.authorization = nil

local query, headers = attempt.query, request.headers
local id, secret = sample.credentials.access_key_id, sample.credentials.access_key_secret

--- A work that repeats a function; the loop's own cost is part of it, some nanoseconds.
local function repeated(work)
  return function(count)
    for _ = 1, count do
      work()
    end
  end
end

require "bench.rounds" {
  sign = repeated(sign),
  flatten = repeated(function() return core.flatten(operation.number, sample.parameters) end),
  authorize = repeated(function()
    return core.authorize_v3("GET", query, headers, id, secret)
  end),
  v3 = repeated(function() return signing.v3(attempt) end),
  nonce = repeated(core.nonce),
  iso8601 = repeated(function() return core.iso8601(1572839125) end),
  time = repeated(core.time),
}
