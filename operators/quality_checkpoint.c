/* operators/quality_checkpoint.c — quality.checkpoint: records, batches or windows that pass named
 * checks, and those that fail.
 * Design: without a window each record is judged alone and leaves at once
 * (quality_single.h). With one, records wait in state (quality_hold.h) while each adds to the
 * tallies of its unit (quality_unit.h), so that the verdict costs nothing when it is due: when the
 * last record of a batch has come, or when the watermark has passed the window's end and lateness,
 * or a batch's `max_wait`. Then all records of the unit leave by the output that the verdict names,
 * in the order in which they came, each with the verdict and with what is wrong with itself. A unit
 * that is due may be larger than a transaction: it remembers that it is judged and how many records
 * have left. A record that comes for a batch whose time was up by the record's own watermark is the
 * first of the next one, so that how records are cut into batches does not show. */
#include "base/assert.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/quality_hold.h"
#include "operators/quality_report.h"
#include "operators/quality_single.h"
#include "operators/registry.h"
#include "operators/window_time.h"

enum { OUTPUT_ALERTS = MR_QUALITY_OUTPUT_FAIL + 1, OUTPUT_RESULTS, OUTPUT_LATE, OUTPUTS_COUNT };
enum { ROWS_FIRST = 64, ROWS_FACTOR = 8, BATCH_RECORDS_MAX = 10000, ESTIMATED_ROW_BYTES = 512 };

struct checkpoint {
    const struct mr_plan_node *node;
    struct mr_quality_checks checks;
    struct mr_quality_reporter reporter;
    struct mr_quality_hold hold;
    struct mr_window_grid grid; /* of windows */
    bool waits;                 /* records have a unit */
    uint32_t count;             /* of batches; 0: windows */
    int64_t lateness_ms;
    int64_t wait_ms;
    int64_t records_max;
};

/* ---- Opening ---- */

static const struct mr_options *window_of(const struct mr_options *options)
{
    return mr_options_present(options, "window") ? mr_options_get(options, "window")->objects
                                                 : NULL;
}

/* The checks whose failing counts. */
static uint32_t fatal_checks(const struct mr_quality_checks *checks, int64_t from)
{
    uint32_t bits = 0;
    for (uint32_t index = 0; index < checks->count; index++)
        if ((int64_t)checks->items[index].severity >= from)
            bits |= 1u << index;
    return bits;
}

static enum mr_status checkpoint_open(void *self, const struct mr_operator_open *open,
                                      struct mr_error *error)
{
    struct checkpoint *checkpoint = self;
    const struct mr_options *options = &open->node->options;
    struct mr_window window = {0};
    checkpoint->node = open->node;
    mr_quality_checks_open(&checkpoint->checks, options);
    checkpoint->checks.fatal =
        fatal_checks(&checkpoint->checks, mr_options_integer(options, "fail_from"));
    mr_quality_reporter_open(&checkpoint->reporter, open, &checkpoint->checks, OUTPUT_ALERTS,
                             OUTPUT_RESULTS);
    checkpoint->waits = window_of(options) != NULL;
    if (!checkpoint->waits)
        return MR_OK;
    mr_window_read(window_of(options), &window);
    checkpoint->count = window.count;
    if (window.kind == MR_WINDOW_TUMBLING)
        mr_window_grid_init(&checkpoint->grid, &window);
    checkpoint->lateness_ms = mr_options_integer(options, "lateness");
    checkpoint->wait_ms = mr_options_integer(options, "max_wait");
    checkpoint->records_max = mr_options_integer(options, "max_records");
    return mr_quality_hold_open(&checkpoint->hold, open, &checkpoint->checks, error);
}

static void checkpoint_close(void *self)
{
    struct checkpoint *checkpoint = self;
    mr_quality_checks_close(&checkpoint->checks);
    mr_quality_hold_close(&checkpoint->hold);
}

/* ---- Records that leave ---- */

