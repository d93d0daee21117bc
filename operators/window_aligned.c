/* operators/window_aligned.c — tumbling and hopping windows: rows into panes, panes into results.
 * Design: a row goes into the one pane of its time. A group is due when the first window with a
 * live pane is to be closed, at end + lateness; then the window's panes are merged, those that no
 * later window has are dropped, and the group is due again or removed. Groups are taken in the
 * order of (due time, key), so that results leave in the order of (window end, key). A row never
 * changes a window that is closed: rows are judged by the time up to which groups were closed, and
 * that is moved on before a row whose watermark is further. */
#include "operators/window_totals.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"

static int64_t close_ms(const struct mr_windowing *windowing, int64_t window)
{
    return mr_window_end_ms(&windowing->grid, window) + windowing->lateness_ms;
}

/* The first window of a pane that is not closed. */
static int64_t first_open(const struct mr_windowing *windowing, int64_t pane)
{
    int64_t window = mr_window_first(&windowing->grid, pane);
    return window > windowing->first_open ? window : windowing->first_open;
}

/* ---- Results ---- */

/* The result of a window that is one pane with an object of its own. */
static enum mr_status emit_pane(struct mr_windowing *windowing, struct mr_operator_context *context,
                                struct mr_slice key, int64_t number,
                                const struct mr_aggregate_span *span, struct mr_error *error)
{
    struct mr_window_pane *pane;
    enum mr_status status = mr_window_pane_find(windowing, key, number, &pane, error);
    if (status != MR_OK || pane == NULL)
        return status;
    struct mr_aggregate_place place = mr_window_pane_place(windowing, pane);
    return mr_windowing_result(windowing, context, key, span, pane->cell, &place, error);
}

/* The cell of one pane, merged into windowing->merged. */
static enum mr_status merge_pane(struct mr_windowing *windowing, struct mr_slice key,
                                 int64_t number, const uint8_t *cell, struct mr_error *error)
{
    if (cell != NULL)
        return mr_aggregate_set_merge(&windowing->set, windowing->merged, cell, NULL, error);
    struct mr_window_pane *pane;
    enum mr_status status = mr_window_pane_find(windowing, key, number, &pane, error);
    if (status != MR_OK || pane == NULL)
        return status;
    struct mr_aggregate_place place = mr_window_pane_place(windowing, pane);
    return mr_aggregate_set_merge(&windowing->set, windowing->merged, pane->cell, &place, error);
}

/* The panes from `pane` up to before `end`, merged into windowing->merged. Objects of panes take
 * the ring's place: it is a copy, unless cells lie in it. */
static enum mr_status merge_panes(struct mr_windowing *windowing, struct mr_window_ring *ring,
                                  struct mr_slice key, int64_t pane, int64_t end,
                                  struct mr_error *error)
{
    mr_aggregate_set_begin(&windowing->set, &windowing->scratch, windowing->merged);
    if (windowing->totals != NULL)
        return mr_window_totals_merge(windowing, ring, key, pane, end, error);
    int64_t found;
    uint8_t *cell;
    enum mr_status status = MR_OK;
    while (status == MR_OK && mr_window_ring_next(windowing, ring, pane, &found, &cell) &&
           found < end) {
        status = merge_pane(windowing, key, found, cell, error);
        pane = found + 1;
    }
    return status;
}

