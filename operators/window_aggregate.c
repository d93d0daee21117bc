/* operators/window_aggregate.c — window.aggregate: one record per key and window.
 * Design: per view keys, hashes and argument columns are made first; then each row is handed to the
 * window's kind (operators/windowing.h), after the groups that its watermark closes were closed, so
 * that nothing depends on how records are cut into batches.
 *
 * Stored: see window_ring.h, window_pane.h. */
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "operators/estimate.h"
#include "operators/group_object.h"
#include "operators/registry.h"
#include "operators/windowing.h"

enum {
    OUTPUT_LATE = 1,
    PANE_NUMBER_BYTES = 8, /* what state puts before a key, at most */
    ESTIMATE_RECORDS = 2   /* stored records that a row changes at most */
};

static const char *const emits[] = {"close", "update", "periodic", NULL};
static const char *const times[] = {"event", "processing", NULL};

static const char groups_table[] = "groups";

static const struct mr_options *window_options(const struct mr_options *options)
{
    return &mr_options_get(options, "window")->objects[0];
}

/* ---- Opening ---- */

/* What stored groups depend on. Never 0. */
static uint32_t fingerprint_of(const struct mr_windowing *windowing)
{
    const struct mr_window *window = &windowing->window;
    const int64_t numbers[] = {window->kind,           window->size_ms, window->every_ms,
                               window->offset_ms,      window->count,   window->every_count,
                               windowing->lateness_ms, windowing->wall};
    uint64_t hash =
        mr_hash64_seeded(mr_slice_from(numbers, sizeof(numbers)), windowing->set.fingerprint);
    for (uint32_t i = 0; i < windowing->node->key.slots_count; i++)
        hash = mr_hash64_seeded(mr_slice_text(windowing->node->key.texts[i]), hash);
    return (uint32_t)hash == 0 ? 1 : (uint32_t)hash;
}

static enum mr_status window_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct mr_windowing *windowing = self;
    const struct mr_options *options = &open->node->options;
    windowing->node = open->node;
    windowing->now_ms = INT64_MIN;
    windowing->next_ms = INT64_MIN;
    mr_arena_init(&windowing->scratch, 64 << 10);
    windowing->merged = mr_memory_new(1, sizeof(*windowing->merged));
    mr_window_read(window_options(options), &windowing->window);
    windowing->kind = &mr_windowing_aligned;
    windowing->lateness_ms = mr_options_integer(options, "lateness");
    windowing->emit = (enum mr_windowing_emit)mr_options_integer(options, "emit");
    if (mr_options_present(options, "emit_every"))
        windowing->emit_every_ms = mr_options_integer(options, "emit_every");
    windowing->wall = mr_options_integer(options, "time") == 1;
    enum mr_status status =
        mr_aggregate_set_init(&windowing->set, mr_options_get(options, "aggregates"), error);
    if (status != MR_OK)
        return status;
    mr_group_output_init(&windowing->output, open);
    windowing->fingerprint = fingerprint_of(windowing);
    return windowing->kind->open(windowing, open, error);
}

static void window_close(void *self)
{
    struct mr_windowing *windowing = self;
    mr_memory_free(windowing->merged);
    mr_arena_deinit(&windowing->scratch);
}

/* ---- Time ---- */

static enum mr_status move_on(struct mr_windowing *windowing, struct mr_operator_context *context,
                              int64_t now_ms, struct mr_error *error)
{
    if (now_ms <= windowing->now_ms)
        return MR_OK;
    windowing->now_ms = now_ms;
    if (now_ms < windowing->next_ms)
        return MR_OK;
    return windowing->kind->advance(windowing, context, now_ms, error);
}

static enum mr_status window_watermark(void *self, struct mr_operator_context *context,
                                       struct mr_error *error)
{
    struct mr_windowing *windowing = self;
    if (windowing->wall)
        return MR_OK;
    enum mr_status status = move_on(windowing, context, context->watermark_ms, error);
    mr_group_output_end(&windowing->output, context);
    return status;
}

static enum mr_status window_wall(void *self, struct mr_operator_context *context, int64_t *due_ms,
                                  struct mr_error *error)
{
    struct mr_windowing *windowing = self;
    enum mr_status status = move_on(windowing, context, context->now_ms, error);
    mr_group_output_end(&windowing->output, context);
    *due_ms = mr_table_keys(windowing->groups) == 0 ? INT64_MAX : windowing->next_ms;
    return status;
}

/* ---- Rows ---- */

