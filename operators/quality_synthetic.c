/* operators/quality_synthetic.c — quality.synthetic: how alike the records of a synthetic stream
 * are to those of a real one, window by window. Design: the windows of window.aggregate
 * (operators/windowing.h) over the rows of both inputs, with one aggregate of their own, a sample
 * of each side (synthetic_sample.h); when a window is closed the sample is scored as `millrace
 * report` scores tables. Stored: see window_ring.h, window_list.h, window_pane.h,
 * synthetic_sample.h. */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "operators/alert_batch.h"
#include "operators/estimate.h"
#include "operators/registry.h"
#include "operators/synthetic_window.h"
#include "operators/window_list.h"
#include "operators/windowing.h"

enum { OUTPUT_ALERTS = 1, PORT_SYNTHETIC = 1, DATE_BYTES = 10, PIECES_PER_RECORD = 3 };

/* Fields of the result behind the window's times. */
enum result_field {
    FIELD_REAL,
    FIELD_SYNTHETIC,
    FIELD_PASSED,
    FIELD_SCORE,
    FIELD_SEVERITY,
    FIELD_REASON,
    FIELD_SHAPES,
    FIELD_TRENDS,
    FIELD_VALIDITY,
    FIELD_COVERAGE,
    FIELD_NEW_ROWS,
    FIELD_DISTANCE,
    FIELD_EXACT,
    FIELD_ERROR,
    FIELD_FIELDS,
    FIELD_PAIRS,
    FIELDS_COUNT
};

static const char groups_table[] = "groups";

struct synthetic {
    struct mr_windowing windowing; /* first */
    struct mr_alert_teller teller;
    struct mr_alert_batch alerts; /* of the call at hand */
    struct mr_aggregate_call call;
    uint32_t fields_count;
    struct mr_synthetic_field fields[MR_SYNTHETIC_SAMPLE_FIELDS_MAX];
    const uint32_t *slots[MR_SYNTHETIC_SIDES];
    double threshold;
    uint64_t records_min;
    bool distances;
};

/* ---- What is kept ---- */

static struct mr_option_value make_call(const struct mr_options *options,
                                        struct mr_aggregate_call *call)
{
    *call = (struct mr_aggregate_call){
        .name = "rows",
        .text = "",
        .spec = &mr_aggregate_synthetic_sample.spec,
        .arguments_count = 2,
        .parameters = {(double)mr_options_integer(options, "rows"),
                       (double)mr_options_get(options, "fields")->count}};
    return (struct mr_option_value){.present = true, .count = 1, .calls = call};
}

static bool find_kind(const char *text, enum mr_synthetic_kind *kind)
{
    for (uint32_t index = 0; index < MR_SYNTHETIC_KINDS_COUNT; index++) {
        *kind = (enum mr_synthetic_kind)index;
        if (*kind != MR_SYNTHETIC_ID && strcmp(text, mr_synthetic_kind_names[index]) == 0)
            return true;
    }
    return false;
}

/* Also what stored groups depend on. */
static enum mr_status synthetic_read(struct mr_windowing *windowing,
                                     const struct mr_plan_node *node, struct mr_error *error)
{
    struct synthetic *synthetic = (struct synthetic *)windowing;
    const struct mr_option_value *fields = mr_options_get(&node->options, "fields");
    const struct mr_option_value *kinds = mr_options_get(&node->options, "kinds");
    const struct mr_option_value call = make_call(&node->options, &synthetic->call);
    enum mr_status status = mr_aggregate_set_init(&windowing->set, &call, error);
    uint64_t hash = mr_hash64_seeded(
        mr_slice_from(synthetic->call.parameters, sizeof(synthetic->call.parameters)),
        windowing->set.fingerprint);
    synthetic->fields_count = fields->count;
    for (uint32_t field = 0; field < fields->count; field++) {
        struct mr_synthetic_field *one = &synthetic->fields[field];
        *one = (struct mr_synthetic_field){.name = fields->texts[field]};
        hash = mr_hash64_seeded(mr_slice_text(one->name), hash);
        for (uint32_t index = 0; kinds->present && index < kinds->count; index++)
            if (strcmp(kinds->names[index], one->name) == 0)
                one->is_declared = find_kind(kinds->texts[index], &one->kind);
        /* Texts of declared datetimes are kept as times. */
        uint8_t is_time = one->is_declared && one->kind == MR_SYNTHETIC_DATETIME;
        hash = mr_hash64_seeded(mr_slice_from(&is_time, 1), hash);
    }
    windowing->set.fingerprint = hash;
    return status;
}

