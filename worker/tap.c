/* worker/tap.c — rows of an operator's output as JSON lines: where from, the payload as it came,
 * and what the operator added. */
#include "worker/tap.h"

#include "base/clock.h"
#include "record/json_write.h"

#include <inttypes.h>
#include <stdio.h>

enum { HEAD_BYTES = 192 };

struct line {
    uint8_t *start;
    uint8_t *end;
};

static void put_text(struct line *line, const char *text)
{
    size_t size = strlen(text);
    memcpy(line->end, text, size);
    line->end += size;
}

static void put_string(struct line *line, struct mr_slice text)
{
    line->end = mr_json_write_string(line->end, text);
}

static size_t string_bound(const char *text)
{
    return mr_json_write_string_bound(mr_slice_text(text)) + 4;
}

/* The fields of the node's own making, name and slot of each; returns how many there are. */
static uint32_t own_fields(const struct mr_plan *plan, const struct mr_plan_node *node,
                           const struct mr_output_field **fields, const uint32_t **slots)
{
    const struct mr_type_spec *type = node->type;
    *fields = NULL;
    *slots = NULL;
    if ((type->flags & MR_TYPE_ADDS_FIELD) != 0) {
        *fields = type->added_fields;
        *slots = node->added_slots;
        return type->added_fields_count;
    }
    if ((type->flags & MR_TYPE_NEW_ROWS) != 0 && type->outputs != NULL &&
        type->outputs[0].fields != NULL) {
        const struct mr_plan_domain *domain = &plan->domains[node->outputs[0].domain];
        *fields = type->outputs[0].fields;
        *slots = domain->field_slots;
        return domain->field_slots_count < type->outputs[0].fields_count
                   ? domain->field_slots_count
                   : type->outputs[0].fields_count;
    }
    return 0;
}

static const struct mr_value *cell_of(const struct mr_batch *batch, uint32_t slot, uint16_t row)
{
    if (slot == MR_SLOT_NONE || batch->columns[slot] == NULL)
        return NULL;
    return &batch->columns[slot][row];
}

static void put_fields(struct line *line, const struct mr_batch *batch,
                       const struct mr_output_field *fields, const uint32_t *slots, uint32_t count,
                       uint16_t row)
{
    bool first = true;
    put_text(line, "{");
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_value *value = cell_of(batch, slots[index], row);
        if (value == NULL)
            continue;
        uint8_t *begun = line->end;
        if (!first)
            put_text(line, ",");
        put_string(line, mr_slice_text(fields[index].name));
        put_text(line, ":");
        uint8_t *end = mr_json_write(line->end, *value);
        line->end = end == NULL ? begun : end; /* absent, or nothing that JSON can say */
        first = first && end == NULL;
    }
    put_text(line, "}");
}

static size_t fields_bound(const struct mr_batch *batch, const struct mr_output_field *fields,
                           const uint32_t *slots, uint32_t count, uint16_t row)
{
    size_t bound = 4;
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_value *value = cell_of(batch, slots[index], row);
        if (value != NULL)
            bound += string_bound(fields[index].name) + mr_json_write_bound(*value) + 2;
    }
    return bound;
}

/* A JSON record as it is; anything else, and what is cut, as a string. */
static void put_payload(struct line *line, const struct mr_plan *plan, const struct mr_batch *batch,
                        struct mr_slice payload, bool whole)
{
    const char *format = plan->nodes[batch->source_index].format;
    if (payload.size == 0) {
        put_text(line, "null");
    } else if (whole && format != NULL && strcmp(format, "json") == 0) {
        memcpy(line->end, payload.data, payload.size);
        line->end += payload.size;
    } else {
        put_string(line, payload);
    }
}

static void show_row(struct mr_tap *tap, const struct mr_tap_outlet *outlet,
                     const struct mr_plan *plan, const struct mr_plan_node *node,
                     const struct mr_batch *batch, uint16_t row)
{
    const struct mr_output_field *fields;
    const uint32_t *slots;
    char numbers[HEAD_BYTES];
    uint32_t count = own_fields(plan, node, &fields, &slots);
    struct mr_slice payload = batch->payloads[row];
    if (batch->payload_nulls[row])
        payload = (struct mr_slice){0};
    bool whole = payload.size <= MR_TAP_PAYLOAD_BYTES_MAX;
    if (!whole)
        payload.size = MR_TAP_PAYLOAD_BYTES_MAX;
    size_t bound = HEAD_BYTES + string_bound(batch->origin.topic) +
                   mr_json_write_string_bound(payload) +
                   fields_bound(batch, fields, slots, count, row) +
                   (node->as == NULL ? 0 : string_bound(node->as)) + MR_JSON_WRITE_SLACK;
    struct line line = {.start = mr_arena_take(batch->arena, bound)};
    line.end = line.start;
    put_text(&line, "{\"topic\":");
    put_string(&line, mr_slice_text(batch->origin.topic));
    (void)snprintf(numbers, sizeof(numbers),
                   ",\"partition\":%d,\"offset\":%" PRId64 ",\"event_time\":%" PRId64
                   ",\"skipped\":%" PRIu64 ",\"record\":",
                   batch->origin.partition, batch->offsets[row], batch->event_times_ms[row],
                   atomic_exchange(&tap->skipped, 0));
    put_text(&line, numbers);
    put_payload(&line, plan, batch, payload, whole);
    if (count > 0) {
        put_text(&line, ",");
        put_string(&line, mr_slice_text(node->as != NULL ? node->as : "fields"));
        put_text(&line, ":");
        put_fields(&line, batch, fields, slots, count, row);
    }
    put_text(&line, "}");
    outlet->publish(outlet->argument, plan->name, node->name,
                    mr_slice_from(line.start, (size_t)(line.end - line.start)));
}

void mr_tap_show(struct mr_tap *tap, const struct mr_tap_outlet *outlet, const struct mr_plan *plan,
                 const struct mr_plan_node *node, struct mr_view view)
{
    uint64_t second = mr_clock_monotonic_ms() / 1000;
    if (atomic_exchange(&tap->second, second) != second)
        atomic_store(&tap->shown, 0);
    for (uint32_t index = 0; index < view.rows_count; index++) {
        if (atomic_fetch_add(&tap->shown, 1) >= MR_TAP_ROWS_PER_SECOND) {
            atomic_fetch_add(&tap->skipped, view.rows_count - index);
            return;
        }
        show_row(tap, outlet, plan, node, view.batch, view.rows[index]);
    }
}
