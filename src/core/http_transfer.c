#include "http_transfer.h"

#include "text.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_REQUEST_HEADER_BYTES = 64 * 1024, MAX_ROUTE_BYTES = 32 * 1024 };

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    struct cr_transfer *transfer = user;
    cr_buffer_append(&transfer->body, data, size * count);
    return transfer->body.status == CR_OK ? size * count : 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *user)
{
    struct cr_transfer *transfer = user;
    size_t length = size * count;
    if (length >= 5 && memcmp(data, "HTTP/", 5) == 0) { /* a new block, after a 1xx */
        cr_buffer_clear(&transfer->headers);
        transfer->header_count = 0;
        transfer->headers_end = false;
        if (length < 7 || data[5] != '1') { /* libcurl goes along with a status line of HTTP/2 */
            transfer->headers.status = CR_EINVAL;
        }
    } else if (length > 2 && ++transfer->header_count > CR_MAX_RESPONSE_HEADERS) {
        transfer->headers.status = CR_ELIMIT;
    }
    transfer->all_header_bytes += length;
    if (transfer->all_header_bytes > CR_MAX_ALL_HEADER_BYTES) {
        transfer->headers.status = CR_ELIMIT;
    }
    transfer->headers_end = transfer->headers_end || length <= 2;
    cr_buffer_append(&transfer->headers, data, length);
    return transfer->headers.status == CR_OK ? length : 0;
}

/* Before each request. When a kept connection turns out to be closed before a byte of the answer,
 * libcurl sends the request again by itself, whatever it is; whether that is safe is the caller's
 * to say, and a signature is good for one request only. */
static int on_request(void *user, char *peer, char *local, int peer_port, int local_port)
{
    struct cr_transfer *transfer = user;
    (void)peer;
    (void)local;
    (void)peer_port;
    transfer->resent = transfer->sent;
    transfer->spoilt = cr_sockets_are_spoilt(transfer->sockets, local_port);
    if (transfer->resent || transfer->spoilt) {
        return CURL_PREREQFUNC_ABORT;
    }
    transfer->sent = true;
    return CURL_PREREQFUNC_OK;
}

/* Programs that the host starts must not hold our connections open. */
static int on_socket(void *user, curl_socket_t socket, curlsocktype purpose)
{
    (void)purpose;
    return fcntl(socket, F_SETFD, FD_CLOEXEC) == 0 && cr_sockets_opened(user, socket)
               ? CURL_SOCKOPT_OK
               : CURL_SOCKOPT_ERROR;
}

static int on_close(void *user, curl_socket_t socket)
{
    cr_sockets_closed(user, socket);
    return close(socket);
}

/* What no exchange changes. */
static bool set_fixed_options(struct cr_transfer *transfer)
{
    static const struct {
        CURLoption option;
        long value;
    } fixed[] = {
        {CURLOPT_NOSIGNAL, 1},
        {CURLOPT_FOLLOWLOCATION, 0},
        {CURLOPT_SSL_VERIFYPEER, 1},
        {CURLOPT_SSL_VERIFYHOST, 2},
        {CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2},
        /* One small request at a time gains nothing from HTTP/2. */
        {CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1},
        {CURLOPT_HTTP09_ALLOWED, 0}, /* an answer without a status line is no answer */
        {CURLOPT_SUPPRESS_CONNECT_HEADERS, 1},
        {CURLOPT_TCP_KEEPALIVE, 1},
#if LIBCURL_VERSION_NUM < 0x075500
        {CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS},
#endif
    };
    CURL *easy = transfer->easy;
    bool ok = true;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        ok = ok && curl_easy_setopt(easy, fixed[i].option, fixed[i].value) == CURLE_OK;
    }
#if LIBCURL_VERSION_NUM >= 0x075500
    ok = ok && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
#endif
    ok = ok && curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer->error) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERDATA, transfer) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_SOCKOPTDATA, transfer->sockets) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, on_close) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, transfer->sockets) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->list) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PREREQDATA, transfer) == CURLE_OK;
    /* A libcurl built without zlib refuses, and then simply gets plain answers. */
    if (ok) {
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    }
    return ok;
}

enum cr_status cr_http_refuse(struct cr_http_failure *failure, const char *code, const char *text)
{
    failure->code = code;
    failure->sent = false;
    snprintf(failure->text, sizeof failure->text, "%s", text);
    return CR_ETRANSFER;
}

/* One "name: value" line with its terminator into the arena. */
static void append_line(struct cr_buffer *arena, const struct cr_pair *header)
{
    cr_buffer_append_slice(arena, header->name);
    /* libcurl drops a header without a value unless it ends in ';' */
    cr_buffer_append_text(arena, header->value.length > 0 ? ": " : ";");
    cr_buffer_append_slice(arena, header->value);
    cr_buffer_append_char(arena, '\0');
}

static const char *const own_headers[CR_OWN_HEADERS] = {"Accept:", "Content-Type:", "Expect:"};

