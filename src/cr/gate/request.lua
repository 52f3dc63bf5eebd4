--- What a request asks for: a tag, a manifest by its digest, something else, or what nobody may.
--
-- A finder returns a kind and what belongs to it:
--
--     "tag", repository, tag         "digest", repository, digest
--     "other"                        not about a tag
--     "bad", code, message           never passes, whatever is configured
--
-- nginx routes by a path that it decoded and shortened, and may pass on the path as it came. Where
-- the two differ a gate could check one image while the registry serves another; so a path that
-- nginx had to change is refused, rather than guessed at.

local names = require "cr.gate.names"

local request = {}

local MAX_PATH = 1024

--- The path, when everybody reads it alike.
-- @return path  or nil, code, message
local function plain_path()
  local raw = ngx.var.request_uri:match("^[^?]*")
  local path = ngx.var.uri
  if #raw > MAX_PATH then
    return nil, "PathTooLong", "the path is longer than any image's"
  elseif raw:find("[^%w/._:~@+-]") or raw:find("//", 1, true) or (raw .. "/"):find("/%.%.?/") or
    path:find("[^%w/._:~@+-]") then
    return nil, "PathNotPlain", "the path is not written in its plain form"
  end
  return path
end

--- Sorts a reference: what has a colon is a digest, since no tag has one.
local function sort(repository, reference)
  if not names.is_repository(repository) then
    return "bad", "InvalidName", "that is no name of a repository"
  elseif names.is_tag(reference) then
    return "tag", repository, reference
  elseif names.is_digest(reference) then
    return "digest", repository, reference
  end
  return "bad", "InvalidName", "that is no name of a tag and no digest"
end

--- What else the registry API has that is about no single manifest.
local function is_known(path)
  if path == "/v2/" or path == "/v2" or path == "/v2/_catalog" then
    return true
  end
  local repository = path:match("^/v2/(.+)/tags/list$") or
    path:match("^/v2/(.+)/blobs/uploads/[%w_.=-]*$")
  if repository then
    return names.is_repository(repository)
  end
  local digest
  repository, digest = path:match("^/v2/(.+)/blobs/([^/]+)$")
  if not repository then
    repository, digest = path:match("^/v2/(.+)/referrers/([^/]+)$")
  end
  return repository ~= nil and names.is_repository(repository) and names.is_digest(digest)
end

local function read_registry()
  local path, code, message = plain_path()
  if not path then
    return "bad", code, message
  end
  local repository, reference = path:match("^/v2/(.+)/manifests/([^/]+)$")
  if repository then
    return sort(repository, reference)
  elseif is_known(path) then
    return "other"
  end
  return "bad", "UnknownPath", "that is no path of the registry API"
end

-- What was read out of good paths lately, by the request's line: patterns cost more than all else
-- in a cached decision. Begun anew when full.
local MAX_SEEN = 1000
local seen, seen_count = {}, 0

--- Paths of the registry API, version 2.
function request.registry()
  local raw, path = ngx.var.request_uri, ngx.var.uri
  local known = seen[raw]
  if known and known.path == path then
    return known.kind, known.repository, known.reference
  end
  local kind, repository, reference = read_registry()
  if kind ~= "bad" and #raw <= MAX_PATH then
    if seen_count >= MAX_SEEN then
      seen, seen_count = {}, 0
    end
    seen[raw] = { path = path, kind = kind, repository = repository, reference = reference }
    seen_count = seen_count + 1
  end
  return kind, repository, reference
end

--- A finder by a PCRE with the named groups `repository` and `tag`.
function request.by_pattern(pattern)
  return function()
    local path, code, message = plain_path()
    if not path then
      return "bad", code, message
    end
    local match, err = ngx.re.match(path, pattern, "jo")
    if match then
      return sort(match.repository or "", match.tag or "")
    elseif err then
      return "bad", "PathNotPlain", "the path could not be matched: " .. err
    end
    return "other"
  end
end

--- A finder by the names of two nginx variables. When both are empty the request is about no tag.
function request.by_variables(repository_name, tag_name)
  return function()
    local repository, tag = ngx.var[repository_name] or "", ngx.var[tag_name] or ""
    if repository == "" and tag == "" then
      return "other"
    end
    return sort(repository, tag)
  end
end

--- A finder by a function that returns repository and tag, or nil.
function request.by_function(find)
  return function()
    local repository, tag = find()
    if repository == nil then
      return "other"
    end
    return sort(repository, tag)
  end
end

return request
