/*
 * What parameters.c (flat text) and parameters_json.c (JSON text) share: paths for messages, the
 * checks of values against declared types, and how a failure is handed back.
 *
 * A function that checks returns true, or false with three values pushed: the path, what was
 * expected (nil when the name is unknown) and what was got.
 */
#ifndef LCR_PARAMETERS_H
#define LCR_PARAMETERS_H

#include "lcr.h"

#include "../core/operations.h"
#include "../core/request.h"
#include "../core/text.h"

#pragma GCC visibility push(hidden)

enum {
    LCR_MAX_DEPTH = 32,
    LCR_MAX_PATH = 200,
    LCR_MAX_VALUES = 1024 /* of one call, of one array or object; below CR_MAX_QUERY_PAIRS */
};

/* "Tag.2.Key": the name of a value in messages and, in repeat style, on the wire. */
struct lcr_path {
    size_t length;
    unsigned depth; /* names in it */
    bool is_cut;
    char text[LCR_MAX_PATH];
};

struct lcr_path lcr_path_child(const struct lcr_path *parent, struct cr_slice name);
struct lcr_path lcr_path_item(const struct lcr_path *parent, size_t index);

/* All return false. [-0, +3] */
bool lcr_reject(lua_State *L, const struct lcr_path *path, const char *expected, int index);
bool lcr_reject_text(lua_State *L, const struct lcr_path *path, const char *expected,
                     const char *got);
bool lcr_reject_unknown(lua_State *L, const struct lcr_path *path, const struct cr_schema *schemas,
                        size_t count);

/* "an integer from …": what a value of this type must be. */
const char *lcr_expectation(enum cr_type type);

/* Not nested too deep (also: not in itself), and room on the stack for one level?
 * [-0, +0 or +3] */
bool lcr_check_depth(lua_State *L, const struct lcr_path *path);

/* Valid UTF-8? [-0, +0 or +3] */
bool lcr_check_text(lua_State *L, const struct lcr_path *path, struct cr_slice text);

/* A table with the keys 1 to n and no others? [-0, +0 or +3] */
bool lcr_check_array(lua_State *L, const struct lcr_path *path, int table, size_t *length);

/* A table with string keys only, declared ones where the schema declares them?
 * [-0, +0 or +3 and more] */
bool lcr_check_object(lua_State *L, const struct cr_schema *schema, const struct lcr_path *path,
                      int table, size_t *length);

/* Where no type is declared: a table with a first item is an array. */
bool lcr_is_array(lua_State *L, int table);

/* Text form of a value that is no table. [-0, +1 or +3] */
bool lcr_push_scalar(lua_State *L, const struct cr_schema *schema, const struct lcr_path *path,
                     int value);

/* JSON text of the value. [-0, +1 or +3 and more] */
bool lcr_push_json(lua_State *L, const struct cr_schema *schema, const struct lcr_path *path,
                   int value);

/* Adds the parameters of the table at index 3, and of the one at 4 or nil those that are not given,
 * to the request. Pushes and returns what request:fill returns: true, or nil, path, expected, got.
 */
int lcr_flatten(lua_State *L, const struct cr_operation *operation, struct cr_request *request);

/* The same for an operation without declared parameters: the table at index 3. */
int lcr_flatten_any(lua_State *L, struct cr_request *request);

/* The schema of values without a declared type. */
extern const struct cr_schema lcr_any;

#pragma GCC visibility pop

#endif
