/* operators/aggregate_set.c — see aggregate_set.h.
 * Design: a row goes into all aggregates or into none. Heads are copied before they are changed and
 * copied back when all have taken the row; light aggregates go first, so that only a body's bound
 * can refuse a row after a body was changed. */
#include "operators/aggregate_set.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

enum mr_status mr_aggregate_set_init(struct mr_aggregate_set *set,
                                     const struct mr_option_value *aggregates,
                                     struct mr_error *error)
{
    *set =
        (struct mr_aggregate_set){.count = aggregates->count, .fingerprint = MR_AGGREGATE_VERSION};
    MR_ASSERT(aggregates->calls != NULL && aggregates->count <= MR_AGGREGATE_SET_MAX);
    for (uint32_t i = 0; i < set->count; i++) {
        const struct mr_aggregate_call *call = &aggregates->calls[i];
        enum mr_status status =
            mr_aggregate_prepare(call, MR_AGGREGATE_SET_PIECE_BYTES, &set->items[i], error);
        if (status != MR_OK)
            return status;
        set->offsets[i] = set->cell_bytes;
        set->cell_bytes += set->items[i].head_bytes;
        set->heavy[i] = set->heavy_count;
        if (!mr_aggregate_is_light(&set->items[i])) {
            set->heavy_count++;
            if (set->items[i].pieces_max > set->slots_max)
                set->slots_max = set->items[i].pieces_max;
        }
        set->fingerprint = mr_hash64_seeded(mr_slice_text(call->text), set->fingerprint);
    }
    set->slots_max *= set->heavy_count;
    if (set->cell_bytes > MR_AGGREGATE_SET_CELL_BYTES)
        return MR_FAIL(
            error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
            "the aggregates need %u bytes per group besides their bodies, at most %d are "
            "kept together: divide them among several operators",
            set->cell_bytes, (int)MR_AGGREGATE_SET_CELL_BYTES);
    return MR_OK;
}

enum mr_status mr_aggregate_set_check(const struct mr_options *options, const char **option,
                                      struct mr_error *error)
{
    const struct mr_option_value *aggregates = mr_options_get(options, "aggregates");
    struct mr_aggregate_set set;
    *option = "aggregates";
    if (aggregates->calls == NULL)
        return MR_OK;
    return mr_aggregate_set_init(&set, aggregates, error);
}

/* ---- Arguments ---- */

void mr_aggregate_set_evaluate(const struct mr_aggregate_set *set,
                               struct mr_operator_context *context, struct mr_view view,
                               struct mr_aggregate_columns *columns, struct mr_view *fine)
{
    struct mr_batch *batch = view.batch;
    uint16_t *rows = mr_arena_take(context->arena, (view.rows_count + 1u) * sizeof(*rows));
    if (view.rows_count > 0)
        memcpy(rows, view.rows, view.rows_count * sizeof(*rows));
    uint32_t rows_count = view.rows_count;
    for (uint32_t i = 0; i < set->count; i++) {
        const struct mr_aggregate_call *call = set->items[i].call;
        for (uint32_t j = 0; j < call->arguments_count; j++) {
            struct mr_value *column =
                mr_arena_take(context->arena, batch->rows_count * sizeof(*column));
            mr_program_run(call->arguments[j], context->evaluator,
                           (struct mr_view){batch, rows, rows_count}, context->now_ms, column);
            columns->arguments[i][j] = column;
            uint32_t kept = 0;
            for (uint32_t index = 0; index < rows_count; index++) {
                struct mr_value value = column[rows[index]];
                if (value.kind == MR_KIND_ERROR)
                    mr_operator_row_error(context, batch, rows[index], "aggregates.%s: %.*s",
                                          call->name, (int)value.size, (const char *)value.text);
                else
                    rows[kept++] = rows[index];
            }
            rows_count = kept;
        }
    }
    *fine = (struct mr_view){.batch = batch, .rows = rows, .rows_count = rows_count};
}

/* ---- Bodies ---- */

struct stored_body {
    struct mr_sketch_body body;
    const struct mr_aggregate_place *place;
    uint32_t stride;
    uint32_t first;
};

