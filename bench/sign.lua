--- Subject of "sign": what the client does in a call between the user's table and the transport.
--
-- Work "sign" is all of it: validate and flatten the parameters, then sign with time, nonce and
-- date: canonical request, hashes, Authorization, all headers and the URL, ready to be sent. The
-- other works are its parts, each alone, and what a transport written in Lua costs on top.
--
--     sign.lua             serves rounds
--     sign.lua --lengths   prints the lengths of canonical request and string to sign

local core = require "cr.core"
local operations = require "cr.operations"
local sample = require "bench.sample"

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

local number = assert(operations.find("GetRepoTag")).number
local host = ENDPOINT:match("//(.*)")
local id, secret = sample.credentials.access_key_id, sample.credentials.access_key_secret
local settings = { connect_timeout = 5, max_response_bytes = 16777216 }
local request = core.request()

local function fill(params)
  return assert(request:fill(number, params))
end

local function v3()
  return assert(request:sign_v3(core.time(), id, secret, nil, 0, 0))
end

local function sign()
  fill { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
  request:aim(ENDPOINT, host, "cr/1.0.0 (Lua 5.4) libcurl/7.88.1")
  return v3()
end

sign() -- OpenSSL's start is paid by a client's first call

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
  fill = function(count)
    for _ = 1, count do
      fill(sample.parameters)
    end
    sign() -- the other works need a whole request
  end,
  v3 = repeated(v3),
  table = repeated(function() return request:table(settings, 10) end),
  time = repeated(core.time),
}
