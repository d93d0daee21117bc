/* operators/quality_duplicates.c — quality.duplicates: marks records that repeat an earlier one.
 * Design: what must be equal, the values of `fields`, is written as JSON, whose hash of 128 bits is
 * looked for in what operators/duplicate_memory.h remembers. This file reads rows, writes the
 * members and the alerts, and has the table. */
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "operators/alert_batch.h"
#include "operators/duplicate_memory.h"
#include "operators/registry.h"
#include "record/json_write.h"

enum {
    COUNT_MAX = 1000000,
    CAPACITY_MAX = 10000000,
    KEY_BYTES_MAX = MR_LIMIT_KEY_BYTES - (int)sizeof(struct mr_duplicate_digest),
    OUTPUT_DUPLICATES = 1,
    OUTPUT_ALERTS = 2
};

enum duplicates_member {
    MEMBER_PASSED,
    MEMBER_SEVERITY,
    MEMBER_REASON,
    MEMBER_COUNT,
    MEMBER_FIRST,
    MEMBER_LOAD,
    MEMBERS_COUNT
};

static const char *const severities[] = {"info", "warning", "critical", NULL};

struct duplicates {
    struct mr_duplicate_memory memory;
    const struct mr_plan_node *node;
    struct mr_alert_teller teller;
    const struct mr_option_value *fields;
    const char *severity;
};

static enum mr_status duplicates_open(void *self, const struct mr_operator_open *open,
                                      struct mr_error *error)
{
    struct duplicates *duplicates = self;
    duplicates->node = open->node;
    duplicates->fields = mr_options_get(&open->node->options, "fields");
    duplicates->severity = mr_options_text(&open->node->options, "severity");
    mr_alert_teller_open(&duplicates->teller, open, OUTPUT_ALERTS);
    return mr_duplicate_memory_open(&duplicates->memory, open, error);
}

static void duplicates_close(void *self)
{
    MR_UNUSED(self); /* the tables belong to the state */
}

/* ---- What is compared ---- */

static struct mr_value comparable(struct mr_value value)
{
    if (value.kind == MR_KIND_ABSENT || value.kind == MR_KIND_REMOVED)
        return mr_value_null();
    if (value.kind == MR_KIND_DOUBLE)
        value.number += 0.0; /* no -0.0 */
    return value;
}

/* The digest of the row's fields. False: one of them cannot be compared; reported. */
static bool digest_of(const struct duplicates *duplicates, struct mr_operator_context *context,
                      struct mr_batch *batch, uint32_t row, struct mr_duplicate_digest *digest)
{
    const struct mr_option_value *fields = duplicates->fields;
    size_t bound = MR_JSON_WRITE_SLACK;
    struct mr_value *values = mr_arena_take(context->arena, fields->count * sizeof(*values));
    for (uint32_t field = 0; field < fields->count; field++) {
        values[field] = comparable(mr_batch_column(batch, fields->slots[field])[row]);
        bound += mr_json_write_bound(values[field]) + 1;
    }
    uint8_t *text = mr_arena_take(context->arena, bound);
    uint8_t *cursor = text;
    for (uint32_t field = 0; field < fields->count; field++) {
        struct mr_value value = values[field];
        uint8_t *end = value.kind == MR_KIND_ERROR ? NULL : mr_json_write(cursor, value);
        if (end == NULL) {
            mr_operator_row_error(context, batch, row, "the field '%s' cannot be compared: %s",
                                  fields->texts[field],
                                  value.kind == MR_KIND_ERROR
                                      ? mr_arena_format(context->arena, "%.*s", (int)value.size,
                                                        (const char *)value.text)
                                      : mr_json_write_refusal(context->arena, value));
            return false;
        }
        cursor = end;
        *cursor++ = ',';
    }
    struct mr_slice bytes = mr_slice_from(text, (size_t)(cursor - text));
    digest->words[0] = mr_hash64(bytes);
    digest->words[1] = mr_hash64_seeded(bytes, UINT64_C(0x9e3779b97f4a7c15));
    mr_arena_give_back(context->arena, text, bound, 0);
    return true;
}

/* ---- What is told ---- */

