/*
 * From a Lua table of parameters to the flat names and values that are signed and sent.
 *
 * Each value is held against the declared type of its parameter; the first that does not fit is
 * reported with its path ("Tag.2.Key"), what was expected and what was found. Reading is raw: no
 * metamethod runs, nothing of the caller's is written to. Arrays and objects travel in one of two
 * styles, see core/operations.h; JSON text is written by parameters_json.c.
 */
#include "parameters.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Appends to the path; one that does not fit any more is cut: it only stands in an error then,
 * because put refuses it as a key. */
static void path_append(struct lcr_path *path, const char *text, size_t length)
{
    size_t room = sizeof path->text - path->length;
    if (length > room) {
        path->is_cut = true;
        length = room;
    }
    memcpy(path->text + path->length, text, length);
    path->length += length;
}

struct lcr_path lcr_path_child(const struct lcr_path *parent, struct cr_slice name)
{
    struct lcr_path path = *parent;
    path.depth++;
    if (path.length > 0) {
        path_append(&path, ".", 1);
    }
    path_append(&path, name.data, name.length);
    return path;
}

struct lcr_path lcr_path_item(const struct lcr_path *parent, size_t index)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%zu", index);
    struct cr_slice name = {digits, length > 0 ? (size_t)length : 0};
    return lcr_path_child(parent, name);
}

static void push_path(lua_State *L, const struct lcr_path *path)
{
    lua_pushlstring(L, path->text, path->length);
}

bool lcr_reject(lua_State *L, const struct lcr_path *path, const char *expected, int index)
{
    lcr_push_description(L, index);
    push_path(L, path);
    lua_insert(L, -2);
    lua_pushstring(L, expected);
    lua_insert(L, -2);
    return false;
}

bool lcr_reject_text(lua_State *L, const struct lcr_path *path, const char *expected,
                     const char *got)
{
    push_path(L, path);
    lua_pushstring(L, expected);
    lua_pushstring(L, got);
    return false;
}

/* The names it could have been go where "got" stands, for a suggestion. */
bool lcr_reject_unknown(lua_State *L, const struct lcr_path *path, const struct cr_schema *schemas,
                        size_t count)
{
    push_path(L, path);
    lua_pushnil(L);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        lua_pushstring(L, schemas[i].name);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return false;
}

bool lcr_check_depth(lua_State *L, const struct lcr_path *path)
{
    if (path->depth > LCR_MAX_DEPTH) {
        return lcr_reject_text(L, path, "a value nested at most 32 deep", "a deeper one");
    }
    lcr_check_stack(L, 12, "parameters nested too deep");
    return true;
}

const char *lcr_expectation(enum cr_type type)
{
    static const char *const texts[] = {
        [CR_TYPE_STRING] = "a string",
        [CR_TYPE_BOOLEAN] = "a boolean",
        [CR_TYPE_INTEGER] = "an integer from -2147483648 to 2147483647",
#if LUA_VERSION_NUM >= 503
        [CR_TYPE_LONG] = "an integer from -2^63 to 2^63-1 (a float up to 2^53)",
#else
        [CR_TYPE_LONG] = "an integer from -2^53 to 2^53",
#endif
        [CR_TYPE_ARRAY] = "an array (a table with the keys 1 to n)",
        [CR_TYPE_OBJECT] = "an object (a table with string keys)",
        [CR_TYPE_MAP] = "an object (a table with string keys)",
        [CR_TYPE_ANY] = "a string, a number, a boolean or a table of these",
    };
    return texts[type];
}

bool lcr_check_text(lua_State *L, const struct lcr_path *path, struct cr_slice text)
{
    char got[80];
    size_t valid = cr_text_utf8_valid(text);
    if (valid == text.length) {
        return true;
    }
    snprintf(got, sizeof got, "a string that is not UTF-8 (byte %zu is 0x%02X)", valid + 1,
             (unsigned)(unsigned char)text.data[valid]);
    return lcr_reject_text(L, path, "a string in UTF-8", got);
}

