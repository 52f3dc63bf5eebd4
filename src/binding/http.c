/*
 * A libcurl handle for Lua: `cr.core.http()` makes one.
 *
 *     handle:exchange(request table)                        blocks
 *     handle:send(signed request, settings, timeout)        the same for a request of the core
 *     handle:start(…), handle:start_signed(…)               the same, without waiting
 *     handle:next(seconds), handle:wait(exchange), handle:cancel(exchange)
 *
 * An exchange that was started is a light userdata: something to find in a table again, and to give
 * back to `wait` or `cancel`. Whether it is one of this handle's is looked up there.
 */
#include "http.h"
#include "request.h"

#include "../core/text.h"

#define HTTP "cr.core.http"

enum { MAX_BODY = 1024 * 1024 * 1024 };

struct http {
    struct cr_http *handle; /* NULL once freed */
    bool is_closed;
    int pushing; /* answers that are being pushed; a finalizer may call meanwhile */
};

static int http_gc(lua_State *L)
{
    struct http *http = luaL_checkudata(L, 1, HTTP);
    cr_http_free(http->handle);
    http->handle = NULL;
    http->is_closed = true;
    return 0;
}

/* close(): ends what runs, drops the connections; idempotent. While an answer is pushed the
 * collector does it later. */
static int http_close(lua_State *L)
{
    struct http *http = luaL_checkudata(L, 1, HTTP);
    http->is_closed = true;
    return http->pushing > 0 ? 0 : http_gc(L);
}

/* http() → handle, or nil, reason */
static int http_new(lua_State *L)
{
    struct http *http = lua_newuserdata(L, sizeof *http);
    http->handle = NULL;
    http->is_closed = false;
    http->pushing = 0;
    luaL_getmetatable(L, HTTP);
    lua_setmetatable(L, -2);
    http->handle = cr_http_new();
    if (http->handle == NULL) {
        lua_pushnil(L);
        lua_pushliteral(L, "libcurl gives no handle: it is out of memory or cannot start");
        return 2;
    }
    return 1;
}

/* Field of the table at `index`: the value stays on the stack. NULL when absent. [-0, +1] */
static const char *text_field(lua_State *L, int index, const char *name)
{
    lua_getfield(L, index, name);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING) {
        luaL_error(L, "exchange: field %s must be a string, got a %s", name, luaL_typename(L, -1));
    }
    size_t length = 0;
    const char *text = lua_tolstring(L, -1, &length);
    if (text != NULL && strlen(text) != length) {
        luaL_error(L, "exchange: field %s must not hold a NUL byte", name);
    }
    return text;
}

static double number_field(lua_State *L, int index, const char *name, double fallback)
{
    lua_getfield(L, index, name);
    double value = fallback;
    if (!lua_isnil(L, -1)) {
        if (lua_type(L, -1) != LUA_TNUMBER || !(lua_tonumber(L, -1) > 0)) {
            luaL_error(L, "exchange: field %s must be a positive number", name);
        }
        value = lua_tonumber(L, -1);
    }
    lua_pop(L, 1);
    return value;
}

static size_t read_headers(lua_State *L, struct cr_pair *headers)
{
    size_t count = 0;
    lua_getfield(L, 2, "headers");
    if (lua_isnil(L, -1)) {
        return 0;
    }
    luaL_checktype(L, -1, LUA_TTABLE);
    lua_pushnil(L);
    while (lua_next(L, -2) != 0) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING ||
            count == CR_MAX_REQUEST_HEADERS) {
            luaL_error(L, "exchange: field headers must be a table of at most %d strings",
                       (int)CR_MAX_REQUEST_HEADERS);
        }
        headers[count].name = lcr_to_slice(L, -2);
        headers[count++].value = lcr_to_slice(L, -1);
        lua_pop(L, 1);
    }
    return count;
}

static void set_number(lua_State *L, const char *name, double value)
{
    lua_pushnumber(L, value);
    lua_setfield(L, -2, name);
}

/* headers(block) → table of values by name in lower case; those of a repeated name are joined with
 * ", " */