/* The time that a text says: RFC 3339, or a date. */
static struct mr_value time_of(struct mr_value value)
{
    static const char midnight[] = "T00:00:00Z";
    char text[DATE_BYTES + sizeof(midnight)];
    struct mr_slice time = mr_value_text(value);
    int64_t seconds;
    int32_t nanoseconds;
    if (time.size == DATE_BYTES) {
        memcpy(text, time.data, DATE_BYTES);
        memcpy(text + DATE_BYTES, midnight, sizeof(midnight));
        time = mr_slice_text(text);
    }
    if (!mr_clock_parse_rfc3339(time, &seconds, &nanoseconds) ||
        seconds < INT64_MIN / 1000000000 + 1 || seconds > INT64_MAX / 1000000000 - 1)
        return mr_value_null();
    return (struct mr_value){.kind = MR_KIND_TIMESTAMP,
                             .integer = seconds * 1000000000 + nanoseconds};
}

/* What decides whether a row is in the sample: where it came from, and what it holds. */
static uint64_t key_of(const struct mr_batch *batch, uint32_t row, const struct mr_value *items,
                       uint32_t count, uint32_t side)
{
    const int64_t place[] = {side, batch->origin.partition, batch->offsets[row]};
    uint64_t hash = mr_hash64(mr_slice_from(place, sizeof(place)));
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_value *item = &items[index];
        bool has_text = item->kind == MR_KIND_STRING || item->kind == MR_KIND_BYTES;
        bool has_bits = item->kind == MR_KIND_INT || item->kind == MR_KIND_UINT ||
                        item->kind == MR_KIND_DOUBLE || item->kind == MR_KIND_TIMESTAMP;
        uint64_t bits =
            has_bits ? item->unsigned_integer : item->kind == MR_KIND_BOOL && item->boolean;
        hash = mr_hash64_seeded(
            has_text ? mr_value_text(*item) : mr_slice_from(&bits, sizeof(bits)), hash);
    }
    return hash;
}

static void synthetic_evaluate(struct mr_windowing *windowing, struct mr_operator_context *context,
                               struct mr_view view, struct mr_aggregate_columns *columns)
{
    const struct synthetic *synthetic = (const struct synthetic *)windowing;
    const struct mr_batch *batch = view.batch;
    uint32_t side = windowing->port == PORT_SYNTHETIC;
    uint32_t count = synthetic->fields_count + 1;
    struct mr_value *lists = mr_arena_new(context->arena, batch->rows_count, sizeof(*lists));
    struct mr_value *keys = mr_arena_new(context->arena, batch->rows_count, sizeof(*keys));
    struct mr_value *items =
        mr_arena_new(context->arena, (size_t)view.rows_count * count, sizeof(*items));
    for (uint32_t field = 0; field < synthetic->fields_count; field++) {
        const struct mr_value *column = mr_batch_column(view.batch, synthetic->slots[side][field]);
        const struct mr_synthetic_field *one = &synthetic->fields[field];
        bool is_time = one->is_declared && one->kind == MR_SYNTHETIC_DATETIME;
        for (uint32_t index = 0; index < view.rows_count; index++) {
            struct mr_value value = column[view.rows[index]];
            if (is_time && value.kind == MR_KIND_STRING)
                value = time_of(value);
            items[(size_t)index * count + field + 1] = value;
        }
    }
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        struct mr_value *own = &items[(size_t)index * count];
        own[0] = mr_value_bool(side == PORT_SYNTHETIC);
        lists[row] = (struct mr_value){.kind = MR_KIND_LIST, .size = count, .items = own};
        keys[row] = mr_value_uint(key_of(batch, row, own + 1, count - 1, side));
    }
    columns->arguments[0][0] = lists;
    columns->arguments[0][1] = keys;
}

/* ---- Results ---- */

