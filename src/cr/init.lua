--- Container Registry (Enterprise Edition) client.
--
--     local cr = require "cr"
--     local tag, err = cr.get_repo_tag { InstanceId = "cri-…", RepoId = "crr-…", Tag = "1.0" }
--     if not tag then error(tostring(err)) end
--
-- Loading reads no file but the library's own, no environment variable and no network. Every
-- operation of the API is a function of this module under its name in snake_case, on a default
-- client made at the first call, and a method of every client made with `cr.new`. What only calls
-- need is loaded at the first use of `new` or of an operation.
--
-- Source of all operations and parameters: the vendor's API reference, product `cr`, version
-- 2018-12-01.
-- @module cr

local core = require "cr.core"

local cr = {
  --- Version of the library.
  _VERSION = require "cr.version",

  --- JSON null inside arrays. In objects a null field is absent. Equal to cjson.null and ngx.null.
  null = core.null,
}

--- Computes a signature. Pure: same request, same result; reads no clock and no randomness.
-- @tparam table request
--   `algorithm` ("ACS3-HMAC-SHA256", the default, or "HMAC-SHA1"), `method`, `path` ("/"), `query`
--   (table of strings, not encoded), `headers` (table of strings; V3 signs host, content-type and
--   x-acs-*), `body` (""), `access_key_id`, `access_key_secret`
-- @treturn table for V3 `authorization`, `signature`, `signed_headers`, `canonical_request`,
--   `string_to_sign`; for V1 `signature`, `string_to_sign`
-- @raise on missing or wrong fields
function cr.sign(request)
  if type(request) ~= "table" then
    error(("sign: the request must be a table, got a %s"):format(type(request)), 2)
  end
  local ok, result = pcall(core.sign, request)
  if not ok then
    error(result, 2)
  end
  return result
end

local default_client

local function default()
  default_client = default_client or require("cr.client").new {}
  return default_client
end

local lazy = {}

--- Makes a client. Reads nothing and connects to nothing until the first call.
-- @function new
-- @tparam[opt] table config see the README, "Configuration"; unknown keys and wrong types raise
-- @treturn table client with one method per operation, `call` and `close`
function lazy.new()
  return require("cr.client").new
end

--- Calls an operation by name on the default client.
-- @function call
-- @tparam string name "GetRepoTag" or "get_repo_tag"
-- @tparam[opt] table params
-- @tparam[opt] table options
-- @return as `client:call`
function lazy.call()
  return require("cr.client").module_call(default)
end

--- Tells whose credential the default client signs with.
-- @function credentials
-- @tparam[opt] table options
-- @return as `client:credentials`
function lazy.credentials()
  return require("cr.client").module_credentials(default)
end

--- Descriptors of all operations by API name; a snake_case name finds its descriptor too.
-- Fields: `name`, `lua_name`, `method`, `parameters` (array of {name, type, required, deprecated,
-- style, items, fields}), `paging`, `ram_action`, `ram_resource` (nil where the vendor publishes
-- none).
-- @table operations
function lazy.operations()
  return require("cr.operations").descriptors()
end

-- Methods of clients that are there on the default client too, as `cr.<name>(…)`.
local METHODS = { explain = true, items = true, map = true, pages = true, wait_for = true }

--- Many calls at once: every call inside `main` yields instead of blocking. See run.lua.
-- @function run
function lazy.run()
  return require "cr.run"
end

--- The smallest RAM policy for some operations. See policy.lua.
-- @function policy
function lazy.policy()
  return require "cr.policy"
end

return setmetatable(cr, {
  __index = function(module, key)
    local value
    if lazy[key] then
      value = lazy[key]()
    elseif type(key) == "string" and core.find_operation(key) then
      value = require("cr.client").module_function(key, default)
    elseif type(key) == "string" then
      value = METHODS[key] and require("cr.client").module_method(key, default)
    end
    if value ~= nil then
      module[key] = value
    end
    return value
  end,
})
