/* operators/quality_score.c — quality.score: the share of a key's last records that no detector
 * finds fault with, and alerts while it is below a threshold.
 * Design: each detector marks a record: `outliers` when a number is far from the median of the last
 * ones in units of their median absolute deviation, `duplicates` when its identity is that of one
 * of the last records. The marks of the last `window` records are counted as they come and go, so
 * that a record costs the same however large the window is. Numbers, identities and marks are rings
 * in slots (value_ring.h), one behind the other; what is sorted of them is derived (key_cache.h)
 * and made again when a key was not among those seen last. An identity is kept as 52 bits of its
 * hash, an exact double: two different ones in a window of 1,000 are taken for the same with a
 * probability of 2e-13 a record. */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "operators/alert_batch.h"
#include "operators/estimate.h"
#include "operators/key_cache.h"
#include "operators/quality_score_object.h"
#include "operators/registry.h"
#include "operators/sorted_window.h"
#include "operators/value_ring.h"
#include "record/json_write.h"

enum { WINDOW_DEFAULT = 1000, OUTPUT_ALERTS = 1, MARK_OUTLIER = 1, MARK_DUPLICATE = 2 };
enum member {
    MEMBER_PASSED,
    MEMBER_SCORE,
    MEMBER_THRESHOLD,
    MEMBER_SEVERITY,
    MEMBER_REASON,
    MEMBER_OUTLIER,
    MEMBER_DUPLICATE,
    MEMBER_OUTLIERS,
    MEMBER_DUPLICATES,
    MEMBER_RECORDS,
    MEMBERS_COUNT
};

/* MAD times this estimates the standard deviation of a normal distribution: 1 / Phi^-1(3/4). */
static const double mad_scale = 1.4826;
static const double number_max = 1e140; /* larger ones are outliers and not learned */

static const char score_table[] = "window";
static const char *const detector_names[] = {"outliers", "duplicates"};

/* Of one key, beside the state: numbers of each field and identities, sorted. */
struct derived {
    uint64_t records; /* as of which */
    double sorted[];  /* capacity for each ring but the marks */
};

struct score {
    const struct mr_plan_node *node;
    struct mr_alert_teller teller;
    struct mr_table *table;
    struct mr_key_cache cache;
    bool finds_outliers;
    bool finds_duplicates;
    uint32_t fields_count;
    const uint32_t *field_slots;
    const char *const *field_texts;
    uint32_t identity_count; /* 0: event time and fields */
    const uint32_t *identity_slots;
    uint32_t capacity;
    uint32_t ring_span; /* numbers from one ring to the next */
    uint64_t warmup;
    double threshold;
    double outlier_threshold;
    double scale_floor;
    int64_t every_ms;
};

/* ---- State ---- */

