/*
 * Clock, sleep, nonce, and the little of the system that the command line needs.
 *
 * The core knows no clock: here the time is read that the transports hand down.
 */
#include "lcr.h"

#include "../core/http.h"
#include "../core/process.h"
#include "../core/text.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static int push_clock(lua_State *L, clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0) {
        return luaL_error(L, "the system has no clock: %s", strerror(errno));
    }
    lua_pushnumber(L, (lua_Number)now.tv_sec + (lua_Number)now.tv_nsec / 1e9);
    return 1;
}

/* time() → seconds since the epoch, with fraction */
static int system_time(lua_State *L)
{
    return push_clock(L, CLOCK_REALTIME);
}

/* monotonic() → seconds since some start, never going back */
static int system_monotonic(lua_State *L)
{
    return push_clock(L, CLOCK_MONOTONIC);
}

/* sleep(seconds): blocks the thread; signals do not shorten it */
static int system_sleep(lua_State *L)
{
    const lua_Number longest = 86400;
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= longest, 1, "0 to 86400 seconds expected");
    struct timespec left = {(time_t)seconds, (long)((seconds - (lua_Number)(time_t)seconds) * 1e9)};
    while (nanosleep(&left, &left) != 0 && errno == EINTR) {
        /* goes on with what is left */
    }
    return 0;
}

/* nonce() → 32 hex digits from the CSPRNG, or nil, reason */
static int system_nonce(lua_State *L)
{
    char nonce[CR_NONCE_TEXT];
    struct cr_error err = {CR_OK, NULL};
    struct lcr_tools *tools = lcr_get_tools(L, &err);
    if (tools == NULL || cr_nonce_draw(&tools->nonces, nonce, &err) != CR_OK) {
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        return 2;
    }
    lua_pushlstring(L, nonce, sizeof nonce);
    return 1;
}

/* iso8601(seconds) → "YYYY-MM-DDTHH:MM:SSZ", fractions cut off */
static int system_iso8601(lua_State *L)
{
    char text[CR_ISO8601_SIZE];
    lua_Number seconds = floor(luaL_checknumber(L, 1));
    bool fits = fabs(seconds) < 1e15;
    luaL_argcheck(L, fits && cr_text_iso8601(text, (int64_t)seconds), 1,
                  "a time in the years 0 to 9999 expected");
    lua_pushlstring(L, text, CR_ISO8601_SIZE - 1);
    return 1;
}

/* parse_date("Tue, 05 Nov 2019 03:45:25 GMT") → seconds since the epoch, or nil */
static int system_parse_date(lua_State *L)
{
    long long seconds = cr_http_parse_date(luaL_checkstring(L, 1));
    if (seconds < 0) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)seconds);
    return 1;
}

/* parse_iso8601("YYYY-MM-DDTHH:MM:SSZ") → seconds since the epoch, or nil; a fraction is dropped */
static int system_parse_iso8601(lua_State *L)
{
    int64_t seconds = 0;
    if (!cr_text_parse_iso8601(lcr_check_slice(L, 1), &seconds)) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)seconds);
    return 1;
}

/* sha256(text) → 64 hex digits, or nil, reason */
static int system_sha256(lua_State *L)
{
    struct cr_slice text = lcr_check_slice(L, 1);
    unsigned char digest[CR_SHA256_SIZE];
    char hex[2 * CR_SHA256_SIZE];
    struct cr_error err = {CR_OK, NULL};
    struct lcr_tools *tools = lcr_get_tools(L, &err);
    if (tools == NULL || cr_crypto_sha256(&tools->crypto, text, digest, &err) != CR_OK) {
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        return 2;
    }
    cr_text_hex(hex, digest, sizeof digest);
    lua_pushlstring(L, hex, sizeof hex);
    return 1;
}

/* utf8_error(text) → offset (from 1) of the first byte that is not valid UTF-8, or nil */
static int system_utf8_error(lua_State *L)
{
    struct cr_slice text = lcr_check_slice(L, 1);
    size_t valid = cr_text_utf8_valid(text);
    if (valid == text.length) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)valid + 1);
    return 1;
}

int lcr_push_arguments(lua_State *L, int index, char *arguments[])
{
    lcr_check_stack(L, LCR_MAX_ARGUMENTS + LUA_MINSTACK, "too many arguments");
    for (int count = 0;; count++) {
        lua_rawgeti(L, index, count + 1);
        if (lua_isnil(L, -1)) {
            lua_pop(L, 1);
            arguments[count] = NULL;
            return count;
        }
        luaL_argcheck(L, count < LCR_MAX_ARGUMENTS, index, "more than 256 arguments");
        luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, index, "strings expected");
        struct cr_slice argument = lcr_to_slice(L, -1);
        luaL_argcheck(L, strlen(argument.data) == argument.length, index,
                      "strings without NUL bytes expected");
        /* exec takes char *const[] for history's sake and writes to none of them */
        arguments[count] = (char *)argument.data;
    }
}

/* exec(path, {argument, …}): becomes that program; returns nil, reason when it cannot */
static int system_exec(lua_State *L)
{
    char *arguments[1 + LCR_MAX_ARGUMENTS + 1] = {NULL};
    const char *path = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    arguments[0] = (char *)path;
    lcr_push_arguments(L, 2, arguments + 1);
    cr_process_exec(path, arguments);
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", path, strerror(errno));
    return 2;
}

/* free_port() → a TCP port of 127.0.0.1 that nobody used a moment ago, or nil, reason */
static int system_free_port(lua_State *L)
{
    int port = 0;
    struct cr_error err;
    if (cr_process_free_port(&port, &err) != CR_OK) {
        lua_pushnil(L);
        lua_pushstring(L, err.text);
        return 2;
    }
    lua_pushinteger(L, port);
    return 1;
}

void lcr_open_system(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"exec", system_exec},
        {"free_port", system_free_port},
        {"iso8601", system_iso8601},
        {"monotonic", system_monotonic},
        {"nonce", system_nonce},
        {"parse_date", system_parse_date},
        {"parse_iso8601", system_parse_iso8601},
        {"sha256", system_sha256},
        {"sleep", system_sleep},
        {"time", system_time},
        {"utf8_error", system_utf8_error},
        {NULL, NULL},
    };
    lcr_compat_set_functions(L, functions);
}
