/*
 * The constant tables of the core as Lua values: descriptors of operations, regions.
 */
#include "lcr.h"

#include "../core/operations.h"

static void set_text(lua_State *L, const char *name, const char *text)
{
    if (text != NULL) {
        lua_pushstring(L, text);
        lua_setfield(L, -2, name);
    }
}

static void set_flag(lua_State *L, const char *name, bool flag)
{
    lua_pushboolean(L, flag);
    lua_setfield(L, -2, name);
}

static const char *type_name(enum cr_type type)
{
    static const char *const names[] = {
        [CR_TYPE_STRING] = "string", [CR_TYPE_BOOLEAN] = "boolean", [CR_TYPE_INTEGER] = "integer",
        [CR_TYPE_LONG] = "long",     [CR_TYPE_ARRAY] = "array",     [CR_TYPE_OBJECT] = "object",
        [CR_TYPE_MAP] = "map",       [CR_TYPE_ANY] = "any",
    };
    return names[type];
}

/* {name=, type=, required=, deprecated=, style=, items=, fields=}. [-0, +1] */
static void push_schema(lua_State *L, const struct cr_schema *schema)
{
    lcr_check_stack(L, 6, "parameters nested too deep");
    lua_createtable(L, 0, 6);
    if (schema->name[0] != '\0') {
        set_text(L, "name", schema->name);
    }
    set_text(L, "type", type_name(schema->type));
    set_flag(L, "required", schema->required);
    set_flag(L, "deprecated", schema->deprecated);
    if (schema->type >= CR_TYPE_ARRAY) {
        set_text(L, "style", schema->style == CR_STYLE_JSON ? "json" : "repeat");
    }
    if (schema->type == CR_TYPE_ARRAY) {
        push_schema(L, schema->children);
        lua_setfield(L, -2, "items");
    } else if (schema->type == CR_TYPE_OBJECT) {
        lua_createtable(L, (int)schema->child_count, 0);
        for (size_t i = 0; i < schema->child_count; i++) {
            push_schema(L, &schema->children[i]);
            lua_rawseti(L, -2, (int)i + 1);
        }
        lua_setfield(L, -2, "fields");
    }
}

static void push_paging(lua_State *L, const struct cr_paging *paging)
{
    lua_createtable(L, 0, 6);
    set_text(L, "style", paging->token != NULL ? "next_token" : "page_number");
    set_text(L, "page", paging->page);
    set_text(L, "size", paging->size);
    set_text(L, "total", paging->total);
    set_text(L, "token", paging->token);
    set_text(L, "items", paging->items);
}

static const struct cr_operation *check_operation(lua_State *L, int index)
{
    lua_Integer number = luaL_checkinteger(L, index);
    luaL_argcheck(L, number >= 1 && number <= (lua_Integer)cr_operation_count, index,
                  "no such operation");
    return &cr_operations[number - 1];
}

/* find_operation(name) → its number, or nil */
static int operations_find(lua_State *L)
{
    const struct cr_operation *operation = cr_operation_find(lcr_check_slice(L, 1));
    if (operation == NULL) {
        return 0;
    }
    lua_pushinteger(L, (lua_Integer)(operation - cr_operations) + 1);
    return 1;
}

/* operation(number) → descriptor */
static int operations_describe(lua_State *L)
{
    const struct cr_operation *operation = check_operation(L, 1);
    lua_createtable(L, 0, 8);
    set_text(L, "name", operation->name);
    set_text(L, "lua_name", operation->lua_name);
    set_text(L, "method", operation->method);
    set_text(L, "ram_action", operation->ram_action);
    set_text(L, "ram_resource", operation->ram_resource);
    lua_createtable(L, (int)operation->parameter_count, 0);
    for (size_t i = 0; i < operation->parameter_count; i++) {
        push_schema(L, &operation->parameters[i]);
        lua_rawseti(L, -2, (int)i + 1);
    }
    lua_setfield(L, -2, "parameters");
    if (operation->paging != NULL) {
        push_paging(L, operation->paging);
        lua_setfield(L, -2, "paging");
    }
    return 1;
}

/* operation_names(number) → API name, Lua name, method */
static int operations_names(lua_State *L)
{
    const struct cr_operation *operation = check_operation(L, 1);
    lua_pushstring(L, operation->name);
    lua_pushstring(L, operation->lua_name);
    lua_pushstring(L, operation->method);
    return 3;
}

/* region_has_vpc(id) → boolean, or nil for a region that is not listed */
static int operations_region(lua_State *L)
{
    const struct cr_region *region = cr_region_find(lcr_check_slice(L, 1));
    if (region == NULL) {
        return 0;
    }
    lua_pushboolean(L, region->has_vpc);
    return 1;
}

/* region_ids() → array of the listed regions, sorted */
static int operations_region_ids(lua_State *L)
{
    lua_createtable(L, (int)cr_region_count, 0);
    for (size_t i = 0; i < cr_region_count; i++) {
        lua_pushstring(L, cr_regions[i].id);
        lua_rawseti(L, -2, (int)i + 1);
    }
    return 1;
}

void lcr_open_operations(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"find_operation", operations_find},   {"operation", operations_describe},
        {"operation_names", operations_names}, {"region_has_vpc", operations_region},
        {"region_ids", operations_region_ids}, {NULL, NULL},
    };
    lcr_compat_set_functions(L, functions);
    lua_pushinteger(L, (lua_Integer)cr_operation_count);
    lua_setfield(L, -2, "operation_count");
}
