--- What an HTTP answer means to the caller: the answer's table, or an error that says what to do.

local cjson = require "cjson"
local core = require "cr.core"
local cr = require "cr"
local child = require "spec.support.child"
local fixture = require "spec.support.fixture"
local recorder = require "spec.support.recorder"

local TAG = { InstanceId = "cri-1", RepoId = "crr-1", Tag = "1.0" }

--- What one call makes of one answer.
local function call(response, config, operation, params)
  config = config or {}
  config.max_attempts = config.max_attempts or 1
  local client = recorder.client({ response }, config)
  return client:call(operation or "GetRepoTag", params or TAG)
end

local function judge(status, body, headers)
  return call(recorder.response(status, body, headers))
end

local function json(value)
  local answer, err = judge(200, '{"IsSuccess":true,"Value":' .. value .. "}")
  assert(answer, err)
  return answer.Value
end

local function fails(kind, code, answer, err)
  assert.is_nil(answer)
  assert.equal(kind, err.kind)
  assert.equal(code, err.code)
  return err
end

describe("an answer that says yes", function()
  it("is the table of its fields, with nil and an info", function()
    local answer, err, info = judge(200, '{"IsSuccess":true,"Code":"success","RequestId":"R-2",' ..
      '"Tag":"1.0","Status":"NORMAL"}')
    assert.same({
      IsSuccess = true, Code = "success", RequestId = "R-2", Tag = "1.0", Status = "NORMAL",
    }, answer)
    assert.is_nil(err)
    assert.same({ http_status = 200, request_id = "R-2", attempts = 1 }, info)
  end)

  for _, body in ipairs {
    '{"IsSuccess":true}', '{"IsSuccess":"true"}', '{"Code":"success"}', '{"Code":"Success"}',
    '{"Code":"SUCCESS"}', '{"Code":"ok"}', '{"Code":"OK"}', '{"Code":"200"}', '{"Code":200}',
    '{"Code":200.0}', "{}", '{"Tag":"1.0"}', '{"isSuccess":true}', '{"code":"success"}',
    '{"IsSuccess":true,"Code":"anything"}', '{"IsSuccess":null,"Code":null}',
    ' \r\n\t{"IsSuccess" : true } \n',
  } do
    it("may be " .. body:gsub("%s", " "), function()
      local answer, err = judge(200, body)
      assert.is_table(answer, tostring(err))
    end)
  end

  it("may come with any HTTP status of success", function()
    for _, status in ipairs { 200, 201, 202, 204, 299 } do
      local _, err, info = judge(status, '{"IsSuccess":true}')
      assert.is_nil(err)
      assert.equal(status, info.http_status)
    end
  end)

  it("has its request id from the header when the body has none", function()
    for _, name in ipairs { "x-acs-request-id", "X-Acs-Request-Id", "X-ACS-REQUEST-ID" } do
      local _, _, info = judge(200, "{}", { [name] = "R-header" })
      assert.equal("R-header", info.request_id)
    end
  end)

  it("tells the timings that the transport knows", function()
    local response = recorder.response(200, "{}")
    response.info = {
      dns = 0.125, connect = 0.25, tls = 0.375, first_byte = 0.5, total = 0.625,
      connection_reused = false,
    }
    local _, _, info = call(response)
    assert.same({
      http_status = 200, request_id = "R-1", attempts = 1, dns = 0.125, connect = 0.25,
      tls = 0.375, first_byte = 0.5, total = 0.625, connection_reused = false,
    }, info)
  end)
end)

describe("an answer that says no with HTTP 200", function()
  for body, code in pairs {
    ['{"IsSuccess":false}'] = "Http200",
    ['{"IsSuccess":false,"Code":"REPO_NOT_EXIST"}'] = "REPO_NOT_EXIST",
    ['{"IsSuccess":"false","Code":"X"}'] = "X",
    ['{"IsSuccess":false,"Code":"success"}'] = "success",
    ['{"Code":"REPO_NOT_EXIST"}'] = "REPO_NOT_EXIST",
    ['{"Code":404}'] = "404",
    ['{"Code":"404","Message":"m"}'] = "404",
    ['{"code":"REPO_NOT_EXIST"}'] = "REPO_NOT_EXIST",
    ['{"isSuccess":false,"code":"X"}'] = "X",
    ['{"Code":"successful"}'] = "successful",
    ['{"Code":"not ok"}'] = "not ok",
  } do
    it("is an error: " .. body, function()
      local err = fails("service", code, judge(200, body))
      assert.equal(200, err.http_status)
    end)
  end

  it("has the service's message, request id and recommendation", function()
    local err = fails("service", "REPO_NOT_EXIST", judge(200,
      '{"IsSuccess":false,"Code":"REPO_NOT_EXIST","Message":"repo is not exist",' ..
      '"RequestId":"R-9","Recommend":"https://api.aliyun.com/troubleshoot"}'))
    assert.equal("repo is not exist", err.message)
    assert.equal("R-9", err.request_id)
    assert.equal("https://api.aliyun.com/troubleshoot", err.recommend)
    assert.equal("GetRepoTag", err.operation)
    assert.equal(1, err.attempts)
    assert.is_false(err.retryable)
    assert.equal("GetRepoTag: REPO_NOT_EXIST (HTTP 200): repo is not exist. RequestId R-9",
      tostring(err))
  end)
end)

