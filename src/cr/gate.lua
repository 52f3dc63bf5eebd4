--- A gate in the access phase of nginx: an image passes if the API knows its tag and the tag is as
-- it should be.
--
--     init_by_lua_block { gate = require("cr.gate").new { cache = cache, instance = "cri-…" } }
--     access_by_lua_block { gate:check() }
--
-- What cannot be decided does not pass, unless `fail = "open"` says so for outages of the API. See
-- docs/gate.md.
--
-- Parts, in the folder gate: config, names (what a name may be), request (what is asked for), rules
-- (the conditions), registry (what the API is asked), digests (what a checked tag had), answer.

local answer = require "cr.gate.answer"
local config = require "cr.gate.config"
local digests = require "cr.gate.digests"
local names = require "cr.gate.names"
local registry = require "cr.gate.registry"
local rules = require "cr.gate.rules"

local gate = {}

local Gate = {}
Gate.__index = Gate
Gate.__name = "cr.gate"

local PHASES = { server_rewrite = true, rewrite = true, access = true }

local OPEN = "open" -- key of the dict, in the place of repository and digest

local function refuse(status, code, message)
  return { decision = "refuse", status = status, code = code, message = message }
end

local function pass(code)
  return { decision = "pass", code = code }
end

--- A verdict where the API was of no help.
local function judge_problem(self, problem, absent_code, absent_message)
  if problem == "absent" then
    return refuse(404, absent_code, absent_message)
  elseif problem == "mistake" then
    return refuse(503, "CannotCheck", "the gate is not able to check tags; its log tells why")
  elseif self.fail == "closed" then
    return refuse(503, "Unavailable", "the tag cannot be checked at the moment")
  end
  if self.digests_known then
    self.digests_known:add(OPEN, OPEN)
  end
  return { decision = "open", code = "Unavailable" }
end

local function verdict_of(code, message)
  return code and refuse(code == "ScanUnreadable" and 503 or 403, code, message)
end

--- What the configuration has pinned for a tag: a digest, false (any), nil (nothing).
local function pinned(digest, repository, tag)
  if type(digest) == "table" then
    return digest[repository .. ":" .. tag]
  elseif type(digest) == "function" then
    return digest(repository, tag)
  end
  return digest
end

--- The conditions that the tag itself tells about.
local function judge_tag(self, repository, name, tag)
  local code, message = rules.status(tag)
  if not code and self.digest then
    code, message = rules.digest(tag, pinned(self.digest, repository, name))
  end
  if not code and self.max_age_days then
    code, message = rules.age(tag, self.max_age_days, ngx.time())
  end
  return verdict_of(code, message)
end

local function judge_scan(self, id, name, tag)
  local status, problem = self.registry:scan("GetRepoTagScanStatus", id, name, tag.Digest)
  if problem == "absent" then
    return refuse(403, "NotScanned", "the image has not been scanned")
  elseif not status then
    return judge_problem(self, problem)
  end
  local verdict = verdict_of(rules.scan_status(status))
  if verdict or not self.scan_limit then
    return verdict
  end
  local summary
  summary, problem = self.registry:scan("GetRepoTagScanSummary", id, name, tag.Digest)
  if problem == "absent" then
    return refuse(403, "NotScanned", "the image has not been scanned")
  elseif not summary then
    return judge_problem(self, problem)
  end
  return verdict_of(rules.scan_summary(summary, self.scan_limit))
end

--- @return verdict, digest of the tag (when it passes)
local function judge(self, repository, name)
  local id, problem = self.registry:repository_id(repository)
  if not id then
    return judge_problem(self, problem, "RepositoryNotFound", "there is no such repository")
  end
  local tag
  tag, problem = self.registry:tag(id, name)
  if not tag then
    return judge_problem(self, problem, "TagNotFound", "there is no such tag")
  end
  local verdict = judge_tag(self, repository, name, tag) or
    (self.scan and judge_scan(self, id, name, tag))
  if verdict then
    return verdict
  end
  local digest = names.to_digest(tag.Digest)
  if not digest and self.pin then
    return refuse(503, "DigestUnreadable", "the API does not tell the digest of the tag")
  end
  return pass(), digest
