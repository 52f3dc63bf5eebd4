/*
 * Lua states in threads: each thread makes its own state, requires `cr`, makes a client, calls, and
 * closes, all at once from the first moment, so that the first use of libcurl and OpenSSL is a
 * race. To be built with ThreadSanitizer.
 *
 *     threads COUNT CALLS     from the project's folder, with LUA_PATH set to find `cr` there
 */
#include "oom_server.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

int luaopen_cr_core(lua_State *L); /* the binding, linked in */

enum { MOST_THREADS = 64 };

static const char program[] =
    "local port, calls, number = ...\n"
    "local cr = require 'cr'\n"
    "local url = 'http://127.0.0.1:' .. port\n"
    "local key = { type = 'access_key', access_key_id = 'LTAI5tThreads',\n"
    "  access_key_secret = 'not-a-real-secret' .. number }\n"
    "local function client(signature, credentials)\n"
    "  return cr.new { endpoint = url, signature = signature, credentials = credentials }\n"
    "end\n"
    "local clients = { client('v3', key), client('v1', key), client('v3', {\n"
    "  type = 'ram_role_arn', role_arn = 'acs:ram::1:role/threads', source = key,\n"
    "  sts_endpoint = url }) }\n"
    "for i = 1, calls do\n"
    "  local tag = assert(clients[i % #clients + 1]:get_repo_tag {\n"
    "    InstanceId = 'cri-kmsiwlxxdcva****', RepoId = 'crr-tquyps22md8p****', Tag = '1.0' })\n"
    "  assert(tag.Tag == '1.0' and tag.ImageCreate == 1572839125000)\n"
    "  if i % 10 == 0 then clients[1]:close() end\n"
    "end\n";

static struct {
    pthread_barrier_t start;
    int port;
    long calls;
} shared;

/* Returns NULL when all went well. */
static void *run(void *number)
{
    void *result = number;
    pthread_barrier_wait(&shared.start);
    lua_State *L = luaL_newstate();
    if (L == NULL) {
        return result;
    }
    luaL_openlibs(L);
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "preload");
    lua_pushcfunction(L, luaopen_cr_core);
    lua_setfield(L, -2, "cr.core");
    lua_settop(L, 0);
    if (luaL_loadstring(L, program) == 0) {
        lua_pushinteger(L, shared.port);
        lua_pushinteger(L, (lua_Integer)shared.calls);
        lua_pushinteger(L, *(int *)number);
        result = lua_pcall(L, 3, 0, 0) == 0 ? NULL : number;
    }
    if (result != NULL) {
        fprintf(stderr, "thread %d: %s\n", *(int *)number, lua_tostring(L, -1));
    }
    lua_close(L);
    return result;
}

int main(int argc, char **argv)
{
    pthread_t threads[MOST_THREADS];
    int numbers[MOST_THREADS];
    long count = argc == 3 ? strtol(argv[1], NULL, 10) : 0;
    bool is_right = true;
    shared.calls = argc == 3 ? strtol(argv[2], NULL, 10) : 0;
    shared.port = oom_server_start();
    if (count < 1 || count > MOST_THREADS || shared.port == 0 ||
        pthread_barrier_init(&shared.start, NULL, (unsigned)count) != 0) {
        fputs("usage: threads COUNT CALLS\n", stderr);
        return 1;
    }
    for (int i = 0; i < count; i++) {
        numbers[i] = i + 1;
        if (pthread_create(&threads[i], NULL, run, &numbers[i]) != 0) {
            fputs("threads: no thread\n", stderr);
            return 1;
        }
    }
    for (int i = 0; i < count; i++) {
        void *result = NULL;
        is_right = pthread_join(threads[i], &result) == 0 && result == NULL && is_right;
    }
    printf("%ld threads, %ld calls each: %s\n", count, shared.calls, is_right ? "right" : "FAILED");
    return is_right ? 0 : 1;
}
