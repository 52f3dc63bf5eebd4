--- Sections of the vendor SDKs' credentials file: every type against the emulator, which section of
-- which file is taken, and what is refused.

local child = require "spec.support.child"
local cr = require "cr"
local emulator = require "spec.support.emulator"
local homes = require "spec.support.home"

local KEY, TAG, with = homes.KEY, homes.TAG, homes.with

local READER = "acs:ram::1000000000000001:role/reader"

local KEY_LINES = ("access_key_id = %s\naccess_key_secret = %s\n"):format(KEY.access_key_id,
  KEY.access_key_secret)

local server, home

setup(function()
  server = emulator.start()
end)

teardown(function()
  server:stop()
end)

before_each(function()
  server:reset()
  home = homes.new()
end)

after_each(function()
  home:remove()
end)

local function enter(more)
  home:enter(with({
    CR_STS_ENDPOINT = server.sts_endpoint, CR_METADATA_ENDPOINT = server.metadata_endpoint,
  }, more or {}))
end

local function client_of(declared)
  return cr.new {
    endpoint = server.endpoint, credentials = with({ type = "ini_profile" }, declared or {}),
  }
end

--- Calls with the section "default" and holds what is told against its type.
-- @return the emulator's log, what client:credentials() told
local function signs(text, kind)
  local path = home:ini(text)
  enter()
  local client = client_of()
  local tag, err = client:get_repo_tag(TAG)
  assert.is_nil(err and tostring(err))
  assert.equal("1.0", tag.Tag)
  local log = server:log()
  local told = assert(client:credentials())
  assert.equal("ini_profile", told.provider)
  assert.equal(("section default of %s, type %s"):format(path, kind), told.origin)
  assert.equal("****" .. log[#log].access_key_id:sub(-4), told.access_key_id)
  assert.same({}, told.warnings)
  return log, told
end

--- The error of a call, without the path in front.
local function refusal(text, declared, more)
  local path = home:ini(text)
  enter(more)
  local tag, err = client_of(declared):get_repo_tag(TAG)
  assert.is_nil(tag)
  assert.equal("credentials", err.kind)
  assert.equal("CredentialsUnavailable", err.code)
  assert.equal(path .. ": ", err.message:sub(1, #path + 2), err.message)
  assert.is_nil(err.message:find("not-a-real-one", 1, true))
  assert.same({}, server:log())
  return err.message:sub(#path + 3)
end

describe("type access_key", function()
  it("signs with the key", function()
    local log, told = signs("[default]\ntype = access_key\n" .. KEY_LINES, "access_key")
    assert.equal(KEY.access_key_id, log[#log].access_key_id)
    assert.is_nil(told.expiration)
  end)

  it("is read however it is written", function()
    local id, secret = KEY.access_key_id, KEY.access_key_secret
    for _, text in ipairs {
      "\239\187\191[default]\r\ntype = access_key\r\n" .. KEY_LINES:gsub("\n", "\r\n"),
      ("[default]\ntype=access_key\naccess_key_id=%s\naccess_key_secret=%s"):format(id, secret),
      ('# keys\n; of ci\n[default] # the only one\ntype = "access_key" ; quoted\n' ..
        "access_key_id = '%s' # the id\naccess_key_secret = \"%s\"\t; the secret\n"):format(id,
        secret),
      ("[other]\ntype = nothing\n[ default ]\n  type = access_key  \n\taccess_key_secret =\t%s" ..
        "\naccess_key_id =%s\nenable = true\n"):format(secret, id),
    } do
      signs(text, "access_key")
    end
  end)

  it("needs both parts of the key", function()
    local section = "[default]\ntype = access_key\n"
    assert.equal("section default: access_key_id and access_key_secret are missing",
      refusal(section))
    assert.equal("section default: access_key_secret is missing",
      refusal(section .. "access_key_id = LTAI\naccess_key_secret = # none\n"))
    assert.equal("section default: access_key_id is missing",
      refusal(section .. "access_key_id =\naccess_key_secret = not-a-real-one\n"))
  end)

  it("takes clean text only", function()
    assert.equal("section default: access_key_secret holds a blank or a control character (a " ..
      "line break copied along?)", refusal("[default]\ntype = access_key\n" ..
      "access_key_id = LTAI\naccess_key_secret = not-a-real-one again\n"))
    assert.equal("section default: access_key_id is longer than 256 bytes", refusal("[default]\n" ..
      "type = access_key\naccess_key_secret = s\naccess_key_id = " .. ("x"):rep(257)))
  end)

  it("may have = and # in its values", function()
    home:ini "[default]\ntype=access_key\naccess_key_id=LTAI=a#b;c==\naccess_key_secret=a=b#c\n"
    enter()
    local _, err = client_of():get_repo_tag(TAG)
    assert.equal("InvalidAccessKeyId.NotFound", err.code)
    assert.equal("LTAI=a#b;c==", server:log()[1].access_key_id)
  end)
end)

describe("type ecs_ram_role", function()
  it("takes the role of the instance, or the one it names", function()
    local log, told = signs("[default]\ntype = ecs_ram_role\n", "ecs_ram_role")
    assert.equal("MetadataRole", log[2].operation)
    assert.matches("^STS%.", log[#log].access_key_id)
    assert.truthy(told.expiration)
    server:clear_log()
    log = signs("[default]\ntype = ecs_ram_role\nrole_name = node\n", "ecs_ram_role")
    assert.equal("MetadataCredentials", log[2].operation)
    assert.equal("node", log[2].role)
  end)

  it("fails where no server is", function()
    local path = home:ini "[default]\ntype = ecs_ram_role\n"
    home:enter()
    local _, err = client_of():get_repo_tag(TAG)
    assert.matches(("section default of %s, type ecs_ram_role: ECS metadata server at " ..
      "127.0.0.1:1, /latest/api/token: ConnectFailed: "):format(path), err.message, 1, true)
  end)
end)

describe("type ram_role_arn", function()
  local ROLE = ("[default]\ntype = ram_role_arn\nrole_arn = %s\nrole_session_name = ci\n")
    :format(READER)

  it("assumes the role with the key", function()
    local log, told = signs(ROLE .. KEY_LINES, "ram_role_arn")
    assert.equal("AssumeRole", log[1].operation)
    assert.equal(KEY.access_key_id, log[1].access_key_id)
    assert.equal("ci", log[1].role_session_name)
    assert.equal("reader", log[1].role)
    assert.matches("^STS%.", log[2].access_key_id)
    assert.truthy(told.expiration)
  end)

  it("hands on the policy as it is written", function()
    local policy = '{"Version": "1", "Statement": [{"Effect": "Allow", "Action": "cr:*", ' ..
      '"Resource": "*"}]}'
    for _, written in ipairs { policy, "'" .. policy .. "'", '"' .. policy .. '" # all of cr' } do
      server:clear_log()
      local log = signs(ROLE .. KEY_LINES .. "policy = " .. written .. "\n", "ram_role_arn")
      assert.equal(policy, log[1].parameters.Policy)
    end
  end)

  it("needs role, session name and key", function()
    local section = "[default]\ntype = ram_role_arn\n"
    assert.equal("section default: role_arn and role_session_name are missing",
      refusal(section .. KEY_LINES))
    assert.equal("section default: role_session_name is missing",
      refusal(section .. "role_arn = " .. READER .. "\n" .. KEY_LINES))
    assert.equal("section default: access_key_id and access_key_secret are missing", refusal(ROLE))
  end)
end)

describe("another type", function()
  it("is refused with the one that was meant", function()
    for wrong, meant in pairs { accesskey = "access_key", AccessKey = "access_key",
      ram_role = "ecs_ram_role", ram_role_arm = "ram_role_arn" } do
      assert.equal(('section default: type "%s" is not known; did you mean %s?'):format(wrong,
        meant), refusal("[default]\ntype = " .. wrong .. "\n" .. KEY_LINES))
    end
    assert.equal('section default: type "bearer_token" is not known; known are access_key, ' ..
      "ecs_ram_role, ram_role_arn", refusal("[default]\ntype = bearer_token\n"))
  end)

  it("cannot be left out", function()
    for _, line in ipairs { "", "type =\n", "type = # none\n", 'type = ""\n', "Type = sts\n" } do
      assert.equal("section default: type is missing", refusal("[default]\n" .. line .. KEY_LINES))
    end
  end)
end)

describe("the section", function()
  local function section(name)
    return ("[%s]\ntype = access_key\naccess_key_id = LTAI\naccess_key_secret = s\n"):format(name)
  end

  local function origin(declared, more)
    enter(more)
    local told, err = client_of(declared):credentials()
    return told and told.origin:match("^section (%S+) of ") or err.message
  end

  it("is the one that is given, else the variable's, else default", function()
    home:ini(section "default" .. section "variable" .. section "given")
    local variable = { ALIBABA_CLOUD_PROFILE = "variable" }
    assert.equal("given", origin({ profile = "given" }, variable))
    assert.equal("variable", origin({}, variable))
    assert.equal("default", origin({}, { ALIBABA_CLOUD_PROFILE = "" }))
    assert.equal("default", origin())
  end)

  it("that is not there is told with those that are", function()
    assert.equal('section "prdo" is not known; did you mean prod?',
      refusal(section "prod" .. section "test", { profile = "prdo" }))
    assert.equal('section "elsewhere" is not known; known are prod, test',
      refusal(section "test" .. section "prod", {}, { ALIBABA_CLOUD_PROFILE = "elsewhere" }))
    for _, nothing in ipairs { "", "\n", "# [default]\n", "\239\187\191" } do
      assert.equal("no [section] in it", refusal(nothing))
    end
  end)
end)

describe("a line", function()
  it("that is nothing is told by its number, and not shown", function()
    local text = "[default]\r\ntype = access_key\r\nnot-a-real-one\r\n"
    assert.equal("line 3: neither [section] nor key = value", refusal(text))
    assert.equal("line 3: neither [section] nor key = value", refusal((text:gsub("\r\n", "\n"))))
    assert.equal("line 1: a key before the first [section]", refusal(KEY_LINES .. "[default]\n"))
    assert.equal("line 1: neither [section] nor key = value", refusal '{"profiles": []}')
  end)
end)

describe("the file", function()
  local function text(id)
    return ("[default]\ntype = access_key\naccess_key_id = %s\naccess_key_secret = s\n"):format(id)
  end

  local function origin(declared)
    local told, err = client_of(declared):credentials()
    return told and told.origin or err.message
  end

  it("is the one that is given, else the variable's, else the home's", function()
    local given, variable = home:write("given", text "a"), home:write("variable", text "b")
    local default = home:ini(text "c")
    home:enter { ALIBABA_CLOUD_CREDENTIALS_FILE = variable }
    assert.equal(("section default of %s, type access_key"):format(given),
      origin { file = given })
    assert.equal(("section default of %s, type access_key"):format(variable), origin())
    home:enter { ALIBABA_CLOUD_CREDENTIALS_FILE = "" }
    assert.equal(("section default of %s, type access_key"):format(default), origin())
  end)

  it("is told when it is missing, or when there is no home", function()
    home:enter()
    assert.equal(home.folder .. "/.alibabacloud/credentials: No such file or directory", origin())
    home:enter { HOME = false }
    assert.equal("HOME is not set", origin())
  end)

  it("is read anew, and does not lose its key while it is half written", function()
    local client, clock = homes.client {
      endpoint = server.endpoint, credentials = { type = "ini_profile" },
    }
    local function signer()
      assert(client:get_instance { InstanceId = TAG.InstanceId })
      local log = server:log()
      return log[#log].access_key_id
    end
    local function lines(key)
      return ("[default]\ntype = access_key\naccess_key_id = %s\naccess_key_secret = %s\n"):format(
        key.access_key_id, key.access_key_secret)
    end
    enter()
    home:ini(lines(KEY))
    assert.equal(KEY.access_key_id, signer())
    home:ini "[default]\ntype = access_key\naccess_key"
    clock.offset = 301
    assert.equal(KEY.access_key_id, signer())
    home:ini(lines(homes.LIMITED))
    assert.equal(homes.LIMITED.access_key_id, signer())
  end)

  it("is read in the real environment of a process", function()
    local path = home:ini("[ci]\ntype = access_key\n" .. KEY_LINES)
    local output = child.lua([[
      local client = require("cr").new { credentials = { type = "ini_profile" } }
      local tag, err = client:get_repo_tag { InstanceId = "cri-kmsiwlxxdcva****",
        RepoId = "crr-tquyps22md8p****", Tag = "1.0" }
      io.write(tag and tag.Status or tostring(err), " ", client:credentials().origin)
    ]], with(home:variables(), {
      ALIBABA_CLOUD_ENDPOINT = server.endpoint, ALIBABA_CLOUD_PROFILE = "ci",
      ALIBABA_CLOUD_CREDENTIALS_FILE = false,
    }))
    assert.equal(("NORMAL section ci of %s, type access_key"):format(path), output)
  end)
end)
