/*
 * A program started without a shell: its standard output is collected, its end awaited, its process
 * group killed when it takes too long.
 *
 * The program gets its arguments as they are, /dev/null as standard input, a pipe as standard
 * output, the standard error, environment and folder of the host and nothing else: no other
 * descriptor, no signal blocked or ignored. It leads a process group of its own.
 *
 * Nothing of the process is touched: no SIGCHLD handler, no wait for other children. Where the host
 * collects every child itself (nginx does), the exit status may be lost to it; the output is not.
 * POSIX with pipe2 and dup3; in a fork of the host a struct cr_child of its parent is harmless, but
 * of no use. Not thread-safe: one thread at a time.
 */
#ifndef CR_CORE_CHILD_H
#define CR_CORE_CHILD_H

#include "buffer.h"
#include "error.h"

#include <stdbool.h>
#include <sys/types.h>

#pragma GCC visibility push(hidden)

enum { CR_MAX_CHILD_OUTPUT = 64 * 1024 };

enum cr_child_end {
    CR_CHILD_RUNNING,
    CR_CHILD_EXITED,   /* `code` is the exit status */
    CR_CHILD_SIGNALED, /* `code` is the signal */
    CR_CHILD_LOST      /* somebody else collected the exit status */
};

struct cr_child {
    pid_t id; /* of the program and of its group; 0 when there is none to wait for */
    pid_t owner;
    int output_end;          /* of the pipe; -1 when closed */
    struct cr_buffer output; /* secret */
    enum cr_child_end end;
    int code;
};

void cr_child_init(struct cr_child *child);

/* Starts `arguments[0]`, looked up on PATH when it has no slash, with a NULL-terminated argument
 * list, argument 0 included, as execvp does: a text without #! runs in /bin/sh. That the program
 * cannot be executed is a failure of this function. `child` must be new or killed. */
enum cr_status cr_child_start(struct cr_child *child, char *const arguments[],
                              struct cr_error *err) CR_CHECKED;

/* Collects output and waits at most `seconds` for the end (0: does not wait). `end` says whether it
 * has come: all output has been read, which includes that of children that the program left behind
 * with it, and the program itself has ended. After a failure (CR_ELIMIT: too much output) the
 * program has been killed; CR_EINVAL in a fork of the host, whose parent's the program is. */
enum cr_status cr_child_poll(struct cr_child *child, double seconds,
                             struct cr_error *err) CR_CHECKED;

/* Kills the group of a program whose end has not been seen, and wipes the output. Does not wait
 * longer than a second for it to go. Idempotent. */
void cr_child_kill(struct cr_child *child);

#pragma GCC visibility pop

#endif