/* One call of process or on_watermark. */
struct call {
    struct checkpoint *checkpoint;
    struct mr_operator_context *context;
    const struct mr_batch *cause; /* NULL: the watermark */
    struct mr_quality_report report;
    struct mr_batch *batch; /* of records that leave; NULL: none */
    uint32_t output;
    uint32_t rows_next; /* capacity of the next batch */
};

static void call_begin(struct call *call, struct checkpoint *checkpoint,
                       struct mr_operator_context *context, const struct mr_batch *cause)
{
    *call = (struct call){
        .checkpoint = checkpoint, .context = context, .cause = cause, .rows_next = ROWS_FIRST};
    mr_quality_report_begin(&call->report, &checkpoint->reporter, context, cause);
}

static void emit_rows(struct call *call)
{
    if (call->batch == NULL)
        return;
    struct mr_view view = mr_batch_view(call->batch);
    call->batch = NULL;
    mr_operator_emit(call->context, call->output, view);
}

static void call_end(struct call *call)
{
    emit_rows(call);
    mr_quality_report_end(&call->report);
}

static bool same_origin(const struct mr_origin *left, const struct mr_origin *right)
{
    if (left->partition != right->partition || (left->topic == NULL) != (right->topic == NULL))
        return false;
    return left->topic == NULL || strcmp(left->topic, right->topic) == 0;
}

/* The batch that the next record goes into: of one output and one partition of a source. */
static struct mr_batch *batch_for(struct call *call, const struct mr_quality_unit *unit,
                                  uint32_t index, const struct mr_origin *origin)
{
    uint32_t output = (unit->failed & call->checkpoint->checks.fatal) == 0 ? MR_QUALITY_OUTPUT_MAIN
                                                                           : MR_QUALITY_OUTPUT_FAIL;
    if (call->batch != NULL &&
        (call->output != output || !same_origin(&call->batch->origin, origin)))
        emit_rows(call);
    if (call->batch != NULL)
        return call->batch;
    call->output = output;
    call->batch =
        mr_operator_batch_new(call->context, MR_QUALITY_OUTPUT_MAIN, call->cause, call->rows_next);
    call->batch->origin = *origin;
    call->batch->sequence_first = /* names the rows, for ids and randomness behind */
        mr_hash64_seeded(mr_slice_text(call->checkpoint->node->name), unit->number ^ index);
    call->rows_next *= ROWS_FACTOR;
    if (call->rows_next > MR_LIMIT_BATCH_ROWS)
        call->rows_next = MR_LIMIT_BATCH_ROWS;
    return call->batch;
}

/* What is added to each record of a unit. */
static void unit_members(const struct checkpoint *checkpoint, const struct mr_quality_unit *unit,
                         struct mr_arena *arena,
                         struct mr_value members[MR_QUALITY_GATE_MEMBERS_COUNT])
{
    const struct mr_quality_checks *checks = &checkpoint->checks;
    uint32_t failed = unit->failed;
    const char *severity = mr_quality_severities[mr_quality_worst(checks, failed)];
    members[MR_QUALITY_PASSED] = mr_value_bool((failed & checks->fatal) == 0);
    members[MR_QUALITY_SCORE] = mr_value_double(mr_quality_rows_score(checks, failed));
    members[MR_QUALITY_SEVERITY] = mr_value_string(mr_slice_text(severity));
    members[MR_QUALITY_REASON] =
        mr_value_string(mr_slice_text(mr_quality_report_reason(checks, unit, arena)));
    members[MR_QUALITY_FAILED] = mr_quality_names(checks, failed, arena);
    members[MR_QUALITY_RECORDS] = mr_value_int((int64_t)unit->records);
}

