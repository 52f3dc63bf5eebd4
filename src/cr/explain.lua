--- `client:explain`: a call up to its signature, laid open, and nothing of it sent.
--
-- The request is made and signed by the code that makes calls. Afterwards everything secret gives
-- way to a variable of a shell, in all forms in which it is there: the session token stands in a
-- header (V3) or in the query and, encoded once more, in the string to sign (V1).

local client = require "cr.client"
local core = require "cr.core"
local curl_command = require "cr.curl_command"
local percent = require "cr.percent"
local pipeline = require "cr.pipeline"
local ram = require "cr.ram"
local secret = require "cr.secret"

local TOKEN = "ALIBABA_CLOUD_SECURITY_TOKEN"

local SECRET_HEADERS = { ["x-acs-security-token"] = TOKEN }

local ALGORITHMS = { v1 = "HMAC-SHA1", v3 = "ACS3-HMAC-SHA256" }

local function placeholder(variable)
  return "${" .. variable .. "}"
end

--- The variables for secret parameters, by name: V1's token, and passwords, which one operation
-- sets.
local SECRET_PARAMETERS = setmetatable({ SecurityToken = TOKEN }, {
  __index = function(_, name)
    return name:find("^[%w.]*Password$") and "CR_" .. name:gsub("%.", "_"):upper() or nil
  end,
})

