/* operators/evaluation_entry.c — see evaluation_entry.h. */
#include "operators/evaluation_entry.h"

#include <string.h>

#include "base/assert.h"
#include "record/json_write.h"

enum {
    ENTRY_BYTES_MAX =
        1 + 8 + 2 + MR_EVALUATION_SERIES_MAX + 2 + MR_EVALUATION_KIND_MAX + MR_EVALUATION_ID_MAX,
    FLAG_LABELLED = 1,
    FLAG_FLAGGED = 2
};

static const char *const alert_states[] = {"open", "update", "resolved"};

static uint32_t slot_or_none(const struct mr_options *options, const char *name)
{
    return mr_options_present(options, name) ? mr_options_slot(options, name)
                                             : (uint32_t)MR_SLOT_NONE;
}

void mr_evaluation_reader_open(struct mr_evaluation_reader *reader, const struct mr_plan_node *node)
{
    const struct mr_options *options = &node->options;
    *reader = (struct mr_evaluation_reader){
        .truth_slot = mr_options_slot(options, "is_anomaly"),
        .kind_slot = slot_or_none(options, "label"),
        .id_slot = slot_or_none(options, "anomaly_id"),
        .flag_slot = slot_or_none(options, "detection"),
        .series = mr_options_get(options, "series"),
        .alerts = node->alerts,
    };
}

/* ---- Cells ---- */

/* A cell that says yes or no. False: it was reported. */
static bool read_truth(struct mr_operator_context *context, struct mr_batch *batch, uint32_t row,
                       uint32_t slot, const char *option, bool *truth)
{
    struct mr_value value = mr_batch_column(batch, slot)[row];
    double number;
    if (value.kind == MR_KIND_BOOL) {
        *truth = value.boolean;
        return true;
    }
    if (mr_value_as_double(value, &number) && (number == 0 || number == 1)) {
        *truth = number == 1;
        return true;
    }
    mr_operator_row_error(context, batch, row,
                          "%s: the value is %s; wanted is true or false, or 1 or 0", option,
                          mr_kind_name((enum mr_kind)value.kind));
    return false;
}

/* A cell that names something: a text, or what JSON writes of another plain value; empty where it
 * is missing or null. False: it was reported. */
static bool read_name(struct mr_operator_context *context, struct mr_batch *batch, uint32_t row,
                      uint32_t slot, const char *option, size_t size_max, struct mr_slice *name)
{
    *name = (struct mr_slice){0};
    if (slot == MR_SLOT_NONE)
        return true;
    struct mr_value value = mr_batch_column(batch, slot)[row];
    if (value.kind == MR_KIND_NULL || value.kind == MR_KIND_ABSENT || value.kind == MR_KIND_REMOVED)
        return true;
    uint8_t *end = NULL;
    if (value.kind == MR_KIND_STRING) {
        *name = mr_slice_from(value.text, value.size);
    } else if (value.kind >= MR_KIND_BOOL && value.kind <= MR_KIND_DOUBLE) {
        uint8_t *text = mr_arena_take(context->arena, mr_json_write_bound(value));
        end = mr_json_write(text, value);
        *name = mr_slice_from(text, end == NULL ? 0 : (size_t)(end - text));
    }
    if (value.kind != MR_KIND_STRING && end == NULL) {
        mr_operator_row_error(context, batch, row, "%s: the value is %s, which names nothing",
                              option, mr_kind_name((enum mr_kind)value.kind));
        return false;
    }
    if (name->size > size_max) {
        mr_operator_row_error(context, batch, row, "%s has %zu bytes, at most %zu are kept", option,
                              name->size, size_max);
        return false;
    }
    return true;
}

/* What is read of a row before it waits. */
struct coming {
    bool labelled;
    bool flagged;
    struct mr_slice series;
    struct mr_slice kind;
    struct mr_slice id;
};

/* Of the fields of a record. False: it was reported. */
static bool read_series(const struct mr_evaluation_reader *reader,
                        struct mr_operator_context *context, struct mr_batch *batch, uint32_t row,
                        struct mr_slice *series)
{
    const struct mr_option_value *fields = reader->series;
    if (!fields->present)
        return true;
    if (mr_batch_key(batch, fields->slots, fields->count, row, series) != MR_OK) {
        mr_operator_row_error(context, batch, row,
                              "series: one of its fields (%s%s) is missing, null or not a plain "
                              "value",
                              fields->texts[0], fields->count > 1 ? ", ..." : "");
        return false;
    }
    if (series->size <= MR_EVALUATION_SERIES_MAX)
        return true;
    mr_operator_row_error(context, batch, row, "series has %zu bytes, at most %d are kept",
                          series->size, (int)MR_EVALUATION_SERIES_MAX);
    return false;
}

static bool read_record(const struct mr_evaluation_reader *reader,
                        struct mr_operator_context *context, struct mr_batch *batch, uint32_t row,
                        struct coming *coming)
{
    *coming = (struct coming){0};
    return read_truth(context, batch, row, reader->truth_slot, "is_anomaly", &coming->labelled) &&
           (reader->flag_slot == MR_SLOT_NONE ||
            read_truth(context, batch, row, reader->flag_slot, "detection", &coming->flagged)) &&
           read_name(context, batch, row, reader->kind_slot, "label", MR_EVALUATION_KIND_MAX,
                     &coming->kind) &&
           read_name(context, batch, row, reader->id_slot, "anomaly_id", MR_EVALUATION_ID_MAX,
                     &coming->id) &&
           read_series(reader, context, batch, row, &coming->series);
}

