--- The HTTP handle (`cr.core`.http) and the curl transport against real sockets.

local core = require "cr.core"
local cr = require "cr"
local child = require "spec.support.child"
local peers = require "spec.support.peer"
local recorder = require "spec.support.recorder"

local LIMIT = 5 -- seconds for an exchange that is going to succeed

local peer, handle

before_each(function()
  handle = assert(core.http())
end)

after_each(function()
  handle:close()
  if peer then
    peer:stop()
    peer = nil
  end
end)

local function start(script)
  peer = peers.start(script)
end

--- One exchange on the handle of the test. The response's header block is read into `headers`.
local function exchange(fields)
  local request = {
    method = "GET", url = peer and peer.url, headers = { accept = "x" }, timeout = LIMIT,
    proxy = "",
  }
  for name, value in pairs(fields or {}) do
    request[name] = value
  end
  local response, failure = handle:exchange(request)
  if response then
    response.headers = core.headers(response.header_block)
  end
  return response, failure
end

--- Serves one connection and sends this text for its first request, then closes it.
local function start_with(text)
  start(([[
    local connection = accept()
    connection:request()
    connection:send(%q)
    connection:close()
  ]]):format(text))
end

local function refused(code, sent, response, failure)
  assert.is_nil(response)
  assert.equal(code, failure.code)
  assert.equal("string", type(failure.message))
  assert.not_equal("", failure.message)
  assert.equal(sent, failure.sent)
  return failure
end

