/* operators/windowing.c — see windowing.h.
 * Design: per view keys, hashes and argument columns are made first; then each row is handed to the
 * kind, after the groups that its watermark closes were closed, so that nothing depends on how
 * records are cut into batches. */
#include "operators/windowing.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "operators/group_object.h"

enum {
    OUTPUT_LATE = 1,
    PANE_NUMBER_BYTES = 8 /* what windows put before a key, at most */
};

void mr_windowing_table_spec(const struct mr_windowing *windowing, const char *name,
                             struct mr_table_spec *spec)
{
    const struct mr_plan_node *node = windowing->node;
    *spec = (struct mr_table_spec){
        .operator_name = node->name,
        .name = name,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
        .timed = true,
    };
}

enum mr_status mr_windowing_result(struct mr_windowing *windowing,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   const struct mr_aggregate_span *span, const uint8_t *cell,
                                   const struct mr_aggregate_place *place, struct mr_error *error)
{
    struct mr_value results[MR_AGGREGATE_SET_MAX];
    struct mr_arena *arena = mr_group_output_arena(&windowing->output, context);
    enum mr_status status =
        cell == NULL
            ? mr_aggregate_set_merged_results(&windowing->set, windowing->merged, span, arena,
                                              results, error)
            : mr_aggregate_set_results(&windowing->set, cell, place, span, arena, results, error);
    if (mr_windowing_is_refused(status)) {
        mr_windowing_failed(windowing, context, key, span, error->message);
        return MR_OK;
    }
    if (status != MR_OK)
        return status;
    if (windowing->use != NULL) {
        key = mr_arena_copy(arena, key); /* what is told may run what is behind */
        windowing->use->finish(windowing, context, key, span, arena, results);
    }
    struct mr_group_row row = {.key = key,
                               .event_time_ms = span->end_ms - 1,
                               .times = {span->start_ms, span->end_ms},
                               .retracted = windowing->retracts,
                               .results = results};
    mr_group_output_row(&windowing->output, context, &row);
    return MR_OK;
}

void mr_windowing_failed(struct mr_windowing *windowing, struct mr_operator_context *context,
                         struct mr_slice key, const struct mr_aggregate_span *span,
                         const char *message)
{
    struct mr_value results[MR_AGGREGATE_SET_MAX] = {0};
    struct mr_group_row row = {.key = key,
                               .event_time_ms = span->end_ms - 1,
                               .times = {span->start_ms, span->end_ms},
                               .results = results};
    char text[MR_ERROR_MESSAGE_SIZE];
    int size = snprintf(text, sizeof(text), "the window from %" PRId64 " to %" PRId64 ": %s",
                        span->start_ms, span->end_ms, message);
    MR_ASSERT(size > 0);
    (void)mr_group_output_arena(&windowing->output, context);
    mr_group_output_failed(&windowing->output, context, &row, text);
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
    if (window->zone_name != NULL)
        hash = mr_hash64_seeded(mr_slice_text(window->zone_name), hash);
    for (uint32_t i = 0; i < windowing->node->key.slots_count; i++)
        hash = mr_hash64_seeded(mr_slice_text(windowing->node->key.texts[i]), hash);
    return (uint32_t)hash == 0 ? 1 : (uint32_t)hash;
}

static bool has_option(const struct mr_options *options, const char *name)
{
    return mr_option_specs_find(options->specs, name) >= 0;
}

/* window.aggregate has a window and more; aggregate has neither; quality.profile has no `emit` and
 * no `time`. */
