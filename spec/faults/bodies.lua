--- Faults of what an answer holds: encodings, JSON, statuses, redirects, leftovers.

local faults = require "spec.support.faults"

local OK = "HTTP/1.1 200 OK\r\n"
local BODY = '{"IsSuccess":true,"Code":"success","RequestId":"R"}'
local MEBIBYTE = 1024 * 1024

local rows = {}

local function add(common, list)
  faults.add(rows, common, list)
end

local function answer(body, headers, status)
  return ("HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n"):format(status or "200 OK", #body,
    headers or "") .. body
end

-- For the peer: the body is what a command writes.
local PIPE = [[
  local function output(command)
    local pipe = io.popen(command)
    local text = pipe:read "*a"
    pipe:close()
    return text
  end
  local BODY = ]] .. ("%q"):format(BODY) .. [[

  local function zip(text, times)
    local command = "printf '%s' '" .. text .. "'"
    for i = 1, times or 1 do
      command = command .. " | gzip -c"
    end
    return output(command)
  end
  local function encoded(encoding, body)
    return answer("200 OK", body, "Content-Encoding: " .. encoding .. "\r\n")
  end
]]

local function encoded(encoding, body)
  return ("connection:send(encoded(%q, %s)) return true"):format(encoding, body)
end

add({ before = PIPE, bound = "at once", gets = "BadHttp" }, {
  { name = "gzip announced, plain body", fault = encoded("gzip", "BODY") },
  { name = "gzip cut off", kind = "response", gets = "NotJson", status = 200,
    fault = encoded("gzip", "zip(BODY):sub(1, 40)") },
  { name = "gzip with a wrong checksum",
    fault = encoded("gzip", "zip(BODY):sub(1, -9) .. '\\1\\2\\3\\4\\5\\6\\7\\8'") },
  { name = "gzip with bytes behind it", fault = encoded("gzip", "zip(BODY) .. 'garbage'") },
  { name = "gzip header, then garbage",
    fault = encoded("gzip", "'\\31\\139\\8\\0\\0\\0\\0\\0\\0\\3' .. ('\\255'):rep(50)") },
  { name = "deflate announced unasked, plain body", fault = encoded("deflate", "BODY") },
  { name = "br announced unasked, plain body", fault = encoded("br", "BODY") },
  { name = "zstd announced unasked, plain body", fault = encoded("zstd", "BODY") },
  { name = "unknown encoding", fault = encoded("x-lies", "BODY") },
  { name = "gzip six times over",
    fault = encoded("gzip, gzip, gzip, gzip, gzip, gzip", "zip(BODY, 6)") },
  { name = "gzip twice, announced twice", gets = "answer",
    fault = encoded("gzip, gzip", "zip(BODY, 2)") },
  { name = "gzip twice, announced once", kind = "response", gets = "NotJson", status = 200,
    fault = encoded("gzip", "zip(BODY, 2)") },
  { name = "gzip not announced", kind = "response", gets = "NotJson", status = 200,
    fault = "connection:send(answer('200 OK', zip(BODY))) return true" },
  { name = "deflate unasked", gets = "answer",
    fault = encoded("deflate", "zip(BODY):sub(11, -9)") },
})

-- The peer compresses while it sends: it would send all of it to a client that wants it.
local BOMB = [[
  local pipe = io.popen "head -c %d /dev/zero 2>/dev/null | gzip -1c%s 2>/dev/null"
  connection:send "HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\n\r\n"
  repeat
    local piece = pipe:read(4096)
  until not piece or not connection:send(piece)
  pipe:close()
]]

add({ bound = "`max_response_bytes`", gets = "ResponseTooLarge",
    config = { max_response_bytes = MEBIBYTE } }, {
  { name = "gzip bomb of 1 GiB", fault = BOMB:format(2 ^ 30, "", "gzip") },
  { name = "gzip bomb of 64 MiB within gzip",
    fault = BOMB:format(2 ^ 26, " 2>/dev/null | gzip -1c", "gzip, gzip") },
})

local function json(name, text, more)
  more = more or {}
  more.name, more.after = name, "keep"
  more.says = answer(text, "Content-Type: application/json\r\n")
  return more
end

