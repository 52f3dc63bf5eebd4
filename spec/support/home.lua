--- A home folder for a spec of credentials: files with keys in it, an environment that knows no
-- other, and clients whose clock the spec sets.
--
--     local home = require("spec.support.home").new()
--     home:config { current = "ci", profiles = { … } }      -- .aliyun/config.json
--     home:enter { ALIBABA_CLOUD_PROFILE = "ci" }           -- environment.set, with HOME
--     home:remove()                                         -- and environment.restore

local child = require "spec.support.child"
local cjson = require "cjson"
local core = require "cr.core"
local cr = require "cr"
local curl_transport = require "cr.transport.curl"
local environment = require "spec.support.environment"

local Home = {}
Home.__index = Home

local home = {}

--- Nobody listens there, so that the address of real instances is never asked.
home.NOWHERE = "http://127.0.0.1:1"

--- The tag that the emulator has, for real calls.
home.TAG = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }

--- The emulator's key that may do everything, and its session, by the names of the files.
home.KEY = {
  access_key_id = "LTAI5tEmulatorFull", access_key_secret = "EmulatorSecretFull-not-a-real-one",
}
home.SESSION = {
  access_key_id = "STS.NTEmulatorSession",
  access_key_secret = "EmulatorSecretSession-not-a-real-one",
  sts_token = "EmulatorSecurityToken-not-a-real-one",
}
home.LIMITED = {
  access_key_id = "LTAI5tEmulatorLimited",
  access_key_secret = "EmulatorSecretLimited-not-a-real-one",
}

function home.new()
  return setmetatable({ folder = child.new_folder() }, Home)
end

--- Writes a file that only its owner can read, or with another mode.
-- @return its path
function Home:write(name, text, mode)
  local path = self.folder .. "/" .. name
  os.execute(("mkdir -p %s"):format(child.quote(path:match("^(.*)/"))))
  child.write(path, text)
  os.execute(("chmod %s %s"):format(mode or "600", child.quote(path)))
  return path
end

--- Writes .aliyun/config.json.
function Home:config(content, mode)
  return self:write(".aliyun/config.json",
    type(content) == "string" and content or cjson.encode(content), mode)
end

--- Writes .alibabacloud/credentials.
function Home:ini(text, mode)
  return self:write(".alibabacloud/credentials", text, mode)
end

--- Variables of a process whose home this is.
function Home:variables(more)
  local variables = { HOME = self.folder, CR_METADATA_ENDPOINT = home.NOWHERE }
  for name, value in pairs(more or {}) do
    variables[name] = value or nil
  end
  return variables
end

--- Sets this environment in the spec's own process.
function Home:enter(more)
  environment.set(self:variables(more))
end

function Home:remove()
  environment.restore()
  child.remove_folder(self.folder)
end

--- A client over real HTTP whose clock is the machine's plus `offset` seconds.
-- @return client, a table with `offset`
function home.client(config)
  local curl, clock = curl_transport(), { offset = 0 }
  local settings = {
    transport = {
      exchange = curl.exchange, sleep = curl.sleep,
      now = function() return core.time() + clock.offset end,
    },
  }
  for name, value in pairs(config) do
    settings[name] = value
  end
  return cr.new(settings), clock
end

--- A copy of the tables' fields, later ones first.
function home.with(...)
  local merged = {}
  for _, fields in ipairs { ... } do
    for name, value in pairs(fields) do
      merged[name] = value
    end
  end
  return merged
end

return home