/* Emit a window of the ring, if it has a live pane. The ring is not valid any more. */
static enum mr_status emit_window(struct mr_windowing *windowing,
                                  struct mr_operator_context *context, struct mr_window_ring *ring,
                                  struct mr_slice key, int64_t window, struct mr_error *error)
{
    const struct mr_window_grid *grid = &windowing->grid;
    struct mr_aggregate_span span = {.start_ms = mr_window_start_ms(grid, window),
                                     .end_ms = mr_window_end_ms(grid, window)};
    int64_t pane = window * grid->step;
    int64_t end = pane + grid->panes;
    int64_t found;
    uint8_t *cell;
    if (!mr_window_ring_next(windowing, ring, pane, &found, &cell) || found >= end)
        return MR_OK;
    if (cell != NULL && grid->panes == 1)
        return mr_windowing_result(windowing, context, key, &span, cell, NULL, error);
    if (grid->panes == 1)
        return emit_pane(windowing, context, key, found, &span, error);
    struct mr_window_ring *copy = ring;
    if (cell == NULL)
        copy = mr_arena_take(&windowing->scratch, ring->head.size);
    if (copy != ring)
        memcpy(copy, ring, ring->head.size);
    enum mr_status status = merge_panes(windowing, copy, key, pane, end, error);
    if (mr_windowing_is_refused(status)) {
        mr_windowing_failed(windowing, context, key, &span, error->message);
        return MR_OK;
    }
    return status == MR_OK ? mr_windowing_result(windowing, context, key, &span, NULL, NULL, error)
                           : status;
}

/* ---- Due times ---- */

/* Set when the group is due again. */
static void settle(struct mr_windowing *windowing, struct mr_window_ring *ring)
{
    int64_t due_ms = close_ms(windowing, ring->window);
    if (ring->tick_ms < due_ms)
        due_ms = ring->tick_ms;
    if (due_ms == ring->due_ms) {
        mr_table_dirty(windowing->groups, ring);
        return;
    }
    ring->due_ms = due_ms;
    mr_table_schedule(windowing->groups, ring, due_ms);
}

/* A pane of the ring has changed. */
static void touch(struct mr_windowing *windowing, struct mr_window_ring *ring,
                  const struct mr_windowing_row *row, int64_t pane)
{
    mr_window_totals_changed(windowing, row->key, row->hash, pane);
    int64_t window = first_open(windowing, pane);
    if (window < ring->window)
        ring->window = window;
    if (windowing->emit == MR_EMIT_PERIODIC && ring->tick_ms == INT64_MAX) {
        int64_t from_ms = windowing->now_ms == INT64_MIN ? row->time_ms : windowing->now_ms;
        ring->tick_ms = (mr_window_divide(mr_window_clamp(from_ms), windowing->emit_every_ms) + 1) *
                        windowing->emit_every_ms;
    }
    settle(windowing, ring);
}

/* ---- Rows ---- */

/* Emit the windows that a row has changed. */
static enum mr_status emit_updates(struct mr_windowing *windowing,
                                   struct mr_operator_context *context,
                                   const struct mr_windowing_row *row, int64_t pane,
                                   struct mr_error *error)
{
    enum mr_status status = MR_OK;
    int64_t last = mr_window_last(&windowing->grid, pane);
    for (int64_t window = first_open(windowing, pane); window <= last && status == MR_OK;
         window++) {
        void *object = NULL;
        mr_arena_reset(&windowing->scratch);
        status = mr_table_find(windowing->groups, row->key, row->hash, &object, error);
        if (status == MR_OK)
            status = emit_window(windowing, context, object, row->key, window, error);
    }
    return status;
}

static enum mr_status add_inline(struct mr_windowing *windowing, struct mr_window_ring *ring,
                                 const struct mr_windowing_row *row, int64_t pane, uint8_t *cell,
                                 bool made, enum mr_windowing_fate *fate, struct mr_error *error)
{
    bool failed = false;
    enum mr_status status = mr_aggregate_set_add(&windowing->set, row->columns, row->row,
                                                 row->time_ms, cell, NULL, &failed, error);
    *fate = failed ? MR_ROW_FAILED : MR_ROW_TAKEN;
    if (failed && made)
        mr_window_ring_undo(windowing, ring, pane);
    if (status == MR_OK && !failed)
        touch(windowing, ring, row, pane);
    return status;
}

