/*
 * Baseline of "map": bare curl_multi, as a C program would do it that has many requests to send: so
 * many easy handles, curl_multi_perform and curl_multi_poll, each handle set up once and given the
 * next URL and headers when it is free.
 *
 * It sends requests that the client signed beforehand (`lua5.4 map.lua … --requests`), each once
 * while there are new ones, because a server that checks signatures takes a nonce only once.
 *
 *     map CA_FILE CONCURRENCY FILE
 *
 * FILE has a block for each request: method, URL, header lines, an empty line.
 */
#include "rounds.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_LINE = 8192, MAX_CONCURRENCY = 1000, BODY_SIZE = 64 * 1024 };

struct request {
    char *method, *url;
    struct curl_slist *headers;
    struct request *next;
};

struct slot {
    CURL *easy;
    char body[BODY_SIZE];
    size_t length;
};

struct map {
    CURLM *multi;
    struct slot *slots;
    int concurrency;
    struct request *first, *next; /* all, and the one to be sent next; after the last the first */
};

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    struct slot *slot = user;
    size_t length = size * count;
    if (length > BODY_SIZE - slot->length) {
        return 0;
    }
    memcpy(slot->body + slot->length, data, length);
    slot->length += length;
    return length;
}

static bool send_next(struct map *map, struct slot *slot)
{
    const struct request *request = map->next;
    map->next = request->next != NULL ? request->next : map->first;
    slot->length = 0;
    bool ok = curl_easy_setopt(slot->easy, CURLOPT_URL, request->url) == CURLE_OK;
    ok = ok && curl_easy_setopt(slot->easy, CURLOPT_HTTPHEADER, request->headers) == CURLE_OK;
    return ok && curl_multi_add_handle(map->multi, slot->easy) == CURLM_OK;
}

/* Takes what has ended and puts the next requests in its place. False when one failed. */
static bool collect(struct map *map, long *unsent, long *done)
{
    int left = 0;
    CURLMsg *message = NULL;
    while ((message = curl_multi_info_read(map->multi, &left)) != NULL) {
        struct slot *slot = NULL;
        long status = 0;
        CURL *easy = message->easy_handle;
        CURLcode code = message->data.result;
        if (code != CURLE_OK ||
            curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&slot) != CURLE_OK ||
            curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status) != CURLE_OK || status != 200 ||
            slot->length == 0) {
            fprintf(stderr, "map: %s, HTTP %ld\n", curl_easy_strerror(code), status);
            return false;
        }
        curl_multi_remove_handle(map->multi, easy);
        ++*done;
        if (*unsent > 0) {
            --*unsent;
            if (!send_next(map, slot)) {
                return false;
            }
        }
    }
    return true;
}

static bool run(void *state, long count)
{
    struct map *map = state;
    long unsent = count, done = 0;
    for (int i = 0; i < map->concurrency && unsent > 0; i++, unsent--) {
        if (!send_next(map, &map->slots[i])) {
            return false;
        }
    }
    while (done < count) {
        int running = 0;
        if (curl_multi_perform(map->multi, &running) != CURLM_OK || !collect(map, &unsent, &done) ||
            (done < count && curl_multi_poll(map->multi, NULL, 0, 1000, NULL) != CURLM_OK)) {
            return false;
        }
    }
    return true;
}

static char *copy(const char *text)
{
    char *copied = malloc(strlen(text) + 1);
    if (copied != NULL) {
        memcpy(copied, text, strlen(text) + 1);
    }
    return copied;
}

/* All requests of the file. They live as long as the process. */
static bool read_requests(struct map *map, const char *path)
{
    static char line[MAX_LINE];
    struct request *request = NULL, **end = &map->first;
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] == '\0') {
            request = NULL;
        } else if (request == NULL) {
            request = calloc(1, sizeof *request);
            if (request == NULL) {
                break;
            }
            *end = request;
            end = &request->next;
            request->method = copy(line);
        } else if (request->url == NULL) {
            request->url = copy(line);
        } else {
            request->headers = curl_slist_append(request->headers, line);
        }
    }
    fclose(file);
    map->next = map->first;
    return map->first != NULL;
}

static bool set_up(const struct map *map, struct slot *slot, const char *ca_file)
{
    CURL *easy = slot->easy = curl_easy_init();
    bool ok = easy != NULL;
    if (*ca_file != '\0') {
        ok = ok && curl_easy_setopt(easy, CURLOPT_CAINFO, ca_file) == CURLE_OK;
    }
    if (strcmp(map->first->method, "POST") == 0) {
        ok = ok && curl_easy_setopt(easy, CURLOPT_POST, 1L) == CURLE_OK;
        ok = ok && curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "") == CURLE_OK;
    }
    ok = ok && curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip") == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 10000L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_WRITEDATA, slot) == CURLE_OK;
    ok = ok && curl_easy_setopt(easy, CURLOPT_PRIVATE, slot) == CURLE_OK;
    return ok;
}

int main(int argc, char **argv)
{
    static const struct work works[] = {{"map", run}, {NULL, NULL}};
    static struct map map;
    if (argc != 4 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        return 1;
    }
    map.multi = curl_multi_init();
    map.concurrency = (int)strtol(argv[2], NULL, 10);
    if (map.multi == NULL || map.concurrency < 1 || map.concurrency > MAX_CONCURRENCY ||
        !read_requests(&map, argv[3])) {
        return 1;
    }
    map.slots = calloc((size_t)map.concurrency, sizeof *map.slots);
    if (map.slots == NULL ||
        curl_multi_setopt(map.multi, CURLMOPT_MAXCONNECTS, (long)map.concurrency) != CURLM_OK) {
        return 1;
    }
    for (int i = 0; i < map.concurrency; i++) {
        if (!set_up(&map, &map.slots[i], argv[1])) {
            return 1;
        }
    }
    return rounds_serve(works, &map);
}
