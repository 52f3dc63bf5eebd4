/*
 * A request made of any bytes: the URL gives the parameters back, headers come once and in order,
 * and a second attempt has nothing of the first.
 *
 * Fields of an input: method, action, origin, host, nonce, id, secret, token, time (5 bytes), then
 * names and values of parameters.
 */
#include "../src/core/request.h"
#include "support.h"

/* V1 adds up to ten pairs, the token and the signature among them. */
enum { MAX_PAIRS = 40, SYSTEM_PAIRS = 10, LONGEST = 1 << 20 };

/* The pairs of a query, decoded into `arena`. */
static size_t read_query(struct cr_slice query, struct cr_buffer *arena, struct cr_pair *pairs)
{
    size_t count = 0;
    while (query.length > 0) {
        const char *end = memchr(query.data, '&', query.length);
        struct cr_slice piece = {query.data, end ? (size_t)(end - query.data) : query.length};
        const char *equals = memchr(piece.data, '=', piece.length);
        FUZZ_REQUIRE(equals != NULL && count < MAX_PAIRS + SYSTEM_PAIRS);
        struct cr_slice halves[2] = {
            {piece.data, (size_t)(equals - piece.data)},
            {equals + 1, piece.length - (size_t)(equals - piece.data) - 1}};
        struct cr_slice decoded[2];
        for (int i = 0; i < 2; i++) {
            size_t start = arena->length;
            fuzz_percent_decode(arena, halves[i]);
            FUZZ_REQUIRE(arena->status == CR_OK);
            decoded[i] = (struct cr_slice){arena->data + start, arena->length - start};
        }
        pairs[count++] = (struct cr_pair){decoded[0], decoded[1]};
        query.data += piece.length + (end ? 1 : 0);
        query.length -= piece.length + (end ? 1 : 0);
    }
    return count;
}

static void check_url(const struct cr_request *request, const struct cr_pair *given, size_t count,
                      bool is_v1)
{
    struct cr_pair sent[MAX_PAIRS + SYSTEM_PAIRS];
    struct cr_buffer arena;
    struct cr_slice url = cr_buffer_slice(&request->url);
    struct cr_slice origin = cr_request_slice(request, request->origin);
    FUZZ_REQUIRE(url.length > origin.length + 1 && url.data[--url.length] == '\0');
    FUZZ_REQUIRE(memcmp(url.data, origin.data, origin.length) == 0);
    FUZZ_REQUIRE(url.data[origin.length] == '/');
    url.data += origin.length + 1;
    url.length -= origin.length + 1;
    FUZZ_REQUIRE((url.length == 0) == (count == 0 && !is_v1));
    if (url.length > 0) {
        FUZZ_REQUIRE(*url.data++ == '?');
        url.length--;
    }
    cr_buffer_init(&arena, LONGEST, false);
    FUZZ_REQUIRE(cr_buffer_reserve(&arena, url.length) != NULL); /* never moves afterwards */
    size_t found = read_query(url, &arena, sent);
    size_t matched = 0;
    for (size_t i = 0; i < found; i++) {
        for (size_t k = 0; k < count; k++) {
            matched += fuzz_is_equal(sent[i].name, given[k].name) &&
                       fuzz_is_equal(sent[i].value, given[k].value);
        }
    }
    FUZZ_REQUIRE(matched == count);
    FUZZ_REQUIRE(is_v1 ? found == count + 9 || found == count + 10 : found == count);
    cr_buffer_clean_up(&arena);
}

static void check_headers(const struct cr_request *request)
{
    FUZZ_REQUIRE(request->header_count >= 3 && request->header_count <= CR_REQUEST_HEADERS);
    for (size_t i = 0; i < request->header_count; i++) {
        const struct cr_pair *header = &request->headers[i];
        bool is_plain = i + 3 >= request->header_count; /* authorization or host, and two more */
        FUZZ_REQUIRE(header->name.length > 0);
        FUZZ_REQUIRE(i == 0 || is_plain || cr_pair_compare(header - 1, header) < 0);
    }
}

typedef enum cr_status sign_function(struct cr_request *request, const struct cr_attempt *attempt,
                                     struct cr_error *err);

static void sign_twice(struct cr_request *request, struct cr_attempt attempt, sign_function *sign,
                       const struct cr_pair *given, size_t count)
{
    struct cr_error err = {CR_OK, NULL};
    bool is_v1 = sign == cr_request_sign_v1;
    if (sign(request, &attempt, &err) != CR_OK) {
        FUZZ_REQUIRE(err.text != NULL && request->url.length == 0);
        return;
    }
    check_url(request, given, count, is_v1);
    check_headers(request);
    attempt.retry = 1;
    attempt.pause = 250;
    attempt.security_token.length = 0;
    FUZZ_REQUIRE(sign(request, &attempt, &err) == CR_OK);
    check_url(request, given, count, is_v1);
    check_headers(request);
    for (size_t i = 0; i < request->header_count; i++) {
        FUZZ_REQUIRE(!fuzz_is_equal(request->headers[i].name, CR_LITERAL("x-acs-security-token")));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cr_slice input = fuzz_input(data, size);
    struct cr_pair given[MAX_PAIRS];
    size_t count = 0;
    struct cr_request request;
    struct cr_attempt attempt = {0};
    cr_request_init(&request);
    request.signing.crypto = fuzz_crypto();
    struct cr_slice method = fuzz_field(&input), action = fuzz_field(&input);
    cr_request_begin(&request, method, action);
    struct cr_slice origin = fuzz_field(&input), host = fuzz_field(&input);
    attempt.nonce = fuzz_field(&input);
    attempt.access_key_id = fuzz_field(&input);
    attempt.access_key_secret = fuzz_field(&input);
    attempt.security_token = fuzz_field(&input);
    for (int i = 0; i < 5; i++) { /* the years 0 to 9999 have 39 bits */
        attempt.time = attempt.time * 256 + fuzz_byte(&input);
    }
    for (; input.length > 0 && count < MAX_PAIRS; count++) {
        given[count].name = fuzz_field(&input);
        given[count].value = fuzz_field(&input);
        cr_request_add(&request, given[count].name, given[count].value);
    }
    cr_request_aim(&request, origin, host);
    cr_request_set_user_agent(&request, CR_LITERAL("fuzz"));
    FUZZ_REQUIRE(cr_request_parameter_count(&request) == count);
    sign_twice(&request, attempt, cr_request_sign_v3, given, count);
    sign_twice(&request, attempt, cr_request_sign_v1, given, count);
    cr_request_clean_up(&request);
    return 0;
}
