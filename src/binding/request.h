/*
 * Requests as other files of the binding see them.
 */
#ifndef LCR_REQUEST_H
#define LCR_REQUEST_H

#include "lcr.h"

#include "../core/request.h"

#pragma GCC visibility push(hidden)

/* The request at `index`, which must be one and signed; else raises. [-0, +0] */
const struct cr_request *lcr_check_signed_request(lua_State *L, int index);

#pragma GCC visibility pop

#endif
