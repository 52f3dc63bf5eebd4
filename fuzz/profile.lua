--- A profile tells whose credential it is, or is an error object; neither shows a secret of the
-- file or of the service's answer.

local cr = require "cr"

local SECRET = "planted-secret-0123456789"

local asked, body

-- What a profile stands for may be the answer of a service: the one of the input, or none.
local transport = {
  exchange = function(request)
    asked = asked + 1
    assert(type(request.url) == "string" and request.url:find("^https?://"), "an odd URL")
    assert(not request.url:find("[%c ]"), "a URL with a blank or a control character")
    if body ~= "" then
      return { status = 200, header_block = "", body = body }
    end
    return nil, { code = "ConnectFailed", message = "nobody is there", sent = false }
  end,
  now = function()
    return 1572925525
  end,
  sleep = function() end,
}

-- Where the value of a key stands in a file of each kind.
local FORMS = {
  profile = '"KEY"%s*:%s*"',
  ini_profile = "\n%s*KEY%s*=%s*",
}
local KEYS = {
  "access_key_secret", "sts_token", "access_token", -- of files
  "AccessKeySecret", "SecurityToken", "accessKeySecret", "securityToken", -- of answers
}

--- The secret as the beginning of every value that is one, and nowhere else.
local function plant(text, kind)
  text = text:gsub(SECRET, "")
  for _, key in ipairs(KEYS) do
    text = text:gsub(FORMS[kind]:gsub("KEY", key), "%0" .. SECRET)
  end
  return text
end

local function check_texts(value)
  if type(value) == "table" then
    for name, field in pairs(value) do
      check_texts(name)
      check_texts(field)
    end
  elseif type(value) == "string" then
    assert(not value:find(SECRET, 1, true), "a secret is shown")
  end
end

local function check(kind, path)
  asked = 0
  local client = cr.new {
    region = "cn-hangzhou", transport = transport, credentials = { type = kind, file = path },
  }
  local identity, err = client:credentials()
  assert((identity == nil) ~= (err == nil), "neither an identity nor an error, or both")
  if identity then
    assert(identity.provider == kind and type(identity.origin) == "string")
    assert(identity.access_key_id:find("^%*%*%*%*") and (asked == 0 or body ~= ""))
  else
    assert(err.kind == "credentials" and err.code == "CredentialsUnavailable", "an odd error")
    assert(type(err.message) == "string" and not tostring(err):find("[\r\n]"))
    check_texts(tostring(err))
  end
  check_texts(identity or err)
  local answer, call_err = client:get_repo_tag { InstanceId = "i", RepoId = "r", Tag = "t" }
  assert(answer and identity or (call_err.kind == "credentials") == (identity == nil),
    "the call does otherwise")
  check_texts(call_err)
end

return function(file, text, answer)
  body = plant(answer, "profile")
  for kind in pairs(FORMS) do
    check(kind, file(plant(text, kind)))
  end
end
