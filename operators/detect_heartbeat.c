/* operators/detect_heartbeat.c — detect.heartbeat: keys that fall silent.
 * Design: per key the time of its last record, in a timed table (operators/heartbeat_key.h). It is
 * due when the silence is longer than the limit; then an alert `open` leaves, and one `resolved`
 * with the record that ends it. In event time the watermark says what is due: from then on no
 * record could come that makes the gap smaller. A record that comes behind a gap above the limit
 * tells of a silence too, whether or not the watermark was there before it (one key alone moves it
 * only by its records): the same alert leaves, and the next one with it. A row, and a control
 * record, first does what its own watermark makes due of its key, so that alerts do not depend on
 * how records are cut into batches. By the clock (time: processing) the same happens with the time
 * at which a record is read. A silence of `forget_after` is given up: the key is forgotten, its
 * alert resolved. So does a reset. An alert that is open is resolved of muted keys too: nothing
 * else would end it. */
#include "operators/detector.h"

#include "base/assert.h"
#include "base/hash.h"
#include "operators/alert_batch.h"
#include "operators/heartbeat_key.h"
#include "operators/registry.h"

enum heartbeat_own { OWN_GAP, OWN_LIMIT, OWN_COUNT, OWN_MEMBERS };

static const char *const times[] = {"event", "processing", NULL};
static const char *const severities[] = {"warning", "critical", NULL};

struct heartbeat {
    const struct mr_plan_node *node;
    struct mr_alert_teller teller;
    struct mr_heartbeat_keys keys;
    bool wall;
    const char *severity;
    int64_t started_ms; /* by the clock; INT64_MIN: not yet */
};

/* ---- Opening ---- */

static enum mr_status heartbeat_open(void *self, const struct mr_operator_open *open,
                                     struct mr_error *error)
{
    struct heartbeat *heartbeat = self;
    const struct mr_options *options = &open->node->options;
    heartbeat->node = open->node;
    mr_alert_teller_open(&heartbeat->teller, open, MR_DETECTOR_OUTPUT_ALERTS);
    heartbeat->wall = mr_options_integer(options, "time") == 1;
    heartbeat->severity = severities[mr_options_integer(options, "severity")];
    heartbeat->started_ms = INT64_MIN;
    return mr_heartbeat_keys_open(&heartbeat->keys, open, error);
}

static void heartbeat_close(void *self)
{
    MR_UNUSED(self); /* the table belongs to the state */
}

/* ---- Alerts ---- */

/* Begin the key's silence since its last record. */
static struct mr_alert_notice fall_silent(const struct heartbeat *heartbeat, struct mr_arena *arena,
                                          struct mr_heartbeat_key *entry, struct mr_slice key)
{
    int64_t limit = mr_heartbeat_key_limit(&heartbeat->keys, entry);
    double seconds = (double)limit / 1000;
    entry->alert_id = mr_alert_teller_id(&heartbeat->teller, key, entry->last_ms);
    entry->alert_limit_ms = limit;
    entry->silent = true;
    return (struct mr_alert_notice){
        .id = entry->alert_id,
        .state = "open",
        .severity = heartbeat->severity,
        .message = mr_arena_format(arena, "no record of the key for more than %.10g s", seconds),
        .metric_value = seconds,
        .threshold = seconds,
        .event_time_ms = mr_heartbeat_sum(mr_heartbeat_sum(entry->last_ms, limit), 1),
        .key = key,
    };
}

/* The end of the key's silence, which has lasted for silence_ms. */
static struct mr_alert_notice end_silence(struct mr_arena *arena, struct mr_heartbeat_key *entry,
                                          struct mr_slice key, int64_t silence_ms, bool is_back)
{
    double seconds = (double)silence_ms / 1000;
    double limit = (double)entry->alert_limit_ms / 1000;
    entry->silent = false;
    return (struct mr_alert_notice){
        .id = entry->alert_id,
        .state = "resolved",
        .severity = "info",
        .message =
            is_back ? mr_arena_format(arena,
                                      "the key is back after %.10g s without a record; the "
                                      "limit was %.10g s",
                                      seconds, limit)
                    : mr_arena_format(arena, "the key had no record for %.10g s and is forgotten",
                                      seconds),
        .metric_value = seconds,
        .threshold = limit,
        .about_row = is_back,
        .key = key,
    };
}

/* ---- Rows ---- */

