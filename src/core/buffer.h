/*
 * Growing byte buffer with a maximum, for everything the library builds or receives.
 *
 * Failure is sticky: after an append that did not fit or got no memory, `status` says so, all
 * further appends do nothing, and one look at the end replaces a check per line. A buffer marked
 * secret wipes every byte it gives back, also when it moves to grow.
 *
 * Storage belongs to the buffer; the struct to the caller (init / clean_up). Not thread-safe.
 */
#ifndef CR_CORE_BUFFER_H
#define CR_CORE_BUFFER_H

#include "error.h"
#include "slice.h"

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

struct cr_buffer {
    char *data; /* NULL until there was room for something */
    size_t length;
    size_t capacity;
    size_t maximum; /* bytes, never below the capacity; an append beyond it fails: CR_ELIMIT */
    bool secret;
    enum cr_status status;
};

void cr_buffer_init(struct cr_buffer *buffer, size_t maximum, bool secret);

/* Empties the buffer and gives it another maximum. */
void cr_buffer_reset(struct cr_buffer *buffer, size_t maximum);

/* Frees the storage; the buffer is empty and usable again afterwards. Idempotent. */
void cr_buffer_clean_up(struct cr_buffer *buffer);

/* Empties the buffer and forgets a failure, keeps the storage. */
void cr_buffer_clear(struct cr_buffer *buffer);

/* Room for `count` more bytes at the end, or NULL (then `status` says why). Does not change
 * `length`: the caller writes and adds what it wrote. */
char *cr_buffer_reserve(struct cr_buffer *buffer, size_t count);

/* Here, because texts are made of many short pieces: while there is room they cost a copy. */
static inline void cr_buffer_append(struct cr_buffer *buffer, const void *data, size_t count)
{
    if (count == 0) {
        return;
    }
    char *end = count <= buffer->capacity - buffer->length && buffer->status == CR_OK
                    ? buffer->data + buffer->length
                    : cr_buffer_reserve(buffer, count);
    if (end != NULL) {
        memcpy(end, data, count);
        buffer->length += count;
    }
}

static inline void cr_buffer_append_slice(struct cr_buffer *buffer, struct cr_slice slice)
{
    cr_buffer_append(buffer, slice.data, slice.length);
}

static inline void cr_buffer_append_text(struct cr_buffer *buffer, const char *text)
{
    cr_buffer_append(buffer, text, strlen(text));
}

static inline void cr_buffer_append_char(struct cr_buffer *buffer, char c)
{
    cr_buffer_append(buffer, &c, 1);
}

struct cr_slice cr_buffer_slice(const struct cr_buffer *buffer);

/* The sticky status with its text, for the end of a function that appended. */
enum cr_status cr_buffer_check(const struct cr_buffer *buffer, struct cr_error *err) CR_CHECKED;

#pragma GCC visibility pop

#endif
