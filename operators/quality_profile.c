/* operators/quality_profile.c — quality.profile: what the records of a window are like, field by
 * field, and how good that is.
 * Design: the windows of window.aggregate (operators/windowing.h) with aggregates of their own
 * (operators/aggregate_profile.h): one per field and one for the records. When a window is closed
 * their results become a record with a score per dimension, and an alert where the score is too
 * low. Stored: see window_ring.h, window_list.h, window_pane.h, aggregate_profile.c. */
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "operators/aggregate_profile.h"
#include "operators/alert_batch.h"
#include "operators/estimate.h"
#include "operators/registry.h"
#include "operators/window_list.h"
#include "operators/windowing.h"

enum {
    FIELDS_MAX = MR_AGGREGATE_SET_MAX - 1, /* one is for the records */
    OUTPUT_ALERTS = 2,
    /* Of a field: the counters, one of each sketch's, and another one of frequent's. */
    PIECES_PER_RECORD = 5
};

/* Fields of the result behind the window's times. */
enum profile_field {
    FIELD_RECORDS,
    FIELD_PASSED,
    FIELD_SCORE,
    FIELD_SEVERITY,
    FIELD_REASON,
    FIELD_COMPLETENESS,
    FIELD_UNIQUENESS,
    FIELD_VALIDITY,
    FIELD_FRESHNESS,
    FIELD_LATEST,
    FIELD_DELAY,
    FIELD_FIELDS,
    FIELDS_COUNT
};

enum { FIRST_DIMENSION = FIELD_COMPLETENESS, DIMENSIONS_COUNT = 4 };

static const char *const dimension_names[DIMENSIONS_COUNT] = {"completeness", "uniqueness",
                                                              "validity", "freshness"};

static const char groups_table[] = "groups";

struct profile {
    struct mr_windowing windowing; /* first */
    struct mr_alert_teller teller;
    struct mr_alert_batch alerts; /* of the call at hand */
    uint32_t fields_count;
    struct mr_aggregate_call calls[MR_AGGREGATE_SET_MAX];
    uint32_t slots[FIELDS_MAX];
    struct mr_program *rules[FIELDS_MAX]; /* NULL: the field has none */
    bool has_rule[FIELDS_MAX];
    bool is_unique[FIELDS_MAX];
    bool has_fresh;
    double threshold;
};

/* ---- The aggregates ---- */

static bool is_among(const struct mr_option_value *list, const char *text)
{
    for (uint32_t index = 0; list->present && index < list->count; index++)
        if (strcmp(list->texts[index], text) == 0)
            return true;
    return false;
}

/* The place of a name among those of a mapping, or -1. */
static int place_of(const struct mr_option_value *mapping, const char *name)
{
    for (uint32_t index = 0; mapping->present && index < mapping->count; index++)
        if (strcmp(mapping->names[index], name) == 0)
            return (int)index;
    return -1;
}

/* Calls as they would be written, one per field and one for the records. */
static struct mr_option_value make_calls(const struct mr_options *options,
                                         struct mr_aggregate_call calls[MR_AGGREGATE_SET_MAX])
{
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    uint32_t count = fields->count;
    MR_ASSERT(count <= FIELDS_MAX);
    for (uint32_t field = 0; field < count; field++)
        calls[field] = (struct mr_aggregate_call){
            .name = fields->texts[field],
            .text = fields->texts[field],
            .spec = &mr_aggregate_profile.spec,
            .arguments_count = 2,
            .parameters = {(double)mr_options_integer(options, "top"),
                           (double)mr_options_integer(options, "precision")}};
    calls[count] = (struct mr_aggregate_call){.name = "records",
                                              .text = "",
                                              .spec = &mr_aggregate_profile_records.spec,
                                              .arguments_count = 1};
    if (mr_options_present(options, "fresh_within"))
        calls[count].parameters[0] = (double)mr_options_integer(options, "fresh_within");
    return (struct mr_option_value){.present = true, .count = count + 1, .calls = calls};
}

