/* operators/evaluate_detection.c — evaluate.detection: how well a detector finds labelled
 * anomalies.
 * Design: what is read of a record or an alert (an entry) waits until the watermark has passed it,
 * and is judged in the order of event times (event_order.h), of one time records before alerts. The
 * rules are in evaluation.h. Between entries the time is told: at each moment first the series
 * whose episodes end then, then the windows that do, then the entries of that moment. So nothing
 * depends on how rows are cut into batches, on the order of the inputs, or on restarts.
 *
 * Stored, version 1 (little-endian). Tables "waiting" and "order": event_order.h, with the bytes of
 * evaluation_entry.h. Table "series", by uint32 size of the group's key, the key, the series' text;
 * due when it has to be told the time; and table "groups", by the group's key, due at the end of
 * its window: evaluation.h. */
#include "base/assert.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/evaluation_entry.h"
#include "operators/event_order.h"
#include "operators/registry.h"
#include "operators/window_time.h"

enum { INPUT_RECORDS, INPUT_ALERTS, KEY_HEAD_BYTES = 4 };

static const char series_table[] = "series";
static const char groups_table[] = "groups";

struct evaluator {
    const struct mr_plan_node *node;
    struct mr_event_order order;
    struct mr_table *series;
    struct mr_table *groups;
    struct mr_evaluation_rules rules;
    struct mr_window_grid grid;
    struct mr_evaluation_reader reader;
    struct mr_evaluation_rows rows;
    bool is_running;
    /* When time has to be told next, and to whom; not known behind what may have changed it. */
    bool is_next_known;
    bool is_next_series;
    int64_t next_ms; /* INT64_MAX: never */
};

/* One call of process or on_watermark. */
struct evaluating {
    struct evaluator *evaluator;
    struct mr_operator_context *context;
};

/* ---- Opening ---- */

static const struct mr_options *window_options(const struct mr_options *options)
{
    return mr_options_get(options, "window")->objects;
}

static struct mr_evaluation_rules rules_of(const struct mr_options *options)
{
    return (struct mr_evaluation_rules){.tolerance_ms = mr_options_integer(options, "tolerance"),
                                        .close_after_ms =
                                            mr_options_integer(options, "close_after")};
}

static enum mr_status open_tables(struct evaluator *evaluator, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    struct mr_table_spec spec = {
        .operator_name = node->name,
        .name = series_table,
        .version = MR_EVALUATION_VERSION,
        .object_size = sizeof(struct mr_evaluation_series),
        .encode = mr_evaluation_series_encode,
        .encoded_size_max = MR_EVALUATION_SERIES_BYTES_MAX,
        .decode = mr_evaluation_series_decode,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
        .timed = true,
    };
    enum mr_status status = mr_table_open(open->state, &spec, &evaluator->series, error);
    if (status != MR_OK)
        return status;
    spec.name = groups_table;
    spec.object_size = sizeof(struct mr_evaluation_group);
    spec.encode = mr_evaluation_group_encode;
    spec.encoded_size_max = MR_EVALUATION_GROUP_BYTES_MAX;
    spec.decode = mr_evaluation_group_decode;
    status = mr_table_open(open->state, &spec, &evaluator->groups, error);
    const struct mr_event_order_spec order = {.rows_table = "waiting",
                                              .task_table = "order",
                                              .records_max =
                                                  mr_options_integer(&node->options, "max_waiting"),
                                              .has_notes = true,
                                              .is_without_rows = true};
    return status != MR_OK ? status : mr_event_order_open(&evaluator->order, open, &order, error);
}

