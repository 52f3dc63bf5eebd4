--- A Kubernetes admission webhook (admission.k8s.io/v1): are the images of a Pod there, and by
-- which digests?
--
--     hook = require("admission").new { cache = …, instance = "cri-…", registries = { "…" } }
--     hook:validate()    -- allows or refuses
--     hook:mutate()      -- also replaces tags by digests
--
-- Whatever is asked properly is answered with HTTP 200 and an AdmissionReview: the decision is in
-- there, and any other status means to the API server that the webhook failed. Nothing is changed
-- anywhere, so a dry run is answered as any other request.

local cjson = require("cjson.safe").new()
local image_check = require "image_check"

local admission = {}

local Admission = {}
Admission.__index = Admission

local API_VERSION = "admission.k8s.io/v1"
local LISTS = { "initContainers", "containers", "ephemeralContainers" }
local OPERATIONS = { CREATE = true, UPDATE = true }
local MAX_WARNING = 256 -- what the API server keeps whole

--- A JSON object or array, or nil for everything else (null is no nil).
local function as_table(value)
  return type(value) == "table" and value or nil
end

local function is_positive(value)
  return type(value) == "number" and value > 0
end

local function is_count(value)
  return is_positive(value) and value % 1 == 0
end

local function is_text(value)
  return type(value) == "string" and value ~= ""
end

local function one_of(...)
  local allowed = {}
  for _, value in ipairs { ... } do
    allowed[value] = true
  end
  return function(value)
    return allowed[value] == true
  end
end

local function are_registries(value)
  for _, registry in ipairs(as_table(value) or {}) do
    if not is_text(registry) then
      return false
    end
  end
  return as_table(value) ~= nil and #value > 0
end

-- Every setting: what it must be, and what it is when it is not given.
local SETTINGS = {
  cache = { as_table },
  instance = { is_text },
  registries = { are_registries },
  others = { one_of("allow", "refuse"), "refuse" },
  fail = { one_of("open", "closed"), "closed" },
  keep_tag = { one_of(true, false), false },
  concurrency = { is_count, 8 },
  deadline = { is_positive, 8 },
  max_images = { is_count, 100 },
}

local function with_defaults(given)
  local settings = {}
  for name in pairs(given) do
    if not SETTINGS[name] then
      error("admission: there is no setting " .. tostring(name), 3)
    end
  end
  for name, setting in pairs(SETTINGS) do
    local value = given[name]
    if value == nil then
      value = setting[2]
    end
    if not setting[1](value) then
      error(("admission: the setting %s cannot be %s"):format(name, tostring(value)), 3)
    end
    settings[name] = value
  end
  return settings
end

--- Ends the request with something that is no AdmissionReview.
local function fail(status, message)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.say((cjson.encode { error = message }))
  return ngx.exit(ngx.OK)
end

--- The request of an AdmissionReview. @return request  or nil, what is wrong with the body
local function read_request()
  ngx.req.read_body()
  local review, reason = cjson.decode(ngx.req.get_body_data() or "")
  if reason then
    return nil, "the body is not JSON: " .. reason
  elseif not as_table(review) or review.kind ~= "AdmissionReview" or
    review.apiVersion ~= API_VERSION then
    return nil, "the body is not an AdmissionReview of " .. API_VERSION
  end
  local request = as_table(review.request)
  if not request or not is_text(request.uid) then
    return nil, "the AdmissionReview has no request with a uid"
  end
  return request
end

--- Whether the request can bring images into a Pod. Its other subresources (status, binding, …)
-- cannot.
local function is_about_images(request)
  local kind, sub = as_table(request.kind) or {}, request.subResource
  return kind.group == "" and kind.kind == "Pod" and OPERATIONS[request.operation] == true and
    (not is_text(sub) or sub == "ephemeralcontainers")
end