--- What a shell command writes, compressed. The bytes come as numbers because a pipe of Lua 5.1 is
-- in text mode.
local function gzip(command)
  local bytes = {}
  for byte in child.shell(command .. " | gzip -9nc | od -An -v -tu1"):gmatch("%d+") do
    bytes[#bytes + 1] = string.char(tonumber(byte))
  end
  return table.concat(bytes)
end

describe("a response", function()
  it("has status, headers in lower case, body and timings", function()
    start_with("HTTP/1.1 404 Not Found\r\nContent-Type: text/plain\r\nX-Odd:   a b \t\r\n" ..
      "X-Empty:\r\nX-Colon: a:b\r\nContent-Length: 3\r\n\r\na\0b")
    local response = assert(exchange())
    assert.equal(404, response.status)
    assert.same({
      ["content-type"] = "text/plain", ["x-odd"] = "a b", ["x-empty"] = "", ["x-colon"] = "a:b",
      ["content-length"] = "3",
    }, response.headers)
    assert.equal("a\0b", response.body)
    local info = response.info
    assert.is_false(info.connection_reused)
    for _, name in ipairs { "dns", "connect", "tls", "first_byte", "total" } do
      assert.equal("number", type(info[name]))
    end
    assert.equal(0, info.tls)
    assert.is_true(info.total >= info.first_byte)
    assert.is_true(info.first_byte >= info.connect)
    if math.type then
      assert.equal("integer", math.type(response.status))
    end
  end)

  it("joins the values of a header that comes twice", function()
    start_with("HTTP/1.1 200 OK\r\nX-A: 1\r\nx-a: 2\r\nX-A: 3\r\nContent-Length: 0\r\n\r\n")
    assert.equal("1, 2, 3", assert(exchange()).headers["x-a"])
  end)

  it("is the one after those that are interim", function()
    start_with("HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\nHTTP/1.1 103 Early Hints\r\n" ..
      "Link: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Final: 1\r\n\r\n{}")
    local response = assert(exchange())
    assert.equal(200, response.status)
    assert.same({ ["content-length"] = "2", ["x-final"] = "1" }, response.headers)
    assert.equal("{}", response.body)
  end)

  it("may be chunked, and may end with the connection", function()
    start_with("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" ..
      "3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n")
    assert.equal("abcd", assert(exchange()).body)
    peer:stop()
    start_with("HTTP/1.0 200 OK\r\n\r\nto the end")
    assert.equal("to the end", assert(exchange()).body)
  end)

  it("does not read a folded line of a header as a header", function()
    start_with("HTTP/1.1 200 OK\r\nX-A: 1\r\n x-acs-request-id: forged\r\n" ..
      "Content-Length: 0\r\n\r\n")
    local response = exchange()
    if response then
      assert.is_nil(response.headers["x-acs-request-id"])
    end
  end)

  it("is decompressed, and the client says that it can do that", function()
    start(([[
      local zipped = %q
      serve(answer("200 OK", zipped, "Content-Encoding: gzip\r\n"))
    ]]):format(gzip [[printf '{"IsSuccess":true}']]))
    assert.equal('{"IsSuccess":true}', assert(exchange()).body)
    assert.equal("gzip", peer:requests()[1].headers["accept-encoding"])
  end)
end)

describe("a request", function()
  before_each(function()
    start 'serve(answer("200 OK", "{}"))'
  end)

  it("has exactly the headers given, and Host and Accept-Encoding", function()
    assert(exchange { headers = {
      accept = "application/json", ["X-Acs-Action"] = "A", authorization = "a=b,c=d",
      ["user-agent"] = "spec",
    } })
    local request = peer:requests()[1]
    assert.equal("GET / HTTP/1.1", request.line)
    table.sort(request.headers)
    local names = {}
    for index, name in ipairs(request.headers) do
      names[index] = name:lower()
    end
    table.sort(names)
    assert.same({ "accept", "accept-encoding", "authorization", "host", "user-agent",
      "x-acs-action" }, names)
    assert.equal(peer.address, request.headers.host)
    assert.equal("a=b,c=d", request.headers.authorization)
    assert.equal("spec", request.headers["user-agent"])
  end)

  it("has none of libcurl's own headers", function()
    assert(exchange { method = "POST", headers = {} })
    local request = peer:requests()[1]
    assert.is_nil(request.headers["user-agent"])
    assert.is_nil(request.headers["content-type"])
    assert.is_nil(request.headers.expect)
    assert.is_nil(request.headers.accept)
  end)

  it("has the host header that was signed", function()
    assert(exchange { headers = { host = "cr.cn-hangzhou.aliyuncs.com" } })
    assert.equal("cr.cn-hangzhou.aliyuncs.com", peer:requests()[1].headers.host)
  end)

  it("by POST without a body has a length of 0 and no content type", function()
    assert(exchange { method = "POST" })
    local request = peer:requests()[1]
    assert.equal("POST / HTTP/1.1", request.line)
    assert.equal("0", request.headers["content-length"])
    assert.is_nil(request.headers["content-type"])
    assert.is_nil(request.headers.expect)
    assert.is_nil(request.headers["transfer-encoding"])
  end)

  it("by GET has no length", function()
    assert(exchange { method = "GET" })
    assert.is_nil(peer:requests()[1].headers["content-length"])
  end)

  it("carries a body as it is, with the content type that is given", function()
    assert(exchange { method = "POST", body = "a=\0&b", headers = {
      ["Content-Type"] = "application/x-www-form-urlencoded",
    } })
    local request = peer:requests()[1]
    assert.equal("a=\0&b", request.body)
    assert.equal("5", request.headers["content-length"])
    assert.equal("application/x-www-form-urlencoded", request.headers["content-type"])
  end)

  it("carries a large body at once, without asking first", function()
    local body = ("0123456789"):rep(200000)
    assert(exchange { method = "POST", body = body })
    local request = peer:requests()[1]
    assert.equal(body, request.body)
    assert.is_nil(request.headers.expect)
  end)

  it("may be by PUT", function()
    assert(exchange { method = "PUT", body = "x" })
    assert.equal("PUT / HTTP/1.1", peer:requests()[1].line)
    assert.equal("x", peer:requests()[1].body)
  end)

  it("is a GET again after a POST on the same handle, and the other way round", function()
    assert(exchange { method = "POST", body = "x" })
    assert(exchange { method = "GET" })
    assert(exchange { method = "POST" })
    assert(exchange { method = "PUT", body = "y" })
    assert(exchange { method = "GET" })
    local lines = {}
    for index, request in ipairs(peer:requests()) do
      lines[index] = request.line:match("^%u+") .. " " ..
        tostring(request.headers["content-length"]) .. " " .. request.body
    end
    assert.same({ "POST 1 x", "GET nil ", "POST 0 ", "PUT 1 y", "GET nil " }, lines)
  end)

  it("does not carry headers of the one before", function()
    assert(exchange { headers = { ["x-acs-security-token"] = "t" } })
    assert(exchange { headers = { accept = "y" } })
    assert.is_nil(peer:requests()[2].headers["x-acs-security-token"])
  end)

  it("keeps a header without a value", function()
    assert(exchange { headers = { ["x-acs-empty"] = "" } })
    assert.equal("", peer:requests()[1].headers["x-acs-empty"])
  end)

  it("keeps a header whose value ends in a semicolon or begins with one", function()
    assert(exchange { headers = { ["x-acs-a"] = ";", ["x-acs-b"] = "a;" } })
    assert.equal(";", peer:requests()[1].headers["x-acs-a"])
    assert.equal("a;", peer:requests()[1].headers["x-acs-b"])
  end)

  it("has its URL sent byte for byte", function()
    for _, rest in ipairs { "?a=%2F&b=", "?a=%00%FF", "a.b", "?a=.%2E/../", "a//b" } do
      local before = #peer:requests()
      assert(exchange { url = peer.url .. rest })
      assert.equal("GET /" .. rest .. " HTTP/1.1", peer:requests()[before + 1].line)
    end
  end)

  it("may have 64 headers and no more", function()
    local headers = {}
    for i = 1, 64 do
      headers["x-h" .. i] = "v"
    end
    assert(exchange { headers = headers })
    assert.equal("v", peer:requests()[1].headers["x-h64"])
    headers.more = "v"
    assert.error_matches(function() exchange { headers = headers } end, "at most 64 strings")
  end)

  it("may have a long token in a header, up to 64 KiB in a line", function()
    assert(exchange { headers = { ["x-acs-security-token"] = ("t"):rep(16384) } })
    assert.equal(16384, #peer:requests()[1].headers["x-acs-security-token"])
    refused("OutOfMemory", false, exchange { headers = { a = ("t"):rep(65536) } })
    assert(exchange())
  end)
end)

describe("what could forge a request", function()
  it("is refused in header names and values before anything is sent", function()
    start 'serve(answer("200 OK", "{}"))'
    for _, headers in ipairs {
      { a = "b\r\nc: d" }, { a = "b\n" }, { a = "\r" }, { a = "b\0c" }, { ["a\r\nb"] = "c" },
      { ["a\n"] = "b" }, { ["a\0"] = "b" }, { ["a: b\r\nc"] = "d" }, { ["a:"] = "b" },
      { [""] = "b" }, { ok = "1", bad = "\n" },
    } do
      refused("InvalidHeader", false, exchange { headers = headers })
    end
    assert(exchange())
    assert.equal(1, #peer:requests())
  end)

  it("is refused in the URL", function()
    start 'serve(answer("200 OK", "{}"))'
    for _, rest in ipairs { "a b", "?a=b\r\nc: d", "?a=\n", "?\r", "a\tb", "?\1", "?\127" } do
      local response, failure = exchange { url = peer.url .. rest }
      assert.is_nil(response, rest)
      assert.equal("InvalidUrl", failure.code)
      assert.is_false(failure.sent)
    end
    assert.equal(0, #peer:requests())
  end)

  it("is refused in the method", function()
    start 'serve(answer("200 OK", "{}"))'
    for _, method in ipairs {
      "GET / HTTP/1.1\r\nX: y\r\n\r\n", "GET\n", "", "G T", "get", "GET\t", "GÄT",
    } do
      refused("InvalidMethod", false, exchange { method = method })
    end
    assert.equal(0, #peer:requests())
  end)

  it("is refused as a NUL in any text field", function()
    start 'serve(answer("200 OK", "{}"))'
    for _, name in ipairs { "method", "url", "ca_file", "ca_path", "proxy" } do
      assert.error_matches(function()
        exchange { [name] = "a\0b" }
      end, "field " .. name .. " must not hold a NUL byte")
    end
  end)
end)

describe("a URL", function()
  it("must be http or https", function()
    for _, url in ipairs {
      "file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1/", "dict://127.0.0.1/",
      "telnet://127.0.0.1", "smtp://127.0.0.1", "ldap://127.0.0.1", "scp://127.0.0.1/x",
      "ws://127.0.0.1/", "unknown://127.0.0.1/",
    } do
      refused("InvalidUrl", false, exchange { url = url })
    end
  end)

  it("must be one", function()
    for _, url in ipairs { "", "http://", "http://[::1", "http://127.0.0.1:99999/" } do
      refused("InvalidUrl", false, exchange { url = url })
    end
  end)
end)

describe("a connection", function()
  it("is reused while the peer keeps it", function()
    start 'serve(answer("200 OK", "{}"))'
    local reused = {}
    for i = 1, 4 do
      local response = assert(exchange { method = i % 2 == 0 and "GET" or "POST" })
      reused[i] = response.info.connection_reused
    end
    assert.same({ false, true, true, true }, reused)
    for _, request in ipairs(peer:requests()) do
      assert.equal(1, request.connection)
    end
  end)

  it("is made anew when the peer has closed the old one", function()
    start [[
      for i = 1, 3 do
        local connection = accept()
        connection:request()
        connection:send(answer("200 OK", tostring(i)))
        connection:close()
        note("closed " .. i)
      end
    ]]
    for i = 1, 3 do
      local response = assert(exchange { method = "POST" })
      assert.equal(tostring(i), response.body)
      assert.is_false(response.info.connection_reused)
      repeat until peer:log():find("closed " .. i, 1, true) -- the end has reached our side too
    end
    assert.equal(3, #peer:requests())
  end)

  it("is closed when the peer says so", function()
    start [[
      serve(function(_, _, number)
        return answer("200 OK", tostring(number), "Connection: close\r\n")
      end)
    ]]
    assert.equal("1", assert(exchange()).body)
    assert.equal("2", assert(exchange()).body)
  end)

  it("is not reused after an answer that was cut off by a limit", function()
    start [[
      local first = accept()
      first:request()
      first:send(answer("200 OK", ("x"):rep(100000)))
      local second = accept()
      second:request()
      second:send(answer("200 OK", "fresh"))
    ]]
    refused("ResponseTooLarge", true, exchange { max_response_bytes = 1000 })
    assert.equal("fresh", assert(exchange()).body)
  end)

  it("survives many exchanges of different sizes", function()
    start [[
      serve(function(head)
        local size = tonumber(head:match("?(%d+)"))
        return answer("200 OK", ("x"):rep(size))
      end)
    ]]
    for _, size in ipairs { 0, 1, 1023, 1024, 1025, 70000, 0, 300000, 5 } do
      local response = assert(exchange { url = peer.url .. "?" .. size })
      assert.equal(size, #response.body)
    end
    assert.equal(1, peer:requests()[9].connection)
  end)
end)

describe("the size of an answer", function()
  it("is capped at max_response_bytes, with and without a declared length", function()
    start [[
      serve(function(head)
        local body = ("x"):rep(tonumber(head:match("?%a(%d+)")))
        if head:find("?c", 1, true) then
          return ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n")
            :format(#body, body)
        end
        return answer("200 OK", body)
      end)
    ]]
    for _, kind in ipairs { "l", "c" } do
      for _, limit in ipairs { 1, 100, 5000, 100000 } do
        local function get(size)
          return exchange { url = peer.url .. "?" .. kind .. size, max_response_bytes = limit }
        end
        assert.equal(limit, #assert(get(limit)).body)
        local failure = refused("ResponseTooLarge", true, get(limit + 1))
        assert.equal("the answer is larger than max_response_bytes", failure.message)
      end
    end
  end)

  it("is capped after decompression", function()
    local bomb = gzip "head -c 1048576 /dev/zero"
    assert.is_true(#bomb < 2000)
    start(([[
      local zipped = %q
      serve(answer("200 OK", zipped, "Content-Encoding: gzip\r\n"))
    ]]):format(bomb))
    refused("ResponseTooLarge", true, exchange { max_response_bytes = 1048575 })
    assert.equal(1048576, #assert(exchange { max_response_bytes = 1048576 }).body)
  end)

  it("is 16 MiB where nothing is said", function()
    start [[
      serve(function(head)
        return answer("200 OK", ("x"):rep(16 * 1024 * 1024 + tonumber(head:match("?(%d+)"))))
      end)
    ]]
    assert.equal(16 * 1024 * 1024, #assert(exchange { url = peer.url .. "?0" }).body)
    refused("ResponseTooLarge", true, exchange { url = peer.url .. "?1" })
  end)

  it("counts its headers: 200 of them are read, more are not", function()
    start [[
      serve(function(head)
        local lines = {}
        for i = 1, tonumber(head:match("?(%d+)")) - 1 do
          lines[i] = "X-" .. i .. ": v\r\n"
        end
        return answer("200 OK", "{}", table.concat(lines))
      end)
    ]]
    for _, count in ipairs { 50, 190, 200 } do
      local response = assert(exchange { url = peer.url .. "?" .. count })
      local read = 0
      for _ in pairs(response.headers) do
        read = read + 1
      end
      assert.equal(count, read)
    end
    for _, count in ipairs { 201, 1000 } do
      local failure = refused("ResponseTooLarge", true, exchange { url = peer.url .. "?" .. count })
      assert.equal("the answer has more than 64 KiB or 200 headers", failure.message)
    end
  end)

  it("counts the headers of each interim answer by themselves", function()
    local lines = {}
    for i = 1, 150 do
      lines[i] = "X-" .. i .. ": v\r\n"
    end
    lines = table.concat(lines)
    start_with("HTTP/1.1 103 Early Hints\r\n" .. lines .. "\r\nHTTP/1.1 200 OK\r\n" .. lines ..
      "Content-Length: 2\r\n\r\n{}")
    assert.equal("{}", assert(exchange()).body)
  end)

  it("counts the bytes of its headers: 64 KiB at most", function()
    start [[
      serve(function(head)
        local size = tonumber(head:match("?(%d+)"))
        local lines = {}
        for i = 1, 20 do
          lines[i] = ("X-%d: %s\r\n"):format(i, ("v"):rep(math.floor(size / 20)))
        end
        return answer("200 OK", "{}", table.concat(lines))
      end)
    ]]
    assert(exchange { url = peer.url .. "?60000" })
    refused("ResponseTooLarge", true, exchange { url = peer.url .. "?70000" })
    refused("ResponseTooLarge", true, exchange { url = peer.url .. "?90000" })
    assert(exchange { url = peer.url .. "?100" })
  end)
end)

describe("a failure", function()
  it("to connect is ConnectFailed, and nothing was sent", function()
    local port = assert(core.free_port())
    refused("ConnectFailed", false, exchange { url = "http://127.0.0.1:" .. port .. "/" })
  end)

  it("to resolve a name is ResolveFailed, and nothing was sent", function()
    -- RFC 6761: a resolver answers "no such name" for .invalid without asking anybody
    refused("ResolveFailed", false, exchange { url = "http://no-such-host.invalid/" })
  end)

  it("to reach the proxy is told apart", function()
    local port = assert(core.free_port())
    local failure = refused("ConnectFailed", false, exchange {
      url = "http://127.0.0.1:1/", proxy = "http://127.0.0.1:" .. port,
    })
    assert.matches(tostring(port), failure.message, 1, true)
    refused("ProxyFailed", false, exchange {
      url = "http://127.0.0.1:1/", proxy = "http://no-such-proxy.invalid:3128",
    })
  end)

  it("to get an answer in time is Timeout, after the request was sent", function()
    start [[
      local connection = accept()
      connection:request()
      accept()
    ]]
    refused("Timeout", true, exchange { timeout = 0.5 })
    assert.equal(1, #peer:requests())
  end)

  it("to get the whole answer in time is Timeout too", function()
    start [[
      local connection = accept()
      connection:request()
      connection:send "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
      accept()
    ]]
    refused("Timeout", true, exchange { timeout = 0.5 })
  end)

  it("to agree on TLS in time is Timeout, and nothing was sent", function()
    start [[
      local connection = accept()
      accept()
    ]]
    refused("Timeout", false, exchange {
      url = "https://" .. peer.address .. "/", connect_timeout = 0.5,
    })
  end)

  it("of the peer before its answer is ConnectionClosed", function()
    start [[
      local connection = accept()
      connection:request()
      connection:close()
    ]]
    refused("ConnectionClosed", true, exchange())
  end)

  it("of the peer by a reset is ConnectionClosed", function()
    start [[
      local connection = accept()
      connection:request()
      connection:reset()
    ]]
    refused("ConnectionClosed", true, exchange())
  end)

  it("within the headers is ConnectionClosed or half an answer, never a success", function()
    start_with "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Half"
    local response, failure = exchange()
    assert.is_nil(response)
    assert.is_true(failure.sent)
  end)

  it("within the body is TruncatedBody", function()
    start_with "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf"
    refused("TruncatedBody", true, exchange())
    peer:stop()
    start_with "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nhalf"
    refused("TruncatedBody", true, exchange())
    peer:stop()
    start_with "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"
    refused("TruncatedBody", true, exchange())
  end)

  it("to speak HTTP is BadHttp", function()
    start_with "hello, this is HTTP/0.9\r\n"
    refused("BadHttp", true, exchange())
  end)

  it("to speak sense in HTTP is BadHttp", function()
    for _, text in ipairs {
      "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
      "HTTP/1.1 abc OK\r\nContent-Length: 2\r\n\r\n{}",
      "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain",
    } do
      start_with(text)
      refused("BadHttp", true, exchange())
      peer:stop()
      peer = nil
    end
  end)

  it("to speak TLS is TlsHandshakeFailed, and nothing was sent", function()
    start [[
      local connection = accept()
      connection:send "HTTP/1.1 400 Bad Request\r\n\r\n"
      connection:close()
    ]]
    refused("TlsHandshakeFailed", false, exchange { url = "https://" .. peer.address .. "/" })
  end)

  it("over a proxy does not quote the proxy's password", function()
    for _, proxy in ipairs { "htp://user:hunter2@127.0.0.1:1", "http://user:hunter2@:x:" } do
      local response, failure = exchange { url = "http://127.0.0.1:1/", proxy = proxy }
      assert.is_nil(response)
      assert.is_nil(failure.message:find("hunter2", 1, true), failure.message)
    end
  end)

  it("leaves the handle usable", function()
    start [[
      local first = accept()
      first:request()
      first:close()
      serve(answer("200 OK", "{}"))
    ]]
    refused("ConnectionClosed", true, exchange())
    assert.equal("{}", assert(exchange()).body)
  end)

  it("has a short text without the URL's parameters", function()
    local port = assert(core.free_port())
    local failure = refused("ConnectFailed", false, exchange {
      url = "http://127.0.0.1:" .. port .. "/?SecurityToken=hunter2",
    })
    assert.is_nil(failure.message:find("hunter2", 1, true))
    assert.is_true(#failure.message < 320)
  end)
end)

describe("a redirect", function()
  it("is an answer and is not followed", function()
    start [[
      serve(answer("302 Found", "", "Location: /elsewhere\r\n"))
    ]]
    local response = assert(exchange())
    assert.equal(302, response.status)
    assert.equal("/elsewhere", response.headers.location)
    assert.equal(1, #peer:requests())
  end)
end)

describe("a connection that the peer drops in use", function()
  it("is a failure, not another request of libcurl's own with the same nonce", function()
    start [[
      local first = accept()
      first:request()
      first:send(answer("200 OK", "1"))
      first:request()
      first:close()
      accept():close() -- libcurl's second try, stopped before its request
      local third = accept()
      third:request()
      third:send(answer("200 OK", "2"))
    ]]
    assert.equal("1", assert(exchange()).body)
    refused("ConnectionClosed", true, exchange { method = "POST" })
    assert.equal("2", assert(exchange()).body)
    assert.equal(3, #peer:requests())
  end)
end)

describe("the handle", function()
  it("may be closed more than once, and is of no use then", function()
    handle:close()
    handle:close()
    assert.error_matches(function() exchange { url = "http://127.0.0.1/" } end,
      "the handle is closed")
  end)

  it("is collected with an open connection", function()
    start 'serve(answer("200 OK", "{}"))'
    local reference = setmetatable({}, { __mode = "v" })
    do
      local other = assert(core.http())
      reference[1] = other
      assert(other:exchange { method = "GET", url = peer.url, proxy = "" })
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(reference[1])
  end)

  it("refuses requests of the wrong form", function()
    for _, request in ipairs {
      { method = 1 }, { url = 1 }, { headers = 1 }, { headers = { 1 } }, { headers = { a = 1 } },
      { body = 1 }, { timeout = 0 }, { timeout = -1 }, { timeout = "1" }, { timeout = 0 / 0 },
      { connect_timeout = 0 }, { max_response_bytes = 0 }, { ca_file = true }, { proxy = {} },
    } do
      request.url = request.url or "http://127.0.0.1:1/"
      assert.has_error(function() exchange(request) end)
    end
    assert.has_error(function() handle:exchange() end)
    assert.has_error(function() handle:exchange {} end)
    assert.has_error(function() handle:exchange { method = "GET" } end)
    assert.has_error(function() handle.exchange({}, {}) end)
    assert.has_error(function() handle.exchange(io.stdout, {}) end)
    assert.has_error(function() handle.close() end)
  end)

  it("is one of many, with connections of their own", function()
    start [[
      local first, second = accept(), nil
      first:request()
      first:send(answer("200 OK", "1"))
      second = accept()
      second:request()
      second:send(answer("200 OK", "2"))
      first:request()
      first:send(answer("200 OK", "1 again"))
      accept()
    ]]
    local other = assert(core.http())
    assert.equal("1", assert(exchange()).body)
    assert.equal("2", assert(other:exchange {
      method = "GET", url = peer.url, timeout = LIMIT, proxy = "",
    }).body)
    assert.equal("1 again", assert(exchange()).body)
    other:close()
  end)
end)

describe("a proxy", function()
  it("gets plain http requests with the whole URL", function()
    start 'serve(answer("200 OK", "proxied"))'
    assert.equal("proxied", assert(exchange {
      url = "http://cr.cn-hangzhou.aliyuncs.com/?a=b", proxy = "http://" .. peer.address,
    }).body)
    assert.equal("GET http://cr.cn-hangzhou.aliyuncs.com/?a=b HTTP/1.1", peer:requests()[1].line)
  end)

  it("gets a CONNECT for https, without any header of the request", function()
    start [[
      local connection = accept()
      connection:request()
      connection:send "HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"
      connection:close()
    ]]
    refused("ProxyFailed", false, exchange {
      url = "https://cr.cn-hangzhou.aliyuncs.com/?a=b", proxy = "http://" .. peer.address,
      headers = { authorization = "signature", ["x-acs-security-token"] = "token" },
    })
    local request = peer:requests()[1]
    assert.equal("CONNECT cr.cn-hangzhou.aliyuncs.com:443 HTTP/1.1", request.line)
    assert.is_nil(request.headers.authorization)
    assert.is_nil(request.headers["x-acs-security-token"])
  end)

  it("of the environment is used when none is configured, and not when it is empty", function()
    start 'serve(answer("200 OK", "proxied"))'
    local code = [[
      local handle = require("cr.core").http()
      local response, failure = handle:exchange {
        method = "GET", url = "http://no-such-host.invalid/", proxy = %s, timeout = 5,
      }
      io.write(response and response.body or failure.code)
    ]]
    local environment = { http_proxy = "http://" .. peer.address, no_proxy = false,
      NO_PROXY = false }
    assert.equal("proxied", (child.lua(code:format "nil", environment)))
    assert.equal("ResolveFailed", (child.lua(code:format '""', environment)))
  end)
end)

describe("TLS", function()
  local folder, nginx, port

  local function shell(command)
    local output, ok = child.shell(("cd %s && %s"):format(child.quote(folder), command))
    assert(ok, command .. "\n" .. output)
  end

  --- A certificate authority and a certificate of it for the name and the address of this machine.
  local function make_authority(name)
    shell(([[
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 \
        -subj "/CN=authority %s" -keyout %s-ca.key -out %s-ca.pem &&
      openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
        -subj "/CN=localhost" -keyout %s.key -out %s.csr &&
      printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > %s.ext &&
      openssl x509 -req -in %s.csr -CA %s-ca.pem -CAkey %s-ca.key -CAcreateserial -days 2 \
        -extfile %s.ext -out %s.pem]]):gsub("%%s", name))
  end

  setup(function()
    folder = child.new_folder()
    make_authority "good"
    make_authority "other"
    port = assert(core.free_port())
    local configuration = [[
      daemon off;
      worker_processes 1;
      pid nginx.pid;
      error_log error.log;
      events { worker_connections 64; }
      http {
        access_log off;
        client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
        uwsgi_temp_path uwsgi; scgi_temp_path scgi;
        server {
          listen 127.0.0.1:PORT ssl;
          listen 127.0.0.2:PORT ssl;
          ssl_certificate good.pem;
          ssl_certificate_key good.key;
          keepalive_timeout 60s;
          location / { return 200 "$connection"; }
        }
      }
    ]]
    child.write(folder .. "/nginx.conf", (configuration:gsub("PORT", port)))
    nginx = child.start(("nginx -p %s -c nginx.conf 2>&1"):format(child.quote(folder .. "/")))
    -- It listens when a connection succeeds; until then it is tried again.
    local socket = require "socket"
    for _ = 1, 500 do
      local tcp = socket.connect("127.0.0.1", port)
      if tcp then
        tcp:close()
        return
      end
      socket.sleep(0.01)
    end
    error "nginx did not start"
  end)

  teardown(function()
    if nginx then
      nginx.stop()
    end
    child.remove_folder(folder)
  end)

  local function get(fields, host)
    fields.url = ("https://%s:%d/"):format(host or "127.0.0.1", port)
    return exchange(fields)
  end

  local function good()
    return { ca_file = folder .. "/good-ca.pem" }
  end

  it("works with the authority that is given, by address and by name", function()
    local response = assert(get(good()))
    assert.equal(200, response.status)
    assert.is_true(response.info.tls > 0)
    assert.equal(200, assert(get(good(), "localhost")).status)
  end)

  it("keeps the connection alive", function()
    local first = assert(get(good()))
    local second = assert(get(good()))
    assert.is_false(first.info.connection_reused)
    assert.is_true(second.info.connection_reused)
    assert.equal(first.body, second.body)
  end)

  it("fails without the authority, and nothing was sent", function()
    refused("TlsFailed", false, get {})
    refused("TlsFailed", false, get { ca_file = folder .. "/other-ca.pem" })
  end)

  it("trusts per call: what one call trusts the next one does not", function()
    local first = assert(get(good()))
    refused("TlsFailed", false, get {})
    refused("TlsFailed", false, get { ca_file = folder .. "/other-ca.pem" })
    local again = assert(get(good()))
    assert.equal(first.status, again.status)
    refused("TlsFailed", false, get {})
    refused("TlsFailed", false, get {})
    assert(get(good()))
  end)

  it("trusts per call with a folder of authorities too", function()
    shell "mkdir -p authorities && cp good-ca.pem authorities && openssl rehash authorities"
    local path = folder .. "/authorities"
    assert(get { ca_path = path })
    refused("TlsFailed", false, get {})
    refused("TlsFailed", false, get { ca_path = folder })
    assert(get { ca_path = path })
  end)

  it("does what it always does after a switch of authorities", function()
    assert(get(good()))
    refused("TlsFailed", false, get {})
    -- the fixed options are set anew after the switch
    start [[
      serve(answer("302 Found", "", "Location: /elsewhere\r\n"))
    ]]
    local response = assert(exchange { headers = { accept = "x" } })
    assert.equal(302, response.status)
    refused("InvalidUrl", false, exchange { url = "file:///etc/passwd" })
    assert.equal("gzip", peer:requests()[1].headers["accept-encoding"])
  end)

  it("fails for a name that the certificate does not have", function()
    local failure = refused("TlsFailed", false, get(good(), "127.0.0.2"))
    assert.equal("string", type(failure.message))
  end)

  it("fails with a file that is missing or holds no certificate", function()
    refused("TlsFailed", false, get { ca_file = folder .. "/missing.pem" })
    refused("TlsFailed", false, get { ca_file = folder .. "/nginx.conf" })
    assert(get(good()))
  end)

  it("failures get a hint from the client", function()
    local client = cr.new {
      endpoint = "https://127.0.0.1:" .. port, credentials = recorder.KEY, proxy = "",
      max_attempts = 1,
    }
    local answer, err = client:get_instance_count()
    assert.is_nil(answer)
    assert.equal("TlsFailed", err.code)
    assert.is_false(err.retryable)
    assert.matches("ca_file", err.hint, 1, true)
    answer, err = client:get_instance_count({}, { ca_file = folder .. "/good-ca.pem" })
    assert.is_nil(answer)
    assert.equal("response", err.kind) -- the peer answers with a number
    client:close()
  end)
end)

describe("the curl transport under a client", function()
  local function client_of(config)
    local settings = {
      endpoint = "http://" .. peer.address, credentials = recorder.KEY, proxy = "",
      max_attempts = 1,
    }
    for name, value in pairs(config or {}) do
      settings[name] = value
    end
    return cr.new(settings)
  end

  it("reuses its connection across calls, and says so", function()
    start [[serve(answer("200 OK", '{"IsSuccess":true}', "x-acs-request-id: R-1\r\n"))]]
    local client = client_of()
    local reused = {}
    for i = 1, 3 do
      local _, err, info = client:get_instance_count()
      assert.is_nil(err)
      reused[i] = info.connection_reused
      assert.equal("R-1", info.request_id)
      assert.is_true(info.total >= 0)
    end
    assert.same({ false, true, true }, reused)
    client:close()
    client:close()
    local _, _, info = client:get_instance_count()
    assert.is_false(info.connection_reused)
    client:close()
  end)

  it("sends a GET and a POST as they are signed", function()
    start [[serve(answer("200 OK", '{"IsSuccess":true}'))]]
    local client = client_of { user_agent = "spec/1" }
    assert(client:get_repo_tag { InstanceId = "i", RepoId = "ä", Tag = "" })
    assert(client:get_instance { InstanceId = "i" })
    local get, post = peer:requests()[1], peer:requests()[2]
    assert.equal("GET /?InstanceId=i&RepoId=%C3%A4&Tag= HTTP/1.1", get.line)
    assert.equal("POST /?InstanceId=i HTTP/1.1", post.line)
    assert.equal("0", post.headers["content-length"])
    for _, request in ipairs { get, post } do
      assert.equal(peer.address, request.headers.host)
      assert.equal("spec/1", request.headers["user-agent"])
      assert.equal("application/json", request.headers.accept)
      local result = cr.sign {
        method = request.line:match("^%u+"), query = recorder.query(request.line:match(" (%S+) ")),
        headers = {
          host = request.headers.host,
          ["x-acs-action"] = request.headers["x-acs-action"],
          ["x-acs-version"] = request.headers["x-acs-version"],
          ["x-acs-date"] = request.headers["x-acs-date"],
          ["x-acs-signature-nonce"] = request.headers["x-acs-signature-nonce"],
          ["x-acs-content-sha256"] = request.headers["x-acs-content-sha256"],
        },
        access_key_id = recorder.KEY.access_key_id,
        access_key_secret = recorder.KEY.access_key_secret,
      }
      assert.equal(result.authorization, request.headers.authorization)
      local names = {}
      for index, name in ipairs(request.headers) do
        names[index] = name:lower()
      end
      table.sort(names)
      local expected = {
        "accept", "accept-encoding", "authorization", "host", "user-agent", "x-acs-action",
        "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version",
      }
      if request == post then
        table.insert(expected, 4, "content-length")
      end
      assert.same(expected, names)
    end
    client:close()
  end)

  it("keeps to the configured limit of an answer, and names it", function()
    start [[serve(answer("200 OK", '{"IsSuccess":true,"Pad":"' .. ("x"):rep(1000) .. '"}'))]]
    local client = client_of { max_response_bytes = 1000 }
    local answer, err = client:get_instance_count()
    assert.is_nil(answer)
    assert.equal("ResponseTooLarge", err.code)
    assert.equal("the limit max_response_bytes is 1000", err.hint)
    assert.is_false(err.retryable)
    assert(client:get_instance_count({}, { max_response_bytes = 2000 }))
    client:close()
  end)

  it("makes one error of a connection that is refused", function()
    start "accept()"
    local port = assert(core.free_port())
    local client = client_of { endpoint = "http://127.0.0.1:" .. port }
    local answer, err = client:delete_namespace { InstanceId = "i", NamespaceName = "n" }
    assert.is_nil(answer)
    assert.equal("transport", err.kind)
    assert.equal("ConnectFailed", err.code)
    assert.equal("check endpoint, firewall and proxy", err.hint)
    assert.is_true(err.retryable)
    assert.matches("^DeleteNamespace: ConnectFailed: ", tostring(err))
    client:close()
  end)

  it("may be used by two clients at once", function()
    start [[serve(answer("200 OK", '{"IsSuccess":true}', "Connection: close\r\n"))]]
    local one, two = client_of(), client_of()
    for _ = 1, 3 do
      assert(one:get_instance_count())
      assert(two:get_instance_count())
    end
    one:close()
    two:close()
  end)
end)
