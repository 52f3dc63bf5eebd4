--- What a call is made of, shown without sending it; and the curl command, which a shell runs here.

local child = require "spec.support.child"
local cjson = require "cjson"
local cr = require "cr"
local emulator = require "spec.support.emulator"
local fixture = require "spec.support.fixture"
local peer = require "spec.support.peer"
local recorder = require "spec.support.recorder"

local TAG = { InstanceId = "cri-kmsiwlxxdcva****", RepoId = "crr-tquyps22md8p****", Tag = "1.0" }

local FULL = {
  type = "access_key", access_key_id = "LTAI5tEmulatorFull",
  access_key_secret = "EmulatorSecretFull-not-a-real-one",
}

-- A token of everything that a shell, a header, a URL or a pattern could take for something else.
local TOKEN = [[CAIS/a+b==$HOME`id`"q'!%26&x=%2B;\*?{}[]|<>#~token]]
local SESSION = {
  type = "sts", access_key_id = "STS.NTExplain", security_token = TOKEN,
  access_key_secret = "explain-secret-0123456789abcdef",
}

local FIXTURE = {
  users = {
    { name = "full", access_key_id = FULL.access_key_id,
      access_key_secret = FULL.access_key_secret },
    { name = "session", access_key_id = SESSION.access_key_id,
      access_key_secret = SESSION.access_key_secret, security_token = TOKEN },
  },
}

-- Values of parameters that would hurt in a careless command.
local NASTY = {
  [[it's]], [["quoted"]], "a b  c", "$HOME ${HOME} $(id)", "`id`", [[\ \\ \n]], "line\nbreak\r\n",
  "镜像 仓库 é", "a&b=c#d?e%20+", "!history ~ * [a-z] {x,y}", "-o /dev/null", "@file", "'; exit 1; '",
}

local function unsigned(headers)
  local copy = fixture.copy(headers)
  copy.authorization, copy.accept, copy["user-agent"] = nil, nil, nil
  return copy
end

--- The values that were masked, back in their places.
local function put_back(text, value)
  return (text:gsub("%${ALIBABA_CLOUD_SECURITY_TOKEN}", (value:gsub("%%", "%%%%"))))
end

local function client(config)
  local settings = { region = "cn-hangzhou", credentials = FULL }
  for name, value in pairs(config or {}) do
    settings[name] = value
  end
  return cr.new(settings)
end

describe("explain", function()
  it("sends nothing, and tells all stages of a V3 signature", function()
    local calls, transport = recorder.client()
    local got, err = calls:explain("GetRepoTag", TAG)
    assert.is_nil(err)
    assert.equal(0, #transport.requests)
    assert.equal("GetRepoTag", got.operation)
    assert.equal("GET", got.method)
    assert.equal("https://cr.cn-hangzhou.aliyuncs.com", got.endpoint)
    assert.equal(got.endpoint .. "/?" .. fixture.canonical_query(TAG), got.url)
    assert.same(TAG, got.parameters)
    assert.equal("v3", got.signature_version)
    assert.equal("ACS3-HMAC-SHA256", got.algorithm)
    assert.equal("access_key", got.provider)
    assert.equal("2019-11-05T03:45:25Z", got.headers["x-acs-date"])
    local signed = cr.sign {
      method = "GET", query = TAG, headers = unsigned(got.headers),
      access_key_id = recorder.KEY.access_key_id,
      access_key_secret = recorder.KEY.access_key_secret,
    }
    assert.equal(signed.authorization, got.headers.authorization)
    for _, name in ipairs { "canonical_request", "string_to_sign", "signature" } do
      assert.equal(signed[name], got[name])
    end
  end)

  it("tells all stages of a V1 signature", function()
    local got = assert(recorder.client(nil, { signature = "v1" }):explain("GetRepoTag", TAG))
    local query = fixture.copy(got.parameters)
    assert.equal("GetRepoTag", query.Action)
    query.Signature = nil
    local signed = cr.sign {
      algorithm = "HMAC-SHA1", method = "GET", query = query,
      access_key_secret = recorder.KEY.access_key_secret,
    }
    assert.equal(signed.signature, got.signature)
    assert.equal(signed.signature, got.parameters.Signature)
    assert.equal(signed.string_to_sign, got.string_to_sign)
    assert.equal("v1", got.signature_version)
    assert.equal("HMAC-SHA1", got.algorithm)
    assert.is_nil(got.canonical_request)
    assert.is_nil(got.headers.authorization)
  end)

  it("gives a signature that OpenSSL computes from what it shows", function()
    local got = assert(client():explain("ListInstance", { InstanceName = "é\n" }))
    local file = emulator.temporary_file(got.canonical_request)
    finally(function() os.remove(file) end)
    local hash = child.shell("openssl dgst -sha256 -r " .. file):match("^%x+")
    assert.equal("ACS3-HMAC-SHA256\n" .. hash, got.string_to_sign)
    local mac = child.shell(("printf 'ACS3-HMAC-SHA256\\n%s' | openssl dgst -sha256 -r -hmac %s")
      :format(hash, child.quote(FULL.access_key_secret))):match("^%x+")
    assert.equal(mac, got.signature)
  end)

  it("is what the call then sends, but for time and nonce", function()
    for _, version in ipairs { "v3", "v1" } do
      local calls, transport = recorder.client(nil, { signature = version,
        defaults = { InstanceId = "cri-1" } })
      local got = assert(calls:explain("list_repo_tag", { RepoId = "crr-1", PageSize = 3 }))
      assert(calls:list_repo_tag { RepoId = "crr-1", PageSize = 3 })
      local sent = transport.requests[1]
      local function plain(text)
        return (text:gsub("Nonce=%x+", ""):gsub("Signature=[^&]+", ""))
      end
      assert.equal(sent.method, got.method)
      assert.equal(plain(sent.url), plain(got.url))
      for name, value in pairs(sent.headers) do
        if name ~= "x-acs-signature-nonce" then
          assert.equal(plain(value), plain(got.headers[name]))
        end
      end
    end
  end)

  it("knows the permission where it is published", function()
    local got = assert(client():explain("get_repo_tag", TAG))
    assert.equal("cr:ListRepositoryTag", got.ram_action)
    assert.equal("acs:cr:cn-hangzhou:*:repository/cri-kmsiwlxxdcva****", got.ram_resource)
    got = assert(client { network = "vpc" }:explain("GetRepository", {
      InstanceId = "cri-1", RepoNamespaceName = "team", RepoName = "app" }))
    assert.equal("acs:cr:cn-hangzhou:*:repository/cri-1/team/app", got.ram_resource)
    got = assert(client { endpoint = "127.0.0.1:1" }:explain("GetRepository", {
      InstanceId = "cri\n1", RepoId = "crr-1" }))
    assert.equal("acs:cr:cn-hangzhou:*:repository/*/*/*", got.ram_resource)
    got = assert(client():explain("ListInstance"))
    assert.equal("*", got.ram_resource)
    got = assert(client():explain("DeleteRepoTag", TAG))
    assert.equal("cr:DeleteRepositoryTag", got.ram_action)
    assert.is_nil(got.ram_resource)
    got = assert(client():explain("GetChartRepository", {
      InstanceId = "cri-1", RepoNamespaceName = "team", RepoName = "app" }))
    assert.is_nil(got.ram_resource)
    got = assert(client():explain("ListScanRule", { InstanceId = "cri-1" }))
    assert.is_nil(got.ram_action)
    assert.matches("ram action +not published\n", tostring(got))
  end)

  it("takes an operation that is newer than the table", function()
    local got = assert(client():explain("GetSomethingNew", { A = { "x" } }, { method = "POST" }))
    assert.equal("POST", got.method)
    assert.same({ ["A.1"] = "x" }, got.parameters)
    assert.is_nil(got.ram_action)
  end)

  it("fails as a call that fails before anything is sent", function()
    local function fails(code, operation, got, err)
      assert.is_nil(got)
      assert.equal(code, err.code)
      assert.equal(operation, err.operation)
    end
    fails("MissingParameter", "GetRepoTag", client():explain("GetRepoTag", {}))
    fails("UnknownOperation", "GetRepoTg", client():explain("GetRepoTg", {}))
    fails("InvalidEndpoint", "GetRepoTag", client { region = "No" }:explain("GetRepoTag", TAG))
    fails("CredentialsUnavailable", "GetRepoTag", client { credentials = function() end }
      :explain("GetRepoTag", TAG))
  end)

  it("raises at the caller's line for what no data can excuse", function()
    local calls = client()
    local function raises(text, f)
      local ok, message = pcall(f)
      assert.is_false(ok)
      assert.truthy(message:find("explain_spec.lua", 1, true), message)
      assert.truthy(message:find(text, 1, true), message)
    end
    raises("name must be a string, got a nil", function() local _ = calls:explain() end)
    raises("parameters must be a table", function() local _ = calls:explain("GetRepoTag", "x") end)
    raises("unknown key timout; did you mean timeout?", function()
      local _ = calls:explain("GetRepoTag", TAG, { timout = 1 })
    end)
    raises("not a client", function() local _ = calls.explain("GetRepoTag", TAG) end)
  end)

  it("is there on the default client", function()
    local output, ok = child.lua([[
      local cr = require "cr"
      print(assert(cr.explain("GetRepoTag", { InstanceId = "i", RepoId = "r", Tag = "t" })).url)
    ]], {
      ALIBABA_CLOUD_ENDPOINT = "127.0.0.1:1", ALIBABA_CLOUD_ACCESS_KEY_ID = "id",
      ALIBABA_CLOUD_ACCESS_KEY_SECRET = "secret",
    })
    assert.is_true(ok, output)
    assert.equal("https://127.0.0.1:1/?InstanceId=i&RepoId=r&Tag=t\n", output)
  end)

  it("gives a text to read", function()
    local got = assert(client():explain("GetRepoTag", TAG))
    local text = tostring(got)
    for _, name in ipairs { "operation", "endpoint", "method", "url", "canonical_request",
      "string_to_sign", "signature", "ram_action", "ram_resource", "curl" } do
      local flat = got[name]:gsub("\n", "\n    ")
      assert.truthy(text:find(flat, 1, true), name)
    end
    for name, value in pairs(got.headers) do
      assert.truthy(text:find(("    %s: %s\n"):format(name, value), 1, true), name)
    end
  end)
end)

describe("a secret in an explanation", function()
  it("is nowhere: neither the key's secret nor the token, in any encoding", function()
    for _, version in ipairs { "v3", "v1" } do
      local got = assert(client { credentials = SESSION, signature = version }
        :explain("GetRepoTag", TAG))
      local once = fixture.percent_encode(TOKEN)
      for _, hidden in ipairs { TOKEN, once, fixture.percent_encode(once),
        SESSION.access_key_secret } do
        assert.is_false(fixture.shows(got, hidden))
        assert.is_nil(tostring(got):find(hidden, 1, true))
      end
    end
  end)

  it("is masked by one text, with which the signed text can be had again", function()
    local got = assert(client { credentials = SESSION }:explain("GetRepoTag", TAG))
    assert.equal("${ALIBABA_CLOUD_SECURITY_TOKEN}", got.headers["x-acs-security-token"])
    local headers = unsigned(got.headers)
    headers["x-acs-security-token"] = TOKEN
    local signed = cr.sign {
      method = "GET", query = TAG, headers = headers, access_key_id = SESSION.access_key_id,
      access_key_secret = SESSION.access_key_secret,
    }
    assert.equal(signed.canonical_request, put_back(got.canonical_request, TOKEN))
    assert.equal(signed.signature, got.signature)

    got = assert(client { credentials = SESSION, signature = "v1" }:explain("GetRepoTag", TAG))
    local query = fixture.copy(got.parameters)
    assert.equal("${ALIBABA_CLOUD_SECURITY_TOKEN}", query.SecurityToken)
    query.SecurityToken, query.Signature = TOKEN, nil
    signed = cr.sign {
      algorithm = "HMAC-SHA1", method = "GET", query = query,
      access_key_secret = SESSION.access_key_secret,
    }
    local once = fixture.percent_encode(TOKEN)
    assert.equal(signed.string_to_sign,
      put_back(got.string_to_sign, fixture.percent_encode(once)))
    assert.equal(signed.signature, got.signature)
    query.Signature = signed.signature
    assert.same(query, recorder.query(put_back(got.url, once)))
  end)

  it("is masked as a parameter too: passwords, and a key in a wrong place", function()
    for _, version in ipairs { "v3", "v1" } do
      local calls = client { signature = version, credentials = SESSION }
      local got = assert(calls:explain("ResetLoginPassword",
        { InstanceId = "cri-1", Password = "hunter 2&" }))
      assert.is_false(fixture.shows(got, "hunter"))
      assert.equal("${CR_PASSWORD}", got.parameters.Password)
      assert.equal("cri-1", got.parameters.InstanceId)
      got = assert(calls:explain("ListInstance", { InstanceName = SESSION.access_key_secret }))
      assert.is_false(fixture.shows(got, SESSION.access_key_secret))
    end
  end)

  it("is masked in a proxy's URL", function()
    for proxy, expected in pairs {
      ["http://user:hunter2@p:3128"] = [['http://user:'"${CR_PROXY_PASSWORD:?}"'@p:3128']],
      ["user:hun:t@er2@p"] = [['user:'"${CR_PROXY_PASSWORD:?}"'@p']],
      ["socks5h://it's@p"] = [['socks5h://it'\''s@p']],
    } do
      local got = assert(client { proxy = proxy }:explain("GetRepoTag", TAG))
      assert.truthy(got.curl:find("--proxy " .. expected .. " ", 1, true), got.curl)
      assert.is_false(fixture.shows(got, "er2"))
    end
  end)
end)

describe("the curl command", function()
  local server

  setup(function()
    server = emulator.start { fixture = FIXTURE }
  end)

  teardown(function()
    server:stop()
  end)

  before_each(function()
    server:reset()
  end)

  --- Runs the command with these variables. What it prints, decoded where it is JSON, and whether
  -- its exit status was 0.
  local function run(command, variables)
    local words = { "env -u ALIBABA_CLOUD_SECURITY_TOKEN" }
    for name, value in pairs(variables or {}) do
      words[#words + 1] = name .. "=" .. child.quote(value)
    end
    local output, ok = child.shell(table.concat(words, " ") .. " sh -c " .. child.quote(command))
    return output:find("^{") and cjson.decode(output) or output, ok
  end

  local function explain(config, name, params)
    config.endpoint = config.endpoint or server.endpoint
    return assert(client(config):explain(name, params))
  end

  local TOKEN_SET = { ALIBABA_CLOUD_SECURITY_TOKEN = TOKEN }

  local WAYS = {
    { name = "V3", signature = "v3", credentials = FULL },
    { name = "V1", signature = "v1", credentials = FULL },
    { name = "V3 of a session", signature = "v3", credentials = SESSION, variables = TOKEN_SET },
    { name = "V1 of a session", signature = "v1", credentials = SESSION, variables = TOKEN_SET },
  }

  for _, way in ipairs(WAYS) do
    it("works as it is: " .. way.name, function()
      local function config()
        return { signature = way.signature, credentials = way.credentials }
      end
      local got = run(explain(config(), "GetRepoTag", TAG).curl, way.variables)
      assert.equal(27107966, got.ImageSize)
      local answer, ok = run(explain(config(), "CreateNamespace", { InstanceId = TAG.InstanceId,
        NamespaceName = "made-by-curl" }).curl, way.variables)
      assert.is_true(ok)
      assert.is_true(answer.IsSuccess)
      local log = server:log()
      assert.same({ "GET", "POST" }, { log[1].method, log[2].method })
      assert.equal(way.signature, log[1].signature)
    end)

    it("carries every text through the shell: " .. way.name, function()
      for _, value in ipairs(NASTY) do
        for _, call in ipairs { { "GetRepoTag", "Tag" }, { "GetRepository", "RepoName" } } do
          local params = { InstanceId = TAG.InstanceId, RepoNamespaceName = "team",
            RepoId = call[1] == "GetRepoTag" and "crr-1" or nil, [call[2]] = value }
          params.RepoNamespaceName = call[1] == "GetRepository" and "team" or nil
          server:clear_log()
          run(explain({ signature = way.signature, credentials = way.credentials,
            user_agent = "it's $HOME `id` \\ \"x\" 镜像" }, call[1], params).curl, way.variables)
          local entry = server:log()[1]
          assert.equal(200, entry.status) -- the signature was right; there is no such repository
          assert.equal(value, entry.parameters[call[2]])
          assert.equal("it's $HOME `id` \\ \"x\" 镜像", entry.user_agent)
        end
      end
    end)
  end

  it("is good for one use", function()
    local command = explain({}, "GetRepoTag", TAG).curl
    assert.is_true(run(command).IsSuccess)
    assert.equal("SignatureNonceUsed", run(command).Code)
  end)

  it("is not run while the token is not set", function()
    for _, version in ipairs { "v3", "v1" } do
      local output, ok = run(explain({ credentials = SESSION, signature = version }, "GetRepoTag",
        TAG).curl)
      assert.is_false(ok)
      assert.truthy(output:find("ALIBABA_CLOUD_SECURITY_TOKEN", 1, true), output)
    end
    assert.same({}, server:log())
  end)

  it("sends a password that was put back", function()
    for _, version in ipairs { "v3", "v1" } do
      local password = [[it's $x & "y" + %41]]
      server:clear_log()
      local answer = run(explain({ signature = version }, "ResetLoginPassword",
        { InstanceId = TAG.InstanceId, Password = password }).curl, { CR_PASSWORD = password })
      assert.equal("OperationNotEmulated", answer.Code) -- which comes after the signature
      assert.equal(password, server:log()[1].parameters.Password)
    end
  end)

  it("trusts what the client trusts", function()
    local got = run(explain({ endpoint = server.https_endpoint, ca_file = server.ca_file },
      "GetRepoTag", TAG).curl)
    assert.equal("NORMAL", got.Status)
    local output, ok = run(explain({ endpoint = server.https_endpoint }, "GetRepoTag", TAG).curl)
    assert.is_false(ok)
    assert.matches("certificate", output)
    local folder = child.new_folder()
    finally(function() child.remove_folder(folder) end)
    local linked = folder .. "/it's a folder"
    child.shell(("mkdir %s && cp %s %s/ca.pem && openssl rehash %s"):format(child.quote(linked),
      server.ca_file, child.quote(linked), child.quote(linked)))
    got = run(explain({ endpoint = server.https_endpoint, ca_path = linked }, "GetRepoTag",
      TAG).curl)
    assert.equal("NORMAL", got.Status)
  end)

  it("goes through the proxy, with its password put back", function()
    local proxy = peer.start [==[
      serve "HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"IsSuccess\":true}"
    ]==]
    finally(function() proxy:stop() end)
    local command = explain({ endpoint = "http://127.0.0.2:1",
      proxy = "http://us%20er:hun%40ter@" .. proxy.address }, "GetRepoTag", TAG).curl
    assert.is_true(run(command, { CR_PROXY_PASSWORD = "hun%40ter" }).IsSuccess)
    local request = proxy:requests()[1]
    assert.matches("^GET http://127%.0%.0%.2:1/%?InstanceId=", request.line)
    assert.equal("Basic " .. require("mime").b64 "us er:hun@ter",
      request.headers["proxy-authorization"])
  end)

  it("uses no proxy of the environment where the client uses none", function()
    local dead = { http_proxy = "http://127.0.0.1:1", ALL_PROXY = "http://127.0.0.1:1" }
    assert.equal("NORMAL", run(explain({}, "GetRepoTag", TAG).curl, dead).Status)
  end)

  it("reads no file of the user's", function()
    local home = child.new_folder()
    finally(function() child.remove_folder(home) end)
    child.write(home .. "/.curlrc", "url = \"http://127.0.0.1:1/\"\nuser-agent = other\nfail\n")
    assert.equal("NORMAL", run(explain({}, "GetRepoTag", TAG).curl, { HOME = home }).Status)
  end)

  it("has the client's time limits", function()
    server:fault { operation = "GetRepoTag", delay_ms = 20000 }
    local command = explain({ timeout = 0.2, connect_timeout = 1.5 }, "GetRepoTag", TAG).curl
    local output, ok = run(command)
    assert.is_false(ok)
    assert.matches("timed out", output)
    command = explain({ timeout = 60, connect_timeout = 1.5 }, "GetRepoTag", TAG).curl
    assert.truthy(command:find("--connect-timeout 1.5 --max-time 60 ", 1, true))
  end)
end)
