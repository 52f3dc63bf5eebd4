/*
 * Any text as the file of a profile, through a client as a user has it, and any text as the answer
 * of the service that the profile asks: fuzz/profile.lua says what must hold. The files are memory
 * of this process.
 *
 * Fields of an input: file, body of the answer (empty: nobody answers).
 */
#define _GNU_SOURCE /* memfd_create */

#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* file(text) → path of a file that holds it, until the next call */
static int file(lua_State *L)
{
    static int descriptor = -1;
    size_t length = 0;
    const char *text = luaL_checklstring(L, 1, &length);
    char path[64];
    if (descriptor < 0) {
        descriptor = memfd_create("profile", MFD_CLOEXEC);
        FUZZ_REQUIRE(descriptor >= 0 && fchmod(descriptor, 0600) == 0);
    }
    FUZZ_REQUIRE(ftruncate(descriptor, 0) == 0);
    FUZZ_REQUIRE(pwrite(descriptor, text, length, 0) == (ssize_t)length);
    snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
    lua_pushstring(L, path);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A mode of profiles is a program; fuzz_lua takes the means to run one away, too. */
    setenv("ALIBABA_CLOUD_DISABLE_EXTERNAL_PROCESS", "true", 1);
    lua_State *L = fuzz_lua("profile");
    struct cr_slice input = fuzz_input(data, size);
    lua_pushcfunction(L, file);
    fuzz_push(L, fuzz_field(&input));
    fuzz_push(L, input);
    fuzz_call_lua(L);
    return 0;
}