static enum mr_status score_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                     struct mr_state_description *description,
                                     struct mr_error *error)
{
    struct mr_quality_score_object entry = {0};
    MR_UNUSED(arena);
    if (!mr_quality_score_decode(&entry, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_member(description, "score", mr_value_double(mr_quality_score_of(&entry)));
    mr_describe_member(description, "records", mr_value_uint(entry.counts[MR_QUALITY_SCORE_MARKS]));
    mr_describe_member(description, "outliers", mr_value_uint(entry.outliers));
    mr_describe_member(description, "duplicates", mr_value_uint(entry.duplicates));
    mr_describe_time(description, "latest", entry.latest_ms);
    return MR_OK;
}

/* ---- Opening ---- */

static uint32_t options_capacity(const struct mr_options *options)
{
    if (!mr_options_present(options, "window"))
        return WINDOW_DEFAULT;
    return (uint32_t)mr_options_integer(mr_options_get(options, "window")->objects, "count");
}

/* The detector is among `detectors`, which are all without the option. */
static bool wants(const struct mr_options *options, const char *detector)
{
    const struct mr_option_value *given = mr_options_get(options, "detectors");
    for (uint32_t index = 0; given->present && index < given->count; index++)
        if (strcmp(given->texts[index], detector) == 0)
            return true;
    return !given->present;
}

static uint32_t ring_span(uint32_t capacity)
{
    return mr_value_ring_slots(capacity) * MR_VALUE_RING_SLOT_VALUES;
}

static enum mr_status open_table(struct score *score, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    const struct mr_table_spec spec = {
        .operator_name = node->name,
        .name = score_table,
        .version = MR_QUALITY_SCORE_VERSION,
        .object_size = sizeof(struct mr_quality_score_object),
        .encode = mr_quality_score_encode,
        .encoded_size_max = MR_QUALITY_SCORE_BYTES,
        .decode = mr_quality_score_decode,
        .slot_bytes = MR_VALUE_RING_SLOT_BYTES,
        .slots_max = (score->fields_count + 2u) * mr_value_ring_slots(score->capacity),
        .ttl_ms = node->state_ttl_ms,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
    };
    return mr_table_open(open->state, &spec, &score->table, error);
}

static enum mr_status score_open(void *self, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    struct score *score = self;
    const struct mr_options *options = &open->node->options;
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    const struct mr_option_value *identity = mr_options_get(options, "identity");
    score->node = open->node;
    score->finds_outliers = wants(options, detector_names[0]);
    score->finds_duplicates = wants(options, detector_names[1]);
    score->fields_count = fields->present ? fields->count : 0;
    score->field_slots = fields->slots;
    score->field_texts = fields->texts;
    score->identity_count = identity->present ? identity->count : 0;
    score->identity_slots = identity->slots;
    score->capacity = options_capacity(options);
    score->ring_span = ring_span(score->capacity);
    score->warmup = (uint64_t)mr_options_integer(options, "warmup");
    score->threshold = mr_options_number(options, "threshold");
    score->outlier_threshold = mr_options_number(options, "outlier_threshold");
    score->scale_floor = mr_options_number(options, "scale_floor");
    score->every_ms = mr_options_integer(options, "every");
    mr_alert_teller_open(&score->teller, open, OUTPUT_ALERTS);
    size_t rings = score->fields_count + 1u;
    mr_key_cache_init(&score->cache,
                      sizeof(struct derived) + rings * score->capacity * sizeof(double),
                      MR_KEY_CACHE_BYTES);
    return open_table(score, open, error);
}

static void score_close(void *self)
{
    struct score *score = self;
    mr_key_cache_deinit(&score->cache);
}

/* ---- Windows ---- */

/* The place of a ring among those in use: fields, identities, marks. */
static uint32_t place_of(const struct score *score, uint32_t ring)
{
    return ring < MR_QUALITY_SCORE_FIELDS_MAX
               ? ring
               : score->fields_count + ring - MR_QUALITY_SCORE_FIELDS_MAX;
}

static double *sorted_of(const struct score *score, struct derived *derived, uint32_t ring)
{
    return derived->sorted + (size_t)place_of(score, ring) * score->capacity;
}

static enum mr_status read_ring(const struct score *score, struct mr_quality_score_object *entry,
                                struct derived *derived, uint32_t ring, struct mr_error *error)
{
    double *sorted = sorted_of(score, derived, ring);
    enum mr_status status =
        mr_value_ring_read_from(score->table, entry, place_of(score, ring) * score->ring_span,
                                entry->counts[ring], sorted, error);
    if (status == MR_OK)
        mr_sorted_window_sort(sorted, entry->counts[ring]);
    return status;
}

/* What is sorted of the key's windows. */
static enum mr_status derive(struct score *score, struct mr_quality_score_object *entry,
                             uint64_t hash, struct derived **derived, struct mr_error *error)
{
    bool found;
    enum mr_status status = MR_OK;
    *derived = mr_key_cache_get(&score->cache, hash, &found);
    if (found && (*derived)->records == entry->records)
        return MR_OK;
    for (uint32_t ring = 0; ring < score->fields_count && status == MR_OK; ring++)
        status = read_ring(score, entry, *derived, ring, error);
    if (status == MR_OK)
        status = read_ring(score, entry, *derived, MR_QUALITY_SCORE_IDENTITIES, error);
    (*derived)->records = entry->records;
    return status;
}

/* Put a number into a ring; *left: one fell out, *old. */
static enum mr_status push(const struct score *score, struct mr_quality_score_object *entry,
                           uint32_t ring, double number, double *old, bool *left,
                           struct mr_error *error)
{
    uint32_t *position = &entry->positions[ring];
    enum mr_status status = mr_value_ring_exchange(
        score->table, entry, place_of(score, ring) * score->ring_span + *position, number, old,
        error);
    if (status != MR_OK)
        return status;
    *left = entry->counts[ring] == score->capacity;
    if (!*left)
        entry->counts[ring]++;
    *position = *position + 1 == score->capacity ? 0 : *position + 1;
    return MR_OK;
}

/* The same, with what is sorted of it. */
static enum mr_status push_sorted(const struct score *score, struct mr_quality_score_object *entry,
                                  struct derived *derived, uint32_t ring, double number,
                                  struct mr_error *error)
{
    double old;
    bool left;
    double *sorted = sorted_of(score, derived, ring);
    uint32_t count = entry->counts[ring];
    enum mr_status status = push(score, entry, ring, number, &old, &left, error);
    if (status != MR_OK)
        return status;
    if (left)
        mr_sorted_window_replace(sorted, count, old, number);
    else
        mr_sorted_window_insert(sorted, count, number);
    return MR_OK;
}

static bool is_in(const double *sorted, uint32_t count, double number)
{
    uint32_t low = 0;
    while (low < count) {
        uint32_t middle = low + (count - low) / 2;
        if (sorted[middle] < number)
            low = middle + 1;
        else
            count = middle;
    }
    return sorted[low] == number;
}

/* ---- Detectors ---- */

/* One call of process. */
struct rows {
    struct score *score;
    struct mr_operator_context *context;
    struct mr_batch *batch;
    struct mr_alert_batch alerts;
    const struct mr_value *fields[MR_QUALITY_SCORE_FIELDS_MAX];
    struct mr_value *columns[MEMBERS_COUNT];
};

/* Whether a number is far from those before it; it is learned. What is no number is passed over. */
static enum mr_status judge_number(const struct rows *rows, struct mr_quality_score_object *entry,
                                   struct derived *derived, uint32_t field, uint32_t row,
                                   bool *outlier, struct mr_error *error)
{
    const struct score *score = rows->score;
    uint32_t count = entry->counts[field];
    const double *sorted = sorted_of(score, derived, field);
    double number;
    if (!mr_value_as_double(rows->fields[field][row], &number))
        return MR_OK;
    bool is_armed = count > 0 && count >= score->warmup;
    if (!(fabs(number) <= number_max)) { /* NaN and infinity too */
        *outlier = *outlier || is_armed;
        return MR_OK;
    }
    number += 0.0; /* -0.0 becomes 0.0 */
    if (is_armed) {
        double median = mr_sorted_window_median(sorted, count);
        double scale = mad_scale * mr_sorted_window_mad(sorted, count, median);
        scale = scale < score->scale_floor ? score->scale_floor : scale;
        if (fabs(number - median) / scale > score->outlier_threshold)
            *outlier = true;
    }
    return push_sorted(score, entry, derived, field, number, error);
}

static bool is_missing(struct mr_value cell)
{
    return cell.kind == MR_KIND_ABSENT || cell.kind == MR_KIND_NULL ||
           cell.kind == MR_KIND_REMOVED || cell.kind == MR_KIND_ERROR;
}

static uint64_t hash_cell(struct mr_arena *arena, struct mr_value cell, uint64_t seed)
{
    if (cell.kind == MR_KIND_DOUBLE)
        cell.number += 0.0;
    if (is_missing(cell))
        return mr_hash64_seeded(mr_slice_text("-"), seed);
    uint8_t *text = mr_arena_take(arena, mr_json_write_bound(cell) + MR_JSON_WRITE_SLACK);
    const uint8_t *end = mr_json_write(text, cell);
    struct mr_slice bytes = end == NULL ? mr_slice_text(mr_json_write_refusal(arena, cell))
                                        : mr_slice_from(text, (size_t)(end - text));
    return mr_hash64_seeded(bytes, seed);
}

/* The record's identity as an exact double; false: it has none. */
static bool identify(const struct rows *rows, uint32_t row, double *identity)
{
    const struct score *score = rows->score;
    bool by_fields = score->identity_count == 0;
    uint32_t count = by_fields ? score->fields_count : score->identity_count;
    const uint32_t *slots = by_fields ? score->field_slots : score->identity_slots;
    uint64_t hash = by_fields ? (uint64_t)rows->batch->event_times_ms[row] : 0;
    bool any = false;
    for (uint32_t index = 0; index < count; index++) {
        struct mr_value cell = mr_batch_column(rows->batch, slots[index])[row];
        any = any || !is_missing(cell);
        hash = hash_cell(rows->context->arena, cell, hash);
    }
    *identity = (double)(hash >> 12);
    return any;
}

static enum mr_status judge_identity(const struct rows *rows, struct mr_quality_score_object *entry,
                                     struct derived *derived, uint32_t row, bool *duplicate,
                                     struct mr_error *error)
{
    double identity;
    const double *sorted = sorted_of(rows->score, derived, MR_QUALITY_SCORE_IDENTITIES);
    uint32_t count = entry->counts[MR_QUALITY_SCORE_IDENTITIES];
    if (!identify(rows, row, &identity))
        return MR_OK;
    *duplicate = count > 0 && identity <= sorted[count - 1] && is_in(sorted, count, identity);
    return push_sorted(rows->score, entry, derived, MR_QUALITY_SCORE_IDENTITIES, identity, error);
}

static void count_mark(struct mr_quality_score_object *entry, uint32_t mark, uint32_t by)
{
    if ((mark & MARK_OUTLIER) != 0)
        entry->outliers += by;
    if ((mark & MARK_DUPLICATE) != 0)
        entry->duplicates += by;
    if (mark != 0)
        entry->marked += by;
}

/* Mark the record, and count it in the window. */
static enum mr_status mark_row(const struct rows *rows, struct mr_quality_score_object *entry,
                               uint64_t hash, uint32_t row, uint32_t *mark, struct mr_error *error)
{
    struct score *score = rows->score;
    struct derived *derived;
    bool outlier = false;
    bool duplicate = false;
    double old;
    bool left;
    enum mr_status status = derive(score, entry, hash, &derived, error);
    for (uint32_t field = 0; score->finds_outliers && field < score->fields_count; field++)
        if (status == MR_OK)
            status = judge_number(rows, entry, derived, field, row, &outlier, error);
    if (status == MR_OK && score->finds_duplicates)
        status = judge_identity(rows, entry, derived, row, &duplicate, error);
    *mark = (outlier ? MARK_OUTLIER : 0u) | (duplicate ? MARK_DUPLICATE : 0u);
    if (status == MR_OK)
        status = push(score, entry, MR_QUALITY_SCORE_MARKS, *mark, &old, &left, error);
    if (status != MR_OK)
        return status;
    if (left)
        count_mark(entry, (uint32_t)old, UINT32_MAX); /* one less */
    count_mark(entry, *mark, 1);
    derived->records = ++entry->records;
    return MR_OK;
}

/* ---- What is told ---- */

static struct mr_value static_text(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

static const char *severity_of(const struct score *score, double value)
{
    return value < score->threshold / 2 ? "critical" : "warning";
}

static const char *reason_of(const struct score *score, const struct mr_quality_score_object *entry,
                             struct mr_arena *arena)
{
    return mr_arena_format(arena,
                           "%u of the last %u records are faulty (outliers %u, duplicates %u): the "
                           "score is %.4g, the threshold %.4g",
                           entry->marked, entry->counts[MR_QUALITY_SCORE_MARKS], entry->outliers,
                           entry->duplicates, mr_quality_score_of(entry), score->threshold);
}

/* What the state of the episode becomes with this record; NULL: there is nothing to tell. */
static const char *step_episode(const struct score *score, struct mr_quality_score_object *entry,
                                bool is_below, int64_t time_ms)
{
    double value = mr_quality_score_of(entry);
    entry->latest_ms =
        entry->records == 1 || time_ms > entry->latest_ms ? time_ms : entry->latest_ms;
    bool may_tell = !entry->alerted || (uint64_t)entry->latest_ms - (uint64_t)entry->alerted_ms >=
                                           (uint64_t)score->every_ms;
    const char *state = NULL;
    if (!may_tell)
        return NULL;
    if (is_below && !entry->open) {
        state = "open";
        entry->episodes++;
    } else if (is_below && value < entry->lowest) {
        state = "update";
    } else if (!is_below && entry->open) {
        state = "resolved";
    }
    if (state == NULL)
        return NULL;
    entry->open = is_below;
    entry->lowest = value;
    entry->alerted = true;
    entry->alerted_ms = entry->latest_ms;
    return state;
}

static void write_row(const struct rows *rows, const struct mr_quality_score_object *entry,
                      uint32_t row, uint32_t mark, bool is_below, const char *reason)
{
    struct mr_value *const *columns = rows->columns;
    double value = mr_quality_score_of(entry);
    columns[MEMBER_PASSED][row] = mr_value_bool(!is_below);
    columns[MEMBER_SCORE][row] = mr_value_double(value);
    columns[MEMBER_THRESHOLD][row] = mr_value_double(rows->score->threshold);
    columns[MEMBER_SEVERITY][row] =
        static_text(is_below ? severity_of(rows->score, value) : "info");
    columns[MEMBER_REASON][row] = static_text(reason);
    columns[MEMBER_OUTLIER][row] = mr_value_bool((mark & MARK_OUTLIER) != 0);
    columns[MEMBER_DUPLICATE][row] = mr_value_bool((mark & MARK_DUPLICATE) != 0);
    columns[MEMBER_OUTLIERS][row] = mr_value_int(entry->outliers);
    columns[MEMBER_DUPLICATES][row] = mr_value_int(entry->duplicates);
    columns[MEMBER_RECORDS][row] = mr_value_int(entry->counts[MR_QUALITY_SCORE_MARKS]);
}

static enum mr_status take_row(struct rows *rows, uint32_t row, struct mr_slice key, uint64_t hash,
                               struct mr_error *error)
{
    struct score *score = rows->score;
    int64_t time_ms = rows->batch->event_times_ms[row];
    uint32_t mark = 0;
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(score->table, key, hash, time_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct mr_quality_score_object *entry = object;
    status = mark_row(rows, entry, hash, row, &mark, error);
    if (status != MR_OK)
        return status;
    bool is_below = entry->counts[MR_QUALITY_SCORE_MARKS] >= score->warmup &&
                    mr_quality_score_of(entry) < score->threshold;
    const char *state = step_episode(score, entry, is_below, time_ms);
    const char *reason =
        is_below || state != NULL ? reason_of(score, entry, rows->context->arena) : "";
    mr_table_dirty(score->table, entry);
    write_row(rows, entry, row, mark, is_below, is_below ? reason : "");
    if (state == NULL)
        return MR_OK;
    const struct mr_alert_notice notice = {
        .id = mr_alert_teller_id(&score->teller, key, (int64_t)entry->episodes),
        .state = state,
        .severity = is_below ? severity_of(score, mr_quality_score_of(entry)) : "info",
        .message = reason,
        .metric_value = mr_quality_score_of(entry),
        .threshold = score->threshold,
        .key = key,
        .about_row = true,
        .row = row,
    };
    mr_alert_batch_add(&rows->alerts, &notice); /* the object is not valid any more */
    return MR_OK;
}

static enum mr_status score_process(void *self, struct mr_operator_context *context, uint32_t port,
                                    struct mr_view view, struct mr_error *error)
{
    struct score *score = self;
    struct mr_view keyed;
    struct rows rows = {
        .score = score,
        .context = context,
        .batch = view.batch,
        .alerts = {.teller = &score->teller, .context = context, .cause = view.batch},
    };
    MR_UNUSED(port);
    const struct mr_slice *keys = mr_operator_keys(context, score->node, view, &keyed);
    uint64_t *hashes = mr_arena_take(context->arena, (keyed.rows_count + 1u) * sizeof(*hashes));
    for (uint32_t place = 0; place < keyed.rows_count; place++)
        hashes[place] = mr_hash64(keys[keyed.rows[place]]);
    for (uint32_t field = 0; field < score->fields_count; field++)
        rows.fields[field] = mr_batch_column(view.batch, score->field_slots[field]);
    for (uint32_t member = 0; member < MEMBERS_COUNT; member++)
        rows.columns[member] = mr_batch_column(view.batch, score->node->added_slots[member]);
    for (uint32_t place = 0; place < keyed.rows_count; place++) {
        uint32_t row = keyed.rows[place];
        mr_table_prefetch(score->table, hashes, keyed.rows_count, place);
        enum mr_status status = take_row(&rows, row, keys[row], hashes[place], error);
        if (status != MR_OK)
            return status;
    }
    mr_alert_batch_end(&rows.alerts);
    mr_operator_emit(context, 0, keyed);
    return MR_OK;
}

static enum mr_status score_watermark(void *self, struct mr_operator_context *context,
                                      struct mr_error *error)
{
    struct score *score = self;
    return mr_table_expire(score->table, context->watermark_ms, error);
}

/* ---- The type ---- */

static enum mr_status score_check(const struct mr_options *options, const char **option,
                                  struct mr_error *error)
{
    const struct mr_option_value *detectors = mr_options_get(options, "detectors");
    bool has_fields = mr_options_present(options, "fields");
    *option = "detectors";
    for (uint32_t index = 0; detectors->present && index < detectors->count; index++) {
        const char *name = detectors->texts[index];
        if (strcmp(name, detector_names[0]) != 0 && strcmp(name, detector_names[1]) != 0)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "there is no detector '%s' here: outliers and duplicates are", name);
    }
    *option = "fields";
    if (wants(options, detector_names[0]) && !has_fields)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "outliers are looked for in numbers: name them, as in fields: [value], or "
                       "say detectors: [duplicates]");
    *option = "identity";
    if (!has_fields && !mr_options_present(options, "identity"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "duplicates are records with the same identity: name its fields, as in "
                       "identity: [id]");
    *option = "warmup";
    if (mr_options_integer(options, "warmup") > (int64_t)options_capacity(options))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a warm-up of %lld records never ends in a window of %u records",
                       (long long)mr_options_integer(options, "warmup"), options_capacity(options));
    return MR_OK;
}

static void score_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    uint32_t rings = (fields->present ? fields->count : 0) + 2;
    mr_estimate_slots(sizeof(struct mr_quality_score_object), MR_QUALITY_SCORE_BYTES,
                      MR_VALUE_RING_SLOT_BYTES,
                      (size_t)rings * mr_value_ring_slots(options_capacity(options)), estimate);
    estimate->changelog_bytes_per_record +=
        (rings - 1u) *
        (uint64_t)(MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES + MR_VALUE_RING_SLOT_BYTES);
}

static const struct mr_option_spec window_fields[] = {
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1000",
     .minimum = 2,
     .maximum = MR_QUALITY_SCORE_WINDOW_MAX,
     .help = "How many of the key's last records count, 2 to 2,000."},
    {.name = NULL},
};