static int http_headers(lua_State *L)
{
    struct cr_pair header;
    struct cr_slice block = lcr_check_slice(L, 1);
    lua_settop(L, 1);
    lua_newtable(L);
    while (cr_http_next_header(&block, &header)) {
        char name[128];
        if (header.name.length > sizeof name) {
            continue; /* no header anyone knows */
        }
        for (size_t i = 0; i < header.name.length; i++) {
            name[i] = (char)cr_text_lower(header.name.data[i]);
        }
        lua_pushlstring(L, name, header.name.length);
        lua_pushvalue(L, -1);
        lua_rawget(L, 2);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            lua_pushlstring(L, header.value.data, header.value.length);
        } else {
            lua_pushliteral(L, ", ");
            lua_pushlstring(L, header.value.data, header.value.length);
            lua_concat(L, 3);
        }
        lua_rawset(L, 2);
    }
    return 1;
}

/* The table that becomes the info of the call: room for the three fields the client adds. */
static void push_info(lua_State *L, const struct cr_http_response *response)
{
    lua_createtable(L, 0, 9);
    lua_pushboolean(L, response->connection_reused);
    lua_setfield(L, -2, "connection_reused");
    set_number(L, "dns", response->dns);
    set_number(L, "connect", response->connect);
    set_number(L, "tls", response->tls);
    set_number(L, "first_byte", response->first_byte);
    set_number(L, "total", response->total);
}

int lcr_push_response(lua_State *L, const struct cr_http_response *response)
{
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, response->status);
    lua_setfield(L, -2, "status");
    lua_pushlstring(L, response->headers.data, response->headers.length);
    lua_setfield(L, -2, "header_block");
    lua_pushlstring(L, response->body.data, response->body.length);
    lua_setfield(L, -2, "body");
    push_info(L, response);
    lua_setfield(L, -2, "info");
    return 1;
}

int lcr_push_failure(lua_State *L, const struct cr_http_failure *failure)
{
    lua_pushnil(L);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, failure->code);
    lua_setfield(L, -2, "code");
    lua_pushstring(L, failure->text);
    lua_setfield(L, -2, "message");
    lua_pushboolean(L, failure->sent);
    lua_setfield(L, -2, "sent");
    return 2;
}

/* The options of the table at `index`; their strings stay on the stack. [-0, +3] */
static void read_options(lua_State *L, int index, struct cr_http_request *request)
{
    double maximum = number_field(L, index, "max_response_bytes", 16 * 1024 * 1024);
    request->max_body = maximum < (double)MAX_BODY ? (size_t)maximum : (size_t)MAX_BODY;
    request->connect_timeout = number_field(L, index, "connect_timeout", 5);
    request->ca_file = text_field(L, index, "ca_file");
    request->ca_path = text_field(L, index, "ca_path");
    request->proxy = text_field(L, index, "proxy");
}

static struct http *check_handle(lua_State *L)
{
    struct http *http = lcr_check_self(L, HTTP);
    luaL_argcheck(L, http->handle != NULL && !http->is_closed, 1, "the handle is closed");
    return http;
}

/* Pushes how the exchange ended and gives it back. An error that pushing raises (there is no
 * memory) leaves it with the handle. */
static int push_result(lua_State *L, struct http *http, struct cr_transfer *transfer)
{
    struct cr_http_response response = {0};
    struct cr_http_failure failure = {0};
    http->pushing++;
    int pushed = cr_http_result(transfer, &response, &failure) == CR_OK
                     ? lcr_push_response(L, &response)
                     : lcr_push_failure(L, &failure);
    http->pushing--;
    cr_http_release(http->handle, transfer);
    return pushed;
}

/* What is done with a request that has been read: blocking, or not. */
typedef int proceed(lua_State *L, struct http *http, const struct cr_http_request *request);

static int exchange(lua_State *L, struct http *http, const struct cr_http_request *request)
{
    struct cr_http_failure failure = {0};
    struct cr_transfer *transfer = cr_http_start(http->handle, request, &failure);
    if (transfer == NULL) {
        return lcr_push_failure(L, &failure);
    }
    cr_http_wait(http->handle, transfer);
    return push_result(L, http, transfer);
}

static int start(lua_State *L, struct http *http, const struct cr_http_request *request)
{
    struct cr_http_failure failure = {0};
    struct cr_transfer *transfer = cr_http_start(http->handle, request, &failure);
    if (transfer == NULL) {
        return lcr_push_failure(L, &failure);
    }
    lua_pushlightuserdata(L, transfer);
    return 1;
}

