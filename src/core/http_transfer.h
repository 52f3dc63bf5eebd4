/*
 * One exchange as libcurl sees it: an easy handle with the buffers of its request and answer. It
 * serves one exchange after another. Private to the HTTP files.
 *
 * What a transfer does is fixed here, for every exchange: TLS 1.2 or newer with peer and host
 * verified, http and https only, no redirects, no signals, no cookies, gzip accepted, header and
 * body size capped (the body after decompression). What changes comes in the request. libcurl's
 * callbacks only append to bounded buffers.
 */
#ifndef CR_CORE_HTTP_TRANSFER_H
#define CR_CORE_HTTP_TRANSFER_H

#include "buffer.h"
#include "http.h"
#include "sockets.h"

#include <curl/curl.h>

#if LIBCURL_VERSION_NUM < 0x075000
#error "libcurl 7.80 or newer is needed: older ones repeat requests by themselves"
#endif

#pragma GCC visibility push(hidden)

/* A line that keeps libcurl from sending a header of its own: for POST it would invent a content
 * type, which would not be signed, and for large bodies wait for a 100. */
enum {
    CR_OWN_HEADERS = 3,
    CR_MAX_REQUEST_LINES = CR_MAX_REQUEST_HEADERS + CR_OWN_HEADERS,
    /* interim answers included; below the 300 KiB at which newer libcurl calls it a read error */
    CR_MAX_ALL_HEADER_BYTES = 2 * CR_MAX_RESPONSE_HEADER_BYTES
};

enum cr_transfer_state {
    CR_TRANSFER_IDLE,    /* without an exchange */
    CR_TRANSFER_RUNNING, /* libcurl has it */
    CR_TRANSFER_DONE,    /* ended; the answer is there, or `code` says why not */
    CR_TRANSFER_TOLD     /* the same, and its user knows */
};

struct cr_transfer {
    CURL *easy;                 /* NULL when it was given up in a child process */
    struct cr_sockets *sockets; /* of the handle it belongs to */
    enum cr_transfer_state state;
    CURLcode code;            /* how it ended */
    struct cr_transfer *next; /* in the list of the idle ones, or of those that are done */
    struct cr_transfer *sibling, *previous; /* in the list of all */

    struct cr_buffer headers;
    struct cr_buffer body;
    size_t header_count;
    size_t all_header_bytes; /* with those of interim answers */
    bool headers_end;        /* the empty line behind the headers has come */

    struct cr_buffer lines;   /* request headers, "name: value" and NUL each */
    struct cr_buffer payload; /* body of the request */
    struct curl_slist list[CR_MAX_REQUEST_LINES];

    /* What the easy handle is set to. */
    bool is_set_up;
    struct cr_buffer route; /* see set_route; empty when that is not known */
    struct cr_buffer wanted_route;
    long timeout, connect_timeout; /* milliseconds, 0 for not set */
    bool is_plain_get;

    bool sent;     /* the request has been handed to a connection */
    bool resent;   /* libcurl wanted to send it once more, and was stopped */
    bool spoilt;   /* the kept connection had bytes nobody asked for; nothing was sent */
    bool on_fresh; /* a connection of its own was asked for, after that */
    char error[CURL_ERROR_SIZE];
};

/* NULL when out of memory. */
struct cr_transfer *cr_transfer_new(struct cr_sockets *sockets);
void cr_transfer_free(struct cr_transfer *transfer); /* not while it runs; NULL is fine */

/* Gets it ready for an exchange. CR_ETRANSFER with `failure` filled when the request cannot be
 * sent. */
enum cr_status cr_transfer_prepare(struct cr_transfer *transfer,
                                   const struct cr_http_request *request,
                                   struct cr_http_failure *failure) CR_CHECKED;

/* Gets it ready for the same request once more, on a connection of its own, when the kept one was
 * spoilt; once. False when that is not the case. */
bool cr_transfer_renew(struct cr_transfer *transfer);

/* Forgets the request and wipes it, and the answer. Gives back the memory of a large one. */
void cr_transfer_forget(struct cr_transfer *transfer);

/* Fills `failure`; returns CR_ETRANSFER. */
enum cr_status cr_http_refuse(struct cr_http_failure *failure, const char *code, const char *text);

/* The same from how the transfer ended. */
enum cr_status cr_transfer_describe_failure(const struct cr_transfer *transfer,
                                            struct cr_http_failure *failure);

#pragma GCC visibility pop

#endif
