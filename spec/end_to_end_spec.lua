--- The main job against the emulator: real HTTP and HTTPS, real signatures of both kinds, and the
-- errors a user meets first.

local cr = require "cr"
local core = require "cr.core"
local curl_transport = require "cr.transport.curl"
local emulator = require "spec.support.emulator"

local TAG = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }

local DOCUMENTED = {
  Code = "success", IsSuccess = true, Status = "NORMAL", Tag = "1.0",
  ImageCreate = 1572839125000, ImageUpdate = 1572875608000, ImageSize = 27107966,
  Digest = "67bfbcc12b67936ec7f867927817cbb071832b873dbcaed312a1930ba5f1****",
  ImageId = "45023655bf39c382e26a8607d057c27871dee163c1ecf48cc1ebf2a1****",
}

local FULL = {
  type = "access_key", access_key_id = "LTAI5tEmulatorFull",
  access_key_secret = "EmulatorSecretFull-not-a-real-one",
}
local SESSION = {
  type = "sts", access_key_id = "STS.NTEmulatorSession",
  access_key_secret = "EmulatorSecretSession-not-a-real-one",
  security_token = "EmulatorSecurityToken-not-a-real-one",
}
local EXPIRED = {
  type = "sts", access_key_id = "STS.NTEmulatorExpired",
  access_key_secret = "EmulatorSecretExpired-not-a-real-one",
  security_token = "EmulatorSecurityTokenExpired-not-a-real-one",
}
local LIMITED = {
  type = "access_key", access_key_id = "LTAI5tEmulatorLimited",
  access_key_secret = "EmulatorSecretLimited-not-a-real-one",
}

