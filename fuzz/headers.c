/*
 * The headers of any block of an answer: each lies inside the block, trimmed; the table that Lua
 * gets of them is what a reading in Lua finds; and any text is a date or none.
 */
#include "../src/core/http.h"
#include "../src/core/text.h"
#include "support.h"

#include <stdlib.h>

static void check_header(struct cr_slice block, const struct cr_pair *header)
{
    const struct cr_slice parts[] = {header->name, header->value};
    for (int i = 0; i < 2; i++) {
        FUZZ_REQUIRE(parts[i].data >= block.data);
        FUZZ_REQUIRE(parts[i].data + parts[i].length <= block.data + block.length);
        FUZZ_REQUIRE(fuzz_is_equal(cr_text_trim(parts[i]), parts[i]));
        FUZZ_REQUIRE(memchr(parts[i].data, '\n', parts[i].length) == NULL);
    }
    FUZZ_REQUIRE(memchr(header->name.data, ':', header->name.length) == NULL);
}

static void check_date(struct cr_slice text)
{
    char *terminated = malloc(text.length + 1);
    if (terminated == NULL) {
        return;
    }
    memcpy(terminated, text.data, text.length);
    terminated[text.length] = '\0';
    (void)cr_http_parse_date(terminated); /* libcurl's; any number is a date */
    free(terminated);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cr_slice block = fuzz_input(data, size), left = block;
    struct cr_pair header;
    while (cr_http_next_header(&left, &header)) {
        FUZZ_REQUIRE(left.data + left.length == block.data + block.length);
        check_header(block, &header);
        check_date(header.value);
    }
    FUZZ_REQUIRE(left.length == 0);
    lua_State *L = fuzz_lua("headers");
    fuzz_push(L, block);
    fuzz_call_lua(L);
    return 0;
}
