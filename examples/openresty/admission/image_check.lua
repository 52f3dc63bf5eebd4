--- What is to be thought of the images of a Pod, and which digest each tag stands for.
--
-- The images are asked for beside each other, each of them once, in a bounded number of light
-- threads; who asked gets an opinion on every image within `deadline`, since the API server of the
-- cluster waits for no longer than its timeoutSeconds. The calls themselves are cr.cache's.

local image_reference = require "image_reference"
local semaphore = require "ngx.semaphore"

local image_check = {}

local Check = {}
Check.__index = Check

local function refused(reason)
  return { reason = reason }
end

--- An image that nothing is known about: what `fail` is for.
local function unknown(reason)
  return { reason = "could not be checked: " .. reason, is_unknown = true }
end

-- What is not there on our side of the question.
local IS_OURS = { INSTANCE_NOT_EXIST = true, USER_NOT_EXIST = true }

--- Whether the service says that the image is not there: REPO_NOT_EXIST, and the like (its code for
-- a tag is not published). Wrong keys, missing permissions and outages say nothing of the image.
local function is_no(err)
  return err.kind == "service" and err.code:find "_NOT_EXIST$" ~= nil and not IS_OURS[err.code]
end

--- The cluster's users get the code, nginx's log all of it.
local function failure(err, what)
  if is_no(err) then
    return refused(("%s does not exist (%s)"):format(what, err.code))
  end
  ngx.log(ngx.ERR, "admission: ", tostring(err))
  return unknown(("the registry's API fails (%s)"):format(err.code))
end

--- Asks for the digest of a tag.
-- @return {digest}  or a refusal
local function ask(self, image)
  local repository, err = self.cache:get_repository {
    InstanceId = self.instance, RepoNamespaceName = image.namespace, RepoName = image.repository,
  }
  if not repository then
    return failure(err, "the repository")
  end
  local tag
  tag, err = self.cache:get_repo_tag {
    InstanceId = self.instance, RepoId = repository.RepoId, Tag = image.tag,
  }
  if not tag then
    return failure(err, "the tag " .. image.tag)
  elseif tag.Status ~= "NORMAL" then
    return refused(("the tag %s is %s"):format(image.tag, tostring(tag.Status)))
  elseif type(tag.Digest) ~= "string" or not tag.Digest:find "^%x+$" or #tag.Digest ~= 64 then
    return refused(("the tag %s has no digest"):format(image.tag))
  end
  return { digest = "sha256:" .. tag.Digest:lower() }
end

--- Fills in `opinion` of every image, or leaves it out where there was no time.
local function ask_all(self, images)
  local done = semaphore.new()
  local begun = 0
  local function work()
    while begun < #images do
      begun = begun + 1
      local image = images[begun]
      local ok, opinion = pcall(ask, self, image)
      if not ok then
        ngx.log(ngx.ERR, "admission: ", opinion)
        opinion = unknown "an internal error"
      end
      image.opinion = opinion
      done:post()
    end
  end
  local threads = {}
  for index = 1, math.min(self.concurrency, #images) do
    threads[index] = ngx.thread.spawn(work)
  end
  local ends = ngx.now() + self.deadline
  for _ = 1, #images do
    if not done:wait(math.max(0, ends - ngx.now())) then
      break
    end
  end
  for _, thread in ipairs(threads) do
    ngx.thread.kill(thread) -- calls go on in the cache, for the next who asks
  end
end

--- What can be said of an image without asking.
-- @return opinion, or nil, {namespace, repository, tag}
local function look(self, text)
  local reference, problem = image_reference.parse(text)
  if not reference then
    return refused("is not an image reference: " .. problem)
  elseif not self.registries[reference.domain] then
    return self.others == "allow" and {} or
      refused(("is in the registry %s, which is not allowed"):format(reference.domain))
  elseif reference.digest then
    return {}
  end
  local namespace, repository = reference.path:match "^([^/]+)/([^/]+)$"
  if not namespace then
    return refused "is not <namespace>/<repository> in its registry"
  end
  return nil, {
    namespace = namespace, repository = repository, tag = reference.tag or "latest",
    name = reference.name .. (self.keep_tag and reference.tag and ":" .. reference.tag or ""),
  }
end

--- Gives an opinion on images.
-- @tparam table texts array of references, as in the field `image` of containers
-- @return {[text] = {pinned (reference with a digest, for tags of the registry), reason (why it is
--   refused), is_unknown (nothing could be found out)}}
function Check:check(texts)
  local opinions, names, asked, images = {}, {}, {}, {}
  for _, text in ipairs(texts) do
    local opinion, image = look(self, text)
    opinions[text] = opinion
    if image then
      local key = ("%s/%s:%s"):format(image.namespace, image.repository, image.tag)
      if not asked[key] then
        images[#images + 1] = image
        asked[key] = image
      end
      names[text] = { written = image.name, image = asked[key] }
    end
  end
  ask_all(self, images)
  for text, name in pairs(names) do
    local opinion = name.image.opinion or unknown "the registry's API has not answered in time"
    opinions[text] = opinion.digest and { pinned = name.written .. "@" .. opinion.digest } or
      opinion
  end
  return opinions
end

--- @tparam table settings cache, instance, registries (array), others, keep_tag, concurrency,
--   deadline
function image_check.new(settings)
  local self = {
    cache = settings.cache, instance = settings.instance, registries = {},
    others = settings.others, keep_tag = settings.keep_tag, concurrency = settings.concurrency,
    deadline = settings.deadline,
  }
  for _, registry in ipairs(settings.registries) do
    self.registries[registry:lower()] = true
  end
  return setmetatable(self, Check)
end

return image_check
