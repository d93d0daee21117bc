/* operators/detect_rate.c — detect.rate: events per window against the key's own history.
 * Design: per key the counts of its open windows and the moments of those that are closed, in a
 * timed table (operators/rate_key.h); a key is due when its first open window is to be closed, at
 * end + lateness. A window is then judged, learned, and leaves as a record; the key is due again
 * with the next one, whether or not records came: a window without any counts 0, up to `max_empty`
 * of them in a row. What is due leaves in the order of (time, key). Of the first window of a key
 * only a part was seen, as a rule: it is neither judged nor learned. A record is late when its
 * window would be closed by its own watermark. A key has at most MR_RATE_ENTRIES_MAX windows with
 * records that wait; with one more the earliest is closed at once.
 * Control: an order is about the windows that are closed behind it; what its own watermark makes
 * due is closed before. A reset forgets the history and goes on with what is counted. */
#include "operators/detector.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "operators/alert_batch.h"
#include "operators/group_key.h"
#include "operators/rate_key.h"
#include "operators/registry.h"
#include "operators/window_time.h"

enum {
    LATENESS_WINDOWS_MAX = 12,
    KEY_FIELDS_MAX = 32,
    OUTPUT_ALERTS = 1,
    OUTPUT_LATE = 2,
    ROWS_FIRST = 64,
    ROWS_FACTOR = 8
};
enum rate_field { FIELD_START, FIELD_END, FIELD_COUNT, FIELD_ANOMALY, FIELDS_COUNT };

static const char *const directions[] = {"both", "more", "fewer", NULL};

struct rate {
    const struct mr_plan_node *node;
    struct mr_alert_teller teller;
    struct mr_table *table;
    struct mr_window_grid grid;
    const uint32_t *slots; /* of the main output's fields */
    enum mr_type_code key_types[KEY_FIELDS_MAX];
    uint32_t key_count;
    int32_t partition;
    int64_t lateness_ms;
    uint64_t warmup;
    uint32_t max_empty;
    double keep;
    double threshold;
    double warning_from;  /* score; NAN: the threshold */
    double critical_from; /* score; NAN: twice the threshold */
    enum mr_rate_direction direction;
    enum mr_detector_learn learn;
};

/* ---- Opening ---- */

static const struct mr_options *window_options(const struct mr_options *options)
{
    return &mr_options_get(options, "window")->objects[0];
}

static void open_output(struct rate *rate, const struct mr_operator_open *open)
{
    const struct mr_plan_node *node = open->node;
    const struct mr_plan_domain *domain = &open->plan->domains[node->outputs[0].domain];
    rate->node = node;
    rate->partition = open->partition;
    rate->slots = domain->field_slots;
    rate->key_count = node->key.slots_count;
    MR_ASSERT(rate->key_count <= KEY_FIELDS_MAX);
    MR_ASSERT(domain->field_slots_count == rate->key_count + FIELDS_COUNT);
    for (uint32_t field = 0; field < rate->key_count; field++)
        rate->key_types[field] = domain->field_types[field];
    mr_alert_teller_open(&rate->teller, open, OUTPUT_ALERTS);
}

static void open_bands(struct rate *rate, const struct mr_options *options)
{
    rate->warning_from = NAN;
    rate->critical_from = NAN;
    if (!mr_options_present(options, "bands"))
        return;
    const struct mr_options *bands = mr_options_get(options, "bands")->objects;
    if (mr_options_present(bands, "warning"))
        rate->warning_from = mr_options_number(bands, "warning");
    if (mr_options_present(bands, "critical"))
        rate->critical_from = mr_options_number(bands, "critical");
}