static enum mr_status evaluate_open(void *self, const struct mr_operator_open *open,
                                    struct mr_error *error)
{
    struct evaluator *evaluator = self;
    const struct mr_options *options = &open->node->options;
    struct mr_window window;
    mr_window_read(window_options(options), &window);
    mr_window_grid_init(&evaluator->grid, &window);
    evaluator->node = open->node;
    evaluator->rules = rules_of(options);
    evaluator->rules.by_alerts = open->node->alerts != NULL;
    evaluator->is_running = mr_options_boolean(options, "running");
    mr_evaluation_reader_open(&evaluator->reader, open->node);
    mr_evaluation_rows_open(&evaluator->rows, open);
    return open_tables(evaluator, open, error);
}

static void evaluate_close(void *self)
{
    struct evaluator *evaluator = self;
    mr_event_order_close(&evaluator->order);
}

/* ---- Groups ---- */

/* Add to the counts of the group, whose window is that of the moment. */
static enum mr_status count(struct evaluating *call, const struct mr_evaluation_moment *moment,
                            const struct mr_evaluation_delta *delta, struct mr_error *error)
{
    struct evaluator *evaluator = call->evaluator;
    void *object;
    bool created;
    enum mr_status status = mr_table_get(evaluator->groups, moment->key, mr_hash64(moment->key),
                                         moment->time_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct mr_evaluation_group *group = object;
    mr_evaluation_add(group, delta);
    mr_table_dirty(evaluator->groups, object);
    if (!created && group->end_ms != MR_EVALUATION_NEVER)
        return MR_OK;
    int64_t window = mr_window_pane(&evaluator->grid, moment->time_ms);
    if (created)
        group->start_ms = mr_window_start_ms(&evaluator->grid, window);
    group->end_ms = mr_window_end_ms(&evaluator->grid, window);
    mr_table_schedule(evaluator->groups, object, group->end_ms);
    evaluator->is_next_known = false;
    return MR_OK;
}

/* The group's window is over. Running, it goes on with its counts when something comes. */
static enum mr_status close_window(struct evaluating *call, struct mr_slice found_key, void *object,
                                   struct mr_error *error)
{
    struct evaluator *evaluator = call->evaluator;
    struct mr_evaluation_group *stored = object;
    const struct mr_evaluation_group group = *stored;
    struct mr_slice key = mr_arena_copy(call->context->arena, found_key);
    enum mr_status status = MR_OK;
    if (evaluator->is_running) {
        stored->end_ms = MR_EVALUATION_NEVER;
        stored->changed = false;
        mr_table_dirty(evaluator->groups, object);
        mr_table_schedule(evaluator->groups, object, INT64_MAX);
    } else {
        status = mr_table_remove(evaluator->groups, key, mr_hash64(key), error);
    }
    if (status != MR_OK)
        return status;
    mr_evaluation_rows_group(&evaluator->rows, call->context, key, &group);
    return MR_OK;
}

/* ---- Series ---- */

static struct mr_slice series_key(struct mr_arena *arena, const struct mr_evaluation_moment *moment)
{
    size_t size = KEY_HEAD_BYTES + moment->key.size + moment->series.size;
    uint8_t *bytes = mr_arena_take(arena, size);
    mr_put_u32le(bytes, (uint32_t)moment->key.size);
    if (moment->key.size > 0)
        memcpy(bytes + KEY_HEAD_BYTES, moment->key.data, moment->key.size);
    if (moment->series.size > 0)
        memcpy(bytes + KEY_HEAD_BYTES + moment->key.size, moment->series.data, moment->series.size);
    return mr_slice_from(bytes, size);
}

static bool read_series_key(struct mr_slice bytes, struct mr_evaluation_moment *moment)
{
    if (bytes.size < KEY_HEAD_BYTES || mr_get_u32le(bytes.data) > bytes.size - KEY_HEAD_BYTES)
        return false;
    uint32_t size = mr_get_u32le(bytes.data);
    moment->key = mr_slice_from(bytes.data + KEY_HEAD_BYTES, size);
    moment->series =
        mr_slice_from(bytes.data + KEY_HEAD_BYTES + size, bytes.size - KEY_HEAD_BYTES - size);
    return true;
}

/* The series has changed: it is due at another time, or there is nothing left of it. */
static enum mr_status keep_series(struct evaluator *evaluator, void *object, struct mr_slice key,
                                  struct mr_error *error)
{
    int64_t due_ms = mr_evaluation_due_ms(&evaluator->rules, object);
    evaluator->is_next_known = false;
    mr_table_schedule(evaluator->series, object, due_ms);
    mr_table_dirty(evaluator->series, object);
    return due_ms == INT64_MAX ? mr_table_remove(evaluator->series, key, mr_hash64(key), error)
                               : MR_OK;
}

static enum mr_status judge(struct evaluating *call, const struct mr_evaluation_moment *moment,
                            const struct mr_evaluation_entry *entry, struct mr_error *error)
{
    struct evaluator *evaluator = call->evaluator;
    struct mr_evaluation_delta delta;
    mr_evaluation_delta_init(&delta);
    struct mr_slice key = series_key(call->context->arena, moment);
    void *object = NULL;
    bool created = false;
    enum mr_status status =
        mr_evaluation_needs_series(&evaluator->rules, entry)
            ? mr_table_get(evaluator->series, key, mr_hash64(key), moment->time_ms, &object,
                           &created, error)
            : mr_table_find(evaluator->series, key, mr_hash64(key), &object, error);
    struct mr_evaluation_series none;
    bool is_unknown = status == MR_NOT_FOUND;
    if (status != MR_OK && !is_unknown)
        return status;
    if (is_unknown)
        object = &none;
    if (created || is_unknown)
        mr_evaluation_series_init(object);
    mr_evaluation_take(&evaluator->rules, object, entry, &delta);
    status = is_unknown ? MR_OK : keep_series(evaluator, object, key, error);
    if (status == MR_OK)
        status = count(call, moment, &delta, error);
    if (status == MR_OK)
        mr_evaluation_rows_episodes(&evaluator->rows, call->context, moment, &delta);
    return status;
}

/* Tell a series the time. */
static enum mr_status pass(struct evaluating *call, struct mr_slice found_key, void *object,
                           int64_t now_ms, struct mr_error *error)
{
    struct evaluator *evaluator = call->evaluator;
    struct mr_evaluation_delta delta;
    /* What ends now is of the window that ends now. */
    struct mr_evaluation_moment moment = {.time_ms = now_ms - 1};
    struct mr_slice key = mr_arena_copy(call->context->arena, found_key);
    if (!read_series_key(key, &moment))
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                       "the stored key of a series is not what was written");
    mr_evaluation_delta_init(&delta);
    mr_evaluation_pass(&evaluator->rules, object, now_ms, &delta);
    enum mr_status status = keep_series(evaluator, object, key, error);
    if (status == MR_OK && delta.closed_count > 0)
        status = count(call, &moment, &delta, error);
    if (status == MR_OK)
        mr_evaluation_rows_episodes(&evaluator->rows, call->context, &moment, &delta);
    return status;
}