static void read_options(struct mr_windowing *windowing, const struct mr_options *options)
{
    static const struct mr_windowing_kind *const kinds[] = {
        [MR_WINDOW_TUMBLING] = &mr_windowing_aligned, [MR_WINDOW_HOPPING] = &mr_windowing_aligned,
        [MR_WINDOW_SLIDING] = &mr_windowing_sliding,  [MR_WINDOW_SESSION] = &mr_windowing_session,
        [MR_WINDOW_COUNT] = &mr_windowing_count,
    };
    const char *emit = has_option(options, "emit") ? mr_options_text(options, "emit") : "close";
    windowing->emit = strcmp(emit, "close") == 0    ? MR_EMIT_CLOSE
                      : strcmp(emit, "update") == 0 ? MR_EMIT_UPDATE
                                                    : MR_EMIT_PERIODIC;
    if (has_option(options, "emit_every") && mr_options_present(options, "emit_every"))
        windowing->emit_every_ms = mr_options_integer(options, "emit_every");
    windowing->kind = &mr_windowing_running;
    if (!has_option(options, "window"))
        return;
    mr_window_read(&mr_options_get(options, "window")->objects[0], &windowing->window);
    windowing->kind = kinds[windowing->window.kind];
    windowing->lateness_ms = mr_options_integer(options, "lateness");
    windowing->wall = has_option(options, "time") && mr_options_integer(options, "time") == 1;
}

enum mr_status mr_windowing_read(struct mr_windowing *windowing, const struct mr_plan_node *node,
                                 struct mr_error *error)
{
    windowing->node = node;
    read_options(windowing, &node->options);
    enum mr_status status =
        windowing->use != NULL
            ? windowing->use->read(windowing, node, error)
            : mr_aggregate_set_init(&windowing->set, mr_options_get(&node->options, "aggregates"),
                                    error);
    if (status == MR_OK)
        windowing->fingerprint = fingerprint_of(windowing);
    return status;
}

enum mr_status mr_windowing_open(void *self, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    struct mr_windowing *windowing = self;
    windowing->now_ms = INT64_MIN;
    windowing->next_ms = INT64_MIN;
    mr_arena_init(&windowing->scratch, 64 << 10);
    windowing->merged = mr_memory_new(1, sizeof(*windowing->merged));
    mr_arena_init(&windowing->keys, 64 << 10);
    enum mr_status status = mr_windowing_read(windowing, open->node, error);
    if (status != MR_OK)
        return status;
    mr_group_output_init(&windowing->output, open);
    return windowing->kind->open(windowing, open, error);
}

void mr_windowing_close(void *self)
{
    struct mr_windowing *windowing = self;
    mr_memory_free(windowing->merged);
    mr_memory_free(windowing->totals);
    mr_arena_deinit(&windowing->scratch);
    mr_arena_deinit(&windowing->keys);
}

/* ---- What the planner asks ---- */

struct mr_operator_reach mr_windowing_reach(const struct mr_plan_node *node)
{
    struct mr_windowing windowing = {0};
    read_options(&windowing, &node->options);
    struct mr_window *window = &windowing.window;
    if (windowing.wall || window->kind == MR_WINDOW_COUNT)
        return (struct mr_operator_reach){0};
    if (window->kind == MR_WINDOW_SLIDING) /* it ends with its record */
        return (struct mr_operator_reach){.open_ms = windowing.lateness_ms,
                                          .held_ms = windowing.lateness_ms};
    if (window->zone != NULL)
        window->size_ms += window->zone->spread_ms; /* a day may be so much longer */
    return (struct mr_operator_reach){.open_ms = window->size_ms + windowing.lateness_ms,
                                      .held_ms = windowing.lateness_ms};
}

void mr_windowing_estimate(const struct mr_window *window, int64_t lateness_ms,
                           const struct mr_aggregate_set *set, struct mr_state_estimate *estimate)
{
    if (window->kind <= MR_WINDOW_HOPPING)
        mr_windowing_aligned_estimate(window, lateness_ms, set, estimate);
    else if (window->kind == MR_WINDOW_SLIDING)
        mr_windowing_sliding_estimate(set, estimate);
    else
        mr_windowing_list_estimate(window, set, estimate);
}

/* ---- Time ---- */

static enum mr_status move_on(struct mr_windowing *windowing, struct mr_operator_context *context,
                              int64_t now_ms, struct mr_error *error)
{
    if (now_ms <= windowing->now_ms && !windowing->more)
        return MR_OK;
    if (now_ms > windowing->now_ms)
        windowing->now_ms = now_ms;
    if (now_ms < windowing->next_ms && !windowing->more)
        return MR_OK;
    enum mr_status status = windowing->kind->advance(windowing, context, windowing->now_ms, error);
    windowing->more = status == MR_AGAIN;
    return status;
}

