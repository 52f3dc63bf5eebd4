#include "http.h"

#include "http_transfer.h"
#include "sigpipe.h"
#include "sockets.h"

#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* A peer that closes while we write must not raise SIGPIPE in the host program. Since 7.87 libcurl
 * sees to that itself, also under TLS (every write is its own send with MSG_NOSIGNAL); before, TLS
 * libraries wrote for themselves. For those versions sigpipe.h holds it back. */
enum { FIRST_WITHOUT_SIGPIPE = 0x075700 };

enum { KEPT_CONNECTIONS = 4, KEPT_TRANSFERS = 256 };

struct cr_http {
    pid_t owner;  /* who made the two below: a child must not touch its parent's connections */
    CURLM *multi; /* holds the connections */
    struct cr_sockets sockets; /* of the connections */
    int64_t timer;             /* when libcurl wants to be called, nanoseconds; -1 for not at all */
    size_t running;
    size_t most_running; /* so far: so many connections are kept */
    struct cr_transfer *all;
    struct cr_transfer *idle;
    size_t idle_count;
    struct cr_transfer *done, **done_end; /* a queue */
    bool may_raise_sigpipe;
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

static int64_t now(void)
{
    struct timespec time = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static int on_timer(CURLM *multi, long milliseconds, void *user)
{
    struct cr_http *http = user;
    (void)multi;
    http->timer = milliseconds < 0    ? -1
                  : milliseconds == 0 ? 0 /* at once, whatever the time is */
                                      : now() + (int64_t)milliseconds * 1000000;
    return 0;
}

static int on_interest(CURL *easy, curl_socket_t socket, int what, void *user, void *unused)
{
    (void)easy;
    (void)unused;
    unsigned wanted = 0;
    if (what == CURL_POLL_IN || what == CURL_POLL_INOUT) {
        wanted |= CR_SOCKET_READ;
    }
    if (what == CURL_POLL_OUT || what == CURL_POLL_INOUT) {
        wanted |= CR_SOCKET_WRITE;
    }
    return cr_sockets_want(user, socket, wanted) ? 0 : -1;
}

/* The connections, none yet. */
static bool open_multi(struct cr_http *http)
{
    if (!cr_sockets_init(&http->sockets)) {
        return false;
    }
    CURLM *multi = curl_multi_init();
    bool ok = multi != NULL &&
              curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, on_interest) == CURLM_OK &&
              curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, &http->sockets) == CURLM_OK &&
              curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, on_timer) == CURLM_OK &&
              curl_multi_setopt(multi, CURLMOPT_TIMERDATA, http) == CURLM_OK &&
              curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS) == CURLM_OK;
    if (!ok) {
        curl_multi_cleanup(multi);
        cr_sockets_clean_up(&http->sockets);
        return false;
    }
    http->multi = multi;
    http->timer = -1;
    http->most_running = KEPT_CONNECTIONS;
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
    http->done_end = &http->done;
    http->may_raise_sigpipe =
        curl_version_info(CURLVERSION_NOW)->version_num < FIRST_WITHOUT_SIGPIPE;
    if (!open_multi(http)) {
        free(http);
        return NULL;
    }
    return http;
}

static void push_done(struct cr_http *http, struct cr_transfer *transfer, CURLcode code)
{
    transfer->state = CR_TRANSFER_DONE;
    transfer->code = code;
    transfer->next = NULL;
    *http->done_end = transfer;
    http->done_end = &transfer->next;
    http->running--;
}

static struct cr_transfer *pop_done(struct cr_http *http)
{
    struct cr_transfer *transfer = http->done;
    if (transfer != NULL) {
        http->done = transfer->next;
        if (http->done == NULL) {
            http->done_end = &http->done;
        }
        transfer->state = CR_TRANSFER_TOLD;
    }
    return transfer;
}

/* Takes this one out of the queue of those that are done. */
static void unqueue(struct cr_http *http, struct cr_transfer *transfer)
{
    struct cr_transfer **link = &http->done;
    while (*link != NULL && *link != transfer) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = transfer->next;
        if (http->done_end == &transfer->next) {
            http->done_end = link;
        }
    }
    transfer->state = CR_TRANSFER_TOLD;
}