/* ---- Time ---- */

/* What is due first; of one time series before windows. */
static enum mr_status find_next(struct evaluator *evaluator, struct mr_slice *key, void **object,
                                struct mr_error *error)
{
    uint64_t hash;
    bool found;
    int64_t series_ms = INT64_MAX;
    enum mr_status status =
        mr_table_next_due(evaluator->series, INT64_MAX - 1, key, &hash, object, &found, error);
    if (status != MR_OK)
        return status;
    if (found)
        series_ms = mr_evaluation_due_ms(&evaluator->rules, *object);
    status = mr_table_next_due(evaluator->groups, INT64_MAX - 1, key, &hash, object, &found, error);
    if (status != MR_OK)
        return status;
    evaluator->next_ms = found ? ((struct mr_evaluation_group *)*object)->end_ms : INT64_MAX;
    evaluator->is_next_known = true;
    evaluator->is_next_series = series_ms <= evaluator->next_ms && series_ms != INT64_MAX;
    if (!evaluator->is_next_series)
        return MR_OK;
    evaluator->next_ms = series_ms;
    return mr_table_next_due(evaluator->series, series_ms, key, &hash, object, &found, error);
}

/* Do what is due first, if that is up to until_ms: a bound of `state:` may have made the task
 * forget what was. */
