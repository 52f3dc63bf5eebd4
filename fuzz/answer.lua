--- Any answer is a table or an error object; nothing raises, and no error quotes a secret.

local answer = require "cr.answer"
local cr = require "cr"

local KINDS = { service = true, response = true }

-- Long enough to stand nowhere by chance; seeds quote them, as services do.
local SECRET, TOKEN = "planted-secret/0123", "planted-token+0123"

-- As they stand in a body, in a query, and in the string to sign of a V1 signature.
local SHOWN = {
  SECRET, "planted-secret%2F0123", "planted-secret%252F0123",
  TOKEN, "planted-token%2B0123", "planted-token%252B0123",
}

local response

local transport = {
  exchange = function()
    return response
  end,
  now = function()
    return 1572925525
  end,
  sleep = function() end,
}

local function check_texts(value, depth)
  if type(value) == "table" then
    assert(depth < 100, "nested without end")
    for name, field in pairs(value) do
      check_texts(name, depth + 1)
      check_texts(field, depth + 1)
    end
  elseif type(value) == "string" then
    for _, secret in ipairs(SHOWN) do
      assert(not value:find(secret, 1, true), "a secret is shown")
    end
  end
end

local client = cr.new {
  region = "cn-hangzhou", transport = transport, max_attempts = 2,
  credentials = {
    type = "sts", access_key_id = "LTAI-fuzz", access_key_secret = SECRET, security_token = TOKEN,
  },
  on_attempt = function(event)
    check_texts(event, 0)
  end,
}

local function check_error(err)
  assert(KINDS[err.kind], "unknown kind")
  assert(type(err.code) == "string" and type(err.message) == "string", "no code or no message")
  assert(math.type(err.http_status) == "integer")
  assert(err.request_id == nil or type(err.request_id) == "string", "the request id is no text")
  assert(err.access_denied == nil or type(err.access_denied) == "table")
  assert(not tostring(err):find("[\r\n]"), "tostring has more than one line")
end

--- No null in objects, no float where an integer is meant, in any depth.
local function check_answer(value, key)
  if type(value) == "table" then
    for name, field in pairs(value) do
      check_answer(field, name)
    end
  end
  assert(value ~= cr.null or math.type(key) == "integer", "a null field is there")
  local is_float = math.type(value) == "float" and value == math.floor(value)
  assert(not is_float or math.abs(value) >= 2 ^ 63, "an integral float")
end

return function(status, header_block, body)
  response = { status = status, header_block = header_block, body = body }
  local result, err = answer.judge(response)
  assert((result == nil) ~= (err == nil), "neither an answer nor an error, or both")
  if result then
    check_answer(result, "")
  else
    check_error(err)
  end
  local called, call_err, info = client:get_repo_tag { InstanceId = "i", RepoId = "r", Tag = "t" }
  assert((called ~= nil) == (result ~= nil), "the call and the judgement disagree")
  if called then
    assert(info.http_status == status and info.attempts <= 2)
  else
    check_error(call_err)
    check_texts(call_err, 0)
    check_texts(tostring(call_err), 0)
    assert(call_err.kind == err.kind and type(call_err.retryable) == "boolean")
  end
end
