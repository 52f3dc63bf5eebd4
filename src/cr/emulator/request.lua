--- The request as the checks need it: raw where the signature covers raw bytes, decoded elsewhere.

local canonical = require "cr.emulator.canonical"

local request = {}

local FORM = "application/x-www-form-urlencoded"

--- Names in lower case; a header that was sent more than once counts as its values with commas.
local function read_headers()
  local headers = {}
  for name, value in pairs(ngx.req.get_headers(0)) do
    if type(value) == "table" then
      value = table.concat(value, ",")
    end
    headers[name:lower()] = value == true and "" or value
  end
  return headers
end

local function is_form(headers)
  return (headers["content-type"] or ""):lower():sub(1, #FORM) == FORM
end

--- @return method, path, headers, body, host; `pairs` of the query alone and `all_pairs` with those
-- of a form; `parameters` by name; `is_v3`; the operation and version that are asked for. The
-- service adds what pipeline.lua says, and `log`: fields of its own for the log
function request.read()
  ngx.req.read_body()
  local headers = read_headers()
  local body = ngx.req.get_body_data() or ""
  local query = canonical.split(ngx.var.args or "")
  local all = canonical.split(ngx.var.args or "")
  if is_form(headers) then
    for _, pair in ipairs(canonical.split(body)) do
      all[#all + 1] = pair
    end
  end
  local parameters = {}
  for _, pair in ipairs(all) do
    parameters[pair[1]] = pair[2]
  end
  local is_v3 = headers.authorization ~= nil or headers["x-acs-action"] ~= nil
  return {
    method = ngx.req.get_method(),
    path = ngx.var.request_uri:match("^[^?]*"),
    headers = headers,
    body = body,
    host = headers.host or "",
    pairs = query,
    all_pairs = all,
    parameters = parameters,
    is_v3 = is_v3,
    operation = is_v3 and headers["x-acs-action"] or parameters.Action,
    version = is_v3 and headers["x-acs-version"] or parameters.Version,
  }
end

return request
