--- Says no: status, JSON with the reason, and for clients of a registry the form in which they show
-- it to people. And tells the log, through variables where the configuration declares them.

local cjson = require "cjson.safe"

local answer = {}

-- The registry API's own codes, which clients know.
local REGISTRY_CODES = { [403] = "DENIED", [404] = "MANIFEST_UNKNOWN", [503] = "UNAVAILABLE" }

-- Whether a variable is declared somewhere in nginx.conf; writing to one that is not raises.
local is_declared = {}

local function write(name, value)
  ngx.var[name] = value
end

local function set(name, value)
  if is_declared[name] == nil then
    is_declared[name] = pcall(write, name, value)
  elseif is_declared[name] then
    write(name, value)
  end
end

--- Sets $cr_gate_decision, $cr_gate_reason, $cr_gate_repository, $cr_gate_tag, $cr_gate_digest.
function answer.tell_log(verdict)
  set("cr_gate_decision", verdict.decision)
  set("cr_gate_reason", verdict.code or "")
  set("cr_gate_repository", verdict.repository or "")
  set("cr_gate_tag", verdict.tag or "")
  set("cr_gate_digest", verdict.digest or "")
end

--- Answers the request and ends its processing.
function answer.refuse(verdict)
  local body = {
    code = verdict.code, message = verdict.message, repository = verdict.repository,
    tag = verdict.tag, digest = verdict.digest,
    errors = { {
      code = REGISTRY_CODES[verdict.status], message = verdict.message,
      detail = { reason = verdict.code },
    } },
  }
  ngx.status = verdict.status
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Cache-Control"] = "no-store"
  ngx.say(cjson.encode(body))
  return ngx.exit(ngx.HTTP_OK)
end

return answer
