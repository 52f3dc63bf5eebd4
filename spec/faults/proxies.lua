--- Faults of a proxy. The endpoint behind it is never reached: it is a name that is not looked up.

local faults = require "spec.support.faults"

local PASSWORD = "hunter2"

local function proxy_of(peer)
  return ("http://user:%s@%s"):format(PASSWORD, peer.address)
end

local function is_discreet(err)
  if tostring(err):find(PASSWORD, 1, true) then
    error("the proxy's password is shown: " .. tostring(err))
  end
end

local rows = {}

local function add(common, list)
  for _, row in ipairs(list) do
    row.is_cold = true -- a tunnel is a new connection
    row.then_with = { proxy = "" }
    row.check = is_discreet
  end
  faults.add(rows, common, list)
end

local TUNNEL = { endpoint = "https://cr.cn-hangzhou.aliyuncs.com", proxy = proxy_of }

local function denial(status, more)
  return ("HTTP/1.1 %s\r\n%s\r\n"):format(status, more or "Content-Length: 0\r\n")
end

-- Nothing of the request is sent before there is a tunnel, so that writes are repeated too.
add({ bound = "at once", config = TUNNEL, repeats = "all", gets = "ProxyFailed" }, {
  {
    name = "proxy that refuses the connection",
    script = [[
      close_port()
      note "ready"
      await_behaviour()
      open_port()
      note "behaves"
      misbehave()
    ]],
    waits = "behaves", arrives = false, gets = "ConnectFailed",
  },
  {
    name = "proxy whose name does not resolve", fault = "", arrives = false,
    config = { endpoint = TUNNEL.endpoint, proxy = "http://no-such-proxy.invalid:3128" },
    bound = "the resolver, `connect_timeout`",
  },
  { name = "proxy that answers 403", says = denial "403 Forbidden" },
  { name = "proxy that wants a password (407)",
    says = denial("407 Proxy Authentication Required",
      "Proxy-Authenticate: Basic realm=\"x\"\r\nContent-Length: 0\r\n") },
  { name = "proxy that wants a password another way (407)",
    says = denial("407 Proxy Authentication Required",
      "Proxy-Authenticate: Digest realm=\"x\", nonce=\"y\"\r\nContent-Length: 0\r\n") },
  { name = "proxy that answers 502", says = denial "502 Bad Gateway" },
  { name = "proxy that redirects",
    says = denial("302 Found", "Location: http://100.100.100.200/\r\nContent-Length: 0\r\n") },
  { name = "proxy that denies with a body without end",
    fault = [[
      connection:send "HTTP/1.1 403 Forbidden\r\nContent-Length: 1073741824\r\n\r\n"
      connection:flood(("x"):rep(65536), 2 ^ 30)
    ]] },
  { name = "proxy that closes before its answer", says = "" },
  { name = "proxy that closes within its answer", says = "HTTP/1.1 200 Conn" },
  { name = "proxy that resets before its answer", says = "", after = "reset" },
  { name = "proxy that answers garbage", says = ("\255\0\1\r\n"):rep(50) },
  { name = "proxy that answers with headers without end",
    fault = [[
      connection:send "HTTP/1.1 200 OK\r\n"
      connection:flood "X-Many: header\r\n"
    ]] },
  { name = "tunnel that closes at once", says = denial("200 OK", ""), gets = "TlsHandshakeFailed" },
  { name = "tunnel to a peer without TLS", gets = "TlsHandshakeFailed",
    says = denial("200 OK", "") .. "HTTP/1.1 400 Bad Request\r\n\r\n" },
})

add({ bound = "`connect_timeout`", config = TUNNEL, repeats = "all", gets = "Timeout",
    connect_timeout = faults.SHORT }, {
  { name = "proxy that is silent", fault = "connection:stay()" },
  { name = "proxy that is silent within its answer", says = "HTTP/1.1 200 Conn", after = "stay" },
  { name = "tunnel that is silent", says = denial("200 OK", ""), after = "stay" },
})

-- Without TLS the proxy gets the request itself, and its answer is taken for the service's.
add({ bound = "at once", kind = "response",
    config = { endpoint = "http://cr.cn-hangzhou.aliyuncs.com", allow_plaintext = true,
      proxy = proxy_of } }, {
  { name = "proxy without a tunnel that answers 407",
    says = denial "407 Proxy Authentication Required", gets = "EmptyBody", status = 407 },
  { name = "proxy without a tunnel that answers 502", says = denial "502 Bad Gateway",
    gets = "EmptyBody", status = 502, repeats = "reads" },
  { name = "proxy without a tunnel that closes", says = "", kind = "transport",
    gets = "ConnectionClosed", repeats = "reads" },
})

return rows
