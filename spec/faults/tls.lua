--- Faults of TLS. The peer passes everything on to an nginx that shows the certificate named (see
-- spec/support/authority.lua), or spoils it on the way.

local faults = require "spec.support.faults"

local rows = {}

local function add(common, list)
  for _, row in ipairs(list) do
    row.at_connect, row.is_cold = true, true
    row.good = "function(connection) connection:relay(ports.good) end"
    row.config = {
      endpoint = function(peer) return "https://" .. peer.address end,
      ca_file = function(_, authority) return authority.ca_file end,
    }
    row.then_with = { endpoint = row.config.endpoint }
  end
  faults.add(rows, common, list)
end

local function shows(certificate)
  return ("connection:relay(ports.%s)"):format(certificate)
end

-- No attempt can change that.
add({ bound = "at once", gets = "TlsFailed", repeats = "none", is_unsent = true }, {
  { name = "certificate that has expired", fault = shows "expired" },
  { name = "certificate that is not yet valid", fault = shows "future" },
  { name = "certificate signed by itself", fault = shows "self_signed" },
  { name = "certificate of another host", fault = shows "wrong_host" },
  { name = "certificate without a host", fault = shows "no_names" },
  { name = "certificate for clients only", fault = shows "client_only" },
  { name = "certificate of an unknown authority", fault = shows "unknown" },
  { name = "certificate with a key of RSA 1024", fault = shows "weak" },
  { name = "chain with an expired intermediate", fault = shows "under_between_old" },
  { name = "chain without its intermediate", fault = shows "incomplete" },
  { name = "chain under a certificate that is no authority", fault = shows "under_not_between" },
})

-- Revocation is not looked at, by CRL or OCSP, even where the CA file holds a CRL.
add({ bound = "at once", gets = "answer", repeats = "none" }, {
  { name = "chain with its intermediate", fault = shows "under_between" },
  { name = "certificate that is revoked (revocation is not checked)", fault = shows "revoked" },
  { name = "chain with a revoked intermediate (revocation is not checked)",
    fault = shows "under_between_revoked" },
})

local HELLO = "connection:await() connection.tcp:settimeout(0) connection.tcp:receive(65536) " ..
  "connection.tcp:settimeout(10) "

--- Passes on what nginx sends up to so many bytes, then does this with the rest.
local function spoils(after, action)
  return ([[
    connection:relay(ports.large, function(data, came)
      if came + #data < %d then
        return data
      end
      %s
    end)
  ]]):format(after, action)
end

local FLIP = "return (data:gsub('.', function(byte) return string.char(255 - byte:byte()) end))"

add({ bound = "at once", gets = "TlsHandshakeFailed", repeats = "all" }, {
  { name = "TLS 1.0 only", fault = shows "tls10" },
  { name = "TLS 1.1 only", fault = shows "tls11" },
  { name = "TLS without a common cipher", fault = shows "no_cipher" },
  { name = "plain HTTP on the port of https", fault = HELLO .. "connection:send(GOOD)" },
  { name = "garbage instead of TLS", fault = HELLO .. "connection:send(('\\255\\0\\1'):rep(100))" },
  { name = "TLS alert instead of a handshake",
    fault = HELLO .. "connection:send '\\21\\3\\3\\0\\2\\2\\40'" },
  { name = "TLS closed before the handshake", fault = "connection:await()" },
  { name = "TLS closed within the handshake", fault = HELLO },
  { name = "TLS reset within the handshake", fault = HELLO .. "connection:reset()" },
  { name = "TLS cut within the certificate", fault = spoils(200, "return nil") },
  { name = "TLS changed within the handshake", fault = spoils(200, FLIP) },
  { name = "TLS record without end", fault = HELLO ..
    "connection:send '\\22\\3\\3\\255\\255' connection:flood(('x'):rep(65536))" },
})

add({ bound = "`connect_timeout`", gets = "Timeout", repeats = "all",
    connect_timeout = faults.SHORT }, {
  { name = "TLS handshake that is silent", fault = "connection:stay()" },
  { name = "TLS handshake, one byte every 50 ms",
    fault = HELLO .. "connection:drip('\\22\\3\\3\\64\\0' .. ('\\2'):rep(100), 0.05)" },
})

add({ bound = "at once", gets = "ConnectionClosed", repeats = "reads" }, {
  { name = "TLS cut within the answer", fault = spoils(60000, "return nil"),
    gets = { "ConnectionClosed", "TruncatedBody" } },
  { name = "TLS changed within the answer", fault = spoils(60000, FLIP) },
})

add({ bound = "at once", gets = "NotJson", kind = "response", status = 400, repeats = "none" }, {
  { name = "server that wants a certificate of the client", fault = shows "wants_certificate" },
})

return rows
