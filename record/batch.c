/* record/batch.c — columns of a batch, taken from its arena. */
#include "record/batch.h"

#include "base/assert.h"
#include "record/json_write.h"

static void *take_array(struct mr_batch *batch, size_t element_size)
{
    return mr_arena_new(batch->arena, batch->rows_capacity, element_size);
}

void mr_batch_init(struct mr_batch *batch, struct mr_arena *arena, struct mr_batch_shape shape,
                   uint32_t rows_capacity)
{
    MR_ASSERT(rows_capacity <= MR_LIMIT_BATCH_ROWS);
    *batch = (struct mr_batch){
        .rows_capacity = rows_capacity,
        .slots_count = shape.slots_count,
        .spans_count = shape.spans_count,
        .keys_count = shape.keys_count,
        .arena = arena,
    };
    batch->offsets = mr_arena_take(arena, rows_capacity * sizeof(*batch->offsets));
    /* -1 in every element: no offset. */
    memset(batch->offsets, 0xFF, rows_capacity * sizeof(*batch->offsets));
    batch->timestamps_ms = take_array(batch, sizeof(*batch->timestamps_ms));
    batch->event_times_ms = take_array(batch, sizeof(*batch->event_times_ms));
    batch->message_keys = take_array(batch, sizeof(*batch->message_keys));
    batch->payloads = take_array(batch, sizeof(*batch->payloads));
    batch->payload_nulls = take_array(batch, sizeof(*batch->payload_nulls));
    batch->key_nulls = take_array(batch, sizeof(*batch->key_nulls));
    batch->columns = mr_arena_new(arena, shape.slots_count, sizeof(struct mr_value *));
    batch->spans = mr_arena_new(arena, shape.spans_count, sizeof(struct mr_span *));
    batch->group_keys = mr_arena_new(arena, shape.keys_count, sizeof(struct mr_slice *));
}

struct mr_value *mr_batch_column(struct mr_batch *batch, uint32_t slot)
{
    MR_ASSERT(slot < batch->slots_count);
    _Static_assert(MR_KIND_ABSENT == 0, "zeroed cells are ABSENT");
    if (batch->columns[slot] == NULL)
        batch->columns[slot] = take_array(batch, sizeof(struct mr_value));
    return batch->columns[slot];
}

struct mr_span *mr_batch_span(struct mr_batch *batch, uint32_t span)
{
    MR_ASSERT(span < batch->spans_count);
    if (batch->spans[span] == NULL)
        batch->spans[span] = take_array(batch, sizeof(struct mr_span));
    return batch->spans[span];
}

int64_t *mr_batch_watermarks(struct mr_batch *batch)
{
    if (batch->watermarks_ms == NULL)
        batch->watermarks_ms =
            mr_arena_take(batch->arena, batch->rows_capacity * sizeof(*batch->watermarks_ms));
    return batch->watermarks_ms;
}

struct mr_view mr_batch_view(struct mr_batch *batch)
{
    uint16_t *rows = mr_arena_take(batch->arena, batch->rows_count * sizeof(*rows));
    for (uint32_t i = 0; i < batch->rows_count; i++)
        rows[i] = (uint16_t)i;
    return (struct mr_view){.batch = batch, .rows = rows, .rows_count = batch->rows_count};
}

static struct mr_value cell(const struct mr_batch *batch, uint32_t slot, uint32_t row)
{
    MR_ASSERT(slot < batch->slots_count && row < batch->rows_count);
    const struct mr_value *column = batch->columns[slot];
    return column == NULL ? (struct mr_value){.kind = MR_KIND_ABSENT} : column[row];
}

enum mr_status mr_batch_key(struct mr_batch *batch, const uint32_t *slots, uint32_t slots_count,
                            uint32_t row, struct mr_slice *key)
{
    size_t bound = 2 + slots_count + MR_JSON_WRITE_SLACK;
    for (uint32_t i = 0; i < slots_count; i++) {
        struct mr_value value = cell(batch, slots[i], row);
        if (value.kind <= MR_KIND_NULL) /* ABSENT, REMOVED, ERROR, NULL */
            return MR_INVALID;
        if (slots_count == 1 && value.kind == MR_KIND_STRING) {
            *key = mr_value_text(value);
            return MR_OK;
        }
        bound += mr_json_write_bound(value);
    }
    uint8_t *text = mr_arena_take(batch->arena, bound);
    uint8_t *cursor = text;
    *cursor++ = '[';
    for (uint32_t i = 0; i < slots_count; i++) {
        if (i > 0)
            *cursor++ = ',';
        cursor = mr_json_write(cursor, cell(batch, slots[i], row));
        if (cursor == NULL)
            return MR_INVALID;
    }
    *cursor++ = ']';
    *key = mr_slice_from(text, (size_t)(cursor - text));
    mr_arena_give_back(batch->arena, text, bound, key->size);
    return MR_OK;
}