static enum mr_status tell_time(struct evaluating *call, int64_t until_ms, struct mr_error *error)
{
    struct evaluator *evaluator = call->evaluator;
    struct mr_slice key;
    void *object;
    enum mr_status status = find_next(evaluator, &key, &object, error);
    if (status != MR_OK || evaluator->next_ms > until_ms || evaluator->next_ms == INT64_MAX)
        return status;
    evaluator->is_next_known = false;
    return evaluator->is_next_series ? pass(call, key, object, evaluator->next_ms, error)
                                     : close_window(call, key, object, error);
}

enum step { STEP_NOTHING, STEP_TIME, STEP_ENTRY };

/* The next that happens before until_ms, or, of time, at it. entry_ms: of an entry. */
static enum mr_status step(struct evaluating *call, int64_t until_ms, enum step *done,
                           int64_t *entry_ms, struct mr_error *error)
{
    struct evaluator *evaluator = call->evaluator;
    struct mr_slice key;
    void *object;
    enum mr_status status = MR_OK;
    *done = STEP_NOTHING;
    if (!evaluator->is_next_known)
        status = find_next(evaluator, &key, &object, error);
    if (status != MR_OK)
        return status;
    int64_t before_ms = until_ms < evaluator->next_ms ? until_ms : evaluator->next_ms;
    struct mr_waiting_row waiting;
    bool is_record;
    bool found;
    status = mr_event_order_take(&evaluator->order, before_ms - 1, call->context->arena, &waiting,
                                 &is_record, &found, error);
    if (status != MR_OK)
        return status;
    if (found) {
        struct mr_evaluation_moment moment;
        struct mr_evaluation_entry entry;
        moment.key = waiting.key;
        if (!mr_evaluation_entry_decode(waiting.row, is_record, &moment, &entry))
            return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RESTORE,
                           "the bytes of an entry that waits are not what was written");
        *done = STEP_ENTRY;
        *entry_ms = moment.time_ms;
        return judge(call, &moment, &entry, error);
    }
    if (evaluator->next_ms > until_ms || evaluator->next_ms == INT64_MAX)
        return MR_OK;
    *done = STEP_TIME;
    return tell_time(call, until_ms, error);
}

static enum mr_status evaluate_watermark(void *self, struct mr_operator_context *context,
                                         struct mr_error *error)
{
    struct evaluating call = {.evaluator = self, .context = context};
    enum mr_status status = MR_OK;
    enum step done = context->watermark_ms > INT64_MIN ? STEP_TIME : STEP_NOTHING;
    while (status == MR_OK && done != STEP_NOTHING) {
        int64_t entry_ms;
        status = step(&call, context->watermark_ms, &done, &entry_ms, error);
        if (status == MR_OK && done != STEP_NOTHING && mr_operator_is_enough(context))
            status = MR_AGAIN;
    }
    if (status == MR_OK || status == MR_AGAIN)
        mr_evaluation_rows_end(&call.evaluator->rows, context);
    return status;
}

/* ---- Rows in ---- */

