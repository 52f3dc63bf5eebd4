/*
 * Whole calls with failing allocators: a host program with Lua states of its own, against a server
 * on loopback. What is called stands in oom.lua.
 *
 *     oom_call [SCENARIO]     from the project's folder, with LUA_PATH set to find `cr` there; all
 *                             but TLS, which needs an emulator, without one;
 *                             OOM_STRIDE=n tries every n-th allocation of Lua's while it loads
 *
 * A trial makes a state and a client, lets the n-th allocation fail during one call, holds what
 * became of it against what may, does the same once more with a sound allocator, and closes. Then
 * as many blocks of every party are alive as before. What no party here owns (lua-cjson's own
 * memory) is LeakSanitizer's to find at the end; oom.supp names what lua-cjson is known to lose.
 */
#include "oom_server.h"
#include "oom_trials.h"

#include <lauxlib.h>
#include <limits.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

int luaopen_cr_core(lua_State *L); /* the binding, linked in */

enum { LONGEST = 2 }; /* seconds; a call that lacks memory may not wait for something */

static int port;

/* Lua expects that a block can always be made smaller. */
static void *allocate(void *unused, void *block, size_t old_size, size_t size)
{
    (void)unused;
    if (size == 0) {
        oom_free(OOM_LUA, block);
        return NULL;
    }
    if (block != NULL && size <= old_size) {
        return block;
    }
    return oom_realloc(OOM_LUA, block, size);
}

static double seconds(void)
{
    struct timespec now = {0, 0};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* The functions of oom.lua for the scenario, as globals. */
static int prepare(lua_State *L)
{
    const struct oom_trial *trial = lua_touserdata(L, 1);
    luaL_openlibs(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_cr_core);
    lua_setfield(L, -2, "cr.core");
    if (luaL_loadfile(L, "fuzz/oom.lua") != 0) {
        return lua_error(L);
    }
    lua_pushinteger(L, port);
    lua_pushstring(L, trial->work);
    lua_call(L, 2, 2);
    lua_setglobal(L, "oom_check");
    lua_setglobal(L, "oom_act");
    return 0;
}

static bool is_prepared(lua_State *L, const struct oom_trial *trial)
{
    lua_settop(L, 0);
    lua_pushcfunction(L, prepare);
    lua_pushlightuserdata(L, (void *)trial);
    return lua_pcall(L, 1, 0, 0) == 0;
}

/* Leaves on the stack what came of it: whether it raised, and its results or the error. */
static void act(lua_State *L, enum oom_party party, enum oom_mode mode, long n)
{
    lua_settop(L, 0);
    lua_pushboolean(L, 0);
    lua_getglobal(L, "oom_act");
    oom_arm(party, mode, n);
    int status = lua_pcall(L, 0, 2, 0);
    oom_disarm();
    lua_pushboolean(L, status != 0);
    lua_replace(L, 1);
}

static bool is_verdict(lua_State *L, const char *expected)
{
    return lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), expected) == 0;
}

/* Replaces the results by what oom.lua says of them. */
static void judge(lua_State *L, enum oom_party party)
{
    lua_getglobal(L, "oom_check");
    lua_insert(L, 1);
    lua_pushstring(L, oom_party_name(party));
    lua_insert(L, 2);
    if (lua_pcall(L, lua_gettop(L) - 1, 1, 0) != 0) {
        lua_pushfstring(L, "the check failed: %s", lua_tostring(L, -1));
    }
}

static enum oom_outcome complain(const struct oom_trial *trial, long n, const char *when,
                                 lua_State *L)
{
    fprintf(stderr, "%s, n = %ld, %s: %s\n", trial->name, n, when,
            L != NULL && lua_isstring(L, -1) ? lua_tostring(L, -1) : "?");
    return OOM_WRONG;
}

/* Acts, and once more with a sound allocator, in a state that is ready. */
static enum oom_outcome act_twice(lua_State *L, const struct oom_trial *trial, enum oom_party party,
                                  enum oom_mode mode, long n)
{
    double start = seconds();
    act(L, party, mode, n);
    bool has_failed = oom_has_failed();
    if (seconds() - start > LONGEST) {
        return complain(trial, n, "took long", NULL);
    }
    judge(L, party);
    bool is_right = is_verdict(L, "right");
    if (!is_right && !(has_failed && is_verdict(L, "handled") && mode != OOM_COLLECT)) {
        return complain(trial, n, "out of memory", L);
    }
    if (!has_failed) {
        return OOM_COMPLETE;
    }
    act(L, party, OOM_LASTING, LONG_MAX);
    judge(L, party);
    if (!is_verdict(L, "right")) {
        return complain(trial, n, "the next call", L);
    }
    return is_right ? OOM_SURVIVED : OOM_HANDLED;
}

