/* base/buffer.h — growable bytes with a ceiling given at birth.
 * Limits: growth beyond size_max is MR_LIMIT; the content stays as it was. */
#ifndef MR_BASE_BUFFER_H
#define MR_BASE_BUFFER_H

#include "base/error.h"
#include "base/slice.h"

struct mr_buffer {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t size_max;
};

void mr_buffer_init(struct mr_buffer *buffer, size_t size_max);
void mr_buffer_deinit(struct mr_buffer *buffer);
static inline void mr_buffer_clear(struct mr_buffer *buffer)
{
    buffer->size = 0;
}
/* Make room for size more bytes behind the content. MR_LIMIT when that exceeds size_max. */
enum mr_status mr_buffer_reserve(struct mr_buffer *buffer, size_t size) MR_NODISCARD;
enum mr_status mr_buffer_append(struct mr_buffer *buffer, const void *data,
                                size_t size) MR_NODISCARD;
enum mr_status mr_buffer_append_text(struct mr_buffer *buffer, const char *text) MR_NODISCARD;
enum mr_status mr_buffer_append_format(struct mr_buffer *buffer, const char *format, ...)
    MR_PRINTF(2, 3) MR_NODISCARD;
static inline struct mr_slice mr_buffer_view(const struct mr_buffer *buffer)
{
    return mr_slice_from(buffer->data, buffer->size);
}

#endif