struct judging {
    struct heartbeat *heartbeat;
    struct mr_operator_context *context;
    struct mr_batch *batch;
    struct mr_alert_batch alerts;
    struct mr_value *columns[MR_DETECTOR_MEMBERS_COUNT];
    struct mr_value *own[OWN_MEMBERS];
    uint32_t judged_counts[MR_DETECTOR_STATES_COUNT];
};

static struct mr_value static_text(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

static void open_columns(struct judging *judging)
{
    const struct mr_plan_node *node = judging->heartbeat->node;
    for (uint32_t member = 0; member < MR_DETECTOR_MEMBERS_COUNT; member++)
        if (member != MR_DETECTOR_P_VALUE)
            judging->columns[member] = mr_batch_column(judging->batch, node->added_slots[member]);
    for (uint32_t own = 0; own < OWN_MEMBERS; own++)
        judging->own[own] =
            mr_batch_column(judging->batch, node->added_slots[MR_DETECTOR_MEMBERS_COUNT + own]);
}

/* gap_ms -1: the key's first record. limit_ms 0: not known. */
static void write_row(struct judging *judging, uint32_t row, int64_t gap_ms, int64_t limit,
                      uint64_t count, bool is_muted)
{
    struct mr_value **columns = judging->columns;
    bool is_armed = gap_ms >= 0 && limit > 0;
    bool is_anomaly = is_armed && gap_ms > limit && !is_muted;
    enum mr_detector_state state = is_armed ? MR_DETECTOR_ARMED : MR_DETECTOR_LEARNING;
    const char *reason = "";
    if (is_muted)
        state = MR_DETECTOR_MUTED;
    if (is_anomaly)
        reason = mr_arena_format(judging->batch->arena,
                                 "the key had no record for %.10g s before this one; the limit is "
                                 "%.10g s",
                                 (double)gap_ms / 1000, (double)limit / 1000);
    columns[MR_DETECTOR_SCORE][row] =
        mr_value_double(is_armed ? (double)gap_ms / (double)limit : 0);
    columns[MR_DETECTOR_THRESHOLD][row] = mr_value_double(1);
    columns[MR_DETECTOR_IS_ANOMALY][row] = mr_value_bool(is_anomaly);
    columns[MR_DETECTOR_SEVERITY][row] =
        static_text(is_anomaly ? judging->heartbeat->severity : "info");
    columns[MR_DETECTOR_REASON][row] = static_text(reason);
    columns[MR_DETECTOR_NAME][row] = static_text(judging->heartbeat->node->type->name);
    columns[MR_DETECTOR_STATE][row] = static_text(mr_detector_states[state]);
    judging->own[OWN_GAP][row] = gap_ms < 0 ? mr_value_null() : mr_value_int(gap_ms);
    judging->own[OWN_LIMIT][row] = limit == 0 ? mr_value_null() : mr_value_int(limit);
    judging->own[OWN_COUNT][row] = mr_value_int((int64_t)count);
    judging->judged_counts[state]++;
}

/* The key's silence is to be told of at now_ms. */
static bool is_due(const struct heartbeat *heartbeat, const struct mr_heartbeat_key *entry,
                   int64_t now_ms)
{
    int64_t silent_ms = mr_heartbeat_key_silent_at(&heartbeat->keys, entry, entry->last_ms);
    return silent_ms != INT64_MAX && silent_ms <= now_ms;
}

/* What a record of the key means. now_ms: its watermark, or the clock. */
static enum mr_status take_record(struct judging *judging, struct mr_heartbeat_key *entry,
                                  struct mr_slice key, uint32_t row, int64_t time_ms,
                                  int64_t now_ms, struct mr_error *error)
{
    const struct heartbeat *heartbeat = judging->heartbeat;
    struct mr_arena *arena = judging->context->arena;
    struct mr_alert_notice notices[2];
    uint32_t notices_count = 0;
    enum mr_status status = mr_heartbeat_key_refresh(&heartbeat->keys, entry, error);
    if (status != MR_OK)
        return status;
    int64_t limit = mr_heartbeat_key_limit(&heartbeat->keys, entry);
    int64_t gap_ms = mr_heartbeat_span(entry->last_ms, time_ms);
    bool is_muted = mr_control_hold_lasts(&entry->hold, MR_HOLD_MUTED, time_ms);
    bool is_over = limit > 0 && gap_ms > limit;
    write_row(judging, row, gap_ms, limit, entry->count, is_muted);
    if ((is_over && !is_muted && !entry->silent) || is_due(heartbeat, entry, now_ms))
        notices[notices_count++] = fall_silent(heartbeat, arena, entry, key);
    if (time_ms >= entry->last_ms && !mr_control_hold_lasts(&entry->hold, MR_HOLD_FROZEN, time_ms))
        status = mr_heartbeat_key_learn(&heartbeat->keys, entry, is_over ? limit : gap_ms, error);
    mr_control_hold_wake(&entry->hold, time_ms);
    if (status != MR_OK)
        return status;
    if (time_ms > entry->last_ms)
        entry->last_ms = time_ms;
    entry->count++;
    if (entry->silent &&
        mr_heartbeat_sum(mr_heartbeat_sum(entry->last_ms, entry->alert_limit_ms), 1) > now_ms) {
        notices[notices_count] = end_silence(arena, entry, key, gap_ms, true);
        notices[notices_count++].row = row;
    }
    mr_heartbeat_key_settle(&heartbeat->keys, entry);
    if (heartbeat->wall)
        mr_operator_wake(judging->context, entry->due_ms);
    for (uint32_t index = 0; index < notices_count; index++)
        mr_alert_batch_add(&judging->alerts, &notices[index]);
    return MR_OK;
}

static enum mr_status take_row(struct judging *judging, struct mr_slice key, uint64_t hash,
                               uint32_t row, struct mr_error *error)
{
    struct heartbeat *heartbeat = judging->heartbeat;
    const struct mr_batch *batch = judging->batch;
    int64_t clock_ms = judging->context->now_ms;
    int64_t time_ms = heartbeat->wall ? clock_ms : batch->event_times_ms[row];
    int64_t now_ms = heartbeat->wall ? clock_ms : mr_operator_row_watermark(batch, row);
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(heartbeat->keys.table, key, hash, time_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct mr_heartbeat_key *entry = object;
    if (!created && entry->count > 0)
        return take_record(judging, entry, key, row, time_ms, now_ms, error);
    if (!created)
        status = mr_heartbeat_key_refresh(&heartbeat->keys, entry, error);
    if (status != MR_OK)
        return status;
    mr_control_hold_wake(&entry->hold, time_ms);
    mr_heartbeat_key_begin(&heartbeat->keys, entry, time_ms, 1);
    mr_heartbeat_key_settle(&heartbeat->keys, entry);
    write_row(judging, row, -1, mr_heartbeat_key_limit(&heartbeat->keys, entry), 0,
              mr_control_hold_lasts(&entry->hold, MR_HOLD_MUTED, time_ms));
    if (heartbeat->wall)
        mr_operator_wake(judging->context, entry->due_ms);
    return MR_OK;
}

static void note_start(struct heartbeat *heartbeat, const struct mr_operator_context *context)
{
    if (heartbeat->started_ms == INT64_MIN)
        heartbeat->started_ms = context->now_ms;
}

/* ---- Control records ---- */

/* The key of an order; NULL: it is not known, and the order asks for nothing that is kept. */
static enum mr_status find(struct heartbeat *heartbeat, struct mr_slice key, uint64_t hash,
                           int64_t time_ms, const struct mr_control_order *order,
                           struct mr_heartbeat_key **entry, struct mr_error *error)
{
    bool holds = order->action == MR_CONTROL_FREEZE || order->action == MR_CONTROL_MUTE;
    void *object = NULL;
    bool created = false;
    enum mr_status status =
        holds ? mr_table_get(heartbeat->keys.table, key, hash, time_ms, &object, &created, error)
              : mr_table_find(heartbeat->keys.table, key, hash, &object, error);
    *entry = status == MR_OK ? object : NULL;
    if (status != MR_OK)
        return status == MR_NOT_FOUND ? MR_OK : status;
    if (created) {
        mr_heartbeat_key_begin(&heartbeat->keys, *entry, time_ms, 0);
        mr_heartbeat_key_settle(&heartbeat->keys, *entry);
    }
    return mr_heartbeat_key_refresh(&heartbeat->keys, *entry, error);
}

/* The object is not valid any more. */
static enum mr_status obey(struct heartbeat *heartbeat, struct mr_slice key, uint64_t hash,
                           struct mr_heartbeat_key *entry, const struct mr_control_order *order,
                           struct mr_error *error)
{
    bool ends = order->action == MR_CONTROL_UNFREEZE || order->action == MR_CONTROL_UNMUTE;
    if (order->action != MR_CONTROL_RESET)
        mr_control_hold_apply(&entry->hold, order);
    if (order->action == MR_CONTROL_RESET || (entry->count == 0 && ends && entry->hold.flags == 0))
        return mr_table_remove(heartbeat->keys.table, key, hash, error);
    mr_heartbeat_key_settle(&heartbeat->keys, entry);
    return MR_OK;
}

/* now_ms: the record's watermark, or the clock. */
static enum mr_status take_order(struct heartbeat *heartbeat, struct mr_alert_batch *alerts,
                                 struct mr_slice key, int64_t time_ms, int64_t now_ms,
                                 const struct mr_control_order *order, struct mr_error *error)
{
    struct mr_arena *arena = alerts->context->arena;
    struct mr_alert_notice notices[2];
    uint32_t notices_count = 0;
    uint64_t hash = mr_hash64(key);
    struct mr_heartbeat_key *entry;
    enum mr_status status = find(heartbeat, key, hash, time_ms, order, &entry, error);
    if (status != MR_OK || entry == NULL)
        return status;
    /* By the clock it is looked at right behind this. */
    if (!heartbeat->wall && is_due(heartbeat, entry, now_ms))
        notices[notices_count++] = fall_silent(heartbeat, arena, entry, key);
    if (entry->silent && order->action == MR_CONTROL_RESET) {
        int64_t silence_ms = mr_heartbeat_span(entry->last_ms, time_ms);
        notices[notices_count] = end_silence(arena, entry, key, silence_ms, false);
        notices[notices_count++].event_time_ms = time_ms;
    }
    status = obey(heartbeat, key, hash, entry, order, error);
    for (uint32_t index = 0; index < notices_count && status == MR_OK; index++)
        mr_alert_batch_add(alerts, &notices[index]);
    return status;
}

static enum mr_status control(struct heartbeat *heartbeat, struct mr_operator_context *context,
                              struct mr_view view, struct mr_error *error)
{
    const struct mr_plan_control *control = heartbeat->node->control;
    const struct mr_slice *keys = mr_operator_keys_of(context, &control->key, view, &view);
    struct mr_alert_batch alerts = {.teller = &heartbeat->teller, .context = context};
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < view.rows_count && status == MR_OK; index++) {
        uint32_t row = view.rows[index];
        int64_t time_ms = heartbeat->wall ? context->now_ms : view.batch->event_times_ms[row];
        int64_t now_ms =
            heartbeat->wall ? context->now_ms : mr_operator_row_watermark(view.batch, row);
        struct mr_control_order order;
        if (!mr_control_read(heartbeat->node, context, view.batch, row, &order))
            continue;
        bool freezes = order.action == MR_CONTROL_FREEZE || order.action == MR_CONTROL_UNFREEZE;
        if (freezes && heartbeat->keys.capacity == 0)
            continue; /* nothing is learned */
        status = take_order(heartbeat, &alerts, keys[row], time_ms, now_ms, &order, error);
        if (heartbeat->wall) /* what is due may be so sooner */
            mr_operator_wake(context, context->now_ms);
    }
    if (status == MR_OK)
        mr_alert_batch_end(&alerts);
    return status;
}

/* ---- Calls ---- */

static enum mr_status heartbeat_process(void *self, struct mr_operator_context *context,
                                        uint32_t port, struct mr_view view, struct mr_error *error)
{
    struct heartbeat *heartbeat = self;
    struct mr_view keyed;
    note_start(heartbeat, context);
    if (port != 0)
        return control(heartbeat, context, view, error);
    const struct mr_slice *keys = mr_operator_keys(context, heartbeat->node, view, &keyed);
    uint64_t *hashes = mr_arena_take(context->arena, (keyed.rows_count + 1u) * sizeof(*hashes));
    for (uint32_t index = 0; index < keyed.rows_count; index++)
        hashes[index] = mr_hash64(keys[keyed.rows[index]]);
    struct judging judging = {
        .heartbeat = heartbeat,
        .context = context,
        .batch = view.batch,
        .alerts = {.teller = &heartbeat->teller, .context = context, .cause = view.batch}};
    open_columns(&judging);
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < keyed.rows_count && status == MR_OK; index++) {
        mr_table_prefetch(heartbeat->keys.table, hashes, keyed.rows_count, index);
        uint32_t row = keyed.rows[index];
        status = take_row(&judging, keys[row], hashes[index], row, error);
    }
    if (status != MR_OK)
        return status;
    mr_alert_batch_end(&judging.alerts);
    mr_operator_judged(context, judging.judged_counts);
    mr_operator_emit(context, 0, keyed);
    return MR_OK;
}

