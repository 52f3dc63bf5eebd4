/*
 * Programs for Lua: `cr.core.run(argv)` starts one, its methods `poll` and `kill` see it to its
 * end.
 */
#include "lcr.h"

#include "../core/child.h"

#define CHILD "cr.core.child"

struct child {
    struct cr_child core;
    bool closed;
    bool busy; /* its output is being pushed; a finalizer may call meanwhile */
};

static void close_child(struct child *child)
{
    cr_child_kill(&child->core);
    child->closed = true;
}

static int child_gc(lua_State *L)
{
    close_child(luaL_checkudata(L, 1, CHILD));
    return 0;
}

/* run{program, argument, …} → process, or nil, reason */
static int child_run(lua_State *L)
{
    char *arguments[LCR_MAX_ARGUMENTS + 1] = {NULL};
    struct cr_error err = {CR_OK, NULL};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    int count = lcr_push_arguments(L, 1, arguments);
    luaL_argcheck(L, count > 0, 1, "a program expected");
    struct child *child = lua_newuserdata(L, sizeof *child);
    cr_child_init(&child->core);
    child->closed = false;
    child->busy = false;
    luaL_getmetatable(L, CHILD);
    lua_setmetatable(L, -2);
    if (cr_child_start(&child->core, arguments, &err) != CR_OK) {
        close_child(child);
        lua_pushnil(L);
        lua_pushfstring(L, "%s: %s", arguments[0], err.text);
        return 2;
    }
    return 1;
}

/* The program has ended: the process is closed and its output the caller's. */
static int push_end(lua_State *L, struct child *child)
{
    child->busy = true;
    lua_pushliteral(L, "done");
    struct cr_slice output = cr_buffer_slice(&child->core.output);
    lua_pushlstring(L, output.data, output.length);
    child->busy = false;
    close_child(child);
    switch (child->core.end) {
    case CR_CHILD_EXITED:
        lua_pushinteger(L, child->core.code);
        return 3;
    case CR_CHILD_SIGNALED:
        lua_pushnil(L);
        lua_pushfstring(L, "killed by signal %d", child->core.code);
        return 4;
    default:
        lua_pushnil(L);
        lua_pushliteral(L, "unknown");
        return 4;
    }
}

/* poll(seconds): waits at most that long for the end
 * → "running"
 *   "done", output, exit status
 *   "done", output, nil, "killed by signal N" or "unknown" (the host collected the status)
 *   "failed", reason: too much output, or the system refused; the program has been killed
 * Whatever is not "running" closes the process. */
static int child_poll(lua_State *L)
{
    const lua_Number longest = 86400;
    struct cr_error err = {CR_OK, NULL};
    struct child *child = lcr_check_self(L, CHILD);
    lua_Number seconds = luaL_checknumber(L, 2);
    luaL_argcheck(L, seconds >= 0 && seconds <= longest, 2, "0 to 86400 seconds expected");
    luaL_argcheck(L, !child->closed && !child->busy, 1, "the process is closed");
    if (cr_child_poll(&child->core, (double)seconds, &err) != CR_OK) {
        close_child(child);
        lua_pushliteral(L, "failed");
        lua_pushstring(L, err.text);
        return 2;
    }
    if (child->core.end == CR_CHILD_RUNNING) {
        lua_pushliteral(L, "running");
        return 1;
    }
    return push_end(L, child);
}

/* kill(): kills the program's process group, unless its end has been seen; idempotent */
static int child_kill(lua_State *L)
{
    struct child *child = lcr_check_self(L, CHILD);
    if (!child->busy) { /* else it has ended, and its output is still being read */
        close_child(child);
    }
    return 0;
}

void lcr_open_child(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"kill", child_kill},
        {"poll", child_poll},
        {NULL, NULL},
    };
    lcr_new_metatable(L, CHILD, methods, child_gc);
    lua_pushcfunction(L, child_run);
    lua_setfield(L, -2, "run");
}
