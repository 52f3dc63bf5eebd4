/*
 * Alibaba Cloud request signatures: V3 (ACS3-HMAC-SHA256) and V1 (RPC, HMAC-SHA1).
 *
 * Signing is pure: the request, the credential, the time and the nonce come in as headers and
 * parameters, the same input gives the same signature for ever. A struct cr_signing is the work
 * space of one signature after another; each stage fills one of its buffers, in the order of the
 * declarations below, and is callable by itself so that a test can hold it against a golden text.
 *
 * The arrays of pairs belong to the caller and are sorted in place. The buffers keep their
 * content until the next signature or cr_signing_wipe. Not thread-safe.
 *
 * Source: the vendor's pages on the V3 request body and signature, and on the RPC mechanism.
 */
#ifndef CR_CORE_SIGN_H
#define CR_CORE_SIGN_H

#include "buffer.h"
#include "crypto.h"
#include "slice.h"

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

enum {
    CR_MAX_QUERY_SIZE = 1024 * 1024, /* bytes, percent-encoded */
    CR_MAX_CANONICAL_SIZE = 4 * 1024 * 1024,
    CR_MAX_QUERY_PAIRS = 1088, /* 1024 values of a call and what V1 adds */
    CR_MAX_HEADER_PAIRS = 64
};

/* SHA-256 of nothing, which is the body of every call of this API. */
#define CR_EMPTY_SHA256 "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

struct cr_sign_request {
    struct cr_slice method; /* "GET", "POST" */
    struct cr_slice path;   /* "/" for this API */
    struct cr_pair *query;  /* raw, not encoded */
    size_t query_count;
    struct cr_pair *headers; /* V3 only; names in any case, values untrimmed */
    size_t header_count;
    bool headers_are_canonical; /* all to be signed, in lower case, sorted, none twice */
    struct cr_slice body;
    struct cr_slice access_key_id; /* V3 only */
    struct cr_slice access_key_secret;
};

struct cr_signing {
    struct cr_crypto *crypto;       /* borrowed */
    struct cr_buffer query;         /* canonical query: also what is sent */
    struct cr_buffer names;         /* V3: signed header names, ';' between */
    struct cr_buffer canonical;     /* V3: canonical request */
    struct cr_buffer text;          /* string to sign */
    struct cr_buffer signature;     /* V3: hex, V1: base64 */
    struct cr_buffer authorization; /* V3: the value of the header */
    struct cr_buffer key;           /* V1: secret + "&" */
};

void cr_signing_init(struct cr_signing *signing, struct cr_crypto *crypto);
void cr_signing_clean_up(struct cr_signing *signing);

/* Empties all buffers, wiping them; keeps their storage for the next signature. */
void cr_signing_wipe(struct cr_signing *signing);

/* All stages of one algorithm. */
enum cr_status cr_sign_v3(struct cr_signing *signing, const struct cr_sign_request *request,
                          struct cr_error *err) CR_CHECKED;
enum cr_status cr_sign_v1(struct cr_signing *signing, const struct cr_sign_request *request,
                          struct cr_error *err) CR_CHECKED;

/* Stage 1 of both: sorts by raw name, encodes into `query`. */
enum cr_status cr_sign_canonical_query(struct cr_signing *signing,
                                       const struct cr_sign_request *request,
                                       struct cr_error *err) CR_CHECKED;
/* V3, stage 2: needs `query`; fills `names` and `canonical`. */
enum cr_status cr_sign_v3_canonical_request(struct cr_signing *signing,
                                            const struct cr_sign_request *request,
                                            struct cr_error *err) CR_CHECKED;
/* V3, stage 3: needs `canonical`; fills `text`. */
enum cr_status cr_sign_v3_string_to_sign(struct cr_signing *signing,
                                         struct cr_error *err) CR_CHECKED;
/* V3, stage 4: needs `text` and `names`; fills `signature` and `authorization`. */
enum cr_status cr_sign_v3_authorization(struct cr_signing *signing,
                                        const struct cr_sign_request *request,
                                        struct cr_error *err) CR_CHECKED;
/* V1, stage 2: needs `query`; fills `text`. */
enum cr_status cr_sign_v1_string_to_sign(struct cr_signing *signing,
                                         const struct cr_sign_request *request,
                                         struct cr_error *err) CR_CHECKED;
/* V1, stage 3: needs `text`; fills `signature`. */
enum cr_status cr_sign_v1_signature(struct cr_signing *signing,
                                    const struct cr_sign_request *request,
                                    struct cr_error *err) CR_CHECKED;

#pragma GCC visibility pop

#endif
