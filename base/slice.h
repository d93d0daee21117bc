/* base/slice.h — borrowed bytes, by value.
 * Owner: a slice never owns; whoever hands it out says how long it lives. data may be NULL only
 * when size is 0. */
#ifndef MR_BASE_SLICE_H
#define MR_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct mr_slice {
    const uint8_t *data;
    size_t size;
};

static inline struct mr_slice mr_slice_from(const void *data, size_t size)
{
    return (struct mr_slice){.data = data, .size = size};
}

static inline struct mr_slice mr_slice_text(const char *text)
{
    return (struct mr_slice){.data = (const uint8_t *)text, .size = strlen(text)};
}

static inline bool mr_slice_equal(struct mr_slice left, struct mr_slice right)
{
    return left.size == right.size &&
           (left.size == 0 || memcmp(left.data, right.data, left.size) == 0);
}

/* Order by bytes, shorter first when one is a prefix of the other: < 0, 0, > 0. */
static inline int mr_slice_compare(struct mr_slice left, struct mr_slice right)
{
    size_t common = left.size < right.size ? left.size : right.size;
    int order = common == 0 ? 0 : memcmp(left.data, right.data, common);
    if (order != 0)
        return order;
    return left.size < right.size ? -1 : left.size > right.size;
}

#endif
