/* connectors/memory/memory_segment.c — segments, their pool, and the layout of a stored record.
 * Design: segments come in seven sizes, so that an idle partition costs 16 KiB and a busy one makes
 * few large allocations; free ones wait in a bounded pool, since mapping and clearing fresh pages
 * costs more than copying the records into them. A record above the largest size gets a segment of
 * its own, which the pool does not keep. */
#include "base/assert.h"
#include "base/memory.h"
#include "connectors/memory/memory_internal.h"

static size_t class_bytes(uint32_t class_index)
{
    return (size_t)MR_MEMORY_SEGMENT_BYTES_MIN << class_index;
}

static uint32_t class_for(uint32_t class_index, size_t size)
{
    while (class_index < MR_MEMORY_SEGMENT_CLASSES && class_bytes(class_index) < size)
        class_index++;
    return class_index;
}

struct mr_memory_segment *mr_memory_segment_take(struct mr_memory_log *log, uint32_t class_index,
                                                 size_t size)
{
    struct mr_memory_segment *segment = NULL;
    uint32_t index = class_for(class_index, size);
    size_t capacity = size;
    if (index < MR_MEMORY_SEGMENT_CLASSES) {
        capacity = class_bytes(index);
        pthread_mutex_lock(&log->pool_lock);
        segment = log->pool[index];
        if (segment != NULL) {
            log->pool[index] = segment->next;
            log->pool_bytes -= capacity;
        }
        pthread_mutex_unlock(&log->pool_lock);
    }
    if (segment == NULL)
        segment = mr_memory_resize(NULL, sizeof(*segment) + capacity);
    memset(segment, 0, sizeof(*segment));
    atomic_init(&segment->references, 1u);
    segment->capacity = capacity;
    segment->timestamp_ms_max = INT64_MIN;
    return segment;
}

void mr_memory_segment_retain(struct mr_memory_segment *segment)
{
    atomic_fetch_add_explicit(&segment->references, 1u, memory_order_relaxed);
}

void mr_memory_segment_release(struct mr_memory_log *log, struct mr_memory_segment *segment)
{
    unsigned before = atomic_fetch_sub_explicit(&segment->references, 1u, memory_order_acq_rel);
    MR_ASSERT(before > 0);
    if (before != 1)
        return;
    uint32_t index = class_for(0, segment->capacity);
    if (index < MR_MEMORY_SEGMENT_CLASSES && class_bytes(index) == segment->capacity) {
        bool kept = false;
        pthread_mutex_lock(&log->pool_lock);
        if (log->pool_bytes + segment->capacity <= MR_MEMORY_POOL_BYTES_MAX) {
            segment->next = log->pool[index];
            log->pool[index] = segment;
            log->pool_bytes += segment->capacity;
            kept = true;
        }
        pthread_mutex_unlock(&log->pool_lock);
        if (kept)
            return;
    }
    mr_memory_free(segment);
}

void mr_memory_pool_destroy(struct mr_memory_log *log)
{
    for (uint32_t index = 0; index < MR_MEMORY_SEGMENT_CLASSES; index++) {
        while (log->pool[index] != NULL) {
            struct mr_memory_segment *segment = log->pool[index];
            log->pool[index] = segment->next;
            mr_memory_free(segment);
        }
    }
}

/* ---- Records ---- */

static size_t headers_size(const struct mr_headers *headers)
{
    if (headers == NULL || headers->count == 0)
        return 0;
    size_t size = sizeof(uint32_t);
    for (uint32_t i = 0; i < headers->count; i++) {
        size += 2 * sizeof(uint32_t) + strlen(headers->items[i].name);
        size += headers->items[i].value.size;
    }
    return size;
}

static size_t round_up(size_t size)
{
    return (size + 7u) & ~(size_t)7u;
}

static size_t stored_size(size_t key_size, bool value_null, size_t value_size, size_t headers)
{
    size_t value = value_null ? sizeof(int64_t) : value_size;
    return round_up(sizeof(struct mr_memory_record) + key_size + value + headers);
}

size_t mr_memory_record_size(const struct mr_log_record *record)
{
    return stored_size(record->key_null ? 0 : record->key.size, record->value_null,
                       record->value.size, headers_size(record->headers));
}

static uint8_t *put(uint8_t *to, const void *data, size_t size)
{
    if (size > 0)
        memcpy(to, data, size);
    return to + size;
}

static uint8_t *put_headers(uint8_t *to, const struct mr_headers *headers)
{
    to = put(to, &headers->count, sizeof(headers->count));
    for (uint32_t i = 0; i < headers->count; i++) {
        const struct mr_header *header = &headers->items[i];
        uint32_t name_size = (uint32_t)strlen(header->name);
        uint32_t value_size = (uint32_t)header->value.size;
        to = put(to, &name_size, sizeof(name_size));
        to = put(to, &value_size, sizeof(value_size));
        to = put(to, header->name, name_size);
        to = put(to, header->value.data, value_size);
    }
    return to;
}

