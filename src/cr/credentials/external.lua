--- A program that prints a credential: {type = "external", process_command = "…"}.
--
-- It is run without a shell, with a limit to its time and to what it may print, which is
-- {"mode": "AK" | "StsToken", "access_key_id":, "access_key_secret":, "sts_token":, "expiration":}.
-- While it runs, a transport that yields goes on with other work.
-- ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS=true forbids it.

local check = require "cr.credentials.check"
local core = require "cr.core"
local json = require "cr.json"
local split = require "cr.credentials.words"
local unavailable = require "cr.credentials.unavailable"
local variable = require "cr.credentials.variable"

local FORBIDDEN = "ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS"
local TIMEOUT = 60 -- seconds
local MAX_WORDS = 256 -- what core.run takes
local FIRST_PAUSE, LONGEST_PAUSE = 0.002, 0.05 -- seconds between looks at it
local RENEWED_AFTER = 300 -- seconds, for a credential without an expiration

--- What the end of the program means. Where the host reaps all children itself (nginx) the exit
-- status is not known, and what was printed must do.
local function judge(output, status, text)
  if status == 0 or (status == nil and text == "unknown") then
    return output
  end
  return nil, status and ("it ended with exit status %d"):format(status) or "it was " .. text
end

--- Waits for the program: in poll(2) where nothing else could run, else in the transport's sleep.
-- @return output
-- @return nil, reason, whether the time was over
local function wait(ask, process, timeout)
  local settings = ask.settings
  local ends = core.monotonic() + timeout -- a real program, whatever the transport's clock is
  local pause = FIRST_PAUSE
  while true do
    local left = ends - core.monotonic()
    local state, output, status, text = process:poll(settings.yields() and 0 or math.max(0, left))
    if state == "failed" then
      return nil, output
    elseif state == "done" then
      return judge(output, status, text)
    elseif left <= 0 then
      return nil, ("it did not end within %.3g seconds"):format(timeout), true
    end
    if settings.yields() then
      settings.transport.sleep(pause)
      pause = math.min(pause * 1.5, LONGEST_PAUSE)
    end
  end
end

--- Runs it for as long as the caller has time.
local function run(ask, words, timeout)
  local process, reason = core.run(words)
  if not process then
    return nil, (reason:gsub("^.*: ", "")) -- without the program, which the caller names
  end
  timeout = math.min(timeout, ask.patience or timeout)
  local limit = math.max(0.001, ask.ends - ask.settings.clock())
  ask.expect(math.min(limit, timeout))
  local output, is_over
  ask.asked = true
  output, reason, is_over = wait(ask, process, math.min(limit, timeout))
  process:kill()
  ask.cut_short = is_over == true and limit < timeout
  return output, reason
end

--- What the program printed, as a credential. Never shown: it is one.
local function read(output)
  local fields = json.decode_object(output)
  if not fields then
    return nil, "it printed no JSON object"
  end
  fields = core.tidy_json(fields) -- without null
  local token = fields.sts_token ~= "" and fields.sts_token or nil
  local credential = {
    access_key_id = fields.access_key_id, access_key_secret = fields.access_key_secret,
    security_token = token,
  }
  local problem = check.credential_problem(credential) or
    (fields.mode == "StsToken" and check.key_problem("security_token", token)) or nil
  if problem then
    return nil, "in what it printed " .. problem:gsub("^security_token", "sts_token")
  elseif fields.mode ~= nil and fields.mode ~= "AK" and fields.mode ~= "StsToken" then
    return nil, 'in what it printed the mode is neither "AK" nor "StsToken"'
  end
  if fields.expiration ~= nil and fields.expiration ~= "" then
    credential.expires = check.expiration(fields.expiration)
    if not credential.expires then
      return nil, "in what it printed expiration is not YYYY-MM-DDTHH:MM:SSZ"
    end
  else
    credential.renewed_after = RENEWED_AFTER
  end
  return credential
end

local function fetch(ask, declared)
  if variable.flag(FORBIDDEN) then
    return nil, unavailable("process_command is forbidden by " .. FORBIDDEN)
  end
  local words, reason = split(declared.process_command)
  if not words then
    return nil, unavailable("process_command: " .. reason)
  elseif #words > MAX_WORDS then
    return nil, unavailable(("process_command: it has more than %d words"):format(MAX_WORDS))
  elseif words[1]:find("=", 1, true) then -- not shown: it may be a secret
    return nil, unavailable("process_command: it begins with a variable, which takes a shell",
      { hint = "write env NAME=value program" })
  end
  local output, credential
  output, reason = run(ask, words, declared.timeout or TIMEOUT)
  if output then
    credential, reason = read(output)
  end
  if not credential then
    -- Only the program's name: arguments may be secrets.
    return nil, unavailable(("process_command %s: %s"):format(words[1], reason))
  end
  credential.origin = "program " .. words[1]
  return credential
end

return {
  fields = { process_command = check.text, timeout = check.seconds },
  required = { "process_command" },

  fetch = fetch,
}
