/* operators/alert.c — see alert.h.
 * Design: `record` is the payload itself as a JSON cell, written without a copy. A record that was
 * made inside the engine (a generator, a CSV line) has no such payload; its fields are gathered
 * from the columns by the layout of the edge that it came over. */
#include "operators/alert.h"

#include "base/assert.h"

enum alert_field {
    ALERT_ID,
    ALERT_TOPOLOGY,
    ALERT_OPERATOR,
    ALERT_DETECTOR,
    ALERT_KEY,
    ALERT_STATE,
    ALERT_SEVERITY,
    ALERT_MESSAGE,
    ALERT_METRIC_VALUE,
    ALERT_THRESHOLD,
    ALERT_EVENT_TIME,
    ALERT_SOURCE,
    ALERT_RECORD
};

const struct mr_output_field mr_alert_fields[MR_ALERT_FIELDS_COUNT] = {
    {"id", MR_TYPE_STRING, "16 hexadecimal digits; a replay makes the same id."},
    {"topology", MR_TYPE_STRING, "The topology's name."},
    {"operator", MR_TYPE_STRING, "The operator's name."},
    {"detector", MR_TYPE_STRING, "The operator's type, for instance detect.zscore."},
    {"key", MR_TYPE_STRING, "The operator's key as text; null without a key."},
    {"state", MR_TYPE_STRING, "open, update or resolved; an alert about one record is open."},
    {"severity", MR_TYPE_STRING, "info, warning or critical."},
    {"message", MR_TYPE_STRING, "A sentence with the numbers in it."},
    {"metric_value", MR_TYPE_DOUBLE, "The number that was compared with the threshold."},
    {"threshold", MR_TYPE_DOUBLE, "The threshold that it passed."},
    {"event_time", MR_TYPE_INT, "The record's event time in ms since the epoch."},
    {"source", MR_TYPE_OBJECT, "Where the record came from: topic, partition, offset."},
    {"record", MR_TYPE_ANY, "The record as its source delivered it."},
};