--- An array of the Pod's specification; empty when it is not there.
-- @return array  or nil, what is wrong
local function list_of(pod, name)
  local spec = as_table(as_table(pod) and pod.spec) or {}
  local list = spec[name]
  if list == nil or list == cjson.null then
    return {}
  elseif type(list) ~= "table" or (#list == 0 and next(list) ~= nil) then
    return nil, ("spec.%s of the Pod is not an array"):format(name)
  end
  return list
end

--- Images of the Pod as it was, by list and container.
local function images_before(request)
  local before = {}
  for _, name in ipairs(LISTS) do
    for _, container in ipairs(list_of(request.oldObject, name) or {}) do
      if as_table(container) and is_text(container.name) then
        before[name .. "/" .. container.name] = container.image
      end
    end
  end
  return before
end

--- The containers whose images are to be looked at: not those that run already, since a tag that
-- was deleted later must not stand in the way of a change of labels, or of the Pod's end.
-- @return array of {name, image, path}  or nil, what is wrong
local function containers_of(request)
  if not as_table(request.object) then
    return nil, "the request has no object"
  end
  local found, before = {}, images_before(request)
  for _, list_name in ipairs(LISTS) do
    local list, problem = list_of(request.object, list_name)
    if not list then
      return nil, problem
    end
    for index, container in ipairs(list) do
      container = as_table(container) or {}
      local name = is_text(container.name) and container.name or ("%s[%d]"):format(list_name,
        index - 1)
      local image = is_text(container.image) and container.image or ""
      if image == "" or before[list_name .. "/" .. name] ~= image then
        found[#found + 1] = {
          name = name, image = image, path = ("/spec/%s/%d/image"):format(list_name, index - 1),
        }
      end
    end
  end
  return found
end

local function images_of(containers)
  local images, seen = {}, {}
  for _, container in ipairs(containers) do
    if not seen[container.image] then
      seen[container.image] = true
      images[#images + 1] = container.image
    end
  end
  return images
end

local function refusal(code, reasons)
  return { allowed = false, status = {
    code = code, reason = code == 403 and "Forbidden" or "ServiceUnavailable",
    message = table.concat(reasons, "; "),
  } }
end

--- The decision on containers, given an opinion on each image.
local function decide(self, containers, opinions, is_mutating)
  local reasons, warnings, patch, has_refused = {}, {}, {}, false
  for _, container in ipairs(containers) do
    local opinion = opinions[container.image]
    local text = opinion.reason and ("container %s: image %q %s"):format(container.name,
      container.image, opinion.reason)
    if opinion.is_unknown and self.fail == "open" then
      warnings[#warnings + 1] = text:sub(1, MAX_WARNING)
    elseif text then
      reasons[#reasons + 1] = text
      has_refused = has_refused or not opinion.is_unknown
    elseif opinion.pinned and is_mutating then
      patch[#patch + 1] = { op = "replace", path = container.path, value = opinion.pinned }
    end
  end
  if #reasons > 0 then
    return refusal(has_refused and 403 or 503, reasons)
  end
  return {
    allowed = true,
    warnings = #warnings > 0 and warnings or nil,
    patchType = #patch > 0 and "JSONPatch" or nil,
    patch = #patch > 0 and ngx.encode_base64((cjson.encode(patch))) or nil,
  }
end

--- @return the field `response`, without its uid
local function review(self, request, is_mutating)
  if not is_about_images(request) then
    return { allowed = true }
  end
  local containers, problem = containers_of(request)
  if not containers then
    return refusal(403, { problem })
  end
  local images = images_of(containers)
  if #images > self.max_images then
    return refusal(403, { ("the Pod has %d images, and %d can be checked"):format(#images,
      self.max_images) })
  end
  return decide(self, containers, self.check:check(images), is_mutating)
end

local function answer(self, is_mutating)
  if ngx.req.get_method() ~= "POST" then
    ngx.header["Allow"] = "POST"
    return fail(405, "an AdmissionReview comes with POST")
  end
  local request, problem = read_request()
  if not request then
    return fail(400, problem)
  end
  local response = review(self, request, is_mutating)
  response.uid = request.uid
  ngx.header["Content-Type"] = "application/json"
  ngx.say((cjson.encode { apiVersion = API_VERSION, kind = "AdmissionReview",
    response = response }))
end

--- The content handler of a ValidatingWebhookConfiguration.
function Admission:validate()
  return answer(self, false)
end

--- The content handler of a MutatingWebhookConfiguration.
function Admission:mutate()
  return answer(self, true)
end

--- @tparam table given see README.md; unknown settings and wrong values raise
function admission.new(given)
  local settings = with_defaults(given)
  return setmetatable({
    check = image_check.new(settings), fail = settings.fail, max_images = settings.max_images,
  }, Admission)
end

return admission
