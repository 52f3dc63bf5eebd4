/*
 * Baseline of "nginx": a Lua module in C with one function, the least that a call through
 * ngx.run_worker_thread can be. Bare libcurl, one easy handle kept per Lua state of a thread,
 * everything constant set once, the body into a buffer that grows and is kept; it sends the request
 * that the client sends (call.c is the same without nginx). What it leaves out is what the ratio is
 * to show: signing, response headers, decoding, the line of calls that wait for a thread.
 *
 *     ngx.run_worker_thread("cr", "bare_get", "get", url, header, …) → true, status, body
 */
#include <curl/curl.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdlib.h>
#include <string.h>

struct get {
    CURL *easy;
    struct curl_slist *headers;
    char *data;
    size_t length, capacity;
};

int luaopen_bare_get(lua_State *L);

static size_t on_body(char *data, size_t size, size_t count, void *user)
{
    struct get *get = user;
    size_t length = size * count;
    if (length > get->capacity - get->length) {
        size_t capacity = (get->length + length) * 2;
        char *grown = realloc(get->data, capacity);
        if (grown == NULL) {
            return 0;
        }
        get->data = grown;
        get->capacity = capacity;
    }
    memcpy(get->data + get->length, data, length);
    get->length += length;
    return length;
}

/* Once per Lua state: everything that does not change, the headers at 2 and up included. */
static void set_up(lua_State *L, struct get *get)
{
    get->easy = curl_easy_init();
    if (get->easy == NULL) {
        luaL_error(L, "libcurl gives no handle");
    }
    for (int i = 2; i <= lua_gettop(L); i++) {
        get->headers = curl_slist_append(get->headers, luaL_checkstring(L, i));
    }
    curl_easy_setopt(get->easy, CURLOPT_HTTPHEADER, get->headers);
    curl_easy_setopt(get->easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(get->easy, CURLOPT_ACCEPT_ENCODING, "gzip");
    curl_easy_setopt(get->easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(get->easy, CURLOPT_TIMEOUT_MS, 10000L);
    curl_easy_setopt(get->easy, CURLOPT_CONNECTTIMEOUT_MS, 5000L);
    curl_easy_setopt(get->easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(get->easy, CURLOPT_WRITEDATA, get);
}

/* get(url, header, …) → status, body */
static int get(lua_State *L)
{
    struct get *state = lua_touserdata(L, lua_upvalueindex(1));
    long status = 0;
    if (state->easy == NULL) {
        set_up(L, state);
    }
    curl_easy_setopt(state->easy, CURLOPT_URL, luaL_checkstring(L, 1));
    state->length = 0;
    if (curl_easy_perform(state->easy) != CURLE_OK) {
        return luaL_error(L, "the exchange failed");
    }
    curl_easy_getinfo(state->easy, CURLINFO_RESPONSE_CODE, &status);
    lua_pushinteger(L, status);
    lua_pushlstring(L, state->data, state->length);
    return 2;
}

int luaopen_bare_get(lua_State *L)
{
    lua_newtable(L);
    struct get *state = lua_newuserdata(L, sizeof *state);
    memset(state, 0, sizeof *state);
    lua_pushcclosure(L, get, 1);
    lua_setfield(L, -2, "get");
    return 1;
}
