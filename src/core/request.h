/*
 * One request of this API: from flat parameters, an endpoint and a credential to the method, the
 * URL and the headers that are sent.
 *
 * A struct cr_request is filled once per call (begin, add, aim) and signed once per attempt. It
 * copies what it is given, so that nothing of the caller's has to stay; all of it is wiped when the
 * next call begins and at clean-up. Signing is pure: time and nonce come in with the attempt.
 * Not thread-safe: one call at a time.
 */
#ifndef CR_CORE_REQUEST_H
#define CR_CORE_REQUEST_H

#include "buffer.h"
#include "sign.h"
#include "text.h"

#include <stdint.h>

#pragma GCC visibility push(hidden)

enum { CR_REQUEST_HEADERS = 13 };

/* A piece of the request's own text: the buffer may move while it grows. */
struct cr_span {
    size_t start;
    size_t length;
};

/* What differs from attempt to attempt. */
struct cr_attempt {
    int64_t time; /* seconds since the epoch */
    struct cr_slice nonce;
    struct cr_slice access_key_id;
    struct cr_slice access_key_secret;
    struct cr_slice security_token; /* empty for a plain access key */
    unsigned retry;                 /* 0 for the first attempt */
    unsigned long pause;            /* milliseconds before this attempt */
};

struct cr_request {
    struct cr_signing signing;
    struct cr_buffer text;       /* everything a span points into */
    struct cr_buffer parameters; /* array of struct cr_parameter */
    struct cr_buffer pairs;      /* array of struct cr_pair: what is being signed */
    struct cr_buffer url;        /* with its terminator, once signed */
    struct cr_span method, action, origin, host, user_agent;
    struct cr_span version; /* empty: cr_api_version */
    size_t call_length;     /* of `text`, before the first attempt added its own */
    struct cr_pair headers[CR_REQUEST_HEADERS];
    size_t header_count;
};

struct cr_parameter {
    struct cr_span name;
    struct cr_span value;
};

/* `request->signing.crypto` must be set before the first signature. */
void cr_request_init(struct cr_request *request);
void cr_request_clean_up(struct cr_request *request);

/* Forgets and wipes everything; keeps the storage. */
void cr_request_clear(struct cr_request *request);

/* Starts a call of cr_api_version. Failures of these five show in the signature. */
void cr_request_begin(struct cr_request *request, struct cr_slice method, struct cr_slice action);
/* For a call of another API. */
void cr_request_set_version(struct cr_request *request, struct cr_slice version);
void cr_request_add(struct cr_request *request, struct cr_slice name, struct cr_slice value);
void cr_request_aim(struct cr_request *request, struct cr_slice origin, struct cr_slice host);
void cr_request_set_user_agent(struct cr_request *request, struct cr_slice user_agent);

/* Whether everything so far was kept: there was memory, and no maximum was reached. */
bool cr_request_holds_all(const struct cr_request *request);

size_t cr_request_parameter_count(const struct cr_request *request);
struct cr_pair cr_request_parameter(const struct cr_request *request, size_t index);

/* What is asked, without who asks and when: the parameters as they are sent, sorted and encoded.
 * Two calls of an operation are the same call exactly when these are equal. Valid until the request
 * is touched again. */
enum cr_status cr_request_query(struct cr_request *request, struct cr_slice *query,
                                struct cr_error *err) CR_CHECKED;

/* Signs an attempt: fills `url`, `headers` and `signing` (its string to sign stays for messages).
 */
enum cr_status cr_request_sign_v3(struct cr_request *request, const struct cr_attempt *attempt,
                                  struct cr_error *err) CR_CHECKED;
enum cr_status cr_request_sign_v1(struct cr_request *request, const struct cr_attempt *attempt,
                                  struct cr_error *err) CR_CHECKED;

struct cr_slice cr_request_slice(const struct cr_request *request, struct cr_span span);

#pragma GCC visibility pop

#endif
