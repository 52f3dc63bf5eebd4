#include "http.h"

#include "sigpipe.h"
#include "sockets.h"
#include "text.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_REQUEST_HEADER_BYTES = 64 * 1024,
    MAX_TRUST_BYTES = 16 * 1024,
    /* interim answers included; below the 300 KiB at which newer libcurl calls it a read error */
    MAX_ALL_HEADER_BYTES = 2 * CR_MAX_RESPONSE_HEADER_BYTES,
    KEPT_CONNECTIONS = 4
};

/* A peer that closes while we write must not raise SIGPIPE in the host program. Since 7.87 libcurl
 * sees to that itself, also under TLS (every write is its own send with MSG_NOSIGNAL); before, TLS
 * libraries wrote for themselves. For those versions sigpipe.h holds it back. */
enum { FIRST_WITHOUT_SIGPIPE = 0x075700 };

#if LIBCURL_VERSION_NUM < 0x075000
#error "libcurl 7.80 or newer is needed: older ones repeat requests by themselves"
#endif

struct cr_http {
    pid_t owner;  /* who made the two below: a child must not touch its parent's connections */
    CURLM *multi; /* holds the connections */
    CURL *easy;
    struct cr_sockets sockets; /* of the connections */
    struct cr_buffer headers;
    struct cr_buffer body;
    size_t header_count;
    size_t all_header_bytes; /* with those of interim answers */
    bool headers_end;        /* the empty line behind the headers has come */
    struct cr_buffer lines;  /* request headers, "name: value" and NUL each */
    struct cr_buffer trust;  /* CA file and path the handle is set to, each with its NUL */
    bool may_raise_sigpipe;
    bool sent;          /* the request has been handed to the connection */
    bool resent;        /* libcurl wanted to send it once more, and was stopped */
    bool trust_unknown; /* setting them failed half-way */
    char error[CURL_ERROR_SIZE];
};

static pthread_mutex_t global_lock = PTHREAD_MUTEX_INITIALIZER;
static bool global_is_ready;

/* The only process state of the library. Never undone: other users of libcurl may live on. Tried
 * again after a failure: what hindered it (memory) may have passed. */
static bool init_global(void)
{
    if (pthread_mutex_lock(&global_lock) != 0) {
        return false;
    }
    if (!global_is_ready) {
        global_is_ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    }
    bool is_ready = global_is_ready;
    pthread_mutex_unlock(&global_lock);
    return is_ready;
}

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    struct cr_http *http = user;
    cr_buffer_append(&http->body, data, size * count);
    return http->body.status == CR_OK ? size * count : 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *user)
{
    struct cr_http *http = user;
    size_t length = size * count;
    if (length >= 5 && memcmp(data, "HTTP/", 5) == 0) { /* a new block, after a 1xx */
        cr_buffer_clear(&http->headers);
        http->header_count = 0;
        http->headers_end = false;
        if (length < 7 || data[5] != '1') { /* libcurl goes along with a status line of HTTP/2 */
            http->headers.status = CR_EINVAL;
        }
    } else if (length > 2 && ++http->header_count > CR_MAX_RESPONSE_HEADERS) {
        http->headers.status = CR_ELIMIT;
    }
    http->all_header_bytes += length;
    if (http->all_header_bytes > MAX_ALL_HEADER_BYTES) {
        http->headers.status = CR_ELIMIT;
    }
    http->headers_end = http->headers_end || length <= 2;
    cr_buffer_append(&http->headers, data, length);
    return http->headers.status == CR_OK ? length : 0;
}

/* Before each request. When a kept connection turns out to be closed before a byte of the answer,
 * libcurl sends the request again by itself, whatever it is; whether that is safe is the caller's
 * to say, and a signature is good for one request only. */
