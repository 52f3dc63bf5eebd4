/*
 * The pure function behind cr.sign, which returns every stage of a signature, and what a Lua state
 * computes digests with. The client signs its requests through request.c.
 */
#include "lcr.h"

#include "../core/sign.h"

#define SIGNER "cr.core.signer"

#define TOOLS "cr.core.tools"

/* Work space kept between signatures, the first upvalue of `sign`. */
struct signer {
    struct cr_signing signing;
    bool in_use;
    struct cr_sign_request request;
    struct cr_pair query[CR_MAX_QUERY_PAIRS];
    struct cr_pair headers[CR_MAX_HEADER_PAIRS];
};

static int signer_gc(lua_State *L)
{
    struct signer *signer = luaL_checkudata(L, 1, SIGNER);
    cr_signing_clean_up(&signer->signing);
    return 0;
}

static int tools_gc(lua_State *L)
{
    struct lcr_tools *tools = luaL_checkudata(L, 1, TOOLS);
    cr_crypto_clean_up(&tools->crypto);
    cr_nonce_clean_up(&tools->nonces);
    return 0;
}

struct lcr_tools *lcr_get_tools(lua_State *L, struct cr_error *err)
{
    lua_getfield(L, LUA_REGISTRYINDEX, TOOLS "*");
    struct lcr_tools *tools = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (tools == NULL) {
        tools = lua_newuserdata(L, sizeof *tools);
        memset(tools, 0, sizeof *tools);
        luaL_getmetatable(L, TOOLS);
        lua_setmetatable(L, -2);
        lua_setfield(L, LUA_REGISTRYINDEX, TOOLS "*");
    }
    /* Anew when a finalizer of the host still signs while the state is being closed. */
    if (tools->crypto.sha256 == NULL && cr_crypto_init(&tools->crypto, err) != CR_OK) {
        return NULL;
    }
    return tools;
}

static struct signer *new_signer(lua_State *L)
{
    struct signer *signer = lua_newuserdata(L, sizeof *signer);
    cr_signing_init(&signer->signing, NULL);
    signer->in_use = false;
    luaL_getmetatable(L, SIGNER);
    lua_setmetatable(L, -2);
    return signer;
}

/* Pushes a signer and marks it as in use until give_back. The kept one is in use when a finalizer
 * signs while results of another signature are being pushed, or for ever after such a push ran out
 * of memory: then a new one takes its place. [-0, +1] */
static struct signer *borrow_signer(lua_State *L)
{
    struct signer *signer = lua_touserdata(L, lua_upvalueindex(1));
    if (signer == NULL || signer->in_use) {
        signer = new_signer(L);
        lua_pushvalue(L, -1);
        lua_replace(L, lua_upvalueindex(1));
    } else {
        lua_pushvalue(L, lua_upvalueindex(1));
    }
    signer->in_use = true;
    memset(&signer->request, 0, sizeof signer->request);
    signer->request.query = signer->query;
    signer->request.headers = signer->headers;
    signer->request.path = cr_slice_of("/");
    return signer;
}

static void give_back(struct signer *signer)
{
    cr_signing_wipe(&signer->signing);
    signer->in_use = false;
}

/* Reads a table of strings into `pairs`. Returns NULL, or what is wrong with it. The slices live
 * as long as the table. [-0, +0] */
static const char *read_pairs(lua_State *L, int table, struct cr_pair *pairs, size_t maximum,
                              size_t *count)
{
    *count = 0;
    if (lua_isnoneornil(L, table)) {
        return NULL;
    }
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 2);
            return "must have string keys and string values only";
        }
        if (*count == maximum) {
            lua_pop(L, 2);
            return "has more entries than one request can carry";
        }
        pairs[*count].name = lcr_to_slice(L, -2);
        pairs[*count].value = lcr_to_slice(L, -1);
        (*count)++;
        lua_pop(L, 1);
    }
    return NULL;
}

static void push_buffer(lua_State *L, const struct cr_buffer *buffer)
{
    struct cr_slice slice = cr_buffer_slice(buffer);
    lua_pushlstring(L, slice.data, slice.length);
}

