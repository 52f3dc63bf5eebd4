--- Writes every attempt of every call as a line of JSON to standard error, for a log collector.
--
--     lua5.4 examples/attempts_as_json.lua 2>attempts.log
--
-- Region and credentials come from the environment, as in get_repo_tag.lua.

local cjson = require "cjson"
local cr = require "cr"

local client = cr.new {
  on_attempt = function(event)
    event.time = os.date("!%Y-%m-%dT%H:%M:%SZ")
    io.stderr:write(cjson.encode(event), "\n")
  end,
}

local tag, err = client:get_repo_tag {
  InstanceId = os.getenv "INSTANCE_ID" or "cri-kmsiwlxxdcva****",
  RepoId = os.getenv "REPO_ID" or "crr-tquyps22md8p****",
  Tag = os.getenv "TAG" or "1.0",
}
print(tag and tag.Digest or tostring(err))
os.exit(tag and 0 or 1)