static enum mr_status rate_open(void *self, const struct mr_operator_open *open,
                                struct mr_error *error)
{
    struct rate *rate = self;
    const struct mr_plan_node *node = open->node;
    const struct mr_options *options = &node->options;
    struct mr_window window;
    open_output(rate, open);
    mr_window_read(window_options(options), &window);
    mr_window_grid_init(&rate->grid, &window);
    rate->lateness_ms = mr_options_integer(options, "lateness");
    rate->warmup = (uint64_t)mr_options_integer(options, "warmup");
    rate->max_empty = (uint32_t)mr_options_integer(options, "max_empty");
    if (node->state_ttl_ms > 0 && node->state_ttl_ms / window.size_ms < rate->max_empty)
        rate->max_empty = (uint32_t)(node->state_ttl_ms / window.size_ms);
    rate->keep = mr_options_present(options, "decay") ? 1 - mr_options_number(options, "decay") : 1;
    rate->threshold = mr_options_number(options, "threshold");
    open_bands(rate, options);
    rate->direction = (enum mr_rate_direction)mr_options_integer(options, "direction");
    rate->learn = (enum mr_detector_learn)mr_options_integer(options, "learn");
    return mr_rate_table_open(open, &rate->table, error);
}

static void rate_close(void *self)
{
    MR_UNUSED(self); /* the table belongs to the state */
}

/* ---- Judging ---- */

/* ---- Rows out ---- */

struct rate_rows {
    struct rate *rate;
    struct mr_operator_context *context;
    struct mr_batch *batch; /* NULL: none */
    uint32_t rows_next;
    struct mr_alert_batch alerts;
    uint32_t judged_counts[MR_DETECTOR_STATES_COUNT];
};

static void rows_begin(struct rate_rows *rows, struct rate *rate,
                       struct mr_operator_context *context)
{
    *rows = (struct rate_rows){.rate = rate,
                               .context = context,
                               .rows_next = ROWS_FIRST,
                               .alerts = {.teller = &rate->teller, .context = context}};
}

static void rows_emit(struct rate_rows *rows)
{
    mr_alert_batch_end(&rows->alerts);
    if (rows->batch == NULL)
        return;
    struct mr_view view = mr_batch_view(rows->batch);
    rows->batch = NULL;
    mr_operator_judged(rows->context, rows->judged_counts);
    memset(rows->judged_counts, 0, sizeof(rows->judged_counts));
    mr_operator_emit(rows->context, 0, view);
}