describe("get_repo_tag", function()
  local server

  setup(function()
    server = emulator.start()
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  local function client(config)
    config.endpoint = config.endpoint or server.endpoint
    config.credentials = config.credentials or FULL
    return cr.new(config)
  end

  local function with(credentials, change)
    local copy = {}
    for name, value in pairs(credentials) do
      copy[name] = value
    end
    for name, value in pairs(change) do
      copy[name] = value
    end
    return copy
  end

  --- Fails with this code, and says in its hint what to do.
  local function refused(code, status, hint, answer, err)
    assert.is_nil(answer)
    assert.equal("service", err.kind)
    assert.equal(code, err.code)
    assert.equal(status, err.http_status)
    assert.equal("GetRepoTag", err.operation)
    assert.truthy(err.request_id:find("^%x+%-%x+%-%x+%-%x+%-%x+$"))
    if hint then
      assert.truthy(tostring(err):find(hint, 1, true), tostring(err))
    end
  end

  for _, scheme in ipairs { "http", "https" } do
    for _, signature in ipairs { "v3", "v1" } do
      for kind, credentials in pairs { ["an access key"] = FULL, ["a session"] = SESSION } do
        it(("over %s, signed %s with %s"):format(scheme, signature, kind), function()
          local caller = client {
            endpoint = scheme == "http" and server.endpoint or server.https_endpoint,
            ca_file = scheme == "https" and server.ca_file or nil,
            signature = signature, credentials = credentials,
          }
          for attempt = 1, 3 do
            local tag, err, info = caller:get_repo_tag(TAG)
            assert.is_nil(err)
            assert.equal(tag.RequestId, info.request_id)
            assert.equal(attempt > 1, info.connection_reused)
            assert.equal(200, info.http_status)
            assert.equal(1, info.attempts)
            assert.is_true(info.total >= info.first_byte and info.first_byte > 0)
            tag.RequestId = nil
            assert.same(DOCUMENTED, tag)
            assert.equal("1572839125000", tostring(tag.ImageCreate))
          end
          caller:close()
        end)
      end
    end
  end

  it("over https fails without the authority's certificate, and says so", function()
    local answer, err = client { endpoint = server.https_endpoint }:get_repo_tag(TAG)
    assert.is_nil(answer)
    assert.equal("transport", err.kind)
    assert.equal("TlsFailed", err.code)
    assert.truthy(tostring(err):find("ca_file", 1, true))
    assert.equal(1, err.attempts)
  end)

  for _, signature in ipairs { "v3", "v1" } do
    it("tells a wrong secret from another text, signed " .. signature, function()
      local wrong = with(FULL, { access_key_secret = "EmulatorSecretWrong" })
      refused("SignatureDoesNotMatch", 400, "The server signed the same text, so the access key " ..
        "secret is wrong", client { signature = signature, credentials = wrong }:get_repo_tag(TAG))

      -- Something on the way adds a parameter.
      local inner = curl_transport()
      refused("SignatureDoesNotMatch", 400, "The server signed another text", client {
        signature = signature,
        transport = { exchange = function(request)
          request.url = request.url .. "&Extra=1"
          return inner.exchange(request)
        end },
      }:get_repo_tag(TAG))
    end)

    it("says by how much the clock is off, signed " .. signature, function()
      for offset, hint in pairs {
        [-3600] = "3600 s behind the server's", [1000] = "1000 s ahead of the server's",
      } do
        local inner = curl_transport()
        local answer, err = client {
          signature = signature, max_attempts = 1,
          transport = {
            exchange = inner.exchange, now = function() return core.time() + offset end,
          },
        }:get_repo_tag(TAG)
        -- Between the clock's reading and the server's a second may begin.
        local near = tostring(err):gsub("(%d+) s ", function(seconds)
          return math.abs(seconds - math.abs(offset)) <= 1 and math.abs(offset) .. " s " or nil
        end)
        assert.truthy(near:find(hint, 1, true), near)
        refused("InvalidTimeStamp.Expired", 400, nil, answer, err)
      end
    end)

    it("says that a nonce was used twice, signed " .. signature, function()
      local inner = curl_transport()
      refused("SignatureNonceUsed", 400, "sent the request twice", client {
        signature = signature, max_attempts = 1,
        transport = { exchange = function(request)
          assert(inner.exchange(request))
          return inner.exchange(request)
        end },
      }:get_repo_tag(TAG))
    end)

    it("names the missing permission, signed " .. signature, function()
      local answer, err = client { signature = signature, credentials = LIMITED }:get_repo_tag(TAG)
      refused("NoPermission", 403, "Needs cr:ListRepositoryTag", answer, err)
      assert.equal("cr:ListRepositoryTag", err.access_denied.AuthAction)
    end)

    it("needs the session's own token, signed " .. signature, function()
      local function call(credentials)
        return client { signature = signature, credentials = credentials }:get_repo_tag(TAG)
      end
      refused("InvalidSecurityToken.Expired", 400, "The session credential has expired",
        call(EXPIRED))
      local key = { type = "access_key", access_key_id = SESSION.access_key_id,
        access_key_secret = SESSION.access_key_secret }
      refused("MissingSecurityToken", 400, "give its token too", call(key))
      refused("InvalidSecurityToken.Malformed", 400, nil,
        call(with(SESSION, { security_token = "another-token" })))
    end)

    it("tells an unknown key by its last four characters, signed " .. signature, function()
      refused("InvalidAccessKeyId.NotFound", 404, "Access key id …6789 does not exist", client {
        signature = signature, credentials = with(FULL, { access_key_id = "LTAI5tNobody6789" }),
      }:get_repo_tag(TAG))
    end)
  end

  it("says which of tag, repository and instance does not exist", function()
    local caller = client {}
    refused("TAG_NOT_EXIST", 200, "tag does not exist",
      caller:get_repo_tag(with(TAG, { Tag = "2.0" })))
    refused("REPO_NOT_EXIST", 200, "repository does not exist",
      caller:get_repo_tag(with(TAG, { RepoId = "crr-nothere" })))
    refused("INSTANCE_NOT_EXIST", 200, "Check InstanceId, and that the instance is in the region",
      caller:get_repo_tag(with(TAG, { InstanceId = "cri-nothere" })))
  end)

  it("hears a no that comes with HTTP 200 and no IsSuccess", function()
    local caller = client { defaults = { InstanceId = TAG.InstanceId } }
    assert(caller:delete_repository { RepoId = TAG.RepoId })
    refused("REPO_NOT_EXIST", 200, nil, caller:get_repo_tag(TAG))
  end)

  it("is repeated after an outage that passes, with a new nonce each time", function()
    server:fault { operation = "GetRepoTag", code = "ServiceUnavailable", count = 1 }
    server:fault { operation = "GetRepoTag", reset = "before", count = 1 }
    local events = {}
    local tag, err, info = client {
      on_attempt = function(event) events[#events + 1] = event.code or "ok" end,
    }:get_repo_tag(TAG)
    assert.is_nil(err)
    assert.equal("1.0", tag.Tag)
    assert.equal(3, info.attempts)
    assert.same({ "ServiceUnavailable", "ConnectionClosed", "ok" }, events)
    local nonces = {}
    for _, entry in ipairs(server:log()) do
      assert.is_nil(nonces[entry.nonce])
      nonces[entry.nonce] = true
    end
  end)

  it("of a write whose connection dies is sent once, also on a kept connection", function()
    local caller = client {}
    for _, stage in ipairs { "before", "headers" } do
      server:reset()
      assert(caller:get_instance { InstanceId = TAG.InstanceId })
      server:clear_log()
      server:fault { operation = "DeleteRepoTag", reset = stage, count = 0 }
      local answer, err = caller:delete_repo_tag(TAG)
      assert.is_nil(answer)
      assert.equal("transport", err.kind)
      assert.equal("ConnectionClosed", err.code)
      assert.is_false(err.retryable)
      assert.equal(1, err.attempts)
      assert.equal(1, #server:log())
    end
  end)
end)

it("stays on the machine for a loopback endpoint, whatever http_proxy says", function()
  local server = emulator.start()
  local child = require "spec.support.child"
  local script = ([[
    local cr = require "cr"
    print(cr.new { endpoint = %q, credentials = { type = "access_key", access_key_id = %q,
      access_key_secret = %q } }:get_instance { InstanceId = %q } ~= nil)
  ]]):format(server.endpoint, FULL.access_key_id, FULL.access_key_secret, TAG.InstanceId)
  local folder = child.new_folder()
  child.write(folder .. "/call.lua", script)
  local output = io.popen(("http_proxy=http://127.0.0.1:9 %s %s/call.lua 2>&1"):format(child.LUA,
    folder))
  assert.equal("true\n", output:read "*a")
  output:close()
  child.remove_folder(folder)
  server:stop()
end)

describe("all operations the emulator keeps", function()
  local server, client

  setup(function()
    server = emulator.start()
    client = cr.new { endpoint = server.endpoint, credentials = FULL,
      defaults = { InstanceId = TAG.InstanceId } }
  end)

  teardown(function()
    server:stop()
  end)

  it("work together", function()
    assert.equal("RUNNING", assert(client:get_instance()).InstanceStatus)
    assert.is_true(#assert(client:list_instance()).Instances >= 1)
    assert(client:create_namespace { NamespaceName = "spec", AutoCreateRepo = false,
      DefaultRepoConfiguration = { RepoType = "PRIVATE", TagImmutability = true } })
    local namespace = assert(client:get_namespace { NamespaceName = "spec" })
    assert.is_false(namespace.AutoCreateRepo)
    assert.is_true(namespace.DefaultRepoConfiguration.TagImmutability)
    local created = assert(client:create_repository { RepoNamespaceName = "spec",
      RepoName = "app", RepoType = "PRIVATE", Summary = "für Ümläute & ?=+ %20" })
    local repository = assert(client:get_repository { RepoId = created.RepoId })
    assert.equal("für Ümläute & ?=+ %20", repository.Summary)
    local tags = assert(client:list_repo_tag { RepoId = created.RepoId })
    assert.same({}, tags.Images)
    assert.equal("string", type(tags.TotalCount))
    assert.equal("string", type(assert(client:get_authorization_token()).AuthorizationToken))
    assert(client:delete_repository { RepoId = created.RepoId })
    assert(client:delete_namespace { NamespaceName = "spec" })
    local gone, err = client:get_namespace { NamespaceName = "spec" }
    assert.is_nil(gone)
    assert.equal("NAMESPACE_NOT_EXIST", err.code)
  end)
end)
