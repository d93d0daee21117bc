/* operators/kept_row.c — see kept_row.h. */
#include "operators/kept_row.h"

#include <string.h>

#include "base/memory.h"

/* Slots of the output that come from the input, in the order of their names. */
static uint32_t sorted_slots(const struct mr_plan_domain *domain, const uint32_t *slot_map,
                             uint32_t *slots)
{
    uint32_t count = 0;
    for (uint32_t slot = 0; slot < domain->shape.slots_count; slot++) {
        if (domain->slot_names[slot] == NULL || slot_map[slot] == MR_SLOT_NONE)
            continue;
        uint32_t at = count++;
        for (; at > 0 && strcmp(domain->slot_names[slots[at - 1]], domain->slot_names[slot]) > 0;
             at--)
            slots[at] = slots[at - 1];
        slots[at] = slot;
    }
    return count;
}

void mr_kept_row_open(struct mr_kept_row *kept, const struct mr_operator_open *open, bool message)
{
    const struct mr_plan_input *input = &open->node->inputs[0];
    const struct mr_plan_domain *domain = &open->plan->domains[open->node->outputs[0].domain];
    uint32_t slots_room = domain->shape.slots_count;
    uint32_t spans_count = domain->shape.spans_count;
    kept->node = open->node;
    kept->memory = mr_memory_new(2u * (slots_room + spans_count) + 1u, sizeof(*kept->memory));
    uint32_t *output_slots = kept->memory;
    uint32_t *input_slots = output_slots + slots_room;
    uint32_t *output_spans = input_slots + slots_room;
    uint32_t *input_spans = output_spans + spans_count;
    uint32_t slots_count = sorted_slots(domain, input->slot_map, output_slots);
    const char **names = mr_memory_new(slots_count + 1u, sizeof(*names));
    for (uint32_t index = 0; index < slots_count; index++) {
        input_slots[index] = input->slot_map[output_slots[index]];
        names[index] = domain->slot_names[output_slots[index]];
    }
    for (uint32_t span = 0; span < spans_count; span++) {
        output_spans[span] = span;
        input_spans[span] = input->span_map[span];
    }
    kept->output = (struct mr_row_shape){
        .slots = output_slots,
        .slots_count = slots_count,
        .spans = output_spans,
        .spans_count = spans_count,
        .whole = true,
        .message = message,
        .fingerprint = mr_row_fingerprint(names, slots_count, true, message),
    };
    kept->output.fingerprint =
        mr_row_fingerprint_spans(kept->output.fingerprint, domain->tracked_names, spans_count);
    kept->input = kept->output;
    kept->input.slots = input_slots;
    kept->input.spans = input_spans;
    mr_memory_free(names);
}

void mr_kept_row_close(struct mr_kept_row *kept)
{
    mr_memory_free(kept->memory);
}

enum mr_status mr_kept_row_write(const struct mr_kept_row *kept, const struct mr_batch *batch,
                                 uint32_t row, struct mr_arena *arena, struct mr_slice *bytes,
                                 struct mr_error *error)
{
    size_t size;
    enum mr_status status = mr_row_size(&kept->input, batch, row, &size, error);
    if (status != MR_OK)
        return status;
    uint8_t *memory = mr_arena_take(arena, size);
    mr_row_write(&kept->input, batch, row, memory);
    *bytes = mr_slice_from(memory, size);
    return MR_OK;
}

enum mr_status mr_kept_row_append(const struct mr_kept_row *kept, struct mr_slice bytes,
                                  struct mr_batch *output, struct mr_error *error)
{
    uint32_t row = output->rows_count;
    enum mr_status status = mr_row_read(&kept->output, bytes, output, row, error);
    if (status != MR_OK) {
        mr_error_context(error, "rows that '%s' keeps", kept->node->name);
        return status;
    }
    if (!kept->output.message) {
        output->offsets[row] = -1;
        output->timestamps_ms[row] = output->event_times_ms[row];
        output->message_keys[row] = (struct mr_slice){0};
        output->key_nulls[row] = true;
    }
    output->rows_count++;
    return MR_OK;
}
