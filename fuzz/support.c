#include "support.h"

#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>

int luaopen_cr_core(lua_State *L);

_Noreturn void fuzz_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

struct cr_slice fuzz_input(const uint8_t *data, size_t size)
{
    struct cr_slice input = {(const char *)data, size};
    return input;
}

struct cr_slice fuzz_field(struct cr_slice *input)
{
    struct cr_slice field = *input;
    const char *end = input->length > 0 ? memchr(input->data, FUZZ_SEPARATOR, input->length) : NULL;
    if (end != NULL) {
        field.length = (size_t)(end - input->data);
    }
    size_t taken = field.length + (end != NULL ? 1 : 0);
    input->data += taken;
    input->length -= taken;
    return field;
}

uint8_t fuzz_byte(struct cr_slice *input)
{
    if (input->length == 0) {
        return 0;
    }
    input->length--;
    return (uint8_t)*input->data++;
}

bool fuzz_is_equal(struct cr_slice a, struct cr_slice b)
{
    return a.length == b.length && (a.length == 0 || memcmp(a.data, b.data, a.length) == 0);
}

static int hex_value(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

void fuzz_percent_decode(struct cr_buffer *out, struct cr_slice text)
{
    for (size_t i = 0; i < text.length; i++) {
        char c = text.data[i];
        if (c == '%') {
            FUZZ_REQUIRE(i + 2 < text.length);
            int high = hex_value(text.data[i + 1]), low = hex_value(text.data[i + 2]);
            FUZZ_REQUIRE(high >= 0 && low >= 0);
            c = (char)(high * 16 + low);
            i += 2;
        }
        cr_buffer_append_char(out, c);
    }
}

struct cr_crypto *fuzz_crypto(void)
{
    static struct cr_crypto crypto;
    struct cr_error err;
    if (crypto.sha256 == NULL) {
        FUZZ_REQUIRE(cr_crypto_init(&crypto, &err) == CR_OK);
    }
    return &crypto;
}

static unsigned until_failure; /* allocations; 0: none fails, or it has */
static bool has_failed;

static bool fails_now(void)
{
    bool fails = until_failure == 1;
    until_failure -= until_failure > 0 ? 1 : 0;
    has_failed = has_failed || fails;
    return fails;
}

bool fuzz_fail_allocation(unsigned number)
{
    bool had_failed = has_failed;
    until_failure = number;
    has_failed = false;
    return had_failed;
}

/* The linker puts it where the library calls malloc. */
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
    return fails_now() ? NULL : __real_malloc(size);
}

/* Lua frees and shrinks without ever being refused. */
static void *allocate(void *user, void *block, size_t old_size, size_t size)
{
    (void)user;
    if (size == 0) {
        free(block);
        return NULL;
    }
    bool grows = block == NULL || size > old_size;
    return grows && fails_now() ? NULL : realloc(block, size);
}

/* libFuzzer sees the edges of compiled code only. These counters are what it is told of Lua: one
 * per pair of lines that were run one after the other. */
enum { LINE_COUNTERS = 1 << 14 };
__attribute__((used, section("__libfuzzer_extra_counters"))) static uint8_t lines[LINE_COUNTERS];

static void on_line(lua_State *L, lua_Debug *call)
{
    static uint32_t previous;
    uint32_t line = (uint32_t)call->currentline;
    if (lua_getinfo(L, "S", call) != 0) {
        for (const char *c = call->source; *c != '\0'; c++) {
            line = line * 31 + (unsigned char)*c;
        }
    }
    lines[(line ^ previous) % LINE_COUNTERS]++;
    previous = line >> 1;
}

static int traceback(lua_State *L)
{
    luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

static _Noreturn void fail_in_lua(lua_State *L)
{
    fprintf(stderr, "%s\n", lua_tostring(L, -1));
    abort();
}

static lua_State *open_state(const char *name)
{
    static const char prepare[] = "package.path = 'src/?.lua;src/?/init.lua;' .. package.path\n"
                                  "local core = require 'cr.core'\n"
                                  "core.run, core.exec = nil, nil\n"
                                  "return assert(loadfile('fuzz/' .. ... .. '.lua'))()\n";
    lua_State *L = lua_newstate(allocate, NULL);
    FUZZ_REQUIRE(L != NULL);
    luaL_openlibs(L);
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    lua_pushcfunction(L, luaopen_cr_core);
    lua_setfield(L, -2, "cr.core");
    lua_settop(L, 0);
    lua_pushcfunction(L, traceback);
    FUZZ_REQUIRE(luaL_loadstring(L, prepare) == LUA_OK);
    lua_pushstring(L, name);
    if (lua_pcall(L, 1, 1, 1) != LUA_OK) {
        fail_in_lua(L);
    }
    FUZZ_REQUIRE(lua_isfunction(L, 2));
    lua_replace(L, 1);
    lua_sethook(L, on_line, LUA_MASKLINE, 0);
    return L;
}

lua_State *fuzz_lua(const char *name)
{
    static lua_State *state;
    if (state == NULL) {
        state = open_state(name);
    }
    lua_settop(state, 1);
    return state;
}

void fuzz_call_lua(lua_State *L)
{
    int count = lua_gettop(L) - 1;
    lua_pushvalue(L, 1);
    lua_insert(L, 2);
    lua_pushcfunction(L, traceback);
    lua_insert(L, 2);
    if (lua_pcall(L, count, 0, 2) != LUA_OK) {
        fail_in_lua(L);
    }
    lua_settop(L, 1);
}

void fuzz_push(lua_State *L, struct cr_slice text)
{
    lua_pushlstring(L, text.data, text.length);
}
