/*
 * Allocators that count what is alive and fail on demand, one per party of the process.
 *
 * Each party has its own numbering, so that "the n-th allocation of libcurl" means the same in
 * every run. Every block knows its party: freeing it through another one ends the program, and
 * what is still alive at the end can be listed with the call stacks that made it (OOM_TRACE=1).
 * One party is armed at a time, by the thread that tests; others may allocate meanwhile.
 */
#ifndef FUZZ_OOM_ALLOCATOR_H
#define FUZZ_OOM_ALLOCATOR_H

#include <stdbool.h>
#include <stddef.h>

enum oom_party {
    OOM_CORE,    /* src/core and src/binding, by the linker's --wrap */
    OOM_CURL,    /* by curl_global_init_mem */
    OOM_OPENSSL, /* by CRYPTO_set_mem_functions */
    OOM_LUA,     /* by lua_newstate */
    OOM_PARTIES
};

enum oom_mode {
    OOM_ONCE,    /* the n-th request fails; Lua's also when it asks again after a collection */
    OOM_LASTING, /* the n-th request and all later ones */
    OOM_COLLECT, /* Lua only: the n-th request fails, but not when it is asked again */
    OOM_MODES
};

/* `n` counts from 1, from now on. */
void oom_arm(enum oom_party party, enum oom_mode mode, long n);

/* All requests are served again. Returns whether one failed since oom_arm. */
bool oom_disarm(void);

bool oom_has_failed(void); /* the same, later */

/* Blocks alive. */
long oom_alive(enum oom_party party);

/* Lists the blocks of the party that were made since the mark and are alive. */
unsigned oom_mark(void);
void oom_list(enum oom_party party, unsigned since);

void *oom_malloc(enum oom_party party, size_t size);
void *oom_calloc(enum oom_party party, size_t count, size_t size);
void *oom_realloc(enum oom_party party, void *block, size_t size);
void oom_free(enum oom_party party, void *block);

/* For what is no memory of the C library (mmap): whether this request fails. */
bool oom_fails(enum oom_party party);

/* To be called before the library is used. False when it was used already. */
bool oom_install_openssl(void);
bool oom_install_curl(void);

const char *oom_party_name(enum oom_party party);
const char *oom_mode_name(enum oom_mode mode);

#endif
