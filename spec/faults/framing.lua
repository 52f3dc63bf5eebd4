--- Faults of HTTP itself: lengths, chunks, headers, interim answers, protocols.

local faults = require "spec.support.faults"

local OK = "HTTP/1.1 200 OK\r\n"
local BODY = '{"IsSuccess":true,"Code":"success","RequestId":"R"}' -- 51 bytes
local CHUNKED = OK .. "Transfer-Encoding: chunked\r\n\r\n"
local MEBIBYTE = 1024 * 1024

local rows = {}

local function add(common, list)
  faults.add(rows, common, list)
end

local function with_length(length, body)
  return OK .. "Content-Length: " .. length .. "\r\n\r\n" .. (body or BODY)
end

local function chunk(text)
  return ("%x\r\n%s\r\n"):format(#text, text)
end

add({ bound = "at once" }, {
  {
    name = "Content-Length above the body, then closed",
    says = with_length(60), gets = "TruncatedBody", repeats = "reads",
  },
  {
    name = "Content-Length above the body, then silence",
    says = with_length(60), after = "stay", timeout = faults.SHORT, bound = "`timeout`",
    gets = "Timeout", repeats = "reads",
  },
  {
    name = "Content-Length below the body",
    says = with_length(40), after = "keep", gets = "NotJson", kind = "response", status = 200,
  },
  {
    name = "Content-Length of 0 before a body",
    says = with_length(0), after = "keep", gets = "EmptyBody", kind = "response", status = 200,
  },
  { name = "negative Content-Length", says = with_length("-5"), gets = "BadHttp" },
  { name = "Content-Length that is no number", says = with_length("many"), gets = "BadHttp" },
  {
    name = "Content-Length in hexadecimal", -- libcurl reads the 0
    says = with_length("0x33"), after = "keep", gets = "EmptyBody", kind = "response",
    status = 200,
  },
  { name = "Content-Length with a sign", says = with_length("+51"), gets = "answer" },
  -- A length beyond 2^63-1 is none to libcurl: then the body ends with the connection.
  { name = "Content-Length of 2^63", says = with_length("9223372036854775808"), gets = "answer" },
  {
    name = "Content-Length of 2^63-1",
    says = with_length("9223372036854775807"), gets = "TruncatedBody", repeats = "reads",
  },
  { name = "Content-Length of 10^30", says = with_length("1" .. ("0"):rep(30)), gets = "answer" },
  {
    name = "Content-Length of 10^30, then silence",
    says = with_length("1" .. ("0"):rep(30)), after = "stay", timeout = faults.SHORT,
    bound = "`timeout`", gets = "Timeout", repeats = "reads",
  },
  {
    name = "two different Content-Lengths, the last too short", after = "keep",
    says = OK .. "Content-Length: 51\r\nContent-Length: 40\r\n\r\n" .. BODY,
    gets = "NotJson", kind = "response", status = 200,
  },
  {
    name = "two different Content-Lengths, the last too long",
    says = OK .. "Content-Length: 51\r\nContent-Length: 60\r\n\r\n" .. BODY,
    gets = "TruncatedBody", repeats = "reads",
  },
  { name = "two Content-Lengths in one line", says = with_length("51, 40"), gets = "answer" },
  {
    name = "Content-Length beside chunks",
    says = OK .. "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" .. chunk(BODY) ..
      "0\r\n\r\n", gets = "answer",
  },
})

add({ bound = "at once", gets = "BadHttp" }, {
  { name = "chunk size that is no number", says = CHUNKED .. "zz\r\n" .. BODY },
  { name = "negative chunk size", says = CHUNKED .. "-5\r\n" .. BODY },
  { name = "chunk size missing", says = CHUNKED .. "\r\n" .. BODY },
  { name = "chunk size of 2^64", says = CHUNKED .. "10000000000000000\r\n" .. BODY },
  { name = "chunk size of 100 digits", says = CHUNKED .. ("f"):rep(100) .. "\r\n" .. BODY },
  { name = "chunk size of 2^63-1", says = CHUNKED .. "7fffffffffffffff\r\n" .. BODY,
    gets = "TruncatedBody", repeats = "reads" },
  { name = "chunk without its line break", says = CHUNKED .. "33\r\n" .. BODY .. "0\r\n\r\n" },
  { name = "chunk longer than its size", says = CHUNKED .. "5\r\n" .. BODY .. "\r\n0\r\n\r\n" },
  { name = "trailers that are none",
    says = CHUNKED .. chunk(BODY) .. "0\r\n\1\2garbage\r\n\r\n" },
  { name = "trailers that begin like an answer",
    says = CHUNKED .. chunk(BODY) .. "0\r\nHTTP/1.1 500 No\r\nX-Forged: 1\r\n\r\n" },
})

add({ bound = "at once", gets = "TruncatedBody", repeats = "reads" }, {
  { name = "chunks cut within one", says = CHUNKED .. "40\r\n" .. BODY },
  { name = "chunks cut between two", says = CHUNKED .. chunk(BODY) },
  { name = "chunks cut before the last line break", says = CHUNKED .. chunk(BODY) .. "0\r\n" },
})

--- Not to be cured by max_response_bytes.
local function has_no_hint(err)
  if err.hint then
    error("the hint is " .. err.hint)
  end
end

add({ bound = "64 KiB, 200 headers", check = has_no_hint, gets = "ResponseTooLarge" }, {
  {
    name = "header line without end",
    fault = ("connection:send(%q) connection:flood(('x'):rep(4096))"):format(OK .. "X-Long: "),
  },
  { name = "status line without end", fault = [[
      connection:send "HTTP/1.1 200 "
      connection:flood(("x"):rep(4096))
    ]] },
  {
    name = "headers without end",
    fault = ("connection:send(%q) connection:flood 'X-Many: header\\r\\n'"):format(OK),
  },
  {
    name = "folded header without end",
    fault = ("connection:send(%q) connection:flood ' folded folded folded\\r\\n'"):format(
      OK .. "X-Long: 1\r\n"),
  },
  {
    name = "trailers without end",
    fault = ("connection:send(%q) connection:flood 'X-Many: trailer\\r\\n'"):format(
      CHUNKED .. chunk(BODY) .. "0\r\n"),
  },
  {
    name = "100 interim answers, then the answer", after = "keep", bound = "at once",
    says = ("HTTP/1.1 102 P\r\n\r\n"):rep(100) .. with_length(#BODY), gets = "answer",
    check = false,
  },
  {
    name = "10,000 interim answers, then the answer", bound = "128 KiB of interim answers",
    fault = ("connection:send(('HTTP/1.1 102 P\\r\\n\\r\\n'):rep(10000)) connection:send(%q)")
      :format(with_length(#BODY)),
  },
  { name = "interim answers without end", bound = "128 KiB of interim answers", fault = [[
      connection:flood(("HTTP/1.1 100 Continue\r\n\r\n"):rep(100))
    ]] },
})

add({ bound = "`max_response_bytes`", config = { max_response_bytes = MEBIBYTE },
    gets = "ResponseTooLarge" }, {
  {
    name = "body of 1 GiB, announced",
    fault = ("connection:send(%q) connection:flood(('x'):rep(65536), 2^30)"):format(
      OK .. "Content-Length: 1073741824\r\n\r\n"),
  },
  {
    name = "body without end",
    fault = ("connection:send(%q) connection:flood(('x'):rep(65536))"):format(OK .. "\r\n"),
  },
  {
    name = "chunks without end",
    fault = ("connection:send(%q) connection:flood(%q)"):format(CHUNKED,
      chunk(("x"):rep(65000))),
  },
  {
    name = "chunks of one byte without end",
    fault = ("connection:send(%q) connection:flood(('1\\r\\nx\\r\\n'):rep(1000))"):format(CHUNKED),
  },
  {
    name = "chunk extension without end",
    fault = ("connection:send(%q) connection:flood(('x'):rep(65536))"):format(CHUNKED .. "5;"),
    bound = "`timeout`", timeout = faults.SHORT, gets = "Timeout", repeats = "reads",
  },
})

add({ bound = "at once", gets = "BadHttp" }, {
  { name = "HTTP/0.9 answer", says = BODY },
  { name = "garbage instead of an answer", says = ("\255\0\1\r\n"):rep(50) },
  { name = "HTTP/2 frames instead of an answer",
    says = "\0\0\18\4\0\0\0\0\0\0\3\0\0\0\128\0\4\0\1\0\0\0\5\0\255\255\255" },
  { name = "HTTP/2 preface as an answer", says = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" },
  { name = "headers without a colon",
    says = OK .. "garbage\r\nContent-Length: 51\r\n\r\n" .. BODY },
  { name = "status line of HTTP/2",
    says = "HTTP/2 200\r\nContent-Length: 51\r\n\r\n" .. BODY },
  { name = "status line of HTTP/9.9",
    says = "HTTP/9.9 200 OK\r\nContent-Length: 51\r\n\r\n" .. BODY },
  { name = "status line of RTSP", says = "RTSP/1.0 200 OK\r\nContent-Length: 51\r\n\r\n" .. BODY },
  { name = "status line of ICY", says = "ICY 200 OK\r\nContent-Length: 51\r\n\r\n" .. BODY },
  { name = "status of two digits", says = "HTTP/1.1 20\r\nContent-Length: 51\r\n\r\n" .. BODY },
  { name = "status of four digits",
    says = "HTTP/1.1 2000 OK\r\nContent-Length: 51\r\n\r\n" .. BODY },
  { name = "status of 000", says = "HTTP/1.1 000 OK\r\nContent-Length: 51\r\n\r\n" .. BODY },
  { name = "status that is no number",
    says = "HTTP/1.1 abc OK\r\nContent-Length: 51\r\n\r\n" .. BODY },
  { name = "answer behind an empty line", says = "\r\n" .. with_length(51) },
  { name = "101 Switching Protocols, then other bytes", kind = "response", status = 101,
    gets = "NotJson",
    says = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n" ..
      "\0\0\0\4\0\0\0\0\0" },
  { name = "101 Switching Protocols, then silence",
    says = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", after = "stay",
    timeout = faults.SHORT, bound = "`timeout`", gets = "Timeout", repeats = "reads" },
})

add({ bound = "at once", gets = "answer" }, {
  { name = "interim answers before the answer", after = "keep",
    says = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" ..
      with_length(51) },
  { name = "HTTP/1.0 answer with a length",
    says = "HTTP/1.0 200 OK\r\nContent-Length: 51\r\n\r\n" .. BODY },
  { name = "HTTP/1.0 answer without a length", says = "HTTP/1.0 200 OK\r\n\r\n" .. BODY },
  { name = "answer without a length", says = OK .. "\r\n" .. BODY },
  { name = "line breaks without carriage return",
    says = "HTTP/1.1 200 OK\nContent-Length: 51\n\n" .. BODY },
  { name = "status line without a reason", after = "keep",
    says = "HTTP/1.1 200\r\nContent-Length: 51\r\n\r\n" .. BODY },
  { name = "headers with odd names", after = "keep",
    says = OK .. ": empty\r\n\1\2: x\r\nContent-Length: 51\r\n\r\n" .. BODY },
})

return rows