/* Pushes the text form of a float that is no integer: the shortest that reads back the same. */
static void push_float(lua_State *L, double number)
{
    char text[40];
    for (int precision = 15; precision <= 17; precision++) {
        snprintf(text, sizeof text, "%.*g", precision, number);
        if (strtod(text, NULL) == number) {
            break;
        }
    }
    for (char *c = text; *c != '\0'; c++) { /* a locale may write another decimal point */
        if (strchr("0123456789+-e", *c) == NULL) {
            *c = '.';
        }
    }
    lua_pushstring(L, text);
}

static bool push_integer(lua_State *L, const struct cr_schema *schema, const struct lcr_path *path,
                         int value)
{
    int64_t integer = 0;
    char text[24];
    if (lua_type(L, value) != LUA_TNUMBER || !lcr_compat_to_integer(L, value, &integer) ||
        (schema->type == CR_TYPE_INTEGER && (integer < INT32_MIN || integer > INT32_MAX))) {
        return lcr_reject(L, path, lcr_expectation(schema->type), value);
    }
    int length = snprintf(text, sizeof text, "%lld", (long long)integer);
    lua_pushlstring(L, text, (size_t)length);
    return true;
}

static bool push_any_number(lua_State *L, const struct lcr_path *path, int value)
{
    static const struct cr_schema any_long = {"", CR_TYPE_LONG, CR_STYLE_JSON, false, false, NULL,
                                              0};
    int64_t integer = 0;
    double number = (double)lua_tonumber(L, value);
    if (lcr_compat_to_integer(L, value, &integer)) {
        return push_integer(L, &any_long, path, value);
    }
    if (number != number || number - number != 0) {
        return lcr_reject(L, path, "a finite number", value);
    }
    push_float(L, number);
    return true;
}

bool lcr_push_scalar(lua_State *L, const struct cr_schema *schema, const struct lcr_path *path,
                     int value)
{
    int type = lua_type(L, value);
    bool any = schema->type == CR_TYPE_ANY;
    if (type == LUA_TSTRING && (any || schema->type == CR_TYPE_STRING)) {
        if (!lcr_check_text(L, path, lcr_to_slice(L, value))) {
            return false;
        }
        lua_pushvalue(L, value);
        return true;
    }
    if (type == LUA_TBOOLEAN && (any || schema->type == CR_TYPE_BOOLEAN)) {
        lua_pushstring(L, lua_toboolean(L, value) ? "true" : "false");
        return true;
    }
    if (type == LUA_TNUMBER && any) {
        return push_any_number(L, path, value);
    }
    if (schema->type == CR_TYPE_INTEGER || schema->type == CR_TYPE_LONG) {
        return push_integer(L, schema, path, value);
    }
    return lcr_reject(L, path, lcr_expectation(schema->type), value);
}

/* The first index from 1 to `last` without a value. */
static size_t find_hole(lua_State *L, int table, lua_Number last)
{
    for (size_t i = 1; (lua_Number)i < last; i++) {
        lua_rawgeti(L, table, (int)i);
        bool is_hole = lua_isnil(L, -1);
        lua_pop(L, 1);
        if (is_hole) {
            return i;
        }
    }
    return 0;
}

bool lcr_check_array(lua_State *L, const struct lcr_path *path, int table, size_t *length)
{
    lua_Number largest = 0;
    size_t count = 0;
    if (!lua_istable(L, table)) {
        return lcr_reject(L, path, lcr_expectation(CR_TYPE_ARRAY), table);
    }
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        lua_pop(L, 1);
        lua_Number key = lua_type(L, -1) == LUA_TNUMBER ? lua_tonumber(L, -1) : 0;
        if (!(key >= 1) || floor(key) != key) {
            lua_pop(L, 1);
            return lcr_reject_text(L, path, lcr_expectation(CR_TYPE_ARRAY),
                                   "a table with other keys");
        }
        largest = key > largest ? key : largest;
        if (++count > LCR_MAX_VALUES) {
            lua_pop(L, 1);
            return lcr_reject_text(L, path, "an array of at most 1024 items", "more");
        }
    }
    if (largest > (lua_Number)count) {
        char got[80];
        struct lcr_path item = lcr_path_item(path, find_hole(L, table, largest));
        snprintf(got, sizeof got, "nothing (a hole: the last key is %.17g)", (double)largest);
        return lcr_reject_text(L, &item, "a value", got);
    }
    *length = count;
    return true;
}

