/*
 * Requests for Lua: `cr.core.request()` makes one, which serves one call after another.
 *
 *     request:fill(operation number, parameters, defaults, method)  or  request:fill_any(…)
 *     request:query(), where only the question is wanted
 *     request:aim(origin, host, user agent)
 *     request:sign_v3(…) or request:sign_v1(…), once per attempt
 *     handle:send(request, settings, timeout), or request:table(settings, timeout) for a
 *     transport written in Lua
 *     request:clear()
 */
#include "request.h"

#include "parameters.h"

#define REQUEST "cr.core.request"

struct request {
    struct cr_request core;
    struct lcr_tools *tools; /* the state's; NULL until the first signature */
};

static struct request *check_request(lua_State *L)
{
    return lcr_check_self(L, REQUEST);
}

static void push_slice(lua_State *L, struct cr_slice slice)
{
    lua_pushlstring(L, slice.data, slice.length);
}

static int request_gc(lua_State *L)
{
    struct request *request = luaL_checkudata(L, 1, REQUEST);
    cr_request_clean_up(&request->core);
    return 0;
}

static int request_new(lua_State *L)
{
    struct request *request = lua_newuserdata(L, sizeof *request);
    request->tools = NULL;
    cr_request_init(&request->core);
    luaL_getmetatable(L, REQUEST);
    lua_setmetatable(L, -2);
    return 1;
}

/* clear(): forgets and wipes the call */
static int request_clear(lua_State *L)
{
    cr_request_clear(&check_request(L)->core);
    return 0;
}

/* fill(number, parameters, defaults or nil, method or nil)
 * → true  or nil, path, expected, got; expected is nil for an unknown parameter and got then lists
 *   the known names */
static int request_fill(lua_State *L)
{
    struct request *request = check_request(L);
    lua_Integer number = luaL_checkinteger(L, 2);
    luaL_argcheck(L, number >= 1 && number <= (lua_Integer)cr_operation_count, 2,
                  "no such operation");
    const struct cr_operation *operation = &cr_operations[number - 1];
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_settop(L, 5);
    struct cr_slice method =
        lua_isnil(L, 5) ? cr_slice_of(operation->method) : lcr_check_slice(L, 5);
    cr_request_begin(&request->core, method, cr_slice_of(operation->name));
    return lcr_flatten(L, operation, &request->core);
}

/* fill_any(action, parameters, method[, version]): for an operation that is not in the table, or of
 * an API with another version; any names, arrays and objects in repeat style → as fill */
