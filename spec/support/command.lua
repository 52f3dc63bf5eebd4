--- Runs the command line as a process, with an environment in which nothing of the outside is set.
--
--     local run = require("spec.support.command").new(server)     -- an emulator, or nil for none
--     local result = run("get-repo-tag --Tag 1.0", { input = "…", env = { NO_COLOR = "1" } })
--     result.output, result.errors, result.status
--
-- `result.status` is the shell's: 128 and the signal for a process that a signal ended.

local child = require "spec.support.child"
local fixture = require "spec.support.fixture"

local command = {}

command.BIN = os.getenv "CR_BIN" or "bin/cr"

-- The documented sample, and the repository with many tags.
command.APP = "--InstanceId 'cri-kmsiwlxxdcva****' --RepoId 'crr-tquyps22md8p****' "
command.BUILDS = "--InstanceId 'cri-kmsiwlxxdcva****' --RepoId crr-emulatorbuilds01 "

local UNSET = { "NO_COLOR" }
for _, name in ipairs { "ACCESS_KEY_ID", "ACCESS_KEY_SECRET", "SECURITY_TOKEN", "ROLE_ARN",
  "OIDC_PROVIDER_ARN", "OIDC_TOKEN_FILE", "CONFIG_FILE", "CREDENTIALS_FILE", "PROFILE",
  "CREDENTIALS_URI", "ECS_METADATA", "ECS_METADATA_DISABLED", "CLI_PROFILE_DISABLED",
  "ENDPOINT", "ENDPOINT_TYPE", "REGION_ID" } do
  UNSET[#UNSET + 1] = "ALIBABA_CLOUD_" .. name
end

--- `env …` for a shell: the server's variables, or none, and more; false removes one.
function command.environment(server, more, home)
  local variables = {
    HOME = home or "/nonexistent", CR_METADATA_ENDPOINT = "http://127.0.0.1:1",
    ALIBABA_CLOUD_ECS_METADATA_DISABLED = "true",
  }
  if server then
    variables.ALIBABA_CLOUD_ENDPOINT = server.endpoint
    variables.ALIBABA_CLOUD_ACCESS_KEY_ID = server.access_key_id
    variables.ALIBABA_CLOUD_ACCESS_KEY_SECRET = server.access_key_secret
  end
  for name, value in pairs(more or {}) do
    variables[name] = value
  end
  local words = { "env" }
  for _, name in ipairs(UNSET) do
    words[#words + 1] = "-u " .. name
  end
  for name, value in pairs(variables) do
    words[#words + 1] = value and name .. "=" .. child.quote(value) or nil
  end
  return table.concat(words, " ")
end

--- @return a function that runs the command line, see above
function command.new(server)
  return function(arguments, given)
    given = given or {}
    local folder = child.new_folder()
    child.write(folder .. "/input", given.input or "")
    child.shell(("%s %s %s <%s/input >%s 2>%s/errors; echo $? >%s/status"):format(
      command.environment(server, given.env, given.home), given.bin or command.BIN, arguments,
      folder, given.to or folder .. "/output", folder, folder))
    local result = {
      output = given.to and "" or fixture.read(folder .. "/output"),
      errors = fixture.read(folder .. "/errors"),
      status = tonumber(fixture.read(folder .. "/status")),
    }
    child.remove_folder(folder)
    return result
  end
end

return command
