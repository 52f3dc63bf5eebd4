--- How many requests a second the service takes, of all callers together: no limit unless one is
-- set over the control address.
--
-- A bucket of tokens that fills with time; who finds it empty is throttled and told when the next
-- token is there.

local failure = require "cr.emulator.failure"

local limit = {}

local MAX_RATE = 1e6

local rate, burst, tokens, filled_at

--- @param given {per_second=N, burst=N (per_second if not given)}, or {} for no limit
-- @return true, or nil and what is wrong
function limit.set(given)
  if type(given) ~= "table" or (next(given) ~= nil and not given.per_second) then
    return nil, "per_second is missing"
  end
  for name, value in pairs(given) do
    if name ~= "per_second" and name ~= "burst" then
      return nil, tostring(name) .. ": no such name; there are per_second and burst"
    elseif type(value) ~= "number" or value < 1 or value > MAX_RATE then
      return nil, ("%s: a number from 1 to %d expected"):format(name, MAX_RATE)
    end
  end
  rate, burst = given.per_second, given.burst or given.per_second
  tokens, filled_at = burst, nil
  return true
end

function limit.get()
  return rate and { per_second = rate, burst = burst } or {}
end

--- Takes a token for a request.
-- @return nil, or the failure of one that comes too early
function limit.refusal()
  if not rate then
    return nil
  end
  ngx.update_time()
  local now = ngx.now()
  tokens = math.min(burst, tokens + (now - (filled_at or now)) * rate)
  filled_at = now
  if tokens >= 1 then
    tokens = tokens - 1
    return nil
  end
  local refused = failure.gateway(400, "Throttling.User",
    "Request was denied due to user flow control.")
  local wait = math.ceil((1 - tokens) / rate * 1000)
  refused.headers = {
    ["x-acs-retry-after"] = ("%d"):format(wait),
    ["x-ratelimit-user-api"] = ("Limit:%d,Remain:0,TimeLeft:%d"):format(rate, wait),
  }
  return refused
end

return limit