static struct mr_value static_text(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

/* {topic, partition, offset, event_time} */
static struct mr_value position_value(const struct mr_duplicate_position *position,
                                      struct mr_arena *arena)
{
    const struct {
        const char *name;
        struct mr_value value;
    } members[] = {
        {"topic", mr_value_string(
                      mr_arena_copy(arena, mr_slice_from(position->topic, position->topic_bytes)))},
        {"partition", mr_value_int(position->partition)},
        {"offset", position->offset < 0 ? mr_value_null() : mr_value_int(position->offset)},
        {"event_time", mr_value_int(position->time_ms)},
    };
    const uint32_t count = MR_ARRAY_COUNT(members);
    struct mr_map_entry *entries = mr_arena_take(arena, count * sizeof(*entries));
    for (uint32_t index = 0; index < count; index++)
        entries[index] =
            (struct mr_map_entry){static_text(members[index].name), members[index].value};
    return (struct mr_value){.kind = MR_KIND_MAP, .size = count, .entries = entries};
}

static const char *reason_of(const struct mr_duplicate_memory *memory,
                             const struct mr_duplicate_row *row)
{
    const struct mr_duplicate_finding *finding = &row->finding;
    const char *within =
        memory->by_records
            ? mr_arena_format(row->batch->arena, "the last %llu records",
                              (unsigned long long)memory->window_records)
            : mr_arena_format(row->batch->arena, "%.10g s", (double)memory->window_ms / 1000);
    if (memory->form == MR_DUPLICATE_BLOOM)
        return mr_arena_format(row->batch->arena,
                               "an equal record came within %s, in all "
                               "likelihood",
                               within);
    return mr_arena_format(row->batch->arena,
                           "an equal record came within %s; it is record %llu of them, the first "
                           "had offset %lld of partition %d and event time %lld",
                           within, (unsigned long long)finding->count,
                           (long long)finding->first.offset, finding->first.partition,
                           (long long)finding->first.time_ms);
}

static void write_row(const struct duplicates *duplicates, const struct mr_duplicate_row *row,
                      struct mr_value *columns[MEMBERS_COUNT], struct mr_alert_batch *alerts)
{
    const struct mr_duplicate_finding *finding = &row->finding;
    bool is_exact = duplicates->memory.form != MR_DUPLICATE_BLOOM;
    bool is_duplicate = finding->is_duplicate;
    const char *reason = is_duplicate ? reason_of(&duplicates->memory, row) : "";
    uint32_t index = row->row;
    columns[MEMBER_PASSED][index] = mr_value_bool(!is_duplicate);
    columns[MEMBER_SEVERITY][index] =
        static_text(is_duplicate ? duplicates->severity : severities[0]);
    columns[MEMBER_REASON][index] = static_text(reason);
    columns[MEMBER_COUNT][index] =
        is_exact ? mr_value_int((int64_t)finding->count) : mr_value_null();
    columns[MEMBER_FIRST][index] = is_exact && is_duplicate
                                       ? position_value(&finding->first, row->batch->arena)
                                       : mr_value_null();
    columns[MEMBER_LOAD][index] = is_exact ? mr_value_null() : mr_value_double(finding->load);
    if (!is_duplicate)
        return;
    const struct mr_alert_notice notice = {
        .id = mr_alert_teller_id(&duplicates->teller, row->key, (int64_t)finding->number),
        .state = "open",
        .severity = duplicates->severity,
        .message = reason,
        .metric_value = is_exact ? (double)finding->count : 2,
        .threshold = 1,
        .key = row->key,
        .about_row = true,
        .row = index};
    mr_alert_batch_add(alerts, &notice);
}

static enum mr_status duplicates_process(void *self, struct mr_operator_context *context,
                                         uint32_t port, struct mr_view view, struct mr_error *error)
{
    struct duplicates *duplicates = self;
    struct mr_batch *batch = view.batch;
    MR_UNUSED(port);
    struct mr_view keyed;
    struct mr_value *columns[MEMBERS_COUNT];
    const struct mr_slice *keys = mr_operator_keys(context, duplicates->node, view, &keyed);
    uint16_t *rows = mr_arena_take(context->arena, (keyed.rows_count + 1u) * sizeof(*rows));
    uint16_t *found = mr_arena_take(context->arena, (keyed.rows_count + 1u) * sizeof(*found));
    uint32_t rows_count = 0;
    uint32_t found_count = 0;
    struct mr_alert_batch alerts = {
        .teller = &duplicates->teller, .context = context, .cause = batch};
    for (uint32_t member = 0; member < MEMBERS_COUNT; member++)
        columns[member] = mr_batch_column(batch, duplicates->node->added_slots[member]);
    for (uint32_t index = 0; index < keyed.rows_count; index++) {
        struct mr_duplicate_row row = {.context = context,
                                       .batch = batch,
                                       .row = keyed.rows[index],
                                       .key = keys[keyed.rows[index]]};
        if (row.key.size > KEY_BYTES_MAX) {
            mr_operator_row_error(context, batch, row.row,
                                  "the key has %zu bytes, at most %d are allowed", row.key.size,
                                  KEY_BYTES_MAX);
            continue;
        }
        if (!digest_of(duplicates, context, batch, row.row, &row.digest))
            continue;
        enum mr_status status = mr_duplicate_memory_take(&duplicates->memory, &row, error);
        if (status != MR_OK)
            return status;
        rows[rows_count++] = (uint16_t)row.row;
        if (row.finding.is_duplicate)
            found[found_count++] = (uint16_t)row.row;
        write_row(duplicates, &row, columns, &alerts);
    }
    mr_alert_batch_end(&alerts);
    mr_operator_emit(context, 0, (struct mr_view){batch, rows, rows_count});
    if (found_count > 0)
        mr_operator_emit(context, OUTPUT_DUPLICATES, (struct mr_view){batch, found, found_count});
    return MR_OK;
}

static enum mr_status duplicates_watermark(void *self, struct mr_operator_context *context,
                                           struct mr_error *error)
{
    struct duplicates *duplicates = self;
    return mr_duplicate_memory_expire(&duplicates->memory, context->watermark_ms, error);
}

/* ---- The type ---- */

static enum mr_status duplicates_check(const struct mr_options *options, const char **option,
                                       struct mr_error *error)
{
    const struct mr_options *window = mr_options_get(options, "window")->objects;
    *option = "window";
    if (mr_options_present(window, "sliding") == mr_options_present(window, "count"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a window of time or one of records is wanted: say {sliding: 10m} or "
                       "{count: 1000}");
    if (!mr_options_present(options, "bloom"))
        return MR_OK;
    const struct mr_options *bloom = mr_options_get(options, "bloom")->objects;
    *option = "bloom";
    bool by_records = mr_options_present(window, "count");
    if (by_records &&
        (mr_options_present(bloom, "capacity") || mr_options_get(bloom, "lateness")->given))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "'capacity' and 'lateness' have no meaning with a window of records: its "
                       "`count` says how many there are");
    if (!by_records && !mr_options_present(bloom, "capacity"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the filters of a window of time need `capacity`, the most records of a "
                       "key in it, to keep their rate");
    return MR_OK;
}

static const struct mr_option_spec window_fields[] = {
    {.name = "sliding",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "Of time: an equal record less than this away, in event time, makes a duplicate."},
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = COUNT_MAX,
     .help = "Of records: an equal record among so many of the key before it makes a duplicate."},
    {.name = NULL},
};

static const struct mr_option_spec bloom_fields[] = {
    {.name = "rate",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0.001",
     .minimum = 1e-8,
     .maximum = 0.5,
     .help = "At most this share of records that are no duplicates is told to be."},
    {.name = "capacity",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = CAPACITY_MAX,
     .help = "Of a window of time: the most records of a key in it. With more nothing is missed, "
             "but the rate is higher; `load` is then above 1."},
    {.name = "lateness",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0s",
     .minimum = 0,
     .maximum = 366.0 * 86400e3,
     .help = "Of a window of time: how far a record may be behind the key's latest and still be "
             "compared with all of its window; counts as part of the window."},
    {.name = NULL},
};

static const struct mr_option_spec duplicates_options[] = {
    {.name = "fields",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 32,
     .help = "What must be equal: 1 to 32 fields. A field that is missing is equal to null; -0.0 "
             "is equal to 0.0."},
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .fields = window_fields,
     .help = "How long records are remembered: {sliding: 10m} or {count: 1000}."},
    {.name = "bloom",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_STATE_BOUND,
     .fields = bloom_fields,
     .help = "Remember in Bloom filters, in a fraction of the space: some records are then told "
             "as duplicates that are none, and the first one's position is not known. Not given: "
             "exact."},
    {.name = "severity",
     .type = MR_OPTION_CHOICE,
     .default_text = "warning",
     .choices = severities,
     .help = "Of a duplicate: info, warning or critical."},
    {.name = NULL},
};

