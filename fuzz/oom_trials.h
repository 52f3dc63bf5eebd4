/*
 * The loop of all failing-allocator runs: the n-th allocation of a party fails, for n = 1, 2, 3 …
 * until a trial ends without a failure; after each trial as many blocks are alive as before it.
 */
#ifndef FUZZ_OOM_TRIALS_H
#define FUZZ_OOM_TRIALS_H

#include "oom_allocator.h"

#include <stdbool.h>

enum oom_outcome {
    OOM_COMPLETE, /* no allocation failed, and the result was right */
    OOM_HANDLED,  /* one failed and became an error; what was done next went well */
    OOM_SURVIVED, /* one failed, and the result was right all the same */
    OOM_EXCUSED,  /* the fault of a library, shown without this one; the trial says which */
    OOM_WRONG     /* the trial has told why */
};

struct oom_trial {
    const char *name;
    /* Does its work with the n-th request of the party failing. */
    enum oom_outcome (*run)(const struct oom_trial *trial, enum oom_party party, enum oom_mode mode,
                            long n);
    const void *work; /* the trial's own */
    bool is_isolated; /* a process of its own for each n, which has no blocks to compare */
    /* More of OpenSSL's blocks than before that are no leak, over all n together: it remembers
     * which implementation it found for what, and now and then forgets some of it. */
    long remembered;
};

/* Every n that is 1 more than a multiple of `stride`. Prints one line. False when something was
 * wrong. */
bool oom_try_all(const struct oom_trial *trial, enum oom_party party, enum oom_mode mode,
                 long stride);

/* A stride from the environment variable, else `fallback`. */
long oom_stride(const char *variable, long fallback);

#endif
