/*
 * Borrowed text: a pointer and a length, no ownership, no terminator, any bytes.
 *
 * Slices are how strings come into the core. They stay valid for the call they are given to; no
 * core function keeps one.
 */
#ifndef CR_CORE_SLICE_H
#define CR_CORE_SLICE_H

#include <stddef.h>
#include <string.h>

#pragma GCC visibility push(hidden)

struct cr_slice {
    const char *data;
    size_t length;
};

/* A parameter of the query or a header. */
struct cr_pair {
    struct cr_slice name;
    struct cr_slice value;
};

/* A string literal, its length known to the compiler. */
#define CR_LITERAL(text) ((struct cr_slice){"" text, sizeof(text) - 1})

static inline struct cr_slice cr_slice_of(const char *text)
{
    struct cr_slice slice = {text, strlen(text)};
    return slice;
}

/* Negative, zero or positive, as strcmp. */
typedef int cr_pair_order(const struct cr_pair *a, const struct cr_pair *b);

/* Byte order of the names. */
int cr_pair_compare(const struct cr_pair *a, const struct cr_pair *b);

/* Sorts in place, without allocation. */
void cr_pairs_sort(struct cr_pair *pairs, size_t count, cr_pair_order *compare);

#pragma GCC visibility pop

#endif
