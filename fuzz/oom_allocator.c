#include "oom_allocator.h"

#include <curl/curl.h>
#include <execinfo.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

/* The linker sends the tested objects' malloc to __wrap_malloc below, and these to the C library.
 */
extern void *__real_malloc(size_t size);
extern void __real_free(void *block);
extern void *__real_mmap(void *address, size_t length, int protection, int flags, int file,
                         off_t offset);

enum { FRAMES = 24, MAGIC = 0x6f6f6d21 };

/* In front of every block; its size keeps what follows aligned. */
struct block {
    struct block *previous, *next;
    size_t size;
    unsigned serial;
    int frame_count;
    void **frames; /* NULL without OOM_TRACE */
    unsigned magic;
    unsigned party;
};

_Static_assert(sizeof(struct block) % 16 == 0, "blocks are aligned as malloc's");

static struct {
    struct block *newest[OOM_PARTIES];
    long alive[OOM_PARTIES];
    unsigned serial;
    bool is_armed, has_failed;
    enum oom_party party;
    enum oom_mode mode;
    long failing, requests; /* the number of the first that fails, and of the last one */
    size_t failed_size;     /* of Lua's request, to know it again */
    bool is_tracing;
} state;

/* libcurl looks up names in a thread, when it takes an address for one. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const party_names[OOM_PARTIES] = {"core", "libcurl", "OpenSSL", "Lua"};
static const char *const mode_names[OOM_MODES] = {"once", "lasting", "collect"};

const char *oom_party_name(enum oom_party party)
{
    return party_names[party];
}

const char *oom_mode_name(enum oom_mode mode)
{
    return mode_names[mode];
}

void oom_arm(enum oom_party party, enum oom_mode mode, long n)
{
    state.party = party;
    state.mode = mode;
    state.failing = n;
    state.requests = 0;
    state.failed_size = 0;
    state.has_failed = false;
    state.is_armed = true;
}

bool oom_disarm(void)
{
    state.is_armed = false;
    return state.has_failed;
}

bool oom_has_failed(void)
{
    return state.has_failed;
}

long oom_alive(enum oom_party party)
{
    return state.alive[party];
}

unsigned oom_mark(void)
{
    return state.serial;
}

/* Lua asks a second time for what it did not get, after it has collected garbage. */
static bool is_asked_again(enum oom_party party, size_t size)
{
    return party == OOM_LUA && state.requests == state.failing + 1 && size == state.failed_size;
}

static bool fails(enum oom_party party, size_t size)
{
    if (!state.is_armed || party != state.party || ++state.requests < state.failing) {
        return false;
    }
    if (state.requests == state.failing) {
        state.has_failed = true;
        state.failed_size = size;
        return true;
    }
    return state.mode == OOM_LASTING || (state.mode == OOM_ONCE && is_asked_again(party, size));
}

bool oom_fails(enum oom_party party)
{
    pthread_mutex_lock(&lock);
    bool is_failing = fails(party, 0);
    pthread_mutex_unlock(&lock);
    return is_failing;
}

static void trace(struct block *block)
{
    void *frames[FRAMES];
    size_t size = (size_t)backtrace(frames, FRAMES) * sizeof *frames;
    block->frames = __real_malloc(size);
    if (block->frames != NULL) {
        memcpy(block->frames, frames, size);
        block->frame_count = (int)(size / sizeof *frames);
    }
}

static void *make(enum oom_party party, size_t size)
{
    struct block *block = __real_malloc(sizeof *block + size);
    if (block == NULL) {
        return NULL;
    }
    block->previous = NULL;
    block->next = state.newest[party];
    if (block->next != NULL) {
        block->next->previous = block;
    }
    state.newest[party] = block;
    state.alive[party]++;
    block->size = size;
    block->serial = ++state.serial;
    block->frames = NULL;
    block->frame_count = 0;
    block->magic = MAGIC;
    block->party = party;
    if (state.is_tracing) {
        trace(block);
    }
    return block + 1;
}

static struct block *block_of(enum oom_party party, void *data)
{
    struct block *block = (struct block *)data - 1;
    if (block->magic != MAGIC || block->party != (unsigned)party) {
        fprintf(stderr, "oom: a block is freed that %s has not allocated\n", party_names[party]);
        abort();
    }
    return block;
}