static bool is_sendable(const struct cr_pair *header)
{
    return header->name.length > 0 && cr_text_is_line(header->name) &&
           memchr(header->name.data, ':', header->name.length) == NULL &&
           cr_text_is_line(header->value);
}

static bool is_given(const struct cr_http_request *request, const char *line)
{
    struct cr_slice name = {line, strlen(line) - 1}; /* without its colon */
    for (size_t i = 0; i < request->header_count; i++) {
        if (cr_text_compare_lower(request->headers[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* Fills the list for CURLOPT_HTTPHEADER. libcurl only reads the list, so that it can be made of one
 * array of nodes and one arena of lines, where curl_slist_append would copy every line. */
static enum cr_status build_headers(struct cr_transfer *transfer,
                                    const struct cr_http_request *request,
                                    struct cr_http_failure *failure)
{
    size_t starts[CR_MAX_REQUEST_LINES], count = 0;
    cr_buffer_clear(&transfer->lines);
    if (request->header_count > CR_MAX_REQUEST_HEADERS) {
        return cr_http_refuse(failure, "InvalidHeader", "the request has more than 64 headers");
    }
    for (size_t i = 0; i < request->header_count; i++) {
        if (!is_sendable(&request->headers[i])) {
            return cr_http_refuse(failure, "InvalidHeader",
                                  "a header name or value holds a line break, a NUL or a colon");
        }
        starts[count++] = transfer->lines.length;
        append_line(&transfer->lines, &request->headers[i]);
    }
    for (size_t i = 0; i < CR_OWN_HEADERS; i++) {
        if (!is_given(request, own_headers[i])) {
            starts[count++] = transfer->lines.length;
            cr_buffer_append(&transfer->lines, own_headers[i], strlen(own_headers[i]) + 1);
        }
    }
    if (transfer->lines.status != CR_OK) {
        return cr_http_refuse(failure, "OutOfMemory", "no memory, or headers above 64 KiB");
    }
    for (size_t i = 0; i < count; i++) {
        transfer->list[i].data = transfer->lines.data + starts[i];
        transfer->list[i].next = i + 1 < count ? &transfer->list[i + 1] : NULL;
    }
    return CR_OK;
}

static long milliseconds(double seconds)
{
    const double longest = 86400.0 * 1000; /* a day; also keeps the conversion defined */
    double value = seconds * 1000;
    if (!(value > 1)) {
        return 1; /* 0 would mean "no limit" to libcurl */
    }
    return value < longest ? (long)value : (long)longest;
}

/* Whether the time is not set yet; notes that it is. */
static bool is_new(long *known, long value)
{
    bool is_other = *known != value;
    *known = value;
    return is_other;
}

/* What the exchange before was sent with is left as it is: most are like it. */
static bool set_options(struct cr_transfer *transfer, const struct cr_http_request *request)
{
    CURL *easy = transfer->easy;
    long timeout = milliseconds(request->timeout);
    long connect_timeout = milliseconds(request->connect_timeout);
    bool is_plain_get = strcmp(request->method, "GET") == 0 && request->body.length == 0;
    bool ok = curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK;
    if (is_plain_get && !transfer->is_plain_get) {
        ok = ok && curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
        ok = ok && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL) == CURLE_OK;
    } else if (!is_plain_get) {
        cr_buffer_append_slice(&transfer->payload, request->body);
        ok = ok && transfer->payload.status == CR_OK;
        ok = ok && curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
        ok = ok &&
             curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                              request->body.length > 0 ? transfer->payload.data : "") == CURLE_OK;
        ok = ok && curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                    (curl_off_t)request->body.length) == CURLE_OK;
        ok = ok && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
    }
    transfer->is_plain_get = ok && is_plain_get;
    if (is_new(&transfer->timeout, timeout)) {
        ok = ok && curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout) == CURLE_OK;
    }
    if (is_new(&transfer->connect_timeout, connect_timeout)) {
        ok = ok && curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, connect_timeout) == CURLE_OK;
    }
    return ok;
}

/* Whom an exchange trusts and what proxy it goes through, each with its NUL: what the handle is set
 * to for one exchange after another. */
static void append_route(struct cr_buffer *route, const struct cr_http_request *request)
{
    const char *const parts[] = {request->ca_file, request->ca_path, request->proxy};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        cr_buffer_append_char(route, parts[i] != NULL ? '=' : '-');
        cr_buffer_append_text(route, parts[i] != NULL ? parts[i] : "");
        cr_buffer_append_char(route, '\0');
    }
}

/* Another easy handle: libcurl knows no other way back to its built-in CA file but
 * curl_easy_reset, which does not say when there was no memory for it. */
static bool renew_easy(struct cr_transfer *transfer)
{
    CURL *easy = curl_easy_init();
    if (easy == NULL) {
        return false;
    }
    curl_easy_cleanup(transfer->easy);
    transfer->easy = easy;
    return true;
}