add({ bound = "at once", kind = "response", status = 200, gets = "NotJson" }, {
  json("empty body", "", { gets = "EmptyBody" }),
  json("body of blanks", " \r\n\t ", { gets = "EmptyBody" }),
  json("half JSON", '{"IsSuccess":true,"Code":"succ'),
  json("text", "Bad Gateway"),
  json("markup", "<html><body>Bad Gateway</body></html>"),
  json("binary", "\127ELF\2\1\1\0\0\0\255\254"),
  json("JSON and garbage", BODY .. "garbage"),
  json("two JSON values", BODY .. BODY),
  json("JSON that is no object", "[1,2]", { gets = "UnexpectedJson" }),
  json("JSON text", '"success"', { gets = "UnexpectedJson" }),
  json("JSON null", "null", { gets = { "NotJson", "UnexpectedJson" } }),
  json("NaN", '{"IsSuccess":true,"Size":NaN}'),
  json("Infinity", '{"IsSuccess":true,"Size":-Infinity}'),
  json("hexadecimal number", '{"IsSuccess":true,"Size":0x10}'),
  json("lone surrogate", '{"IsSuccess":true,"Name":"\\ud800"}'),
  json("surrogates the wrong way round", '{"IsSuccess":true,"Name":"\\udc00\\ud800"}'),
  json("NUL byte in JSON", '{"IsSuccess":true,"Name":"a\0b"}'),
  json("NUL byte behind JSON", BODY .. "\0"),
  json("JSON in UTF-16", (BODY:gsub(".", "%0\0"))),
  json("JSON 10,000 deep", ('{"a":'):rep(10000) .. "1" .. ("}"):rep(10000),
    { gets = "ResponseTooDeep", bound = "64 levels" }),
  json("JSON arrays without end", '{"a":' .. ("["):rep(100000),
    { gets = "ResponseTooDeep", bound = "64 levels" }),
})

local function field(name, expected)
  return function(object)
    if object[name] ~= expected then
      error(("%s is %s"):format(name, tostring(object[name])))
    end
  end
end

add({ bound = "at once", gets = "answer" }, {
  json("duplicate keys", '{"IsSuccess":true,"Status":"A","Status":"B"}',
    { check = field("Status", "B") }),
  json("duplicate IsSuccess, the last says yes", '{"IsSuccess":false,"IsSuccess":true}'),
  json("1e999", '{"IsSuccess":true,"Size":1e999}', { check = field("Size", math.huge) }),
  json("integer of 30 digits", '{"IsSuccess":true,"Size":1' .. ("0"):rep(30) .. "}",
    { check = field("Size", 1e30) }),
  json("invalid UTF-8 in a string", '{"IsSuccess":true,"Status":"\255\254"}',
    { check = field("Status", "\255\254") }),
  json("escaped NUL in a string", '{"IsSuccess":true,"Status":"a\\u0000b"}',
    { check = field("Status", "a\0b") }),
  json("byte order mark", "\239\187\191" .. BODY),
  json("JSON 60 deep", '{"IsSuccess":true,"a":' .. ("["):rep(60) .. ("]"):rep(60) .. "}"),
})

add({ bound = "at once", kind = "response", gets = "EmptyBody", after = "keep" }, {
  { name = "204 without a body", says = "HTTP/1.1 204 No Content\r\n\r\n", status = 204 },
  { name = "205 without a body", says = answer("", nil, "205 Reset Content"), status = 205 },
  { name = "304 without a body", says = "HTTP/1.1 304 Not Modified\r\n\r\n", status = 304,
    gets = "UnexpectedRedirect" },
  { name = "HTTP 500 without a body", says = answer("", nil, "500 Error"), status = 500,
    repeats = "reads" },
  { name = "HTTP 502 with markup", says = answer("<html>", nil, "502 Bad Gateway"), status = 502,
    gets = "NotJson", repeats = "reads" },
  { name = "HTTP 503 with JSON too deep", says = answer(('{"a":'):rep(1000), nil, "503 No"),
    status = 503, gets = "ResponseTooDeep", repeats = "reads" },
  { name = "HTTP 404 with a text", says = answer("no", nil, "404 Not Found"), status = 404,
    gets = "NotJson" },
})

add({ bound = "at once", kind = "service", after = "keep" }, {
  { name = "HTTP 999", says = answer(BODY, nil, "999 Odd"), status = 999, gets = "Http999",
    repeats = "reads" },
  { name = "HTTP 500 that says success", says = answer(BODY, nil, "500 Error"), status = 500,
    gets = "Http500", repeats = "reads" },
  { name = "HTTP 403 that says success", says = answer(BODY, nil, "403 Forbidden"), status = 403,
    gets = "Http403" },
  { name = "HTTP 200 that says no", says = answer '{"IsSuccess":false,"Code":"NO"}', status = 200,
    gets = "NO" },
  { name = "duplicate IsSuccess, the last says no", status = 200, gets = "NO",
    says = answer '{"IsSuccess":true,"Code":"NO","IsSuccess":false}' },
  { name = "HTTP 503 of the service", status = 503, gets = "ServiceUnavailable",
    says = answer('{"Code":"ServiceUnavailable"}', nil, "503 No"), repeats = "reads" },
  { name = "throttling", status = 400, gets = "Throttling.User",
    says = answer('{"Code":"Throttling.User"}', nil, "400 Bad Request"), repeats = "all" },
})

