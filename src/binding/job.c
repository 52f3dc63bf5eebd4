/*
 * An exchange in another thread: `cr.core.job()` makes a job, whose pointer goes to a Lua state of
 * that thread, where the function that `cr.core.runner()` made does it. See src/core/job.h.
 *
 * The pointer is a light userdata: of all values that can be handed on between two Lua states it is
 * the only one that costs no copy, and no string with a token in it stays behind in either.
 */
#include "http.h"

#include "../core/job.h"

#define JOB "cr.core.job"
#define RUNNER "cr.core.runner"

struct job {
    struct cr_job *core; /* NULL until it is made */
};

static struct cr_job *check_job(lua_State *L)
{
    struct job *job = lcr_check_self(L, JOB);
    luaL_argcheck(L, job->core != NULL, 1, "there is no job");
    return job->core;
}

static int job_gc(lua_State *L)
{
    struct job *job = luaL_checkudata(L, 1, JOB);
    if (job->core != NULL) {
        cr_job_release(job->core);
        job->core = NULL;
    }
    return 0;
}

/* job() → job, or nil, reason */
static int job_new(lua_State *L)
{
    struct job *job = lua_newuserdata(L, sizeof *job);
    job->core = NULL;
    luaL_getmetatable(L, JOB);
    lua_setmetatable(L, -2);
    job->core = cr_job_new();
    if (job->core == NULL) {
        lua_pushnil(L);
        lua_pushliteral(L, "out of memory");
        return 2;
    }
    return 1;
}

/* prepare(request table), prepare(signed request, settings, timeout) → true, or nil, reason */
static int job_prepare(lua_State *L)
{
    struct cr_job *job = check_job(L);
    struct cr_pair headers[CR_MAX_REQUEST_HEADERS];
    struct cr_http_request request = {0};
    luaL_argcheck(L, cr_job_has_one_owner(job), 1, "the job is lent");
    if (lua_istable(L, 2)) {
        lcr_read_request(L, headers, &request);
    } else {
        lcr_read_signed_request(L, &request);
    }
    switch (cr_job_prepare(job, &request)) {
    case CR_OK:
        lua_pushboolean(L, true);
        return 1;
    case CR_ELIMIT:
        lua_pushnil(L);
        lua_pushliteral(L, "the request is larger than this library sends");
        return 2;
    default:
        lua_pushnil(L);
        lua_pushliteral(L, "out of memory");
        return 2;
    }
}

/* lend() → light userdata, for one call of a runner; without that call, `take_back` is due */
static int job_lend(lua_State *L)
{
    struct cr_job *job = check_job(L);
    luaL_argcheck(L, cr_job_has_one_owner(job), 1, "the job is lent");
    cr_job_lend(job);
    lua_pushlightuserdata(L, job);
    return 1;
}

/* take_back(): no runner got it */
static int job_take_back(lua_State *L)
{
    struct cr_job *job = check_job(L);
    luaL_argcheck(L, !cr_job_has_one_owner(job), 1, "the job is not lent");
    cr_job_release(job);
    return 0;
}

/* is_done() → whether the exchange is over */
static int job_is_done(lua_State *L)
{
    lua_pushboolean(L, cr_job_is_done(check_job(L)));
    return 1;
}

/* response() → {status, header_block, body, info}, once  or nil, {code, message, sent} */
static int job_response(lua_State *L)
{
    struct cr_job *job = check_job(L);
    luaL_argcheck(L, cr_job_is_done(job), 1, "the job is not done");
    if (job->status != CR_OK) {
        return lcr_push_failure(L, &job->failure);
    }
    lcr_push_response(L, &job->response);
    cr_job_forget(job);
    return 1;
}

struct runner {
    struct cr_http *http; /* NULL once freed */
};

static int runner_gc(lua_State *L)
{
    struct runner *runner = luaL_checkudata(L, 1, RUNNER);
    cr_http_free(runner->http);
    runner->http = NULL;
    return 0;
}

/* run(light userdata): does what was lent, on the connections of this Lua state */
static int run(lua_State *L)
{
    struct runner *runner = lua_touserdata(L, lua_upvalueindex(1));
    luaL_checktype(L, 1, LUA_TLIGHTUSERDATA);
    struct cr_job *job = lua_touserdata(L, 1);
    cr_job_run(job, runner->http);
    cr_job_release(job);
    return 0;
}

/* runner() → run, or nil, reason */
static int runner_new(lua_State *L)
{
    struct runner *runner = lua_newuserdata(L, sizeof *runner);
    runner->http = NULL;
    luaL_getmetatable(L, RUNNER);
    lua_setmetatable(L, -2);
    runner->http = cr_http_new();
    if (runner->http == NULL) {
        lua_pushnil(L);
        lua_pushliteral(L, "libcurl gives no handle: it is out of memory or cannot start");
        return 2;
    }
    lua_pushcclosure(L, run, 1);
    return 1;
}

void lcr_open_job(lua_State *L)
{
    static const luaL_Reg job_methods[] = {
        {"is_done", job_is_done},   {"lend", job_lend},           {"prepare", job_prepare},
        {"response", job_response}, {"take_back", job_take_back}, {NULL, NULL},
    };
    static const luaL_Reg runner_methods[] = {{NULL, NULL}};
    static const luaL_Reg functions[] = {{"job", job_new}, {"runner", runner_new}, {NULL, NULL}};
    lcr_new_metatable(L, JOB, job_methods, job_gc);
    lcr_new_metatable(L, RUNNER, runner_methods, runner_gc);
    lcr_compat_set_functions(L, functions);
}