/* Also what stored groups depend on besides the fields. */
static enum mr_status profile_read(struct mr_windowing *windowing, const struct mr_plan_node *node,
                                   struct mr_error *error)
{
    struct profile *profile = (struct profile *)windowing;
    const struct mr_options *options = &node->options;
    const struct mr_option_value *valid = mr_options_get(options, "valid");
    const struct mr_option_value calls = make_calls(options, profile->calls);
    enum mr_status status = mr_aggregate_set_init(&windowing->set, &calls, error);
    profile->fields_count = calls.count - 1;
    for (uint32_t field = 0; field < profile->fields_count; field++) {
        const char *name = profile->calls[field].name;
        int place = place_of(valid, name);
        uint64_t rule = place < 0 ? 0 : mr_hash64(mr_slice_text(valid->texts[place]));
        profile->has_rule[field] = place >= 0;
        profile->is_unique[field] = is_among(mr_options_get(options, "unique"), name);
        windowing->set.fingerprint =
            mr_hash64_seeded(mr_slice_from(&rule, sizeof(rule)), windowing->set.fingerprint);
    }
    profile->has_fresh = mr_options_present(options, "fresh_within");
    const double parameters[] = {profile->calls[0].parameters[0], profile->calls[0].parameters[1],
                                 profile->calls[profile->fields_count].parameters[0]};
    windowing->set.fingerprint =
        mr_hash64_seeded(mr_slice_from(parameters, sizeof(parameters)), windowing->set.fingerprint);
    return status;
}

/* What a field's rule says of each row; ABSENT without a rule. */
static const struct mr_value *verdicts_of(const struct profile *profile, uint32_t field,
                                          struct mr_operator_context *context, struct mr_view view)
{
    struct mr_value *column = mr_arena_new(context->arena, view.batch->rows_count, sizeof(*column));
    if (profile->rules[field] == NULL)
        return column;
    mr_program_run(profile->rules[field], context->evaluator, view, context->now_ms, column);
    return column;
}

/* How long the records were on the way: from their event time to their message's timestamp. */
static const struct mr_value *delays_of(struct mr_operator_context *context, struct mr_view view)
{
    const struct mr_batch *batch = view.batch;
    struct mr_value *column = mr_arena_take(context->arena, batch->rows_count * sizeof(*column));
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        int64_t delay_ms;
        if (__builtin_sub_overflow(batch->timestamps_ms[row], batch->event_times_ms[row],
                                   &delay_ms))
            delay_ms = batch->event_times_ms[row] < 0 ? INT64_MAX : INT64_MIN;
        column[row] = mr_value_int(delay_ms);
    }
    return column;
}

static void profile_evaluate(struct mr_windowing *windowing, struct mr_operator_context *context,
                             struct mr_view view, struct mr_aggregate_columns *columns)
{
    const struct profile *profile = (const struct profile *)windowing;
    for (uint32_t field = 0; field < profile->fields_count; field++) {
        columns->arguments[field][0] = mr_batch_column(view.batch, profile->slots[field]);
        columns->arguments[field][1] = verdicts_of(profile, field, context, view);
    }
    columns->arguments[profile->fields_count][0] = delays_of(context, view);
}

/* ---- Results ---- */

