--- What the locations of gateway.conf do. Every function returns "ok" or raises.

local core = require "cr.core"
local cr = require "cr"
local operations = require "cr.operations"
local sample = require "bench.sample"

--- A signed request, to be sent over and over, with the settings of a client.
local function signed_request(endpoint)
  local request = core.request()
  local host = endpoint:match "^http://(.*)$"
  assert(request:fill(operations.find("GetRepoTag").number, sample.parameters))
  request:aim(endpoint, host, "cr/bench")
  assert(request:sign_v3(core.time(), sample.credentials.access_key_id,
    sample.credentials.access_key_secret, nil, 0, 0))
  return request, { connect_timeout = 5, max_response_bytes = 16777216, proxy = "" }
end

return function(fast, slow)
  local works = {}

  local bare = sample.request(fast)
  local headers = {}
  for name, value in pairs(bare.headers) do
    headers[#headers + 1] = name .. ": " .. value
  end

  function works.bare()
    local _, status, body = ngx.run_worker_thread("cr", "bare_get", "get", bare.url,
      unpack(headers))
    assert(status == 200 and #body > 0, body)
    return "ok"
  end

  local transport = require "cr.transport.nginx" "cr"
  local request, settings = signed_request(fast)

  function works.exchange()
    local response, failure = transport.send(request, settings, 10)
    assert(response, failure and failure.message)
    assert(response.status == 200 and #response.body > 0)
    return "ok"
  end

  local function calling(endpoint, more)
    more.endpoint, more.credentials, more.max_attempts = endpoint, sample.credentials, 1
    local client = cr.new(more)
    return function()
      local tag = assert(client:get_repo_tag(sample.parameters))
      assert(tag.ImageSize == 27107966)
      return "ok"
    end
  end

  works.call = calling(fast, {})
  works.slow = calling(slow, { thread_pool = "many" })
  works.blocking = calling(slow, { transport = "curl" })
  return works
end
