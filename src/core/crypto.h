/*
 * Digests, MACs and wiping, the only door to OpenSSL; and random bytes.
 *
 * A struct cr_crypto holds what OpenSSL wants fetched once (the SHA-256 digest, the HMAC
 * algorithm) and, per MAC, a context that stays keyed with the last key: signing again with the
 * same secret then costs no key schedule. The copy of that key, kept to recognise it, is wiped
 * when another one comes and at clean-up. Not thread-safe: one per Lua state or thread.
 */
#ifndef CR_CORE_CRYPTO_H
#define CR_CORE_CRYPTO_H

#include "error.h"
#include "slice.h"

#include <stddef.h>

#pragma GCC visibility push(hidden)

enum { CR_SHA256_SIZE = 32, CR_SHA1_SIZE = 20, CR_MAX_KEY_SIZE = 512 };

enum cr_mac { CR_HMAC_SHA256, CR_HMAC_SHA1, CR_MAC_COUNT };

struct cr_keyed_mac {
    struct evp_mac_ctx_st *context;
    char key[CR_MAX_KEY_SIZE];
    size_t key_length; /* 0 while no key is set */
};

struct cr_crypto {
    struct evp_md_st *sha256;
    struct evp_md_ctx_st *digest;
    struct evp_mac_st *hmac;
    struct cr_keyed_mac macs[CR_MAC_COUNT];
};

enum cr_status cr_crypto_init(struct cr_crypto *crypto, struct cr_error *err) CR_CHECKED;

/* Frees and wipes. Idempotent, also on a zeroed struct. */
void cr_crypto_clean_up(struct cr_crypto *crypto);

enum cr_status cr_crypto_sha256(struct cr_crypto *crypto, struct cr_slice data,
                                unsigned char out[CR_SHA256_SIZE], struct cr_error *err) CR_CHECKED;

/* `out` takes CR_SHA256_SIZE bytes for CR_HMAC_SHA256, CR_SHA1_SIZE for CR_HMAC_SHA1. The key is
 * 1 to CR_MAX_KEY_SIZE bytes. */
enum cr_status cr_crypto_hmac(struct cr_crypto *crypto, enum cr_mac mac, struct cr_slice key,
                              struct cr_slice data, unsigned char *out,
                              struct cr_error *err) CR_CHECKED;

/* Bytes from the kernel's CSPRNG, good after a fork too. OpenSSL's would be as good, but setting it
 * up takes half a millisecond, longer than a request to a near server. */
enum cr_status cr_crypto_random(unsigned char *out, size_t count, struct cr_error *err) CR_CHECKED;

/* Overwrites memory in a way the compiler may not drop. */
void cr_crypto_wipe(void *data, size_t count);

#pragma GCC visibility pop

#endif