/* Rows whose key leaves no room for what is stored before it are reported. */
static void check_keys(struct mr_operator_context *context, const struct mr_slice *keys,
                       struct mr_view *view)
{
    uint16_t *rows = mr_arena_take(context->arena, (view->rows_count + 1u) * sizeof(*rows));
    uint32_t rows_count = 0;
    for (uint32_t index = 0; index < view->rows_count; index++) {
        uint16_t row = view->rows[index];
        if (keys[row].size <= MR_LIMIT_KEY_BYTES - PANE_NUMBER_BYTES)
            rows[rows_count++] = row;
        else
            mr_operator_row_error(context, view->batch, row,
                                  "the key has %zu bytes, at most %d are allowed", keys[row].size,
                                  (int)MR_LIMIT_KEY_BYTES - PANE_NUMBER_BYTES);
    }
    view->rows = rows;
    view->rows_count = rows_count;
}

static enum mr_status take_rows(struct mr_windowing *windowing, struct mr_operator_context *context,
                                struct mr_view view, const struct mr_slice *keys,
                                const struct mr_aggregate_columns *columns, struct mr_view *late,
                                struct mr_error *error)
{
    struct mr_batch *batch = view.batch;
    uint16_t *late_rows =
        mr_arena_take(context->arena, (view.rows_count + 1u) * sizeof(*late_rows));
    uint64_t *hashes = mr_arena_take(context->arena, (view.rows_count + 1u) * sizeof(*hashes));
    for (uint32_t index = 0; index < view.rows_count; index++)
        hashes[index] = mr_hash64(keys[view.rows[index]]);
    *late = (struct mr_view){.batch = batch, .rows = late_rows};
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint16_t row = view.rows[index];
        int64_t now_ms = windowing->wall ? context->now_ms : mr_operator_row_watermark(batch, row);
        enum mr_status status = move_on(windowing, context, now_ms, error);
        if (status != MR_OK)
            return status;
        mr_table_prefetch(windowing->groups, hashes, view.rows_count, index);
        struct mr_windowing_row given = {.row = row,
                                         .key = keys[row],
                                         .hash = hashes[index],
                                         .time_ms = windowing->wall ? context->now_ms
                                                                    : batch->event_times_ms[row],
                                         .columns = columns};
        enum mr_windowing_fate fate;
        status = windowing->kind->row(windowing, context, &given, &fate, error);
        if (status != MR_OK)
            return status;
        if (fate == MR_ROW_LATE)
            late_rows[late->rows_count++] = row;
        else if (fate == MR_ROW_FAILED)
            mr_operator_row_error(context, batch, row, "%s", error->message);
    }
    return MR_OK;
}

static enum mr_status window_process(void *self, struct mr_operator_context *context, uint32_t port,
                                     struct mr_view view, struct mr_error *error)
{
    struct mr_windowing *windowing = self;
    MR_UNUSED(port);
    struct mr_view keyed;
    struct mr_view fine;
    struct mr_view late;
    struct mr_aggregate_columns columns;
    const struct mr_slice *keys = mr_operator_keys(context, windowing->node, view, &keyed);
    check_keys(context, keys, &keyed);
    mr_aggregate_set_evaluate(&windowing->set, context, keyed, &columns, &fine);
    enum mr_status status = take_rows(windowing, context, fine, keys, &columns, &late, error);
    if (status != MR_OK)
        return status;
    mr_group_output_end(&windowing->output, context);
    if (windowing->wall && mr_table_keys(windowing->groups) > 0)
        mr_operator_wake(context, windowing->next_ms);
    if (late.rows_count > 0) {
        mr_operator_late(context, late.rows_count);
        mr_operator_emit(context, OUTPUT_LATE, late);
    }
    return MR_OK;
}

/* ---- What the planner and queries ask ---- */

static bool reads_wall_clock(const struct mr_options *options)
{
    return mr_options_integer(options, "time") == 1;
}

static struct mr_operator_reach window_reach(const struct mr_plan_node *node)
{
    struct mr_window window;
    if (reads_wall_clock(&node->options))
        return (struct mr_operator_reach){0};
    mr_window_read(window_options(&node->options), &window);
    int64_t lateness_ms = mr_options_integer(&node->options, "lateness");
    return (struct mr_operator_reach){.open_ms = window.size_ms + lateness_ms,
                                      .held_ms = lateness_ms};
}

static enum mr_status window_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                      struct mr_state_description *description,
                                      struct mr_error *error)
{
    MR_UNUSED(arena);
    if (object->version != MR_GROUP_OBJECT_VERSION ||
        object->encoded.size < sizeof(struct mr_group_object))
        return mr_operator_not_described(error);
    mr_describe_time(description, "due", object->due_ms);
    mr_describe_member(description, "bytes", mr_value_uint(object->encoded.size));
    return MR_OK;
}