static enum mr_status stored_piece(struct mr_sketch_body *body, uint32_t index, bool write,
                                   uint8_t **bytes, struct mr_error *error)
{
    const struct stored_body *stored = (const struct stored_body *)body;
    void *slot = NULL;
    enum mr_status status =
        mr_table_slot(stored->place->table, stored->place->object,
                      index * stored->stride + stored->first, write, &slot, error);
    *bytes = slot;
    return status;
}

/* The body of aggregate i, or NULL of a light one. */
static struct mr_sketch_body *body_of(const struct mr_aggregate_set *set, uint32_t i,
                                      const struct mr_aggregate_place *place,
                                      struct stored_body *stored)
{
    if (mr_aggregate_is_light(&set->items[i]))
        return NULL;
    uint32_t entries = place->entries > 0 ? place->entries : 1;
    *stored = (struct stored_body){
        .body = {.piece = stored_piece, .piece_bytes = MR_AGGREGATE_SET_PIECE_BYTES},
        .place = place,
        .stride = set->heavy_count * entries,
        .first = set->heavy[i] * entries + place->entry};
    return &stored->body;
}

/* ---- Rows ---- */

/* Add the row to aggregate i, or only ask whether it would be taken. */
static enum mr_status add_one(const struct mr_aggregate_set *set,
                              const struct mr_aggregate_columns *columns, uint32_t i, uint32_t row,
                              int64_t event_time_ms, uint8_t *cell,
                              const struct mr_aggregate_place *place, bool ask,
                              struct mr_error *error)
{
    const struct mr_aggregate *aggregate = &set->items[i];
    struct mr_aggregate_row given = {.event_time_ms = event_time_ms};
    struct stored_body stored;
    for (uint32_t j = 0; j < aggregate->call->arguments_count; j++)
        given.arguments[j] = columns->arguments[i][j][row];
    uint8_t *head = cell + set->offsets[i];
    struct mr_sketch_body *body = body_of(set, i, place, &stored);
    return ask ? mr_aggregate_check(aggregate, head, body, &given, error)
               : mr_aggregate_add(aggregate, head, body, &given, error);
}

enum mr_status mr_aggregate_set_add(const struct mr_aggregate_set *set,
                                    const struct mr_aggregate_columns *columns, uint32_t row,
                                    int64_t event_time_ms, uint8_t *cell,
                                    const struct mr_aggregate_place *place, bool *failed,
                                    struct mr_error *error)
{
    uint8_t changed[MR_AGGREGATE_SET_CELL_BYTES];
    enum mr_status status = MR_OK;
    *failed = false;
    uint8_t *target = cell;
    if (set->count > 1) {
        memcpy(changed, cell, set->cell_bytes);
        target = changed;
    }
    /* Light ones are undone with the cell; of heavy ones none may add what another refuses. */
    enum { ADD_LIGHT, ASK_HEAVY, ADD_HEAVY, STEPS_COUNT };
    for (uint32_t step = ADD_LIGHT; step < STEPS_COUNT && status == MR_OK; step++) {
        if ((step != ADD_LIGHT && set->heavy_count == 0) ||
            (step == ASK_HEAVY && set->heavy_count == 1))
            continue;
        for (uint32_t i = 0; i < set->count && status == MR_OK; i++)
            if (mr_aggregate_is_light(&set->items[i]) == (step == ADD_LIGHT))
                status = add_one(set, columns, i, row, event_time_ms, target, place,
                                 step == ASK_HEAVY, error);
    }
    if (status == MR_OK && set->count > 1)
        memcpy(cell, changed, set->cell_bytes);
    *failed = status == MR_INVALID || status == MR_LIMIT;
    return *failed ? MR_OK : status;
}

/* ---- Merging and results ---- */

void mr_aggregate_set_begin(const struct mr_aggregate_set *set, struct mr_arena *arena,
                            struct mr_aggregate_merged *merged)
{
    memset(merged->cell, 0, set->cell_bytes);
    for (uint32_t i = 0; i < set->count && set->heavy_count > 0; i++)
        if (!mr_aggregate_is_light(&set->items[i]))
            mr_sketch_scratch_init(&merged->bodies[i], arena, MR_AGGREGATE_SET_PIECE_BYTES,
                                   set->items[i].pieces_max);
}

