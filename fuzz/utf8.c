/*
 * UTF-8 against a decoder that reads code points, and JSON strings against what reads them back.
 */
#include "../src/core/text.h"
#include "support.h"

enum { LONGEST = 1 << 20 };

/* How many bytes of a code point follow its first, -1 where none starts. */
static int continuation(unsigned char first)
{
    return first < 0x80   ? 0
           : first < 0xC0 ? -1
           : first < 0xE0 ? 1
           : first < 0xF0 ? 2
           : first < 0xF8 ? 3
                          : -1;
}

/* Reads the code point, then asks whether it may stand there in that many bytes. */
static size_t valid_length(const unsigned char *bytes, size_t length)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
    size_t i = 0;
    while (i < length) {
        int more = continuation(bytes[i]);
        if (more < 0 || length - i <= (size_t)more) {
            return i;
        }
        uint32_t point = more == 0 ? bytes[i] : bytes[i] & (0x3FU >> more);
        for (int k = 1; k <= more; k++) {
            if ((bytes[i + (size_t)k] & 0xC0U) != 0x80) {
                return i;
            }
            point = point << 6 | (bytes[i + (size_t)k] & 0x3FU);
        }
        if (point < least[more] || point > 0x10FFFF || (point >= 0xD800 && point < 0xE000)) {
            return i;
        }
        i += (size_t)more + 1;
    }
    return length;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cr_slice text = fuzz_input(data, size);
    struct cr_buffer json;
    FUZZ_REQUIRE(cr_text_utf8_valid(text) == valid_length(data, size));
    if (cr_text_utf8_valid(text) == text.length) {
        cr_buffer_init(&json, LONGEST, false);
        cr_text_json_string(&json, text);
        lua_State *L = fuzz_lua("utf8");
        fuzz_push(L, cr_buffer_slice(&json));
        fuzz_push(L, text);
        fuzz_call_lua(L);
        cr_buffer_clean_up(&json);
    }
    return 0;
}
