--- Answers as the service writes them: success, application error, gateway error in JSON or XML.
--
-- An answer is a table here (status, headers, body, code) until it is sent, so that a fault can
-- change it and the log can record it.

local crypto = require "cr.emulator.crypto"
local json = require "cr.emulator.json"

local respond = {}

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
  return answer(status, fields.Code, "application/json;charset=utf-8", json.encode(fields),
    fields.RequestId)
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

--- @param failure see failure.lua
function respond.failure(request, failure)
  if failure.status == 200 then
    return application_error(failure)
  end
  local fields = {
    RequestId = crypto.uuid(),
    HostId = request.host,
    Code = failure.code,
    Message = failure.message,
    Recommend = ("https://api.example.com/troubleshoot?q=%s&product=cr"):format(failure.code),
    AccessDeniedDetail = failure.detail,
  }
  if wants_xml(request) then
    return answer(failure.status, failure.code, "text/xml;charset=utf-8", xml_error(fields),
      fields.RequestId)
  end
  return json_answer(failure.status, fields)
end

return respond