static struct mr_value static_text(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

/* The mean of a member of those fields that count; null without any. */
static struct mr_value mean_of(const struct profile *profile, const struct mr_value *fields,
                               enum mr_profile_member member, const bool *counts)
{
    double sum = 0;
    uint32_t count = 0;
    for (uint32_t field = 0; field < profile->fields_count; field++) {
        struct mr_value value = fields[field].entries[member].value;
        if ((counts != NULL && !counts[field]) || value.kind != MR_KIND_DOUBLE)
            continue;
        sum += value.number;
        count++;
    }
    return count == 0 ? mr_value_null() : mr_value_double(sum / count);
}

/* Returns the severity. */
static const char *write_score(const struct profile *profile, struct mr_arena *arena,
                               struct mr_value fields[FIELDS_COUNT])
{
    double sum = 0;
    uint32_t count = 0;
    const char *parts = "";
    for (uint32_t dimension = 0; dimension < DIMENSIONS_COUNT; dimension++) {
        struct mr_value value = fields[FIRST_DIMENSION + dimension];
        if (value.kind != MR_KIND_DOUBLE)
            continue;
        sum += value.number;
        parts = mr_arena_format(arena, "%s%s%s %.4g", parts, count > 0 ? ", " : "",
                                dimension_names[dimension], value.number);
        count++;
    }
    double score = sum / count; /* completeness is always there */
    bool passed = score >= profile->threshold;
    fields[FIELD_SCORE] = mr_value_double(score);
    fields[FIELD_PASSED] = mr_value_bool(passed);
    const char *severity = passed                           ? "info"
                           : score < profile->threshold / 2 ? "critical"
                                                            : "warning";
    fields[FIELD_SEVERITY] = static_text(severity);
    fields[FIELD_REASON] = static_text(
        passed ? ""
               : mr_arena_format(arena, "the score of %lld records is %.4g, below %.4g: %s",
                                 (long long)fields[FIELD_RECORDS].integer, score,
                                 profile->threshold, parts));
    return severity;
}

static struct mr_value delay_value(const struct mr_value *records, struct mr_arena *arena)
{
    enum { DELAYS = 3 };
    static const char *const names[DELAYS] = {"min", "mean", "max"};
    struct mr_map_entry *entries = mr_arena_new(arena, DELAYS, sizeof(*entries));
    for (uint32_t index = 0; index < DELAYS; index++)
        entries[index] =
            (struct mr_map_entry){static_text(names[index]), records[MR_PROFILE_DELAY_MIN + index]};
    return (struct mr_value){.kind = MR_KIND_MAP, .size = DELAYS, .entries = entries};
}

static void tell(struct profile *profile, struct mr_slice key, const struct mr_aggregate_span *span,
                 const struct mr_value fields[FIELDS_COUNT], const char *severity,
                 struct mr_arena *arena)
{
    if (fields[FIELD_PASSED].boolean)
        return;
    struct mr_slice reason = mr_value_text(fields[FIELD_REASON]);
    const struct mr_alert_notice notice = {
        .id = mr_alert_teller_id(&profile->teller, key, span->start_ms ^ span->end_ms),
        .state = "open",
        .severity = severity,
        .message = mr_arena_format(arena, "%.*s", (int)reason.size, (const char *)reason.data),
        .metric_value = fields[FIELD_SCORE].number,
        .threshold = profile->threshold,
        .key = key,
        .event_time_ms = span->end_ms - 1};
    mr_alert_batch_add(&profile->alerts, &notice);
}

static void profile_finish(struct mr_windowing *windowing, struct mr_operator_context *context,
                           struct mr_slice key, const struct mr_aggregate_span *span,
                           struct mr_arena *arena, struct mr_value *results)
{
    MR_UNUSED(context);
    struct profile *profile = (struct profile *)windowing;
    uint32_t count = profile->fields_count;
    const struct mr_value *records = results[count].items;
    struct mr_value fields[FIELDS_COUNT] = {0};
    struct mr_map_entry *entries = mr_arena_new(arena, count, sizeof(*entries));
    for (uint32_t field = 0; field < count; field++)
        entries[field] =
            (struct mr_map_entry){static_text(profile->calls[field].name), results[field]};
    fields[FIELD_RECORDS] = records[MR_PROFILE_RECORDS];
    fields[FIELD_LATEST] = records[MR_PROFILE_LATEST];
    fields[FIELD_DELAY] = delay_value(records, arena);
    fields[FIELD_FIELDS] =
        (struct mr_value){.kind = MR_KIND_MAP, .size = count, .entries = entries};
    fields[FIELD_COMPLETENESS] = mean_of(profile, results, MR_PROFILE_COMPLETENESS, NULL);
    fields[FIELD_UNIQUENESS] = mean_of(profile, results, MR_PROFILE_UNIQUENESS, profile->is_unique);
    fields[FIELD_VALIDITY] = mean_of(profile, results, MR_PROFILE_VALIDITY, profile->has_rule);
    fields[FIELD_FRESHNESS] = profile->has_fresh
                                  ? mr_value_double((double)records[MR_PROFILE_FRESH].integer /
                                                    (double)records[MR_PROFILE_RECORDS].integer)
                                  : mr_value_null();
    const char *severity = write_score(profile, arena, fields);
    memcpy(results, fields, sizeof(fields));
    tell(profile, key, span, fields, severity, arena);
}

static const struct mr_windowing_use profile_use = {
    .read = profile_read, .evaluate = profile_evaluate, .finish = profile_finish};

/* ---- The operator ---- */

static enum mr_status profile_open(void *self, const struct mr_operator_open *open,
                                   struct mr_error *error)
{
    struct profile *profile = self;
    const struct mr_options *options = &open->node->options;
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    const struct mr_option_value *valid = mr_options_get(options, "valid");
    profile->windowing.use = &profile_use;
    profile->threshold = mr_options_number(options, "threshold");
    for (uint32_t field = 0; field < fields->count; field++) {
        int place = place_of(valid, fields->texts[field]);
        profile->slots[field] = fields->slots[field];
        profile->rules[field] = place < 0 ? NULL : valid->programs[place];
    }
    mr_alert_teller_open(&profile->teller, open, OUTPUT_ALERTS);
    return mr_windowing_open(self, open, error);
}

static void begin(struct profile *profile, struct mr_operator_context *context)
{
    profile->alerts = (struct mr_alert_batch){.teller = &profile->teller, .context = context};
}

static enum mr_status end(struct profile *profile, enum mr_status status)
{
    if (status == MR_OK || status == MR_AGAIN)
        mr_alert_batch_end(&profile->alerts);
    return status;
}

static enum mr_status profile_process(void *self, struct mr_operator_context *context,
                                      uint32_t port, struct mr_view view, struct mr_error *error)
{
    begin(self, context);
    return end(self, mr_windowing_process(self, context, port, view, error));
}

static enum mr_status profile_watermark(void *self, struct mr_operator_context *context,
                                        struct mr_error *error)
{
    begin(self, context);
    return end(self, mr_windowing_watermark(self, context, error));
}

static enum mr_status profile_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                       struct mr_state_description *description,
                                       struct mr_error *error)
{
    struct profile *profile = mr_arena_new(arena, 1, sizeof(*profile));
    profile->windowing.use = &profile_use;
    return mr_windowing_describe_as(&profile->windowing, object, arena, description, error);
}

