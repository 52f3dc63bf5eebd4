/*
 * Any one allocation fails, in Lua or in the library: what was going on ends with an error that
 * says so, and the same again, with memory, gives the same.
 *
 * Fields of an input: number of the allocation (2 bytes), text.
 */
#include "support.h"

/* Calls the function at 1 with the text. Its result, or the error, is on top. */
static int run(lua_State *L, struct cr_slice text)
{
    lua_pushvalue(L, 1);
    fuzz_push(L, text);
    return lua_pcall(L, 1, 1, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct cr_slice input = fuzz_input(data, size);
    unsigned number = fuzz_byte(&input) % 4U * 256U;
    number += fuzz_byte(&input);
    lua_State *L = fuzz_lua("memory");
    FUZZ_REQUIRE(run(L, input) == LUA_OK);
    lua_pushvalue(L, 1);
    fuzz_push(L, input);
    lua_gc(L, LUA_GCSTOP, 0); /* or it is as often the collector's as anybody's */
    fuzz_fail_allocation(number);
    int status = lua_pcall(L, 1, 1, 0);
    bool has_failed = fuzz_fail_allocation(0);
    lua_gc(L, LUA_GCRESTART, 0);
    if (status != LUA_OK) {
        const char *text = lua_tostring(L, -1);
        FUZZ_REQUIRE(has_failed && text != NULL && strstr(text, "memory") != NULL);
        lua_pop(L, 1);
        FUZZ_REQUIRE(run(L, input) == LUA_OK);
    }
    FUZZ_REQUIRE(lua_rawequal(L, 2, 3));
    return 0;
}
