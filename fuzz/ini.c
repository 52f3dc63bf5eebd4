/*
 * Any text as an INI file and as a command line: fuzz/ini.lua says what must hold.
 */
#include "support.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lua_State *L = fuzz_lua("ini");
    fuzz_push(L, fuzz_input(data, size));
    fuzz_call_lua(L);
    return 0;
}
