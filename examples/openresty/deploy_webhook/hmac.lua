--- HMAC-SHA256 and comparison in constant time, by the libcrypto that nginx has loaded for TLS.
-- (lua-nginx-module itself has HMAC with SHA-1 only.)

local ffi = require "ffi"

ffi.cdef [[
  typedef struct env_md_st EVP_MD;
  const EVP_MD *EVP_sha256(void);
  unsigned char *HMAC(const EVP_MD *md, const void *key, int key_length,
    const unsigned char *text, size_t length, unsigned char *mac, unsigned int *mac_length);
  int CRYPTO_memcmp(const void *a, const void *b, size_t length);
]]

local LENGTH = 32

local hmac = {}

local function to_hex(bytes)
  return (bytes:gsub(".", function(byte)
    return ("%02x"):format(byte:byte())
  end))
end

--- @treturn string 64 hexadecimal digits, lower case
function hmac.sha256(key, text)
  local mac, length = ffi.new("unsigned char[?]", LENGTH), ffi.new "unsigned int[1]"
  if ffi.C.HMAC(ffi.C.EVP_sha256(), key, #key, text, #text, mac, length) == nil then
    error "hmac: libcrypto failed"
  end
  return to_hex(ffi.string(mac, length[0]))
end

--- Whether two strings are equal, in a time that tells nothing of where they differ.
function hmac.equal(a, b)
  return #a == #b and ffi.C.CRYPTO_memcmp(a, b, #a) == 0
end

return hmac