void mr_memory_record_append(struct mr_memory_segment *segment, const struct mr_log_record *record,
                             size_t size, int64_t now_wall_ms)
{
    MR_ASSERT(segment->bytes_used + size <= segment->capacity);
    uint8_t *to = segment->bytes + segment->bytes_used;
    struct mr_memory_record *stored = (struct mr_memory_record *)(void *)to;
    stored->timestamp_ms = record->timestamp_ms == -1 ? now_wall_ms : record->timestamp_ms;
    stored->offset_delta = segment->records_count;
    stored->key_size = record->key_null ? MR_MEMORY_NULL_SIZE : (uint32_t)record->key.size;
    stored->value_size = record->value_null ? MR_MEMORY_NULL_SIZE : (uint32_t)record->value.size;
    stored->headers_size = (uint32_t)headers_size(record->headers);
    to += sizeof(*stored);
    if (!record->key_null)
        to = put(to, record->key.data, record->key.size);
    if (record->value_null)
        to = put(to, &now_wall_ms, sizeof(now_wall_ms));
    else
        to = put(to, record->value.data, record->value.size);
    if (stored->headers_size > 0)
        put_headers(to, record->headers);
    segment->bytes_used += size;
    segment->records_count++;
    if (stored->timestamp_ms > segment->timestamp_ms_max)
        segment->timestamp_ms_max = stored->timestamp_ms;
}

void mr_memory_record_copy(struct mr_memory_segment *segment, const struct mr_memory_record *record,
                           int64_t offset)
{
    size_t size = mr_memory_stored_size(record);
    MR_ASSERT(segment->bytes_used + size <= segment->capacity);
    MR_ASSERT(offset - segment->base_offset <= (int64_t)UINT32_MAX);
    uint8_t *to = segment->bytes + segment->bytes_used;
    memcpy(to, record, size);
    struct mr_memory_record *stored = (struct mr_memory_record *)(void *)to;
    stored->offset_delta = (uint32_t)(offset - segment->base_offset);
    segment->bytes_used += size;
    segment->records_count++;
    segment->end_offset = offset + 1;
    if (stored->timestamp_ms > segment->timestamp_ms_max)
        segment->timestamp_ms_max = stored->timestamp_ms;
}

static size_t stored_key_size(const struct mr_memory_record *record)
{
    return record->key_size == MR_MEMORY_NULL_SIZE ? 0 : record->key_size;
}

size_t mr_memory_stored_size(const struct mr_memory_record *record)
{
    return stored_size(stored_key_size(record), record->value_size == MR_MEMORY_NULL_SIZE,
                       record->value_size, record->headers_size);
}

static const uint8_t *stored_bytes(const struct mr_memory_record *record)
{
    return (const uint8_t *)(record + 1);
}

struct mr_slice mr_memory_stored_key(const struct mr_memory_record *record)
{
    return mr_slice_from(stored_bytes(record), stored_key_size(record));
}

struct mr_slice mr_memory_stored_value(const struct mr_memory_record *record)
{
    size_t size = record->value_size == MR_MEMORY_NULL_SIZE ? 0 : record->value_size;
    return mr_slice_from(stored_bytes(record) + stored_key_size(record), size);
}

int64_t mr_memory_tombstone_sent_ms(const struct mr_memory_record *record)
{
    int64_t sent_ms = 0;
    memcpy(&sent_ms, mr_memory_stored_value(record).data, sizeof(sent_ms));
    return sent_ms;
}

static uint32_t get_size(const uint8_t **from)
{
    uint32_t size = 0;
    memcpy(&size, *from, sizeof(size));
    *from += sizeof(size);
    return size;
}

struct mr_headers mr_memory_stored_headers(const struct mr_memory_record *record,
                                           struct mr_arena *arena)
{
    struct mr_headers headers = {0};
    if (record->headers_size == 0)
        return headers;
    const uint8_t *from = mr_memory_stored_value(record).data;
    from += record->value_size == MR_MEMORY_NULL_SIZE ? sizeof(int64_t) : record->value_size;
    headers.count = get_size(&from);
    struct mr_header *items = mr_arena_new(arena, headers.count, sizeof(*items));
    for (uint32_t i = 0; i < headers.count; i++) {
        uint32_t name_size = get_size(&from);
        uint32_t value_size = get_size(&from);
        items[i].name = mr_arena_copy_bytes_text(arena, from, name_size);
        items[i].value = mr_arena_copy(arena, mr_slice_from(from + name_size, value_size));
        from += (size_t)name_size + value_size;
    }
    headers.items = items;
    return headers;
}