/* Into the list of all. */
static void adopt(struct cr_http *http, struct cr_transfer *transfer)
{
    transfer->sibling = http->all;
    if (http->all != NULL) {
        http->all->previous = transfer;
    }
    http->all = transfer;
}

static void destroy(struct cr_http *http, struct cr_transfer *transfer)
{
    if (transfer->previous != NULL) {
        transfer->previous->sibling = transfer->sibling;
    } else {
        http->all = transfer->sibling;
    }
    if (transfer->sibling != NULL) {
        transfer->sibling->previous = transfer->previous;
    }
    cr_transfer_free(transfer);
}

/* Ends everything that runs, with this code. */
static void end_all(struct cr_http *http, CURLcode code)
{
    for (struct cr_transfer *each = http->all; each != NULL; each = each->sibling) {
        if (each->state == CR_TRANSFER_RUNNING) {
            curl_multi_remove_handle(http->multi, each->easy);
            push_done(http, each, code);
        }
    }
}

static void close_multi(struct cr_http *http)
{
    curl_multi_cleanup(http->multi);
    cr_sockets_clean_up(&http->sockets);
    http->multi = NULL;
}

/* In a child process: gives up what is its parent's. Closing that would end the parent's TLS
 * sessions, so that it is lost to the child, and what runs with it. */
static void abandon(struct cr_http *http)
{
    for (struct cr_transfer *each = http->all; each != NULL; each = each->sibling) {
        if (each->state == CR_TRANSFER_RUNNING) {
            each->easy = NULL;
            push_done(http, each, CURLE_RECV_ERROR);
        }
    }
    cr_sockets_clean_up(&http->sockets);
    http->multi = NULL;
}

/* Whether there is a multi handle, of this process. */
static bool is_open(struct cr_http *http)
{
    if (http->multi != NULL && http->owner != getpid()) {
        abandon(http);
    }
    return http->multi != NULL;
}

void cr_http_free(struct cr_http *http)
{
    if (http == NULL) {
        return;
    }
    if (is_open(http)) {
        end_all(http, CURLE_ABORTED_BY_CALLBACK);
    }
    while (http->all != NULL) {
        destroy(http, http->all);
    }
    if (http->multi != NULL) {
        close_multi(http);
    }
    free(http);
}

/* Says what has ended. */
static void collect(struct cr_http *http)
{
    const CURLMsg *message = NULL;
    int left = 0;
    while ((message = curl_multi_info_read(http->multi, &left)) != NULL) {
        struct cr_transfer *transfer = NULL;
        CURLcode code = message->data.result;
        CURL *easy = message->easy_handle;
        if (message->msg != CURLMSG_DONE ||
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&transfer) != CURLE_OK) {
            continue;
        }
        curl_multi_remove_handle(http->multi, easy);
        if (cr_transfer_renew(transfer)) {
            if (curl_multi_add_handle(http->multi, easy) == CURLM_OK) {
                continue;
            }
            code = CURLE_OUT_OF_MEMORY;
        }
        push_done(http, transfer, code);
    }
}

/* Tells libcurl what happened on a socket, or that its time has come. A multi handle that reports
 * an error (there was no memory, the system refused to wait) is of no use any more. */
static void act(struct cr_http *http, curl_socket_t socket, int what)
{
    int running = 0;
    if (http->multi == NULL) {
        return;
    }
    if (curl_multi_socket_action(http->multi, socket, what, &running) != CURLM_OK) {
        collect(http);
        end_all(http, CURLE_OUT_OF_MEMORY);
        close_multi(http);
    }
}

static void act_on_timer(struct cr_http *http)
{
    if (http->timer == 0 || (http->timer > 0 && now() >= http->timer)) {
        http->timer = -1;
        act(http, CURL_SOCKET_TIMEOUT, 0);
    }
}

