--- Digests, random bytes and a comparison that tells no timing, from OpenSSL's libcrypto.
--
-- nginx brings HMAC-SHA1 for Lua but not SHA-256, and an emulator should not need one more package
-- for it: nginx is linked with libcrypto anyway, so LuaJIT calls that.

local ffi = require "ffi"

local crypto = {}

ffi.cdef [[
unsigned char *SHA256(const unsigned char *data, size_t length, unsigned char *digest);
const void *EVP_sha1(void);
const void *EVP_sha256(void);
unsigned char *HMAC(const void *kind, const void *key, int key_length,
                    const unsigned char *data, size_t length,
                    unsigned char *digest, unsigned int *digest_length);
int RAND_bytes(unsigned char *buffer, int length);
int CRYPTO_memcmp(const void *a, const void *b, size_t length);
]]

--- nginx's own libcrypto where its symbols are visible, else the library by name.
local function find_library()
  if pcall(function() return ffi.C.SHA256 end) then
    return ffi.C
  end
  for _, name in ipairs { "crypto", "libcrypto.so.3", "libcrypto.so.1.1" } do
    local found, library = pcall(ffi.load, name)
    if found then
      return library
    end
  end
  error("no libcrypto found; install OpenSSL's shared library (Debian: apt-get install libssl3)")
end

local library = find_library()
local buffer = ffi.new("unsigned char[64]")
local length = ffi.new("unsigned int[1]")

local HEX = {}
for byte = 0, 255 do
  HEX[string.char(byte)] = ("%02x"):format(byte)
end

function crypto.hex(bytes)
  return (bytes:gsub(".", HEX))
end

function crypto.sha256_hex(text)
  library.SHA256(text, #text, buffer)
  return crypto.hex(ffi.string(buffer, 32))
end

local function hmac(kind, key, text)
  library.HMAC(kind, key, #key, text, #text, buffer, length)
  return ffi.string(buffer, length[0])
end

function crypto.hmac_sha1(key, text)
  return hmac(library.EVP_sha1(), key, text)
end

function crypto.hmac_sha256(key, text)
  return hmac(library.EVP_sha256(), key, text)
end

--- @param count at most 64
function crypto.random(count)
  if library.RAND_bytes(buffer, count) ~= 1 then
    error("libcrypto has no random bytes")
  end
  return ffi.string(buffer, count)
end

--- A random UUID in upper case, as the service writes its request ids.
function crypto.uuid()
  local hex = crypto.hex(crypto.random(16)):upper()
  return hex:sub(1, 8) .. "-" .. hex:sub(9, 12) .. "-4" .. hex:sub(14, 16) .. "-A" ..
    hex:sub(18, 20) .. "-" .. hex:sub(21)
end

--- Equality in a time that depends on the lengths alone.
function crypto.equal(a, b)
  return #a == #b and library.CRYPTO_memcmp(a, b, #a) == 0
end

return crypto