static const struct mr_options *window_options(const struct mr_options *options)
{
    return &mr_options_get(options, "window")->objects[0];
}

/* What a window is made of: each part has bodies of its own. */
static uint64_t parts_of(const struct mr_window *window)
{
    if (window->kind == MR_WINDOW_COUNT)
        return mr_windowing_count_parts(window);
    return window->kind == MR_WINDOW_HOPPING ? (uint64_t)(window->size_ms / window->pane_ms) : 1;
}

static void profile_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    struct mr_aggregate_call calls[MR_AGGREGATE_SET_MAX];
    const struct mr_option_value value = make_calls(options, calls);
    struct mr_aggregate_set set;
    struct mr_error error;
    struct mr_window window;
    enum mr_status status = mr_aggregate_set_init(&set, &value, &error);
    MR_ASSERT(status == MR_OK); /* the heads of all fields fit a cell */
    mr_window_read(window_options(options), &window);
    mr_windowing_estimate(&window, mr_options_integer(options, "lateness"), &set, estimate);
    /* With all pieces of all fields; few windows have so many. */
    uint64_t record_bytes = MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    uint64_t pieces = (uint64_t)set.slots_max * parts_of(&window);
    estimate->object_bytes += pieces * (MR_AGGREGATE_SET_PIECE_BYTES + MR_ESTIMATE_OBJECT_BYTES);
    estimate->stored_bytes += pieces * (MR_AGGREGATE_SET_PIECE_BYTES + record_bytes);
    estimate->changelog_bytes_per_record += (uint64_t)set.heavy_count * PIECES_PER_RECORD *
                                            (MR_AGGREGATE_SET_PIECE_BYTES + record_bytes);
}

/* Each name is one of the fields. */
static enum mr_status check_named(const struct mr_options *options, const char *option,
                                  const char *const *names, struct mr_error *error)
{
    const struct mr_option_value *value = mr_options_get(options, option);
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    for (uint32_t index = 0; value->present && index < value->count; index++)
        if (!is_among(fields, names[index]))
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "'%s' is not among the `fields`: name it there too, as it is written "
                           "here",
                           names[index]);
    return MR_OK;
}