/* Take record `index` out of the state and write it. */
static enum mr_status leave(struct call *call, const struct mr_quality_unit *unit, uint32_t index,
                            struct mr_value members[MR_QUALITY_GATE_MEMBERS_COUNT],
                            struct mr_error *error)
{
    struct checkpoint *checkpoint = call->checkpoint;
    struct mr_arena *arena = call->context->arena;
    struct mr_quality_held held;
    enum mr_status status =
        mr_quality_hold_read(&checkpoint->hold, unit->number, index, arena, &held, error);
    if (status == MR_OK)
        status = mr_quality_hold_drop(&checkpoint->hold, unit->number, index, error);
    if (status != MR_OK)
        return status;
    struct mr_batch *batch = batch_for(call, unit, index, &held.place.origin);
    status = mr_kept_row_append(&checkpoint->hold.kept, held.row, batch, error);
    if (status != MR_OK)
        return status;
    members[MR_QUALITY_VIOLATED] = mr_quality_names(&checkpoint->checks, held.violated, arena);
    for (uint32_t member = 0; member < MR_QUALITY_GATE_MEMBERS_COUNT; member++)
        mr_batch_column(batch, checkpoint->node->added_slots[member])[batch->rows_count - 1] =
            members[member];
    if (batch->rows_count == batch->rows_capacity)
        emit_rows(call);
    return MR_OK;
}

/* ---- Verdicts ---- */

/* The places of the records that violate checks of a unit. */
static enum mr_status find_offenders(struct call *call, const struct mr_quality_unit *unit,
                                     const struct mr_alert_place **offenders,
                                     struct mr_error *error)
{
    const struct mr_quality_checks *checks = &call->checkpoint->checks;
    struct mr_arena *arena = call->context->arena;
    struct mr_alert_place *places =
        mr_arena_new(arena, (size_t)checks->count * MR_QUALITY_OFFENDERS_MAX, sizeof(*places));
    *offenders = places;
    for (uint32_t index = 0; index < checks->count; index++) {
        const struct mr_quality_tally *tally = &unit->tallies[index];
        for (uint32_t place = 0; place < tally->violated && place < MR_QUALITY_OFFENDERS_MAX;
             place++) {
            struct mr_quality_held held;
            enum mr_status status =
                mr_quality_hold_read(&call->checkpoint->hold, unit->number, tally->offenders[place],
                                     arena, &held, error);
            if (status != MR_OK)
                return status;
            places[index * MR_QUALITY_OFFENDERS_MAX + place] = held.place;
        }
    }
    return MR_OK;
}

static enum mr_status report_unit(struct call *call, const struct mr_quality_unit_key *key,
                                  const struct mr_quality_unit *unit, struct mr_error *error)
{
    const struct checkpoint *checkpoint = call->checkpoint;
    struct mr_quality_verdict verdict = {.unit = unit, .key = key->key, .tells_alerts = true};
    if (!mr_quality_reporter_is_read(&checkpoint->reporter))
        return MR_OK;
    enum mr_status status = find_offenders(call, unit, &verdict.offenders, error);
    if (status != MR_OK)
        return status;
    bool is_window = checkpoint->count == 0;
    verdict.start_ms =
        is_window ? mr_window_start_ms(&checkpoint->grid, unit->window) : unit->first_ms;
    verdict.end_ms = is_window ? mr_window_end_ms(&checkpoint->grid, unit->window) : unit->last_ms;
    verdict.time_ms = is_window ? verdict.end_ms - 1 : unit->last_ms;
    mr_quality_report_unit(&call->report, &verdict);
    return MR_OK;
}

/* A copy of the unit, judged. */
static enum mr_status judge(struct call *call, const struct mr_quality_unit_key *key,
                            uint32_t flags, struct mr_quality_unit **unit, struct mr_error *error)
{
    struct checkpoint *checkpoint = call->checkpoint;
    struct mr_quality_hold *hold = &checkpoint->hold;
    struct mr_quality_unit *stored;
    bool created;
    enum mr_status status = mr_quality_hold_unit(hold, key, &stored, &created, error);
    if (status != MR_OK)
        return status;
    MR_ASSERT(!created);
    bool is_new = (stored->flags & MR_QUALITY_JUDGED) == 0;
    if (is_new) {
        stored->failed = mr_quality_unit_judge(stored, &checkpoint->checks);
        stored->flags |= MR_QUALITY_JUDGED | flags;
        mr_table_dirty(hold->units, stored);
    }
    *unit = mr_arena_take(call->context->arena, hold->unit_size);
    memcpy(*unit, stored, hold->unit_size);
    if (!is_new)
        return MR_OK;
    bool failed = ((*unit)->failed & checkpoint->checks.fatal) != 0;
    status = mr_quality_hold_judged(hold, key->key, failed, error);
    return status != MR_OK ? status : report_unit(call, key, *unit, error);
}