/* False: it was reported, or is resolved. */
static bool read_alert(const struct mr_evaluation_reader *reader,
                       struct mr_operator_context *context, struct mr_batch *batch, uint32_t row,
                       struct coming *coming)
{
    const struct mr_plan_alerts *alerts = reader->alerts;
    struct mr_value state = mr_batch_column(batch, alerts->state_slot)[row];
    struct mr_slice text = mr_slice_from(state.text, state.kind == MR_KIND_STRING ? state.size : 0);
    *coming = (struct coming){0};
    bool known = false;
    for (size_t index = 0; state.kind == MR_KIND_STRING && index < MR_ARRAY_COUNT(alert_states);
         index++)
        known = known || mr_slice_equal(text, mr_slice_text(alert_states[index]));
    if (!known) {
        mr_operator_row_error(context, batch, row,
                              "the state of an alert is open, update or resolved, and this record "
                              "has none of them");
        return false;
    }
    if (mr_slice_equal(text, mr_slice_text("resolved")))
        return false;
    if (!reader->series->present)
        return true;
    if (!read_name(context, batch, row, alerts->key_slot, "key", MR_EVALUATION_SERIES_MAX,
                   &coming->series))
        return false;
    if (coming->series.size > 0)
        return true;
    mr_operator_row_error(context, batch, row,
                          "the alert has no key, so that its series is not "
                          "known");
    return false;
}

static struct mr_slice write_entry(struct mr_arena *arena, const struct coming *coming,
                                   int64_t time_ms)
{
    uint8_t *bytes = mr_arena_take(arena, ENTRY_BYTES_MAX);
    uint8_t *next = bytes;
    *next++ =
        (uint8_t)((coming->labelled ? FLAG_LABELLED : 0) | (coming->flagged ? FLAG_FLAGGED : 0));
    mr_put_u64le(next, (uint64_t)time_ms);
    next += 8;
    mr_put_u16le(next, (uint16_t)coming->series.size);
    next += 2;
    const struct mr_slice kind = coming->labelled ? coming->kind : (struct mr_slice){0};
    const struct mr_slice id = coming->labelled ? coming->id : (struct mr_slice){0};
    const struct mr_slice texts[] = {coming->series, kind, id};
    for (size_t index = 0; index < MR_ARRAY_COUNT(texts); index++) {
        if (index > 0)
            *next++ = (uint8_t)texts[index].size;
        if (texts[index].size > 0)
            memcpy(next, texts[index].data, texts[index].size);
        next += texts[index].size;
    }
    return mr_slice_from(bytes, (size_t)(next - bytes));
}

bool mr_evaluation_read_record(const struct mr_evaluation_reader *reader,
                               struct mr_operator_context *context, struct mr_batch *batch,
                               uint32_t row, struct mr_slice *entry)
{
    struct coming coming;
    if (!read_record(reader, context, batch, row, &coming))
        return false;
    *entry = write_entry(context->arena, &coming, batch->event_times_ms[row]);
    return true;
}

bool mr_evaluation_read_alert(const struct mr_evaluation_reader *reader,
                              struct mr_operator_context *context, struct mr_batch *batch,
                              uint32_t row, struct mr_slice *entry)
{
    struct coming coming;
    if (!read_alert(reader, context, batch, row, &coming))
        return false;
    *entry = write_entry(context->arena, &coming, batch->event_times_ms[row]);
    return true;
}

bool mr_evaluation_entry_decode(struct mr_slice bytes, bool is_record,
                                struct mr_evaluation_moment *moment,
                                struct mr_evaluation_entry *entry)
{
    struct mr_reader reader = mr_reader_from(bytes);
    uint8_t flags = mr_read_u8(&reader);
    moment->time_ms = (int64_t)mr_read_u64(&reader);
    uint16_t series_size = mr_read_u16(&reader);
    moment->series = mr_slice_from(mr_read_bytes(&reader, series_size), series_size);
    uint8_t kind_size = mr_read_u8(&reader);
    struct mr_slice kind = mr_slice_from(mr_read_bytes(&reader, kind_size), kind_size);
    uint8_t id_size = mr_read_u8(&reader);
    struct mr_slice id = mr_slice_from(mr_read_bytes(&reader, id_size), id_size);
    *entry = (struct mr_evaluation_entry){.what = is_record ? MR_ENTRY_RECORD : MR_ENTRY_ALERT,
                                          .labelled = (flags & FLAG_LABELLED) != 0,
                                          .flagged = (flags & FLAG_FLAGGED) != 0,
                                          .time_ms = moment->time_ms,
                                          .kind = kind,
                                          .id = id};
    return !reader.bad && reader.cursor == reader.end && series_size <= MR_EVALUATION_SERIES_MAX &&
           kind_size <= MR_EVALUATION_KIND_MAX && id_size <= MR_EVALUATION_ID_MAX;
}