/* One row with a key. *late: it is behind the watermark, or what was judged before its time. */
static enum mr_status take(struct evaluating *call, uint32_t port, struct mr_batch *batch,
                           uint32_t row, struct mr_slice key, struct mr_event_order_task *task,
                           bool *late, struct mr_error *error)
{
    struct evaluator *evaluator = call->evaluator;
    struct mr_operator_context *context = call->context;
    struct mr_slice entry;
    *late = false;
    bool taken = port == INPUT_RECORDS
                     ? mr_evaluation_read_record(&evaluator->reader, context, batch, row, &entry)
                     : mr_evaluation_read_alert(&evaluator->reader, context, batch, row, &entry);
    if (!taken)
        return MR_OK;
    int64_t time_ms = batch->event_times_ms[row];
    int64_t watermark_ms = mr_operator_row_watermark(batch, row);
    int64_t place_ms = mr_event_order_place(task, time_ms, watermark_ms, late);
    if (*late)
        return MR_OK;
    enum mr_status status = port == INPUT_RECORDS
                                ? mr_event_order_put_note(&evaluator->order, context->arena, task,
                                                          entry, key, place_ms, error)
                                : mr_event_order_put_last(&evaluator->order, context->arena, task,
                                                          entry, key, place_ms, error);
    while (status == MR_OK && mr_event_order_is_full(&evaluator->order)) {
        enum step done = STEP_NOTHING;
        int64_t entry_ms = INT64_MIN;
        while (status == MR_OK && done != STEP_ENTRY)
            status = step(call, INT64_MAX, &done, &entry_ms, error);
        if (status == MR_OK)
            mr_event_order_pushed_out(task, entry_ms, watermark_ms);
    }
    return status;
}

static enum mr_status evaluate_process(void *self, struct mr_operator_context *context,
                                       uint32_t port, struct mr_view view, struct mr_error *error)
{
    struct evaluating call = {.evaluator = self, .context = context};
    struct evaluator *evaluator = self;
    const struct mr_plan_key *plan_key =
        port == INPUT_RECORDS ? &evaluator->node->key : &evaluator->node->alerts->key;
    struct mr_event_order_task task;
    const struct mr_slice *keys = mr_operator_keys_of(context, plan_key, view, &view);
    uint16_t *lates = mr_arena_take(context->arena, (view.rows_count + 1) * sizeof(*lates));
    uint32_t lates_count = 0;
    enum mr_status status = mr_event_order_load(&evaluator->order, &task, error);
    uint64_t first_sequence = task.next_sequence;
    for (uint32_t index = 0; index < view.rows_count && status == MR_OK; index++) {
        uint16_t row = view.rows[index];
        bool late;
        status = take(&call, port, view.batch, row, keys[row], &task, &late, error);
        if (late)
            lates[lates_count++] = row;
    }
    if (status == MR_OK && task.next_sequence != first_sequence)
        status = mr_event_order_store(&evaluator->order, &task, error);
    if (status != MR_OK)
        return status;
    mr_evaluation_rows_end(&evaluator->rows, context);
    if (lates_count == 0)
        return MR_OK;
    mr_operator_late(context, lates_count);
    if (port == INPUT_RECORDS)
        mr_operator_emit(context, MR_EVALUATION_OUTPUT_LATE,
                         (struct mr_view){view.batch, lates, lates_count});
    return MR_OK;
}

/* ---- The type ---- */

