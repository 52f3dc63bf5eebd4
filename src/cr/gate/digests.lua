--- Remembers in a shared dict which digests a checked tag had, so that clients, which ask by tag
-- first and fetch by digest then, get what was checked and nothing else.
--
-- A list of manifests (an image for several platforms) is fetched by its digest, its parts by
-- theirs, which the API does not tell. They are read from the list itself on its way to the client.

local cjson = require "cjson.safe"
local names = require "cr.gate.names"

local digests = {}

local MAX_MANIFEST = 4 * 1024 * 1024 -- bytes; registries take no larger ones
local MAX_PARTS = 1000

local LISTS = {
  ["application/vnd.oci.image.index.v1+json"] = true,
  ["application/vnd.docker.distribution.manifest.list.v2+json"] = true,
}

local Digests = {}
Digests.__index = Digests

--- @param dict a shared dict
-- @tparam string instance id, which keeps gates apart
-- @tparam number life seconds
function digests.new(dict, instance, life)
  return setmetatable({ dict = dict, prefix = "cr.gate|" .. instance .. "|", life = life }, Digests)
end

local function key_of(self, repository, digest)
  return self.prefix .. repository .. "@" .. digest
end

function Digests:add(repository, digest)
  local ok, err = self.dict:set(key_of(self, repository, digest), true, self.life)
  if not ok then
    ngx.log(ngx.ERR, "cr.gate: a digest was not remembered: ", err)
  end
end

--- @treturn boolean
function Digests:has(repository, digest)
  return self.dict:get(key_of(self, repository, digest)) == true
end

--- The digests that a list of manifests names.
-- @tparam string text JSON
-- @treturn table array, empty when it is no such list
function digests.of_list(text)
  local list = cjson.decode(text)
  local manifests = type(list) == "table" and list.manifests
  local found = {}
  for _, manifest in ipairs(type(manifests) == "table" and manifests or found) do
    local digest = type(manifest) == "table" and manifest.digest
    if names.is_digest(digest) and #found < MAX_PARTS then
      found[#found + 1] = digest
    end
  end
  return found
end

local function is_list()
  local kind = ngx.header["Content-Type"]
  return ngx.status == 200 and type(kind) == "string" and
    LISTS[kind:match("^[^; ]*"):lower()] == true
end

--- In the body filter, for a response that was let through: remembers the parts of a list.
-- @tparam table learning {repository}; keeps the pieces between calls
function Digests:learn(learning)
  if learning.done then
    return
  elseif not learning.size then
    if not is_list() then
      learning.done = true
      return
    end
    learning.size = 0
  end
  local piece = ngx.arg[1]
  if piece and piece ~= "" then
    learning.size = learning.size + #piece
    learning[#learning + 1] = piece
  end
  if learning.size > MAX_MANIFEST then
    learning.done = true
  elseif ngx.arg[2] then
    learning.done = true
    for _, digest in ipairs(digests.of_list(table.concat(learning))) do
      self:add(learning.repository, digest)
    end
  end
end

return digests