/* The ring's pane has an object of its own. */
static enum mr_status add_held(struct mr_windowing *windowing, struct mr_arena *arena,
                               const struct mr_windowing_row *row, int64_t pane,
                               enum mr_windowing_fate *fate, struct mr_error *error)
{
    struct mr_window_pane_key key = mr_window_pane_key(arena, row->key, pane);
    enum mr_status status = mr_window_pane_add(windowing, &key, row, false, fate, error);
    if (status != MR_OK || *fate == MR_ROW_FAILED)
        return status;
    struct mr_window_ring *ring;
    bool created;
    uint8_t *cell;
    status = mr_window_ring_get(windowing, row->key, row->hash, &ring, &created, error);
    if (status != MR_OK)
        return status;
    enum mr_window_room room = mr_window_ring_room(windowing, ring, pane, &cell);
    MR_ASSERT(room == MR_ROOM_FOUND || room == MR_ROOM_MADE);
    touch(windowing, ring, row, pane);
    return MR_OK;
}

/* Find the pane's place in the group, moving others out where it is full. */
static enum mr_status make_room(struct mr_windowing *windowing, struct mr_operator_context *context,
                                const struct mr_windowing_row *row, int64_t pane,
                                struct mr_window_ring **ring, enum mr_window_room *room,
                                uint8_t **cell, struct mr_error *error)
{
    bool created;
    enum mr_status status =
        mr_window_ring_get(windowing, row->key, row->hash, ring, &created, error);
    if (status != MR_OK)
        return status;
    if (created)
        mr_window_totals_forget(windowing, row->key, row->hash);
    *room = mr_window_ring_room(windowing, *ring, pane, cell);
    if (*room != MR_ROOM_FULL)
        return MR_OK;
    mr_window_totals_forget(windowing, row->key, row->hash);
    status = mr_window_ring_spill(windowing, context, *ring, row->key, error);
    if (status == MR_OK)
        status = mr_window_ring_get(windowing, row->key, row->hash, ring, &created, error);
    if (status == MR_OK)
        *room = mr_window_ring_room(windowing, *ring, pane, cell);
    return status;
}

static enum mr_status aligned_row(struct mr_windowing *windowing,
                                  struct mr_operator_context *context,
                                  const struct mr_windowing_row *row, enum mr_windowing_fate *fate,
                                  struct mr_error *error)
{
    int64_t pane = mr_window_pane(&windowing->grid, row->time_ms);
    *fate = MR_ROW_LATE;
    if (mr_window_last(&windowing->grid, pane) < windowing->first_open)
        return MR_OK;
    struct mr_window_ring *ring;
    enum mr_window_room room;
    uint8_t *cell;
    enum mr_status status = make_room(windowing, context, row, pane, &ring, &room, &cell, error);
    if (status != MR_OK)
        return status;
    if (room == MR_ROOM_BEHIND) {
        struct mr_window_pane_key key = mr_window_pane_key(context->arena, row->key, pane);
        return mr_window_pane_add(windowing, &key, row, true, fate, error);
    }
    if (cell == NULL && room == MR_ROOM_MADE) /* made when the row is in the pane's object */
        mr_window_ring_undo(windowing, ring, pane);
    if (cell != NULL)
        status = add_inline(windowing, ring, row, pane, cell, room == MR_ROOM_MADE, fate, error);
    else
        status = add_held(windowing, context->arena, row, pane, fate, error);
    if (status == MR_OK && *fate == MR_ROW_TAKEN && windowing->emit == MR_EMIT_UPDATE)
        status = emit_updates(windowing, context, row, pane, error);
    return status;
}

/* ---- What is due ---- */

/* A pane that was held and nobody used, or one that spilled and whose first window is to be closed.
 */
