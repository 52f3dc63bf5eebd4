--- A certificate authority that lives as long as the emulator, and the server certificate it signs.
--
-- Made anew at every start, so that no private key is ever shipped that somebody might trust. The
-- authority's own key is deleted before the server starts.

local shell = require "cr.emulator.shell"

local certificates = {}

-- Its own configuration: the system's may be absent, or add extensions of its own.
local CONFIGURATION = [[
[req]
distinguished_name = name
[name]
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:localhost, IP:127.0.0.1, IP:::1%s
]]

local COMMANDS = [[
set -e
export OPENSSL_CONF=openssl.cnf
openssl req -config openssl.cnf -new -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
  -sha256 -days 30 -extensions authority -subj '/CN=cr emulator authority' \
  -keyout ca.key -out ca.pem
openssl req -config openssl.cnf -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
  -sha256 -subj /CN=localhost -keyout server.key -out server.csr
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -set_serial 2 -sha256 -days 30 \
  -extfile openssl.cnf -extensions server -out server.pem
rm ca.key server.csr]]

--- Writes ca.pem, server.pem and server.key.
-- @param folder where to
-- @param address an IP address that the server certificate is also for, or nil
-- @return true, or nil and what openssl said
function certificates.make(folder, address)
  local extra = address and ", IP:" .. address or ""
  local ok, reason = shell.write_file(folder .. "/openssl.cnf", CONFIGURATION:format(extra))
  if not ok then
    return nil, reason
  end
  local output, status = shell.run(("( cd %s && %s )"):format(shell.quote(folder), COMMANDS))
  if status ~= 0 then
    return nil, output
  end
  return true
end

return certificates
