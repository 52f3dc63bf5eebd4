/*
 * A libcurl handle for Lua: `cr.core.http()` makes one, its methods `exchange` and `send` are the
 * blocking heart of the curl transport.
 */
#include "request.h"

#include "../core/http.h"
#include "../core/text.h"

#define HTTP "cr.core.http"

enum { MAX_BODY = 1024 * 1024 * 1024 };

struct http {
    struct cr_http *handle; /* NULL once closed */
    bool busy;              /* its answer is being pushed; a finalizer may call meanwhile */
};

static int http_gc(lua_State *L)
{
    struct http *http = luaL_checkudata(L, 1, HTTP);
    cr_http_free(http->handle);
    http->handle = NULL;
    return 0;
}

/* close(): drops the connections; idempotent */
static int http_close(lua_State *L)
{
    struct http *http = luaL_checkudata(L, 1, HTTP);
    luaL_argcheck(L, !http->busy, 1, "the handle is in use");
    return http_gc(L);
}

/* http() → handle, or nil, reason */
static int http_new(lua_State *L)
{
    struct http *http = lua_newuserdata(L, sizeof *http);
    http->handle = NULL;
    http->busy = false;
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

static int push_response(lua_State *L, const struct cr_http_response *response)
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

static int push_failure(lua_State *L, const struct cr_http_failure *failure)
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

/* The handle at 1, ready for an exchange. */
static struct http *check_handle(lua_State *L)
{
    struct http *http = lcr_check_self(L, HTTP);
    luaL_argcheck(L, http->handle != NULL, 1, "the handle is closed");
    luaL_argcheck(L, !http->busy, 1, "the handle is in use");
    return http;
}

static int exchange(lua_State *L, struct http *http, const struct cr_http_request *request)
{
    struct cr_http_response response = {0};
    struct cr_http_failure failure = {0};
    if (cr_http_exchange(http->handle, request, &response, &failure) != CR_OK) {
        return push_failure(L, &failure);
    }
    http->busy = true;
    int pushed = push_response(L, &response);
    cr_http_forget(http->handle);
    http->busy = false;
    return pushed;
}

/* exchange(request table) → response  or nil, {code=, message=, sent=} */
static int http_exchange(lua_State *L)
{
    struct http *http = check_handle(L);
    struct cr_pair headers[CR_MAX_REQUEST_HEADERS];
    struct cr_http_request request = {0};
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    request.method = text_field(L, 2, "method");
    request.url = text_field(L, 2, "url");
    luaL_argcheck(L, request.method != NULL && request.url != NULL, 2,
                  "fields method and url expected");
    lua_getfield(L, 2, "body");
    if (!lua_isnil(L, -1)) {
        request.body = lcr_check_slice(L, -1);
    }
    request.timeout = number_field(L, 2, "timeout", 10);
    read_options(L, 2, &request);
    request.header_count = read_headers(L, headers);
    request.headers = headers;
    return exchange(L, http, &request);
}

/* send(signed request, settings, timeout) → as exchange, without a table in between */
static int http_send(lua_State *L)
{
    struct http *http = check_handle(L);
    const struct cr_request *built = lcr_check_signed_request(L, 2);
    struct cr_http_request request = {0};
    luaL_checktype(L, 3, LUA_TTABLE);
    request.timeout = luaL_checknumber(L, 4);
    lua_settop(L, 4);
    request.method = cr_request_slice(built, built->method).data;
    request.url = built->url.data;
    request.headers = built->headers;
    request.header_count = built->header_count;
    read_options(L, 3, &request);
    return exchange(L, http, &request);
}

void lcr_open_http(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"close", http_close},
        {"exchange", http_exchange},
        {"send", http_send},
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