static const struct mr_input_spec duplicates_inputs[] = {
    {.option = "from", .required = true, .help = "The input: NAME or NAME.OUTPUT."},
    {.option = NULL},
};

static const struct mr_output_field duplicates_members[MEMBERS_COUNT] = {
    {"passed", MR_TYPE_BOOL, "True when the record is no duplicate."},
    {"severity", MR_TYPE_STRING, "Of a duplicate as the option says, else info."},
    {"reason", MR_TYPE_STRING, "Of a duplicate a sentence with the numbers, else empty."},
    {"count", MR_TYPE_INT,
     "How many equal records there were, with this one, each in the window of another; null with "
     "`bloom`."},
    {"first", MR_TYPE_ANY,
     "Of a duplicate the place of the first of them: {topic, partition, offset, event_time}; else, "
     "and with `bloom`, null."},
    {"load", MR_TYPE_DOUBLE,
     "With `bloom`: how full the newest filter is; above 1 more came than its capacity, and the "
     "rate is higher. Else null."},
};

static const struct mr_output_spec duplicates_outputs[] = {
    {.name = "main", .help = "Every record, with the object added."},
    {.name = "duplicates",
     .help = "The duplicates alone, with the object added.",
     .is_like_main = true},
    {.name = "alerts",
     .help = "One alert record per duplicate.",
     .fields = mr_alert_fields,
     .fields_count = MR_ALERT_FIELDS_COUNT},
};