/* ---- Time ---- */

/* The key has been silent for too long, or is given up. */
static enum mr_status take_due(struct heartbeat *heartbeat, struct mr_alert_batch *alerts,
                               struct mr_heartbeat_key *entry, struct mr_slice borrowed,
                               uint64_t hash, int64_t now_ms, struct mr_error *error)
{
    struct mr_arena *arena = alerts->context->arena;
    /* The key's bytes are the object's: they go with it. */
    struct mr_slice key = mr_arena_copy(arena, borrowed);
    enum mr_status status = mr_heartbeat_key_refresh(&heartbeat->keys, entry, error);
    if (status != MR_OK)
        return status;
    int64_t since_ms = entry->last_ms;
    if (heartbeat->wall && since_ms < heartbeat->started_ms)
        since_ms = heartbeat->started_ms; /* before that nobody looked */
    int64_t silent_ms = mr_heartbeat_key_silent_at(&heartbeat->keys, entry, since_ms);
    if (silent_ms != INT64_MAX) {
        if (silent_ms > now_ms) { /* the options say otherwise now, or nobody looked */
            entry->due_ms = silent_ms;
            mr_table_schedule(heartbeat->keys.table, entry, silent_ms);
            return MR_OK;
        }
        const struct mr_alert_notice open = fall_silent(heartbeat, arena, entry, key);
        mr_heartbeat_key_settle(&heartbeat->keys, entry);
        mr_alert_batch_add(alerts, &open);
        return MR_OK;
    }
    int64_t end_ms = mr_heartbeat_key_end(&heartbeat->keys, entry);
    if (end_ms > now_ms) {
        mr_heartbeat_key_settle(&heartbeat->keys, entry);
        return MR_OK;
    }
    bool silent = entry->silent;
    struct mr_alert_notice end =
        end_silence(arena, entry, key, heartbeat->keys.forget_after_ms, false);
    end.event_time_ms = end_ms;
    status = mr_table_remove(heartbeat->keys.table, key, hash, error);
    if (status == MR_OK && silent)
        mr_alert_batch_add(alerts, &end);
    return status;
}

