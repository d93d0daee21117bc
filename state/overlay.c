/* state/overlay.c — a hash table of records over an arena.
 * Design: records are never removed, a deletion is a record too, so linear probing needs no
 * tombstones of its own. The index is at most half full. */
#include "state/overlay.h"

#include "base/assert.h"
#include "base/memory.h"

enum {
    ARENA_CHUNK_BYTES = 128 << 10, /* above the largest key plus the largest value */
    RECORDS_FIRST = 256,
    INDEX_FIRST = 2 * RECORDS_FIRST,
    RANGES_FIRST = 16
};

void mr_overlay_init(struct mr_overlay *overlay)
{
    *overlay =
        (struct mr_overlay){.records_capacity = RECORDS_FIRST, .index_capacity = INDEX_FIRST};
    mr_arena_init(&overlay->arena, ARENA_CHUNK_BYTES);
    overlay->records = mr_memory_new(RECORDS_FIRST, sizeof *overlay->records);
    overlay->index = mr_memory_new(INDEX_FIRST, sizeof *overlay->index);
}

void mr_overlay_deinit(struct mr_overlay *overlay)
{
    mr_memory_free(overlay->records);
    mr_memory_free(overlay->index);
    mr_memory_free(overlay->ranges);
    mr_arena_deinit(&overlay->arena);
    *overlay = (struct mr_overlay){0};
}

void mr_overlay_reset(struct mr_overlay *overlay)
{
    if (overlay->records_count * 8 < overlay->index_capacity) {
        for (size_t i = 0; i < overlay->records_count; i++)
            overlay->index[overlay->records[i].position] = 0;
    } else {
        memset(overlay->index, 0, overlay->index_capacity * sizeof *overlay->index);
    }
    overlay->records_count = 0;
    overlay->ranges_count = 0;
    mr_arena_reset(&overlay->arena);
}

struct mr_overlay_record *mr_overlay_find(const struct mr_overlay *overlay, struct mr_slice key,
                                          uint64_t hash)
{
    size_t mask = overlay->index_capacity - 1;
    for (size_t position = (size_t)hash & mask;; position = (position + 1) & mask) {
        uint32_t number = overlay->index[position];
        if (number == 0)
            return NULL;
        struct mr_overlay_record *record = &overlay->records[number - 1];
        if (record->hash == hash && mr_slice_equal(record->key, key))
            return record;
    }
}

static void place(struct mr_overlay *overlay, size_t number)
{
    size_t mask = overlay->index_capacity - 1;
    size_t position = (size_t)overlay->records[number].hash & mask;
    while (overlay->index[position] != 0)
        position = (position + 1) & mask;
    overlay->index[position] = (uint32_t)number + 1;
    overlay->records[number].position = (uint32_t)position;
}

static void grow(struct mr_overlay *overlay)
{
    MR_ASSERT(overlay->records_capacity < UINT32_MAX / 4);
    overlay->records_capacity *= 2;
    overlay->index_capacity *= 2;
    overlay->records =
        mr_memory_resize(overlay->records, overlay->records_capacity * sizeof *overlay->records);
    mr_memory_free(overlay->index);
    overlay->index = mr_memory_new(overlay->index_capacity, sizeof *overlay->index);
    for (size_t i = 0; i < overlay->records_count; i++)
        place(overlay, i);
}

static struct mr_overlay_record *add(struct mr_overlay *overlay, struct mr_slice key, uint64_t hash)
{
    if (overlay->records_count == overlay->records_capacity)
        grow(overlay);
    size_t number = overlay->records_count++;
    overlay->records[number] = (struct mr_overlay_record){.key = key, .hash = hash};
    place(overlay, number);
    return &overlay->records[number];
}

uint8_t *mr_overlay_put(struct mr_overlay *overlay, struct mr_slice key, uint64_t hash,
                        uint32_t value_size, bool local)
{
    struct mr_overlay_record *record = mr_overlay_find(overlay, key, hash);
    if (record == NULL) {
        /* Key and value in one piece: an allocation is rounded up. */
        uint8_t *memory = mr_arena_take(&overlay->arena, key.size + value_size);
        memcpy(memory, key.data, key.size);
        record = add(overlay, mr_slice_from(memory, key.size), hash);
        record->value = memory + key.size;
        record->value_room = value_size;
    } else if (record->value_room < value_size) {
        record->value = mr_arena_take(&overlay->arena, value_size);
        record->value_room = value_size;
    }
    record->value_size = value_size;
    record->tombstone = false;
    record->local = local;
    record->ranged = false;
    return record->value;
}

void mr_overlay_adopt(struct mr_overlay *overlay, struct mr_slice key, uint64_t hash,
                      struct mr_slice value, bool tombstone)
{
    struct mr_overlay_record *record = mr_overlay_find(overlay, key, hash);
    if (record == NULL)
        record = add(overlay, key, hash);
    /* Memory of the overlay's own arena: writing in place later is allowed. */
    record->value = (uint8_t *)(uintptr_t)value.data;
    record->value_size = (uint32_t)value.size;
    record->value_room = (uint32_t)value.size;
    record->tombstone = tombstone;
}

void mr_overlay_delete(struct mr_overlay *overlay, struct mr_slice key, uint64_t hash, bool local)
{
    struct mr_overlay_record *record = mr_overlay_find(overlay, key, hash);
    if (record == NULL)
        record = add(overlay, mr_arena_copy(&overlay->arena, key), hash);
    record->value_size = 0;
    record->tombstone = true;
    record->local = local;
    record->ranged = false;
}

void mr_overlay_delete_range(struct mr_overlay *overlay, struct mr_slice first, struct mr_slice end)
{
    if (overlay->ranges_count == overlay->ranges_capacity) {
        overlay->ranges_capacity =
            overlay->ranges_capacity == 0 ? RANGES_FIRST : overlay->ranges_capacity * 2;
        overlay->ranges =
            mr_memory_resize(overlay->ranges, overlay->ranges_capacity * sizeof *overlay->ranges);
    }
    overlay->ranges[overlay->ranges_count++] = (struct mr_overlay_range){
        .first = mr_arena_copy(&overlay->arena, first), .end = mr_arena_copy(&overlay->arena, end)};
}
