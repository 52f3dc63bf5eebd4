/*
 * A buffer under any sequence of operations, against a plain array: content, length, the sticky
 * status, the maximum; and no byte of a secret in what it clears or gives back to the allocator.
 */
#include "support.h"

#include <sanitizer/allocator_interface.h>

enum { LONGEST = 1 << 16 };

static struct model {
    unsigned char bytes[LONGEST];
    size_t length, maximum;
    bool has_failed;
} model;

static const struct cr_buffer *watched; /* a secret one */

/* What the buffer gives back has been wiped, as far as it was used. */
static void on_free(const volatile void *block)
{
    if (watched == NULL || block == NULL || block != watched->data) {
        return;
    }
    for (size_t i = 0; i < model.length; i++) {
        FUZZ_REQUIRE(watched->data[i] == 0);
    }
}

static void on_malloc(const volatile void *block, size_t size)
{
    (void)block;
    (void)size;
}

static void check(const struct cr_buffer *buffer)
{
    struct cr_error err = {CR_OK, NULL};
    struct cr_slice content = cr_buffer_slice(buffer);
    FUZZ_REQUIRE(content.length == model.length && content.data != NULL);
    FUZZ_REQUIRE(memcmp(content.data, model.bytes, model.length) == 0);
    FUZZ_REQUIRE(buffer->capacity >= buffer->length);
    FUZZ_REQUIRE(buffer->capacity <= buffer->maximum);
    FUZZ_REQUIRE(buffer->data != NULL || buffer->capacity == 0);
    FUZZ_REQUIRE(cr_buffer_check(buffer, &err) == (model.has_failed ? CR_ELIMIT : CR_OK));
    FUZZ_REQUIRE(model.has_failed == (err.text != NULL));
}

static void append(struct cr_buffer *buffer, struct cr_slice piece, bool reserve)
{
    bool fits = !model.has_failed && piece.length <= model.maximum - model.length;
    if (reserve) {
        char *end = cr_buffer_reserve(buffer, piece.length);
        FUZZ_REQUIRE((end != NULL) == fits);
        if (end != NULL) {
            memcpy(end, piece.data, piece.length);
            buffer->length += piece.length;
        }
    } else {
        cr_buffer_append_slice(buffer, piece);
    }
    if (fits) {
        memcpy(model.bytes + model.length, piece.data, piece.length);
        model.length += piece.length;
    } else if (reserve || piece.length > 0) {
        model.has_failed = true;
    }
}

static void empty(const struct cr_buffer *buffer)
{
    for (size_t i = 0; buffer->secret && buffer->data != NULL && i < model.length; i++) {
        FUZZ_REQUIRE(buffer->data[i] == 0);
    }
    model.length = 0;
    model.has_failed = false;
}

/* From the input, or of a fixed text where the input does not reach. */
static struct cr_slice take(struct cr_slice *input, size_t length)
{
    static const char filling[LONGEST] = "secret";
    struct cr_slice piece = {filling, length};
    if (length <= input->length) {
        piece.data = input->data;
        input->data += length;
        input->length -= length;
    }
    return piece;
}

static void step(struct cr_buffer *buffer, struct cr_slice *input)
{
    enum { CLEAR = 4, RESET, CLEAN_UP, OPERATIONS };
    unsigned operation = fuzz_byte(input) % OPERATIONS;
    size_t number = (size_t)fuzz_byte(input) << operation % 4 * 2;
    switch (operation) {
    case CLEAR:
        cr_buffer_clear(buffer);
        empty(buffer);
        break;
    case RESET:
        cr_buffer_reset(buffer, number);
        empty(buffer);
        model.maximum = number;
        break;
    case CLEAN_UP:
        cr_buffer_clean_up(buffer);
        empty(buffer);
        break;
    default:
        append(buffer, take(input, number), operation % 2 == 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_hooked;
    if (!is_hooked) {
        is_hooked = __sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) != 0;
        FUZZ_REQUIRE(is_hooked);
    }
    struct cr_slice input = fuzz_input(data, size);
    struct cr_buffer buffer;
    uint8_t settings = fuzz_byte(&input);
    model.length = 0;
    model.has_failed = false;
    model.maximum = (size_t)1 << settings % 17;
    cr_buffer_init(&buffer, model.maximum, settings >= 128);
    watched = buffer.secret ? &buffer : NULL;
    while (input.length > 0) {
        step(&buffer, &input);
        check(&buffer);
    }
    cr_buffer_clean_up(&buffer);
    watched = NULL;
    return 0;
}