static struct mr_value static_text(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

static const char *reason_of(const struct rate *rate, struct mr_arena *arena,
                             const struct mr_rate_result *result)
{
    bool more = (double)result->count > result->expected;
    return mr_arena_format(
        arena,
        "%llu records in the window, where %.4g are expected (sd %.4g of %llu "
        "windows): so %s have probability %.3g; the score is %.4g, the threshold "
        "%.6g",
        (unsigned long long)result->count, result->expected, result->sd,
        (unsigned long long)result->learned, more ? "many" : "few", result->p_value, result->score,
        rate->threshold);
}

static const char *severity_of(const struct rate *rate, double score)
{
    double critical = isnan(rate->critical_from) ? 2 * rate->threshold : rate->critical_from;
    if (score >= critical)
        return "critical";
    return score < rate->warning_from ? "info" : "warning"; /* NAN: a warning */
}

/* What is found, as the object `anomaly`. */
static struct mr_value anomaly_of(struct rate_rows *rows, const struct mr_rate_result *result,
                                  const char **severity, const char **reason)
{
    const struct rate *rate = rows->rate;
    struct mr_arena *arena = rows->batch->arena;
    bool is_anomaly = result->score > rate->threshold && !result->is_muted;
    enum mr_detector_state state = result->is_armed ? MR_DETECTOR_ARMED : MR_DETECTOR_LEARNING;
    if (result->is_muted)
        state = MR_DETECTOR_MUTED;
    *severity = is_anomaly ? severity_of(rate, result->score) : "info";
    *reason = is_anomaly ? reason_of(rate, arena, result) : "";
    const struct {
        const char *name;
        struct mr_value value;
    } members[] = {
        {"score", mr_value_double(result->score)},
        {"threshold", mr_value_double(rate->threshold)},
        {"is_anomaly", mr_value_bool(is_anomaly)},
        {"severity", static_text(*severity)},
        {"reason", static_text(*reason)},
        {"detector", static_text(rate->node->type->name)},
        {"p_value", result->is_armed ? mr_value_double(result->p_value) : mr_value_null()},
        {"state", static_text(mr_detector_states[state])},
        {"expected", mr_value_double(result->expected)},
        {"sd", mr_value_double(result->sd)},
        {"windows", mr_value_int((int64_t)result->learned)},
    };
    const uint32_t count = MR_ARRAY_COUNT(members);
    struct mr_map_entry *entries = mr_arena_take(arena, count * sizeof(*entries));
    for (uint32_t index = 0; index < count; index++)
        entries[index] =
            (struct mr_map_entry){static_text(members[index].name), members[index].value};
    rows->judged_counts[state]++;
    return (struct mr_value){.kind = MR_KIND_MAP, .size = count, .entries = entries};
}

static void open_batch(struct rate_rows *rows)
{
    if (rows->batch != NULL)
        return;
    rows->batch = mr_operator_batch_new(rows->context, 0, NULL, rows->rows_next);
    rows->batch->origin = (struct mr_origin){rows->rate->node->name, rows->rate->partition};
    rows->rows_next *= ROWS_FACTOR;
    if (rows->rows_next > MR_LIMIT_BATCH_ROWS)
        rows->rows_next = MR_LIMIT_BATCH_ROWS;
}

/* Write a closed window, and its alert. Pointers into the state are not valid any more. */
static void rows_add(struct rate_rows *rows, struct mr_slice key,
                     const struct mr_rate_result *result)
{
    const struct rate *rate = rows->rate;
    int64_t start_ms = mr_window_start_ms(&rate->grid, result->window);
    int64_t end_ms = mr_window_end_ms(&rate->grid, result->window);
    const char *severity;
    const char *reason;
    open_batch(rows);
    struct mr_batch *batch = rows->batch;
    uint32_t row = batch->rows_count++;
    if (row == 0) /* names the rows, for ids and randomness behind */
        batch->sequence_first = mr_hash64_seeded(key, (uint64_t)end_ms);
    struct mr_value fields[KEY_FIELDS_MAX];
    bool read = mr_group_key_read(key, rate->key_types, rate->key_count, batch->arena, fields);
    MR_ASSERT(read); /* made by mr_batch_key */
    for (uint32_t field = 0; field < rate->key_count; field++)
        mr_batch_column(batch, rate->slots[field])[row] = fields[field];
    const struct mr_value cells[FIELDS_COUNT] = {
        [FIELD_START] = mr_value_int(start_ms),
        [FIELD_END] = mr_value_int(end_ms),
        [FIELD_COUNT] = mr_value_int((int64_t)result->count),
        [FIELD_ANOMALY] = anomaly_of(rows, result, &severity, &reason),
    };
    for (uint32_t field = 0; field < FIELDS_COUNT; field++)
        mr_batch_column(batch, rate->slots[rate->key_count + field])[row] = cells[field];
    batch->offsets[row] = -1;
    batch->timestamps_ms[row] = end_ms - 1;
    batch->event_times_ms[row] = end_ms - 1;
    batch->message_keys[row] = (struct mr_slice){0};
    batch->key_nulls[row] = true;
    batch->payloads[row] = mr_slice_text("{}");
    batch->payload_nulls[row] = false;
    if (reason[0] != '\0') {
        const struct mr_alert_notice notice = {
            .id = mr_alert_teller_id(&rate->teller, key, start_ms),
            .state = "open",
            .severity = severity,
            .message = reason,
            .metric_value = result->score,
            .threshold = rate->threshold,
            .key = key,
            .event_time_ms = end_ms - 1,
        };
        mr_alert_batch_add(&rows->alerts, &notice);
    }
    if (batch->rows_count == batch->rows_capacity)
        rows_emit(rows);
}

/* ---- Closing ---- */

static int64_t close_ms(const struct rate *rate, int64_t window)
{
    return mr_window_end_ms(&rate->grid, window) + rate->lateness_ms;
}

static void settle(const struct rate *rate, struct mr_rate_key *entry)
{
    mr_table_schedule(rate->table, entry, close_ms(rate, entry->next));
}

static void learn(const struct rate *rate, struct mr_rate_key *entry,
                  const struct mr_rate_result *result, int64_t time_ms)
{
    bool learns = rate->learn == MR_LEARN_ALWAYS || !result->is_armed ||
                  (rate->learn == MR_LEARN_NORMAL_ONLY && result->score <= rate->threshold);
    if (entry->partial || !learns || mr_control_hold_lasts(&entry->hold, MR_HOLD_FROZEN, time_ms))
        return;
    mr_decayed_moments_learn(&entry->moments, (double)result->count, rate->keep);
    entry->learned++;
}

/* The key had nothing for too long, or is reset: it is forgotten, or begins anew with what waits.
 */
static enum mr_status forget(struct rate *rate, struct mr_rate_key *entry, struct mr_slice key,
                             uint64_t hash, struct mr_error *error)
{
    if (entry->entries_count == 0)
        return mr_table_remove(rate->table, key, hash, error);
    mr_rate_key_restart(entry);
    settle(rate, entry);
    return MR_OK;
}

/* Close the key's next window. The object is not valid any more. */
static enum mr_status close_next(struct rate_rows *rows, struct mr_rate_key *entry,
                                 struct mr_slice key, uint64_t hash, struct mr_error *error)
{
    struct rate *rate = rows->rate;
    if (entry->is_named)
        return mr_table_remove(rate->table, key, hash, error);
    struct mr_rate_result result = {.window = entry->next, .count = mr_rate_key_take(entry)};
    int64_t time_ms = mr_window_end_ms(&rate->grid, entry->next) - 1;
    entry->empty = result.count == 0 ? entry->empty + 1 : 0;
    if (entry->empty > rate->max_empty)
        return forget(rate, entry, key, hash, error);
    if (rate->node->control == NULL) /* nobody could unfreeze or unmute it */
        entry->hold = (struct mr_control_hold){0};
    mr_rate_key_judge(entry, rate->warmup, rate->direction, &result);
    result.is_muted = mr_control_hold_lasts(&entry->hold, MR_HOLD_MUTED, time_ms);
    learn(rate, entry, &result, time_ms);
    mr_control_hold_wake(&entry->hold, time_ms);
    entry->partial = false;
    entry->next++;
    settle(rate, entry);
    rows_add(rows, key, &result);
    return MR_OK;
}

/* Close what is due, of all keys. MR_AGAIN: there is more (in_parts), and enough for one call. */
static enum mr_status close_due(struct rate_rows *rows, int64_t watermark_ms, bool in_parts,
                                struct mr_error *error)
{
    struct rate *rate = rows->rate;
    enum mr_status status = MR_OK;
    while (status == MR_OK) {
        struct mr_slice key;
        uint64_t hash;
        void *object;
        bool found;
        status = mr_table_next_due(rate->table, watermark_ms, &key, &hash, &object, &found, error);
        if (status != MR_OK || !found)
            break;
        struct mr_rate_key *entry = object;
        if (close_ms(rate, entry->next) > watermark_ms) {
            settle(rate, entry); /* the options, or the rules of its time zone, are others now */
            continue;
        }
        /* The key's bytes are the object's: they go with it. */
        status = close_next(rows, entry, mr_arena_copy(rows->context->arena, key), hash, error);
        if (status == MR_OK && in_parts && mr_operator_is_enough(rows->context))
            status = MR_AGAIN;
    }
    return status;
}

static enum mr_status rate_watermark(void *self, struct mr_operator_context *context,
                                     struct mr_error *error)
{
    struct rate_rows rows;
    rows_begin(&rows, self, context);
    enum mr_status status = close_due(&rows, context->watermark_ms, true, error);
    if (status == MR_OK || status == MR_AGAIN)
        rows_emit(&rows);
    return status;
}

/* ---- Control records ---- */

static enum mr_status obey(struct rate *rate, struct mr_slice key, int64_t time_ms,
                           const struct mr_control_order *order, struct mr_error *error)
{
    bool holds = order->action == MR_CONTROL_FREEZE || order->action == MR_CONTROL_MUTE;
    uint64_t hash = mr_hash64(key);
    void *object;
    bool created = false;
    enum mr_status status =
        holds ? mr_table_get(rate->table, key, hash, time_ms, &object, &created, error)
              : mr_table_find(rate->table, key, hash, &object, error);
    if (status != MR_OK) /* an order that asks for nothing that would be kept */
        return status == MR_NOT_FOUND ? MR_OK : status;
    struct mr_rate_key *entry = object;
    if (order->action == MR_CONTROL_RESET)
        return forget(rate, entry, key, hash, error);
    if (created) {
        entry->is_named = true;
        entry->next = mr_window_pane(&rate->grid, time_ms) + rate->max_empty;
        settle(rate, entry);
    }
    mr_control_hold_apply(&entry->hold, order);
    if (entry->is_named && entry->hold.flags == 0)
        return mr_table_remove(rate->table, key, hash, error);
    mr_table_dirty(rate->table, entry);
    return MR_OK;
}

static enum mr_status control(struct rate *rate, struct mr_operator_context *context,
                              struct mr_view view, struct mr_error *error)
{
    const struct mr_slice *keys =
        mr_operator_keys_of(context, &rate->node->control->key, view, &view);
    struct rate_rows rows;
    enum mr_status status = MR_OK;
    rows_begin(&rows, rate, context);
    for (uint32_t index = 0; index < view.rows_count && status == MR_OK; index++) {
        uint32_t row = view.rows[index];
        struct mr_control_order order;
        if (!mr_control_read(rate->node, context, view.batch, row, &order))
            continue;
        status = close_due(&rows, mr_operator_row_watermark(view.batch, row), false, error);
        if (status == MR_OK)
            status = obey(rate, keys[row], view.batch->event_times_ms[row], &order, error);
    }
    if (status == MR_OK)
        rows_emit(&rows);
    return status;
}

/* ---- Rows in ---- */

static enum mr_status take_row(struct rate_rows *rows, const struct mr_batch *batch, uint32_t row,
                               struct mr_slice key, uint64_t hash, bool *late,
                               struct mr_error *error)
{
    struct rate *rate = rows->rate;
    int64_t time_ms = batch->event_times_ms[row];
    int64_t window = mr_window_pane(&rate->grid, time_ms);
    *late = close_ms(rate, window) <= mr_operator_row_watermark(batch, row);
    if (*late)
        return MR_OK;
    for (;;) {
        void *object;
        bool created;
        enum mr_status status =
            mr_table_get(rate->table, key, hash, time_ms, &object, &created, error);
        if (status != MR_OK)
            return status;
        struct mr_rate_key *entry = object;
        if (created || entry->is_named || (entry->partial && window < entry->next)) {
            entry->partial = true;
            entry->is_named = false;
            entry->next = window;
        }
        *late = window < entry->next;
        if (*late)
            return MR_OK;
        if (mr_rate_key_count(entry, window)) {
            settle(rate, entry);
            return MR_OK;
        }
        status = close_next(rows, entry, key, hash, error);
        if (status != MR_OK)
            return status;
    }
}

static enum mr_status rate_process(void *self, struct mr_operator_context *context, uint32_t port,
                                   struct mr_view view, struct mr_error *error)
{
    struct rate *rate = self;
    if (port != 0)
        return control(rate, context, view, error);
    struct mr_view keyed;
    struct rate_rows rows;
    const struct mr_slice *keys = mr_operator_keys(context, rate->node, view, &keyed);
    uint16_t *lates = mr_arena_take(context->arena, (keyed.rows_count + 1u) * sizeof(*lates));
    uint64_t *hashes = mr_arena_take(context->arena, (keyed.rows_count + 1u) * sizeof(*hashes));
    uint32_t lates_count = 0;
    for (uint32_t index = 0; index < keyed.rows_count; index++)
        hashes[index] = mr_hash64(keys[keyed.rows[index]]);
    rows_begin(&rows, rate, context);
    for (uint32_t index = 0; index < keyed.rows_count; index++) {
        uint16_t row = keyed.rows[index];
        bool late;
        mr_table_prefetch(rate->table, hashes, keyed.rows_count, index);
        enum mr_status status =
            take_row(&rows, view.batch, row, keys[row], hashes[index], &late, error);
        if (status != MR_OK)
            return status;
        if (late)
            lates[lates_count++] = row;
    }
    rows_emit(&rows);
    if (lates_count > 0) {
        mr_operator_late(context, lates_count);
        mr_operator_emit(context, OUTPUT_LATE, (struct mr_view){view.batch, lates, lates_count});
    }
    return MR_OK;
}

/* ---- The type ---- */

static struct mr_operator_reach rate_reach(const struct mr_plan_node *node)
{
    struct mr_window window;
    mr_window_read(window_options(&node->options), &window);
    int64_t lateness_ms = mr_options_integer(&node->options, "lateness");
    if (window.zone != NULL)
        window.size_ms += window.zone->spread_ms; /* a day may be so much longer */
    return (struct mr_operator_reach){.open_ms = window.size_ms + lateness_ms,
                                      .held_ms = lateness_ms};
}

static enum mr_status rate_check(const struct mr_options *options, const char **option,
                                 struct mr_error *error)
{
    struct mr_window window;
    *option = "window";
    enum mr_status status = mr_window_check(window_options(options), error);
    if (status != MR_OK)
        return status;
    mr_window_read(window_options(options), &window);
    if (window.kind != MR_WINDOW_TUMBLING)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "records are counted in windows one behind the other: say {tumbling: ...}");
    *option = "lateness";
    if (mr_options_integer(options, "lateness") > LATENESS_WINDOWS_MAX * window.size_ms)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "at most %d windows may wait for late records: make `lateness` shorter, or "
                       "the window longer",
                       LATENESS_WINDOWS_MAX);
    return mr_detector_check(options, option, error);
}