/* Sets the handle up, unless it is set to this trust and proxy already. */
static bool set_route(struct cr_transfer *transfer, const struct cr_http_request *request)
{
    struct cr_buffer *route = &transfer->route, *wanted = &transfer->wanted_route;
    cr_buffer_clear(wanted);
    append_route(wanted, request);
    if (wanted->status != CR_OK) {
        return false;
    }
    if (route->length == wanted->length && memcmp(route->data, wanted->data, wanted->length) == 0) {
        return true;
    }
    if (transfer->is_set_up && !renew_easy(transfer)) {
        return false;
    }
    CURL *easy = transfer->easy;
    transfer->is_set_up = true;
    cr_buffer_clear(route);
    transfer->is_plain_get = false;
    transfer->timeout = transfer->connect_timeout = 0;
    bool ok = set_fixed_options(transfer);
    if (request->ca_file != NULL) {
        ok = ok && curl_easy_setopt(easy, CURLOPT_CAINFO, request->ca_file) == CURLE_OK;
    }
    if (request->ca_path != NULL) {
        ok = ok && curl_easy_setopt(easy, CURLOPT_CAPATH, request->ca_path) == CURLE_OK;
    }
    ok = ok && curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy) == CURLE_OK;
    if (ok) {
        append_route(route, request);
    }
    return ok && route->status == CR_OK;
}

struct cr_transfer *cr_transfer_new(struct cr_sockets *sockets)
{
    struct cr_transfer *transfer = calloc(1, sizeof *transfer);
    if (transfer == NULL) {
        return NULL;
    }
    transfer->sockets = sockets;
    cr_buffer_init(&transfer->headers, CR_MAX_RESPONSE_HEADER_BYTES, false);
    cr_buffer_init(&transfer->body, 0, true); /* may hold a password or a token */
    cr_buffer_init(&transfer->lines, MAX_REQUEST_HEADER_BYTES, true);
    cr_buffer_init(&transfer->payload, CR_MAX_REQUEST_BODY_BYTES, true);
    cr_buffer_init(&transfer->route, MAX_ROUTE_BYTES, true); /* a proxy may have a password */
    cr_buffer_init(&transfer->wanted_route, MAX_ROUTE_BYTES, true);
    transfer->easy = curl_easy_init();
    if (transfer->easy == NULL) {
        cr_transfer_free(transfer);
        return NULL;
    }
    return transfer;
}

void cr_transfer_free(struct cr_transfer *transfer)
{
    if (transfer != NULL) {
        curl_easy_cleanup(transfer->easy);
        cr_buffer_clean_up(&transfer->headers);
        cr_buffer_clean_up(&transfer->body);
        cr_buffer_clean_up(&transfer->lines);
        cr_buffer_clean_up(&transfer->payload);
        cr_buffer_clean_up(&transfer->route);
        cr_buffer_clean_up(&transfer->wanted_route);
        free(transfer);
    }
}

/* Nothing of an answer yet. */
static void begin(struct cr_transfer *transfer)
{
    cr_buffer_clear(&transfer->headers);
    cr_buffer_clear(&transfer->body);
    transfer->header_count = 0;
    transfer->all_header_bytes = 0;
    transfer->headers_end = false;
    transfer->sent = false;
    transfer->resent = false;
    transfer->spoilt = false;
    transfer->error[0] = '\0';
}

enum cr_status cr_transfer_prepare(struct cr_transfer *transfer,
                                   const struct cr_http_request *request,
                                   struct cr_http_failure *failure)
{
    begin(transfer);
    cr_buffer_reset(&transfer->body, request->max_body);
    if (strspn(request->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(request->method) ||
        request->method[0] == '\0') {
        return cr_http_refuse(failure, "InvalidMethod",
                              "the method is not made of upper-case letters");
    }
    enum cr_status status = build_headers(transfer, request, failure);
    if (status == CR_OK && (!set_route(transfer, request) || !set_options(transfer, request))) {
        status = cr_http_refuse(failure, "OutOfMemory",
                                "libcurl did not take the options of the request");
    }
    return status;
}

bool cr_transfer_renew(struct cr_transfer *transfer)
{
    if (!transfer->spoilt || transfer->on_fresh) {
        return false;
    }
    begin(transfer);
    transfer->on_fresh = curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 1L) == CURLE_OK;
    return transfer->on_fresh;
}

void cr_transfer_forget(struct cr_transfer *transfer)
{
    enum { KEPT = 1024 * 1024 }; /* bytes; a larger answer gives its memory back */
    /* The easy handle outlives the headers and the body; V1's URL holds the session token. */
    curl_easy_setopt(transfer->easy, CURLOPT_URL, NULL);
    if (transfer->payload.length > 0) {
        curl_easy_setopt(transfer->easy, CURLOPT_POSTFIELDS, NULL);
    }
    if (transfer->on_fresh) {
        curl_easy_setopt(transfer->easy, CURLOPT_FRESH_CONNECT, 0L);
        transfer->on_fresh = false;
    }
    cr_buffer_clear(&transfer->lines);
    cr_buffer_clear(&transfer->payload);
    cr_buffer_clear(&transfer->headers);
    cr_buffer_clear(&transfer->body);
    if (transfer->body.capacity > KEPT) {
        cr_buffer_clean_up(&transfer->body);
    }
}