static const struct mr_option_spec score_options[] = {
    {.name = "fields",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_STATE_BOUND | MR_OPTION_NUMERIC,
     .minimum = 1,
     .maximum = MR_QUALITY_SCORE_FIELDS_MAX,
     .help = "The numbers in which outliers are looked for, each for itself; 1 to 8."},
    {.name = "identity",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 32,
     .help = "The fields that make a record the same as another one. Default: event time and "
             "`fields`."},
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_STATE_BOUND,
     .fields = window_fields,
     .help = "The key's last records that count. Default: the last 1,000."},
    {.name = "threshold",
     .type = MR_OPTION_SHARE,
     .default_text = "0.8",
     .minimum = 0,
     .maximum = 1,
     .help = "An alert is raised when the score is below this."},
    {.name = "every",
     .type = MR_OPTION_DURATION,
     .default_text = "1s",
     .minimum = 0,
     .maximum = 366.0 * 86400e3,
     .help = "Alerts of a key are at least so far apart, in event time."},
    {.name = "detectors",
     .type = MR_OPTION_STRINGS,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 2,
     .help = "What a record is found fault with for: outliers, duplicates. Default: both."},
    {.name = "warmup",
     .type = MR_OPTION_INTEGER,
     .default_text = "30",
     .minimum = 1,
     .maximum = MR_QUALITY_SCORE_WINDOW_MAX,
     .help = "Records of a key before outliers are told and alerts raised."},
    {.name = "outlier_threshold",
     .type = MR_OPTION_NUMBER,
     .default_text = "3.5",
     .minimum = 0,
     .maximum = 1e300,
     .help =
         "A number is an outlier when it is farther from the median of the last ones than this, "
         "in robust standard deviations (1.4826 times the median absolute deviation)."},
    {.name = "scale_floor",
     .type = MR_OPTION_NUMBER,
     .default_text = "1e-9",
     .minimum = 1e-300,
     .maximum = 1e300,
     .help =
         "The least standard deviation to divide by, in the field's unit: with constant numbers "
         "any other one is an outlier."},
    {.name = NULL},
};