static int on_request(void *user, char *peer, char *local, int peer_port, int local_port)
{
    struct cr_http *http = user;
    (void)peer;
    (void)local;
    (void)peer_port;
    (void)local_port;
    http->resent = http->sent;
    http->sent = true;
    return http->resent ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

/* Programs that the host starts must not hold our connections open. */
static int on_socket(void *user, curl_socket_t socket, curlsocktype purpose)
{
    (void)user;
    (void)purpose;
    return fcntl(socket, F_SETFD, FD_CLOEXEC) == 0 ? CURL_SOCKOPT_OK : CURL_SOCKOPT_ERROR;
}

/* What no exchange changes. */
static bool set_fixed_options(struct cr_http *http)
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
    CURL *easy = http->easy;
    bool ok = true;
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++) {
        ok = ok && curl_easy_setopt(easy, fixed[i].option, fixed[i].value) == CURLE_OK;
    }
#if LIBCURL_VERSION_NUM >= 0x075500
    ok = ok && curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK;
#endif
    ok = ok && curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, http->error) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEDATA, http) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HEADERDATA, http) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_socket) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PREREQDATA, http) == CURLE_OK;
    /* A libcurl built without zlib refuses, and then simply gets plain answers. */
    if (ok) {
        curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    }
    return ok;
}

/* The connections, none yet. */
static CURLM *new_multi(struct cr_http *http)
{
    CURLM *multi = curl_multi_init();
    if (multi != NULL) {
        curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
    }
    http->sockets.count = 0;
    return multi;
}

/* Gives up all kept connections when there are bytes on one that nobody has asked for. */
static bool drop_spoilt_connections(struct cr_http *http)
{
    if (!cr_sockets_have_bytes(&http->sockets)) {
        return true;
    }
    CURLM *multi = new_multi(http);
    if (multi == NULL) {
        return false;
    }
    curl_multi_cleanup(http->multi);
    http->multi = multi;
    return true;
}

/* Anew in a child process, where the parent's handles are given up: closing them would end the
 * parent's TLS sessions. */
static bool open_handles(struct cr_http *http)
{
    http->multi = new_multi(http);
    http->easy = curl_easy_init();
    cr_buffer_clear(&http->trust);
    http->trust_unknown = false;
    if (http->multi == NULL || http->easy == NULL || !set_fixed_options(http)) {
        curl_easy_cleanup(http->easy);
        curl_multi_cleanup(http->multi);
        http->easy = NULL;
        http->multi = NULL;
        return false;
    }
    http->owner = getpid();
    return true;
}

struct cr_http *cr_http_new(void)
{
    if (!init_global()) {
        return NULL;
    }
    struct cr_http *http = calloc(1, sizeof *http);
    if (http == NULL) {
        return NULL;
    }
    http->may_raise_sigpipe =
        curl_version_info(CURLVERSION_NOW)->version_num < FIRST_WITHOUT_SIGPIPE;
    cr_buffer_init(&http->headers, CR_MAX_RESPONSE_HEADER_BYTES, false);
    cr_buffer_init(&http->body, 0, true); /* may hold a password or a token */
    cr_buffer_init(&http->lines, MAX_REQUEST_HEADER_BYTES, true);
    cr_buffer_init(&http->trust, MAX_TRUST_BYTES, false);
    if (!open_handles(http)) {
        cr_http_free(http);
        return NULL;
    }
    return http;
}

void cr_http_free(struct cr_http *http)
{
    if (http != NULL) {
        if (http->owner == getpid()) {
            curl_easy_cleanup(http->easy);
            curl_multi_cleanup(http->multi);
        }
        cr_buffer_clean_up(&http->headers);
        cr_buffer_clean_up(&http->body);
        cr_buffer_clean_up(&http->lines);
        cr_buffer_clean_up(&http->trust);
        free(http);
    }
}

static enum cr_status refuse(struct cr_http_failure *failure, const char *code, const char *text)
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

/* A line that keeps libcurl from sending a header of its own: for POST it would invent a content
 * type, which would not be signed, and for large bodies wait for a 100. */
static const char *const own_headers[] = {"Accept:", "Content-Type:", "Expect:"};
enum { OWN_HEADERS = 3, MAX_LINES = CR_MAX_REQUEST_HEADERS + OWN_HEADERS };

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

/* Fills `list` for CURLOPT_HTTPHEADER. libcurl only reads the list, so that it can be made of one
 * array of nodes and one arena of lines, where curl_slist_append would copy every line. */
