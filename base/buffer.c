/* base/buffer.c — growable bytes with a ceiling.
 * Design: capacity doubles up to size_max. One byte more than the capacity is always taken, so that
 * vsnprintf may write its NUL without asking for room that the ceiling refuses. */
#include "base/buffer.h"

#include "base/assert.h"
#include "base/memory.h"

#include <stdarg.h>
#include <stdio.h>

enum { CAPACITY_FIRST = 64 };

void mr_buffer_init(struct mr_buffer *buffer, size_t size_max)
{
    MR_ASSERT(size_max < SIZE_MAX);
    *buffer = (struct mr_buffer){.size_max = size_max};
}

void mr_buffer_deinit(struct mr_buffer *buffer)
{
    mr_memory_free(buffer->data);
    *buffer = (struct mr_buffer){0};
}

enum mr_status mr_buffer_reserve(struct mr_buffer *buffer, size_t size)
{
    if (size > buffer->size_max - buffer->size)
        return MR_LIMIT;
    size_t needed = buffer->size + size;
    if (needed <= buffer->capacity && buffer->data != NULL)
        return MR_OK;
    size_t capacity = buffer->capacity < CAPACITY_FIRST ? CAPACITY_FIRST : buffer->capacity;
    while (capacity < needed)
        capacity = capacity > buffer->size_max / 2 ? buffer->size_max : capacity * 2;
    if (capacity > buffer->size_max)
        capacity = buffer->size_max;
    buffer->data = mr_memory_resize(buffer->data, capacity + 1);
    buffer->capacity = capacity;
    return MR_OK;
}

enum mr_status mr_buffer_append(struct mr_buffer *buffer, const void *data, size_t size)
{
    enum mr_status status = mr_buffer_reserve(buffer, size);
    if (status != MR_OK)
        return status;
    if (size > 0)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
    return MR_OK;
}

enum mr_status mr_buffer_append_text(struct mr_buffer *buffer, const char *text)
{
    return mr_buffer_append(buffer, text, strlen(text));
}

enum mr_status mr_buffer_append_format(struct mr_buffer *buffer, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    MR_ASSERT(length >= 0);
    enum mr_status status = mr_buffer_reserve(buffer, (size_t)length);
    if (status != MR_OK)
        return status;
    va_start(arguments, format);
    vsnprintf((char *)buffer->data + buffer->size, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->size += (size_t)length;
    return MR_OK;
}
