/*
 * Requests read from Lua and answers pushed to it, for every file that makes exchanges.
 */
#ifndef LCR_HTTP_H
#define LCR_HTTP_H

#include "lcr.h"

#include "../core/http.h"

#pragma GCC visibility push(hidden)

/* The request in the table at 2; `headers` is room for CR_MAX_REQUEST_HEADERS. Raises for fields
 * of a wrong type. What is read lives as long as it stays on the stack. */
void lcr_read_request(lua_State *L, struct cr_pair *headers, struct cr_http_request *request);

/* The same from a signed request at 2, the settings at 3 and the timeout at 4. */
void lcr_read_signed_request(lua_State *L, struct cr_http_request *request);

/* {status, header_block, body, info}; or nil, {code, message, sent}. [-0, +1 or +2] */
int lcr_push_response(lua_State *L, const struct cr_http_response *response);
int lcr_push_failure(lua_State *L, const struct cr_http_failure *failure);

#pragma GCC visibility pop

#endif
