/*
 * The terminal and standard input, for the command line.
 */
#include "lcr.h"

#include "../core/console.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { READ_SIZE = 16384 };

/* columns(descriptor) → columns of the terminal, or nil when it is none */
static int console_columns(lua_State *L)
{
    int columns = cr_console_columns((int)luaL_checkinteger(L, 1));
    if (columns == 0) {
        return 0;
    }
    lua_pushinteger(L, columns);
    return 1;
}

/* on_interrupt(text): SIGINT ends the process by default again, after the text on standard error */
static int console_on_interrupt(lua_State *L)
{
    struct cr_slice text = lcr_check_slice(L, 1);
    luaL_argcheck(L, text.length <= CR_MAX_LAST_WORDS, 1, "at most 32 bytes expected");
    cr_console_on_interrupt(text.data, text.length);
    return 0;
}

/* has_input() → whether reading standard input would not wait */
static int console_has_input(lua_State *L)
{
    lua_pushboolean(L, cr_console_has_input(STDIN_FILENO));
    return 1;
}

/* read_input() → what standard input has, at least a byte; "" at its end; or nil, reason */
static int console_read_input(lua_State *L)
{
    char buffer[READ_SIZE];
    ssize_t count = cr_console_read(STDIN_FILENO, buffer, sizeof buffer);
    if (count < 0) {
        lua_pushnil(L);
        lua_pushstring(L, strerror(errno));
        return 2;
    }
    lua_pushlstring(L, buffer, (size_t)count);
    return 1;
}

/* exit(status): ends the process at once. What is written must have been flushed; the memory, which
 * the handlers of thirty libraries would give back piece by piece, goes as a whole. */
static int console_exit(lua_State *L)
{
    _exit((int)luaL_checkinteger(L, 1));
    return 0;
}

void lcr_open_console(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"columns", console_columns},       {"exit", console_exit},
        {"has_input", console_has_input},   {"on_interrupt", console_on_interrupt},
        {"read_input", console_read_input}, {NULL, NULL},
    };
    lcr_compat_set_functions(L, functions);
}