static struct mr_value static_text(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

static struct mr_value number_or_null(double number)
{
    return isfinite(number) ? mr_value_double(number) : mr_value_null();
}

static struct mr_value score_of(const struct mr_synthetic_score *score)
{
    return score->metric == NULL ? mr_value_null() : number_or_null(score->score);
}

static struct mr_value field_value(const struct mr_synthetic_window *window, uint32_t column,
                                   struct mr_arena *arena)
{
    enum { KIND, METRIC, SCORE, COVERAGE, VALIDITY, MISSING, COUNT };
    static const char *const names[COUNT] = {"kind",     "metric",   "score",
                                             "coverage", "validity", "missing"};
    const struct mr_synthetic_column_scores *scores = &window->scores.columns[column];
    struct mr_map_entry *entries = mr_arena_new(arena, COUNT, sizeof(*entries));
    struct mr_map_entry *missing = mr_arena_new(arena, MR_SYNTHETIC_SIDES, sizeof(*missing));
    missing[0] = (struct mr_map_entry){static_text("real"), mr_value_int(scores->real_missing)};
    missing[1] =
        (struct mr_map_entry){static_text("synthetic"), mr_value_int(scores->synthetic_missing)};
    for (uint32_t index = 0; index < COUNT; index++)
        entries[index].key = static_text(names[index]);
    entries[KIND].value = static_text(mr_synthetic_kind_names[window->tables.columns[column].kind]);
    entries[METRIC].value =
        scores->shape.metric == NULL ? mr_value_null() : static_text(scores->shape.metric);
    entries[SCORE].value = score_of(&scores->shape);
    entries[COVERAGE].value = score_of(&scores->coverage);
    entries[VALIDITY].value = score_of(&scores->validity);
    entries[MISSING].value =
        (struct mr_value){.kind = MR_KIND_MAP, .size = MR_SYNTHETIC_SIDES, .entries = missing};
    return (struct mr_value){.kind = MR_KIND_MAP, .size = COUNT, .entries = entries};
}

static struct mr_value pair_value(const struct mr_synthetic_window *window,
                                  const struct mr_synthetic_pair_score *pair,
                                  struct mr_arena *arena)
{
    enum { FIELDS, METRIC, SCORE, COUNTS, REAL, SYNTHETIC, ASSOCIATION, COUNT };
    static const char *const names[COUNT] = {
        "fields",          "metric", "score", "counts", "real_correlation", "synthetic_correlation",
        "real_association"};
    struct mr_map_entry *entries = mr_arena_new(arena, COUNT, sizeof(*entries));
    struct mr_value *both = mr_arena_new(arena, 2, sizeof(*both));
    both[0] = static_text(window->tables.columns[pair->first].name);
    both[1] = static_text(window->tables.columns[pair->second].name);
    for (uint32_t index = 0; index < COUNT; index++)
        entries[index].key = static_text(names[index]);
    entries[FIELDS].value = (struct mr_value){.kind = MR_KIND_LIST, .size = 2, .items = both};
    entries[METRIC].value = static_text(pair->score.metric);
    entries[SCORE].value = score_of(&pair->score);
    entries[COUNTS].value = mr_value_bool(pair->counts);
    entries[REAL].value = number_or_null(pair->real);
    entries[SYNTHETIC].value = number_or_null(pair->synthetic);
    entries[ASSOCIATION].value = number_or_null(pair->association);
    return (struct mr_value){.kind = MR_KIND_MAP, .size = COUNT, .entries = entries};
}

static void write_details(const struct mr_synthetic_window *window, struct mr_arena *arena,
                          struct mr_value fields[FIELDS_COUNT])
{
    uint32_t columns_count = window->tables.columns_count;
    uint32_t pairs_count = window->scores.pairs_count;
    struct mr_map_entry *entries = mr_arena_new(arena, columns_count, sizeof(*entries));
    struct mr_value *pairs = mr_arena_new(arena, pairs_count, sizeof(*pairs));
    for (uint32_t column = 0; column < columns_count; column++)
        entries[column] = (struct mr_map_entry){static_text(window->tables.columns[column].name),
                                                field_value(window, column, arena)};
    for (uint32_t index = 0; index < pairs_count; index++)
        pairs[index] = pair_value(window, &window->scores.pairs[index], arena);
    fields[FIELD_FIELDS] =
        (struct mr_value){.kind = MR_KIND_MAP, .size = columns_count, .entries = entries};
    fields[FIELD_PAIRS] =
        (struct mr_value){.kind = MR_KIND_LIST, .size = pairs_count, .items = pairs};
}

/* Whether the window passes, and why not. Returns the severity. */
static const char *judge(const struct synthetic *synthetic,
                         const struct mr_synthetic_sample *sample,
                         const struct mr_synthetic_window *window, struct mr_arena *arena,
                         struct mr_value fields[FIELDS_COUNT])
{
    const struct mr_synthetic_scores *scores = &window->scores;
    const char *severity = "info";
    const char *reason = "";
    bool is_judged = sample->rows[0] >= synthetic->records_min &&
                     sample->rows[1] >= synthetic->records_min && !isnan(scores->quality);
    fields[FIELD_PASSED] = mr_value_null();
    if (!is_judged) {
        reason = mr_arena_format(arena, "%llu real and %llu synthetic records are not judged",
                                 (unsigned long long)sample->rows[0],
                                 (unsigned long long)sample->rows[1]);
    } else if (scores->quality >= synthetic->threshold) {
        fields[FIELD_PASSED] = mr_value_bool(true);
    } else {
        const char *trends = isnan(scores->trends)
                                 ? ""
                                 : mr_arena_format(arena, ", pair trends %.4g", scores->trends);
        const char *shapes = isnan(scores->shapes)
                                 ? ""
                                 : mr_arena_format(arena, ", column shapes %.4g", scores->shapes);
        fields[FIELD_PASSED] = mr_value_bool(false);
        severity = scores->quality < synthetic->threshold / 2 ? "critical" : "warning";
        reason = mr_arena_format(arena,
                                 "the score of %llu synthetic beside %llu real records is %.4g, "
                                 "below %.4g%s%s",
                                 (unsigned long long)sample->rows[1],
                                 (unsigned long long)sample->rows[0], scores->quality,
                                 synthetic->threshold, shapes, trends);
    }
    fields[FIELD_SEVERITY] = static_text(severity);
    fields[FIELD_REASON] = static_text(reason);
    return severity;
}

static void tell(struct synthetic *synthetic, struct mr_slice key,
                 const struct mr_aggregate_span *span, const struct mr_value fields[FIELDS_COUNT],
                 const char *severity, struct mr_arena *arena)
{
    if (fields[FIELD_PASSED].kind != MR_KIND_BOOL || fields[FIELD_PASSED].boolean)
        return;
    struct mr_slice reason = mr_value_text(fields[FIELD_REASON]);
    const double numbers[] = {(double)span->start_ms, (double)span->end_ms,
                              fields[FIELD_SCORE].number};
    uint64_t window = mr_hash64(mr_slice_from(numbers, sizeof(numbers)));
    const struct mr_alert_notice notice = {
        .id = mr_alert_teller_id(&synthetic->teller, key, (int64_t)window),
        .state = "open",
        .severity = severity,
        .message = mr_arena_format(arena, "%.*s", (int)reason.size, (const char *)reason.data),
        .metric_value = fields[FIELD_SCORE].number,
        .threshold = synthetic->threshold,
        .key = key,
        .event_time_ms = span->end_ms - 1};
    mr_alert_batch_add(&synthetic->alerts, &notice);
}

static void synthetic_finish(struct mr_windowing *windowing, struct mr_operator_context *context,
                             struct mr_slice key, const struct mr_aggregate_span *span,
                             struct mr_arena *arena, struct mr_value *results)
{
    MR_UNUSED(context);
    struct synthetic *synthetic = (struct synthetic *)windowing;
    struct mr_value fields[FIELDS_COUNT] = {0};
    struct mr_synthetic_sample sample;
    struct mr_synthetic_window window;
    mr_synthetic_sample_read(results[0], &sample);
    mr_synthetic_window_score(&sample, synthetic->fields, synthetic->distances, arena, &window);
    fields[FIELD_REAL] = mr_value_int((int64_t)sample.rows[0]);
    fields[FIELD_SYNTHETIC] = mr_value_int((int64_t)sample.rows[1]);
    fields[FIELD_SCORE] = number_or_null(window.scores.quality);
    fields[FIELD_SHAPES] = number_or_null(window.scores.shapes);
    fields[FIELD_TRENDS] = number_or_null(window.scores.trends);
    fields[FIELD_VALIDITY] = number_or_null(window.scores.validity);
    fields[FIELD_COVERAGE] = number_or_null(window.scores.coverage);
    fields[FIELD_NEW_ROWS] = score_of(&window.privacy.new_rows);
    fields[FIELD_DISTANCE] = score_of(&window.privacy.baseline);
    fields[FIELD_EXACT] = mr_value_bool(window.error == 0);
    fields[FIELD_ERROR] = mr_value_double(window.error);
    write_details(&window, arena, fields);
    const char *severity = judge(synthetic, &sample, &window, arena, fields);
    memcpy(results, fields, sizeof(fields));
    tell(synthetic, key, span, fields, severity, arena);
}

static const struct mr_windowing_use synthetic_use = {
    .read = synthetic_read, .evaluate = synthetic_evaluate, .finish = synthetic_finish};

/* ---- The operator ---- */

static enum mr_status synthetic_open(void *self, const struct mr_operator_open *open,
                                     struct mr_error *error)
{
    struct synthetic *synthetic = self;
    const struct mr_options *options = &open->node->options;
    synthetic->windowing.use = &synthetic_use;
    synthetic->windowing.has_no_late = true;
    synthetic->threshold = mr_options_number(options, "threshold");
    synthetic->records_min = (uint64_t)mr_options_integer(options, "min_records");
    synthetic->distances = mr_options_boolean(options, "distances");
    synthetic->slots[0] = mr_options_get(options, "fields")->slots;
    synthetic->slots[1] = open->node->twin->slots;
    mr_alert_teller_open(&synthetic->teller, open, OUTPUT_ALERTS);
    return mr_windowing_open(self, open, error);
}

static void begin(struct synthetic *synthetic, struct mr_operator_context *context)
{
    synthetic->alerts = (struct mr_alert_batch){.teller = &synthetic->teller, .context = context};
}

static enum mr_status end(struct synthetic *synthetic, enum mr_status status)
{
    if (status == MR_OK || status == MR_AGAIN)
        mr_alert_batch_end(&synthetic->alerts);
    return status;
}

static enum mr_status synthetic_process(void *self, struct mr_operator_context *context,
                                        uint32_t port, struct mr_view view, struct mr_error *error)
{
    begin(self, context);
    return end(self, mr_windowing_process(self, context, port, view, error));
}

static enum mr_status synthetic_watermark(void *self, struct mr_operator_context *context,
                                          struct mr_error *error)
{
    begin(self, context);
    return end(self, mr_windowing_watermark(self, context, error));
}

static enum mr_status synthetic_describe(const struct mr_state_object *object,
                                         struct mr_arena *arena,
                                         struct mr_state_description *description,
                                         struct mr_error *error)
{
    struct synthetic *synthetic = mr_arena_new(arena, 1, sizeof(*synthetic));
    synthetic->windowing.use = &synthetic_use;
    return mr_windowing_describe_as(&synthetic->windowing, object, arena, description, error);
}

static const struct mr_options *window_options(const struct mr_options *options)
{
    return &mr_options_get(options, "window")->objects[0];
}

/* What a window is made of: each part has a body of its own. */
static uint64_t parts_of(const struct mr_window *window)
{
    if (window->kind == MR_WINDOW_COUNT)
        return mr_windowing_count_parts(window);
    return window->kind == MR_WINDOW_HOPPING ? (uint64_t)(window->size_ms / window->pane_ms) : 1;
}

static void synthetic_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    struct mr_aggregate_call call;
    const struct mr_option_value value = make_call(options, &call);
    struct mr_aggregate_set set;
    struct mr_error error;
    struct mr_window window;
    if (mr_aggregate_set_init(&set, &value, &error) != MR_OK)
        return; /* the check says so */
    mr_window_read(window_options(options), &window);
    mr_windowing_estimate(&window, mr_options_integer(options, "lateness"), &set, estimate);
    uint64_t record_bytes = MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    uint64_t pieces = (uint64_t)set.slots_max * parts_of(&window);
    estimate->object_bytes += pieces * (MR_AGGREGATE_SET_PIECE_BYTES + MR_ESTIMATE_OBJECT_BYTES);
    estimate->stored_bytes += pieces * (MR_AGGREGATE_SET_PIECE_BYTES + record_bytes);
    estimate->changelog_bytes_per_record +=
        PIECES_PER_RECORD * (MR_AGGREGATE_SET_PIECE_BYTES + record_bytes);
}

