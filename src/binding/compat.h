/*
 * The few functions of newer Lua versions that the binding uses, for Lua 5.1 and LuaJIT.
 *
 * Everything here has the prefix lcr_compat_, so that it cannot meet another library's idea of
 * the same thing.
 */
#ifndef LCR_COMPAT_H
#define LCR_COMPAT_H

#include <lauxlib.h>
#include <lua.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>

/* Doubles hold every integer up to here. */
#define LCR_MAX_EXACT_DOUBLE 9007199254740992.0

/* The number at `index` as an integer: false when it is not integral, or a float too large to be
 * exact. [-0, +0] */
static inline bool lcr_compat_to_integer(lua_State *L, int index, int64_t *out)
{
#if LUA_VERSION_NUM >= 503
    if (lua_isinteger(L, index)) {
        *out = (int64_t)lua_tointeger(L, index);
        return true;
    }
#endif
    lua_Number number = lua_tonumber(L, index);
    if (!(fabs(number) <= LCR_MAX_EXACT_DOUBLE) || floor(number) != number) {
        return false;
    }
    *out = (int64_t)number;
    return true;
}

/* lua_setfuncs of 5.2, without upvalues. [-0, +0] */
static inline void lcr_compat_set_functions(lua_State *L, const luaL_Reg *functions)
{
    for (; functions->name != NULL; functions++) {
        lua_pushcfunction(L, functions->func);
        lua_setfield(L, -2, functions->name);
    }
}

#endif
