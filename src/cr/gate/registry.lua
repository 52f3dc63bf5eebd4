--- What a gate asks the API, and what it makes of an error there: no such thing, an outage, or a
-- question that this gate is not able to put.

local retry = require "cr.retry"

local registry = {}

local Registry = {}
Registry.__index = Registry

-- Of a configuration, not of the world: no time will heal them, so no `fail = "open"` covers them.
local MISTAKES = { WrongPhase = true, CannotWait = true, NoThreadPool = true, BadTransport = true }

--- Whether a failed question says nothing about anything but the moment.
local function is_outage(err)
  if err.kind == "transport" then
    return not MISTAKES[err.code]
  elseif err.kind == "service" then
    return err.retryable == true or retry.is_throttling(err) or (err.http_status or 0) >= 500 or
      err.code:find("^ServiceUnavailable") ~= nil or err.code:find("^InternalError") ~= nil
  end
  return err.kind == "credentials" or err.kind == "response"
end

--- Codes say it in several ways: TAG_NOT_EXIST, RepoNotExist, …NotFound.
local function is_absent(err)
  local code = err.kind == "service" and err.code:gsub("_", ""):lower() or ""
  return not code:find("^instance") and
    (code:find("notexists?$") ~= nil or code:find("notfound$") ~= nil)
end

--- @tparam table settings of the gate
function registry.new(settings)
  return setmetatable({
    asker = settings.cache or settings.client,
    method = settings.cache and settings.cache.get or settings.client.call,
    instance = settings.instance, repositories = settings.repositories,
  }, Registry)
end

--- @return answer  or nil, "absent", "outage" or "mistake"
local function ask(self, name, params)
  params.InstanceId = self.instance
  local answer, err = self.method(self.asker, name, params)
  if answer then
    return answer
  elseif is_absent(err) then
    return nil, "absent"
  end
  ngx.log(ngx.ERR, "cr.gate: ", tostring(err))
  return nil, is_outage(err) and "outage" or "mistake"
end

--- @return RepoId  or nil, "absent", …
function Registry:repository_id(name)
  if self.repositories then
    local id = self.repositories[name]
    return id, not id and "absent" or nil
  end
  local namespace, repository = name:match("^([^/]+)/(.+)$")
  if not namespace then
    return nil, "absent"
  end
  local answer, problem = ask(self, "GetRepository",
    { RepoNamespaceName = namespace, RepoName = repository })
  if answer and type(answer.RepoId) ~= "string" then
    return nil, "mistake"
  end
  return answer and answer.RepoId, problem
end

--- @return answer of GetRepoTag  or nil, "absent", …
function Registry:tag(id, tag)
  return ask(self, "GetRepoTag", { RepoId = id, Tag = tag })
end

--- About the scan of the image that the tag has now: the digest goes with the question, so that the
-- answer about an image before it is not taken for one about this.
-- @tparam string name "GetRepoTagScanStatus" or "GetRepoTagScanSummary"
-- @return answer  or nil, "absent", …
function Registry:scan(name, id, tag, digest)
  return ask(self, name, { RepoId = id, Tag = tag, Digest = digest })
end

return registry