static enum mr_status check_kinds(const struct mr_options *options, struct mr_error *error)
{
    const struct mr_option_value *kinds = mr_options_get(options, "kinds");
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    for (uint32_t index = 0; kinds->present && index < kinds->count; index++) {
        enum mr_synthetic_kind kind;
        bool is_field = false;
        for (uint32_t field = 0; field < fields->count; field++)
            is_field = is_field || strcmp(fields->texts[field], kinds->names[index]) == 0;
        if (!is_field)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "'%s' is not among the `fields`: name it there too, as it is written "
                           "here",
                           kinds->names[index]);
        if (!find_kind(kinds->texts[index], &kind))
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "'%s' of '%s' is no kind: say numerical, datetime, categorical, "
                           "boolean, ordinal or other",
                           kinds->texts[index], kinds->names[index]);
    }
    return MR_OK;
}

static enum mr_status synthetic_check(const struct mr_options *options, const char **option,
                                      struct mr_error *error)
{
    struct mr_window window;
    *option = "window";
    enum mr_status status = mr_window_check(window_options(options), error);
    if (status != MR_OK)
        return status;
    mr_window_read(window_options(options), &window);
    if (window.kind == MR_WINDOW_SLIDING || window.kind == MR_WINDOW_COUNT)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "two streams are compared by time: say {tumbling: ...}, {hopping: ..., "
                       "every: ...} or {session: ...}");
    *option = "kinds";
    status = check_kinds(options, error);
    if (status != MR_OK)
        return status;
    struct mr_aggregate_call call;
    const struct mr_option_value value = make_call(options, &call);
    struct mr_aggregate_set set;
    *option = "rows";
    return mr_aggregate_set_init(&set, &value, error);
}