static enum mr_status evaluate_describe(const struct mr_state_object *object,
                                        struct mr_arena *arena,
                                        struct mr_state_description *description,
                                        struct mr_error *error)
{
    MR_UNUSED(arena);
    struct mr_evaluation_group group;
    if (!mr_evaluation_group_decode(&group, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_time(description, "window_start", group.start_ms);
    mr_describe_member(description, "records", mr_value_int((int64_t)group.records));
    mr_describe_member(description, "true_positives", mr_value_int((int64_t)group.all.flagged));
    mr_describe_member(description, "false_positives", mr_value_int((int64_t)group.plain_flagged));
    mr_describe_member(description, "false_negatives",
                       mr_value_int((int64_t)(group.all.records - group.all.flagged)));
    mr_describe_member(description, "true_negatives", mr_value_int((int64_t)group.plain));
    mr_describe_member(description, "episodes", mr_value_int((int64_t)group.all.episodes));
    mr_describe_member(description, "episodes_found", mr_value_int((int64_t)group.all.found));
    mr_describe_member(description, "false_alarms", mr_value_int((int64_t)group.false_alarms));
    return MR_OK;
}

static int64_t longest(const struct mr_evaluation_rules *rules)
{
    return rules->tolerance_ms > rules->close_after_ms ? rules->tolerance_ms
                                                       : rules->close_after_ms;
}

/* An episode is over so long behind its last record, and then its window has to end. */
static struct mr_operator_reach evaluate_reach(const struct mr_plan_node *node)
{
    struct mr_window window;
    const struct mr_evaluation_rules rules = rules_of(&node->options);
    mr_window_read(window_options(&node->options), &window);
    if (window.zone != NULL)
        window.size_ms += window.zone->spread_ms; /* a day may be so much longer */
    return (struct mr_operator_reach){.open_ms = longest(&rules) + window.size_ms + 1};
}

static void evaluate_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    struct mr_state_estimate series;
    struct mr_state_estimate waiting = {0};
    struct mr_state_estimate task;
    MR_UNUSED(options);
    mr_estimate_object(sizeof(struct mr_evaluation_group), MR_EVALUATION_GROUP_BYTES_MAX, estimate);
    mr_estimate_object(sizeof(struct mr_evaluation_series),
                       MR_EVALUATION_SERIES_BYTES_MAX + MR_EVALUATION_SERIES_MAX, &series);
    mr_estimate_object(sizeof(struct mr_event_order_task), 16, &task);
    mr_event_order_estimate(&waiting);
    estimate->object_bytes += series.object_bytes + waiting.object_bytes;
    estimate->stored_bytes += series.stored_bytes + waiting.stored_bytes;
    estimate->changelog_bytes_per_record += series.changelog_bytes_per_record +
                                            waiting.changelog_bytes_per_record +
                                            task.changelog_bytes_per_record;
}

static enum mr_status evaluate_check(const struct mr_options *options, const char **option,
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
                       "results are told of windows one behind the other: say {tumbling: ...}, "
                       "with `running: true` for those since the begin");
    return MR_OK;
}

static const struct mr_option_spec evaluate_options[] = {
    {.name = "is_anomaly",
     .type = MR_OPTION_PATH,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .help = "The field that says whether the record is labelled: true or false, or 1 or 0."},
    {.name = "label",
     .type = MR_OPTION_PATH,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "Of labelled records the kind of the anomaly, at most 32 bytes. Default: all are of "
             "one kind."},
    {.name = "anomaly_id",
     .type = MR_OPTION_PATH,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "Of labelled records what tells episodes apart, at most 96 bytes. Default: those of "
             "one kind that follow each other are one."},
    {.name = "detection",
     .type = MR_OPTION_PATH,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "The field that says whether the detector has flagged the record, for instance "
             "anomaly.is_anomaly; without `alerts`."},
    {.name = "series",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 8,
     .help = "What tells series apart where `key` does not, as in key: [] for one result over all "
             "sensors, and series: [sensor]; at most 256 bytes. With `alerts`: of which the text "
             "is the alert's key."},
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .fields = mr_window_options,
     .help = "How often results are told, of event time: {tumbling: 1h}, with offset and zone."},
    {.name = "running",
     .type = MR_OPTION_BOOLEAN,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "false",
     .help = "At the end of a window all since the begin is told, where something has come since "
             "the last time."},
    {.name = "tolerance",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0s",
     .minimum = 0,
     .maximum = 366.0 * 86400e3,
     .help = "How long behind a record of an episode a detection is still one of it; and how far "
             "apart records that are flagged wrongly make one false alarm."},
    {.name = "close_after",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1h",
     .minimum = 0,
     .maximum = 366.0 * 86400e3,
     .help = "An episode is over so long behind its last record at the latest, though no record "
             "without a label has come."},
    {.name = "max_waiting",
     .type = MR_OPTION_INTEGER,
     .default_text = "1000000",
     .minimum = 1,
     .maximum = 1e9,
     .help = "Records and alerts of a task that wait for the watermark at most. One more and the "
             "earliest is judged at once, and what then comes with an earlier time is late."},
    {.name = NULL},
};

