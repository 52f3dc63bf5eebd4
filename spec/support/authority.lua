--- Certificates of every kind and an nginx that shows them, each on a port of its own.
--
--     local authority = require("spec.support.authority").start()
--     authority.ca_file, authority.ports.expired, authority:requests "expired", authority:stop()
--
-- The certificates are for 127.0.0.1 unless their name says otherwise.

local child = require "spec.support.child"
local core = require "cr.core"
local fixture = require "spec.support.fixture"
local socket = require "socket"

local authority = {}
authority.__index = authority

-- `issue NAME AUTHORITY EXTENSIONS [START END]` makes NAME.pem and NAME.key; with a start and an
-- end, as openssl writes times, else for a day on both sides of now.
local SCRIPT = [[
set -e
key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key"; }
request() { openssl req -new -key "$1.key" -subj "/CN=$1" -out "$1.csr" -config ca.cnf; }
issue() {
  [ -f "$1.key" ] || key "$1"
  request "$1"
  printf '%b' "$3" > "$1.ext"
  openssl ca -batch -notext -config ca.cnf -cert "$2.pem" -keyfile "$2.key" -in "$1.csr" \
    -extfile "$1.ext" -startdate "${4-$YESTERDAY}" -enddate "${5-$TOMORROW}" -out "$1.pem"
}
root() {
  key "$1"
  openssl req -x509 -key "$1.key" -subj "/CN=$1" -days 2 -out "$1.pem" -config ca.cnf \
    -extensions authority
}
cat > ca.cnf <<'END'
[ca]
default_ca = d
[d]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
default_crl_days = 2
policy = p
[p]
commonName = supplied
[req]
distinguished_name = n
[n]
[authority]
basicConstraints = critical,CA:true
END
: > index.txt
YESTERDAY=$(date -u -d yesterday +%Y%m%d%H%M%SZ)
TOMORROW=$(date -u -d tomorrow +%Y%m%d%H%M%SZ)
OLD="20200101000000Z 20200102000000Z"
FUTURE="20900101000000Z 20900102000000Z"
HERE='subjectAltName=IP:127.0.0.1,DNS:localhost\n'
CA='basicConstraints=critical,CA:true\n'

root root
root stranger
issue good root "$HERE"
issue expired root "$HERE" $OLD
issue future root "$HERE" $FUTURE
issue wrong_host root 'subjectAltName=DNS:cr.cn-hangzhou.aliyuncs.com,IP:127.0.0.2\n'
issue no_names root 'basicConstraints=CA:false\n'
issue client_only root "${HERE}extendedKeyUsage=clientAuth\n"
issue unknown stranger "$HERE"
issue revoked root "$HERE"
openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out weak.key
issue weak root "$HERE"
key self_signed
openssl req -x509 -key self_signed.key -subj /CN=127.0.0.1 -days 2 -config ca.cnf \
  -addext subjectAltName=IP:127.0.0.1 -out self_signed.pem
issue between root "$CA"
issue between_old root "$CA" $OLD
issue between_revoked root "$CA"
issue not_between root "$HERE"
for name in between between_old between_revoked not_between; do
  issue "under_$name" "$name" "$HERE"
  cat "$name.pem" >> "under_$name.pem"
done
issue incomplete between "$HERE"
for name in revoked between_revoked; do
  openssl ca -config ca.cnf -cert root.pem -keyfile root.key -revoke "$name.pem"
done
openssl ca -config ca.cnf -cert root.pem -keyfile root.key -gencrl -out crl.pem
cat root.pem crl.pem > trusted.pem
]]

local GOOD = '{"IsSuccess":true,"Code":"success","RequestId":"GOOD","Status":"NORMAL"}'

