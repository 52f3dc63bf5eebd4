#include "buffer.h"

#include "crypto.h"

#include <stdlib.h>
#include <string.h>

/* Large enough for the canonical request of a usual call, so that it is allocated once. */
enum { FIRST_CAPACITY = 1024 };

void cr_buffer_init(struct cr_buffer *buffer, size_t maximum, bool secret)
{
    memset(buffer, 0, sizeof *buffer);
    buffer->maximum = maximum;
    buffer->secret = secret;
}

void cr_buffer_reset(struct cr_buffer *buffer, size_t maximum)
{
    cr_buffer_clear(buffer);
    if (buffer->capacity > maximum) {
        cr_buffer_clean_up(buffer);
    }
    buffer->maximum = maximum;
}

void cr_buffer_clean_up(struct cr_buffer *buffer)
{
    cr_buffer_clear(buffer);
    free(buffer->data);
    buffer->data = NULL;
    buffer->capacity = 0;
}

void cr_buffer_clear(struct cr_buffer *buffer)
{
    if (buffer->secret && buffer->length > 0) {
        cr_crypto_wipe(buffer->data, buffer->length);
    }
    buffer->length = 0;
    buffer->status = CR_OK;
}

/* Moves to new storage by hand: realloc would leave an unwiped copy of a secret behind. Nothing
 * needs an address too, but has no capacity: with one byte of it, that byte could be appended
 * although the maximum is 0. */
static char *move_to(struct cr_buffer *buffer, size_t capacity)
{
    char *data = malloc(capacity > 0 ? capacity : 1);
    if (data == NULL) {
        buffer->status = CR_ENOMEM;
        return NULL;
    }
    if (buffer->data != NULL) {
        memcpy(data, buffer->data, buffer->length);
        if (buffer->secret) {
            cr_crypto_wipe(buffer->data, buffer->length);
        }
    }
    free(buffer->data);
    buffer->data = data;
    buffer->capacity = capacity;
    return data;
}

char *cr_buffer_reserve(struct cr_buffer *buffer, size_t count)
{
    if (buffer->status != CR_OK) {
        return NULL;
    }
    if (count > buffer->maximum - buffer->length) {
        buffer->status = CR_ELIMIT;
        return NULL;
    }
    size_t needed = buffer->length + count;
    if (needed > buffer->capacity || buffer->data == NULL) {
        size_t capacity = buffer->capacity > 0 ? buffer->capacity : FIRST_CAPACITY;
        while (capacity < needed && capacity < buffer->maximum) {
            capacity *= 2;
        }
        if (capacity > buffer->maximum) {
            capacity = buffer->maximum; /* what fits the capacity fits the maximum */
        }
        if (move_to(buffer, capacity) == NULL) {
            return NULL;
        }
    }
    return buffer->data + buffer->length;
}

struct cr_slice cr_buffer_slice(const struct cr_buffer *buffer)
{
    struct cr_slice slice = {buffer->data != NULL ? buffer->data : "", buffer->length};
    return slice;
}

enum cr_status cr_buffer_check(const struct cr_buffer *buffer, struct cr_error *err)
{
    switch (buffer->status) {
    case CR_OK:
        return CR_OK;
    case CR_ELIMIT:
        return cr_fail(err, CR_ELIMIT, "the request is larger than this library sends");
    default:
        return cr_fail(err, CR_ENOMEM, "out of memory");
    }
}
