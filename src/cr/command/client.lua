--- The client that the options ask for.

local terminal = require "cr.command.terminal"

local client = {}

local NO_REGION = "no region: give --region cn-hangzhou, or --endpoint, or set " ..
  "ALIBABA_CLOUD_REGION_ID"

local function is_set(name)
  local value = os.getenv(name)
  return value ~= nil and value ~= ""
end

--- Tells of an attempt, for --verbose.
local function teller(who)
  return function(event)
    local outcome = event.http_status and "HTTP " .. event.http_status or event.code or "failed"
    if event.http_status and event.code then
      outcome = outcome .. " " .. event.code
    end
    if event.total then
      outcome = ("%s in %.1f ms"):format(outcome, event.total * 1000)
    end
    local parts = { ("%s, attempt %d: %s"):format(event.endpoint, event.attempt, outcome) }
    parts[#parts + 1] = event.request_id and "RequestId " .. event.request_id
    parts[#parts + 1] = event.pause and ("again in %.1f s"):format(event.pause)
    for _, warning in ipairs(event.warnings or {}) do
      parts[#parts + 1] = "warning: " .. warning
    end
    terminal.say(who, table.concat(parts, ", "), "warning")
  end
end

--- @tparam table options of the command line, by name
-- @tparam string who in front of messages
-- @return a client  or nil, what is wrong
function client.new(options, who)
  local region = options.region
  if not region and not options.endpoint and not is_set "ALIBABA_CLOUD_ENDPOINT" and
    not is_set "ALIBABA_CLOUD_REGION_ID" then
    region = require "cr.command.region" (options.profile)
    if not region then
      return nil, NO_REGION
    end
  end
  return require("cr.client").new {
    region = region,
    endpoint = options.endpoint,
    network = options.network,
    ca_file = options["ca-file"],
    timeout = options.timeout,
    credentials = { type = "default", profile = options.profile },
    on_attempt = options.verbose and teller(who) or nil,
  }
end

return client