/* A part of the unit's records has left: remember how many. */
static enum mr_status remember(struct checkpoint *checkpoint, const struct mr_quality_unit_key *key,
                               uint64_t released, struct mr_error *error)
{
    struct mr_quality_unit *stored;
    bool created;
    enum mr_status status = mr_quality_hold_unit(&checkpoint->hold, key, &stored, &created, error);
    if (status != MR_OK)
        return status;
    stored->released = released;
    mr_table_dirty(checkpoint->hold.units, stored);
    return MR_OK;
}

/* Judge a unit and let its records leave. MR_AGAIN, with may_stop: not all have left. */
static enum mr_status close_unit(struct call *call, const struct mr_quality_unit_key *key,
                                 uint32_t flags, bool may_stop, struct mr_error *error)
{
    struct checkpoint *checkpoint = call->checkpoint;
    struct mr_value members[MR_QUALITY_GATE_MEMBERS_COUNT];
    struct mr_quality_unit *unit;
    bool stops = false;
    enum mr_status status = judge(call, key, flags, &unit, error);
    if (status != MR_OK)
        return status;
    unit_members(checkpoint, unit, call->context->arena, members);
    uint64_t index = unit->released;
    while (status == MR_OK && index < unit->records && !stops) {
        status = leave(call, unit, (uint32_t)index, members, error);
        index++;
        stops = may_stop && mr_operator_is_enough(call->context);
    }
    if (status == MR_OK)
        status = mr_quality_hold_left(&checkpoint->hold, key->key, index - unit->released, error);
    if (status != MR_OK)
        return status;
    if (index == unit->records)
        status = mr_quality_hold_forget(&checkpoint->hold, key, unit->number, error);
    else
        status = remember(checkpoint, key, index, error);
    return status == MR_OK && stops ? MR_AGAIN : status;
}

/* Close the unit that is due first, at until_ms or before. */
static enum mr_status close_first(struct call *call, int64_t until_ms, uint32_t flags,
                                  bool may_stop, bool *found, struct mr_error *error)
{
    struct mr_slice bytes;
    uint64_t hash;
    void *object;
    enum mr_status status = mr_table_next_due(call->checkpoint->hold.units, until_ms, &bytes, &hash,
                                              &object, found, error);
    if (status != MR_OK || !*found)
        return status;
    struct mr_quality_unit_key key = mr_quality_hold_key_of(call->context->arena, bytes, hash);
    return close_unit(call, &key, flags, may_stop, error);
}

static enum mr_status checkpoint_watermark(void *self, struct mr_operator_context *context,
                                           struct mr_error *error)
{
    struct checkpoint *checkpoint = self;
    struct call call;
    bool found = context->watermark_ms > INT64_MIN;
    if (!checkpoint->waits)
        return MR_OK;
    enum mr_status status = mr_table_expire(checkpoint->hold.keys, context->watermark_ms, error);
    call_begin(&call, checkpoint, context, NULL);
    while (status == MR_OK && found)
        status = close_first(&call, context->watermark_ms, 0, true, &found, error);
    if (status == MR_OK || status == MR_AGAIN)
        call_end(&call);
    return status;
}

/* ---- Records that come ---- */

/* One row with its unit. */
struct coming {
    const struct mr_batch *batch;
    uint32_t row;
    size_t size; /* of its bytes */
    int64_t watermark_ms;
    int64_t window;
    int64_t due_ms; /* by this row */
    struct mr_quality_unit_key key;
    uint64_t number; /* of the unit */
    uint64_t index;  /* in the unit */
};