static enum mr_status take_pane(struct mr_windowing *windowing, struct mr_operator_context *context,
                                struct mr_slice full, uint64_t hash, struct mr_window_pane *pane,
                                struct mr_error *error)
{
    /* The key's bytes are the object's: they go with it. */
    struct mr_window_pane_key key =
        mr_window_pane_key_read(mr_arena_copy(&windowing->scratch, full), hash);
    bool spilled = pane->spilled != 0 && pane->head.fingerprint == windowing->fingerprint;
    uint8_t taken[MR_AGGREGATE_SET_CELL_BYTES];
    if (spilled)
        memcpy(taken, pane->cell, windowing->set.cell_bytes);
    enum mr_status status = MR_OK;
    if (spilled && !windowing->ring_inline)
        mr_window_pane_settle(windowing, &key, pane, false);
    else
        status = mr_table_remove(windowing->panes, key.full, key.hash, error);
    if (status != MR_OK || !spilled)
        return status;
    struct mr_windowing_row row = {
        .key = key.key, .hash = mr_hash64(key.key), .time_ms = windowing->now_ms};
    struct mr_window_ring *ring;
    enum mr_window_room room;
    uint8_t *cell;
    status = make_room(windowing, context, &row, key.pane, &ring, &room, &cell, error);
    if (status != MR_OK)
        return status;
    MR_ASSERT(room != MR_ROOM_BEHIND && room != MR_ROOM_FULL); /* the window's panes fit */
    if (cell != NULL && room == MR_ROOM_FOUND) {
        status = mr_window_ring_join(windowing, context, key.key, key.pane, taken, cell, error);
        if (status != MR_OK)
            return status;
    }
    if (cell != NULL)
        memcpy(cell, taken, windowing->set.cell_bytes);
    touch(windowing, ring, &row, key.pane);
    return MR_OK;
}

/* Drop the objects of panes below `end`. The ring is not valid any more. */
static enum mr_status drop_held(struct mr_windowing *windowing, struct mr_arena *arena,
                                struct mr_window_ring *ring, struct mr_slice key, int64_t end,
                                struct mr_error *error)
{
    struct mr_window_ring *copy = mr_arena_take(arena, ring->head.size);
    memcpy(copy, ring, ring->head.size);
    int64_t pane = INT64_MIN / 2;
    int64_t found;
    uint8_t *cell;
    enum mr_status status = MR_OK;
    while (status == MR_OK && mr_window_ring_next(windowing, copy, pane, &found, &cell) &&
           found < end) {
        struct mr_window_pane_key pane_key = mr_window_pane_key(arena, key, found);
        status = mr_table_remove(windowing->panes, pane_key.full, pane_key.hash, error);
        pane = found + 1;
    }
    return status;
}

static enum mr_status close_window(struct mr_windowing *windowing,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   uint64_t hash, struct mr_window_ring *ring,
                                   struct mr_error *error)
{
    int64_t window = ring->window;
    int64_t end = (window + 1) * windowing->grid.step; /* panes below are in no later window */
    enum mr_status status = MR_OK;
    void *object = ring;
    if (windowing->emit != MR_EMIT_UPDATE)
        status = emit_window(windowing, context, ring, key, window, error);
    if (status == MR_OK && !windowing->ring_inline) {
        status = mr_table_find(windowing->groups, key, hash, &object, error);
        if (status == MR_OK)
            status = drop_held(windowing, &windowing->scratch, object, key, end, error);
    }
    if (status == MR_OK)
        status = mr_table_find(windowing->groups, key, hash, &object, error);
    if (status != MR_OK)
        return status;
    ring = object;
    mr_window_ring_drop(windowing, ring, end);
    int64_t lowest;
    uint8_t *cell;
    if (!mr_window_ring_next(windowing, ring, INT64_MIN / 2, &lowest, &cell))
        return mr_table_remove(windowing->groups, key, hash, error);
    ring->window = mr_window_first(&windowing->grid, lowest);
    if (ring->window <= window)
        ring->window = window + 1;
    settle(windowing, ring);
    return MR_OK;
}

/* The group's open windows, as they are now. */
static enum mr_status emit_tick(struct mr_windowing *windowing, struct mr_operator_context *context,
                                struct mr_slice key, uint64_t hash, struct mr_window_ring *ring,
                                struct mr_error *error)
{
    ring->tick_ms = INT64_MAX;
    int64_t window = ring->window;
    settle(windowing, ring);
    void *object = ring;
    int64_t next;
    uint8_t *cell;
    enum mr_status status = MR_OK;
    while (status == MR_OK &&
           mr_window_ring_next(windowing, object, window * windowing->grid.step, &next, &cell)) {
        if (window < mr_window_first(&windowing->grid, next))
            window = mr_window_first(&windowing->grid, next);
        status = emit_window(windowing, context, object, key, window++, error);
        if (status == MR_OK)
            status = mr_table_find(windowing->groups, key, hash, &object, error);
    }
    return status;
}

