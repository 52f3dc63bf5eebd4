/*
 * Lua tables of any shape as the parameters of any operation: fuzz/parameters.lua builds them from
 * the input and says what must hold.
 */
#include "support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lua_State *L = fuzz_lua("parameters");
    fuzz_push(L, fuzz_input(data, size));
    fuzz_call_lua(L);
    return 0;
}