/* When what the row belongs to is to be judged. */
static void place_row(const struct checkpoint *checkpoint, struct coming *coming)
{
    int64_t time_ms = coming->batch->event_times_ms[coming->row];
    if (checkpoint->count == 0) {
        coming->window = mr_window_pane(&checkpoint->grid, time_ms);
        coming->due_ms =
            mr_window_end_ms(&checkpoint->grid, coming->window) + checkpoint->lateness_ms;
        return;
    }
    int64_t from_ms = time_ms > coming->watermark_ms ? time_ms : coming->watermark_ms;
    coming->window = 0;
    coming->due_ms = from_ms > INT64_MAX - 1 - checkpoint->wait_ms ? INT64_MAX - 1
                                                                   : from_ms + checkpoint->wait_ms;
}

/* Find or make the unit that the row joins. */
static enum mr_status join_unit(struct call *call, struct coming *coming, uint64_t *next,
                                struct mr_error *error)
{
    struct mr_quality_hold *hold = &call->checkpoint->hold;
    for (;;) {
        struct mr_quality_unit *unit;
        bool created;
        enum mr_status status = mr_quality_hold_unit(hold, &coming->key, &unit, &created, error);
        if (status != MR_OK)
            return status;
        if (!created && unit->due_ms <= coming->watermark_ms) {
            status = close_unit(call, &coming->key, 0, false, error);
            if (status != MR_OK)
                return status;
            continue;
        }
        if (created) {
            unit->number = (*next)++;
            unit->window = coming->window;
        }
        if (created || coming->due_ms < unit->due_ms) {
            unit->due_ms = coming->due_ms;
            mr_table_schedule(hold->units, unit, unit->due_ms);
        }
        coming->number = unit->number;
        coming->index = unit->records;
        return MR_OK;
    }
}

/* Keep the row, and add it to its unit. *records: how many that has now. */
static enum mr_status keep_row(struct call *call, const struct coming *coming,
                               const struct mr_quality_findings *findings, uint64_t *records,
                               struct mr_error *error)
{
    struct checkpoint *checkpoint = call->checkpoint;
    struct mr_quality_hold *hold = &checkpoint->hold;
    struct mr_arena *arena = call->context->arena;
    struct mr_quality_unit *unit;
    uint32_t repeated = 0;
    bool created;
    enum mr_status status =
        mr_quality_hold_repeats(hold, &checkpoint->checks, findings, coming->batch, coming->row,
                                coming->number, arena, &repeated, error);
    if (status == MR_OK)
        status = mr_quality_hold_put(hold, coming->batch, coming->row, coming->size,
                                     findings->violated[coming->row] | repeated, coming->number,
                                     (uint32_t)coming->index, arena, error);
    if (status == MR_OK)
        status = mr_quality_hold_came(hold, coming->key.key,
                                      coming->batch->event_times_ms[coming->row], error);
    if (status == MR_OK)
        status = mr_quality_hold_unit(hold, &coming->key, &unit, &created, error);
    if (status != MR_OK)
        return status;
    MR_ASSERT(!created && unit->number == coming->number);
    mr_quality_unit_add(unit, &checkpoint->checks, findings, coming->batch, coming->row, repeated);
    mr_table_dirty(hold->units, unit);
    *records = unit->records;
    return MR_OK;
}

static enum mr_status take_row(struct call *call, struct coming *coming, struct mr_slice key,
                               const struct mr_quality_findings *findings, uint64_t *next,
                               bool *late, struct mr_error *error)
{
    struct checkpoint *checkpoint = call->checkpoint;
    uint64_t records = 0;
    coming->watermark_ms = mr_operator_row_watermark(coming->batch, coming->row);
    place_row(checkpoint, coming);
    *late = checkpoint->count == 0 && coming->due_ms <= coming->watermark_ms;
    if (*late)
        return MR_OK;
    enum mr_status status =
        mr_row_size(&checkpoint->hold.kept.input, coming->batch, coming->row, &coming->size, error);
    if (status == MR_LIMIT) {
        mr_operator_row_error(call->context, coming->batch, coming->row, "%s", error->message);
        return MR_OK;
    }
    coming->key = mr_quality_hold_key(call->context->arena, key, coming->window);
    if (status == MR_OK)
        status = join_unit(call, coming, next, error);
    if (status == MR_OK)
        status = keep_row(call, coming, findings, &records, error);
    if (status == MR_OK && checkpoint->count > 0 && records == checkpoint->count)
        status = close_unit(call, &coming->key, 0, false, error);
    while (status == MR_OK &&
           mr_quality_hold_waiting(&checkpoint->hold) > checkpoint->records_max) {
        bool found;
        status = close_first(call, INT64_MAX, MR_QUALITY_CUT, false, &found, error);
        MR_ASSERT(status != MR_OK || found);
    }
    return status;
}

