/*
 * The binding: each file makes one unit of the core callable from Lua, `require "cr.core"`.
 *
 * A binding function checks its arguments, calls the core, pushes results. `cr.core` is internal:
 * the modules under src/cr/ are its only callers, and what users see is theirs. Misuse raises;
 * what data or the world can cause returns nil and a reason.
 */
#ifndef LCR_H
#define LCR_H

#include "compat.h"

#include "../core/crypto.h"
#include "../core/nonce.h"
#include "../core/slice.h"

#include <lauxlib.h>
#include <lua.h>

#pragma GCC visibility push(hidden)

/* Each adds its functions to the table on top of the stack. [-0, +0] */
void lcr_open_child(lua_State *L);
void lcr_open_console(lua_State *L);
void lcr_open_file(lua_State *L);
void lcr_open_http(lua_State *L);
void lcr_open_job(lua_State *L);
void lcr_open_json(lua_State *L);
void lcr_open_nginx(lua_State *L);
void lcr_open_operations(lua_State *L);
void lcr_open_parameters(lua_State *L);
void lcr_open_request(lua_State *L);
void lcr_open_sign(lua_State *L);
void lcr_open_system(lua_State *L);

/* What a Lua state signs with: made at its first signature, freed with the state. */
struct lcr_tools {
    struct cr_crypto crypto;
    struct cr_nonce_pool nonces;
};

/* NULL with `err` filled when OpenSSL refuses. Raises when out of memory. [-0, +0] */
struct lcr_tools *lcr_get_tools(lua_State *L, struct cr_error *err);

/* The userdata at 1, for methods made by lcr_new_metatable: as luaL_checkudata, but the metatable
 * is the method's upvalue and need not be looked up by name. [-0, +0] */
void *lcr_check_self(lua_State *L, const char *name);

/* Makes a metatable with these methods, __index to itself, the collector hook `gc` (also as
 * __close) and leaves nothing on the stack. */
void lcr_new_metatable(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

/* Room for `count` more values, or raises. As luaL_checkstack, which calls a lack of memory a stack
 * overflow too. `why` is what may have asked for too much. [-0, +0] */
void lcr_check_stack(lua_State *L, int count, const char *why);

/* Describes the value at `index` for an error message, without showing what a string holds (it may
 * be a secret): "a string", "a number (1.5)", "nothing". [-0, +1] */
void lcr_push_description(lua_State *L, int index);

/* The string at `index`, which must be one (numbers are not converted). */
static inline struct cr_slice lcr_to_slice(lua_State *L, int index)
{
    struct cr_slice slice = {NULL, 0};
    slice.data = lua_tolstring(L, index, &slice.length);
    return slice;
}

/* As luaL_checklstring, but a number is no string. */
struct cr_slice lcr_check_slice(lua_State *L, int index);

enum { LCR_MAX_ARGUMENTS = 256 };

/* The arguments for a program from the array of strings at `index`: up to LCR_MAX_ARGUMENTS, with
 * NULL behind them. They live as long as they are on the stack. Returns their number.
 * [-0, +number] */
int lcr_push_arguments(lua_State *L, int index, char *arguments[]);

#pragma GCC visibility pop

#endif
