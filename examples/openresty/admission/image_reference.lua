--- Image references, by the grammar of Docker's and Kubernetes' parser (distribution/reference):
--
--     [domain[:port]/]path[:tag][@digest]
--
-- The first part is a domain only if it has a dot, a colon or an upper-case letter in it, or is
-- "localhost"; everything else is Docker Hub's. So `team/app` is docker.io/team/app, and
-- `localhost:5000` is the tag 5000 of docker.io/library/localhost. A parser that is laxer than the
-- kubelet's would let somebody check one image and run another, so nothing is repaired here.

local image_reference = {}

local MAX_PATH = 255
local MAX_TAG = 128
local MAX_REFERENCE = 1024 -- of what is worth looking at: domain 255, path, tag, longest digest

-- Digits that a digest has, by the algorithms that are registered.
local DIGITS = { sha256 = 64, sha384 = 96, sha512 = 128 }

local function is_domain_name(host)
  for label in (host .. "."):gmatch "([^.]*)%." do
    if not (label:find "^%w[%w-]*$" and label:find "%w$") then
      return false
    end
  end
  return true
end

local function is_domain(domain)
  local host, port = domain:match "^(.+):([^:%]]*)$"
  if port and not port:find "^%d+$" then
    return false
  end
  host = host or domain
  return host:find "^%[[%x:]+%]$" ~= nil or is_domain_name(host)
end

--- Between letters and digits: one dot, one or two underscores, any number of hyphens.
local function is_path_component(component)
  if not component:find "^[a-z0-9][a-z0-9._-]*$" or not component:find "[a-z0-9]$" then
    return false
  end
  for separator in component:gmatch "[._-]+" do
    if separator ~= "." and separator ~= "_" and separator ~= "__" and
      not separator:find "^%-+$" then
      return false
    end
  end
  return true
end

local function is_path(path)
  for component in (path .. "/"):gmatch "([^/]*)/" do
    if not is_path_component(component) then
      return false
    end
  end
  return true
end

local function is_digest(digest)
  local algorithm, digits = digest:match "^(%w+):([a-f0-9]+)$"
  return algorithm ~= nil and DIGITS[algorithm] == #digits
end

--- "host/path" → domain, path; Docker Hub's short names in full.
local function split_domain(name)
  local first, rest = name:match "^([^/]*)/(.*)$"
  if not first or not (first:find "[.:%u]" or first == "localhost") then
    first, rest = "docker.io", name
  elseif first == "index.docker.io" then
    first = "docker.io"
  end
  if first == "docker.io" and not rest:find("/", 1, true) then
    rest = "library/" .. rest
  end
  return first, rest
end

--- What is wrong with the parts, or nil.
local function problem_of(domain, path, tag, digest)
  if not is_domain(domain) then
    return "its registry is not a host name"
  elseif path:find "%u" then
    return "its repository has upper-case letters"
  elseif #path > MAX_PATH or not is_path(path) then
    return "its repository is not a name"
  elseif tag and (#tag > MAX_TAG or not tag:find "^[%w_][%w_.-]*$") then
    return "its tag is not a name"
  elseif digest and not is_digest(digest) then
    return "its digest is not sha256:, sha384: or sha512: with all digits"
  end
end

--- Takes a reference apart.
-- @tparam string text as in the field `image` of a container
-- @return {name (as written, without tag and digest), domain (lower case, with the port if it is
--   not HTTPS's), path, tag, digest (with its algorithm; both nil when not there)}
-- @return nil, what is wrong
function image_reference.parse(text)
  if type(text) ~= "string" or text == "" then
    return nil, "no image is named"
  elseif #text > MAX_REFERENCE then
    return nil, "it is too long"
  elseif text:find "^[a-f0-9]+$" and #text == 64 then
    return nil, "it is the id of an image"
  end
  local rest, digest = text:match "^([^@]*)@(.*)$"
  rest = rest or text
  local name, tag = rest:match "^(.*):([^/]*)$"
  name = name or rest
  local domain, path = split_domain(name)
  local problem = problem_of(domain, path, tag, digest)
  if problem then
    return nil, problem
  end
  return {
    name = name, domain = domain:lower():gsub(":443$", ""), path = path, tag = tag,
    digest = digest,
  }
end

return image_reference