static enum mr_status checkpoint_process(void *self, struct mr_operator_context *context,
                                         uint32_t port, struct mr_view view, struct mr_error *error)
{
    struct checkpoint *checkpoint = self;
    struct mr_quality_findings findings;
    struct mr_view keyed;
    struct call call;
    uint64_t first;
    MR_UNUSED(port);
    if (!checkpoint->waits) {
        mr_quality_single_judge(checkpoint->node, &checkpoint->checks, &checkpoint->reporter,
                                context, view);
        return MR_OK;
    }
    const struct mr_slice *keys = mr_operator_keys(context, checkpoint->node, view, &keyed);
    uint16_t *lates = mr_arena_take(context->arena, (keyed.rows_count + 1u) * sizeof(*lates));
    uint32_t lates_count = 0;
    mr_quality_find(&checkpoint->checks, context, keyed, &findings);
    enum mr_status status = mr_quality_hold_next(&checkpoint->hold, &first, error);
    uint64_t next = first;
    call_begin(&call, checkpoint, context, view.batch);
    for (uint32_t place = 0; place < keyed.rows_count && status == MR_OK; place++) {
        uint16_t row = keyed.rows[place];
        struct coming coming = {.batch = view.batch, .row = row};
        bool late;
        status = take_row(&call, &coming, keys[row], &findings, &next, &late, error);
        if (late)
            lates[lates_count++] = row;
    }
    if (status == MR_OK && next != first)
        status = mr_quality_hold_set_next(&checkpoint->hold, next, error);
    if (status != MR_OK)
        return status;
    call_end(&call);
    if (lates_count > 0) {
        mr_operator_late(context, lates_count);
        mr_operator_emit(context, OUTPUT_LATE, (struct mr_view){view.batch, lates, lates_count});
    }
    return MR_OK;
}

/* ---- The type ---- */

static struct mr_operator_reach checkpoint_reach(const struct mr_plan_node *node)
{
    struct mr_window window;
    if (window_of(&node->options) == NULL)
        return (struct mr_operator_reach){0};
    mr_window_read(window_of(&node->options), &window);
    int64_t open_ms = mr_options_integer(&node->options, "max_wait");
    if (window.kind == MR_WINDOW_TUMBLING)
        open_ms = window.size_ms + mr_options_integer(&node->options, "lateness");
    if (window.zone != NULL)
        open_ms += window.zone->spread_ms; /* a day may be so much longer */
    return (struct mr_operator_reach){.open_ms = open_ms, .held_ms = open_ms};
}

static bool checkpoint_is_stateless(const struct mr_options *options)
{
    return window_of(options) == NULL;
}

static enum mr_status check_window(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    static const char *const windowed[] = {"lateness", "max_wait", "max_records"};
    struct mr_window window = {0};
    bool waits = window_of(options) != NULL;
    *option = "window";
    if (waits) {
        enum mr_status status = mr_window_check(window_of(options), error);
        if (status != MR_OK)
            return status;
        mr_window_read(window_of(options), &window);
        if (window.kind != MR_WINDOW_TUMBLING && window.kind != MR_WINDOW_COUNT)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "each record leaves once, so it belongs to one batch or window: say "
                           "{count: 100} or {tumbling: 1m}");
        if (window.kind == MR_WINDOW_COUNT &&
            (window.every_count != window.count || window.count > BATCH_RECORDS_MAX))
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "batches have up to %d records and do not overlap: leave `every` out",
                           BATCH_RECORDS_MAX);
    }
    for (size_t index = 0; index < MR_ARRAY_COUNT(windowed); index++) {
        *option = windowed[index];
        bool is_batch = waits && window.kind == MR_WINDOW_COUNT;
        bool fits = waits && (index == 2 || (index == 1) == is_batch);
        if (mr_options_get(options, windowed[index])->given && !fits)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "'%s' has a meaning only with %s", windowed[index],
                           index == 0   ? "window: {tumbling: ...}"
                           : index == 1 ? "window: {count: ...}"
                                        : "a window");
    }
    return MR_OK;
}