/* The same in a call that is made again when it returns MR_AGAIN; what was made is emitted. */
static enum mr_status move_on_in_parts(struct mr_windowing *windowing,
                                       struct mr_operator_context *context, int64_t now_ms,
                                       struct mr_error *error)
{
    windowing->may_stop = true;
    enum mr_status status = move_on(windowing, context, now_ms, error);
    windowing->may_stop = false;
    mr_group_output_end(&windowing->output, context);
    return status;
}

enum mr_status mr_windowing_watermark(void *self, struct mr_operator_context *context,
                                      struct mr_error *error)
{
    struct mr_windowing *windowing = self;
    if (windowing->wall)
        return MR_OK;
    return move_on_in_parts(windowing, context, context->watermark_ms, error);
}

enum mr_status mr_windowing_horizon(void *self, int64_t wanted_ms, int64_t *watermark_ms,
                                    struct mr_error *error)
{
    struct mr_windowing *windowing = self;
    struct mr_table *tables[] = {windowing->groups, windowing->panes, windowing->waiting,
                                 windowing->blocks};
    *watermark_ms = INT64_MAX;
    for (size_t i = 0; i < MR_ARRAY_COUNT(tables) && !windowing->wall; i++) {
        int64_t until_ms;
        if (tables[i] == NULL || mr_table_keys(tables[i]) == 0)
            continue;
        enum mr_status status = mr_table_due_horizon(tables[i], wanted_ms, &until_ms, error);
        if (status != MR_OK)
            return status;
        if (until_ms < *watermark_ms)
            *watermark_ms = until_ms;
    }
    return MR_OK;
}

/* When the first group is due; INT64_MAX: there is none. */
static enum mr_status earliest_due(struct mr_windowing *windowing, int64_t *due_ms,
                                   struct mr_error *error)
{
    struct mr_slice key;
    uint64_t hash;
    void *object = NULL;
    bool found;
    enum mr_status status =
        mr_table_next_due(windowing->groups, INT64_MAX - 1, &key, &hash, &object, &found, error);
    *due_ms = INT64_MAX;
    if (status == MR_OK && found)
        *due_ms = ((const struct mr_windowing_group *)object)->due_ms;
    return status;
}

enum mr_status mr_windowing_wall(void *self, struct mr_operator_context *context, int64_t *due_ms,
                                 struct mr_error *error)
{
    struct mr_windowing *windowing = self;
    enum mr_status status = move_on_in_parts(windowing, context, context->now_ms, error);
    return status == MR_OK ? earliest_due(windowing, due_ms, error) : status;
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

enum mr_status mr_windowing_process(void *self, struct mr_operator_context *context, uint32_t port,
                                    struct mr_view view, struct mr_error *error)
{
    struct mr_windowing *windowing = self;
    const struct mr_plan_node *node = windowing->node;
    struct mr_view keyed;
    struct mr_view fine;
    struct mr_view late;
    struct mr_aggregate_columns columns;
    windowing->port = port;
    const struct mr_slice *keys =
        port == 0 ? mr_operator_keys(context, node, view, &keyed)
                  : mr_operator_keys_of(context, &node->twin->key, view, &keyed);
    check_keys(context, keys, &keyed);
    if (windowing->use != NULL) {
        windowing->use->evaluate(windowing, context, keyed, &columns);
        fine = keyed;
    } else {
        mr_aggregate_set_evaluate(&windowing->set, context, keyed, &columns, &fine);
    }
    enum mr_status status = take_rows(windowing, context, fine, keys, &columns, &late, error);
    if (status != MR_OK)
        return status;
    mr_group_output_end(&windowing->output, context);
    int64_t due_ms = INT64_MAX;
    if (windowing->wall)
        status = earliest_due(windowing, &due_ms, error);
    if (status != MR_OK)
        return status;
    if (due_ms != INT64_MAX)
        mr_operator_wake(context, due_ms);
    if (late.rows_count > 0) {
        mr_operator_late(context, late.rows_count);
        if (!windowing->has_no_late)
            mr_operator_emit(context, OUTPUT_LATE, late);
    }
    return MR_OK;
}
