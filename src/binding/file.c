/*
 * Reading a file of configuration or credentials, with what tells whether it may be trusted.
 */
#include "lcr.h"

#include "../core/file.h"

#include <unistd.h>

#define FILE_READ "cr.core.file"

static int file_gc(lua_State *L)
{
    cr_file_clean_up(luaL_checkudata(L, 1, FILE_READ));
    return 0;
}

/* Pushes the owner of what is read until Lua has its copy. [-0, +1] */
static struct cr_file *new_file(lua_State *L)
{
    struct cr_file *file = lua_newuserdata(L, sizeof *file);
    cr_file_init(file);
    luaL_getmetatable(L, FILE_READ);
    lua_setmetatable(L, -2);
    return file;
}

/* read_file(path, maximum in bytes) → text, permission bits, user id of the owner
 * or nil, reason without the path, "missing" or "other" */
static int file_read(lua_State *L)
{
    struct cr_slice path = lcr_check_slice(L, 1);
    lua_Integer maximum = luaL_checkinteger(L, 2);
    luaL_argcheck(L, strlen(path.data) == path.length, 1, "a path without NUL bytes expected");
    luaL_argcheck(L, maximum >= 0 && maximum <= CR_MAX_FILE_SIZE, 2, "0 to 16 MiB expected");
    lua_settop(L, 2);
    struct cr_error err = {CR_OK, NULL};
    struct cr_file *file = new_file(L);
    enum cr_status status = cr_file_read(file, path.data, (size_t)maximum, &err);
    if (status != CR_OK) {
        cr_file_clean_up(file);
        lua_pushnil(L);
        if (status == CR_ELIMIT) {
            lua_pushfstring(L, "has more than %d bytes", (int)maximum);
        } else {
            lua_pushstring(L, err.text);
        }
        lua_pushstring(L, file->is_missing ? "missing" : "other");
        return 3;
    }
    struct cr_slice content = cr_buffer_slice(&file->content);
    lua_pushlstring(L, content.data, content.length);
    cr_file_clean_up(file);
    lua_pushinteger(L, (lua_Integer)file->mode);
    lua_pushinteger(L, (lua_Integer)file->owner);
    return 3;
}

/* effective_user() → the user id that files are opened with */
static int file_effective_user(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)geteuid());
    return 1;
}

void lcr_open_file(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"effective_user", file_effective_user},
        {"read_file", file_read},
        {NULL, NULL},
    };
    static const luaL_Reg none[] = {{NULL, NULL}};
    lcr_new_metatable(L, FILE_READ, none, file_gc);
    lcr_compat_set_functions(L, functions);
}
