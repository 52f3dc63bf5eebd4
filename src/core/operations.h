/*
 * The operations of the API and the regions it is offered in, as constant data.
 *
 * The tables are generated from api/cr-2018-12-01.json (see api/generate.lua) and live in the
 * read-only segment: nothing is parsed when the library is loaded, and every Lua state of a
 * process shares them.
 */
#ifndef CR_CORE_OPERATIONS_H
#define CR_CORE_OPERATIONS_H

#include "slice.h"

#include <stdbool.h>
#include <stddef.h>

#pragma GCC visibility push(hidden)

enum cr_type {
    CR_TYPE_STRING,
    CR_TYPE_BOOLEAN,
    CR_TYPE_INTEGER, /* 32 bits */
    CR_TYPE_LONG,    /* 64 bits */
    CR_TYPE_ARRAY,
    CR_TYPE_OBJECT, /* declared fields */
    CR_TYPE_MAP,    /* any keys, values of any type */
    CR_TYPE_ANY
};

/* How an array or object travels in the query. */
enum cr_style {
    CR_STYLE_REPEAT, /* Name.1=…&Name.2.Key=… */
    CR_STYLE_JSON    /* Name=<one JSON text> */
};

/* Most parameters one operation may have: a bit set of the ones seen fits one word. */
enum { CR_MAX_PARAMETERS = 64 };

/* A parameter, a field of an object, or (name "") the item of an array. */
struct cr_schema {
    const char *name;
    enum cr_type type;
    enum cr_style style;
    bool required;
    bool deprecated;
    const struct cr_schema *children; /* fields of an object, the one item of an array */
    size_t child_count;
};

struct cr_paging {
    const char *page;  /* parameter with the page number, NULL when paged by token */
    const char *size;  /* parameter with the page size, or NULL */
    const char *total; /* answer field with the number of all items, or NULL */
    const char *token; /* parameter and answer field with the token, or NULL */
    const char *items; /* path of the items in the answer, '.' between names */
};

struct cr_operation {
    const char *name;                   /* "GetRepoTag" */
    const char *lua_name;               /* "get_repo_tag" */
    const char *method;                 /* "GET" or "POST" */
    const struct cr_schema *parameters; /* sorted by name */
    size_t parameter_count;
    const struct cr_paging *paging; /* NULL when not paged */
    const char *ram_action;         /* NULL when the vendor publishes none */
    const char *ram_resource;       /* NULL likewise */
};

struct cr_region {
    const char *id;
    bool has_vpc;
};

extern const char cr_api_version[];

/* Both sorted by name. */
extern const struct cr_operation cr_operations[];
extern const size_t cr_operation_count;
extern const struct cr_region cr_regions[];
extern const size_t cr_region_count;

/* The operation with this API name ("GetRepoTag") or Lua name ("get_repo_tag"), or NULL. */
const struct cr_operation *cr_operation_find(struct cr_slice name);

/* The listed region, or NULL. */
const struct cr_region *cr_region_find(struct cr_slice id);

/* The field or parameter with exactly this name, or NULL. */
const struct cr_schema *cr_schema_find(const struct cr_schema *schemas, size_t count,
                                       struct cr_slice name);

#pragma GCC visibility pop

#endif
