/*
 * Files that are read whole: configuration and credentials.
 *
 * What is asked of a file is asked of its open descriptor, so that nobody can put another in its
 * place meanwhile. Opening waits for nothing: what is no regular file is refused.
 */
#ifndef CR_CORE_FILE_H
#define CR_CORE_FILE_H

#include "buffer.h"
#include "error.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#pragma GCC visibility push(hidden)

enum { CR_MAX_FILE_SIZE = 16 * 1024 * 1024 };

struct cr_file {
    struct cr_buffer content; /* secret */
    unsigned mode;            /* permission bits, 07777 at most */
    uid_t owner;
    bool is_missing; /* after a failure: there is no such file */
};

void cr_file_init(struct cr_file *file);

/* Wipes. Idempotent. */
void cr_file_clean_up(struct cr_file *file);

/* Fills `file`. CR_ELIMIT for more than `maximum` bytes, CR_EINVAL for what is no regular file,
 * CR_ESYSTEM with the system's own text. Texts do not show the path. */
enum cr_status cr_file_read(struct cr_file *file, const char *path, size_t maximum,
                            struct cr_error *err) CR_CHECKED;

/* Appends what one read of the descriptor gives and leaves no copy. Returns what read(2) returns,
 * never EINTR; whether it fitted is for the buffer's status to say. */
ssize_t cr_file_append(struct cr_buffer *out, int descriptor);

#pragma GCC visibility pop

#endif
