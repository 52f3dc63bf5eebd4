/*
 * Signatures of any request, stage by stage, against the canonicalisation that the emulator has of
 * its own: what both sign is the same text, or this side refuses.
 *
 * Fields of an input: method, path, secret, body, then names and values of parameters ("q…") and
 * headers ("h…").
 */
#include "../src/core/sign.h"
#include "../src/core/text.h"
#include "support.h"

enum { MAX_PAIRS = 40 }; /* more than what the sort inserts without a heap */

struct sample {
    struct cr_sign_request request;
    struct cr_pair query[MAX_PAIRS];
    struct cr_pair headers[MAX_PAIRS];
};

static void read_pairs(struct sample *sample, struct cr_slice *input)
{
    struct cr_sign_request *request = &sample->request;
    while (input->length > 0) {
        uint8_t kind = fuzz_byte(input);
        struct cr_pair pair = {fuzz_field(input), {NULL, 0}};
        pair.value = fuzz_field(input);
        if (kind == 'h' && request->header_count < MAX_PAIRS) {
            request->headers[request->header_count++] = pair;
        } else if (kind != 'h' && request->query_count < MAX_PAIRS) {
            request->query[request->query_count++] = pair;
        }
    }
}

static void push_pairs(lua_State *L, const struct cr_pair *pairs, size_t count)
{
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_createtable(L, 2, 0);
        fuzz_push(L, pairs[i].name);
        lua_rawseti(L, -2, 1);
        fuzz_push(L, pairs[i].value);
        lua_rawseti(L, -2, 2);
        lua_rawseti(L, -2, (int)i + 1);
    }
}

static void push_buffer(lua_State *L, const struct cr_buffer *buffer, enum cr_status status)
{
    if (status == CR_OK) {
        fuzz_push(L, cr_buffer_slice(buffer));
    } else {
        lua_pushnil(L);
    }
}

static void push_body_hash(lua_State *L, struct cr_slice body)
{
    unsigned char digest[CR_SHA256_SIZE];
    char hex[2 * CR_SHA256_SIZE];
    struct cr_error err;
    FUZZ_REQUIRE(cr_crypto_sha256(fuzz_crypto(), body, digest, &err) == CR_OK);
    cr_text_hex(hex, digest, sizeof digest);
    lua_pushlstring(L, hex, sizeof hex);
}

/* A second signature of the same request is the same: nothing is left of the first. */
static void check_repeatable(struct cr_signing *signing, const struct cr_sign_request *request)
{
    char first[64];
    struct cr_error err = {CR_OK, NULL};
    struct cr_slice signature = cr_buffer_slice(&signing->signature);
    FUZZ_REQUIRE(signature.length <= sizeof first);
    memcpy(first, signature.data, signature.length);
    struct cr_slice kept = {first, signature.length};
    cr_signing_wipe(signing);
    enum cr_status status =
        kept.length == 64 ? cr_sign_v3(signing, request, &err) : cr_sign_v1(signing, request, &err);
    FUZZ_REQUIRE(status == CR_OK);
    FUZZ_REQUIRE(fuzz_is_equal(cr_buffer_slice(&signing->signature), kept));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cr_slice input = fuzz_input(data, size);
    struct sample sample = {0};
    struct cr_sign_request *request = &sample.request;
    struct cr_signing signing;
    struct cr_error err = {CR_OK, NULL};
    request->query = sample.query;
    request->headers = sample.headers;
    request->method = fuzz_field(&input);
    request->path = fuzz_field(&input);
    request->access_key_secret = fuzz_field(&input);
    request->body = fuzz_field(&input);
    request->access_key_id = CR_LITERAL("LTAI");
    read_pairs(&sample, &input);
    lua_State *L = fuzz_lua("sign");
    fuzz_push(L, request->method);
    fuzz_push(L, request->path);
    push_pairs(L, request->query, request->query_count);
    push_pairs(L, request->headers, request->header_count);
    push_body_hash(L, request->body);
    fuzz_push(L, request->access_key_secret);

    cr_signing_init(&signing, fuzz_crypto());
    enum cr_status status = cr_sign_v3(&signing, request, &err);
    push_buffer(L, &signing.canonical, status);
    push_buffer(L, &signing.text, status);
    if (status == CR_OK) {
        check_repeatable(&signing, request);
    }
    status = cr_sign_v1(&signing, request, &err);
    push_buffer(L, &signing.text, status);
    if (status == CR_OK) {
        check_repeatable(&signing, request);
    }
    FUZZ_REQUIRE(status == CR_OK || err.text != NULL);
    cr_signing_clean_up(&signing);
    fuzz_call_lua(L);
    return 0;
}