describe("a gateway error", function()
  it("has all fields of the service", function()
    local err = fails("service", "InvalidTagName", judge(400,
      '{"RequestId":"R-3","HostId":"cr.cn-hangzhou.aliyuncs.com","Code":"InvalidTagName",' ..
      '"Message":"The tag name is wrong.","Recommend":"https://r"}'))
    assert.equal("GetRepoTag: InvalidTagName (HTTP 400): The tag name is wrong. RequestId R-3",
      tostring(err))
    assert.equal(400, err.http_status)
    assert.equal("https://r", err.recommend)
  end)

  it("is read in lower case, too", function()
    local err = fails("service", "InvalidTagName", judge(400,
      '{"requestId":"R-4","code":"InvalidTagName","message":"wrong","recommend":"r"}'))
    assert.equal("wrong", err.message)
    assert.equal("R-4", err.request_id)
    assert.equal("r", err.recommend)
    fails("service", "X", judge(400, '{"requestid":"R","CODE":"X","MESSAGE":"m"}'))
  end)

  it("prefers the documented names when both are there", function()
    for _ = 1, 20 do
      local err = fails("service", "Right", judge(400,
        '{"code":"wrong","Code":"Right","message":"wrong","Message":"right"}'))
      assert.equal("right", err.message)
    end
  end)

  it("is an error whatever it says of success", function()
    fails("service", "Http400", judge(400, '{"IsSuccess":true,"Code":"success"}'))
    fails("service", "Http500", judge(500, "{}"))
    fails("service", "Http404", judge(404, '{"Code":"","Message":""}'))
    fails("service", "Http404", judge(404, '{"Code":null,"Message":{}}'))
    fails("service", "403", judge(403, '{"Code":403}'))
  end)

  it("has a sentence where the service has no message", function()
    local err = fails("service", "Http500", judge(500, "{}"))
    assert.equal("GetRepoTag: Http500 (HTTP 500): the service gives no message. RequestId R-1",
      tostring(err))
  end)

  it("in XML is read with entities and blanks", function()
    local err = fails("service", "InvalidVersion", judge(404, [[
<?xml version='1.0' encoding='UTF-8'?>
<Error>
  <RequestId>R-5</RequestId><HostId>cr.cn-hangzhou.aliyuncs.com</HostId>
  <Code>
    InvalidVersion </Code>
  <Message>a &lt;b&gt; &amp;amp; &quot;c&quot; &apos;d&apos; &unknown;</Message>
  <Recommend>https://r?a=1&amp;b=2</Recommend>
</Error>
]]))
    assert.equal([[a <b> &amp; "c" 'd' &unknown;]], err.message)
    assert.equal("R-5", err.request_id)
    assert.equal("https://r?a=1&b=2", err.recommend)
    assert.equal(404, err.http_status)
  end)

  it("in XML is an error with HTTP 200 too", function()
    fails("service", "X", judge(200, "<Error><Code>X</Code></Error>"))
  end)

  it("in other markup is no readable answer", function()
    for _, body in ipairs {
      "<html><body>502 Bad Gateway</body></html>", "<Error></Error>", "<", "  <!doctype html>",
      "<Error><Message>m</Message></Error>", "<Error><Code>X</Code>",
    } do
      local err = fails("response", "NotJson", judge(502, body, { ["Content-Type"] = "text/html" }))
      assert.equal(("the answer is markup and no JSON (text/html, %d bytes)"):format(#body),
        err.message)
      assert.equal(502, err.http_status)
    end
  end)
end)

describe("an answer that is none", function()
  it("has its own codes, and the body is not shown", function()
    local cases = {
      { "", "EmptyBody", "has no body" }, { " \r\n\t ", "EmptyBody", "has no body" },
      { "hunter2", "NotJson", "is no valid JSON" }, { "{hunter2", "NotJson", "is no valid JSON" },
      { '{"a":"hunter2', "NotJson", "is no valid JSON" },
      { '{"a":1}{"hunter2":1}', "NotJson", "is no valid JSON" },
      { '{"a":1,}', "NotJson", "is no valid JSON" }, { "{'hunter2':1}", "NotJson",
        "is no valid JSON" },
      { "{}\0", "NotJson", "is no valid JSON" },
      { '["hunter2"]', "UnexpectedJson", "is JSON but no object" },
      { "[]", "UnexpectedJson", "is JSON but no object" },
      { "[{}]", "UnexpectedJson", "is JSON but no object" },
      { '"hunter2"', "UnexpectedJson", "is JSON but no object" },
      { "42", "UnexpectedJson", "is JSON but no object" },
      { "true", "UnexpectedJson", "is JSON but no object" },
      { "false", "UnexpectedJson", "is JSON but no object" },
      { "null", "UnexpectedJson", "is JSON but no object" },
    }
    for _, status in ipairs { 200, 400, 500 } do
      for _, case in ipairs(cases) do
        local err = fails("response", case[2],
          judge(status, case[1], { ["content-type"] = "text/plain", ["x-acs-request-id"] = "R" }))
        assert.equal(("the answer %s (text/plain, %d bytes)"):format(case[3], #case[1]),
          err.message)
        assert.equal(status, err.http_status)
        assert.equal("R", err.request_id)
        assert.is_false(fixture.shows(err, "hunter2"))
      end
    end
  end)

  it("says so without a content type", function()
    local err = fails("response", "EmptyBody", judge(200, "", {}))
    assert.equal("GetRepoTag: EmptyBody (HTTP 200): the answer has no body (no content type, " ..
      "0 bytes).", tostring(err))
  end)

  it("may be a redirect, which is not followed", function()
    for _, status in ipairs { 300, 301, 302, 304, 307, 308, 399 } do
      local err = fails("response", "UnexpectedRedirect", judge(status, '{"IsSuccess":true}',
        { location = "https://elsewhere" }))
      assert.equal(("the answer is a redirect (HTTP %d), which is not followed"):format(status),
        err.message)
    end
  end)

  it("may have a status that no answer has", function()
    fails("service", "Http100", judge(100, "{}"))
    fails("service", "Http199", judge(199, "{}"))
    fails("service", "Http0", judge(0, "{}"))
    fails("service", "Http600", judge(600, "{}"))
  end)
end)

describe("a byte order mark", function()
  it("before JSON is passed over", function()
    assert.equal("1.0", (assert(judge(200, '\239\187\191{"IsSuccess":true,"Tag":"1.0"}'))).Tag)
    fails("service", "X", judge(400, '\239\187\191{"Code":"X"}'))
  end)

  it("before XML is passed over", function()
    fails("service", "X", judge(400, "\239\187\191<Error><Code>X</Code></Error>"))
  end)

  it("alone is an empty body", function()
    fails("response", "EmptyBody", judge(200, "\239\187\191"))
  end)
end)

describe("the numbers of an answer", function()
  local cases = {
    { "0", "0" }, { "-1", "-1" }, { "1572839125000", "1572839125000" },
    { "2147483648", "2147483648" }, { "9007199254740992", "9007199254740992" },
    { "-9007199254740992", "-9007199254740992" }, { "1e15", "1000000000000000" },
    { "1e3", "1000" }, { "30.0", "30" }, { "1.5e1", "15" }, { "-0", "0" }, { "-0.0", "0" },
  }

  it("are integers where they are integral", function()
    for _, case in ipairs(cases) do
      local value = json(case[1])
      assert.equal(tonumber(case[1]), value)
      if math.type then
        assert.equal("integer", math.type(value), case[1])
        assert.equal(case[2], tostring(value))
      end
      assert.equal(case[2], ("%.0f"):format(value + 0))
    end
  end)

  it("are integers in arrays and nested objects too", function()
    local value = json '[1.0,{"a":2.0,"b":[3.0,null,4.5]}]'
    if math.type then
      assert.equal("integer", math.type(value[1]))
      assert.equal("integer", math.type(value[2].a))
      assert.equal("integer", math.type(value[2].b[1]))
      assert.equal("float", math.type(value[2].b[3]))
    end
    assert.same({ 1, { a = 2, b = { 3, cr.null, 4.5 } } }, value)
  end)

  it("stay floats where they are not integral or too large", function()
    for _, text in ipairs { "1.5", "-0.25", "1e300", "1e19", "9223372036854775808", "1e-7" } do
      local value = json(text)
      assert.equal(tonumber(text), value)
      if math.type then
        assert.equal("float", math.type(value), text)
      end
    end
  end)

  it("reach the ends of 64 bits without a change of sign", function()
    assert.equal(-2 ^ 63, json "-9223372036854775808")
    assert.equal(2 ^ 63, json "9223372036854775808")
    assert.is_true(json "9223372036854774784" > 0)
  end)

  it("beyond every float are infinite, or the answer is refused", function()
    local answer, err = judge(200, '{"Value":1e999}')
    if answer then
      assert.equal(math.huge, answer.Value)
    else
      assert.equal("NotJson", err.code)
    end
  end)

  it("must be JSON's", function()
    for _, text in ipairs { "NaN", "Infinity", "-Infinity", "nan", "inf", "0x10", "-0x1p4" } do
      fails("response", "NotJson", judge(200, '{"Value":' .. text .. "}"))
    end
  end)
end)

describe("the values of an answer", function()
  it("are absent where a field is null, and cr.null in arrays", function()
    local answer = assert(judge(200, '{"A":null,"B":[null,1,null],"C":{"D":null,"E":[]},"F":{}}'))
    assert.same({ B = { cr.null, 1, cr.null }, C = { E = {} }, F = {} }, answer)
    assert.equal(cjson.null, cr.null)
    assert.equal(cr.null, answer.B[1])
    assert.equal(3, #answer.B)
  end)

  it("are absent in large objects of nulls, and the others stay", function()
    local fields = {}
    for i = 1, 500 do
      fields[i] = ('"n%d":null,"v%d":%d.0'):format(i, i, i)
    end
    local value = json("{" .. table.concat(fields, ",") .. "}")
    for i = 1, 500 do
      assert.is_nil(value["n" .. i])
      assert.equal(i, value["v" .. i])
    end
  end)

  it("keep names that look like numbers", function()
    assert.same({ ["1"] = "a", [""] = "c" }, json '{"1":"a","2":null,"":"c"}')
  end)

  it("of a name that comes twice are the last one", function()
    assert.equal(2, json '{"a":1,"a":2}'.a)
    assert.is_nil(json '{"a":1,"a":null}'.a)
  end)

  it("are text with all escapes decoded", function()
    assert.equal('é"\\/\b\f\n\r\t\0😀', json [["\u00e9\"\\\/\b\f\n\r\t\u0000\ud83d\ude00"]])
    fails("response", "NotJson", judge(200, [[{"Value":"\ud83d"}]]))
  end)

  it("may be nested 60 deep but not 10,000", function()
    local value = json(('{"a":'):rep(60) .. "1" .. ("}"):rep(60))
    for _ = 1, 60 do
      value = value.a
    end
    assert.equal(1, value)
    for _, pair in ipairs { { "[", "]" }, { '{"a":', "}" } } do
      local err = fails("response", "ResponseTooDeep", judge(200, '{"Value":' ..
        pair[1]:rep(10000) .. "1" .. pair[2]:rep(10000) .. "}"))
      assert.matches("nested more than 64 deep", err.message, 1, true)
    end
    fails("response", "UnexpectedJson", judge(200, ("["):rep(10) .. ("]"):rep(10)))
    fails("response", "ResponseTooDeep", judge(200, ("["):rep(1000000)))
  end)

  it("of a large answer are all there", function()
    local items = {}
    for i = 1, 20000 do
      items[i] = ('{"Tag":"v%d","ImageSize":%d}'):format(i, i)
    end
    local value = json("[" .. table.concat(items, ",") .. "]")
    assert.equal(20000, #value)
    assert.same({ Tag = "v20000", ImageSize = 20000 }, value[20000])
  end)
end)

describe("the host program's lua-cjson", function()
  it("neither changes what the client reads nor is changed by it", function()
    local output, ok = child.lua([[
      local cjson = require "cjson"
      local safe = require "cjson.safe"
      for _, module in ipairs { cjson, safe } do
        module.decode_max_depth(2)
        module.decode_invalid_numbers(true)
        module.encode_max_depth(3)
        module.encode_invalid_numbers(true)
      end
      local recorder = require "spec.support.recorder"
      local client = recorder.client { '{"a":{"b":{"c":[ [1] ]}},"d":null}' }
      local answer = assert(client:get_instance_count())
      assert(answer.a.b.c[1][1] == 1 and answer.d == nil)
      local other = recorder.client({ '{"a":NaN}' }, { max_attempts = 1 })
      assert(select(2, other:get_instance_count()).code == "NotJson")
      for _, module in ipairs { cjson, safe } do
        assert(module.decode_max_depth() == 2)
        assert(module.decode_invalid_numbers() == true)
        assert(module.encode_max_depth() == 3)
        assert(module.encode_invalid_numbers() == true)
      end
      assert(cjson.decode("[NaN]")[1] ~= cjson.decode("[NaN]")[1])
      io.write "fine"
    ]])
    assert.is_true(ok, output)
    assert.equal("fine", output)
  end)
end)

describe("the error object", function()
  local body = '{"Code":"X","Message":"what happened","RequestId":"R-7"}'

  it("has the documented fields and no others", function()
    local known = {
      kind = true, code = true, message = true, operation = true, http_status = true,
      request_id = true, attempts = true, retryable = true, hint = true, recommend = true,
      access_denied = true,
    }
    for _, err in ipairs {
      (select(2, judge(400, body))), (select(2, judge(200, ""))),
      (select(2, call { failure = { code = "Timeout", message = "m", sent = true } })),
      (select(2, call("{}", { region = "x y" }))), (select(2, call("{}", nil, nil, {}))),
    } do
      for name in pairs(err) do
        assert.is_true(known[name], name)
      end
      assert.equal("boolean", type(err.retryable))
      assert.equal("GetRepoTag", err.operation)
    end
  end)

  it("becomes text by tostring and in a concatenation", function()
    local _, err = judge(400, body)
    local text = "GetRepoTag: X (HTTP 400): what happened. RequestId R-7"
    assert.equal(text, tostring(err))
    assert.equal("it failed: " .. text .. "!", "it failed: " .. err .. "!")
  end)

  it("does not double a stop", function()
    for _, message in ipairs { "stop.", "why?", "stop!", "stop. " } do
      local _, err = judge(400, ('{"Code":"X","Message":"%s"}'):format(message))
      assert.equal("GetRepoTag: X (HTTP 400): " .. message .. " RequestId R-1", tostring(err))
    end
  end)

  it("tells the number of attempts when there were more than one", function()
    local _, err = call(recorder.response(500, body), { max_attempts = 3 })
    assert.equal("GetRepoTag: X (HTTP 500): what happened. After 3 attempts. RequestId R-7",
      tostring(err))
    assert.equal(3, err.attempts)
    assert.is_true(err.retryable)
  end)

  it("can be raised as it is", function()
    local _, err = judge(400, body)
    local ok, raised = pcall(error, err)
    assert.is_false(ok)
    assert.equal(err, raised)
  end)
end)

describe("a hint", function()
  local function hint_of(code, more, config, operation, params, headers)
    local fields = { Code = code, Message = "m", RequestId = "R" }
    for name, value in pairs(more or {}) do
      fields[name] = value
    end
    local _, err = call(recorder.response(403, cjson.encode(fields), headers), config, operation,
      params)
    return err.hint, err
  end

  it("names the missing permission of the operation", function()
    for _, code in ipairs { "NoPermission", "NoPrivilege", "Forbidden.RAM" } do
      assert.equal("needs cr:ListRepositoryTag", (hint_of(code)))
    end
    local _, err = hint_of "NoPrivilege"
    assert.equal("GetRepoTag: NoPrivilege (HTTP 403): m. Needs cr:ListRepositoryTag. RequestId R",
      tostring(err))
  end)

  it("does not guess a permission that is not published", function()
    assert.equal("the RAM identity lacks a permission; which one is not published for this " ..
      "operation", (hint_of("NoPermission", nil, nil, "GetChain", {
        InstanceId = "i", ChainId = "c",
      })))
    assert.equal("the RAM identity lacks a permission; which one is not published for this " ..
      "operation", (hint_of("NoPermission", nil, { }, "DeleteChain", {
        InstanceId = "i", ChainId = "c",
      })))
  end)

  it("prefers what the service says about the permission", function()
    local denied = {
      AuthAction = "cr:GetRepositoryTag", AuthPrincipalDisplayName = "alice",
      NoPermissionType = "ExplicitDeny", PolicyType = "AccountLevelIdentityBasedPolicy",
    }
    local hint, err = hint_of("NoPermission", { AccessDeniedDetail = denied })
    assert.equal("needs cr:GetRepositoryTag for alice; a policy denies it explicitly", hint)
    assert.same(denied, err.access_denied)
    denied.NoPermissionType = "ImplicitDeny"
    assert.equal("needs cr:GetRepositoryTag for alice",
      (hint_of("SomethingElse", { AccessDeniedDetail = denied })))
    assert.equal("needs cr:ListRepositoryTag",
      (hint_of("NoPermission", { AccessDeniedDetail = { PolicyType = "x" } })))
  end)

  it("copes with a description of another form", function()
    for _, denied in ipairs { "text", 5, true, {} } do
      assert.equal("needs cr:ListRepositoryTag",
        (hint_of("NoPermission", { AccessDeniedDetail = denied })))
    end
    local hint = hint_of("NoPermission", {
      AccessDeniedDetail = { AuthAction = 5, AuthPrincipalDisplayName = {} },
    })
    assert.equal("string", type(hint))
  end)

  it("tells the editions of the product apart", function()
    assert.equal("this comes from the Personal Edition API; cr speaks the Enterprise Edition " ..
      'API, which needs an Enterprise instance and its InstanceId "cri-…"',
      (hint_of "USER_NOT_EXIST"))
  end)

  it("tells where to look for an instance", function()
    assert.equal("check InstanceId, and that the instance is in the region of " ..
      "cr.cn-hangzhou.aliyuncs.com", (hint_of "INSTANCE_NOT_EXIST"))
    assert.equal("check InstanceId, and that the instance is in the region of 127.0.0.1:9",
      (hint_of("INSTANCE_NOT_EXIST", nil, { endpoint = "http://127.0.0.1:9" })))
  end)

  it("tells which access key is unknown by its last four characters", function()
    local hint = hint_of "InvalidAccessKeyId.NotFound"
    assert.equal("access key id …rder does not exist: deleted, mistyped, or of another site", hint)
  end)

  it("tells what is the matter with a session", function()
    assert.equal("the session credential has expired; get a new one",
      (hint_of "InvalidSecurityToken.Expired"))
    assert.matches('type = "sts"', (hint_of "MissingSecurityToken"), 1, true)
    assert.matches("sent the request twice", (hint_of "SignatureNonceUsed"), 1, true)
  end)

  it("is absent where nothing is known", function()
    local hint, err = hint_of "SomethingElse"
    assert.is_nil(hint)
    assert.equal("GetRepoTag: SomethingElse (HTTP 403): m. RequestId R", tostring(err))
  end)

  -- The recorder's clock stands at Tue, 05 Nov 2019 03:45:25 GMT.
  for _, code in ipairs { "IllegalTimestamp", "InvalidTimeStamp.Expired" } do
    it("measures the clock for " .. code, function()
      local function clock(date)
        return (hint_of(code, nil, nil, nil, nil, { Date = date }))
      end
      assert.equal("this machine's clock is 3600 s ahead of the server's; set it with NTP",
        clock "Tue, 05 Nov 2019 02:45:25 GMT")
      assert.equal("this machine's clock is 86400 s behind the server's; set it with NTP",
        clock "Wed, 06 Nov 2019 03:45:25 GMT")
      assert.matches("agrees with the server's", clock "Tue, 05 Nov 2019 03:45:25 GMT", 1, true)
      for _, date in ipairs { "nonsense", "" } do
        assert.equal("this machine's clock is off by more than 15 minutes; set it with NTP",
          clock(date))
      end
      assert.equal("this machine's clock is off by more than 15 minutes; set it with NTP",
        (hint_of(code, nil, nil, nil, nil, {})))
    end)
  end

  for _, signature in ipairs { "v3", "v1" } do
    it("tells a wrong secret from a changed request, with " .. signature, function()
      --- The string to sign of a request, made from what was sent.
      local function string_to_sign(request)
        local query = recorder.query(request.url)
        query.Signature = nil
        return cr.sign({
          algorithm = signature == "v1" and "HMAC-SHA1" or nil, method = request.method,
          query = query, headers = request.headers, access_key_id = "i", access_key_secret = "s",
        }).string_to_sign
      end
      local function hint_for(change)
        local client = recorder.client({ function(request)
          return recorder.response(400, cjson.encode {
            Code = "SignatureDoesNotMatch",
            Message = "Specified signature is not matched with our calculation. server string " ..
              "to sign is:" .. change(string_to_sign(request)),
          })
        end }, { signature = signature })
        local _, err = client:get_repo_tag { InstanceId = "a b", RepoId = "c/ü", Tag = "*" }
        return err.hint
      end
      local secret = "the server signed the same text, so the access key secret is wrong for " ..
        "this access key id"
      assert.equal(secret, hint_for(function(text) return text end))
      assert.equal(secret, hint_for(function(text) return " " .. text .. " \n" end))
      assert.equal(secret, hint_for(function(text) return (text:gsub("\n", "\r\n")) end))
      for _, change in ipairs {
        function(text) return text .. "0" end, function(text) return text:sub(1, -2) end,
        function(text) return text:gsub("^.", "x") end,
      } do
        assert.matches("the server signed another text than cr did", hint_for(change), 1, true)
      end
      assert.matches("does not belong to the access key id", hint_for(function() return "" end),
        1, true)
    end)
  end
end)

describe("secrets in answers", function()
  local SECRET = "s3cr+t/k=y&"
  local TOKEN = "CAIS+/token==%~x"

  local function encode(text)
    return fixture.percent_encode(text)
  end

  local forms = {
    SECRET, encode(SECRET), encode(encode(SECRET)), TOKEN, encode(TOKEN), encode(encode(TOKEN)),
  }

  local credentials = {
    type = "sts", access_key_id = "STS.id", access_key_secret = SECRET, security_token = TOKEN,
  }

  local function shown(err)
    for _, form in ipairs(forms) do
      if fixture.shows(err, form) or tostring(err):find(form, 1, true) then
        return form
      end
    end
  end

  local everything = table.concat(forms, " and ")

  it("are masked in the service's message, also percent-encoded once and twice", function()
    local _, err = call(recorder.response(400, cjson.encode {
      Code = "X", Message = "you sent " .. everything .. ", " .. TOKEN .. TOKEN .. "!",
    }), { credentials = credentials })
    assert.is_nil(shown(err))
    assert.equal("you sent *** and *** and *** and *** and *** and ***, ******!", err.message)
  end)

  it("are masked in every other field of the service", function()
    local _, err = call(recorder.response(403, cjson.encode {
      Code = "NoPermission", Message = "m", Recommend = "https://r?t=" .. encode(TOKEN),
      RequestId = "R " .. TOKEN,
      AccessDeniedDetail = {
        AuthAction = "cr:" .. TOKEN, AuthPrincipalDisplayName = TOKEN, More = { SECRET },
      },
    }), { credentials = credentials })
    assert.is_nil(shown(err))
  end)

  it("are masked in an XML error", function()
    local _, err = call(recorder.response(400, "<Error><Code>X</Code><Message>" ..
      TOKEN:gsub("&", "&amp;") .. "</Message></Error>"), { credentials = credentials })
    assert.is_nil(shown(err))
    assert.equal("***", err.message)
  end)

  it("are masked in what a transport says of its failure", function()
    for _, failure in ipairs {
      everything, { code = "Timeout", message = everything }, { message = everything },
      { code = "Odd", message = "m " .. encode(TOKEN) },
    } do
      local _, err = call({ failure = failure }, { credentials = credentials })
      assert.equal("transport", err.kind)
      assert.is_nil(shown(err))
    end
  end)

  it("are masked in a string to sign of V1", function()
    local client = recorder.client({ function(request)
      local query = recorder.query(request.url)
      query.Signature = nil
      return recorder.response(400, cjson.encode {
        Code = "SignatureDoesNotMatch", Message = "server string to sign is:" .. cr.sign({
          algorithm = "HMAC-SHA1", method = "GET", query = query, access_key_secret = "s",
        }).string_to_sign,
      })
    end }, { credentials = credentials, signature = "v1" })
    local _, err = client:get_repo_tag(TAG)
    assert.is_nil(shown(err))
    assert.matches("SecurityToken%%3D%*%*%*%%26", err.message)
    assert.matches("the same text", err.hint, 1, true)
  end)

  it("are masked when they hold what patterns use, or are stars", function()
    for _, secret in ipairs { "%a+%a+", "(.-)+?", "[[[[[[", "%%%%%%", "******", "......" } do
      local key = { type = "access_key", access_key_id = "i", access_key_secret = secret }
      local _, err = call(recorder.response(400, cjson.encode {
        Code = "X", Message = "<" .. secret .. ">",
      }), { credentials = key })
      assert.equal("<***>", err.message)
    end
  end)

  it("are left alone when they are shorter than any real one", function()
    local key = { type = "access_key", access_key_id = "i", access_key_secret = "wrong" }
    local _, err = call(recorder.response(400, '{"Code":"X","Message":"something is wrong"}'),
      { credentials = key })
    assert.equal("something is wrong", err.message)
  end)
end)

describe("a transport of the user", function()
  local function behaves(exchange)
    local client = cr.new {
      region = "cn-hangzhou", credentials = recorder.KEY, max_attempts = 1,
      transport = { exchange = exchange },
    }
    return client:get_repo_tag(TAG)
  end

  it("may fail with nothing, a text or a table", function()
    local cases = {
      { nil, "TransferFailed", "the transport gives no reason" },
      { "cable cut", "TransferFailed", "cable cut" },
      { false, "TransferFailed", "the transport gives no reason" },
      { { code = "Timeout", message = "too slow", sent = true }, "Timeout", "too slow" },
      { { code = "Timeout" }, "Timeout", "Timeout" },
      { { message = "hm" }, "TransferFailed", "hm" },
      { {}, "TransferFailed", "the transport gives no reason" },
      { { code = 7, message = 8 }, "TransferFailed", "8" },
      { 42, "TransferFailed", "42" },
    }
    for i = 1, 9 do
      local case = cases[i]
      local err = fails("transport", case[2], behaves(function() return nil, case[1] end))
      assert.equal(case[3], err.message)
      assert.is_nil(err.http_status)
      assert.equal("GetRepoTag", err.operation)
    end
  end)

  it("must return a response with a status and a body", function()
    for _, response in ipairs {
      "text", 1, true, {}, { status = 200 }, { body = "{}" }, { status = "200", body = "{}" },
      { status = 200, body = {} }, { status = 200, body = 1 },
      { status = 200.5, body = "{}" }, { status = 0 / 0, body = "{}" },
      { status = math.huge, body = "{}" }, { status = 200, body = "{}", info = "text" },
    } do
      local err = fails("transport", "BadTransport", behaves(function() return response end))
      assert.equal("the transport returned no table with an integer status and a string body",
        err.message)
      assert.is_false(err.retryable)
    end
  end)

  it("may leave out headers, or give some of odd types", function()
    for _, headers in ipairs {
      false, "text", 5, {}, { 1, 2 }, { [true] = "x", ["x-acs-request-id"] = 5 },
      { ["x-acs-request-id"] = {} }, { date = false },
    } do
      local answer, err, info = behaves(function()
        return { status = 200, body = "{}", headers = headers or nil }
      end)
      assert.is_table(answer, tostring(err))
      assert.is_nil(info.request_id)
      err = fails("service", "IllegalTimestamp", behaves(function()
        return { status = 400, body = '{"Code":"IllegalTimestamp"}', headers = headers or nil }
      end))
      assert.is_string(tostring(err))
    end
  end)

  it("may give its headers as one block of text", function()
    local block = "HTTP/1.1 400 Bad Request\r\nX-Acs-Request-Id:  R-block \r\nDate: x\r\n\r\n"
    local _, _, info = behaves(function()
      return { status = 200, body = "{}", header_block = block }
    end)
    assert.equal("R-block", info.request_id)
    local err = fails("response", "EmptyBody", behaves(function()
      return { status = 400, body = "", header_block = block }
    end))
    assert.equal("R-block", err.request_id)
    for _, odd in ipairs { "", "\r\n", "no colon", ":", "\0", 5, {} } do
      assert.truthy((behaves(function()
        return { status = 200, body = "{}", header_block = odd }
      end)))
    end
  end)

  it("may give a status as a float", function()
    local _, _, info = behaves(function() return { status = 200.0, body = "{}" } end)
    assert.equal(200, info.http_status)
    local err = fails("service", "Http404", behaves(function()
      return { status = 404.0, body = "{}" }
    end))
    assert.equal("GetRepoTag: Http404 (HTTP 404): the service gives no message.", tostring(err))
  end)

  it("may yield, so that calls of one client overlap without meeting", function()
    local log = {}
    local client = cr.new {
      region = "cn-hangzhou", credentials = recorder.KEY,
      transport = {
        exchange = function(request)
          log[#log + 1] = request
          coroutine.yield()
          if #log <= 6 then -- the first attempt of each
            return recorder.response(500, '{"Code":"Busy"}')
          end
          local name = recorder.query(request.url).InstanceId
          return recorder.response(200, ('{"IsSuccess":true,"Name":"%s"}'):format(name))
        end,
        sleep = function() coroutine.yield() end,
      },
    }
    local threads, answers, running = {}, {}, 6
    for i = 1, 6 do
      local name = ("i%d"):format(i):rep(i * 50)
      threads[i] = coroutine.create(function()
        answers[i] = assert(client:get_instance { InstanceId = name }).Name == name
      end)
    end
    while running > 0 do
      running = 0
      for i = 1, 6 do
        if coroutine.status(threads[i]) ~= "dead" then
          running = running + 1
          assert(coroutine.resume(threads[i]))
        end
      end
    end
    assert.same({ true, true, true, true, true, true }, answers)
    local nonces = {}
    for _, request in ipairs(log) do
      local headers = fixture.copy(request.headers)
      local authorization = headers.authorization
      headers.authorization = nil
      assert.equal(cr.sign({
        method = request.method, query = recorder.query(request.url), headers = headers,
        access_key_id = recorder.KEY.access_key_id,
        access_key_secret = recorder.KEY.access_key_secret,
      }).authorization, authorization)
      assert.is_nil(nonces[headers["x-acs-signature-nonce"]])
      nonces[headers["x-acs-signature-nonce"]] = true
    end
    assert.is_true(#log >= 12)
  end)

  it("that raises is heard by the caller, and the next call works", function()
    local ok, message = pcall(behaves, function() error("a bug in it", 0) end)
    assert.is_false(ok)
    assert.equal("a bug in it", message)
    assert.truthy(judge(200, "{}"))
  end)

  it("has a clock and a sleep of the library when it brings none", function()
    local client = cr.new {
      region = "cn-hangzhou", credentials = recorder.KEY,
      transport = { exchange = function(request)
        return recorder.response(200, cjson.encode { Date = request.headers["x-acs-date"] })
      end },
    }
    -- Not os.date: its clock may be a tick behind this one.
    local before = core.iso8601(math.floor(core.time()))
    local answer = assert(client:get_instance_count())
    assert.is_true(answer.Date >= before)
    assert.is_true(answer.Date <= core.iso8601(math.floor(core.time())))
  end)

  it("that wraps another is asked, whatever else the other can do", function()
    local inner = require "cr.transport.curl" ()
    local asked = 0
    for _, outer in ipairs {
      setmetatable({ exchange = function() asked = asked + 1 return nil, "closed" end },
        { __index = inner }),
      { exchange = function() asked = asked + 1 return nil, "closed" end, send = print },
    } do
      local client = cr.new {
        endpoint = "http://127.0.0.1:1", credentials = recorder.KEY, transport = outer,
        max_attempts = 1,
      }
      local answer, err = client:get_instance_count()
      assert.is_nil(answer)
      assert.equal("closed", err.message)
    end
    assert.equal(2, asked)
  end)

  it("may be an object with inherited functions", function()
    local client = cr.new {
      region = "cn-hangzhou", credentials = recorder.KEY,
      transport = setmetatable({}, { __index = recorder.new() }),
    }
    assert.truthy(client:get_instance_count())
  end)
end)