static void drop(enum oom_party party, struct block *block)
{
    if (block->previous != NULL) {
        block->previous->next = block->next;
    } else {
        state.newest[party] = block->next;
    }
    if (block->next != NULL) {
        block->next->previous = block->previous;
    }
    state.alive[party]--;
    block->magic = 0;
    __real_free(block->frames);
    __real_free(block);
}

void *oom_malloc(enum oom_party party, size_t size)
{
    pthread_mutex_lock(&lock);
    void *data = fails(party, size) ? NULL : make(party, size);
    pthread_mutex_unlock(&lock);
    return data;
}

void *oom_calloc(enum oom_party party, size_t count, size_t size)
{
    if (size != 0 && count > SIZE_MAX / 2 / size) {
        return NULL;
    }
    void *data = oom_malloc(party, count * size);
    if (data != NULL) {
        memset(data, 0, count * size);
    }
    return data;
}

/* Moves always, so that a pointer into the old block is found by AddressSanitizer. */
void *oom_realloc(enum oom_party party, void *data, size_t size)
{
    if (data == NULL) {
        return oom_malloc(party, size);
    }
    pthread_mutex_lock(&lock);
    struct block *old = block_of(party, data);
    void *moved = fails(party, size) ? NULL : make(party, size);
    if (moved != NULL) {
        memcpy(moved, data, old->size < size ? old->size : size);
        drop(party, old);
    }
    pthread_mutex_unlock(&lock);
    return moved;
}

void oom_free(enum oom_party party, void *data)
{
    if (data != NULL) {
        pthread_mutex_lock(&lock);
        drop(party, block_of(party, data));
        pthread_mutex_unlock(&lock);
    }
}

void oom_list(enum oom_party party, unsigned since)
{
    for (struct block *block = state.newest[party]; block != NULL; block = block->next) {
        if (block->serial > since) {
            fprintf(stderr, "  %s: %zu bytes\n", party_names[party], block->size);
            if (block->frames != NULL) {
                backtrace_symbols_fd(block->frames, block->frame_count, STDERR_FILENO);
            }
        }
    }
}

static void *curl_malloc(size_t size)
{
    return oom_malloc(OOM_CURL, size);
}

static void *curl_calloc(size_t count, size_t size)
{
    return oom_calloc(OOM_CURL, count, size);
}

static void *curl_realloc(void *block, size_t size)
{
    return oom_realloc(OOM_CURL, block, size);
}

static void curl_give_back(void *block)
{
    oom_free(OOM_CURL, block);
}

static char *curl_strdup(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = oom_malloc(OOM_CURL, size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

static void *openssl_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return oom_malloc(OOM_OPENSSL, size);
}

static void *openssl_realloc(void *block, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return oom_realloc(OOM_OPENSSL, block, size);
}

static void openssl_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    oom_free(OOM_OPENSSL, block);
}

bool oom_install_openssl(void)
{
    state.is_tracing = getenv("OOM_TRACE") != NULL;
    return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;
}

bool oom_install_curl(void)
{
    return curl_global_init_mem(CURL_GLOBAL_DEFAULT, curl_malloc, curl_give_back, curl_realloc,
                                curl_strdup, curl_calloc) == CURLE_OK;
}

/* What the tested objects call. */
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *block, size_t size);
void __wrap_free(void *block);
void *__wrap_mmap(void *address, size_t length, int protection, int flags, int file, off_t offset);

void *__wrap_malloc(size_t size)
{
    return oom_malloc(OOM_CORE, size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return oom_calloc(OOM_CORE, count, size);
}

void *__wrap_realloc(void *block, size_t size)
{
    return oom_realloc(OOM_CORE, block, size);
}

void __wrap_free(void *block)
{
    oom_free(OOM_CORE, block);
}

void *__wrap_mmap(void *address, size_t length, int protection, int flags, int file, off_t offset)
{
    return oom_fails(OOM_CORE) ? MAP_FAILED
                               : __real_mmap(address, length, protection, flags, file, offset);
}
