/*
 * Baseline of "call": bare libcurl, as a C program would do it that calls one address many times.
 *
 * One easy handle is kept, everything that does not change is set once, the answer goes into a
 * buffer that grows and is kept. It sends the very request that the client sends: method, URL and
 * headers are the arguments, taken from a signed request (`lua5.4 call.lua --request`), so that
 * both send and receive the same number of bytes. Like the client it speaks HTTP/1.1, accepts
 * gzip, uses no signals and has time limits. What it leaves out is what the ratio is to show:
 * signing, response headers, decoding the answer, results as tables.
 *
 *     call CA_FILE METHOD URL HEADER…      CA_FILE is "" for http
 */
#include "rounds.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

struct call {
    CURL *easy;
    char *data;
    size_t length, capacity;
};

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    struct call *call = user;
    size_t length = size * count;
    if (length > call->capacity - call->length) {
        size_t capacity = (call->length + length) * 2;
        char *grown = realloc(call->data, capacity);
        if (grown == NULL) {
            return 0;
        }
        call->data = grown;
        call->capacity = capacity;
    }
    memcpy(call->data + call->length, data, length);
    call->length += length;
    return length;
}

static bool run(void *state, long count)
{
    struct call *call = state;
    for (long i = 0; i < count; i++) {
        long status = 0;
        call->length = 0;
        if (curl_easy_perform(call->easy) != CURLE_OK ||
            curl_easy_getinfo(call->easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK ||
            status != 200 || call->length == 0) {
            return false;
        }
    }
    return true;
}

static bool set_up(struct call *call, char **arguments, struct curl_slist *headers)
{
    const char *ca_file = arguments[0], *method = arguments[1], *url = arguments[2];
    CURL *easy = call->easy;
    bool ok = curl_easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK;
    if (*ca_file != '\0') {
        ok = ok && curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) == CURLE_OK;
    }
    if (strcmp(method, "POST") == 0) {
        ok = ok && curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
        ok = ok && curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "") == CURLE_OK;
    }
    ok = ok && curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip") == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 10000L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEDATA, call) == CURLE_OK;
    return ok;
}

int main(int argc, char **argv)
{
    static const struct work works[] = {{"call", run}, {NULL, NULL}};
    struct call call = {NULL, NULL, 0, 0};
    struct curl_slist *headers = NULL;
    int status = 1;
    if (argc < 4 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return 1;
    }
    for (int i = 4; i < argc; i++) {
        headers = curl_slist_append(headers, argv[i]);
    }
    call.easy = curl_easy_init();
    if (call.easy != NULL && set_up(&call, argv + 1, headers)) {
        status = rounds_serve(works, &call);
    }
    curl_easy_cleanup(call.easy);
    curl_slist_free_all(headers);
    free(call.data);
    curl_global_cleanup();
    return status;
}
