#include "operations.h"

#include <string.h>

static bool equals(const char *text, struct cr_slice slice)
{
    return strlen(text) == slice.length && memcmp(text, slice.data, slice.length) == 0;
}

/* Lists of at most a few hundred names, searched when a method is first used or a name is typed:
 * a walk is fast enough and needs no order. */
const struct cr_operation *cr_operation_find(struct cr_slice name)
{
    for (size_t i = 0; i < cr_operation_count; i++) {
        if (equals(cr_operations[i].name, name) || equals(cr_operations[i].lua_name, name)) {
            return &cr_operations[i];
        }
    }
    return NULL;
}

const struct cr_region *cr_region_find(struct cr_slice id)
{
    for (size_t i = 0; i < cr_region_count; i++) {
        if (equals(cr_regions[i].id, id)) {
            return &cr_regions[i];
        }
    }
    return NULL;
}

const struct cr_schema *cr_schema_find(const struct cr_schema *schemas, size_t count,
                                       struct cr_slice name)
{
    for (size_t i = 0; i < count; i++) {
        if (equals(schemas[i].name, name)) {
            return &schemas[i];
        }
    }
    return NULL;
}
