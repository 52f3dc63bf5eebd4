/*
 * What the command line needs of the operating system: replacing the process, a free TCP port.
 *
 * POSIX only, no state.
 */
#ifndef CR_CORE_PROCESS_H
#define CR_CORE_PROCESS_H

#include "error.h"

#pragma GCC visibility push(hidden)

/* Replaces the process by `path` (looked up on PATH when it has no slash) with a NULL-terminated
 * argument list, argument 0 included. Returns only on failure, with errno set. */
void cr_process_exec(const char *path, char *const arguments[]);

/* A TCP port of 127.0.0.1 that nobody used a moment ago. */
enum cr_status cr_process_free_port(int *port, struct cr_error *err) CR_CHECKED;

#pragma GCC visibility pop

#endif
