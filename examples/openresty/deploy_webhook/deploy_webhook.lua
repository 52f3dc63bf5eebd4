--- A webhook for deploys: which image does a tag stand for at this moment?
--
--     hook = require("deploy_webhook").new { cache = …, instance = "cri-…", registry = "…",
--       secrets = { os.getenv "DEPLOY_WEBHOOK_SECRET" } }
--     hook:respond()
--
--     {"repository":"team/app","tag":"1.0"} → {"image":"host/team/app@sha256:…", …}
--
-- Callers sign the time and the body with a shared secret. Nothing is read from a body before its
-- signature was found right, and a request is good for `window` seconds only. It reads and changes
-- nothing, so that the same request twice within the window does no harm, and can be repeated.

local cjson = require("cjson.safe").new()
local hmac = require "hmac"

local deploy_webhook = {}

local Hook = {}
Hook.__index = Hook

local MIN_SECRET = 32 -- bytes, as many as the MAC has

local function send(status, answer, retry_after)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.header["Cache-Control"] = "no-store"
  ngx.header["Retry-After"] = retry_after
  ngx.say((cjson.encode(answer)))
end

local function refuse(status, code, message, retry_after)
  return send(status, { error = { code = code, message = message } }, retry_after)
end

--- A header that comes once.
local function header(name)
  local value = ngx.req.get_headers()[name]
  return type(value) == "string" and value or nil
end

--- Every secret is tried, so that the time does not tell which one it was.
local function is_signed(self, signature, text)
  local is_right = false
  for _, secret in ipairs(self.secrets) do
    is_right = hmac.equal("sha256=" .. hmac.sha256(secret, text), signature) or is_right
  end
  return is_right
end

--- Whether the body comes from somebody with the secret, and just now.
-- @return true  or nil, code, message
local function authenticate(self, body)
  local time, signature = header "X-Deploy-Timestamp", header "X-Deploy-Signature"
  if not time or not signature then
    return nil, "SignatureMissing",
      "the headers X-Deploy-Timestamp and X-Deploy-Signature are needed"
  elseif not is_signed(self, signature, time .. "." .. body) then
    return nil, "SignatureWrong", "the signature is not that of <timestamp>.<body>"
  elseif not time:find "^%d+$" or math.abs(ngx.now() - tonumber(time)) > self.window then
    return nil, "TimestampWrong", ("the timestamp is not within %d seconds of %d"):format(
      self.window, ngx.time())
  end
  return true
end

local function is_name(text, pattern)
  return type(text) == "string" and #text <= 128 and text:find(pattern) ~= nil
end

--- What is asked for. @return {namespace, repository, tag}  or nil, message
local function read_question(body)
  local given, reason = cjson.decode(body)
  if reason then
    return nil, "the body is not JSON: " .. reason
  elseif type(given) ~= "table" then
    return nil, "the body is not a JSON object"
  elseif not is_name(given.repository, "^[a-z0-9][a-z0-9._-]*/[a-z0-9][a-z0-9._-]*$") then
    return nil, 'repository must be a string "namespace/name"'
  elseif not is_name(given.tag, "^[%w_][%w_.-]*$") then
    return nil, "tag must be a tag's name, as a string"
  end
  local namespace, repository = given.repository:match "^(.*)/(.*)$"
  return { namespace = namespace, repository = repository, tag = given.tag }
end

-- What is not there on our side of the question.
local IS_OURS = { INSTANCE_NOT_EXIST = true, USER_NOT_EXIST = true }

--- Answers for a failed call. REPO_NOT_EXIST and the like (the service's code for a tag is not
-- published) are about what was asked; all others are nobody's business but ours.
local function refuse_failure(err, what)
  if err.kind == "service" and err.code:find "_NOT_EXIST$" and not IS_OURS[err.code] then
    return refuse(404, err.code, what .. " does not exist")
  end
  ngx.log(ngx.ERR, "deploy webhook: ", tostring(err))
  if err.kind == "transport" or err.retryable then
    return refuse(503, err.code, "the registry's API does not answer", 5)
  end
  return refuse(502, err.code, "the registry's API refuses the question")
end

local function answer(self, question)
  local path = question.namespace .. "/" .. question.repository
  local repository, err = self.cache:get_repository {
    InstanceId = self.instance, RepoNamespaceName = question.namespace,
    RepoName = question.repository,
  }
  if not repository then
    return refuse_failure(err, "repository " .. path)
  end
  local tag
  tag, err = self.cache:get_repo_tag {
    InstanceId = self.instance, RepoId = repository.RepoId, Tag = question.tag,
  }
  if not tag then
    return refuse_failure(err, ("tag %s of %s"):format(question.tag, path))
  elseif tag.Status ~= "NORMAL" then
    return refuse(409, "TagNotNormal", ("tag %s of %s is %s"):format(question.tag, path,
      tostring(tag.Status)))
  elseif type(tag.Digest) ~= "string" or not tag.Digest:find "^%x+$" or #tag.Digest ~= 64 then
    return refuse(502, "NoDigest", ("tag %s of %s has no digest"):format(question.tag, path))
  end
  local digest = "sha256:" .. tag.Digest:lower()
  return send(200, {
    image = ("%s/%s@%s"):format(self.registry, path, digest), digest = digest,
    repository = path, tag = question.tag, size = tag.ImageSize, updated = tag.ImageUpdate,
  })
end

--- The content handler.
function Hook:respond()
  if ngx.req.get_method() ~= "POST" then
    ngx.header["Allow"] = "POST"
    return refuse(405, "MethodNotAllowed", "the question comes with POST")
  end
  ngx.req.read_body()
  local body = ngx.req.get_body_data() or ""
  local ok, code, message = authenticate(self, body)
  if not ok then
    return refuse(401, code, message)
  end
  local question, problem = read_question(body)
  if not question then
    return refuse(400, "InvalidBody", problem)
  end
  return answer(self, question)
end

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

--- @tparam table given cache, instance, registry (host name), secrets (array of strings; the first
--   must be there, so that a variable that is not set ends the start), window (seconds, 300)
function deploy_webhook.new(given)
  local window = given.window or 300
  if type(given.cache) ~= "table" or not is_text(given.instance) or not is_text(given.registry) or
    type(window) ~= "number" or window <= 0 then
    error("deploy_webhook: cache, instance, registry and window must be given properly", 2)
  elseif type(given.secrets) ~= "table" or given.secrets[1] == nil then
    error("deploy_webhook: there is no secret; is DEPLOY_WEBHOOK_SECRET set?", 2)
  end
  for _, secret in ipairs(given.secrets) do
    if type(secret) ~= "string" or #secret < MIN_SECRET then
      error(("deploy_webhook: a secret is shorter than %d bytes"):format(MIN_SECRET), 2)
    end
  end
  return setmetatable({
    cache = given.cache, instance = given.instance, registry = given.registry,
    secrets = given.secrets, window = window,
  }, Hook)
end

return deploy_webhook
