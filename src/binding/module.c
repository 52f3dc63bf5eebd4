/*
 * `require "cr.core"`: puts the units together. The one exported symbol of the library is here.
 */
#include "lcr.h"

#include <stdio.h>

#if defined(__GNUC__) || defined(__clang__)
#define LCR_EXPORT __attribute__((visibility("default")))
#else
#define LCR_EXPORT
#endif

LCR_EXPORT int luaopen_cr_core(lua_State *L);

void lcr_new_metatable(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc)
{
    luaL_newmetatable(L, name);
    for (; methods->name != NULL; methods++) {
        lua_pushvalue(L, -1);
        lua_pushcclosure(L, methods->func, 1);
        lua_setfield(L, -2, methods->name);
    }
    lua_pushvalue(L, -1);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, gc);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, "__gc");
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
}

void *lcr_check_self(lua_State *L, const char *name)
{
    if (lua_getmetatable(L, 1)) {
        bool is_own = lua_rawequal(L, -1, lua_upvalueindex(1));
        lua_pop(L, 1);
        if (is_own) {
            return lua_touserdata(L, 1);
        }
    }
    return luaL_checkudata(L, 1, name);
}

void lcr_check_stack(lua_State *L, int count, const char *why)
{
    if (!lua_checkstack(L, count)) {
        luaL_error(L, "no room on the stack: not enough memory, or %s", why);
    }
}

void lcr_push_description(lua_State *L, int index)
{
    char text[64];
    switch (lua_type(L, index)) {
    case LUA_TNONE:
    case LUA_TNIL:
        lua_pushliteral(L, "nothing");
        return;
    case LUA_TBOOLEAN:
        lua_pushstring(L, lua_toboolean(L, index) ? "a boolean (true)" : "a boolean (false)");
        return;
    case LUA_TNUMBER:
        if (lua_tonumber(L, index) != lua_tonumber(L, index)) {
            lua_pushliteral(L, "NaN");
            return;
        }
        int64_t integer = 0;
        if (lcr_compat_to_integer(L, index, &integer)) {
            snprintf(text, sizeof text, "a number (%lld)", (long long)integer);
        } else {
            snprintf(text, sizeof text, "a number (%.17g)", (double)lua_tonumber(L, index));
        }
        lua_pushstring(L, text);
        return;
    case LUA_TLIGHTUSERDATA:
        lua_pushstring(L, lua_touserdata(L, index) == NULL ? "cr.null" : "a light userdata");
        return;
    default:
        lua_pushfstring(L, "a %s", luaL_typename(L, index));
    }
}

struct cr_slice lcr_check_slice(lua_State *L, int index)
{
    luaL_checktype(L, index, LUA_TSTRING);
    return lcr_to_slice(L, index);
}

int luaopen_cr_core(lua_State *L)
{
    lua_newtable(L);
    lcr_open_child(L);
    lcr_open_console(L);
    lcr_open_file(L);
    lcr_open_http(L);
    lcr_open_job(L);
    lcr_open_json(L);
    lcr_open_nginx(L);
    lcr_open_operations(L);
    lcr_open_parameters(L);
    lcr_open_request(L);
    lcr_open_sign(L);
    lcr_open_system(L);
    lua_pushlightuserdata(L, NULL); /* the same value as cjson.null and ngx.null */
    lua_setfield(L, -2, "null");
    return 1;
}
