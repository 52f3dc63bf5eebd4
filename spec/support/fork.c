/*
 * What specs of forks need and no Lua has: built for the interpreter under test by fork.lua.
 *
 *     fork.fork() → 0 in the child, its id in the parent
 *     fork.wait(id) → its exit status, or nil when it was killed
 *     fork._exit(status): ends without closing the state
 */
#include <lauxlib.h>
#include <lua.h>
#include <sys/wait.h>
#include <unistd.h>

int luaopen_fork(lua_State *L);

static int fork_fork(lua_State *L)
{
    pid_t id = fork();
    if (id < 0) {
        return luaL_error(L, "fork failed");
    }
    lua_pushinteger(L, id);
    return 1;
}

static int fork_wait(lua_State *L)
{
    int status = 0;
    pid_t id = (pid_t)luaL_checkinteger(L, 1);
    if (waitpid(id, &status, 0) != id) {
        return luaL_error(L, "no such child");
    }
    if (!WIFEXITED(status)) {
        return 0;
    }
    lua_pushinteger(L, WEXITSTATUS(status));
    return 1;
}

static int fork_exit(lua_State *L)
{
    _exit((int)luaL_checkinteger(L, 1));
}

int luaopen_fork(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"_exit", fork_exit}, {"fork", fork_fork}, {"wait", fork_wait}, {NULL, NULL}};
    lua_newtable(L);
    for (const luaL_Reg *function = functions; function->name != NULL; function++) {
        lua_pushcfunction(L, function->func);
        lua_setfield(L, -2, function->name);
    }
    return 1;
}
