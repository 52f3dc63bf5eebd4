--- What oom_call.c does while allocations fail, and what may come of it.
--
-- Run in a new state for every trial: `local act, check = chunk(port, scenario)`. `act()` is what
-- is done with an allocator that fails, and once more with one that does not.
-- `check(party, raised, …)` takes what became of it: "right", "handled" (an error that says so), or
-- what is wrong.

local port, scenario = ...

local cr = require "cr"

-- No pauses between attempts, and between what is done and its repetition a time that is longer
-- than any pause between refreshes of a credential.
local core = require "cr.core"
local time, late = core.time, 0
core.sleep = function() end
core.time = function()
  return time() + late
end

local SECRET = "not-a-real-secret"
local KEY = { type = "access_key", access_key_id = "LTAI5tOutOfMemory", access_key_secret = SECRET }
local TAG = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
local URL = "http://127.0.0.1:" .. port

local function client(change)
  local config = { endpoint = URL, credentials = KEY, timeout = 3 }
  for name, value in pairs(change or {}) do
    config[name] = value
  end
  return cr.new(config)
end

local function is_tag(tag)
  return type(tag) == "table" and tag.Tag == "1.0" and tag.ImageCreate == 1572839125000 and
    tag.Labels[2] == cr.null and tag.Labels[3].b == 1.5
end

local function is_error(code)
  return function(answer, err)
    return answer == nil and type(err) == "table" and err.code == code and err.hint ~= "?"
  end
end

local function call(caller, params)
  return function()
    return caller:get_repo_tag(params or TAG)
  end
end

local ROLE = {
  type = "ram_role_arn", role_arn = "acs:ram::1:role/oom", source = KEY, sts_endpoint = URL,
}
local PROGRAM = {
  type = "external", process_command = [[echo '{"mode":"AK","access_key_id":"a",]] ..
    [["access_key_secret":"not-a-real-secret"}']],
}

--- Each returns what is done and whether its results are right.
local scenarios = {}

scenarios["load"] = function()
  local caller = client()
  return call(caller), is_tag
end

scenarios["first call"] = function()
  return call(client()), is_tag
end

scenarios["next call"] = function()
  local caller = client()
  assert(caller:get_repo_tag(TAG))
  return call(caller), is_tag
end

-- Against an emulator (tools/with-emulator), which has certificates. Where OpenSSL says nothing of
-- what it could not send, both sides wait until the time of each attempt is over.
scenarios["TLS"] = function()
  return call(client {
    timeout = 0.6,
    endpoint = os.getenv "CR_EMULATOR_HTTPS_ENDPOINT", ca_file = os.getenv "CR_EMULATOR_CA_FILE",
    credentials = {
      type = "access_key", access_key_id = os.getenv "ALIBABA_CLOUD_ACCESS_KEY_ID",
      access_key_secret = os.getenv "ALIBABA_CLOUD_ACCESS_KEY_SECRET",
    },
  }), function(tag)
    return type(tag) == "table" and tag.Tag == "1.0" and tag.ImageCreate == 1572839125000
  end
end

scenarios["V1, nested values"] = function()
  local caller = client { signature = "v1" }
  assert(caller:get_repo_tag(TAG))
  return function()
    return caller:call("CreateSomething", { Name = "a", List = { "b", { c = { 1, 2.5, true } } } },
      { method = "POST" })
  end, is_tag
end

scenarios["JSON values"] = function()
  local caller = client()
  assert(caller:get_repo_tag(TAG))
  return function()
    return caller:create_namespace { InstanceId = TAG.InstanceId, NamespaceName = "oom",
      DefaultRepoConfiguration = { RepoType = "PRIVATE", TagImmutability = true } }
  end, is_tag
end

scenarios["service error"] = function()
  local caller = client()
  assert(caller:get_repo_tag(TAG))
  return call(caller, { InstanceId = TAG.InstanceId, RepoId = TAG.RepoId, Tag = "missing" }),
    is_error "TAG_NOT_EXIST"
end

scenarios["parameter error"] = function()
  local caller = client()
  assert(caller:get_repo_tag(TAG))
  return call(caller, { InstanceId = TAG.InstanceId, RepoID = TAG.RepoId, Tag = "1.0" }),
    is_error "UnknownParameter"
end

scenarios["role"] = function()
  return call(client { credentials = ROLE }), is_tag
end

scenarios["client:credentials()"] = function()
  local caller = client { credentials = ROLE }
  return function()
    return caller:credentials()
  end, function(identity)
    return type(identity) == "table" and identity.access_key_id == "****mory"
  end
end

scenarios["program"] = function()
  return call(client { credentials = PROGRAM }), is_tag
end

scenarios["cr.sign"] = function()
  local function sign()
    return cr.sign { method = "GET", query = { a = "b" }, headers = { host = "h" },
      access_key_id = "a", access_key_secret = SECRET }
  end
  local expected = sign()
  return sign, function(signed)
    return type(signed) == "table" and signed.signature == expected.signature and
      signed.canonical_request == expected.canonical_request
  end
end

-- What a raised error may say: Lua itself, lua-cjson, and the core to cr.sign, which raises.
local RAISED = {
  "not enough memory", "Memory allocation error in CJSON protected call",
  "sign: out of memory",
}

local function check_raised(party, message)
  if party == "OpenSSL" and message:find("^sign: OpenSSL ") then
    return "handled"
  end
  for _, text in ipairs(RAISED) do
    if message:find(text, 1, true) then
      return "handled"
    end
  end
  return "raised: " .. tostring(message)
end

local act, is_right = scenarios[scenario]()

--- libcurl takes some of its failures for an unknown host or a closed connection, and 7.88 may send
-- a URL without its query, which is refused for its signature. OpenSSL does not say of all of its
-- failures what they come from.
local function is_excused(party, err)
  if err.kind == "credentials" then
    return party == "libcurl" or party == "OpenSSL"
  elseif party == "libcurl" then
    return err.kind == "transport" or err.code == "SignatureDoesNotMatch"
  end
  return party == "OpenSSL" and (err.code == "CryptoFailed" or err.code:find "^Tls" ~= nil)
end

local function check(party, raised, value, err)
  late = late + 100
  if raised then
    return check_raised(party, tostring(value))
  elseif is_right(value, err) then
    return "right"
  elseif value ~= nil or type(err) ~= "table" then
    return ("a wrong result (%s, %s)"):format(tostring(value), tostring(err))
  end
  local text = tostring(err)
  if type(err.kind) ~= "string" or type(err.code) ~= "string" or text:find(SECRET, 1, true) then
    return "not an error object, or one with a secret: " .. text
  elseif err.code == "OutOfMemory" or text:find("OutOfMemory", 1, true) or
    text:find("out of memory", 1, true) or is_excused(party, err) then
    return "handled"
  end
  return "told as " .. err.kind .. ", " .. text
end

return act, check