static enum cr_status build_headers(struct cr_http *http, const struct cr_http_request *request,
                                    struct curl_slist *list, struct cr_http_failure *failure)
{
    size_t starts[MAX_LINES], count = 0;
    cr_buffer_clear(&http->lines);
    if (request->header_count > CR_MAX_REQUEST_HEADERS) {
        return refuse(failure, "InvalidHeader", "the request has more than 64 headers");
    }
    for (size_t i = 0; i < request->header_count; i++) {
        if (!is_sendable(&request->headers[i])) {
            return refuse(failure, "InvalidHeader",
                          "a header name or value holds a line break, a NUL or a colon");
        }
        starts[count++] = http->lines.length;
        append_line(&http->lines, &request->headers[i]);
    }
    for (size_t i = 0; i < OWN_HEADERS; i++) {
        if (!is_given(request, own_headers[i])) {
            starts[count++] = http->lines.length;
            cr_buffer_append(&http->lines, own_headers[i], strlen(own_headers[i]) + 1);
        }
    }
    if (http->lines.status != CR_OK) {
        return refuse(failure, "OutOfMemory", "no memory, or headers above 64 KiB");
    }
    for (size_t i = 0; i < count; i++) {
        list[i].data = http->lines.data + starts[i];
        list[i].next = i + 1 < count ? &list[i + 1] : NULL;
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

static bool set_options(struct cr_http *http, const struct cr_http_request *request,
                        struct curl_slist *headers)
{
    CURL *easy = http->easy;
    bool ok = curl_easy_setopt(easy, CURLOPT_URL, request->url) == CURLE_OK;
    if (strcmp(request->method, "GET") == 0 && request->body.length == 0) {
        ok = ok && curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
        ok = ok && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL) == CURLE_OK;
    } else {
        ok = ok && curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
        ok = ok && curl_easy_setopt(easy, CURLOPT_POSTFIELDS,
                                    request->body.length > 0 ? request->body.data : "") == CURLE_OK;
        ok = ok && curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                                    (curl_off_t)request->body.length) == CURLE_OK;
        ok = ok && curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request->method) == CURLE_OK;
    }
    ok = ok && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
    ok = ok &&
         curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(request->timeout)) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                                milliseconds(request->connect_timeout)) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PROXY, request->proxy) == CURLE_OK;
    return ok;
}

/* libcurl knows no way back to its built-in CA file but a reset (which keeps the connections), so
 * the handle remembers what it is set to and is reset when an exchange trusts another CA. */
static bool set_trust(struct cr_http *http, const struct cr_http_request *request)
{
    const char *file = request->ca_file != NULL ? request->ca_file : "";
    const char *path = request->ca_path != NULL ? request->ca_path : "";
    size_t file_size = strlen(file) + 1, path_size = strlen(path) + 1;
    struct cr_buffer *trust = &http->trust;
    bool is_set = trust->length == 0 ? file_size + path_size == 2
                                     : trust->length == file_size + path_size &&
                                           memcmp(trust->data, file, file_size) == 0 &&
                                           memcmp(trust->data + file_size, path, path_size) == 0;
    if (is_set && !http->trust_unknown) {
        return true;
    }
    curl_easy_reset(http->easy);
    cr_buffer_clear(trust);
    cr_buffer_append(trust, file, file_size);
    cr_buffer_append(trust, path, path_size);
    bool ok = trust->status == CR_OK && set_fixed_options(http);
    if (request->ca_file != NULL) {
        ok = ok && curl_easy_setopt(http->easy, CURLOPT_CAINFO, file) == CURLE_OK;
    }
    if (request->ca_path != NULL) {
        ok = ok && curl_easy_setopt(http->easy, CURLOPT_CAPATH, path) == CURLE_OK;
    }
    http->trust_unknown = !ok;
    return ok;
}