enum mr_status mr_aggregate_set_merge(const struct mr_aggregate_set *set,
                                      struct mr_aggregate_merged *merged, const uint8_t *cell,
                                      const struct mr_aggregate_place *place,
                                      struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < set->count && status == MR_OK; i++) {
        struct stored_body stored;
        struct mr_sketch_body *other = body_of(set, i, place, &stored);
        status = mr_aggregate_merge(&set->items[i], merged->cell + set->offsets[i],
                                    other == NULL ? NULL : &merged->bodies[i].body,
                                    cell + set->offsets[i], other, error);
    }
    return status;
}

enum mr_status mr_aggregate_set_store(const struct mr_aggregate_set *set,
                                      const struct mr_aggregate_merged *merged,
                                      const struct mr_aggregate_place *place,
                                      struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < set->count; i++) {
        if (mr_aggregate_is_light(&set->items[i]))
            continue;
        const struct mr_sketch_scratch *scratch = &merged->bodies[i];
        struct stored_body stored;
        struct mr_sketch_body *body = body_of(set, i, place, &stored);
        for (uint32_t piece = 0; piece < scratch->pieces_count && status == MR_OK; piece++) {
            uint8_t *bytes;
            if (scratch->pieces[piece] == NULL)
                continue;
            status = body->piece(body, piece, true, &bytes, error);
            if (status == MR_OK)
                memcpy(bytes, scratch->pieces[piece], MR_AGGREGATE_SET_PIECE_BYTES);
        }
    }
    return status;
}

enum mr_status mr_aggregate_set_load(const struct mr_aggregate_set *set, struct mr_arena *arena,
                                     struct mr_aggregate_merged *merged, const uint8_t *cell,
                                     const struct mr_aggregate_place *place, struct mr_error *error)
{
    mr_aggregate_set_begin(set, arena, merged);
    if (set->heavy_count > 0)
        return mr_aggregate_set_merge(set, merged, cell, place, error);
    memcpy(merged->cell, cell, set->cell_bytes);
    return MR_OK;
}

enum mr_status mr_aggregate_set_join(const struct mr_aggregate_set *set, uint8_t *cell,
                                     const struct mr_aggregate_place *place, const uint8_t *other,
                                     const struct mr_aggregate_place *other_place,
                                     struct mr_error *error)
{
    MR_ASSERT(set->heavy_count == 0 || place->object == other_place->object);
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < set->count && status == MR_OK; i++) {
        struct stored_body stored;
        struct stored_body other_stored;
        status = mr_aggregate_merge(&set->items[i], cell + set->offsets[i],
                                    body_of(set, i, place, &stored), other + set->offsets[i],
                                    body_of(set, i, other_place, &other_stored), error);
    }
    return status;
}

enum mr_status mr_aggregate_set_results(const struct mr_aggregate_set *set, const uint8_t *cell,
                                        const struct mr_aggregate_place *place,
                                        const struct mr_aggregate_span *span,
                                        struct mr_arena *arena, struct mr_value *results,
                                        struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < set->count && status == MR_OK; i++) {
        struct stored_body stored;
        status =
            mr_aggregate_result(&set->items[i], cell + set->offsets[i],
                                body_of(set, i, place, &stored), span, arena, &results[i], error);
    }
    return status;
}

enum mr_status mr_aggregate_set_merged_results(const struct mr_aggregate_set *set,
                                               struct mr_aggregate_merged *merged,
                                               const struct mr_aggregate_span *span,
                                               struct mr_arena *arena, struct mr_value *results,
                                               struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < set->count && status == MR_OK; i++) {
        bool light = mr_aggregate_is_light(&set->items[i]);
        status = mr_aggregate_result(&set->items[i], merged->cell + set->offsets[i],
                                     light ? NULL : &merged->bodies[i].body, span, arena,
                                     &results[i], error);
    }
    return status;
}
