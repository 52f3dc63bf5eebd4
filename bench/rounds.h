/*
 * How every measured process talks to report.lua, which lets a baseline and its subject take turns:
 * a line "<work> <count>" on standard input asks for one round, the answer is a line
 * "<wall> <cpu>", nanoseconds per repetition. The process stays alive between rounds, so that
 * connections, caches and allocator are warm. rounds.lua is the same for Lua.
 */
#ifndef BENCH_ROUNDS_H
#define BENCH_ROUNDS_H

#include <stdbool.h>

struct work {
    const char *name;
    bool (*run)(void *state, long count); /* false: it failed, nothing is to be reported */
};

/* Serves rounds until standard input ends. `works` ends with a NULL name. Returns the exit
 * status: 1 after work that failed or that is unknown. */
int rounds_serve(const struct work *works, void *state);

#endif
