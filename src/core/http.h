/*
 * One HTTP exchange at a time on a libcurl handle that is kept and reused.
 *
 * Reuse keeps the connection alive between exchanges, and with it TLS sessions and DNS answers.
 * What the handle does is fixed here, for every exchange: TLS 1.2 or newer with peer and host
 * verified, http and https only, no redirects, no signals, no cookies, gzip accepted, header and
 * body size capped (the body after decompression). What changes comes in the request.
 *
 * libcurl's callbacks only append to bounded buffers. Answer slices point into the handle and
 * stay valid until its next exchange or cr_http_forget. One thread at a time may use a handle.
 */
#ifndef CR_CORE_HTTP_H
#define CR_CORE_HTTP_H

#include "buffer.h"
#include "slice.h"

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

enum {
    CR_MAX_REQUEST_HEADERS = 64,
    CR_MAX_RESPONSE_HEADER_BYTES = 64 * 1024,
    CR_MAX_RESPONSE_HEADERS = 200,
    CR_FAILURE_TEXT_SIZE = 320
};

struct cr_http_request {
    const char *method; /* upper-case letters; all but a GET without body carry the body */
    const char *url;
    const struct cr_pair *headers; /* no CR, LF or NUL inside: refused */
    size_t header_count;
    struct cr_slice body;
    double timeout;         /* seconds for the whole exchange */
    double connect_timeout; /* seconds until connected, TLS included */
    size_t max_body;        /* bytes after decompression */
    const char *ca_file;    /* NULL: libcurl's default */
    const char *ca_path;
    const char *proxy; /* NULL: from the environment, as curl does; "": none */
};

struct cr_http_response {
    long status;
    struct cr_slice headers; /* raw lines of the last header block, status line first */
    struct cr_slice body;
    double dns, connect, tls, first_byte, total; /* seconds since the start; tls 0 without TLS */
    bool connection_reused;
};

/* Why an exchange brought no answer. `code` is one of the names in http.c, `text` one sentence
 * from libcurl without anything secret. */
struct cr_http_failure {
    const char *code;
    char text[CR_FAILURE_TEXT_SIZE];
    bool sent; /* part of the request may have reached the server */
};

struct cr_http; /* the handle */

/* NULL when out of memory or when libcurl cannot be initialised. */
struct cr_http *cr_http_new(void);
void cr_http_free(struct cr_http *http); /* NULL is fine */

/* CR_OK with `response` filled, whatever the HTTP status; else CR_ETRANSFER with `failure`
 * filled. */
enum cr_status cr_http_exchange(struct cr_http *http, const struct cr_http_request *request,
                                struct cr_http_response *response,
                                struct cr_http_failure *failure) CR_CHECKED;

/* Wipes the answer, and gives back the memory of a large one; its slices are gone. */
void cr_http_forget(struct cr_http *http);

/* The next header of a raw block: moves `block` behind it and fills `header` (name and trimmed
 * value). False at the end. Lines without a colon are passed over. */
bool cr_http_next_header(struct cr_slice *block, struct cr_pair *header);

/* Seconds since the epoch of an HTTP date, -1 when it is none. */
long long cr_http_parse_date(const char *text);

/* "7.88.1", for the user agent. */
const char *cr_http_library_version(void);

#pragma GCC visibility pop

#endif
