#include "sigpipe.h"

#include <stddef.h>
#include <time.h>

void cr_sigpipe_block(struct cr_sigpipe *guard)
{
    sigset_t pending;
    sigemptyset(&guard->pipe);
    sigaddset(&guard->pipe, SIGPIPE);
    guard->was_pending = sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
    pthread_sigmask(SIG_BLOCK, &guard->pipe, &guard->previous);
}

void cr_sigpipe_restore(struct cr_sigpipe *guard)
{
    const struct timespec now = {0, 0};
    if (!guard->was_pending) {
        while (sigtimedwait(&guard->pipe, NULL, &now) == SIGPIPE) {
            /* taken */
        }
    }
    pthread_sigmask(SIG_SETMASK, &guard->previous, NULL);
}
