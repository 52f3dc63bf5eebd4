/*
 * HTTP exchanges, many at a time, over one libcurl multi handle that is kept and reused.
 *
 * Reuse keeps connections alive between exchanges, and with them TLS sessions and DNS answers. An
 * exchange is started, runs whenever cr_http_next is called, and is told when it has ended;
 * cr_http_wait is the blocking way for a single one. libcurl is driven by events
 * (curl_multi_socket_action over epoll): what a step costs does not grow with the number of
 * exchanges in flight.
 *
 * The slices of an answer point into its exchange and stay valid until cr_http_release. One thread
 * at a time may use a handle. In a child process a handle starts anew: its parent's connections
 * are left alone, and exchanges that ran in the parent have failed.
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
    CR_MAX_REQUEST_BODY_BYTES = 16 * 1024 * 1024,
    CR_MAX_TRANSFERS = 10000, /* of one handle, in flight */
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

struct cr_http;     /* the handle */
struct cr_transfer; /* one exchange; the handle's until cr_http_release */

/* NULL when out of memory or descriptors, or when libcurl cannot be initialised. */
struct cr_http *cr_http_new(void);
void cr_http_free(struct cr_http *http); /* ends what runs; NULL is fine */

/* Starts an exchange; a copy is made of all of the request. NULL with `failure` filled when it
 * cannot be started. */
struct cr_transfer *cr_http_start(struct cr_http *http, const struct cr_http_request *request,
                                  struct cr_http_failure *failure) CR_CHECKED;

/* Lets exchanges run until one has ended, at most so many seconds (0: what is to be done now).
 * Returns one that has ended, each one once; NULL when there is none. */
struct cr_transfer *cr_http_next(struct cr_http *http, double seconds) CR_CHECKED;

/* Lets exchanges run until this one has ended. cr_http_next will not tell it; others that end
 * meanwhile it will. */
void cr_http_wait(struct cr_http *http, struct cr_transfer *transfer);

/* Whether this is an exchange of the handle that has not been told to have ended. Looks at all. */
bool cr_http_has(const struct cr_http *http, const struct cr_transfer *transfer);

/* How an exchange has ended: CR_OK with `response` filled, whatever the HTTP status; else
 * CR_ETRANSFER with `failure` filled. */
enum cr_status cr_http_result(const struct cr_transfer *transfer, struct cr_http_response *response,
                              struct cr_http_failure *failure) CR_CHECKED;

/* Gives the exchange back, and wipes it. One that still runs is ended, and its connection closed:
 * nothing of it is sent or received any more. */
void cr_http_release(struct cr_http *http, struct cr_transfer *transfer);

/* The next header of a raw block: moves `block` behind it and fills `header` (name and trimmed
 * value). False at the end. Lines without a colon are passed over. */
bool cr_http_next_header(struct cr_slice *block, struct cr_pair *header);

/* Seconds since the epoch of an HTTP date, -1 when it is none. */
long long cr_http_parse_date(const char *text);

/* "7.88.1", for the user agent. */
const char *cr_http_library_version(void);

#pragma GCC visibility pop

#endif
