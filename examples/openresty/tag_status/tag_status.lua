--- What the registry knows of a tag, as JSON; for a dashboard or a script that waits for an image.
--
-- The cache asks the API once a minute and tag, however many ask here, and answers from what it
-- knew while the API is away (then with "stale").

local cjson = require "cjson.safe"
local cr = require "cr"

local instance = assert(os.getenv "CR_INSTANCE_ID", "CR_INSTANCE_ID is not set")

local cache = require("cr.cache").new {
  client = cr.new { defaults = { InstanceId = instance }, deadline = 5 },
  ttl = 60,
}

local function answer(status, fields)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.say(cjson.encode(fields))
end

--- The service has several codes for what is not there, all of them with this end.
local function answer_error(err)
  if err.kind == "service" and err.code:find "NOT_EXIST$" then
    return answer(404, { error = err.code })
  end
  ngx.log(ngx.ERR, tostring(err))
  return answer(503, { error = "the registry could not be asked" })
end

--- Milliseconds since the epoch as text for people and programs.
local function date(milliseconds)
  return milliseconds and os.date("!%Y-%m-%dT%H:%M:%SZ", math.floor(milliseconds / 1000))
end

return function()
  local arguments = ngx.req.get_uri_args()
  local name, tag = arguments.repository, arguments.tag
  local namespace, repository = tostring(name):match "^([^/]+)/(.+)$"
  if not namespace or type(tag) ~= "string" or tag == "" then
    return answer(400, { error = "ask for ?repository=namespace/name&tag=…" })
  end
  local found, err = cache:get_repository { RepoNamespaceName = namespace, RepoName = repository }
  if not found then
    return answer_error(err)
  end
  local image, failure, info = cache:get_repo_tag { RepoId = found.RepoId, Tag = tag }
  if not image then
    return answer_error(failure)
  end
  return answer(200, {
    status = image.Status, digest = "sha256:" .. image.Digest, size = image.ImageSize,
    pushed = date(image.ImageCreate), updated = date(image.ImageUpdate), stale = info.stale,
  })
end