static const struct mr_option_spec rate_options[] = {
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .fields = mr_window_options,
     .help = "What is counted together: {tumbling: 1m}, with offset and zone."},
    {.name = "lateness",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0s",
     .minimum = 0,
     .maximum = 366.0 * 86400e3,
     .help = "How long a window stays open behind its end; records are late from then on. At most "
             "12 windows."},
    MR_DETECTOR_OPTION_THRESHOLD(
        "3.0", "A window is an anomaly when its score is above this: 3 is one window in a "
               "thousand."),
    {.name = "warmup",
     .type = MR_OPTION_INTEGER,
     .default_text = "20",
     .minimum = 2,
     .maximum = 1e6,
     .help = "Windows of a key that are only learned: their score is 0."},
    MR_DETECTOR_OPTION_BANDS,
    {.name = "learn",
     .type = MR_OPTION_CHOICE,
     .default_text = "always",
     .choices = mr_detector_learns,
     .help = "What becomes part of the history: every window, those at or below the threshold "
             "(normal_only), or none after the warm-up (never)."},
    {.name = "direction",
     .type = MR_OPTION_CHOICE,
     .default_text = "both",
     .choices = directions,
     .help = "Which windows are strange: those with more records than usual, with fewer, or both."},
    {.name = "decay",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1e-9,
     .maximum = 0.5,
     .help = "With each window the weight of all earlier ones shrinks by this share (0.01 "
             "remembers about the last 100). Default: all weigh the same."},
    {.name = "max_empty",
     .type = MR_OPTION_INTEGER,
     .default_text = "100",
     .minimum = 0,
     .maximum = 1e6,
     .help = "So many windows in a row without a record count as 0; with one more the key is "
             "forgotten."},
    {.name = NULL},
};