const struct mr_operator_type mr_operator_quality_duplicates = {
    .spec =
        {
            .name = "quality.duplicates",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Marks records that repeat an earlier one of their key.",
            .description =
                "A record whose `fields` are all equal to those of an earlier record of its `key` "
                "in the window is a duplicate: it is marked, sent to the output `duplicates`, and "
                "told by an alert. Spread the work by a `key` that equal records share, such as "
                "one of the `fields`; `key: []` compares the whole stream in one task. What must "
                "be computed before it is compared, compute by a map in front.\n\n"
                "Exact: with a window of time a record is a duplicate when an equal one came "
                "whose event time is less than the window away, before or after; none is missed "
                "as long as records are out of order by less than the window and the watermark has "
                "not passed them. With a window of records, when an equal one is among the "
                "`count` records of the key before it. `first` is then where the first of them "
                "stands, exactly, also after restarts. Values are told apart by 128 bits of hash: "
                "among a billion different ones two are taken for one with a probability below "
                "1e-20.\n\n"
                "With `bloom` none is missed either, in a tenth of the space, and at most `rate` "
                "of the other records are told to be duplicates, as long as the window holds no "
                "more than `capacity` records of the key; records of up to a quarter more than "
                "the window may count as in it. Time is then the key's highest event time: records "
                "behind it are compared with all of their window if they are late by no more than "
                "`lateness`.\n\n"
                "Records are only marked: deduplicate drops them, and keeps 8 bytes a key. State: "
                "exact some 60 bytes for each different record of the window and its topic's name "
                "(with {count: n} 16 more), Bloom about 5 bytes for each record of the capacity "
                "at a rate of 1 %, 6 at 0.1 %. `state: {max_keys}` bounds the different records "
                "(and the keys): the oldest are forgotten first, and a repetition of them is not "
                "found.",
            .options = duplicates_options,
            .inputs = duplicates_inputs,
            .outputs = duplicates_outputs,
            .outputs_count = MR_ARRAY_COUNT(duplicates_outputs),
            .as_default = "quality",
            .added_fields = duplicates_members,
            .added_fields_count = MEMBERS_COUNT,
            .state_version = MR_DUPLICATE_VERSION,
            .estimate = mr_duplicate_memory_estimate,
            .check = duplicates_check,
        },
    .instance_size = sizeof(struct duplicates),
    .open = duplicates_open,
    .process = duplicates_process,
    .on_watermark = duplicates_watermark,
    .close = duplicates_close,
    .state_table = mr_duplicate_groups_table,
    .describe_state = mr_duplicate_memory_describe,
};