static void window_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    const struct mr_option_value *aggregates = mr_options_get(options, "aggregates");
    struct mr_aggregate_set set;
    struct mr_error error;
    if (aggregates->calls == NULL || mr_aggregate_set_init(&set, aggregates, &error) != MR_OK)
        set = (struct mr_aggregate_set){.cell_bytes = MR_AGGREGATE_SET_CELL_BYTES};
    struct mr_window window;
    mr_window_read(window_options(options), &window);
    mr_windowing_aligned_estimate(&window, mr_options_integer(options, "lateness"), &set, estimate);
}

static enum mr_status window_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    *option = "window";
    enum mr_status status = mr_window_check(window_options(options), error);
    if (status != MR_OK)
        return status;
    struct mr_window window;
    mr_window_read(window_options(options), &window);
    if (window.kind > MR_WINDOW_HOPPING)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "this version has tumbling and hopping windows only");
    bool periodic = mr_options_integer(options, "emit") == MR_EMIT_PERIODIC;
    *option = periodic ? "emit" : "emit_every";
    if (periodic != mr_options_present(options, "emit_every"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       periodic ? "emit: periodic needs `emit_every`, the time between results"
                                : "'emit_every' has no meaning without emit: periodic");
    *option = "lateness";
    if (reads_wall_clock(options) && mr_options_integer(options, "lateness") > 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "'lateness' has no meaning with time: processing: no record is late");
    return MR_OK;
}

static const struct mr_option_spec window_aggregate_options[] = {
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .fields = mr_window_options,
     .help = "Which records belong together: exactly one of tumbling, hopping, sliding, session "
             "and count."},
    {.name = "time",
     .type = MR_OPTION_CHOICE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "event",
     .choices = times,
     .help = "The records' event time, or the clock of the task (processing): then results depend "
             "on when records are read, and a replay gives others."},
    {.name = "lateness",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0s",
     .minimum = 0,
     .maximum = 366.0 * 86400e3,
     .help = "How long a window stays open behind its end: its result waits until the watermark is "
             "this far behind the end, and records are late from then on."},
    {.name = "emit",
     .type = MR_OPTION_CHOICE,
     .default_text = "close",
     .choices = emits,
     .help = "close: one result per window, when it is closed. update: one for each record that "
             "changes it. periodic: one every `emit_every` while it changes, and the final one."},
    {.name = "emit_every",
     .type = MR_OPTION_DURATION,
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "Time between results of emit: periodic, as the watermark tells it."},
    {.name = "aggregates",
     .type = MR_OPTION_AGGREGATES,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = MR_AGGREGATE_SET_MAX,
     .help = "What is computed of a window's records: a field of the result each, as in "
             "{rows: count(), mean: avg(value), p99: 'quantile(value, 0.99)'}."},
    {.name = "having",
     .type = MR_OPTION_EXPRESSION,
     .flags = MR_OPTION_OF_OUTPUT,
     .help =
         "A CEL condition over the result's fields: results for which it is false are dropped."},
    {.name = NULL},
};

static const struct mr_output_field window_fields[] = {
    {"window_start", MR_TYPE_INT, "The window's begin, ms since the epoch, inclusive."},
    {"window_end", MR_TYPE_INT, "The window's end, ms since the epoch, exclusive."},
};

static const struct mr_output_spec window_outputs[] = {
    {.name = "main",
     .help = "One record per key and window: the key's fields, those below, and one per aggregate. "
             "Its event time is window_end - 1 ms.",
     .fields = window_fields,
     .fields_count = MR_ARRAY_COUNT(window_fields)},
    {.name = "late", .help = "Records that came when all their windows were closed, unchanged."},
};

const struct mr_operator_type mr_operator_window_aggregate = {
    .spec =
        {
            .name = "window.aggregate",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS,
            .summary = "Sums up the records of each key and window.",
            .description =
                "Records of one `key` in one `window` make one record: counts, sums, averages and "
                "what else `aggregates` asks for. A window is closed when the watermark reaches "
                "its end plus `lateness`; results leave in the order of (window end, key). Records "
                "that come later go to the output `late` and are counted.\n\n"
                "Windows are aligned to the epoch in UTC. Hopping windows are computed from panes: "
                "a record is added once, whatever number of windows it is in. State is kept per "
                "key with an open window, and leaves with its last one.\n\n"
                "For sums without windows use `aggregate`; to flag single records use a detector.",
            .options = window_aggregate_options,
            .outputs = window_outputs,
            .outputs_count = MR_ARRAY_COUNT(window_outputs),
            .state_version = MR_GROUP_OBJECT_VERSION,
            .estimate = window_estimate,
            .check = window_check,
            .reads_wall_clock = reads_wall_clock,
        },
    .instance_size = sizeof(struct mr_windowing),
    .open = window_open,
    .process = window_process,
    .on_watermark = window_watermark,
    .on_wall = window_wall,
    .reach = window_reach,
    .close = window_close,
    .state_table = groups_table,
    .describe_state = window_describe,
};
