#include "slice.h"

int cr_pair_compare(const struct cr_pair *a, const struct cr_pair *b)
{
    size_t common = a->name.length < b->name.length ? a->name.length : b->name.length;
    int order = common > 0 ? memcmp(a->name.data, b->name.data, common) : 0;
    if (order != 0) {
        return order;
    }
    return (a->name.length > b->name.length) - (a->name.length < b->name.length);
}

static void sift_down(struct cr_pair *pairs, size_t root, size_t count, cr_pair_order *compare)
{
    struct cr_pair moving = pairs[root];
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare(&pairs[child], &pairs[child + 1]) < 0) {
            child++;
        }
        if (compare(&moving, &pairs[child]) >= 0) {
            break;
        }
        pairs[root] = pairs[child];
    }
    pairs[root] = moving;
}

/* Insertion for the few pairs of a usual call, else a heap: no allocation and no bad case, which
 * qsort does not promise. */
void cr_pairs_sort(struct cr_pair *pairs, size_t count, cr_pair_order *compare)
{
    enum { FEW = 24 };
    if (count <= FEW) {
        for (size_t i = 1; i < count; i++) {
            struct cr_pair moving = pairs[i];
            size_t at = i;
            for (; at > 0 && compare(&moving, &pairs[at - 1]) < 0; at--) {
                pairs[at] = pairs[at - 1];
            }
            pairs[at] = moving;
        }
        return;
    }
    for (size_t root = count / 2; root-- > 0;) {
        sift_down(pairs, root, count, compare);
    }
    for (size_t last = count - 1; last > 0; last--) {
        struct cr_pair largest = pairs[0];
        pairs[0] = pairs[last];
        pairs[last] = largest;
        sift_down(pairs, 0, last, compare);
    }
}