static enum mr_status profile_check(const struct mr_options *options, const char **option,
                                    struct mr_error *error)
{
    struct mr_window window;
    *option = "window";
    enum mr_status status = mr_window_check(window_options(options), error);
    if (status != MR_OK)
        return status;
    mr_window_read(window_options(options), &window);
    if (window.kind == MR_WINDOW_SLIDING)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a profile for each record is not kept: say {hopping: ...} with a short "
                       "`every`");
    *option = "lateness";
    if (window.kind == MR_WINDOW_COUNT && mr_options_integer(options, "lateness") > 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "'lateness' has no meaning for a count window: it is told by records, not "
                       "by time");
    *option = "valid";
    status = check_named(options, "valid", mr_options_get(options, "valid")->names, error);
    if (status != MR_OK)
        return status;
    *option = "unique";
    return check_named(options, "unique", mr_options_get(options, "unique")->texts, error);
}

static const struct mr_option_spec profile_options[] = {
    {.name = "fields",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = FIELDS_MAX,
     .help = "What is profiled: 1 to 31 fields."},
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .fields = mr_window_options,
     .help = "Which records are profiled together: tumbling, hopping, session or count."},
    {.name = "lateness",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0s",
     .minimum = 0,
     .maximum = 366.0 * 86400e3,
     .help = "How long a window stays open behind its end; records are late from then on."},
    {.name = "valid",
     .type = MR_OPTION_EXPRESSIONS,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "Of fields the CEL condition that a valid value fulfils, as in {amount: 'amount >= "
             "0.0', country: 'country.matches(\"^[A-Z]{2}$\")'}. It is asked where the field is "
             "present; a condition that cannot be computed is not fulfilled."},
    {.name = "unique",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "Those of the fields whose values should all be different: they make the score of "
             "uniqueness."},
    {.name = "fresh_within",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "A record is fresh when its message's timestamp is at most this far behind its event "
             "time; not given: there is no score of freshness."},
    {.name = "threshold",
     .type = MR_OPTION_SHARE,
     .default_text = "0.8",
     .help = "A window with a lower score has not passed, and is told on `alerts`."},
    {.name = "top",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "10",
     .minimum = 1,
     .maximum = 100,
     .help = "How many frequent values are told of a field; there are ten counters for each."},
    {.name = "precision",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "12",
     .minimum = 8,
     .maximum = 16,
     .help = "Of the number of distinct values: 2^precision bytes a field, and a standard error "
             "of 1.04 / 2^(precision / 2), 1.6 % with 12."},
    {.name = NULL},
};

static const struct mr_input_spec profile_inputs[] = {
    {.option = "from", .required = true, .help = "The input: NAME or NAME.OUTPUT."},
    {.option = NULL},
};

static const struct mr_output_field profile_fields[] = {
    {"window_start", MR_TYPE_INT, "The window's begin, ms since the epoch, inclusive."},
    {"window_end", MR_TYPE_INT, "The window's end, ms since the epoch, exclusive."},
    {"records", MR_TYPE_INT, "Records in the window."},
    {"passed", MR_TYPE_BOOL, "True when the score is not below the threshold."},
    {"score", MR_TYPE_DOUBLE, "The mean of the dimensions that are not null, 0 to 1."},
    {"severity", MR_TYPE_STRING, "info; warning below the threshold, critical below half of it."},
    {"reason", MR_TYPE_STRING, "Below the threshold a sentence with the numbers, else empty."},
    {"completeness", MR_TYPE_DOUBLE,
     "The mean over all fields of the share of records in which they are neither missing nor "
     "null."},
    {"uniqueness", MR_TYPE_DOUBLE,
     "The mean over the `unique` fields of distinct values per scalar value; null without any."},
    {"validity", MR_TYPE_DOUBLE,
     "The mean over the fields with a rule of the share of present values that fulfil it; null "
     "without any."},
    {"freshness", MR_TYPE_DOUBLE, "The share of fresh records; null without `fresh_within`."},
    {"latest", MR_TYPE_INT, "The highest event time, ms since the epoch."},
    {"delay", MR_TYPE_OBJECT,
     "ms from event time to the message's timestamp, over the records: {min, mean, max}."},
    {"fields", MR_TYPE_OBJECT,
     "For each field {count, present, missing, null, completeness, types: {double: n, ...}, "
     "distinct, uniqueness, valid, invalid, validity, min, max, mean, stddev, quantiles: {p1, p5, "
     "p25, p50, p75, p95, p99}, frequent: [{value, count, error}, ...]}; null where there is "
     "nothing to say."},
};