/* Field `name` of the table at 1: its value stays on the stack, so that the slice does too. */
static struct cr_slice string_field(lua_State *L, const char *name, const char *fallback)
{
    lua_getfield(L, 1, name);
    if (lua_isnil(L, -1) && fallback != NULL) {
        return cr_slice_of(fallback);
    }
    if (lua_type(L, -1) != LUA_TSTRING) {
        /* the type alone: the value may be a secret */
        luaL_error(L, "sign: field %s must be a string, got %s%s", name,
                   lua_isnil(L, -1) ? "" : "a ",
                   lua_isnil(L, -1) ? "nothing" : luaL_typename(L, -1));
    }
    return lcr_to_slice(L, -1);
}

/* Field `name` of the table at 1, a table or nil. Returns its stack index. */
static int table_field(lua_State *L, const char *name)
{
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1) && !lua_istable(L, -1)) {
        luaL_error(L, "sign: field %s must be a table of strings, got a %s", name,
                   luaL_typename(L, -1));
    }
    return lua_gettop(L);
}

static void set_buffer(lua_State *L, const char *name, const struct cr_buffer *buffer)
{
    push_buffer(L, buffer);
    lua_setfield(L, -2, name);
}

static int push_stages(lua_State *L, struct signer *signer, bool v3)
{
    struct cr_signing *signing = &signer->signing;
    lua_createtable(L, 0, 5);
    set_buffer(L, "signature", &signing->signature);
    set_buffer(L, "string_to_sign", &signing->text);
    if (v3) {
        set_buffer(L, "authorization", &signing->authorization);
        set_buffer(L, "canonical_request", &signing->canonical);
        set_buffer(L, "signed_headers", &signing->names);
    }
    give_back(signer);
    return 1;
}

/* sign{algorithm=, method=, path=, query=, headers=, body=, access_key_id=, access_key_secret=}
 * → table of stages. Wrong fields raise. */
static int sign_sign(lua_State *L)
{
    struct cr_error err = {CR_OK, NULL};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct cr_slice algorithm = string_field(L, "algorithm", "ACS3-HMAC-SHA256");
    bool v3 = strcmp(algorithm.data, "ACS3-HMAC-SHA256") == 0;
    if (!v3 && strcmp(algorithm.data, "HMAC-SHA1") != 0) {
        return luaL_error(L, "sign: field algorithm must be ACS3-HMAC-SHA256 or HMAC-SHA1, got %s",
                          algorithm.data);
    }
    struct cr_slice method = string_field(L, "method", NULL);
    struct cr_slice path = string_field(L, "path", "/");
    struct cr_slice body = string_field(L, "body", "");
    struct cr_slice id = string_field(L, "access_key_id", v3 ? NULL : "");
    struct cr_slice secret = string_field(L, "access_key_secret", NULL);
    int query = table_field(L, "query"), headers = table_field(L, "headers");
    struct lcr_tools *tools =
        lcr_get_tools(L, &err); /* before any slice is taken: it may allocate */
    if (tools == NULL) {
        return luaL_error(L, "sign: %s", err.text);
    }
    struct signer *signer = borrow_signer(L);
    signer->signing.crypto = &tools->crypto;
    struct cr_sign_request *request = &signer->request;
    request->method = method;
    request->path = path;
    request->body = body;
    request->access_key_id = id;
    request->access_key_secret = secret;
    const char *where = "field query", *problem = NULL;
    problem = read_pairs(L, query, signer->query, CR_MAX_QUERY_PAIRS, &request->query_count);
    if (problem == NULL) {
        where = "field headers";
        problem =
            read_pairs(L, headers, signer->headers, CR_MAX_HEADER_PAIRS, &request->header_count);
    }
    if (problem == NULL) {
        where = "";
        enum cr_status status = v3 ? cr_sign_v3(&signer->signing, request, &err)
                                   : cr_sign_v1(&signer->signing, request, &err);
        problem = status != CR_OK ? err.text : NULL;
    }
    if (problem != NULL) {
        give_back(signer);
        return luaL_error(L, "sign: %s%s%s", where, *where != '\0' ? " " : "", problem);
    }
    return push_stages(L, signer, v3);
}

void lcr_open_sign(lua_State *L)
{
    static const luaL_Reg none[] = {{NULL, NULL}};
    lcr_new_metatable(L, SIGNER, none, signer_gc);
    lcr_new_metatable(L, TOOLS, none, tools_gc);
    lua_pushnil(L); /* the signer is made at the first signature: loading costs nothing */
    lua_pushcclosure(L, sign_sign, 1);
    lua_setfield(L, -2, "sign");
}
