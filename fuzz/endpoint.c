/*
 * Any text as an endpoint, as libcurl reads what becomes of it: fuzz/endpoint.lua says what must
 * hold.
 */
#include "support.h"

#include <curl/curl.h>

static void set_part(lua_State *L, CURLU *url, CURLUPart part, const char *name)
{
    char *text = NULL;
    if (curl_url_get(url, part, &text, 0) == CURLUE_OK) {
        lua_pushstring(L, text);
        lua_setfield(L, -2, name);
        curl_free(text);
    }
}

/* read_url(text) → {scheme=, user=, host=, port=, path=, query=}, or nil for what is no URL */
static int read_url(lua_State *L)
{
    const char *text = luaL_checkstring(L, 1);
    CURLU *url = curl_url();
    FUZZ_REQUIRE(url != NULL);
    if (curl_url_set(url, CURLUPART_URL, text, 0) != CURLUE_OK) {
        curl_url_cleanup(url);
        return 0;
    }
    lua_newtable(L);
    set_part(L, url, CURLUPART_SCHEME, "scheme");
    set_part(L, url, CURLUPART_USER, "user");
    set_part(L, url, CURLUPART_HOST, "host");
    set_part(L, url, CURLUPART_PORT, "port");
    set_part(L, url, CURLUPART_PATH, "path");
    set_part(L, url, CURLUPART_QUERY, "query");
    curl_url_cleanup(url);
    return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    lua_State *L = fuzz_lua("endpoint");
    lua_pushcfunction(L, read_url);
    fuzz_push(L, fuzz_input(data, size));
    fuzz_call_lua(L);
    return 0;
}
