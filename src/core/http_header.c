#include "http.h"
#include "text.h"

#include <string.h>

bool cr_http_next_header(struct cr_slice *block, struct cr_pair *header)
{
    while (block->length > 0) {
        const char *start = block->data;
        const char *end = memchr(start, '\n', block->length);
        size_t taken = end != NULL ? (size_t)(end - start) + 1 : block->length;
        block->data += taken;
        block->length -= taken;
        size_t length = end != NULL ? taken - 1 : taken;
        if (length > 0 && start[length - 1] == '\r') {
            length--;
        }
        const char *colon = memchr(start, ':', length);
        bool is_folded = start[0] == ' ' || start[0] == '\t'; /* goes on with the line before */
        if (colon != NULL && !is_folded && memcmp(start, "HTTP/", length < 5 ? length : 5) != 0) {
            struct cr_slice name = {start, (size_t)(colon - start)};
            struct cr_slice value = {colon + 1, length - name.length - 1};
            header->name = cr_text_trim(name);
            header->value = cr_text_trim(value);
            return true;
        }
    }
    return false;
}