/* Take what is due at now_ms, in the order of (due time, key). MR_AGAIN: there is more. */
static enum mr_status advance(struct heartbeat *heartbeat, struct mr_operator_context *context,
                              int64_t now_ms, struct mr_error *error)
{
    struct mr_alert_batch alerts = {.teller = &heartbeat->teller, .context = context};
    enum mr_status status = MR_OK;
    bool found = now_ms > INT64_MIN;
    /* What is due at the last instant never is. */
    now_ms = now_ms == INT64_MAX ? INT64_MAX - 1 : now_ms;
    while (found && status == MR_OK) {
        struct mr_slice key;
        uint64_t hash;
        void *object;
        status =
            mr_table_next_due(heartbeat->keys.table, now_ms, &key, &hash, &object, &found, error);
        if (status != MR_OK || !found)
            break;
        status = take_due(heartbeat, &alerts, object, key, hash, now_ms, error);
        if (status == MR_OK && mr_operator_is_enough(context))
            status = MR_AGAIN;
    }
    if (status == MR_OK || status == MR_AGAIN)
        mr_alert_batch_end(&alerts);
    return status;
}

static enum mr_status heartbeat_watermark(void *self, struct mr_operator_context *context,
                                          struct mr_error *error)
{
    struct heartbeat *heartbeat = self;
    return heartbeat->wall ? MR_OK : advance(heartbeat, context, context->watermark_ms, error);
}

