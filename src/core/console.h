/*
 * What the command line needs of the terminal and of standard input.
 *
 * POSIX only. The interrupt is the one thing here that changes the process; the library itself
 * never does, only a program that owns its process may ask for it.
 */
#ifndef CR_CORE_CONSOLE_H
#define CR_CORE_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#pragma GCC visibility push(hidden)

enum { CR_MAX_LAST_WORDS = 32 };

/* Columns of the terminal behind a descriptor, 80 for one that does not tell; 0 for no terminal. */
int cr_console_columns(int descriptor);

/* From now on SIGINT ends the process as it does by default, whatever the interpreter set before,
 * and `text` is written to standard error first: up to CR_MAX_LAST_WORDS bytes, which are copied.
 */
void cr_console_on_interrupt(const char *text, size_t length);

/* Whether a read would return at once: with data, at the end, or with an error. */
bool cr_console_has_input(int descriptor);

/* What one read(2) returns, never EINTR. */
ssize_t cr_console_read(int descriptor, char *buffer, size_t size);

#pragma GCC visibility pop

#endif