/* Milliseconds until `until` or until libcurl wants to be called, rounded up; -1 for ever. */
static int milliseconds_left(const struct cr_http *http, int64_t until)
{
    const int64_t millisecond = 1000000;
    int64_t next = http->timer >= 0 && (until < 0 || http->timer < until) ? http->timer : until;
    if (next < 0) {
        return -1;
    }
    int64_t left = next - now();
    return left <= 0                            ? 0
           : left > (INT_MAX - 1) * millisecond ? INT_MAX - 1
                                                : (int)((left + millisecond - 1) / millisecond);
}

/* Whether what is waited for has come: this exchange, or with NULL any. */
static bool has_come(const struct cr_http *http, const struct cr_transfer *awaited)
{
    return awaited != NULL ? awaited->state != CR_TRANSFER_RUNNING : http->done != NULL;
}

/* One round: what is due now, then what happens until then (-1: whenever that is), unless what is
 * waited for has come. Others that are done do not count: nobody takes them meanwhile. */
static void step(struct cr_http *http, int64_t until, const struct cr_transfer *awaited)
{
    static const struct {
        unsigned ours;
        int theirs;
    } names[] = {
        {CR_SOCKET_READ, CURL_CSELECT_IN},
        {CR_SOCKET_WRITE, CURL_CSELECT_OUT},
        {CR_SOCKET_FAILED, CURL_CSELECT_ERR},
    };
    struct cr_socket_event events[CR_MAX_SOCKET_EVENTS];
    act_on_timer(http);
    if (http->multi != NULL) {
        collect(http);
    }
    if (http->multi == NULL || has_come(http, awaited)) {
        return;
    }
    size_t count = cr_sockets_wait(&http->sockets, milliseconds_left(http, until), events);
    for (size_t i = 0; i < count; i++) {
        int what = 0;
        for (size_t n = 0; n < sizeof names / sizeof names[0]; n++) {
            what |= (events[i].what & names[n].ours) != 0 ? names[n].theirs : 0;
        }
        act(http, events[i].socket, what);
    }
    act_on_timer(http);
    if (http->multi != NULL) {
        collect(http);
    }
}

/* One with SIGPIPE held back where it may come. */
static void guarded_step(struct cr_http *http, int64_t until, const struct cr_transfer *awaited)
{
    struct cr_sigpipe guard;
    if (!http->may_raise_sigpipe) {
        step(http, until, awaited);
        return;
    }
    cr_sigpipe_block(&guard);
    step(http, until, awaited);
    cr_sigpipe_restore(&guard);
}

/* One without an exchange, taken out of the idle ones or made. */
static struct cr_transfer *take(struct cr_http *http)
{
    struct cr_transfer *transfer = http->idle;
    if (transfer != NULL) {
        http->idle = transfer->next;
        http->idle_count--;
        return transfer;
    }
    transfer = cr_transfer_new(&http->sockets);
    if (transfer != NULL) {
        adopt(http, transfer);
    }
    return transfer;
}

static void put_back(struct cr_http *http, struct cr_transfer *transfer)
{
    if (transfer->easy == NULL || http->idle_count >= KEPT_TRANSFERS) {
        destroy(http, transfer);
        return;
    }
    cr_transfer_forget(transfer);
    transfer->state = CR_TRANSFER_IDLE;
    transfer->next = http->idle;
    http->idle = transfer;
    http->idle_count++;
}

struct cr_transfer *cr_http_start(struct cr_http *http, const struct cr_http_request *request,
                                  struct cr_http_failure *failure)
{
    if (!is_open(http) && !open_multi(http)) {
        cr_http_refuse(failure, "OutOfMemory", "libcurl gives no handle");
        return NULL;
    }
    if (http->running >= CR_MAX_TRANSFERS) {
        cr_http_refuse(failure, "TransferFailed", "too many exchanges are in flight");
        return NULL;
    }
    http->sockets.ran_out = false;
    struct cr_transfer *transfer = take(http);
    if (transfer == NULL) {
        cr_http_refuse(failure, "OutOfMemory", "libcurl gives no handle");
        return NULL;
    }
    if (cr_transfer_prepare(transfer, request, failure) != CR_OK) {
        put_back(http, transfer);
        return NULL;
    }
    if (curl_multi_add_handle(http->multi, transfer->easy) != CURLM_OK) {
        cr_http_refuse(failure, "OutOfMemory", "libcurl did not take the request");
        put_back(http, transfer);
        return NULL;
    }
    transfer->state = CR_TRANSFER_RUNNING;
    if (++http->running > http->most_running) {
        http->most_running = http->running;
        curl_multi_setopt(http->multi, CURLMOPT_MAXCONNECTS, (long)http->most_running);
    }
    return transfer;
}