static const struct mr_refused_option rate_refused[] = {
    {"suppress",
     "a window is judged once, and has one alert at most; make windows longer for fewer"},
    {"calibrate", "the score is -log10 of a probability that already follows from the key's own "
                  "windows: `threshold: 4` is one window in ten thousand"},
    {NULL, NULL},
};

static const struct mr_output_field rate_fields[FIELDS_COUNT] = {
    {"window_start", MR_TYPE_INT, "The window's begin, ms since the epoch, inclusive."},
    {"window_end", MR_TYPE_INT, "The window's end, ms since the epoch, exclusive."},
    {"count", MR_TYPE_INT, "Records of the key in the window."},
    {"anomaly", MR_TYPE_OBJECT,
     "The members of all detectors (score, threshold, is_anomaly, severity, reason, detector, "
     "p_value, state), and expected, sd: mean and standard deviation of the windows before, and "
     "windows: how many."},
};

static const struct mr_output_spec rate_outputs[] = {
    {.name = "main",
     .help = "One record per key and window, when it is closed: the key's fields and those below. "
             "Its event time is window_end - 1 ms.",
     .fields = rate_fields,
     .fields_count = FIELDS_COUNT},
    {.name = "alerts",
     .help = "One alert record per window that is an anomaly, without a record.",
     .fields = mr_alert_fields,
     .fields_count = MR_ALERT_FIELDS_COUNT},
    {.name = "late", .help = "Records that came when their window was closed, unchanged."},
};

