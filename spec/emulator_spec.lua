--- The emulator over real HTTP: signatures, permissions, operations, control.

local cjson = require "cjson"
local emulator = require "spec.support.emulator"
local raw = require "spec.support.raw_client"

local INSTANCE, REPOSITORY = "cri-kmsiwlxxdcva****", "crr-tquyps22md8p****"
local BUILDS = "crr-emulatorbuilds01"
local SAMPLE = { InstanceId = INSTANCE, RepoId = REPOSITORY, Tag = "1.0" }

local USERS = {}
for _, user in ipairs(require("cr.emulator.fixture").users) do
  USERS[user.name] = user
end

local function read(path)
  local file = assert(io.open(path, "r"))
  local text = file:read("*a")
  file:close()
  return text
end

local function run(command)
  local pipe = assert(io.popen(command, "r"))
  local output = pipe:read("*a")
  pipe:close()
  return output
end

describe("the emulator", function()
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

  local function call(operation, query, user)
    return raw.call(server, operation, query, user)
  end

  local function send_v3(given)
    given.operation = given.operation or "GetRepoTag"
    given.query = given.query or SAMPLE
    return raw.send(server, raw.v3(server, given))
  end

  local function send_v1(given)
    given.operation = given.operation or "GetRepoTag"
    given.query = given.query or SAMPLE
    return raw.send(server, raw.v1(server, given))
  end

  local function assert_refused(status, code, body, answer)
    assert.are.equal(code, body.Code)
    assert.are.equal(status, answer.status)
    assert.are.equal(answer.headers["x-acs-request-id"], body.RequestId)
    assert.is_truthy(body.HostId and body.Message and body.Recommend)
  end

  describe("signatures", function()
    it("accepts V3 with GET and POST and answers the documented sample", function()
      for _, method in ipairs { "GET", "POST" } do
        local body, answer = send_v3 { method = method }
        assert.are.equal(200, answer.status)
        assert.is_truthy(body.RequestId:match("^%x+%-%x+%-%x+%-%x+%-%x+$"))
        assert.are.equal(body.RequestId:upper(), body.RequestId)
        body.RequestId = nil
        assert.are.same({
          Code = "success", IsSuccess = true, Tag = "1.0", Status = "NORMAL",
          ImageCreate = 1572839125000, ImageUpdate = 1572875608000, ImageSize = 27107966,
          Digest = "67bfbcc12b67936ec7f867927817cbb071832b873dbcaed312a1930ba5f1****",
          ImageId = "45023655bf39c382e26a8607d057c27871dee163c1ecf48cc1ebf2a1****",
        }, body)
      end
    end)

    it("accepts V1 in the query with GET and POST, and in a form", function()
      assert.are.equal("success", send_v1({ method = "GET" }).Code)
      assert.are.equal("success", send_v1({ method = "POST" }).Code)
      assert.are.equal("success", send_v1({ method = "POST", form = true }).Code)
    end)

    it("accepts a session's key with its token, V3 and V1", function()
      assert.are.equal("success", send_v3({ user = USERS.session }).Code)
      assert.are.equal("success", send_v1({ user = USERS.session }).Code)
    end)

    it("decodes and encodes the query anew", function()
      local body = call("ListNamespace", { InstanceId = INSTANCE, NamespaceName = "é *'~+&=%/" })
      assert.are.equal("success", body.Code)
      assert.are.equal("0", body.TotalCount)
    end)

    it("tells its string to sign when a V3 signature is wrong", function()
      local user = { access_key_id = server.access_key_id, access_key_secret = "another" }
      local request = raw.v3(server, { operation = "GetRepoTag", query = SAMPLE, user = user })
      local body, answer = raw.send(server, request)
      assert_refused(400, "SignatureDoesNotMatch", body, answer)
      assert.is_truthy(body.Message:match("^Specified signature is not matched with our " ..
        "calculation%. server string to sign is:ACS3%-HMAC%-SHA256\n%x+$"))
    end)

    it("tells its string to sign when a V1 signature is wrong", function()
      local body, answer = send_v1 { after = { Signature = "AAAA" } }
      assert_refused(400, "SignatureDoesNotMatch", body, answer)
      assert.is_truthy(body.Message:find("server string to sign is:POST&%2F&AccessKeyId%3D", 1,
        true))
    end)

    it("notices a parameter, header or method that was changed on the way", function()
      local request = raw.v3(server, { operation = "GetRepoTag", query = SAMPLE })
      request.target = request.target .. "&Extra=1"
      assert.are.equal("SignatureDoesNotMatch", raw.send(server, request).Code)
      request = raw.v3(server, { operation = "GetRepoTag", query = SAMPLE })
      request.method = "GET"
      assert.are.equal("SignatureDoesNotMatch", raw.send(server, request).Code)
      local body = send_v3 { after = { ["x-acs-action"] = "DeleteRepoTag" } }
      assert.are.equal("SignatureDoesNotMatch", body.Code)
      assert.are.equal("SignatureDoesNotMatch", send_v1({ after = { Tag = "0.9" } }).Code)
    end)

    it("wants host and every x-acs header signed", function()
      local body, answer = send_v3 { after = { ["x-acs-extra"] = "1" } }
      assert_refused(400, "IncompleteSignature", body, answer)
      assert.is_truthy(body.Message:find('header "x-acs-extra" is not signed', 1, true))
      local request = raw.v3(server, { operation = "GetRepoTag", query = SAMPLE })
      request.headers.authorization = request.headers.authorization:gsub("host;", "")
      assert.are.equal("IncompleteSignature", raw.send(server, request).Code)
    end)

    it("refuses what does not read like a signature", function()
      local cases = {
        { authorization = "ACS3-HMAC-SHA1 Credential=a,SignedHeaders=host,Signature=00" },
        { authorization = "ACS3-HMAC-SHA256 Credential=a,SignedHeaders=host" },
        { authorization = "Bearer x" },
        { authorization = false },
        { ["x-acs-signature-nonce"] = false },
        { ["x-acs-content-sha256"] = ("0"):rep(64) },
      }
      for _, after in ipairs(cases) do
        local body, answer = send_v3 { after = after }
        assert_refused(400, "IncompleteSignature", body, answer)
      end
      for _, after in ipairs { { Signature = false }, { AccessKeyId = false },
        { SignatureNonce = false }, { SignatureMethod = "HMAC-MD5" }, { SignatureVersion = "2.0" }
      } do
        local body, answer = send_v1 { after = after }
        assert_refused(400, "IncompleteSignature", body, answer)
      end
    end)

    it("wants the payload hash of the body that came", function()
      local request = raw.v3(server, { operation = "GetRepoTag", query = SAMPLE })
      request.body = "x"
      assert.are.equal("IncompleteSignature", raw.send(server, request).Code)
    end)

    it("refuses a key that nobody has", function()
      local user = { access_key_id = "LTAI5tNobody", access_key_secret = "x" }
      local body, answer = send_v3 { user = user }
      assert_refused(404, "InvalidAccessKeyId.NotFound", body, answer)
    end)

    it("refuses a time that is missing, malformed or 15 minutes away", function()
      assert_refused(400, "IllegalTimestamp", send_v3 { headers = { ["x-acs-date"] = false } })
      assert_refused(400, "IllegalTimestamp", send_v3 { headers = { ["x-acs-date"] = "now" } })
      assert_refused(400, "IllegalTimestamp", send_v1 { parameters = { Timestamp = false } })
      for _, offset in ipairs { -960, 960 } do
        local date = raw.date(offset)
        assert_refused(400, "InvalidTimeStamp.Expired",
          send_v3 { headers = { ["x-acs-date"] = date } })
        assert_refused(400, "InvalidTimeStamp.Expired",
          send_v1 { parameters = { Timestamp = date } })
      end
      for _, offset in ipairs { -840, 840 } do
        local body = send_v3 { headers = { ["x-acs-date"] = raw.date(offset) } }
        assert.are.equal("success", body.Code)
      end
    end)

    it("refuses a nonce that was used, but not one that a wrong signature carried", function()
      local nonce = { ["x-acs-signature-nonce"] = raw.nonce() }
      local forger = { access_key_id = server.access_key_id, access_key_secret = "another" }
      assert.are.equal("SignatureDoesNotMatch", send_v3({ headers = nonce, user = forger }).Code)
      assert.are.equal("success", send_v3({ headers = nonce }).Code)
      assert_refused(400, "SignatureNonceUsed", send_v3 { headers = nonce })
      assert.are.equal("success", send_v3({ headers = nonce, user = USERS.session }).Code)
    end)

    it("refuses sessions without their token, with another one, or after their end", function()
      local function session(token, user)
        return {
          user = {
            access_key_id = user.access_key_id, access_key_secret = user.access_key_secret,
            security_token = token,
          },
        }
      end
      for _, send in ipairs { send_v3, send_v1 } do
        assert_refused(400, "MissingSecurityToken", send(session(nil, USERS.session)))
        assert_refused(400, "InvalidSecurityToken.Malformed", send(session("x", USERS.session)))
        assert_refused(400, "InvalidSecurityToken.Malformed", send(session("x", USERS.full)))
        assert_refused(400, "InvalidSecurityToken.Expired", send { user = USERS.expired })
      end
    end)

    it("looks at action and version first", function()
      for name, value in pairs {
        ["x-acs-action"] = "FlyToTheMoon", ["x-acs-version"] = "2016-06-07",
      } do
        assert_refused(400, "InvalidParameter", send_v3 { headers = { [name] = value } })
      end
      assert_refused(400, "InvalidParameter", send_v1 { parameters = { Action = false } })
      assert_refused(400, "InvalidParameter", send_v1 { parameters = { Version = false } })
    end)
  end)

  describe("errors", function()
    it("come as XML when that is what was asked for", function()
      local _, answer = send_v3 { after = { accept = "application/xml" }, user = USERS.expired }
      assert.are.equal(400, answer.status)
      assert.are.equal("text/xml;charset=utf-8", answer.headers["content-type"])
      local id, host, code = answer.body:match('^<%?xml version="1.0" encoding="UTF%-8"%?>' ..
        "<Error><RequestId>(.-)</RequestId><HostId>(.-)</HostId><Code>(.-)</Code>" ..
        "<Message>.-</Message></Error>$")
      assert.are.equal(answer.headers["x-acs-request-id"], id)
      assert.are.equal(server.endpoint, "http://" .. host)
      assert.are.equal("InvalidSecurityToken.Expired", code)
      _, answer = send_v1 { parameters = { Format = "XML" }, after = { Signature = "AAAA" } }
      assert.is_truthy(answer.body:find("<Code>SignatureDoesNotMatch</Code>", 1, true))
      assert.is_truthy(answer.body:find("string to sign is:POST&amp;%2F&amp;", 1, true))
    end)

    it("name the permission that is missing", function()
      local body, answer = call("GetRepoTag", SAMPLE, USERS.limited)
      assert_refused(403, "NoPermission", body, answer)
      local detail = body.AccessDeniedDetail
      assert.are.equal("ImplicitDeny", detail.NoPermissionType)
      assert.are.equal("cr:ListRepositoryTag", detail.AuthAction)
      assert.are.equal("limited", detail.AuthPrincipalDisplayName)
      assert.are.equal("SubUser", detail.AuthPrincipalType)
      assert.are.equal("AccountLevelIdentityBasedPolicy", detail.PolicyType)
      assert.is_truthy(detail.AuthPrincipalOwnerId and detail.EncodedDiagnosticMessage)
      body = call("GetRepository", { InstanceId = INSTANCE, RepoId = REPOSITORY }, USERS.limited)
      assert.are.equal("success", body.Code)
    end)

    it("name the parameter that is missing or wrong", function()
      local body, answer = call("GetRepoTag", { InstanceId = INSTANCE, RepoId = REPOSITORY })
      assert_refused(400, "MissingParameter", body, answer)
      assert.are.equal('The input parameter "Tag" that is mandatory for processing this request ' ..
        "is not supplied", body.Message)
      for name, value in pairs { PageNo = "0", PageSize = "101", MaxResults = "x" } do
        local query = { InstanceId = INSTANCE, RepoId = BUILDS, [name] = value }
        body, answer = call("ListRepoTag", query)
        assert_refused(400, "InvalidParameter", body, answer)
        assert.is_truthy(body.Message:find('"' .. name .. '"', 1, true))
      end
    end)

    it("say which operations are emulated", function()
      local body, answer = call("ListChartRelease", { InstanceId = INSTANCE })
      assert_refused(404, "OperationNotEmulated", body, answer)
      assert.is_truthy(body.Message:find("^ListChartRelease is not emulated; these are: CreateN"))
    end)

    it("are JSON also for other paths, methods and requests that nginx refuses", function()
      local host = "host: " .. server.endpoint:match("//(.*)$")
      local cases = {
        [404] = { "GET /v2/ HTTP/1.1", host },
        [405] = { "DELETE / HTTP/1.1", host },
        [400] = { "GET / HTTP/1.1" },
        [413] = { "POST / HTTP/1.1", host, "content-length: 2000000" },
        [414] = { "GET /?" .. ("x"):rep(300000) .. " HTTP/1.1", host },
      }
      for status, lines in pairs(cases) do
        local bytes = table.concat(lines, "\r\n") .. "\r\nconnection: close\r\n\r\n"
        local answer = raw.parse(raw.exchange(server, bytes))
        assert.are.equal(status, answer.status)
        assert.is_string(cjson.decode(answer.body).Code)
      end
    end)
  end)

  describe("operations", function()
    local api = cjson.decode(read("api/cr-2018-12-01.json")).operations

    it("are known by all names of the API", function()
      local catalogue = require "cr.emulator.catalogue"
      for name in pairs(api) do
        assert.is_true(catalogue.known[name], name)
      end
      for name in pairs(catalogue.known) do
        assert.is_table(api[name], name)
      end
    end)

    it("ask for the RAM action that is published", function()
      local catalogue = require "cr.emulator.catalogue"
      for _, name in ipairs { "GetInstance", "ListInstance", "GetNamespace", "ListNamespace",
        "CreateNamespace", "GetRepository", "ListRepository", "CreateRepository", "GetRepoTag",
        "ListRepoTag", "DeleteRepoTag", "GetAuthorizationToken" } do
        assert.are.equal(api[name].ram_action, catalogue.action(name))
      end
      assert.are.equal("cr:DeleteRepository", catalogue.action("DeleteRepository"))
    end)

    local function assert_schema(schema, value, text, place)
      local kinds = { string = "string", integer = "number", boolean = "boolean" }
      if schema.type == "array" then
        assert.are.equal("table", type(value), place)
        for _, item in ipairs(value) do
          assert_schema(schema.items, item, text, place .. "[]")
        end
      elseif schema.type == "object" then
        for name, item in pairs(value) do
          local field = schema.properties[name]
          assert.is_table(field, place .. "." .. name .. " is not in the API's answer")
          assert_schema(field, item, text, place .. "." .. name)
          local array_written = text:find(('"%s":['):format(name), 1, true) ~= nil
          assert.are.equal(field.type == "array", array_written, place .. "." .. name)
        end
      else
        assert.are.equal(kinds[schema.type], type(value), place)
      end
    end

    it("answer with the fields and types of the API", function()
      local repository = { InstanceId = INSTANCE, RepoId = REPOSITORY }
      local calls = {
        GetInstance = { InstanceId = INSTANCE },
        ListInstance = {},
        GetNamespace = { InstanceId = INSTANCE, NamespaceName = "sample" },
        ListNamespace = { InstanceId = INSTANCE },
        CreateNamespace = { InstanceId = INSTANCE, NamespaceName = "typed" },
        GetRepository = repository,
        ListRepository = { InstanceId = INSTANCE },
        CreateRepository = { InstanceId = INSTANCE, RepoNamespaceName = "team", RepoName = "typed",
          RepoType = "PRIVATE", Summary = "s" },
        GetRepoTag = SAMPLE,
        GetRepoTagScanStatus = SAMPLE,
        GetRepoTagScanSummary = SAMPLE,
        ListRepoTag = repository,
        DeleteRepoTag = SAMPLE,
        GetAuthorizationToken = { InstanceId = INSTANCE },
        DeleteRepository = repository,
      }
      for name, query in pairs(calls) do
        server:reset()
        local body, answer = call(name, query)
        assert.are.equal("success", body.Code, name)
        assert_schema(api[name].response, body, answer.body, name)
        -- each field that the API documents is there, but what belongs to the other way of paging
        for field in pairs(api[name].response.properties) do
          if field ~= "MaxResults" and field ~= "NextToken" then
            assert.is_not_nil(body[field], name .. "." .. field)
          end
        end
      end
    end)

    it("count what a scan found, for the digest that the tag has", function()
      local query = { InstanceId = INSTANCE, RepoId = REPOSITORY, Tag = "0.9" }
      local body = call("GetRepoTagScanSummary", query)
      assert.are.same({ 1, 2, 4, 3, 10 }, { body.HighSeverity, body.MediumSeverity,
        body.LowSeverity, body.UnknownSeverity, body.TotalSeverity })
      query.Digest = call("GetRepoTag", query).Digest
      assert.are.equal("success", call("GetRepoTagScanSummary", query).Code)
      query.Digest = ("0"):rep(64)
      assert.are.equal("SCAN_NOT_EXIST", call("GetRepoTagScanSummary", query).Code)
      assert.are.equal("SCAN_NOT_EXIST", call("GetRepoTagScanStatus", query).Code)
      query.Digest = nil
      query.Tag = "1.0"
      assert.are.equal(0, call("GetRepoTagScanSummary", query).TotalSeverity)
    end)

    it("write an empty list as a list", function()
      local _, answer = call("ListRepoTag",
        { InstanceId = INSTANCE, RepoId = "crr-emulatorempty001" })
      assert.is_truthy(answer.body:find('"Images":[]', 1, true))
      assert.is_truthy(answer.body:find('"TotalCount":"0"', 1, true))
    end)

    it("find instances, namespaces and repositories, or say which is not there", function()
      local gone = { InstanceId = "cri-nobody" }
      local body, answer = call("GetInstance", gone)
      assert.are.equal(200, answer.status)
      assert.are.equal("INSTANCE_NOT_EXIST", body.Code)
      assert.is_false(body.IsSuccess)
      gone = { InstanceId = INSTANCE, NamespaceName = "nobody" }
      assert.are.equal("NAMESPACE_NOT_EXIST", call("GetNamespace", gone).Code)
      gone = { InstanceId = INSTANCE, RepoId = "crr-nobody" }
      body = call("GetRepository", gone)
      assert.are.equal("REPO_NOT_EXIST", body.Code)
      assert.is_false(body.IsSuccess)
      gone = { InstanceId = INSTANCE, RepoId = REPOSITORY, Tag = "nobody" }
      assert.are.equal("TAG_NOT_EXIST", call("GetRepoTag", gone).Code)
    end)

    it("find by id and by name", function()
      local by_name = call("GetRepository",
        { InstanceId = INSTANCE, RepoNamespaceName = "sample", RepoName = "app" })
      assert.are.equal(REPOSITORY, by_name.RepoId)
      local half = { InstanceId = INSTANCE, RepoName = "app" }
      assert_refused(400, "MissingParameter", call("GetRepository", half))
      local namespace = call("GetNamespace", { InstanceId = INSTANCE, NamespaceName = "team" })
      local by_id = call("GetNamespace",
        { InstanceId = INSTANCE, NamespaceId = namespace.NamespaceId })
      assert.are.equal("team", by_id.NamespaceName)
      assert.is_true(by_id.AutoCreateRepo)
    end)

    it("filter lists", function()
      local function total(operation, query)
        return tonumber(call(operation, query).TotalCount)
      end
      assert.are.equal(2, total("ListInstance", {}))
      assert.are.equal(1, total("ListInstance", { InstanceName = "empty" }))
      assert.are.equal(0, total("ListInstance", { InstanceStatus = "STOPPED" }))
      assert.are.equal(1, total("ListNamespace", { InstanceId = INSTANCE, NamespaceName = "team" }))
      assert.are.equal(3, total("ListRepository", { InstanceId = INSTANCE, RepoStatus = "ALL" }))
      assert.are.equal(1, total("ListRepository", { InstanceId = INSTANCE, RepoName = "builds" }))
      assert.are.equal(0,
        total("ListRepository", { InstanceId = INSTANCE, RepoNamespaceName = "team" }))
    end)

    it("page by number", function()
      local query = { InstanceId = INSTANCE, RepoId = BUILDS }
      local body = call("ListRepoTag", query)
      assert.are.equal(30, #body.Images)
      assert.are.equal("250", body.TotalCount)
      query.PageSize = "100"
      local seen = {}
      for page, expected in ipairs { 100, 100, 50, 0 } do
        query.PageNo = tostring(page)
        body = call("ListRepoTag", query)
        assert.are.equal(expected, #body.Images)
        assert.are.equal(page, body.PageNo)
        for _, image in ipairs(body.Images) do
          seen[#seen + 1] = image.Tag
        end
      end
      assert.are.equal("build-001", seen[1])
      assert.are.equal("build-250", seen[250])
    end)

    it("page by token", function()
      local query = { InstanceId = INSTANCE, RepoId = BUILDS, MaxResults = "100" }
      local sizes = {}
      repeat
        local body = call("ListRepoTag", query)
        sizes[#sizes + 1] = #body.Images
        query.NextToken = body.NextToken
      until body.NextToken == ""
      assert.are.same({ 100, 100, 50 }, sizes)
      query.NextToken = "b2Zmc2V0PXg="
      assert_refused(400, "InvalidParameter.NextToken", call("ListRepoTag", query))
    end)

    it("create and delete namespaces", function()
      local query = { InstanceId = INSTANCE, NamespaceName = "new", AutoCreateRepo = "true",
        DefaultRepoConfiguration = '{"RepoType":"PUBLIC","TagImmutability":true}' }
      assert.are.equal("success", call("CreateNamespace", query).Code)
      assert.are.equal("NAMESPACE_ALREADY_EXIST", call("CreateNamespace", query).Code)
      local name = { InstanceId = INSTANCE, NamespaceName = "new" }
      local namespace = call("GetNamespace", name)
      assert.is_true(namespace.AutoCreateRepo)
      assert.are.equal("PUBLIC", namespace.DefaultRepoType)
      assert.is_true(namespace.DefaultRepoConfiguration.TagImmutability)
      assert.are.equal("success", call("DeleteNamespace", name).Code)
      for _, text in ipairs { "PUBLIC", "{", '{"RepoType":5}' } do
        query.DefaultRepoConfiguration = text
        assert_refused(400, "InvalidParameter", call("CreateNamespace", query))
      end
      assert.are.equal("NAMESPACE_NOT_EXIST", call("DeleteNamespace", name).Code)
      name.NamespaceName = "sample"
      assert.are.equal("NAMESPACE_NOT_EMPTY", call("DeleteNamespace", name).Code)
    end)

    it("create and delete repositories", function()
      local query = { InstanceId = INSTANCE, RepoNamespaceName = "team", RepoName = "new",
        RepoType = "PUBLIC", Summary = "a new one" }
      local id = call("CreateRepository", query).RepoId
      assert.is_truthy(id:match("^crr%-%w+$"))
      assert.are.equal("REPO_ALREADY_EXIST", call("CreateRepository", query).Code)
      query.RepoType = "SECRET"
      assert_refused(400, "InvalidParameter", call("CreateRepository", query))
      local by_id = { InstanceId = INSTANCE, RepoId = id }
      assert.are.equal("a new one", call("GetRepository", by_id).Summary)
      assert.are.equal("success", call("DeleteRepository", by_id).Code)
      local by_name = { InstanceId = INSTANCE, RepoNamespaceName = "team", RepoName = "new" }
      for _, gone in ipairs { call("GetRepository", by_id), call("ListRepoTag", by_id),
        (call("GetRepository", by_name)) } do
        assert.are.equal("REPO_NOT_EXIST", gone.Code)
        assert.is_nil(gone.IsSuccess)
      end
    end)

    it("delete a tag", function()
      assert.are.equal("success", call("DeleteRepoTag", SAMPLE).Code)
      assert.are.equal("TAG_NOT_EXIST", call("GetRepoTag", SAMPLE).Code)
      local list = call("ListRepoTag", { InstanceId = INSTANCE, RepoId = REPOSITORY })
      assert.are.equal("3", list.TotalCount)
    end)

    it("give out authorization tokens that expire", function()
      local query = { InstanceId = INSTANCE, ExpiresInHours = "2" }
      local first = call("GetAuthorizationToken", query)
      local second = call("GetAuthorizationToken", query)
      assert.are_not.equal(first.AuthorizationToken, second.AuthorizationToken)
      local hours = (first.ExpireTime / 1000 - os.time()) / 3600
      assert.is_true(hours > 1.9 and hours < 2.1)
    end)
  end)

  describe("control", function()
    it("logs what was sent, without signatures and tokens", function()
      send_v1 { user = USERS.session, headers = { ["user-agent"] = "spec" } }
      send_v3 { headers = { ["x-acs-retry-attempts"] = "1", ["x-acs-retry-delay"] = "250" },
        user = USERS.limited }
      local log = server:log()
      assert.are.equal(2, #log)
      assert.are.same(SAMPLE, log[1].parameters)
      assert.are.equal("v1", log[1].signature)
      assert.are.equal("spec", log[1].user_agent)
      assert.are.equal("success", log[1].code)
      assert.are.equal("GetRepoTag", log[2].operation)
      assert.are.equal("POST", log[2].method)
      assert.are.equal(USERS.limited.access_key_id, log[2].access_key_id)
      assert.are.equal(403, log[2].status)
      assert.are.equal(1, log[2].attempt)
      assert.are.equal(250, log[2].retry_delay_ms)
      assert.are_not.equal(log[1].connection, log[2].connection)
      server:clear_log()
      assert.are.same({}, server:log())
    end)

    it("keeps the last 1000 requests", function()
      local lines = "GET / HTTP/1.1\r\nhost: x\r\nx-acs-action: N%d\r\n\r\n"
      local parts = {}
      for number = 1, 1005 do
        parts[number] = lines:format(number)
      end
      parts[#parts + 1] = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
      raw.exchange(server, table.concat(parts))
      local log = server:log()
      assert.are.equal(1000, #log)
      assert.are.equal("N7", log[1].operation)
      assert.are.equal("N1005", log[999].operation)
    end)

    it("restores the fixture", function()
      call("DeleteRepoTag", SAMPLE)
      server:fault { status = 503 }
      server:reset()
      assert.are.same({}, server:faults())
      assert.are.same({}, server:log())
      assert.are.equal("success", call("GetRepoTag", SAMPLE).Code)
    end)

    it("tells its health and refuses what it does not know", function()
      assert.are.same({ ok = true }, (server:control("GET", "health")))
      for name, expected in pairs { health = 405, nothing = 404 } do
        local body, status = server:control("POST", name)
        assert.are.equal(expected, status)
        assert.is_string(body.error)
      end
    end)
  end)

  it("speaks HTTPS with a certificate of its own authority", function()
    local port = server.https_endpoint:match(":(%d+)$")
    for _, host in ipairs { "127.0.0.1", "localhost" } do
      local url = ("https://%s:%s/_emulator/health"):format(host, port)
      local command = ("env -u LD_PRELOAD curl -sS --noproxy '*' --cacert %s %s 2>&1")
        :format(emulator.quote(server.ca_file), url)
      assert.are.equal('{"ok":true}\n', run(command))
    end
    local untrusted = ("env -u LD_PRELOAD curl -s --noproxy '*' %s/_emulator/health; echo $?")
      :format(server.https_endpoint)
    assert.are.equal("60\n", run(untrusted))
  end)

  it("compresses answers from 1000 bytes for those who ask", function()
    local query = { InstanceId = INSTANCE, RepoId = BUILDS }
    local gzip = { ["accept-encoding"] = "gzip" }
    local _, answer = send_v3 { operation = "ListRepoTag", query = query, headers = gzip }
    assert.are.equal("gzip", answer.headers["content-encoding"])
    _, answer = send_v3 { headers = gzip }
    assert.is_nil(answer.headers["content-encoding"])
  end)
end)
