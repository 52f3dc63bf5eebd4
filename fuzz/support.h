/*
 * What the fuzz targets share: cutting an input into fields, properties that must hold, and a Lua
 * state in which the modules of the library run and are seen by the fuzzer.
 *
 * A target is one file: a function of the input that does something with it and requires what must
 * be true of any input. Where the property is easier to say in Lua, fuzz/<target>.lua says it.
 */
#ifndef FUZZ_SUPPORT_H
#define FUZZ_SUPPORT_H

#include "../src/core/buffer.h"
#include "../src/core/crypto.h"
#include "../src/core/slice.h"

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Between the fields of an input: a byte that no UTF-8 text has, so that seeds stay readable. */
enum { FUZZ_SEPARATOR = 0xFE };

/* What libFuzzer calls. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A property. One that does not hold ends the process, and libFuzzer keeps the input. */
#define FUZZ_REQUIRE(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fuzz_fail(__FILE__, __LINE__, #condition);                                             \
        }                                                                                          \
    } while (0)

_Noreturn void fuzz_fail(const char *file, int line, const char *what);

struct cr_slice fuzz_input(const uint8_t *data, size_t size);

/* Takes the text up to the next separator, or the rest, off the input. */
struct cr_slice fuzz_field(struct cr_slice *input);

/* Takes a byte off the input, 0 at its end. */
uint8_t fuzz_byte(struct cr_slice *input);

bool fuzz_is_equal(struct cr_slice a, struct cr_slice b);

/* Written without a look at the library's own encoder. Requires that the text is well-formed. */
void fuzz_percent_decode(struct cr_buffer *out, struct cr_slice text);

/* Made once, for all signatures of the process. */
struct cr_crypto *fuzz_crypto(void);

/* A Lua state, made once, with the modules of src/ and what fuzz/<name>.lua returns, a function, at
 * index 1. Programs cannot be started from it. */
lua_State *fuzz_lua(const char *name);

/* Calls the function at index 1 with what has been pushed. An error that it raises is a property
 * that does not hold. */
void fuzz_call_lua(lua_State *L);

/* From now on the allocation with this number (from 1) gets no memory, Lua's and the library's
 * counted together; 0: none fails. Returns whether the one that was asked for before has failed. */
bool fuzz_fail_allocation(unsigned number);

void fuzz_push(lua_State *L, struct cr_slice text);

#endif