const struct mr_operator_type mr_operator_detect_rate = {
    .spec =
        {
            .name = "detect.rate",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS | MR_TYPE_CONTROLLED,
            .summary = "Counts the records of each key and window, and finds counts unlike those "
                       "before.",
            .description =
                "Counts per tumbling window of event time are compared with those of the key's "
                "windows before. The counts are taken as negative binomial with the mean of these "
                "windows and their variance, but at least that of a Poisson process, and wider "
                "while few windows are known; p_value is the probability of a count as high, or as "
                "low (twice the smaller one for both), the score -log10 of it, without an end. A "
                "window without records counts 0 while the key lives: `max_empty` of them in a row "
                "at most, or as many as fit into `state.ttl`. A key's first window, of which only "
                "a part was seen, is told and neither "
                "judged nor learned.\n\n"
                "Each closed window is a record of the main output; results leave when the "
                "watermark has reached its end plus `lateness`, in the order of (end, key). "
                "Records that come later go to the output `late` and are counted. When all inputs "
                "are idle or ended the windows that have records are closed; no empty ones are "
                "made. Use it for traffic, errors, log-ins per key. Not for silence alone, which "
                "detect.heartbeat tells sooner, and not for rates with a season: give `decay`, or "
                "use window.aggregate and a detector that knows seasons behind it.\n\n"
                "A key has at most 16 windows with records that wait, which only far more disorder "
                "than a window's length asks for: with one more the earliest is closed at once. "
                "Control records are about the windows that are closed behind them: of a key that "
                "is muted they are no anomalies, of one that is frozen they are judged and not "
                "learned; both end with the first window whose last millisecond is at `until` or "
                "later. "
                "`reset` forgets the history: what is counted makes a new first window. A key may "
                "be named before it comes; what was said of one that is forgotten is forgotten "
                "too.\n\n"
                "State: 54 bytes a key, 16 for each window that waits, 8 more each while it is "
                "frozen or muted. Logarithms are the "
                "engine's own, with the same bits on each machine.",
            .options = rate_options,
            .refused = rate_refused,
            .outputs = rate_outputs,
            .outputs_count = MR_ARRAY_COUNT(rate_outputs),
            .state_version = MR_RATE_VERSION,
            .estimate = mr_rate_estimate,
            .check = rate_check,
        },
    .instance_size = sizeof(struct rate),
    .open = rate_open,
    .process = rate_process,
    .on_watermark = rate_watermark,
    .reach = rate_reach,
    .close = rate_close,
    .state_table = mr_rate_table,
    .describe_state = mr_rate_describe,
};