static enum mr_status heartbeat_wall(void *self, struct mr_operator_context *context,
                                     int64_t *due_ms, struct mr_error *error)
{
    struct heartbeat *heartbeat = self;
    struct mr_slice key;
    uint64_t hash;
    void *object;
    bool found;
    note_start(heartbeat, context);
    enum mr_status status = advance(heartbeat, context, context->now_ms, error);
    *due_ms = INT64_MAX;
    if (status != MR_OK)
        return status;
    status = mr_table_next_due(heartbeat->keys.table, INT64_MAX - 1, &key, &hash, &object, &found,
                               error);
    if (status != MR_OK || !found)
        return status;
    struct mr_heartbeat_key *entry = object;
    if (entry->due_ms == INT64_MIN) { /* loaded: its due time is what its state says */
        status = mr_heartbeat_key_refresh(&heartbeat->keys, entry, error);
        if (status == MR_OK)
            mr_heartbeat_key_settle(&heartbeat->keys, entry);
    }
    *due_ms = entry->due_ms;
    return status;
}

static bool reads_wall_clock(const struct mr_options *options)
{
    return mr_options_integer(options, "time") == 1;
}

/* ---- The type ---- */

static enum mr_status heartbeat_check(const struct mr_options *options, const char **option,
                                      struct mr_error *error)
{
    const struct mr_options *learned = mr_heartbeat_learned(options);
    bool has_timeout = mr_options_present(options, "timeout");
    int64_t forget_after_ms = mr_options_integer(options, "forget_after");
    *option = "timeout";
    if (!has_timeout && learned == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "say how long a key may be silent: `timeout`, or `learned: {}` for what its "
                       "own gaps say, or both");
    *option = "forget_after";
    if (has_timeout && mr_options_integer(options, "timeout") >= forget_after_ms)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a key is forgotten after `forget_after`, before its silence has lasted for "
                       "`timeout`: make it longer");
    if (learned == NULL)
        return MR_OK;
    if (mr_options_integer(learned, "minimum") >= forget_after_ms)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a key is forgotten after `forget_after`, before its silence has lasted for "
                       "the `minimum` of `learned`: make it longer");
    *option = "learned";
    if (mr_options_integer(learned, "warmup") > mr_options_integer(learned, "gaps"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a warm-up of %lld gaps never ends where %lld are kept",
                       (long long)mr_options_integer(learned, "warmup"),
                       (long long)mr_options_integer(learned, "gaps"));
    return MR_OK;
}