static const struct mr_option_spec synthetic_options[] = {
    {.name = "fields",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = MR_SYNTHETIC_SAMPLE_FIELDS_MAX,
     .help = "What is compared: 1 to 31 fields, which the records of both inputs have."},
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .fields = mr_window_options,
     .help = "Which records are compared with each other: tumbling, hopping or session."},
    {.name = "lateness",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0s",
     .minimum = 0,
     .maximum = 366.0 * 86400e3,
     .help = "How long a window stays open behind its end; records are late from then on, and only "
             "counted."},
    {.name = "kinds",
     .type = MR_OPTION_STRING_MAP,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "What fields are, as in {zip: categorical, born: datetime}: numerical, datetime (also "
             "texts in RFC 3339 and dates), categorical, boolean, ordinal, other (not compared). "
             "Of the others the real records' values show it."},
    {.name = "rows",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1000",
     .minimum = 10,
     .maximum = MR_SYNTHETIC_SAMPLE_ROWS_MAX,
     .help =
         "Records of each input that are kept of a window; scores are exact up to it, and those "
         "of a random sample of so many beyond."},
    {.name = "distances",
     .type = MR_OPTION_BOOLEAN,
     .default_text = "false",
     .help =
         "Compare each kept record with each for new_rows and distance: at most rows^2 x fields "
         "steps a window."},
    {.name = "threshold",
     .type = MR_OPTION_SHARE,
     .default_text = "0.8",
     .help = "A window with a lower score has not passed, and is told on `alerts`."},
    {.name = "min_records",
     .type = MR_OPTION_INTEGER,
     .default_text = "20",
     .minimum = 1,
     .maximum = 1e9,
     .help = "Windows with fewer records of either input have scores, and neither pass nor fail."},
    {.name = NULL},
};