bool lcr_check_object(lua_State *L, const struct cr_schema *schema, const struct lcr_path *path,
                      int table, size_t *length)
{
    *length = 0;
    if (!lua_istable(L, table)) {
        return lcr_reject(L, path, lcr_expectation(CR_TYPE_OBJECT), table);
    }
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        lua_pop(L, 1);
        if (lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 1);
            return lcr_reject_text(L, path, lcr_expectation(CR_TYPE_OBJECT),
                                   "a table with other keys");
        }
        struct cr_slice name = lcr_to_slice(L, -1);
        struct lcr_path field = lcr_path_child(path, name);
        if (!lcr_check_text(L, path, name)) {
            return false;
        }
        if (schema->type == CR_TYPE_OBJECT &&
            cr_schema_find(schema->children, schema->child_count, name) == NULL) {
            return lcr_reject_unknown(L, &field, schema->children, schema->child_count);
        }
        if (++*length > LCR_MAX_VALUES) {
            return lcr_reject_text(L, path, "an object of at most 1024 fields", "more");
        }
    }
    return true;
}

bool lcr_is_array(lua_State *L, int table)
{
    lua_rawgeti(L, table, 1);
    bool has_first = !lua_isnil(L, -1);
    lua_pop(L, 1);
    return has_first;
}

/* What the values of a call are flattened into. */
struct flatten {
    lua_State *L;
    struct cr_request *request;
    bool free; /* names are not declared, so that two values could meet under one */
};

static bool is_taken(const struct cr_request *request, struct cr_slice name)
{
    for (size_t i = 0; i < cr_request_parameter_count(request); i++) {
        struct cr_slice other = cr_request_parameter(request, i).name;
        if (other.length == name.length && memcmp(other.data, name.data, name.length) == 0) {
            return true;
        }
    }
    return false;
}

/* Adds the string on top under the path. [-1, +0], on failure [-1, +3] */
static bool put(struct flatten *f, const struct lcr_path *path)
{
    struct cr_slice name = {path->text, path->length};
    if (path->is_cut || cr_request_parameter_count(f->request) == LCR_MAX_VALUES) {
        lua_pop(f->L, 1);
        return lcr_reject_text(f->L, path, "at most 1024 values with short names", "more");
    }
    if (f->free && is_taken(f->request, name)) {
        lua_pop(f->L, 1);
        return lcr_reject_text(f->L, path, "given once", "a second value of that name");
    }
    cr_request_add(f->request, name, lcr_to_slice(f->L, -1));
    lua_pop(f->L, 1);
    return true;
}

static bool flatten_value(struct flatten *f, const struct cr_schema *schema,
                          const struct lcr_path *path, int value);

static bool flatten_array(struct flatten *f, const struct cr_schema *item,
                          const struct lcr_path *path, int table)
{
    size_t length = 0;
    if (!lcr_check_array(f->L, path, table, &length)) {
        return false;
    }
    for (size_t i = 1; i <= length; i++) {
        struct lcr_path child = lcr_path_item(path, i);
        lua_rawgeti(f->L, table, (int)i);
        if (!flatten_value(f, item, &child, lua_gettop(f->L))) {
            return false;
        }
        lua_pop(f->L, 1);
    }
    return true;
}

static bool flatten_object(struct flatten *f, const struct cr_schema *schema,
                           const struct lcr_path *path, int table)
{
    size_t length = 0;
    if (!lcr_check_object(f->L, schema, path, table, &length)) {
        return false;
    }
    lua_pushnil(f->L);
    while (lua_next(f->L, table) != 0) {
        struct cr_slice name = lcr_to_slice(f->L, -2);
        const struct cr_schema *field =
            schema->type == CR_TYPE_OBJECT
                ? cr_schema_find(schema->children, schema->child_count, name)
                : &lcr_any;
        if (field == NULL) { /* a finalizer has put it there since the check */
            struct lcr_path unknown = lcr_path_child(path, name);
            return lcr_reject_unknown(f->L, &unknown, schema->children, schema->child_count);
        }
        struct lcr_path child = lcr_path_child(path, name);
        if (!flatten_value(f, field, &child, lua_gettop(f->L))) {
            return false;
        }
        lua_pop(f->L, 1);
    }
    return true;
}