static enum mr_status checkpoint_check(const struct mr_options *options, const char **option,
                                       struct mr_error *error)
{
    enum mr_status status = check_window(options, option, error);
    if (status != MR_OK)
        return status;
    return mr_quality_check(options, window_of(options) != NULL, option, error);
}

static void checkpoint_estimate(const struct mr_options *options,
                                struct mr_state_estimate *estimate)
{
    struct mr_state_estimate more;
    uint32_t checks = mr_options_get(options, "checks")->count;
    uint64_t frame = MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    if (window_of(options) == NULL)
        return;
    /* The unit, the row and what takes it away, the key's entry, the next number; what is seen. */
    mr_estimate_object(mr_quality_unit_size(checks), mr_quality_unit_size(checks) + 8, estimate);
    mr_estimate_object(1024, ESTIMATED_ROW_BYTES, &more);
    estimate->object_bytes += more.object_bytes;
    estimate->stored_bytes += more.stored_bytes;
    estimate->changelog_bytes_per_record += more.changelog_bytes_per_record + 4 * frame;
    for (uint32_t index = 0; index < checks; index++)
        if (mr_options_integer(&mr_options_get(options, "checks")->objects[index], "expect") ==
            MR_EXPECT_UNIQUE)
            estimate->changelog_bytes_per_record += 2 * frame;
}

static const struct mr_option_spec checkpoint_options[] = {
    {.name = "checks",
     .type = MR_OPTION_OBJECTS,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = MR_QUALITY_CHECKS_MAX,
     .fields = mr_quality_check_options,
     .help = "What is expected, 1 to 32 named checks; all are judged."},
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_STATE_BOUND,
     .fields = mr_window_options,
     .help = "What is judged together: a batch of so many records of the key, {count: 100} (up to "
             "10,000), or a window of event time, {tumbling: 1m}, with offset and zone. Default: "
             "each record alone."},
    {.name = "fail_from",
     .type = MR_OPTION_CHOICE,
     .default_text = "info",
     .choices = mr_quality_severities,
     .help = "Checks of this severity and above send to `fail` when they fail; others only tell."},
    {.name = "lateness",
     .type = MR_OPTION_DURATION,
     .default_text = "0s",
     .minimum = 0,
     .maximum = 366.0 * 86400e3,
     .help = "How long a window waits behind its end for records that are out of order; those that "
             "come later go to `late`."},
    {.name = "max_wait",
     .type = MR_OPTION_DURATION,
     .default_text = "1m",
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "A batch that is not full is judged when the watermark is this far behind the event "
             "time of any of its records."},
    {.name = "max_records",
     .type = MR_OPTION_INTEGER,
     .default_text = "100000",
     .minimum = 1,
     .maximum = 1e9,
     .help = "Records that wait in one task at most: with one more the batch or window that would "
             "be judged first is judged at once, and what comes for it then begins a new one."},
    {.name = NULL},
};

static const struct mr_output_field checkpoint_fields[] = {
    MR_QUALITY_MEMBERS("on the record, batch or window; with fail_from, none from that on"),
    {"violated", MR_TYPE_ANY, "A list: the names of the checks that this record itself violates."},
    {"records", MR_TYPE_INT, "Records that were judged together."},
};
_Static_assert(MR_ARRAY_COUNT(checkpoint_fields) == MR_QUALITY_GATE_MEMBERS_COUNT,
               "the members as they are set");

