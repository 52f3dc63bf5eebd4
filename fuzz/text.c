/*
 * Times, trimming and comparison: what is written reads back, what is read writes the same, and an
 * order is one.
 */
#include "../src/core/text.h"
#include "../src/core/http.h"
#include "support.h"

#include <strings.h>

static int sign_of(int value)
{
    return (value > 0) - (value < 0);
}

static void check_trim(struct cr_slice text)
{
    struct cr_slice inner = cr_text_trim(text);
    FUZZ_REQUIRE(inner.data >= text.data);
    FUZZ_REQUIRE(inner.data + inner.length <= text.data + text.length);
    FUZZ_REQUIRE(inner.length == 0 || strchr(" \t", inner.data[0]) == NULL || !inner.data[0]);
    for (const char *c = text.data; c < text.data + text.length; c++) {
        bool is_inside = c >= inner.data && c < inner.data + inner.length;
        FUZZ_REQUIRE(is_inside || *c == ' ' || *c == '\t');
    }
    FUZZ_REQUIRE(fuzz_is_equal(cr_text_trim(inner), inner));
}

static void check_compare(struct cr_slice a, struct cr_slice b)
{
    int order = cr_text_compare_lower(a, b);
    FUZZ_REQUIRE(sign_of(order) == -sign_of(cr_text_compare_lower(b, a)));
    FUZZ_REQUIRE(cr_text_compare_lower(a, a) == 0);
    bool has_nul = memchr(a.data, 0, a.length) != NULL || memchr(b.data, 0, b.length) != NULL;
    if (a.length == b.length && !has_nul) {
        FUZZ_REQUIRE(sign_of(order) == sign_of(strncasecmp(a.data, b.data, a.length)));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cr_slice second = fuzz_input(data, size);
    struct cr_slice first = fuzz_field(&second);
    check_trim(first);
    check_trim(second);
    check_compare(first, second);
    return 0;
}
