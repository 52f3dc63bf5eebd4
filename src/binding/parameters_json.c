/*
 * JSON text of a parameter, written by its declared type: an empty table is [] for an array and {}
 * for an object, integers stay integers. Fields are written in declared order, those of a free
 * map in byte order, so that the same table always gives the same text.
 */
#include "parameters.h"

#include "../core/sign.h"

#define BUFFER "cr.core.buffer"

const struct cr_schema lcr_any = {"", CR_TYPE_ANY, CR_STYLE_REPEAT, false, false, NULL, 0};

static int buffer_gc(lua_State *L)
{
    cr_buffer_clean_up(luaL_checkudata(L, 1, BUFFER));
    return 0;
}

static struct cr_buffer *push_buffer(lua_State *L)
{
    struct cr_buffer *buffer = lua_newuserdata(L, sizeof *buffer);
    cr_buffer_init(buffer, CR_MAX_QUERY_SIZE, false);
    luaL_getmetatable(L, BUFFER);
    lua_setmetatable(L, -2);
    return buffer;
}

/* Why the text is not whole. Without memory it raises what Lua raises without memory. */
static bool reject_text_so_far(lua_State *L, const struct lcr_path *path,
                               const struct cr_buffer *out)
{
    if (out->status == CR_ENOMEM) {
        luaL_error(L, "not enough memory");
    }
    return lcr_reject_text(L, path, "a value of at most 1 MiB as JSON", "a larger one");
}

static bool write_value(lua_State *L, struct cr_buffer *out, const struct cr_schema *schema,
                        const struct lcr_path *path, int value);

static bool write_scalar(lua_State *L, struct cr_buffer *out, const struct cr_schema *schema,
                         const struct lcr_path *path, int value)
{
    if (schema->type == CR_TYPE_ANY && lua_type(L, value) == LUA_TLIGHTUSERDATA &&
        lua_touserdata(L, value) == NULL) {
        cr_buffer_append_text(out, "null");
        return true;
    }
    if (!lcr_push_scalar(L, schema, path, value)) {
        return false;
    }
    if (lua_type(L, value) == LUA_TSTRING) {
        cr_text_json_string(out, lcr_to_slice(L, -1));
    } else {
        cr_buffer_append_slice(out, lcr_to_slice(L, -1));
    }
    lua_pop(L, 1);
    return true;
}

static bool write_array(lua_State *L, struct cr_buffer *out, const struct cr_schema *item,
                        const struct lcr_path *path, int table)
{
    size_t length = 0;
    if (!lcr_check_array(L, path, table, &length)) {
        return false;
    }
    cr_buffer_append_char(out, '[');
    for (size_t i = 1; i <= length; i++) {
        struct lcr_path child = lcr_path_item(path, i);
        if (i > 1) {
            cr_buffer_append_char(out, ',');
        }
        lua_rawgeti(L, table, (int)i);
        if (!write_value(L, out, item, &child, lua_gettop(L))) {
            return false;
        }
        lua_pop(L, 1);
    }
    cr_buffer_append_char(out, ']');
    return true;
}

/* The field whose name is on top of the stack. [-1, +0], on failure more */
static bool write_field(lua_State *L, struct cr_buffer *out, const struct cr_schema *schema,
                        const struct lcr_path *path, int table)
{
    struct cr_slice name = lcr_to_slice(L, -1);
    struct lcr_path child = lcr_path_child(path, name);
    lua_pushvalue(L, -1);
    lua_rawget(L, table);
    if (lua_isnil(L, -1)) {
        lua_pop(L, 2);
        return true;
    }
    struct cr_slice so_far = cr_buffer_slice(out);
    if (so_far.length > 0 && so_far.data[so_far.length - 1] != '{') {
        cr_buffer_append_char(out, ',');
    }
    cr_text_json_string(out, name);
    cr_buffer_append_char(out, ':');
    if (!write_value(L, out, schema, &child, lua_gettop(L))) {
        return false;
    }
    lua_pop(L, 2);
    return true;
}

/* The names of a free map in byte order, with their number. They are anchored in a table of their
 * own: making room for them may run a finalizer, which may change the map. [-0, +2] */
static struct cr_pair *push_sorted_names(lua_State *L, int table, size_t *count)
{
    size_t room = *count, found = 0;
    lua_createtable(L, (int)room, 0);
    int anchor = lua_gettop(L);
    struct cr_pair *names = lua_newuserdata(L, (room > 0 ? room : 1) * sizeof *names);
    lua_pushnil(L);
    while (lua_next(L, table) != 0) {
        lua_pop(L, 1);
        if (found == room || lua_type(L, -1) != LUA_TSTRING) {
            lua_pop(L, 1);
            break;
        }
        names[found].name = lcr_to_slice(L, -1);
        lua_pushvalue(L, -1);
        lua_rawseti(L, anchor, (int)++found);
    }
    *count = found;
    cr_pairs_sort(names, found, cr_pair_compare);
    return names;
}

static bool write_object(lua_State *L, struct cr_buffer *out, const struct cr_schema *schema,
                         const struct lcr_path *path, int table)
{
    size_t count = 0;
    if (!lcr_check_object(L, schema, path, table, &count)) {
        return false;
    }
    cr_buffer_append_char(out, '{');
    if (schema->type == CR_TYPE_OBJECT) {
        for (size_t i = 0; i < schema->child_count; i++) {
            lua_pushstring(L, schema->children[i].name);
            if (!write_field(L, out, &schema->children[i], path, table)) {
                return false;
            }
        }
    } else {
        const struct cr_pair *names = push_sorted_names(L, table, &count);
        for (size_t i = 0; i < count; i++) {
            lua_pushlstring(L, names[i].name.data, names[i].name.length);
            if (!write_field(L, out, &lcr_any, path, table)) {
                return false;
            }
        }
        lua_pop(L, 2);
    }
    cr_buffer_append_char(out, '}');
    return true;
}

static bool write_value(lua_State *L, struct cr_buffer *out, const struct cr_schema *schema,
                        const struct lcr_path *path, int value)
{
    if (!lcr_check_depth(L, path)) {
        return false;
    }
    if (out->status != CR_OK) {
        return reject_text_so_far(L, path, out);
    }
    switch (schema->type) {
    case CR_TYPE_ARRAY:
        return write_array(L, out, schema->children, path, value);
    case CR_TYPE_OBJECT:
    case CR_TYPE_MAP:
        return write_object(L, out, schema, path, value);
    case CR_TYPE_ANY:
        if (lua_istable(L, value)) {
            return lcr_is_array(L, value) ? write_array(L, out, &lcr_any, path, value)
                                          : write_object(L, out, &lcr_any, path, value);
        }
        return write_scalar(L, out, schema, path, value);
    default:
        return write_scalar(L, out, schema, path, value);
    }
}

bool lcr_push_json(lua_State *L, const struct cr_schema *schema, const struct lcr_path *path,
                   int value)
{
    struct cr_buffer *out = push_buffer(L);
    if (!write_value(L, out, schema, path, value)) {
        return false;
    }
    if (out->status != CR_OK) {
        return reject_text_so_far(L, path, out);
    }
    struct cr_slice text = cr_buffer_slice(out);
    lua_pushlstring(L, text.data, text.length);
    lua_replace(L, -2); /* the buffer */
    return true;
}

void lcr_open_parameters(lua_State *L)
{
    static const luaL_Reg none[] = {{NULL, NULL}};
    lcr_new_metatable(L, BUFFER, none, buffer_gc);
}
