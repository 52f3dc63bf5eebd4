--- What the specs of credential providers share: the emulator's names, clients, and what an error
-- without a credential looks like.

local assert = require "luassert"
local cjson = require "cjson"
local cr = require "cr"

local credentials = {}

credentials.TAG = {
  InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0",
}

credentials.FULL = {
  type = "access_key", access_key_id = "LTAI5tEmulatorFull",
  access_key_secret = "EmulatorSecretFull-not-a-real-one",
}

--- The ARN of a role of the emulator.
function credentials.role(name)
  return "acs:ram::1000000000000001:role/" .. name
end

--- A table with the fields of both; those of the second win.
function credentials.with(first, second)
  local merged = {}
  for _, given in ipairs { first, second or {} } do
    for name, value in pairs(given) do
      merged[name] = value
    end
  end
  return merged
end

--- A client of an emulator with these credentials. It makes one attempt, if not told otherwise.
function credentials.client(server, declared, more)
  return cr.new(credentials.with(
    { endpoint = server.endpoint, credentials = declared, max_attempts = 1 }, more))
end

--- The session of a role as a server may hand it out: good for nothing, and long.
function credentials.session(more)
  return credentials.with({
    AccessKeyId = "STS.NTHandedOut", AccessKeySecret = "handed-out-secret",
    SecurityToken = "handed-out-token", Expiration = "2099-01-01T00:00:00Z",
  }, more)
end

credentials.encode = cjson.encode

--- Every text in an error, in one.
local function all_text(value)
  if type(value) ~= "table" then
    return tostring(value)
  end
  local parts = { tostring(value) }
  for name, field in pairs(value) do
    parts[#parts + 1] = all_text(name)
    parts[#parts + 1] = all_text(field)
  end
  return table.concat(parts, "\n")
end

--- No secret stands anywhere in an error.
function credentials.hides(secrets, err)
  local text = all_text(err)
  for _, secret in ipairs(secrets) do
    assert.is_nil(text:find(secret, 1, true), text)
  end
end

--- A call failed for want of a credential.
-- @tparam string message the whole of it; one that ends in "…" is its beginning
function credentials.failed(message, answer, err)
  assert.is_nil(answer)
  assert.equal("credentials", err.kind)
  assert.equal("CredentialsUnavailable", err.code)
  local beginning = message:match("^(.*)…$")
  if beginning then
    assert.equal(beginning, err.message:sub(1, #beginning))
  else
    assert.equal(message, err.message)
  end
  return err
end

--- The names of the operations in an emulator's log, in order, with the code of those that failed.
function credentials.operations(server)
  local names = {}
  for index, entry in ipairs(server:log()) do
    local code = entry.code ~= cjson.null and entry.code or nil
    names[index] = entry.operation .. (entry.status ~= 200 and code and " " .. code or "")
  end
  return names
end

--- The log's entries of one operation.
function credentials.entries(server, operation)
  local entries = {}
  for _, entry in ipairs(server:log()) do
    if entry.operation == operation then
      entries[#entries + 1] = entry
    end
  end
  return entries
end

return credentials
