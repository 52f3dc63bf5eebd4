/*
 * Nonces from the CSPRNG, drawn in advance: a draw costs about as much as a signature.
 *
 * A child process must not use what its parent has drawn. Where the kernel wipes memory on fork
 * (Linux since 4.14) the pool lives in such memory and a child finds it empty; elsewhere the
 * process id is compared at every nonce. One per Lua state or thread.
 */
#ifndef CR_CORE_NONCE_H
#define CR_CORE_NONCE_H

#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#pragma GCC visibility push(hidden)

enum { CR_NONCE_TEXT = 32 }; /* hex digits of 128 bits */

struct cr_nonce_memory;

struct cr_nonce_pool {
    struct cr_nonce_memory *memory; /* NULL until the first nonce */
    bool is_wiped_on_fork;
    pid_t owner;
};

/* Writes a nonce, no terminator. `pool` starts zeroed. */
enum cr_status cr_nonce_draw(struct cr_nonce_pool *pool, char out[CR_NONCE_TEXT],
                             struct cr_error *err) CR_CHECKED;

/* Idempotent, also on a zeroed struct. */
void cr_nonce_clean_up(struct cr_nonce_pool *pool);

#pragma GCC visibility pop

#endif