static enum mr_status take_group(struct mr_windowing *windowing,
                                 struct mr_operator_context *context, struct mr_slice borrowed,
                                 uint64_t hash, struct mr_window_ring *ring, struct mr_error *error)
{
    /* The key's bytes are the object's: they go with it. */
    struct mr_slice key = mr_arena_copy(&windowing->scratch, borrowed);
    if (ring->head.fingerprint != windowing->fingerprint)
        return mr_table_remove(windowing->groups, key, hash, error);
    if (ring->tick_ms < close_ms(windowing, ring->window))
        return emit_tick(windowing, context, key, hash, ring, error);
    if (close_ms(windowing, ring->window) > windowing->now_ms) { /* other rules of its time zone */
        settle(windowing, ring);
        return MR_OK;
    }
    return close_window(windowing, context, key, hash, ring, error);
}

/* Take the one that is due first, panes before groups. */
static enum mr_status take_next(struct mr_windowing *windowing, struct mr_operator_context *context,
                                int64_t now_ms, bool *any, struct mr_error *error)
{
    struct mr_slice key;
    uint64_t hash;
    void *object = NULL;
    bool found = false;
    int64_t until_ms = now_ms;
    enum mr_status status =
        mr_table_next_due(windowing->groups, now_ms, &key, &hash, &object, &found, error);
    *any = found;
    if (status != MR_OK)
        return status;
    if (found && ((struct mr_window_ring *)object)->head.fingerprint == windowing->fingerprint)
        until_ms = ((struct mr_window_ring *)object)->due_ms;
    if (mr_table_keys(windowing->panes) == 0)
        return found ? take_group(windowing, context, key, hash, object, error) : MR_OK;
    status = mr_table_next_due(windowing->panes, until_ms, &key, &hash, &object, &found, error);
    if (status != MR_OK)
        return status;
    if (found) {
        *any = true;
        return take_pane(windowing, context, key, hash, object, error);
    }
    status = mr_table_next_due(windowing->groups, now_ms, &key, &hash, &object, &found, error);
    return status == MR_OK && found ? take_group(windowing, context, key, hash, object, error)
                                    : status;
}

static enum mr_status aligned_advance(struct mr_windowing *windowing,
                                      struct mr_operator_context *context, int64_t now_ms,
                                      struct mr_error *error)
{
    bool any = true;
    enum mr_status status = MR_OK;
    while (any && status == MR_OK) {
        mr_arena_reset(&windowing->scratch);
        status = take_next(windowing, context, now_ms, &any, error);
        if (status == MR_OK && any && mr_windowing_stops(windowing, context))
            return MR_AGAIN;
    }
    windowing->first_open =
        mr_window_first_open(&windowing->grid, mr_window_clamp(now_ms) - windowing->lateness_ms);
    windowing->next_ms = close_ms(windowing, windowing->first_open);
    if (windowing->emit == MR_EMIT_PERIODIC) {
        int64_t tick_ms =
            (mr_window_divide(mr_window_clamp(now_ms), windowing->emit_every_ms) + 1) *
            windowing->emit_every_ms;
        if (tick_ms < windowing->next_ms)
            windowing->next_ms = tick_ms;
    }
    return status;
}

static enum mr_status aligned_open(struct mr_windowing *windowing,
                                   const struct mr_operator_open *open, struct mr_error *error)
{
    mr_window_grid_init(&windowing->grid, &windowing->window);
    windowing->first_open = mr_window_first_open(&windowing->grid, -MR_WINDOW_TIME_MAX);
    enum mr_status status = mr_window_ring_open(windowing, open, error);
    if (status == MR_OK)
        mr_window_totals_open(windowing);
    return status;
}

const struct mr_windowing_kind mr_windowing_aligned = {
    .open = aligned_open,
    .row = aligned_row,
    .advance = aligned_advance,
};