local function redirect(status, location)
  return {
    name = ("HTTP %d to %s"):format(status, location), status = status, after = "keep",
    says = answer("", "Location: " .. location .. "\r\n", status .. " Elsewhere"),
  }
end

-- The peer listens at a second port, too, and notes who comes.
local ELSEWHERE = [[
  local elsewhere = socket.bind("127.0.0.1", 0)
  elsewhere:settimeout(0)
  local _, other = elsewhere:getsockname()
]]
local SEND_ELSEWHERE = [[
  connection:send(answer("%d Elsewhere", "", "Location: http://127.0.0.1:" .. other .. "/\r\n"))
  socket.sleep(0.02)
  note(elsewhere:accept() and "followed" or "not followed")
  return true
]]

local function not_followed(_, log)
  if log:find "\nfollowed" then
    error "the redirect was followed"
  end
end

add({ bound = "at once", kind = "response", gets = "UnexpectedRedirect" }, {
  redirect(302, "file:///etc/passwd"),
  redirect(302, "http://100.100.100.200/latest/meta-data/"),
  redirect(301, "https://cr.cn-hangzhou.aliyuncs.com/"),
  redirect(303, "/"),
  redirect(300, "gopher://127.0.0.1:1/"),
  { name = "HTTP 302 without a place", says = answer("", nil, "302 Found"), status = 302,
    after = "keep" },
  { name = "HTTP 302 to another port", before = ELSEWHERE, fault = SEND_ELSEWHERE:format(302),
    status = 302, check = not_followed },
  { name = "HTTP 307 to another port", before = ELSEWHERE, fault = SEND_ELSEWHERE:format(307),
    status = 307, check = not_followed },
  { name = "HTTP 308 to another port", before = ELSEWHERE, fault = SEND_ELSEWHERE:format(308),
    status = 308, check = not_followed },
})

-- Bytes behind an answer must not become the answer of the next call.
local FORGED = answer '{"IsSuccess":true,"RequestId":"FORGED"}'
local LATER = "connection:send(%q) socket.sleep(0.05) connection:send(%q) note 'later' return true"

add({ bound = "at once", gets = "answer" }, {
  { name = "another answer behind the answer", says = answer(BODY) .. FORGED, after = "keep" },
  { name = "another answer shortly after the answer", settles = "later",
    fault = LATER:format(answer(BODY), FORGED) },
  { name = "another answer behind chunks", after = "keep",
    says = OK .. "Transfer-Encoding: chunked\r\n\r\n33\r\n" .. BODY .. "\r\n0\r\n\r\n" .. FORGED },
  { name = "another answer shortly after chunks", settles = "later",
    fault = LATER:format(OK .. "Transfer-Encoding: chunked\r\n\r\n33\r\n" .. BODY ..
      "\r\n0\r\n\r\n", FORGED) },
  { name = "half an answer shortly after the answer", settles = "later",
    fault = LATER:format(answer(BODY), FORGED:sub(1, 60)) },
  { name = "interim answer shortly after the answer", settles = "later",
    fault = LATER:format(answer(BODY), "HTTP/1.1 100 Continue\r\n\r\n") },
  { name = "another answer behind 204", says = "HTTP/1.1 204 No Content\r\n\r\n" .. FORGED,
    after = "keep", kind = "response", gets = "EmptyBody", status = 204 },
  { name = "204 with a body",
    says = "HTTP/1.1 204 No Content\r\nContent-Length: " .. #FORGED .. "\r\n\r\n" .. FORGED,
    after = "keep", kind = "response", gets = "EmptyBody", status = 204 },
  { name = "304 with a body",
    says = "HTTP/1.1 304 Not Modified\r\nContent-Length: " .. #FORGED .. "\r\n\r\n" .. FORGED,
    after = "keep", kind = "response", gets = "UnexpectedRedirect", status = 304 },
  { name = "closed after the answer, unannounced", settles = "later",
    fault = ("connection:send(%q) connection:close() note 'later'"):format(answer(BODY)) },
  { name = "reset after the answer", settles = "later",
    fault = ("connection:send(%q) socket.sleep(0.05) connection:reset() note 'later'"):format(
      answer(BODY)) },
})

return rows