static struct mr_value text_value(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

struct mr_value mr_alert_place_value(struct mr_arena *arena, const struct mr_alert_place *place)
{
    struct mr_map_entry *entries = mr_arena_take(arena, 3 * sizeof(*entries));
    const char *topic = place->origin.topic;
    entries[0] = (struct mr_map_entry){text_value("topic"),
                                       topic == NULL ? mr_value_null() : text_value(topic)};
    entries[1] =
        (struct mr_map_entry){text_value("partition"), mr_value_int(place->origin.partition)};
    entries[2] = (struct mr_map_entry){text_value("offset"), mr_value_int(place->offset)};
    return (struct mr_value){.kind = MR_KIND_MAP, .size = 3, .entries = entries};
}

/* The cell of slot as a member of an object; false when it writes nothing. */
static bool member_cell(const struct mr_batch *batch, uint32_t slot, uint32_t row,
                        struct mr_value *value)
{
    if (slot == MR_SLOT_NONE || batch->columns[slot] == NULL)
        return false;
    *value = batch->columns[slot][row];
    return value->kind > MR_KIND_ERROR;
}

static struct mr_value group_value(struct mr_arena *arena, const struct mr_batch *batch,
                                   const struct mr_edit *edit, uint32_t row)
{
    struct mr_map_entry *entries = mr_arena_take(arena, edit->group_count * sizeof(*entries));
    uint32_t count = 0;
    for (uint32_t index = 0; index < edit->group_count; index++)
        if (member_cell(batch, edit->group[index].slot, row, &entries[count].value))
            entries[count++].key = text_value(edit->group[index].name);
    return (struct mr_value){.kind = MR_KIND_MAP, .size = count, .entries = entries};
}

static struct mr_value fields_value(struct mr_arena *arena, const struct mr_batch *batch,
                                    const struct mr_layout *layout, uint32_t row)
{
    struct mr_map_entry *entries = mr_arena_take(arena, layout->edits_count * sizeof(*entries));
    uint32_t count = 0;
    for (uint32_t index = 0; index < layout->edits_count; index++) {
        const struct mr_edit *edit = &layout->edits[index];
        if (edit->remove)
            continue;
        if (edit->group != NULL)
            entries[count].value = group_value(arena, batch, edit, row);
        else if (!member_cell(batch, edit->slot, row, &entries[count].value))
            continue;
        entries[count++].key = text_value(edit->name);
    }
    return (struct mr_value){.kind = MR_KIND_MAP, .size = count, .entries = entries};
}

static struct mr_value record_value(struct mr_arena *arena, const struct mr_batch *cause,
                                    uint32_t row, const struct mr_layout *layout)
{
    if (layout == NULL)
        return mr_value_null();
    if (!layout->from_payload)
        return fields_value(arena, cause, layout, row);
    if (cause->payload_nulls[row])
        return mr_value_null();
    struct mr_slice payload = cause->payloads[row];
    return (struct mr_value){
        .kind = MR_KIND_JSON, .size = (uint32_t)payload.size, .text = payload.data};
}

/* Where an alert's row says that it came from. */
struct alert_cause {
    int64_t event_time_ms;
    struct mr_value source;
    struct mr_value record;
};

/* The cells of the next row; returns the row. */
static uint32_t write_cells(struct mr_batch *alerts, const uint32_t *field_slots,
                            const struct mr_alert *alert, const struct alert_cause *cause)
{
    MR_ASSERT(alerts->rows_count < alerts->rows_capacity);
    uint32_t target = alerts->rows_count++;
    const struct mr_value cells[MR_ALERT_FIELDS_COUNT] = {
        [ALERT_ID] = alert->id,
        [ALERT_TOPOLOGY] = text_value(alert->topology),
        [ALERT_OPERATOR] = text_value(alert->operator_name),
        [ALERT_DETECTOR] = text_value(alert->detector),
        [ALERT_KEY] = alert->key,
        [ALERT_STATE] = text_value(alert->state),
        [ALERT_SEVERITY] = alert->severity,
        [ALERT_MESSAGE] = alert->message,
        [ALERT_METRIC_VALUE] = mr_value_double(alert->metric_value),
        [ALERT_THRESHOLD] = mr_value_double(alert->threshold),
        [ALERT_EVENT_TIME] = mr_value_int(cause->event_time_ms),
        [ALERT_SOURCE] = cause->source,
        [ALERT_RECORD] = cause->record,
    };
    for (uint32_t field = 0; field < MR_ALERT_FIELDS_COUNT; field++)
        mr_batch_column(alerts, field_slots[field])[target] = cells[field];
    alerts->event_times_ms[target] = cause->event_time_ms;
    alerts->payloads[target] = mr_slice_text("{}");
    alerts->payload_nulls[target] = false;
    return target;
}

void mr_alert_write(struct mr_batch *alerts, const uint32_t *field_slots,
                    const struct mr_alert *alert, const struct mr_batch *cause, uint32_t row,
                    const struct mr_layout *layout)
{
    const struct mr_alert_place at = {cause->origin, cause->offsets[row]};
    const struct alert_cause from = {
        .event_time_ms = cause->event_times_ms[row],
        .source = mr_alert_place_value(alerts->arena, &at),
        .record = record_value(alerts->arena, cause, row, layout),
    };
    uint32_t target = write_cells(alerts, field_slots, alert, &from);
    alerts->origin = cause->origin;
    alerts->source_index = cause->source_index;
    alerts->sequence_first = cause->sequence_first;
    alerts->offsets[target] = cause->offsets[row];
    alerts->timestamps_ms[target] = cause->timestamps_ms[row];
    alerts->message_keys[target] = cause->message_keys[row];
    alerts->key_nulls[target] = cause->key_nulls[row];
}

void mr_alert_write_alone(struct mr_batch *alerts, const uint32_t *field_slots,
                          const struct mr_alert *alert, int64_t event_time_ms,
                          const struct mr_alert_place *place)
{
    const struct alert_cause cause = {
        .event_time_ms = event_time_ms,
        .source = place == NULL ? mr_value_null() : mr_alert_place_value(alerts->arena, place),
        .record = mr_value_null()};
    uint32_t target = write_cells(alerts, field_slots, alert, &cause);
    alerts->offsets[target] = -1;
    alerts->timestamps_ms[target] = event_time_ms;
    alerts->message_keys[target] = (struct mr_slice){0};
    alerts->key_nulls[target] = true;
}