_Static_assert(MR_ARRAY_COUNT(profile_fields) == MR_GROUP_TIMES_MAX + FIELDS_COUNT, "fields");

static const struct mr_output_spec profile_outputs[] = {
    {.name = "main",
     .help = "One record per key and window, when it is closed: the key's fields and those below. "
             "Its event time is window_end - 1 ms.",
     .fields = profile_fields,
     .fields_count = MR_ARRAY_COUNT(profile_fields)},
    {.name = "late", .help = "Records that came when their window was closed, unchanged."},
    {.name = "alerts",
     .help = "One alert record per window with a score below the threshold, without a record.",
     .fields = mr_alert_fields,
     .fields_count = MR_ALERT_FIELDS_COUNT},
};

const struct mr_operator_type mr_operator_quality_profile = {
    .spec =
        {
            .name = "quality.profile",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS,
            .summary = "Says of each key and window what the records' fields are like, and scores "
                       "their quality.",
            .description =
                "Of each field of `fields`: how often it is present, missing and null; the types "
                "of its values; how many are valid by its rule; least, greatest, mean and standard "
                "deviation of its numbers and their quantiles; how many distinct values, and the "
                "most frequent ones. Of the window: a score for completeness, uniqueness, validity "
                "and freshness, and their mean. A window whose mean is below `threshold` raises an "
                "alert. Windows are those of window.aggregate; {count: 1000} profiles each 1,000 "
                "records, and knows no late ones.\n\n"
                "Exact: all counts, completeness, validity, freshness, min, max; mean and stddev "
                "(of the sample, n - 1) but for rounding, numbers beyond +-1e140 left out. "
                "`distinct` is exact up to 30, then has the standard error of `precision` (99 of "
                "100 within 2.6 times that), and so has uniqueness, which is never above 1: for "
                "an exact answer use quality.duplicates. Quantiles are exact up to 16 numbers, "
                "then within 0.8 % of the number at their rank (see the aggregate quantile). Of "
                "frequent values the count is never too low, and too high by `error` at most, "
                "which is at most the records / (10 `top`); exact for up to 10 `top` distinct "
                "values. Lists and objects count among the types, and are neither distinct nor "
                "frequent; texts are told by their first 64 bytes. A value that could not be "
                "decoded as declared, NaN and infinity count as unusable, and as not valid.\n\n"
                "Freshness compares the message's timestamp with the event time: behind a "
                "repartition the timestamp is that of the repartition. It says nothing of a "
                "stream that is silent: use detect.heartbeat. To judge single records use "
                "quality.rules.\n\n"
                "State of a field and window: 1 KiB, and up to 4 KiB (distinct, by `precision`), "
                "11 KiB (frequent, by `top`) and 32 KiB (quantiles, as wide as the numbers) more; "
                "a record writes some of their pieces of 1 KiB once per transaction. Profiles of "
                "hopping and count windows are merged from parts without loss.",
            .options = profile_options,
            .inputs = profile_inputs,
            .outputs = profile_outputs,
            .outputs_count = MR_ARRAY_COUNT(profile_outputs),
            .state_version = MR_GROUP_OBJECT_VERSION,
            .estimate = profile_estimate,
            .check = profile_check,
        },
    .instance_size = sizeof(struct profile),
    .open = profile_open,
    .process = profile_process,
    .on_watermark = profile_watermark,
    .horizon = mr_windowing_horizon,
    .reach = mr_windowing_reach,
    .close = mr_windowing_close,
    .state_table = groups_table,
    .describe_state = profile_describe,
};
