--- What an HTTP answer means: the operation's answer, or an error.
--
-- The API says "no" in several ways: a gateway error (HTTP 4xx or 5xx with Code and Message, field
-- names also in lower case, also as XML), HTTP 200 with IsSuccess false, HTTP 200 with another
-- Code and no IsSuccess at all. And there are answers that are none: no body, no JSON, JSON that
-- is no object.

local core = require "cr.core"
local json = require "cr.json"
local new_error = require "cr.error"
local trim = require "cr.trim"

local answer = {}

--- The value of a response header, whatever the case a transport gives names in. A transport may
-- give the raw block instead of the table: few answers have their headers looked at.
function answer.header(response, name)
  local headers = response.headers
  if headers == nil and type(response.header_block) == "string" then
    headers = core.headers(response.header_block)
  end
  if type(headers) ~= "table" then
    return nil
  end
  local value = headers[name]
  if value == nil then
    for key, candidate in pairs(headers) do
      if type(key) == "string" and key:lower() == name then
        value = candidate
      end
    end
  end
  return type(value) == "string" and value or nil
end

local function failure(kind, code, message, response, fields)
  fields = fields or {}
  fields.kind = kind
  fields.code = code
  fields.message = message
  fields.http_status = response.status
  fields.request_id = fields.request_id or answer.header(response, "x-acs-request-id")
  return new_error(fields)
end

--- Not shown: the body itself, which may hold half a password.
local function unreadable(code, what, response)
  local kind = answer.header(response, "content-type") or "no content type"
  return failure("response", code, ("the answer %s (%s, %d bytes)"):format(what, kind,
    #response.body), response)
end

local function text(value)
  if type(value) == "string" and value ~= "" then
    return value
  elseif type(value) == "number" then
    return ("%.14g"):format(value)
  end
end

--- The fields of an error by their lower-case names; the documented spelling wins.
local function lower_names(object)
  local fields = {}
  for name, value in pairs(object) do
    if type(name) == "string" and (fields[name:lower()] == nil or name:find("^%u")) then
      fields[name:lower()] = value
    end
  end
  return fields
end

local SUCCESS = { success = true, ok = true, ["200"] = true }

--- The code of an error; an HTTP status that says no outranks a code that says yes.
local function error_code(fields, status)
  local code = text(fields.code) or text(fields.errorcode)
  local is_success = code and SUCCESS[code:lower()] and (status < 200 or status >= 300)
  return code and not is_success and code or ("Http%d"):format(status)
end

local function service_error(object, response)
  local fields = lower_names(object)
  local denied = fields.accessdenieddetail
  local code = error_code(fields, response.status)
  local message = text(fields.message) or text(fields.msg) or text(fields.errormessage)
  return failure("service", code, message or "the service gives no message", response, {
      request_id = text(fields.requestid),
      recommend = text(fields.recommend),
      access_denied = type(denied) == "table" and denied or nil,
    })
end

local ENTITIES = { lt = "<", gt = ">", amp = "&", quot = '"', apos = "'" }

--- The error of an XML body, which gateways send when JSON was not negotiated; nil for other XML.
local function xml_error(body, response)
  local inner = body:match("<Error>(.*)</Error>")
  if not inner then
    return nil
  end
  local object = {}
  for name, value in inner:gmatch("<([%w_]+)>([^<]*)</%1>") do
    object[name] = trim(value):gsub("&(%a+);", ENTITIES)
  end
  return object.Code and service_error(object, response)
end

--- The body as a table, or nil and an error.
local function read(response)
  local body = response.body
  local first = body:sub(1, 1)
  if first ~= "{" then
    body = body:gsub("^\239\187\191", "") -- a byte order mark
    first = body:match("^%s*(%S)")
  end
  if not first then
    return nil, unreadable("EmptyBody", "has no body", response)
  end
  if first == "<" then
    return nil, xml_error(body, response) or
      unreadable("NotJson", "is markup and no JSON", response)
  end
  local value, is_deep = json.decode(body)
  if is_deep then
    return nil, unreadable("ResponseTooDeep",
      ("is JSON nested more than %d deep"):format(json.MAX_DEPTH), response)
  elseif value == nil then
    return nil, unreadable("NotJson", "is no valid JSON", response)
  end
  if type(value) ~= "table" or first ~= "{" then
    return nil, unreadable("UnexpectedJson", "is JSON but no object", response)
  end
  return core.tidy_json(value)
end

--- HTTP 200: `IsSuccess` decides where it is given, else `Code` where that is given.
local function says_no(object)
  local is_success, code = object.IsSuccess, object.Code
  if is_success == true then
    return false
  elseif is_success == nil and code == nil then
    is_success, code = object.isSuccess, object.code
  end
  if is_success ~= nil then
    return is_success == false or tostring(is_success):lower() == "false"
  end
  return code ~= nil and not SUCCESS[tostring(code):lower()]
end

--- Judges an answer.
-- @tparam table response status, headers, body
-- @return the answer's table
-- @return nil, error
function answer.judge(response)
  local status = response.status
  if status >= 300 and status < 400 then
    return nil, failure("response", "UnexpectedRedirect",
      ("the answer is a redirect (HTTP %d), which is not followed"):format(status), response)
  end
  local object, err = read(response)
  if not object then
    return nil, err
  end
  if status < 200 or status >= 300 or says_no(object) then
    return nil, service_error(object, response)
  end
  return object
end

return answer