static const struct mr_input_spec synthetic_inputs[] = {
    {.option = "real", .required = true, .help = "The real records: NAME or NAME.OUTPUT."},
    {.option = "synthetic", .required = true, .help = "The synthetic ones: NAME or NAME.OUTPUT."},
    {.option = NULL},
};

static const struct mr_output_field synthetic_fields[] = {
    {"window_start", MR_TYPE_INT, "The window's begin, ms since the epoch, inclusive."},
    {"window_end", MR_TYPE_INT, "The window's end, ms since the epoch, exclusive."},
    {"real_records", MR_TYPE_INT, "Real records in the window."},
    {"synthetic_records", MR_TYPE_INT, "Synthetic records in the window."},
    {"passed", MR_TYPE_BOOL,
     "True when the score is not below the threshold; null when there are too few records."},
    {"score", MR_TYPE_DOUBLE,
     "The mean of column_shapes and column_pair_trends, 0 to 1; null when neither can be said."},
    {"severity", MR_TYPE_STRING, "info; warning below the threshold, critical below half of it."},
    {"reason", MR_TYPE_STRING, "Where the window has not passed a sentence with the numbers."},
    {"column_shapes", MR_TYPE_DOUBLE,
     "The mean over the fields of KSComplement (numbers, timestamps) or TVComplement."},
    {"column_pair_trends", MR_TYPE_DOUBLE,
     "The mean over the pairs that count of CorrelationSimilarity or ContingencySimilarity; null "
     "when none counts."},
    {"validity", MR_TYPE_DOUBLE,
     "The mean over the fields of the share of synthetic values within the real ones' range, or of "
     "their categories."},
    {"coverage", MR_TYPE_DOUBLE,
     "The mean over the fields of the share of the real range, or of the real categories, that "
     "synthetic values cover."},
    {"new_rows", MR_TYPE_DOUBLE,
     "With `distances` the share of synthetic records that equal no real one, numbers within 1 %."},
    {"distance", MR_TYPE_DOUBLE,
     "With `distances` the median distance to the closest real record beside that of random ones "
     "(DCRBaselineProtection)."},
    {"exact", MR_TYPE_BOOL, "All records are compared; else samples of `rows` of them."},
    {"error", MR_TYPE_DOUBLE,
     "How far a field's score may be from that of all records, 99 times of 100; 0 when exact."},
    {"fields", MR_TYPE_OBJECT,
     "For each field {kind, metric, score, coverage, validity, missing: {real, synthetic}}; null "
     "where it cannot be computed."},
    {"pairs", MR_TYPE_ANY,
     "A list: for each pair {fields: [a, b], metric, score, counts, real_correlation, "
     "synthetic_correlation, real_association}."},
};