void lcr_read_request(lua_State *L, struct cr_pair *headers, struct cr_http_request *request)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    request->method = text_field(L, 2, "method");
    request->url = text_field(L, 2, "url");
    luaL_argcheck(L, request->method != NULL && request->url != NULL, 2,
                  "fields method and url expected");
    lua_getfield(L, 2, "body");
    if (!lua_isnil(L, -1)) {
        request->body = lcr_check_slice(L, -1);
    }
    request->timeout = number_field(L, 2, "timeout", 10);
    read_options(L, 2, request);
    request->header_count = read_headers(L, headers);
    request->headers = headers;
}

void lcr_read_signed_request(lua_State *L, struct cr_http_request *request)
{
    const struct cr_request *built = lcr_check_signed_request(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    request->timeout = luaL_checknumber(L, 4);
    lua_settop(L, 4);
    request->method = cr_request_slice(built, built->method).data;
    request->url = built->url.data;
    request->headers = built->headers;
    request->header_count = built->header_count;
    read_options(L, 3, request);
}

static int with_table(lua_State *L, proceed *then)
{
    struct http *http = check_handle(L);
    struct cr_pair headers[CR_MAX_REQUEST_HEADERS];
    struct cr_http_request request = {0};
    lcr_read_request(L, headers, &request);
    return then(L, http, &request);
}

static int with_signed_request(lua_State *L, proceed *then)
{
    struct http *http = check_handle(L);
    struct cr_http_request request = {0};
    lcr_read_signed_request(L, &request);
    return then(L, http, &request);
}

/* exchange(request table) → response  or nil, {code=, message=, sent=} */
static int http_exchange(lua_State *L)
{
    return with_table(L, exchange);
}

/* send(signed request, settings, timeout) → as exchange, without a table in between */
static int http_send(lua_State *L)
{
    return with_signed_request(L, exchange);
}

/* start(request table) → exchange  or nil, {code=, message=, sent=} */
static int http_start(lua_State *L)
{
    return with_table(L, start);
}

/* start_signed(signed request, settings, timeout) → as start */
static int http_start_signed(lua_State *L)
{
    return with_signed_request(L, start);
}

/* next(seconds) → exchange, response  or exchange, nil, failure  or nothing: none has ended in that
 * time, or none runs */
static int http_next(lua_State *L)
{
    struct http *http = check_handle(L);
    lua_Number seconds = luaL_checknumber(L, 2);
    lua_settop(L, 2);
    struct cr_transfer *transfer = cr_http_next(http->handle, seconds);
    if (transfer == NULL) {
        return 0;
    }
    lua_pushlightuserdata(L, transfer);
    return 1 + push_result(L, http, transfer);
}

static struct cr_transfer *check_transfer(lua_State *L, struct http *http)
{
    luaL_checktype(L, 2, LUA_TLIGHTUSERDATA);
    struct cr_transfer *transfer = lua_touserdata(L, 2);
    luaL_argcheck(L, cr_http_has(http->handle, transfer), 2, "no exchange of this handle");
    return transfer;
}

/* wait(exchange) → response  or nil, failure; blocks until this one has ended */
static int http_wait(lua_State *L)
{
    struct http *http = check_handle(L);
    struct cr_transfer *transfer = check_transfer(L, http);
    lua_settop(L, 2);
    cr_http_wait(http->handle, transfer);
    return push_result(L, http, transfer);
}

/* cancel(exchange): ends it; it is not told any more */
static int http_cancel(lua_State *L)
{
    struct http *http = check_handle(L);
    cr_http_release(http->handle, check_transfer(L, http));
    return 0;
}

void lcr_open_http(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"cancel", http_cancel},
        {"close", http_close},
        {"exchange", http_exchange},
        {"next", http_next},
        {"send", http_send},
        {"start", http_start},
        {"start_signed", http_start_signed},
        {"wait", http_wait},
        {NULL, NULL},
    };
    lcr_new_metatable(L, HTTP, methods, http_gc);
    lua_pushcfunction(L, http_new);
    lua_setfield(L, -2, "http");
    lua_pushcfunction(L, http_headers);
    lua_setfield(L, -2, "headers");
    lua_pushstring(L, cr_http_library_version());
    lua_setfield(L, -2, "libcurl_version");
}