-- Every server: the certificate that it shows and what else it is told.
local SERVERS = {
  { "good" }, { "expired" }, { "future" }, { "wrong_host" }, { "no_names" }, { "client_only" },
  { "unknown" }, { "revoked" }, { "self_signed" }, { "under_between" }, { "under_between_old" },
  { "under_between_revoked" }, { "under_not_between" }, { "incomplete" },
  { "weak", "ssl_ciphers ALL:@SECLEVEL=0;" },
  { "tls10", "ssl_protocols TLSv1; ssl_ciphers ALL:@SECLEVEL=0;", "good" },
  { "tls11", "ssl_protocols TLSv1.1; ssl_ciphers ALL:@SECLEVEL=0;", "good" },
  { "no_cipher", "ssl_protocols TLSv1.2; ssl_ciphers aNULL:@SECLEVEL=0;", "good" },
  { "wants_certificate", "ssl_verify_client on; ssl_client_certificate root.pem;", "good" },
  { "large", "location = / { error_page 405 =200 /large.json; try_files /large.json =404; }" ..
    " location = /large.json { root .; error_page 405 =200 $uri; }", "good" },
}

local CONFIGURATION = [[
daemon off;
%s
worker_processes 1;
pid nginx.pid;
error_log error.log;
events { worker_connections 64; }
http {
  log_format port $server_port;
  access_log access.log port;
  root .;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  default_type application/json;
  ssl_protocols TLSv1.2 TLSv1.3;
  keepalive_timeout 60s;
%s}
]]

local function server_block(server, port)
  local name, more, certificate = server[1], server[2] or "", server[3] or server[1]
  return ([[
  server {
    listen 127.0.0.1:%d ssl;
    ssl_certificate %s.pem;
    ssl_certificate_key %s.key;
    %s
    %s
  }
]]):format(port, certificate, certificate, more,
    name == "large" and "" or ("location / { return 200 '%s'; }"):format(GOOD))
end

local function await(port)
  for _ = 1, 1000 do
    local tcp = socket.connect("127.0.0.1", port)
    if tcp then
      tcp:close()
      return true
    end
    socket.sleep(0.01)
  end
end

--- Then nginx would serve files as nobody, who may not read the folder.
local function is_root()
  return child.shell "id -u" == "0\n"
end

--- Makes the certificates and starts the servers.
function authority.start()
  local folder = child.new_folder()
  child.write(folder .. "/make.sh", SCRIPT)
  local output, ok = child.shell(("cd %s && sh make.sh"):format(child.quote(folder)))
  assert(ok, output)
  child.write(folder .. "/large.json", ('{"IsSuccess":true,"RequestId":"GOOD","Pad":"%s"}'):format(
    ("x"):rep(200000)))
  local ports, blocks = {}, {}
  for index, server in ipairs(SERVERS) do
    local port
    repeat
      port = assert(core.free_port())
    until not ports[port]
    ports[port], ports[server[1]] = server[1], port
    blocks[index] = server_block(server, port)
  end
  child.write(folder .. "/nginx.conf", CONFIGURATION:format(is_root() and "user root;" or "",
    table.concat(blocks)))
  local prelude = {}
  for index, server in ipairs(SERVERS) do
    prelude[index] = ("%s = %d"):format(server[1], ports[server[1]])
  end
  local self = setmetatable({
    prelude = ("local ports = { %s }\n"):format(table.concat(prelude, ", ")),
    folder = folder, ports = ports, ca_file = folder .. "/trusted.pem",
    nginx = child.start(("nginx -p %s -c nginx.conf 2>&1"):format(child.quote(folder .. "/"))),
  }, authority)
  if not await(ports.good) then
    local told = fixture.read(folder .. "/error.log")
    self:stop()
    error("nginx did not start: " .. told)
  end
  return self
end

--- How many requests reached the server of that name.
function authority:requests(name)
  local _, count = fixture.read(self.folder .. "/access.log"):gsub("%f[%d]" .. self.ports[name] ..
    "\n", "")
  return count
end

function authority:stop()
  self.nginx.stop()
  child.remove_folder(self.folder)
end

return authority