static enum oom_outcome call(const struct oom_trial *trial, enum oom_party party,
                             enum oom_mode mode, long n)
{
    lua_State *L = lua_newstate(allocate, NULL);
    enum oom_outcome outcome = OOM_WRONG;
    if (L == NULL) {
        return complain(trial, n, "no state", NULL);
    }
    if (is_prepared(L, trial)) {
        outcome = act_twice(L, trial, party, mode, n);
    } else {
        complain(trial, n, "preparing", L);
    }
    lua_close(L);
    return outcome;
}

/* The whole life of a state up to the first call; what fails is tried again in the same state. */
static enum oom_outcome load(const struct oom_trial *trial, enum oom_party party,
                             enum oom_mode mode, long n)
{
    oom_arm(party, mode, n);
    lua_State *L = lua_newstate(allocate, NULL);
    bool is_loaded = L != NULL && is_prepared(L, trial);
    bool has_failed = oom_disarm();
    enum oom_outcome outcome = OOM_WRONG;
    if (L == NULL) {
        return has_failed ? OOM_HANDLED : OOM_WRONG;
    }
    if (!is_loaded &&
        (mode == OOM_COLLECT || strstr(lua_tostring(L, -1), "not enough memory") == NULL)) {
        complain(trial, n, "loading", L);
    } else if (!is_loaded && !is_prepared(L, trial)) {
        complain(trial, n, "loading again", L);
    } else {
        act(L, party, mode, LONG_MAX);
        judge(L, party);
        if (!is_verdict(L, "right")) {
            complain(trial, n, "the call after it", L);
        } else {
            outcome = !has_failed ? OOM_COMPLETE : is_loaded ? OOM_SURVIVED : OOM_HANDLED;
        }
    }
    lua_close(L);
    return outcome;
}

static bool try_modes(const struct oom_trial *trial, enum oom_party party, long stride)
{
    bool is_right = true;
    int modes = party == OOM_LUA ? OOM_MODES : OOM_COLLECT;
    for (int mode = OOM_ONCE; mode < modes; mode++) {
        is_right = oom_try_all(trial, party, (enum oom_mode)mode, stride) && is_right;
    }
    return is_right;
}

/* A state that keeps lua-cjson loaded until the end, so that LeakSanitizer can name it. */
static bool keep_cjson(void)
{
    static lua_State *keeper;
    keeper = luaL_newstate();
    if (keeper == NULL) {
        return false;
    }
    luaL_openlibs(keeper);
    return luaL_dostring(keeper, "require 'cjson.safe'") == 0;
}

/* The stride for a scenario: what has thousands of allocations, or starts a program for each, is
 * not tried at all of them by default. */
static long stride_of(const char *scenario)
{
    long every = oom_stride("OOM_STRIDE", 1);
    if (strcmp(scenario, "load") == 0 || strcmp(scenario, "TLS") == 0) {
        return every;
    }
    return strcmp(scenario, "program") == 0 && every > 1 ? 3 : 1;
}

static bool try_parties(const char *scenario)
{
    bool is_right = true;
    bool is_load = strcmp(scenario, "load") == 0, is_tls = strcmp(scenario, "TLS") == 0;
    const struct oom_trial trial = {scenario, is_load ? load : call, scenario, false,
                                    is_tls ? 64 : 0};
    for (int party = is_load ? OOM_LUA : OOM_CORE; party < OOM_PARTIES; party++) {
        /* libcurl 7.88 frees the name of a TLS session twice that it had no memory to keep. */
        if (!is_tls || party != OOM_CURL) {
            is_right = try_modes(&trial, (enum oom_party)party, stride_of(scenario)) && is_right;
        }
    }
    return is_right;
}

int main(int argc, char **argv)
{
    static const char *const scenarios[] = {
        "load",        "first call",    "next call",           "V1, nested values",
        "JSON values", "service error", "parameter error",     "role",
        "program",     "cr.sign",       "client:credentials()"};
    bool is_right = true;
    port = oom_server_start();
    if (port == 0 || !oom_install_openssl() || !oom_install_curl() || !keep_cjson()) {
        fputs("oom_call: no server, or a library was in use before\n", stderr);
        return 1;
    }
    if (argc > 1) {
        return try_parties(argv[1]) ? 0 : 1;
    }
    for (size_t i = 0; i < sizeof scenarios / sizeof scenarios[0]; i++) {
        is_right = try_parties(scenarios[i]) && is_right;
    }
    return is_right ? 0 : 1;
}