static int request_fill_any(lua_State *L)
{
    struct request *request = check_request(L);
    struct cr_slice action = lcr_check_slice(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    struct cr_slice method = lcr_check_slice(L, 4), version = {NULL, 0};
    if (!lua_isnoneornil(L, 5)) {
        version = lcr_check_slice(L, 5);
        luaL_argcheck(L, version.length > 0, 5, "a version expected");
    }
    cr_request_begin(&request->core, method, action);
    if (version.length > 0) {
        cr_request_set_version(&request->core, version);
    }
    lua_settop(L, 3);
    return lcr_flatten_any(L, &request->core);
}

/* aim(origin, host, user agent) */
static int request_aim(lua_State *L)
{
    struct request *request = check_request(L);
    struct cr_slice origin = lcr_check_slice(L, 2), host = lcr_check_slice(L, 3);
    cr_request_aim(&request->core, origin, host);
    cr_request_set_user_agent(&request->core, lcr_check_slice(L, 4));
    return 0;
}

typedef enum cr_status sign_function(struct cr_request *request, const struct cr_attempt *attempt,
                                     struct cr_error *err);

/* `nonce` is the caller's, because `attempt` points to it. */
static enum cr_status sign_attempt(lua_State *L, struct request *request,
                                   struct cr_attempt *attempt, char nonce[CR_NONCE_TEXT],
                                   sign_function *function, struct cr_error *err)
{
    if (request->tools == NULL || request->tools->crypto.sha256 == NULL) {
        request->tools = lcr_get_tools(L, err); /* OpenSSL's start is paid by the first signature */
    }
    if (request->tools == NULL || cr_nonce_draw(&request->tools->nonces, nonce, err) != CR_OK) {
        return err->status;
    }
    request->core.signing.crypto = &request->tools->crypto;
    attempt->nonce.data = nonce;
    attempt->nonce.length = CR_NONCE_TEXT;
    return function(&request->core, attempt, err);
}

/* What a signature that failed is to the caller, as the code of an error: nothing is wrong with a
 * request for which there was no memory. */
static const char *failure_code(enum cr_status status)
{
    switch (status) {
    case CR_ENOMEM:
        return "OutOfMemory";
    case CR_ECRYPTO:
        return "CryptoFailed";
    default:
        return "InvalidRequest";
    }
}

/* sign(time, access key id, secret, token or nil, retry, pause in ms)
 * → true  or nil, reason, code */
static int sign(lua_State *L, sign_function *function)
{
    const lua_Number furthest = 1e15;
    struct request *request = check_request(L);
    struct cr_error err = {CR_OK, NULL};
    struct cr_attempt attempt = {0};
    char nonce[CR_NONCE_TEXT];
    lua_Number time = floor(luaL_checknumber(L, 2));
    luaL_argcheck(L, fabs(time) < furthest, 2, "a time in seconds since the epoch expected");
    attempt.time = (int64_t)time;
    attempt.access_key_id = lcr_check_slice(L, 3);
    attempt.access_key_secret = lcr_check_slice(L, 4);
    if (!lua_isnil(L, 5)) {
        attempt.security_token = lcr_check_slice(L, 5);
    }
    attempt.retry = (unsigned)luaL_checkinteger(L, 6);
    attempt.pause = (unsigned long)luaL_checknumber(L, 7);
    if (sign_attempt(L, request, &attempt, nonce, function, &err) != CR_OK) {
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        lua_pushstring(L, failure_code(err.status));
        return 3;
    }
    lua_pushboolean(L, 1);
    return 1;
}

static int request_sign_v3(lua_State *L)
{
    return sign(L, cr_request_sign_v3);
}

static int request_sign_v1(lua_State *L)
{
    return sign(L, cr_request_sign_v1);
}

/* query() → the parameters as they are sent, sorted and percent-encoded, or nil, reason, code */
static int request_query(lua_State *L)
{
    struct request *request = check_request(L);
    struct cr_error err = {CR_OK, NULL};
    struct cr_slice query = {NULL, 0};
    if (cr_request_query(&request->core, &query, &err) != CR_OK) {
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        lua_pushstring(L, failure_code(err.status));
        return 3;
    }
    push_slice(L, query);
    return 1;
}

/* string_to_sign() → the last signature's, for a comparison with the server's */
static int request_string_to_sign(lua_State *L)
{
    push_slice(L, cr_buffer_slice(&check_request(L)->core.signing.text));
    return 1;
}

/* canonical_request() → the last V3 signature's */
static int request_canonical_request(lua_State *L)
{
    push_slice(L, cr_buffer_slice(&check_request(L)->core.signing.canonical));
    return 1;
}

const struct cr_request *lcr_check_signed_request(lua_State *L, int index)
{
    struct request *request = luaL_checkudata(L, index, REQUEST);
    luaL_argcheck(L, request->core.url.length > 0, index, "the request is not signed");
    return &request->core;
}

static const char *const option_names[] = {
    "connect_timeout", "max_response_bytes", "ca_file", "ca_path", "proxy", NULL,
};

/* table(settings, timeout) → {method, url, headers, body, timeout, connect_timeout, …} */
static int request_table(lua_State *L)
{
    const struct cr_request *request = lcr_check_signed_request(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checknumber(L, 3);
    lua_settop(L, 3);
    lua_createtable(L, 0, 10);
    push_slice(L, cr_request_slice(request, request->method));
    lua_setfield(L, 4, "method");
    lua_pushlstring(L, request->url.data, request->url.length - 1);
    lua_setfield(L, 4, "url");
    lua_pushliteral(L, "");
    lua_setfield(L, 4, "body");
    lua_pushvalue(L, 3);
    lua_setfield(L, 4, "timeout");
    for (const char *const *name = option_names; *name != NULL; name++) {
        lua_getfield(L, 2, *name);
        lua_setfield(L, 4, *name);
    }
    lua_createtable(L, 0, (int)request->header_count);
    for (size_t i = 0; i < request->header_count; i++) {
        push_slice(L, request->headers[i].name);
        push_slice(L, request->headers[i].value);
        lua_rawset(L, -3);
    }
    lua_setfield(L, 4, "headers");
    return 1;
}

void lcr_open_request(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"aim", request_aim},
        {"canonical_request", request_canonical_request},
        {"clear", request_clear},
        {"fill", request_fill},
        {"fill_any", request_fill_any},
        {"query", request_query},
        {"sign_v1", request_sign_v1},
        {"sign_v3", request_sign_v3},
        {"string_to_sign", request_string_to_sign},
        {"table", request_table},
        {NULL, NULL},
    };
    lcr_new_metatable(L, REQUEST, methods, request_gc);
    lua_pushcfunction(L, request_new);
    lua_setfield(L, -2, "request");
}