end

local function judge_digest(self, repository, digest)
  local policy = self.digests
  if policy == "checked" then
    local known = self.digests_known
    if known:has(repository, digest) then
      return pass()
    elseif self.fail == "open" and known:has(OPEN, OPEN) then
      return { decision = "open", code = "Unavailable" }
    end
  elseif policy == "pass" or (policy ~= "refuse" and policy(repository, digest) == true) then
    return pass()
  end
  return refuse(403, "DigestNotChecked", "no tag that was checked lately has this digest")
end

--- Sees to it that what is served is what was checked: the tag may move at any moment.
local function pin(self, repository, digest)
  if self.digests_known and digest then
    self.digests_known:add(repository, digest)
  end
  if self.pin then
    ngx.req.set_uri("/v2/" .. repository .. "/manifests/" .. digest)
  end
end

local function decide(self)
  local method = ngx.req.get_method()
  local kind, repository, reference = self.finder()
  if kind == "bad" then
    return refuse(repository == "UnknownPath" and 404 or 403, repository, reference)
  elseif method ~= "GET" and method ~= "HEAD" then
    return self.writes == "pass" and pass("Write") or
      refuse(403, "WritesRefused", "only GET and HEAD pass here")
  elseif kind == "other" then
    return self.other == "pass" and pass("NotAboutATag") or
      refuse(403, "NotAboutATag", "only images by tag pass here")
  end
  local verdict, digest
  if kind == "digest" then
    verdict, digest = judge_digest(self, repository, reference), reference
  else
    verdict, digest = judge(self, repository, reference)
    verdict.tag = reference
    if verdict.decision == "pass" then
      pin(self, repository, digest)
    end
  end
  verdict.repository, verdict.digest = repository, digest
  if self.digests_known and verdict.decision ~= "refuse" then
    ngx.ctx.cr_gate = { repository = repository }
  end
  return verdict
end

--- Lets the request pass, and returns; or answers it, and does not return.
-- @return the verdict: decision ("pass", "open"), code (nil, "NotAboutATag", "Write",
--   "Unavailable"), repository, tag, digest
function Gate:check()
  if getmetatable(self) ~= Gate then
    error("not a gate: call it as gate:check()", 2)
  elseif not PHASES[ngx.get_phase()] then
    error(("gate:check() decides in the access or rewrite phase, not in %s"):format(
      ngx.get_phase()), 2)
  end
  local ok, verdict = pcall(decide, self)
  if not ok then
    ngx.log(ngx.ERR, "cr.gate: ", tostring(verdict))
    verdict = refuse(503, "GateFailed", "the gate failed; its log tells why")
  end
  answer.tell_log(verdict)
  if verdict.decision == "refuse" then
    return answer.refuse(verdict)
  end
  return verdict
end

--- For body_filter_by_lua: reads which manifests a list of them (an image for several platforms)
-- names, so that they pass by digest as the list did. Does nothing for other responses.
function Gate:learn()
  if getmetatable(self) ~= Gate then
    error("not a gate: call it as gate:learn()", 2)
  end
  local learning = self.digests_known and ngx.ctx.cr_gate
  if learning then
    self.digests_known:learn(learning)
  end
end

--- Makes a gate, once: in init_by_lua or a module.
-- @tparam table given see docs/gate.md; unknown keys and wrong values raise
function gate.new(given)
  if type(given) ~= "table" then
    error(("cr.gate.new: the configuration must be a table, got a %s"):format(type(given)), 2)
  end
  local self, reason = config.read(given)
  if not self then
    error("cr.gate.new: " .. reason, 2)
  end
  self.registry = registry.new(self)
  if self.digests == "checked" then
    self.digests_known = digests.new(self.shared, self.instance, self.digest_ttl)
  end
  return setmetatable(self, Gate)
end

return gate
