#define _DEFAULT_SOURCE /* getentropy */

#include "crypto.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *digest;
    size_t size;
} macs[CR_MAC_COUNT] = {{"SHA256", CR_SHA256_SIZE}, {"SHA1", CR_SHA1_SIZE}};

/* Says why OpenSSL refused, and empties its queue of errors, which is the thread's: one that stayed
 * there would mislead the next who asks, the host's TLS among them. What others left there unread
 * is lost with it, as at every exchange of libcurl. */
static enum cr_status fail(struct cr_error *err, const char *text)
{
    bool is_memory = false;
    for (unsigned long code = ERR_get_error(); code != 0; code = ERR_get_error()) {
        is_memory = is_memory || ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
    }
    return is_memory ? cr_fail(err, CR_ENOMEM, "out of memory") : cr_fail(err, CR_ECRYPTO, text);
}

enum cr_status cr_crypto_init(struct cr_crypto *crypto, struct cr_error *err)
{
    memset(crypto, 0, sizeof *crypto);
    crypto->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    crypto->digest = EVP_MD_CTX_new();
    crypto->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    if (crypto->sha256 == NULL || crypto->digest == NULL || crypto->hmac == NULL) {
        cr_crypto_clean_up(crypto);
        return fail(err, "OpenSSL offers no SHA-256 or no HMAC");
    }
    return CR_OK;
}

static void forget_key(struct cr_keyed_mac *keyed)
{
    EVP_MAC_CTX_free(keyed->context);
    keyed->context = NULL;
    cr_crypto_wipe(keyed->key, keyed->key_length);
    keyed->key_length = 0;
}

void cr_crypto_clean_up(struct cr_crypto *crypto)
{
    for (int i = 0; i < CR_MAC_COUNT; i++) {
        forget_key(&crypto->macs[i]);
    }
    EVP_MAC_free(crypto->hmac);
    EVP_MD_CTX_free(crypto->digest);
    EVP_MD_free(crypto->sha256);
    memset(crypto, 0, sizeof *crypto);
}

enum cr_status cr_crypto_sha256(struct cr_crypto *crypto, struct cr_slice data,
                                unsigned char out[CR_SHA256_SIZE], struct cr_error *err)
{
    if (EVP_DigestInit_ex2(crypto->digest, crypto->sha256, NULL) != 1 ||
        EVP_DigestUpdate(crypto->digest, data.data, data.length) != 1 ||
        EVP_DigestFinal_ex(crypto->digest, out, NULL) != 1) {
        return fail(err, "OpenSSL failed to compute SHA-256");
    }
    return CR_OK;
}

/* The context for `key`, ready for data: restarted when it holds that key already, else keyed
 * anew. NULL when OpenSSL fails. */
static EVP_MAC_CTX *keyed_context(struct cr_crypto *crypto, enum cr_mac mac, struct cr_slice key)
{
    struct cr_keyed_mac *keyed = &crypto->macs[mac];
    if (keyed->key_length == key.length && CRYPTO_memcmp(keyed->key, key.data, key.length) == 0) {
        return EVP_MAC_init(keyed->context, NULL, 0, NULL) == 1 ? keyed->context : NULL;
    }
    forget_key(keyed);
    char digest[8];
    memcpy(digest, macs[mac].digest, strlen(macs[mac].digest) + 1);
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    EVP_MAC_CTX *context = EVP_MAC_CTX_new(crypto->hmac);
    if (context == NULL ||
        EVP_MAC_init(context, (const unsigned char *)key.data, key.length, parameters) != 1) {
        EVP_MAC_CTX_free(context);
        return NULL;
    }
    keyed->context = context;
    memcpy(keyed->key, key.data, key.length);
    keyed->key_length = key.length;
    return context;
}

enum cr_status cr_crypto_hmac(struct cr_crypto *crypto, enum cr_mac mac, struct cr_slice key,
                              struct cr_slice data, unsigned char *out, struct cr_error *err)
{
    if (key.length == 0 || key.length > CR_MAX_KEY_SIZE) {
        return cr_fail(err, CR_EINVAL, "the access key secret is empty or longer than 512 bytes");
    }
    EVP_MAC_CTX *context = keyed_context(crypto, mac, key);
    size_t written = 0;
    if (context == NULL ||
        EVP_MAC_update(context, (const unsigned char *)data.data, data.length) != 1 ||
        EVP_MAC_final(context, out, &written, macs[mac].size) != 1 || written != macs[mac].size) {
        forget_key(&crypto->macs[mac]);
        return fail(err, "OpenSSL failed to compute the HMAC");
    }
    return CR_OK;
}

enum cr_status cr_crypto_random(unsigned char *out, size_t count, struct cr_error *err)
{
    const size_t most = 256; /* that getentropy gives at a time */
    for (size_t done = 0; done < count; done += most) {
        if (getentropy(out + done, count - done < most ? count - done : most) != 0) {
            return cr_fail(err, CR_ESYSTEM, "the system gives no random bytes");
        }
    }
    return CR_OK;
}

void cr_crypto_wipe(void *data, size_t count)
{
    OPENSSL_cleanse(data, count);
}