/* The names a failure can have, by libcurl's code. */
static const char *failure_code(CURLcode code)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
        return "InvalidUrl";
    case CURLE_COULDNT_RESOLVE_HOST:
        return "ResolveFailed";
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_PROXY:
        return "ProxyFailed";
    case CURLE_COULDNT_CONNECT:
        return "ConnectFailed";
    case CURLE_OPERATION_TIMEDOUT:
        return "Timeout";
    case CURLE_SSL_CONNECT_ERROR:
        return "TlsHandshakeFailed";
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_SHUTDOWN_FAILED:
        return "TlsFailed";
    case CURLE_SEND_ERROR:
        return "SendFailed";
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
        return "ConnectionClosed";
    case CURLE_PARTIAL_FILE:
        return "TruncatedBody";
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_WRITE_ERROR: /* not by our callbacks, which have set a status: by a decoder */
    case CURLE_WEIRD_SERVER_REPLY:
        return "BadHttp";
    case CURLE_OUT_OF_MEMORY:
        return "OutOfMemory";
    default:
        return "TransferFailed";
    }
}

/* libcurl says "out of memory" of a header line above its own limit of 100 KiB. */
static bool is_endless_line(const struct cr_http *http, CURLcode code)
{
    return code == CURLE_OUT_OF_MEMORY && http->sent && !http->headers_end &&
           http->headers.status == CR_OK && http->body.length == 0;
}

static enum cr_status describe_failure(struct cr_http *http, CURLcode code,
                                       struct cr_http_failure *failure)
{
    long connect_status = 0;
    curl_easy_getinfo(http->easy, CURLINFO_HTTP_CONNECTCODE, &connect_status);
    if (http->body.status == CR_ELIMIT) {
        refuse(failure, "ResponseTooLarge", "the answer is larger than max_response_bytes");
    } else if (http->headers.status == CR_ELIMIT || is_endless_line(http, code)) {
        refuse(failure, "ResponseTooLarge",
               http->all_header_bytes > MAX_ALL_HEADER_BYTES
                   ? "the answer has more than 128 KiB of headers, interim answers included"
                   : "the answer has more than 64 KiB or 200 headers");
    } else if (http->headers.status == CR_EINVAL) {
        refuse(failure, "BadHttp", "the answer is of another version than HTTP/1");
    } else if (http->resent) {
        refuse(failure, "ConnectionClosed", "the peer closed the kept connection unanswered");
    } else if (http->body.status == CR_ENOMEM || http->headers.status == CR_ENOMEM) {
        refuse(failure, "OutOfMemory", "out of memory");
    } else {
        const char *name = failure_code(code);
        bool is_proxy_cut = code == CURLE_RECV_ERROR && !http->sent; /* who else was read from? */
        if (is_proxy_cut || (connect_status != 0 && connect_status / 100 != 2)) {
            name = "ProxyFailed";
        } else if ((code == CURLE_UNSUPPORTED_PROTOCOL && http->sent) ||
                   strstr(http->error, "chunked-encod") != NULL) {
            /* The peer's protocol, not the URL's; broken chunks are a read error to libcurl. */
            name = "BadHttp";
        }
        /* What libcurl says of a proxy's URL quotes it, password included. */
        bool is_shown = http->error[0] != '\0' && strchr(http->error, '@') == NULL &&
                        strstr(http->error, "proxy scheme") == NULL;
        refuse(failure, name, is_shown ? http->error : curl_easy_strerror(code));
    }
    failure->sent = http->sent;
    return CR_ETRANSFER;
}

static double seconds_of(CURL *easy, CURLINFO info)
{
    curl_off_t microseconds = 0;
    curl_easy_getinfo(easy, info, &microseconds);
    return (double)microseconds / 1e6;
}

static void read_response(struct cr_http *http, struct cr_http_response *response)
{
    CURL *easy = http->easy;
    long connects = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &response->status);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    response->connection_reused = connects == 0;
    response->headers = cr_buffer_slice(&http->headers);
    response->body = cr_buffer_slice(&http->body);
    response->dns = seconds_of(easy, CURLINFO_NAMELOOKUP_TIME_T);
    response->connect = seconds_of(easy, CURLINFO_CONNECT_TIME_T);
    response->tls = seconds_of(easy, CURLINFO_APPCONNECT_TIME_T);
    response->first_byte = seconds_of(easy, CURLINFO_STARTTRANSFER_TIME_T);
    response->total = seconds_of(easy, CURLINFO_TOTAL_TIME_T);
}