static const struct mr_output_field score_fields[MEMBERS_COUNT] = {
    {"passed", MR_TYPE_BOOL, "True while the score is not below the threshold."},
    {"score", MR_TYPE_DOUBLE,
     "The share of the last records, this one included, that no detector finds fault with."},
    {"threshold", MR_TYPE_DOUBLE, "What the score is compared with."},
    {"severity", MR_TYPE_STRING,
     "info; warning below the threshold; critical below half of the threshold."},
    {"reason", MR_TYPE_STRING, "Below the threshold a sentence with the numbers, else empty."},
    {"outlier", MR_TYPE_BOOL, "A number of this record is an outlier."},
    {"duplicate", MR_TYPE_BOOL, "This record's identity is that of one of the last ones."},
    {"outliers", MR_TYPE_INT, "Outliers among the last records."},
    {"duplicates", MR_TYPE_INT, "Duplicates among the last records."},
    {"records", MR_TYPE_INT, "How many the last records are."},
};

static const struct mr_input_spec score_inputs[] = {
    {.option = "from", .required = true, .help = "The input: NAME or NAME.OUTPUT."},
    {.option = NULL},
};

static const struct mr_output_spec score_outputs[] = {
    {.name = "main", .help = "Every record, with the object added."},
    {.name = "alerts",
     .help = "An alert record when the score falls below the threshold (open), when it is lower "
             "than in all alerts of the episode before (update), when it is back (resolved); "
             "metric_value is the score.",
     .fields = mr_alert_fields,
     .fields_count = MR_ALERT_FIELDS_COUNT},
};

