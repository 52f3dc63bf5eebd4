/*
 * What lua-cjson leaves to do after decoding: integral floats become integers (5.3 and newer), and
 * null fields of objects vanish. In arrays null stays, as cr.null, so that positions hold.
 */
#include "lcr.h"

enum { MAX_DEPTH = 128 }; /* decoding is capped well below */

/* Replaces the value on top, under the key below it, in the table at `table`. [-1, +0] */
static void replace_value(lua_State *L, int table)
{
    lua_pushvalue(L, -2);
    lua_insert(L, -2); /* … key key value */
    lua_rawset(L, table);
}

static void tidy_table(lua_State *L, int depth)
{
    int table = lua_gettop(L);
    if (depth > MAX_DEPTH) {
        luaL_error(L, "the JSON value is nested more than %d deep", MAX_DEPTH);
    }
    lcr_check_stack(L, 6, "JSON value nested too deep");
    lua_pushnil(L);
    while (lua_next(L, table) != 0) { /* assigning to existing fields is allowed meanwhile */
        switch (lua_type(L, -1)) {
        case LUA_TTABLE:
            tidy_table(L, depth + 1);
            lua_pop(L, 1);
            break;
#if LUA_VERSION_NUM >= 503
        case LUA_TNUMBER: {
            lua_Integer integer;
            if (!lua_isinteger(L, -1) && lua_numbertointeger(lua_tonumber(L, -1), &integer) &&
                (lua_Number)integer == lua_tonumber(L, -1)) {
                lua_pop(L, 1);
                lua_pushinteger(L, integer);
                replace_value(L, table);
            } else {
                lua_pop(L, 1);
            }
            break;
        }
#endif
        case LUA_TLIGHTUSERDATA:
            lua_pop(L, 1);
            if (lua_type(L, -1) == LUA_TSTRING) {
                lua_pushnil(L);
                replace_value(L, table);
            }
            break;
        default:
            lua_pop(L, 1);
        }
    }
}

/* tidy_json(table) → the same table, changed in place */
static int json_tidy(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    tidy_table(L, 1);
    return 1;
}

void lcr_open_json(lua_State *L)
{
    lua_pushcfunction(L, json_tidy);
    lua_setfield(L, -2, "tidy_json");
}
