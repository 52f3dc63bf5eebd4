/*
 * What nginx knows of its thread pools and does not tell Lua, for the nginx transport: a task too
 * many for a pool's queue is no failure there but, before lua-nginx-module 0.10.32, a crash of the
 * worker (a task is freed by a wrong pointer). So the transport must know how many are too many.
 *
 * The pool is asked for by the function that nginx's modules use. What comes back is looked at
 * through nginx's own declaration, which has been the same since 2015, and believed only when the
 * name in the middle of it is the one that was asked for.
 */
#include "lcr.h"

#include <dlfcn.h>
#include <pthread.h>

struct text { /* ngx_str_t */
    size_t length;
    const char *data;
};

struct thread_pool { /* ngx_thread_pool_s of nginx's src/core/ngx_thread_pool.c */
    pthread_mutex_t mutex;
    void *first, **last;
    intptr_t waiting;
    pthread_cond_t condition;
    void *log;
    struct text name;
    uintptr_t threads;
    intptr_t max_queue;
};

typedef struct thread_pool *get_pool(void *cycle, struct text *name);

static bool is_called(const struct thread_pool *pool, struct cr_slice name)
{
    return pool->name.length == name.length && memcmp(pool->name.data, name.data, name.length) == 0;
}

/* thread_pool(name) → threads, max_queue  or false: there is none  or nothing: not known here */
static int nginx_thread_pool(lua_State *L)
{
    struct cr_slice name = lcr_check_slice(L, 1);
    struct text wanted = {name.length, name.data};
    void *host = dlopen(NULL, RTLD_LAZY);
    if (host == NULL) {
        return 0;
    }
    get_pool *get = NULL;
    *(void **)&get = dlsym(host, "ngx_thread_pool_get"); /* as POSIX wants it written */
    void **cycle = dlsym(host, "ngx_cycle");
    struct thread_pool *pool = NULL;
    if (get != NULL && cycle != NULL) {
        pool = get(*cycle, &wanted);
    }
    dlclose(host);
    if (get == NULL || cycle == NULL || (pool != NULL && !is_called(pool, name))) {
        return 0;
    }
    if (pool == NULL) {
        lua_pushboolean(L, false);
        return 1;
    }
    lua_pushnumber(L, (lua_Number)pool->threads);
    lua_pushnumber(L, (lua_Number)pool->max_queue);
    return 2;
}

void lcr_open_nginx(lua_State *L)
{
    static const luaL_Reg functions[] = {{"thread_pool", nginx_thread_pool}, {NULL, NULL}};
    lcr_compat_set_functions(L, functions);
}