_Static_assert(MR_ARRAY_COUNT(synthetic_fields) == MR_GROUP_TIMES_MAX + FIELDS_COUNT, "fields");

static const struct mr_output_spec synthetic_outputs[] = {
    {.name = "main",
     .help = "One record per key and window, when it is closed: the key's fields and those below. "
             "Its event time is window_end - 1 ms.",
     .fields = synthetic_fields,
     .fields_count = MR_ARRAY_COUNT(synthetic_fields)},
    {.name = "alerts",
     .help = "One alert record per window with a score below the threshold, without a record.",
     .fields = mr_alert_fields,
     .fields_count = MR_ALERT_FIELDS_COUNT},
};

const struct mr_operator_type mr_operator_quality_synthetic = {
    .spec =
        {
            .name = "quality.synthetic",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS | MR_TYPE_TWIN,
            .summary =
                "Scores of each key and window how alike synthetic records are to real ones.",
            .description =
                "The scores are those of sdmetrics 0.32.0, as `millrace report --real A "
                "--synthetic B` has them: the shape of each field, the trends of pairs of fields "
                "(a pair counts when the real records have a correlation beyond 0.5, or Cramer's V "
                "above 0.3), their mean, validity and coverage; with `distances` also whether "
                "synthetic records are copies. A window whose score is below `threshold` raises an "
                "alert. Both inputs are grouped by `key` and must have the `fields`.\n\n"
                "Exact while a window has no more than `rows` records of each input. Beyond, "
                "samples of so many are compared, each record being as likely as any other, the "
                "same ones in every run: `error` says how far a field's score may be from that of "
                "all records, 0.103 with 1,000 of each. Lists, objects, NaN and values that are "
                "not of their field's kind count as missing; texts are told apart by 64 bits of "
                "hash. Late records are only counted.\n\n"
                "State of a key and window: 9 bytes a value and 8 a record of the kept ones, in "
                "pieces of 1 KiB: 160 KiB with 8 fields and `rows: 1000` when both are full. A "
                "record that is kept writes three pieces once per transaction; beyond `rows` few "
                "are. Hopping windows are merged from parts, with the same result.",
            .options = synthetic_options,
            .inputs = synthetic_inputs,
            .outputs = synthetic_outputs,
            .outputs_count = MR_ARRAY_COUNT(synthetic_outputs),
            .state_version = MR_GROUP_OBJECT_VERSION,
            .estimate = synthetic_estimate,
            .check = synthetic_check,
        },
    .instance_size = sizeof(struct synthetic),
    .open = synthetic_open,
    .process = synthetic_process,
    .on_watermark = synthetic_watermark,
    .horizon = mr_windowing_horizon,
    .reach = mr_windowing_reach,
    .close = mr_windowing_close,
    .state_table = groups_table,
    .describe_state = synthetic_describe,
};
