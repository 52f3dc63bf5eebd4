/*
 * Baseline of "sign": the hashes of one V3 signature and nothing else, with the fastest way
 * OpenSSL 3 has for them: SHA-256 fetched once, its context reused; HMAC keyed once and restarted
 * by EVP_MAC_init without a key. The texts have the lengths of a real canonical request and string
 * to sign (the arguments).
 *
 * Work "hashes" is what the signature is made of: SHA-256 of the body (empty), SHA-256 of the
 * canonical request, HMAC-SHA256. Work "least" leaves out the hash of the empty body, which is a
 * constant that the client does not compute either.
 *
 *     sign CANONICAL_LENGTH STRING_TO_SIGN_LENGTH
 */
#include "rounds.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <string.h>

enum { SHA256_SIZE = 32, LONGEST = 65536 };

struct sign {
    EVP_MD *sha256;
    EVP_MD_CTX *digest;
    EVP_MAC *hmac;
    EVP_MAC_CTX *keyed;
    size_t canonical, string_to_sign;
    unsigned char text[LONGEST];
};

static bool hash(struct sign *sign, size_t length)
{
    unsigned char out[SHA256_SIZE] = {0};
    bool ok = EVP_DigestInit_ex2(sign->digest, sign->sha256, NULL) == 1 &&
              EVP_DigestUpdate(sign->digest, sign->text, length) == 1 &&
              EVP_DigestFinal_ex(sign->digest, out, NULL) == 1;
    sign->text[0] = out[0]; /* each round hashes another text: nothing can be left out */
    return ok;
}

static bool mac(struct sign *sign)
{
    unsigned char out[SHA256_SIZE] = {0};
    size_t written = 0;
    bool ok = EVP_MAC_init(sign->keyed, NULL, 0, NULL) == 1 &&
              EVP_MAC_update(sign->keyed, sign->text, sign->string_to_sign) == 1 &&
              EVP_MAC_final(sign->keyed, out, &written, sizeof out) == 1;
    sign->text[1] = out[0];
    return ok;
}

static bool run_hashes(void *state, long count)
{
    struct sign *sign = state;
    bool ok = true;
    for (long i = 0; ok && i < count; i++) {
        ok = hash(sign, 0) && hash(sign, sign->canonical) && mac(sign);
    }
    return ok;
}

static bool run_least(void *state, long count)
{
    struct sign *sign = state;
    bool ok = true;
    for (long i = 0; ok && i < count; i++) {
        ok = hash(sign, sign->canonical) && mac(sign);
    }
    return ok;
}

static bool set_up(struct sign *sign)
{
    static const unsigned char key[30] = "BenchmarkBenchmarkBenchmark12";
    char digest[] = "SHA256";
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    memset(sign->text, 'a', sizeof sign->text);
    sign->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    sign->digest = EVP_MD_CTX_new();
    sign->hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    sign->keyed = sign->hmac != NULL ? EVP_MAC_CTX_new(sign->hmac) : NULL;
    return sign->sha256 != NULL && sign->digest != NULL && sign->keyed != NULL &&
           EVP_MAC_init(sign->keyed, key, sizeof key, parameters) == 1;
}

int main(int argc, char **argv)
{
    static const struct work works[] = {{"hashes", run_hashes}, {"least", run_least}, {NULL, NULL}};
    static struct sign sign;
    int status = 1;
    if (argc != 3) {
        return 1;
    }
    sign.canonical = strtoul(argv[1], NULL, 10);
    sign.string_to_sign = strtoul(argv[2], NULL, 10);
    if (sign.canonical <= LONGEST && sign.string_to_sign <= LONGEST && set_up(&sign)) {
        status = rounds_serve(works, &sign);
    }
    EVP_MAC_CTX_free(sign.keyed);
    EVP_MAC_free(sign.hmac);
    EVP_MD_CTX_free(sign.digest);
    EVP_MD_free(sign.sha256);
    return status;
}