static const struct mr_option_spec learned_fields[] = {
    {.name = "quantile",
     .type = MR_OPTION_NUMBER,
     .default_text = "0.99",
     .minimum = 0.5,
     .maximum = 1,
     .help = "Which of the key's gaps counts: the smallest that so large a share of them does not "
             "exceed."},
    {.name = "factor",
     .type = MR_OPTION_NUMBER,
     .default_text = "3.0",
     .minimum = 1,
     .maximum = 1e6,
     .help = "The limit is so many times that gap."},
    {.name = "gaps",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "100",
     .minimum = 2,
     .maximum = MR_HEARTBEAT_GAPS_MAX,
     .help = "How many of the key's last gaps are kept, 2 to 1,000."},
    {.name = "warmup",
     .type = MR_OPTION_INTEGER,
     .default_text = "20",
     .minimum = 1,
     .maximum = MR_HEARTBEAT_GAPS_MAX,
     .help = "Gaps of a key from which on they say the limit; until then `timeout` does, and "
             "without it the key is only learned."},
    {.name = "minimum",
     .type = MR_OPTION_DURATION,
     .default_text = "1s",
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "A limit below this counts as this."},
    {.name = NULL},
};

static const struct mr_option_spec heartbeat_options[] = {
    {.name = "timeout",
     .type = MR_OPTION_DURATION,
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "A key without a record for longer than this is silent."},
    {.name = "learned",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_STATE_BOUND,
     .fields = learned_fields,
     .help = "Learn the limit of each key from its own gaps between records."},
    {.name = "time",
     .type = MR_OPTION_CHOICE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "event",
     .choices = times,
     .help = "Event time, in which the watermark says what is silent; or the clock of the task "
             "(processing), which goes on when nothing comes at all: then alerts depend on when "
             "records are read."},
    {.name = "forget_after",
     .type = MR_OPTION_DURATION,
     .default_text = "7d",
     .minimum = 2,
     .maximum = 3660.0 * 86400e3,
     .help = "A key silent for so long is forgotten, and its alert resolved."},
    {.name = "severity",
     .type = MR_OPTION_CHOICE,
     .default_text = "warning",
     .choices = severities,
     .help = "Of a silence: warning or critical."},
    {.name = NULL},
};

static const struct mr_refused_option heartbeat_refused[] = {
    {"suppress",
     "a silence is one episode by itself, with an alert as it begins and one as it ends"},
    {"calibrate",
     "`learned` takes the limit from the key's own gaps, at a quantile that you choose"},
    {NULL, NULL},
};