const struct mr_operator_type mr_operator_quality_score = {
    .spec =
        {
            .name = "quality.score",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary =
                "Keeps a rolling quality score of each key's last records, and raises alerts "
                "while it is low.",
            .description =
                "The score is the share of the key's last records (`window`, 1,000) that are "
                "neither outliers nor duplicates. A number is an outlier when it is far from the "
                "median of the numbers before it, measured by their median absolute deviation, "
                "which a few outliers do not move; a record is a duplicate when one of the last "
                "has its `identity`. A record that is both counts once.\n\n"
                "The score is compared with `threshold` at each record, so that a fall is told at "
                "once; alerts of a key are at least `every` apart in event time. The alerts of an "
                "episode have one id. A number that is missing, and a text in its place, are "
                "passed over: quality.rules and quality.profile judge these. NaN, infinity and "
                "numbers beyond 1e140 are outliers, and not learned.\n\n"
                "Use it for one figure to watch. For rules that are known use quality.rules, to "
                "keep faulty records out quality.checkpoint. State: 133 bytes a key, and 8 bytes a "
                "record of the window for each field, the identity and the mark. What is sorted is "
                "kept beside the state for the 64 keys seen last: with more keys in turns a record "
                "costs a sort of the window.",
            .options = score_options,
            .inputs = score_inputs,
            .outputs = score_outputs,
            .outputs_count = MR_ARRAY_COUNT(score_outputs),
            .as_default = "quality",
            .added_fields = score_fields,
            .added_fields_count = MEMBERS_COUNT,
            .state_version = MR_QUALITY_SCORE_VERSION,
            .estimate = score_estimate,
            .check = score_check,
        },
    .instance_size = sizeof(struct score),
    .open = score_open,
    .process = score_process,
    .on_watermark = score_watermark,
    .close = score_close,
    .state_table = score_table,
    .describe_state = score_describe,
};