--- Masks the secret ones of some pairs.
-- @tparam string text
-- @tparam string separator between pairs
-- @tparam string equals between a name and its value
local function mask_pairs(text, separator, equals)
  local masked, position = {}, 1
  repeat
    local stop, next_position = text:find(separator, position, true)
    local pair = text:sub(position, (stop or 0) - 1)
    local name_end = pair:find(equals, 1, true)
    local variable = name_end and SECRET_PARAMETERS[pair:sub(1, name_end - 1)]
    masked[#masked + 1] = variable and
      pair:sub(1, name_end + #equals - 1) .. placeholder(variable) or pair
    position = (next_position or 0) + 1
  until not stop
  return table.concat(masked, separator)
end

local function mask_url(url)
  local start, query = url:match("^([^?]*%?)(.*)$")
  return start and start .. mask_pairs(query, "&", "=") or url
end

local function mask_headers(headers)
  local masked = {}
  for name, value in pairs(headers) do
    masked[name] = SECRET_HEADERS[name] and placeholder(SECRET_HEADERS[name]) or value
  end
  return masked
end

local function mask_canonical_request(text)
  local start, query, rest = text:match("^([^\n]*\n[^\n]*\n)([^\n]*)(.*)$")
  for name, variable in pairs(SECRET_HEADERS) do
    local before, after = rest:match("^(.-\n" .. name:gsub("%-", "%%-") .. ":)[^\n]*(.*)$")
    if before then
      rest = before .. placeholder(variable) .. after
    end
  end
  return start .. mask_pairs(query, "&", "=") .. rest
end

--- V1's. V3's is a digest.
local function mask_string_to_sign(text)
  local start, query = text:match("^([^&]*&[^&]*&)(.*)$")
  return start .. mask_pairs(query, "%26", "%3D")
end

--- The parameters of a masked URL, decoded.
local function parameters_of(url)
  local parameters = {}
  for name, value in (url:match("%?(.*)$") or ""):gmatch("([^&=]+)=([^&]*)") do
    parameters[percent.decode(name)] = percent.decode(value)
  end
  return parameters
end

--- What is needed of RAM, as far as it is published.
local function permission_of(attempt, parameters)
  if not attempt.operation.number then
    return nil, nil
  end
  local operation = core.operation(attempt.operation.number)
  local region = attempt.endpoint.host:match("^cr[%a-]*%.([%w-]+)%.aliyuncs%.com$") or
    attempt.settings.region
  local resources = ram.resources(operation.ram_resource, ram.values_of(parameters), region)
  return operation.ram_action, resources and resources[1]
end

--- The stages of the signature, masked.
local function signature_of(attempt, sent)
  local request = attempt.request
  if attempt.settings.signature == "v1" then
    return percent.decode(sent.url:match("&Signature=([^&]*)$")),
      mask_string_to_sign(request:string_to_sign())
  end
  return sent.headers.authorization:match("Signature=(%x+)$"), request:string_to_sign(),
    mask_canonical_request(request:canonical_request())
end

local LAYOUT = {
  { "operation" }, { "endpoint" }, { "signature_version" }, { "algorithm" }, { "provider" },
  { "ram_action", "not published" }, { "ram_resource", "not published" }, { "method" },
}

local function indented(title, text)
  return ("\n%s\n    %s"):format(title, (text:gsub("\n", "\n    ")))
end

local Explanation = { __name = "cr.explanation" }

--- All of it for people to read.
function Explanation:__tostring()
  local parts = {}
  for _, row in ipairs(LAYOUT) do
    parts[#parts + 1] = ("%-18s %s"):format(row[1]:gsub("_", " "), self[row[1]] or row[2])
  end
  parts[#parts + 1] = indented("url", self.url)
  local names = {}
  for name in pairs(self.headers) do
    names[#names + 1] = name
  end
  table.sort(names)
  for index, name in ipairs(names) do
    names[index] = name .. ": " .. self.headers[name]
  end
  parts[#parts + 1] = indented("headers", table.concat(names, "\n"))
  if self.canonical_request then
    parts[#parts + 1] = indented("canonical request", self.canonical_request)
  end
  parts[#parts + 1] = indented("string to sign", self.string_to_sign)
  parts[#parts + 1] = indented("signature", self.signature)
  parts[#parts + 1] = indented("curl", self.curl)
  return table.concat(parts, "\n")
end

local function explain(request, operation, params, settings)
  local attempt, err = pipeline.sign(request, operation, params, settings)
  if not attempt then
    return nil, err
  end
  settings = attempt.settings
  local sent = request:table(settings, settings.timeout)
  local url = mask_url(sent.url)
  local parameters = parameters_of(url)
  local action, resource = permission_of(attempt, parameters)
  local signature, string_to_sign, canonical_request = signature_of(attempt, sent)
  local explanation = {
    operation = operation.name,
    endpoint = attempt.endpoint.origin,
    method = sent.method,
    url = url,
    parameters = parameters,
    headers = mask_headers(sent.headers),
    canonical_request = canonical_request,
    string_to_sign = string_to_sign,
    signature = signature,
    signature_version = settings.signature,
    algorithm = ALGORITHMS[settings.signature],
    provider = attempt.provider or settings.provider.name,
    ram_action = action,
    ram_resource = resource,
    curl = curl_command.of(sent, { headers = SECRET_HEADERS, query = SECRET_PARAMETERS }),
  }
  -- Should a secret also have been given as a parameter: better a mask in the wrong place.
  return setmetatable(secret.mask_all(explanation, secret.of(attempt.credential)), Explanation)
end

--- Signs a call without sending it. Only a credential may be fetched, as a call would fetch it.
-- @function explain
-- @tparam string name "GetRepoTag" or "get_repo_tag"; with `options.method` also one that this
--   version of the library does not know
-- @tparam[opt] table params as of the call
-- @tparam[opt] table options as of the call
-- @treturn table operation, endpoint, method, url, parameters (as sent, decoded, by flat name),
--   headers, canonical_request (V3), string_to_sign, signature, signature_version ("v3", "v1"),
--   algorithm, provider (whose credential signed), ram_action and ram_resource (nil where none is
--   published), curl (a shell command). tostring gives a text to read.
-- @return nil, error  where the call would fail before anything is sent
-- @raise as the call
return function(self, name, params, options)
  local settings = client.settings_of(self, 3)
  if type(name) ~= "string" then
    error(("explain: the operation's name must be a string, got a %s"):format(type(name)), 2)
  end
  client.check_call("explain", params, options)
  local operation, err = client.find_operation(name, options)
  if not operation then
    return nil, err
  end
  settings = options and client.resolve(options, settings) or settings
  local explanation
  explanation, err = client.perform(settings, operation, params or {}, explain)
  return explanation, err
end
