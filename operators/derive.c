/* operators/derive.c — see derive.h.
 * Design: gathering goes column by column, so that each loop walks one source and one target array.
 * An input column that nobody has written stays untouched in the output too: ABSENT on first use.
 */
#include "operators/derive.h"

#include "base/assert.h"

void mr_derive_batch(struct mr_batch *output, const struct mr_batch *input)
{
    output->origin = input->origin;
    output->source_index = input->source_index;
    output->sequence_first = input->sequence_first;
}

static void gather_messages(struct mr_batch *output, const struct mr_batch *input,
                            const uint16_t *rows, uint32_t rows_count)
{
    uint32_t first = output->rows_count;
    if (input->headers != NULL && output->headers == NULL)
        output->headers =
            mr_arena_new(output->arena, output->rows_capacity, sizeof(*output->headers));
    int64_t *watermarks_ms = input->watermarks_ms == NULL ? NULL : mr_batch_watermarks(output);
    for (uint32_t index = 0; index < rows_count; index++) {
        uint32_t source = rows[index];
        uint32_t target = first + index;
        if (watermarks_ms != NULL)
            watermarks_ms[target] = input->watermarks_ms[source];
        output->offsets[target] = input->offsets[source];
        output->timestamps_ms[target] = input->timestamps_ms[source];
        output->event_times_ms[target] = input->event_times_ms[source];
        output->message_keys[target] = input->message_keys[source];
        output->payloads[target] = input->payloads[source];
        output->payload_nulls[target] = input->payload_nulls[source];
        output->key_nulls[target] = input->key_nulls[source];
        if (input->headers != NULL)
            output->headers[target] = input->headers[source];
    }
}

static void gather_keys(struct mr_batch *output, const struct mr_batch *input,
                        const struct mr_plan_input *maps, const uint16_t *rows, uint32_t rows_count)
{
    for (uint32_t key = 0; key < output->keys_count; key++) {
        uint32_t from = maps->key_map[key];
        if (from == MR_SLOT_NONE || input->group_keys[from] == NULL)
            continue;
        if (output->group_keys[key] == NULL)
            output->group_keys[key] =
                mr_arena_new(output->arena, output->rows_capacity, sizeof(struct mr_slice));
        struct mr_slice *target = output->group_keys[key] + output->rows_count;
        for (uint32_t index = 0; index < rows_count; index++)
            target[index] = input->group_keys[from][rows[index]];
    }
}

void mr_derive_rows(struct mr_batch *output, const struct mr_batch *input,
                    const struct mr_plan_input *maps, const uint16_t *rows, uint32_t rows_count)
{
    MR_ASSERT(rows_count <= output->rows_capacity - output->rows_count);
    gather_messages(output, input, rows, rows_count);
    gather_keys(output, input, maps, rows, rows_count);
    for (uint32_t slot = 0; slot < output->slots_count; slot++) {
        uint32_t from = maps->slot_map[slot];
        if (from == MR_SLOT_NONE || input->columns[from] == NULL)
            continue;
        struct mr_value *target = mr_batch_column(output, slot) + output->rows_count;
        for (uint32_t index = 0; index < rows_count; index++)
            target[index] = input->columns[from][rows[index]];
    }
    for (uint32_t span = 0; span < output->spans_count; span++) {
        uint32_t from = maps->span_map[span];
        if (from == MR_SLOT_NONE || input->spans[from] == NULL)
            continue;
        struct mr_span *target = mr_batch_span(output, span) + output->rows_count;
        for (uint32_t index = 0; index < rows_count; index++)
            target[index] = input->spans[from][rows[index]];
    }
    output->rows_count += rows_count;
}

void mr_derive_alias(struct mr_batch *output, const struct mr_batch *input,
                     const struct mr_plan_input *maps)
{
    MR_ASSERT(output->rows_count == 0);
    mr_derive_batch(output, input);
    output->rows_count = input->rows_count;
    output->rows_capacity = input->rows_capacity;
    output->offsets = input->offsets;
    output->timestamps_ms = input->timestamps_ms;
    output->event_times_ms = input->event_times_ms;
    output->watermarks_ms = input->watermarks_ms;
    output->message_keys = input->message_keys;
    output->payloads = input->payloads;
    output->payload_nulls = input->payload_nulls;
    output->key_nulls = input->key_nulls;
    output->headers = input->headers;
    for (uint32_t slot = 0; slot < output->slots_count; slot++) {
        uint32_t from = maps->slot_map[slot];
        output->columns[slot] = from == MR_SLOT_NONE ? NULL : input->columns[from];
    }
    for (uint32_t span = 0; span < output->spans_count; span++) {
        uint32_t from = maps->span_map[span];
        output->spans[span] = from == MR_SLOT_NONE ? NULL : input->spans[from];
    }
    for (uint32_t key = 0; key < output->keys_count; key++) {
        uint32_t from = maps->key_map[key];
        output->group_keys[key] = from == MR_SLOT_NONE ? NULL : input->group_keys[from];
    }
}
