/*
 * Keeps SIGPIPE from the host program while this thread writes to a peer that may have gone.
 *
 * A handler or SIG_IGN would be the process's, so the signal is blocked for this thread and, when
 * it came, taken back.
 */
#ifndef CR_CORE_SIGPIPE_H
#define CR_CORE_SIGPIPE_H

#include <signal.h>
#include <stdbool.h>

#pragma GCC visibility push(hidden)

struct cr_sigpipe {
    sigset_t pipe, previous;
    bool was_pending;
};

void cr_sigpipe_block(struct cr_sigpipe *guard);
void cr_sigpipe_restore(struct cr_sigpipe *guard);

#pragma GCC visibility pop

#endif
