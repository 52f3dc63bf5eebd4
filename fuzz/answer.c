/*
 * What the client makes of any answer of the service: fuzz/answer.lua says what must hold.
 *
 * Fields of an input: status (2 bytes, big-endian), header block, body.
 */
#include "support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cr_slice input = fuzz_input(data, size);
    lua_State *L = fuzz_lua("answer");
    unsigned status = fuzz_byte(&input) * 256U;
    status += fuzz_byte(&input);
    lua_pushinteger(L, (lua_Integer)(status % 1000));
    fuzz_push(L, fuzz_field(&input));
    fuzz_push(L, input);
    fuzz_call_lua(L);
    return 0;
}