/* As curl_easy_perform, without the poll that it begins with: a request on a kept connection goes
 * out at once. */
static CURLcode perform(struct cr_http *http)
{
    int running = 1, left = 0;
    CURLcode code = CURLE_FAILED_INIT;
    if (curl_multi_add_handle(http->multi, http->easy) != CURLM_OK) {
        return CURLE_OUT_OF_MEMORY;
    }
    CURLMcode status = curl_multi_perform(http->multi, &running);
    while (status == CURLM_OK && running > 0) {
        status = curl_multi_poll(http->multi, NULL, 0, 1000, NULL);
        if (status == CURLM_OK) {
            status = curl_multi_perform(http->multi, &running);
        }
    }
    const CURLMsg *message = curl_multi_info_read(http->multi, &left);
    if (message != NULL && message->msg == CURLMSG_DONE) {
        code = message->data.result;
    } else if (status == CURLM_OUT_OF_MEMORY) {
        code = CURLE_OUT_OF_MEMORY;
    }
    curl_socket_t kept = CURL_SOCKET_BAD; /* not told any more once the handle is removed */
    if (curl_easy_getinfo(http->easy, CURLINFO_ACTIVESOCKET, &kept) == CURLE_OK &&
        kept != CURL_SOCKET_BAD) {
        cr_sockets_use(&http->sockets, kept);
    }
    curl_multi_remove_handle(http->multi, http->easy);
    return code;
}

static CURLcode perform_guarded(struct cr_http *http)
{
    struct cr_sigpipe guard;
    cr_sigpipe_block(&guard);
    CURLcode code = perform(http);
    cr_sigpipe_restore(&guard);
    return code;
}

enum cr_status cr_http_exchange(struct cr_http *http, const struct cr_http_request *request,
                                struct cr_http_response *response, struct cr_http_failure *failure)
{
    struct curl_slist headers[MAX_LINES];
    cr_buffer_clear(&http->headers);
    cr_buffer_reset(&http->body, request->max_body);
    http->header_count = 0;
    http->all_header_bytes = 0;
    http->headers_end = false;
    http->sent = false;
    http->resent = false;
    http->error[0] = '\0';
    if (http->owner != getpid() ? !open_handles(http) : !drop_spoilt_connections(http)) {
        return refuse(failure, "OutOfMemory", "libcurl gives no handle");
    }

    if (strspn(request->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != strlen(request->method) ||
        request->method[0] == '\0') {
        return refuse(failure, "InvalidMethod", "the method is not made of upper-case letters");
    }
    enum cr_status status = build_headers(http, request, headers, failure);
    if (status == CR_OK && (!set_trust(http, request) || !set_options(http, request, headers))) {
        status = refuse(failure, "OutOfMemory", "libcurl did not take the options of the request");
    }
    if (status == CR_OK) {
        CURLcode code = http->may_raise_sigpipe ? perform_guarded(http) : perform(http);
        if (code == CURLE_OK && !http->headers_end) {
            /* libcurl takes the end of the connection for the end of the headers */
            status = refuse(failure, "ConnectionClosed", "the peer closed within the headers");
            failure->sent = true;
        } else if (code == CURLE_OK) {
            read_response(http, response);
        } else {
            status = describe_failure(http, code, failure);
        }
    }
    /* The handle outlives the headers and the body; V1's URL holds the session token. */
    curl_easy_setopt(http->easy, CURLOPT_URL, NULL);
    curl_easy_setopt(http->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(http->easy, CURLOPT_POSTFIELDS, NULL);
    cr_buffer_clear(&http->lines);
    return status;
}

void cr_http_forget(struct cr_http *http)
{
    enum { KEPT = 1024 * 1024 }; /* bytes; a larger answer gives its memory back */
    cr_buffer_clear(&http->headers);
    cr_buffer_clear(&http->body);
    if (http->body.capacity > KEPT) {
        cr_buffer_clean_up(&http->body);
    }
}

long long cr_http_parse_date(const char *text)
{
    return (long long)curl_getdate(text, NULL);
}

const char *cr_http_library_version(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}