static bool flatten_value(struct flatten *f, const struct cr_schema *schema,
                          const struct lcr_path *path, int value)
{
    lua_State *L = f->L;
    if (!lcr_check_depth(L, path)) {
        return false;
    }
    bool is_table = lua_istable(L, value);
    if (schema->type < CR_TYPE_ARRAY || (schema->type == CR_TYPE_ANY && !is_table)) {
        return lcr_push_scalar(L, schema, path, value) && put(f, path);
    }
    if (schema->style == CR_STYLE_JSON) {
        return lcr_push_json(L, schema, path, value) && put(f, path);
    }
    if (schema->type == CR_TYPE_ARRAY) {
        return flatten_array(f, schema->children, path, value);
    }
    if (schema->type == CR_TYPE_ANY && lcr_is_array(L, value)) {
        return flatten_array(f, &lcr_any, path, value);
    }
    return flatten_object(f, schema, path, value);
}

/* The values of the table at `source`. With `is_default`, those of other operations are passed
 * over, and those that are given already too. */
static bool flatten_source(struct flatten *f, const struct cr_operation *operation, int source,
                           bool is_default, uint64_t *seen)
{
    static const struct lcr_path root = {0, 0, false, ""};
    lua_State *L = f->L;
    lua_pushnil(L);
    while (lua_next(L, source) != 0) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            return lcr_reject(L, &root, "a table with parameter names as keys", -2);
        }
        struct cr_slice name = lcr_to_slice(L, -2);
        struct lcr_path path = lcr_path_child(&root, name);
        const struct cr_schema *schema =
            cr_schema_find(operation->parameters, operation->parameter_count, name);
        if (schema == NULL && !is_default) {
            return lcr_reject_unknown(L, &path, operation->parameters, operation->parameter_count);
        }
        uint64_t bit = schema != NULL ? UINT64_C(1) << (schema - operation->parameters) : 0;
        if (schema != NULL && (*seen & bit) == 0) {
            size_t before = cr_request_parameter_count(f->request);
            if (!flatten_value(f, schema, &path, lua_gettop(L))) {
                return false;
            }
            /* what could not be kept shows in the signature */
            if (cr_request_parameter_count(f->request) == before && schema->required &&
                cr_request_holds_all(f->request)) {
                return lcr_reject_text(L, &path, "at least one item", "an empty table");
            }
            *seen |= bit;
        }
        lua_pop(L, 1);
    }
    return true;
}

static bool check_required(lua_State *L, const struct cr_operation *operation, uint64_t seen)
{
    for (size_t i = 0; i < operation->parameter_count; i++) {
        const struct cr_schema *schema = &operation->parameters[i];
        if (schema->required && (seen & UINT64_C(1) << i) == 0) {
            static const struct lcr_path root = {0, 0, false, ""};
            struct lcr_path path = lcr_path_child(&root, cr_slice_of(schema->name));
            return lcr_reject_text(L, &path, lcr_expectation(schema->type), "nothing");
        }
    }
    return true;
}

/* true, or nil and what lcr_reject pushed */
static int push_verdict(lua_State *L, bool ok)
{
    if (!ok) {
        lua_pushnil(L);
        lua_insert(L, -4);
        return 4;
    }
    lua_pushboolean(L, 1);
    return 1;
}

int lcr_flatten(lua_State *L, const struct cr_operation *operation, struct cr_request *request)
{
    struct flatten f = {L, request, false};
    uint64_t seen = 0;
    bool ok = flatten_source(&f, operation, 3, false, &seen) &&
              (lua_isnil(L, 4) || flatten_source(&f, operation, 4, true, &seen)) &&
              check_required(L, operation, seen);
    return push_verdict(L, ok);
}

int lcr_flatten_any(lua_State *L, struct cr_request *request)
{
    static const struct lcr_path root = {0, 0, false, ""};
    static const struct cr_schema map = {"", CR_TYPE_MAP, CR_STYLE_REPEAT, false, false, NULL, 0};
    struct flatten f = {L, request, true};
    return push_verdict(L, flatten_object(&f, &map, &root, 3));
}