static const struct mr_input_spec checkpoint_inputs[] = {
    {.option = "from", .required = true, .help = "The input: NAME or NAME.OUTPUT."},
    {.option = NULL},
};

static const struct mr_output_spec checkpoint_outputs[OUTPUTS_COUNT] = {
    {.name = "main", .help = "The records that pass, or whose batch or window does."},
    {.name = "fail",
     .help = "The records that fail, or whose batch or window does, with the object added.",
     .is_like_main = true},
    {.name = "alerts",
     .help = "One alert record per check that failed, for a record, a batch or a window; `source` "
             "is the place of the first record that violates it.",
     .fields = mr_alert_fields,
     .fields_count = MR_ALERT_FIELDS_COUNT},
    {.name = "results",
     .help = "One record per record, batch or window, with every check by its name.",
     .fields = mr_quality_result_fields,
     .fields_count = MR_QUALITY_RESULT_FIELDS_COUNT},
    {.name = "late", .help = "The input's records that came when their window had been judged."},
};

const struct mr_operator_type mr_operator_quality_checkpoint = {
    .spec =
        {
            .name = "quality.checkpoint",
            .role = MR_ROLE_OPERATOR,
            .flags =
                MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD | MR_TYPE_DERIVED_ROWS | MR_TYPE_ROW_WATERMARKS,
            .summary =
                "Lets records pass, or whole batches and windows, that satisfy named checks; "
                "the others go to `fail`.",
            .description =
                "All `checks` are judged and each is reported by its name: in `quality.failed`, in "
                "an alert each, and, passed or failed, in `results`. Their grammar is that of "
                "quality.rules, which marks records without dividing them.\n\n"
                "Without `window` each record is judged alone and leaves at once; no state, no "
                "key. "
                "With `window: {count: 100}` or `{tumbling: 1m}` records of a `key` wait in state "
                "until their batch is full, or their window over; then all of them leave, by the "
                "main output or by `fail`, so that nothing goes on that was not judged. There "
                "`mostly` says which share must satisfy a check, and checks may be about the "
                "records together: unique, row_count_between, mean_between, stdev_between, "
                "min_between, max_between. A window without any record is not judged: use "
                "detect.rate or detect.heartbeat for silence.\n\n"
                "Each record adds to what is known of its unit in constant time, and all of it is "
                "exact across restarts and moves of the task. Alerts and results name the topic, "
                "partition and offset of the first 8 records that violate a check; behind a "
                "repartition these are places in its topic, so key the source as the checkpoint, "
                "or use `scope: partition`, to have the source's. `unique` is exact: the values of "
                "a unit are kept while it waits. Numbers beyond 1e140 are none to mean_between and "
                "the like.\n\n"
                "A mean, minimum or maximum without numbers, and a standard deviation of fewer "
                "than two, satisfy their check: expect not_null or row_count_between as well. "
                "State: the records while they wait, at most `max_records` of them in a task, 64 "
                "bytes and 80 per check for each unit; `state:` bounds only the entries per key "
                "that queries see. Records that waited have no message headers.",
            .options = checkpoint_options,
            .inputs = checkpoint_inputs,
            .outputs = checkpoint_outputs,
            .outputs_count = OUTPUTS_COUNT,
            .as_default = "quality",
            .added_fields = checkpoint_fields,
            .added_fields_count = MR_QUALITY_GATE_MEMBERS_COUNT,
            .state_version = MR_QUALITY_HOLD_VERSION,
            .estimate = checkpoint_estimate,
            .check = checkpoint_check,
            .check_bound = mr_quality_check_bound,
            .is_stateless = checkpoint_is_stateless,
        },
    .instance_size = sizeof(struct checkpoint),
    .open = checkpoint_open,
    .process = checkpoint_process,
    .on_watermark = checkpoint_watermark,
    .reach = checkpoint_reach,
    .close = checkpoint_close,
    .state_table = mr_quality_hold_keys,
    .describe_state = mr_quality_hold_describe,
};