static const struct mr_input_spec evaluate_inputs[] = {
    {.option = "from",
     .required = true,
     .help = "The labelled records: NAME or NAME.OUTPUT; those of a detector, with `detection`."},
    {.option = "alerts",
     .help = "A detector's alert records, which flag the record of their key and event time; those "
             "that are resolved say nothing."},
    {.option = NULL},
};

const struct mr_operator_type mr_operator_evaluate_detection = {
    .spec =
        {
            .name = "evaluate.detection",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS | MR_TYPE_TAKES_ALERTS,
            .summary = "Tells how well a detector finds labelled anomalies: precision, recall, "
                       "time to detect, false alarms per hour.",
            .description =
                "Reads records that say by a label whether they are an anomaly "
                "(generate.timeseries makes such), and whether a detector has flagged them: by a "
                "field of theirs (`detection`), or by the detector's alerts (`alerts`) where only "
                "those are there. All is judged in the order of event times, when the watermark "
                "has passed it; records behind the watermark go to `late`, alerts behind it are "
                "counted as late, and neither is judged.\n\n"
                "An episode is what has one `anomaly_id` and `label` in one series (a key, or "
                "what `series` tells apart in it). It is over with the first record without a "
                "label that is later than its last one by more than `tolerance`; when event time "
                "is later by more than `tolerance` and `close_after`; or when a ninth begins in "
                "its series. The same id behind that makes another one. It counts, and is told on "
                "`episodes`, in the window in which it is over, so that the counts of windows add "
                "up.\n\n"
                "A detection of an episode is a flagged record of it, or something flagged at most "
                "`tolerance` behind one of its records. What is flagged without a label and in no "
                "such reach is a false positive; those that follow each other within `tolerance` "
                "are one false alarm. What is flagged without a label within a reach is "
                "tolerated, and counts neither way. An alert flags a record of its own event time "
                "that nothing has flagged: a labelled one of the oldest episode, else one without "
                "a label; where there is none, the alert stands for itself. A detector that tells "
                "one alert per episode (`suppress`) has a low recall by records, and should be "
                "judged by episodes. In the topology of the detector itself take `detection`, or, "
                "with "
                "its alerts, key: [] and `series`; alerts of a topic may have any key.\n\n"
                "A topic that several tasks have written is out of order: give the source a "
                "`watermark: {max_delay: ...}` of as much, or what is behind is late; and "
                "`max_waiting` has to cover what comes in that time. How detectors with their "
                "defaults find what generate.timeseries injects, beside the best that can be "
                "found: docs/DETECTORS.md.\n\n"
                "At the end of the sources all episodes and windows are closed. State per key: up "
                "to 3.5 kB (16 kinds); per series with an open episode or a false alarm in reach "
                "60 to 1,450 bytes; per record and alert that waits some 100 bytes. `state: "
                "{max_keys}` bounds keys and series each; what is forgotten is not counted.",
            .options = evaluate_options,
            .inputs = evaluate_inputs,
            .outputs = mr_evaluation_outputs,
            .outputs_count = MR_EVALUATION_OUTPUTS_COUNT,
            .state_version = MR_EVALUATION_VERSION,
            .estimate = evaluate_estimate,
            .check = evaluate_check,
        },
    .instance_size = sizeof(struct evaluator),
    .open = evaluate_open,
    .process = evaluate_process,
    .on_watermark = evaluate_watermark,
    .reach = evaluate_reach,
    .close = evaluate_close,
    .state_table = groups_table,
    .describe_state = evaluate_describe,
};
