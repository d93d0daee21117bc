/* operators/window_pane.c — see window_pane.h. */
#include "operators/window_pane.h"

#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/window_totals.h"

enum { PANE_BYTES = sizeof(struct mr_window_pane), NUMBER_BYTES = 8 };

enum mr_status mr_window_panes_open(struct mr_windowing *windowing,
                                    const struct mr_operator_open *open, struct mr_error *error)
{
    struct mr_table_spec spec;
    mr_windowing_table_spec(windowing, "panes", &spec);
    mr_group_object_spec(&spec, mr_group_object_bytes(PANE_BYTES + windowing->set.cell_bytes));
    if (windowing->set.heavy_count > 0) {
        spec.slot_bytes = MR_AGGREGATE_SET_PIECE_BYTES;
        spec.slots_max = windowing->set.slots_max;
    }
    return mr_table_open(open->state, &spec, &windowing->panes, error);
}

struct mr_window_pane_key mr_window_pane_key(struct mr_arena *arena, struct mr_slice key,
                                             int64_t pane)
{
    uint8_t *bytes = mr_arena_take(arena, NUMBER_BYTES + key.size);
    mr_put_time_be(bytes, pane); /* sorts as the number does */
    if (key.size > 0)
        memcpy(bytes + NUMBER_BYTES, key.data, key.size);
    struct mr_slice full = mr_slice_from(bytes, NUMBER_BYTES + key.size);
    return (struct mr_window_pane_key){
        .pane = pane,
        .key = mr_slice_from(bytes + NUMBER_BYTES, key.size),
        .full = full,
        .hash = mr_hash64(full),
    };
}

struct mr_window_pane_key mr_window_pane_key_read(struct mr_slice full, uint64_t hash)
{
    MR_ASSERT(full.size >= NUMBER_BYTES);
    return (struct mr_window_pane_key){
        .pane = mr_get_time_be(full.data),
        .key = mr_slice_from(full.data + NUMBER_BYTES, full.size - NUMBER_BYTES),
        .full = full,
        .hash = hash,
    };
}

enum mr_status mr_window_pane_find(struct mr_windowing *windowing, struct mr_slice key,
                                   int64_t number, struct mr_window_pane **pane,
                                   struct mr_error *error)
{
    struct mr_window_pane_key pane_key = mr_window_pane_key(&windowing->scratch, key, number);
    void *object = NULL;
    enum mr_status status =
        mr_table_find(windowing->panes, pane_key.full, pane_key.hash, &object, error);
    *pane = status == MR_OK ? object : NULL;
    return status == MR_NOT_FOUND ? MR_OK : status;
}

enum mr_status mr_window_pane_get(struct mr_windowing *windowing,
                                  const struct mr_window_pane_key *key,
                                  struct mr_window_pane **pane, bool *created,
                                  struct mr_error *error)
{
    void *object = NULL;
    int64_t before = mr_table_keys(windowing->panes);
    enum mr_status status =
        mr_group_object_get(windowing->panes, key->full, key->hash, windowing->fingerprint,
                            PANE_BYTES + windowing->set.cell_bytes, &object, created, error);
    *pane = object;
    if (mr_table_keys(windowing->panes) < before) /* a new one is counted when it is dirty */
        mr_window_totals_forget_all(windowing);   /* others were dropped: the table is full */
    return status;
}

void mr_window_pane_settle(struct mr_windowing *windowing, const struct mr_window_pane_key *key,
                           struct mr_window_pane *pane, bool spilled)
{
    const struct mr_window_grid *grid = &windowing->grid;
    int64_t window = mr_window_last(grid, key->pane);
    if (spilled) {
        window = mr_window_first(grid, key->pane);
        if (window < windowing->first_open)
            window = windowing->first_open;
    }
    /* Behind the group, which is due at the same time. */
    int64_t due_ms = mr_window_end_ms(grid, window) + windowing->lateness_ms + (spilled ? 0 : 1);
    pane->spilled = spilled;
    if (pane->due_ms == due_ms && due_ms != 0) {
        mr_table_dirty(windowing->panes, pane);
        return;
    }
    pane->due_ms = due_ms;
    mr_table_schedule(windowing->panes, pane, due_ms);
}

struct mr_aggregate_place mr_window_pane_place(const struct mr_windowing *windowing,
                                               struct mr_window_pane *pane)
{
    return (struct mr_aggregate_place){.table = windowing->panes, .object = pane};
}

enum mr_status mr_window_pane_add(struct mr_windowing *windowing,
                                  const struct mr_window_pane_key *key,
                                  const struct mr_windowing_row *row, bool spilled,
                                  enum mr_windowing_fate *fate, struct mr_error *error)
{
    struct mr_window_pane *pane;
    bool created;
    bool failed = false;
    enum mr_status status = mr_window_pane_get(windowing, key, &pane, &created, error);
    if (status != MR_OK)
        return status;
    if (created && windowing->set.heavy_count > 0) /* a body's piece makes the object exist */
        mr_window_pane_settle(windowing, key, pane, spilled);
    struct mr_aggregate_place place = mr_window_pane_place(windowing, pane);
    status = mr_aggregate_set_add(&windowing->set, row->columns, row->row, row->time_ms, pane->cell,
                                  &place, &failed, error);
    if (status != MR_OK)
        return status;
    *fate = failed ? MR_ROW_FAILED : MR_ROW_TAKEN;
    if (!failed)
        mr_window_pane_settle(windowing, key, pane, spilled);
    return MR_OK;
}