static const struct mr_output_spec heartbeat_outputs[] = {
    {.name = "main", .help = "Every record, with the object `as` added, as it comes."},
    {.name = "alerts",
     .help = "Of each silence an alert `open` when it is too long, with the event time at which it "
             "became so and without a record, and one `resolved` with the record that ends it, or "
             "when the key is forgotten.",
     .fields = mr_alert_fields,
     .fields_count = MR_ALERT_FIELDS_COUNT},
};

static const struct mr_output_field heartbeat_fields[] = {
    MR_DETECTOR_MEMBERS("The gap before the record divided by the limit."),
    {"gap_ms", MR_TYPE_INT, "Time since the key's last record; 0 for one out of order."},
    {"limit_ms", MR_TYPE_INT, "How long the key may be silent; null while that is not known."},
    {"count", MR_TYPE_INT, "How many earlier records the key had."},
};

const struct mr_operator_type mr_operator_detect_heartbeat = {
    .spec =
        {
            .name = "detect.heartbeat",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD | MR_TYPE_ROW_WATERMARKS,
            .summary = "Tells when a key falls silent, and when it is back.",
            .description =
                "A key that was seen and has no record for longer than its limit raises an alert "
                "`open` on the output `alerts`, once; with its next record, an alert `resolved` "
                "with the same id. The limit is `timeout`, or `factor` times a quantile of the "
                "key's own last gaps (`learned`). A gap above the limit is learned as the limit: "
                "one outage does not hide the next, and a slower rhythm becomes normal by and "
                "by. The main output has every record at once; its score is the gap before it "
                "divided by the limit, so that a record that ends a silence is an anomaly. "
                "It has no `suppress`, since a silence is one episode by itself, and no "
                "`calibrate`, since `learned` is one.\n\n"
                "In event time a key is silent when the watermark has passed its last record by "
                "the limit: no record could come any more that makes the gap smaller. Or when its "
                "next record comes behind a longer gap: then both alerts leave with it, with the "
                "same ids. A record that is late, but not late enough to have ended the silence, "
                "leaves it open. The watermark needs records of others: with `idle_timeout` an "
                "idle partition holds nobody up, but when all are idle it stands still, and no "
                "key is called silent because a file ended or all stopped. Where that must be "
                "told, say `time: processing`: the clock goes on. Then what is silent depends on "
                "when records are read, and of keys from before a restart the time counts from "
                "the start of the task on; a run that ends (--until-end) does not wait for "
                "silences. "
                "Records more out of order than the limit: put a `sort` "
                "in front.\n\n"
                "Not for keys that never came: nothing is known of them. A key silent for "
                "`forget_after` (or `state.ttl`, if that is shorter) is forgotten; `state: "
                "{max_keys}` forgets first the keys that "
                "would be due first, without an alert.\n\n"
                "Control records: a key that is muted is not called silent, its records are no "
                "anomalies, and a silence that lasts longer than `until`, or `unmute`, is told "
                "then; an alert that is open is resolved all the same. `freeze` stops what "
                "`learned` learns, and means nothing without it. `reset` forgets the key and "
                "resolves its alert: it is expected no more until it comes again. A key may be "
                "named before it comes; what was said of one that is forgotten is forgotten too. "
                "By the clock (time: processing) `until` is a time of the clock.\n\n"
                "State: 45 bytes a key, 8 more each while it is frozen or muted, 8 for each gap "
                "kept, in slots, and 8 in the cache.",
            .options = heartbeat_options,
            .refused = heartbeat_refused,
            .outputs = heartbeat_outputs,
            .outputs_count = MR_ARRAY_COUNT(heartbeat_outputs),
            .as_default = "anomaly",
            .added_fields = heartbeat_fields,
            .added_fields_count = MR_ARRAY_COUNT(heartbeat_fields),
            .state_version = MR_HEARTBEAT_VERSION,
            .estimate = mr_heartbeat_estimate,
            .check = heartbeat_check,
            .reads_wall_clock = reads_wall_clock,
        },
    .instance_size = sizeof(struct heartbeat),
    .open = heartbeat_open,
    .process = heartbeat_process,
    .on_watermark = heartbeat_watermark,
    .on_wall = heartbeat_wall,
    .watches_for_silence = true,
    .close = heartbeat_close,
    .state_table = mr_heartbeat_table,
    .describe_state = mr_heartbeat_describe,
};