struct cr_transfer *cr_http_next(struct cr_http *http, double seconds)
{
    const double longest = 1e9;
    int64_t until =
        seconds > 0 ? now() + (int64_t)((seconds < longest ? seconds : longest) * 1e9) : 0;
    if (http->done == NULL && http->running > 0 && is_open(http)) {
        do {
            guarded_step(http, until, NULL);
        } while (http->done == NULL && http->running > 0 && until > 0 && now() < until);
    }
    return pop_done(http);
}

void cr_http_wait(struct cr_http *http, struct cr_transfer *transfer)
{
    while (transfer->state == CR_TRANSFER_RUNNING && is_open(http)) {
        guarded_step(http, -1, transfer);
    }
    if (transfer->state == CR_TRANSFER_DONE) {
        unqueue(http, transfer);
    }
}

bool cr_http_has(const struct cr_http *http, const struct cr_transfer *transfer)
{
    const struct cr_transfer *each = http->all;
    while (each != NULL && each != transfer) {
        each = each->sibling;
    }
    return each != NULL && (each->state == CR_TRANSFER_RUNNING || each->state == CR_TRANSFER_DONE);
}

static double seconds_of(CURL *easy, CURLINFO info)
{
    curl_off_t microseconds = 0;
    curl_easy_getinfo(easy, info, &microseconds);
    return (double)microseconds / 1e6;
}

static void read_response(const struct cr_transfer *transfer, struct cr_http_response *response)
{
    CURL *easy = transfer->easy;
    long connects = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &response->status);
    curl_easy_getinfo(easy, CURLINFO_NUM_CONNECTS, &connects);
    response->connection_reused = connects == 0;
    response->headers = cr_buffer_slice(&transfer->headers);
    response->body = cr_buffer_slice(&transfer->body);
    response->dns = seconds_of(easy, CURLINFO_NAMELOOKUP_TIME_T);
    response->connect = seconds_of(easy, CURLINFO_CONNECT_TIME_T);
    response->tls = seconds_of(easy, CURLINFO_APPCONNECT_TIME_T);
    response->first_byte = seconds_of(easy, CURLINFO_STARTTRANSFER_TIME_T);
    response->total = seconds_of(easy, CURLINFO_TOTAL_TIME_T);
}

enum cr_status cr_http_result(const struct cr_transfer *transfer, struct cr_http_response *response,
                              struct cr_http_failure *failure)
{
    if (transfer->code != CURLE_OK) {
        return cr_transfer_describe_failure(transfer, failure);
    }
    if (!transfer->headers_end) {
        /* libcurl takes the end of the connection for the end of the headers */
        cr_http_refuse(failure, "ConnectionClosed", "the peer closed within the headers");
        failure->sent = true;
        return CR_ETRANSFER;
    }
    read_response(transfer, response);
    return CR_OK;
}

void cr_http_release(struct cr_http *http, struct cr_transfer *transfer)
{
    if (transfer->state == CR_TRANSFER_RUNNING && is_open(http)) {
        curl_multi_remove_handle(http->multi, transfer->easy);
        http->running--;
    } else if (transfer->state == CR_TRANSFER_DONE) {
        unqueue(http, transfer);
    }
    put_back(http, transfer);
}

long long cr_http_parse_date(const char *text)
{
    return (long long)curl_getdate(text, NULL);
}

const char *cr_http_library_version(void)
{
    return curl_version_info(CURLVERSION_NOW)->version;
}
