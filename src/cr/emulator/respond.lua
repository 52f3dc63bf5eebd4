--- Answers as the service writes them: success, application error, gateway error in JSON or XML.
--
-- An answer is a table here (status, headers, body, code) until it is sent, so that a fault can
-- change it and the log can record it.

local crypto = require "cr.emulator.crypto"
local json = require "cr.emulator.json"

local respond = {}

local JSON = "application/json;charset=utf-8"

local ENTITIES = { ["<"] = "&lt;", [">"] = "&gt;", ["&"] = "&amp;", ['"'] = "&quot;" }

local function xml_error(fields)
  local lines = { '<?xml version="1.0" encoding="UTF-8"?><Error>' }
  for _, name in ipairs { "RequestId", "HostId", "Code", "Message" } do
    lines[#lines + 1] = ("<%s>%s</%s>"):format(name, fields[name]:gsub('[<>&"]', ENTITIES), name)
  end
  return table.concat(lines) .. "</Error>"
end

local function wants_xml(request)
  if not request.is_v3 and request.parameters.Format then
    return request.parameters.Format:upper() == "XML"
  end
  local accept = request.headers.accept or ""
  return accept:find("application/xml", 1, true) ~= nil
    and not accept:find("json", 1, true) and not accept:find("*/*", 1, true)
end

local function answer(status, code, content_type, body, id)
  return {
    status = status,
    code = code,
    body = body,
    headers = { ["Content-Type"] = content_type, ["x-acs-request-id"] = id },
  }
end

local function json_answer(status, fields)
  return answer(status, fields.Code, JSON, json.encode(fields), fields.RequestId)
end

--- @param code what the log shows, optional
function respond.text(status, text, code)
  return answer(status, code, "text/plain;charset=utf-8", text)
end

--- A JSON object as it is.
function respond.document(fields)
  return json_answer(200, fields)
end

--- What an operation answers where the API has no envelope but a request id.
function respond.plain(fields)
  fields.RequestId = crypto.uuid()
  return json_answer(200, fields)
end

--- @param fields what the operation answers; the envelope is added
function respond.success(fields)
  fields.RequestId = crypto.uuid()
  fields.Code = "success"
  fields.IsSuccess = true
  return json_answer(200, fields)
end

local function application_error(failure)
  local fields = {
    RequestId = crypto.uuid(), Code = failure.code, Message = failure.message,
  }
  if not failure.without_success then
    fields.IsSuccess = false
  end
  return json_answer(200, fields)
end

-- Errors of the services that are no API of this kind, by request.style.
local STYLES = {}

function STYLES.text(failure)
  return respond.text(failure.status, failure.message .. "\n", failure.code)
end

function STYLES.cloud_sso(failure)
  local id = crypto.uuid()
  return answer(failure.status, failure.code, JSON, json.encode {
    ErrorCode = failure.code, ErrorMessage = failure.message, RequestId = id,
  }, id)
end

--- The answer, without the headers that a failure may have of its own.
local function failure_answer(request, failure)
  if request.style then
    return STYLES[request.style](failure)
  elseif failure.status == 200 then
    return application_error(failure)
  end
  local fields = {
    RequestId = crypto.uuid(),
    HostId = request.host,
    Code = failure.code,
    Message = failure.message,
    Recommend = ("https://api.example.com/troubleshoot?q=%s&product=%s")
      :format(failure.code, request.product or "cr"),
    AccessDeniedDetail = failure.detail,
  }
  if wants_xml(request) then
    return answer(failure.status, failure.code, "text/xml;charset=utf-8", xml_error(fields),
      fields.RequestId)
  end
  return json_answer(failure.status, fields)
end

--- @param failure see failure.lua; `headers` are added
function respond.failure(request, failure)
  local refused = failure_answer(request, failure)
  for name, value in pairs(failure.headers or {}) do
    refused.headers[name] = value
  end
  return refused
end

return respond
