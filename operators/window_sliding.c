/* operators/window_sliding.c — sliding windows: for each record the records of its key in
 * (t - length, t], t being its event time.
 * Design: records of one key and millisecond are one cell, with the number of them: they have the
 * same window and so the same result. A cell waits in the timed table `waiting`, where records that
 * come out of order find it, and is due when nothing can change its window any more, at
 * t + 1 ms + lateness: all that it sees is then behind it. Cells are taken in the order of
 * (due time, key), that is of (event time, key); a cell then leaves the table, is appended to the
 * key's closed cells (window_blocks.h), and one result per record is emitted from there.
 * A group is there from the key's first record on, as long as an open window reaches its last cell.
 * Stored, in this machine's order. Table `waiting`, by [time in ms, 8 bytes big-endian][key]: head
 * (group_object.h); int64 due, ms; uint64 records; the cell. Table `groups`, by key: head; int64
 * due, ms; what struct mr_window_span says. Table `blocks`: window_blocks.h. */
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/window_blocks.h"
#include "operators/window_pane.h"

enum {
    ESTIMATED_CELLS = 64, /* of a window: what `plan` states of a key is for so many */
    /* Of a body's piece per record: as it waits, its removal, its entry, the total, the suffix, its
     * part of the levels above, and their removal. */
    BODY_WRITES = 7,
    EXPIRY_PARTS = 16 /* what is useless may stay for such a part of the window */
};

struct waiting {
    struct mr_group_object head;
    int64_t due_ms;
    uint64_t count;
    uint8_t cell[];
};

struct group {
    struct mr_windowing_group head;
    struct mr_window_span span;
};

static int64_t useless_ms(const struct mr_windowing *windowing, int64_t last_ms)
{
    return last_ms + windowing->window.size_ms + windowing->lateness_ms;
}

/* ---- Rows ---- */

/* The group of a key, made when it is new. */
static enum mr_status get_group(struct mr_windowing *windowing, struct mr_slice key, uint64_t hash,
                                int64_t time_ms, struct group **group, struct mr_error *error)
{
    void *object = NULL;
    bool created;
    enum mr_status status =
        mr_group_object_get(windowing->groups, key, hash, windowing->fingerprint,
                            sizeof(struct group), &object, &created, error);
    *group = object;
    if (status != MR_OK || !created)
        return status;
    (*group)->head.due_ms = useless_ms(windowing, time_ms);
    mr_table_schedule(windowing->groups, *group, (*group)->head.due_ms);
    return MR_OK;
}

/* Add a row's own cell to what waits of its millisecond. */
static enum mr_status join_waiting(struct mr_windowing *windowing, struct waiting *waiting,
                                   const uint8_t *cell, enum mr_windowing_fate *fate,
                                   struct mr_error *error)
{
    uint8_t joined[MR_WINDOW_BLOCKS_CELL_BYTES];
    memcpy(joined, waiting->cell, windowing->set.cell_bytes);
    enum mr_status status = mr_aggregate_set_join(&windowing->set, joined, NULL, cell, NULL, error);
    if (mr_windowing_is_refused(status)) {
        *fate = MR_ROW_FAILED;
        return MR_OK;
    }
    memcpy(waiting->cell, joined, windowing->set.cell_bytes);
    return status;
}

static enum mr_status get_waiting(struct mr_windowing *windowing,
                                  const struct mr_window_pane_key *key, int64_t due_ms,
                                  struct waiting **waiting, bool *created, struct mr_error *error)
{
    void *object = NULL;
    enum mr_status status = mr_group_object_get(
        windowing->waiting, key->full, key->hash, windowing->fingerprint,
        sizeof(struct waiting) + windowing->set.cell_bytes, &object, created, error);
    *waiting = object;
    if (status != MR_OK || !*created)
        return status;
    (*waiting)->due_ms = due_ms;
    mr_table_schedule(windowing->waiting, *waiting, due_ms);
    return MR_OK;
}

/* Bodies are the object's: the row goes straight into them, and takes a new object back with it
 * when it fails. */
static enum mr_status add_heavy(struct mr_windowing *windowing, const struct mr_windowing_row *row,
                                const struct mr_window_pane_key *key, int64_t due_ms,
                                enum mr_windowing_fate *fate, struct mr_error *error)
{
    struct waiting *waiting;
    bool created;
    bool failed = false;
    enum mr_status status = get_waiting(windowing, key, due_ms, &waiting, &created, error);
    if (status != MR_OK)
        return status;
    struct mr_aggregate_place place = {.table = windowing->waiting, .object = waiting};
    status = mr_aggregate_set_add(&windowing->set, row->columns, row->row, row->time_ms,
                                  waiting->cell, &place, &failed, error);
    if (status != MR_OK)
        return status;
    *fate = failed ? MR_ROW_FAILED : MR_ROW_TAKEN;
    if (!failed) {
        waiting->count++;
        mr_table_dirty(windowing->waiting, waiting);
    } else if (created) {
        struct mr_error ignored; /* the row's own sentence is kept */
        status = mr_table_remove(windowing->waiting, key->full, key->hash, &ignored);
    }
    return status;
}

/* The row's own cell first: no object is made for a row that fails. */
static enum mr_status add_light(struct mr_windowing *windowing, const struct mr_windowing_row *row,
                                const struct mr_window_pane_key *key, int64_t due_ms,
                                enum mr_windowing_fate *fate, struct mr_error *error)
{
    uint8_t cell[MR_WINDOW_BLOCKS_CELL_BYTES];
    bool failed = false;
    memset(cell, 0, windowing->set.cell_bytes);
    enum mr_status status = mr_aggregate_set_add(&windowing->set, row->columns, row->row,
                                                 row->time_ms, cell, NULL, &failed, error);
    *fate = failed ? MR_ROW_FAILED : MR_ROW_TAKEN;
    if (status != MR_OK || failed)
        return status;
    struct waiting *waiting;
    bool created;
    status = get_waiting(windowing, key, due_ms, &waiting, &created, error);
    if (status != MR_OK)
        return status;
    if (created)
        memcpy(waiting->cell, cell, windowing->set.cell_bytes);
    else
        status = join_waiting(windowing, waiting, cell, fate, error);
    if (status != MR_OK || *fate == MR_ROW_FAILED)
        return status;
    waiting->count++;
    mr_table_dirty(windowing->waiting, waiting);
    return MR_OK;
}

static enum mr_status sliding_row(struct mr_windowing *windowing,
                                  struct mr_operator_context *context,
                                  const struct mr_windowing_row *row, enum mr_windowing_fate *fate,
                                  struct mr_error *error)
{
    int64_t time_ms = mr_window_clamp(row->time_ms);
    int64_t due_ms = time_ms + 1 + windowing->lateness_ms;
    *fate = MR_ROW_LATE;
    if (due_ms <= windowing->now_ms)
        return MR_OK;
    struct mr_window_pane_key key = mr_window_pane_key(context->arena, row->key, time_ms);
    enum mr_status status = windowing->set.heavy_count > 0
                                ? add_heavy(windowing, row, &key, due_ms, fate, error)
                                : add_light(windowing, row, &key, due_ms, fate, error);
    if (status != MR_OK || *fate == MR_ROW_FAILED)
        return status;
    if (due_ms < windowing->next_ms)
        windowing->next_ms = due_ms;
    struct group *group;
    return get_group(windowing, row->key, row->hash, time_ms, &group, error);
}

/* ---- What is due ---- */

/* The cell of time_ms, in windowing->merged, is closed: its results. */
static enum mr_status close_cell(struct mr_windowing *windowing,
                                 struct mr_operator_context *context, struct mr_slice key,
                                 int64_t time_ms, uint64_t count, struct mr_error *error)
{
    struct mr_aggregate_span window = {time_ms + 1 - windowing->window.size_ms, time_ms + 1};
    uint64_t hash = mr_hash64(key);
    struct group *group;
    enum mr_status status = get_group(windowing, key, hash, time_ms, &group, error);
    if (status != MR_OK)
        return status;
    struct mr_window_span span = group->span;
    status = mr_window_blocks_leave(windowing, key, &span, window.start_ms - 1, error);
    if (status == MR_OK)
        status = mr_window_blocks_append(windowing, key, &span, time_ms, error);
    if (status == MR_OK)
        status = get_group(windowing, key, hash, time_ms, &group, error);
    if (status != MR_OK)
        return status;
    group->span = span;
    mr_table_dirty(windowing->groups, group);
    status = mr_window_blocks_merge(windowing, key, &span, error);
    bool refused = mr_windowing_is_refused(status);
    if (status != MR_OK && !refused)
        return status;
    status = MR_OK;
    for (uint64_t i = 0; i < count && status == MR_OK; i++) {
        if (refused)
            mr_windowing_failed(windowing, context, key, &window, error->message);
        else
            status = mr_windowing_result(windowing, context, key, &window, NULL, NULL, error);
    }
    return status;
}

static enum mr_status take_cells(struct mr_windowing *windowing,
                                 struct mr_operator_context *context, int64_t now_ms,
                                 struct mr_error *error)
{
    for (;;) {
        struct mr_slice borrowed;
        uint64_t hash;
        void *object = NULL;
        bool found;
        mr_arena_reset(&windowing->scratch);
        enum mr_status status =
            mr_table_next_due(windowing->waiting, now_ms, &borrowed, &hash, &object, &found, error);
        if (status != MR_OK || !found)
            return status;
        struct waiting *waiting = object;
        /* The key's bytes are the object's: they go with it. */
        mr_arena_reset(&windowing->keys);
        struct mr_window_pane_key key =
            mr_window_pane_key_read(mr_arena_copy(&windowing->keys, borrowed), hash);
        uint64_t count = 0;
        if (waiting->head.fingerprint == windowing->fingerprint) {
            struct mr_aggregate_place place = {.table = windowing->waiting, .object = waiting};
            count = waiting->count;
            status = mr_aggregate_set_load(&windowing->set, &windowing->scratch, windowing->merged,
                                           waiting->cell, &place, error);
        }
        if (status == MR_OK)
            status = mr_table_remove(windowing->waiting, key.full, key.hash, error);
        if (status == MR_OK && count > 0)
            status = close_cell(windowing, context, key.key, key.pane, count, error);
        if (status != MR_OK)
            return status;
        if (mr_windowing_stops(windowing, context))
            return MR_AGAIN;
    }
}

/* Forget the keys without a cell that an open window may reach. */
static enum mr_status expire_groups(struct mr_windowing *windowing,
                                    struct mr_operator_context *context, int64_t now_ms,
                                    struct mr_error *error)
{
    for (;;) {
        struct mr_slice borrowed;
        uint64_t hash;
        void *object = NULL;
        bool found;
        mr_arena_reset(&windowing->keys);
        enum mr_status status =
            mr_table_next_due(windowing->groups, now_ms, &borrowed, &hash, &object, &found, error);
        if (status != MR_OK || !found)
            return status;
        struct group *group = object;
        bool foreign = group->head.head.fingerprint != windowing->fingerprint;
        int64_t due_ms = useless_ms(windowing, group->span.last_ms);
        if (!foreign && group->span.end > 0 && due_ms > now_ms) {
            group->head.due_ms = due_ms;
            mr_table_schedule(windowing->groups, group, due_ms);
            continue;
        }
        status = mr_table_remove(windowing->groups, mr_arena_copy(&windowing->keys, borrowed), hash,
                                 error);
        if (status != MR_OK)
            return status;
        if (mr_windowing_stops(windowing, context))
            return MR_AGAIN;
    }
}

static enum mr_status sliding_advance(struct mr_windowing *windowing,
                                      struct mr_operator_context *context, int64_t now_ms,
                                      struct mr_error *error)
{
    struct mr_slice key;
    uint64_t hash;
    void *object = NULL;
    bool found = false;
    enum mr_status status = take_cells(windowing, context, now_ms, error);
    if (status == MR_OK)
        status = mr_window_blocks_expire(windowing, context, now_ms, error);
    if (status == MR_OK)
        status = expire_groups(windowing, context, now_ms, error);
    if (status == MR_OK)
        status = mr_table_next_due(windowing->waiting, INT64_MAX - 1, &key, &hash, &object, &found,
                                   error);
    if (status != MR_OK)
        return status;
    windowing->next_ms = mr_window_clamp(now_ms) + 1 + windowing->window.size_ms / EXPIRY_PARTS;
    if (found && ((const struct waiting *)object)->due_ms < windowing->next_ms)
        windowing->next_ms = ((const struct waiting *)object)->due_ms;
    return MR_OK;
}

/* ---- Opening ---- */

static enum mr_status sliding_open(struct mr_windowing *windowing,
                                   const struct mr_operator_open *open, struct mr_error *error)
{
    struct mr_table_spec groups;
    struct mr_table_spec waiting;
    mr_windowing_table_spec(windowing, "groups", &groups);
    mr_group_object_spec(&groups, mr_group_object_bytes(sizeof(struct group)));
    mr_windowing_table_spec(windowing, "waiting", &waiting);
    mr_group_object_spec(&waiting,
                         mr_group_object_bytes(sizeof(struct waiting) + windowing->set.cell_bytes));
    if (windowing->set.heavy_count > 0) {
        waiting.slot_bytes = MR_AGGREGATE_SET_PIECE_BYTES;
        waiting.slots_max = windowing->set.slots_max;
    }
    enum mr_status status = mr_table_open(open->state, &groups, &windowing->groups, error);
    if (status == MR_OK)
        status = mr_table_open(open->state, &waiting, &windowing->waiting, error);
    return status == MR_OK ? mr_window_blocks_open(windowing, open, error) : status;
}

bool mr_windowing_sliding_describe(const struct mr_group_object *object,
                                   struct mr_state_description *description)
{
    struct group group;
    if (object->size != sizeof(group))
        return false;
    memcpy(&group, object, sizeof(group));
    mr_describe_member(description, "records",
                       mr_value_int((int64_t)(group.span.end - group.span.first)));
    if (group.span.end > 0)
        mr_describe_time(description, "latest", group.span.last_ms);
    return true;
}

enum mr_status mr_windowing_sliding_check(const struct mr_aggregate_set *set,
                                          struct mr_error *error)
{
    if (set->cell_bytes > MR_WINDOW_BLOCKS_CELL_BYTES)
        return MR_FAIL(
            error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
            "the aggregates need %u bytes per record, a sliding window keeps at most %d: "
            "divide them among several operators",
            set->cell_bytes, (int)MR_WINDOW_BLOCKS_CELL_BYTES);
    return MR_OK;
}

void mr_windowing_sliding_estimate(const struct mr_aggregate_set *set,
                                   struct mr_state_estimate *estimate)
{
    uint32_t cell_bytes = set->cell_bytes < MR_WINDOW_BLOCKS_CELL_BYTES
                              ? set->cell_bytes
                              : MR_WINDOW_BLOCKS_CELL_BYTES;
    uint32_t fan = mr_window_blocks_fan(cell_bytes);
    uint32_t pages = ESTIMATED_CELLS / fan + 2;
    uint32_t bodies = mr_window_blocks_page_bodies(cell_bytes) * set->heavy_count;
    struct mr_state_estimate waiting;
    struct mr_state_estimate page;
    size_t waiting_bytes = sizeof(struct waiting) + cell_bytes;
    size_t page_bytes = mr_window_blocks_page_bytes(cell_bytes);
    mr_estimate_object(sizeof(struct group), sizeof(struct group), estimate);
    mr_estimate_slots(waiting_bytes, waiting_bytes, MR_AGGREGATE_SET_PIECE_BYTES, set->heavy_count,
                      &waiting);
    mr_estimate_slots(page_bytes, page_bytes, MR_AGGREGATE_SET_PIECE_BYTES, bodies, &page);
    estimate->object_bytes += waiting.object_bytes + pages * page.object_bytes;
    estimate->stored_bytes += waiting.stored_bytes + pages * page.stored_bytes;
    /* A cell is written, removed, and put into a page, of which there is another one now and then:
     * suffixes, totals, expiry. So are its bodies, of a piece each, one by one. */
    uint64_t piece_bytes =
        MR_AGGREGATE_SET_PIECE_BYTES + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    mr_estimate_object(waiting_bytes, waiting_bytes, &waiting);
    mr_estimate_object(page_bytes, page_bytes, &page);
    estimate->changelog_bytes_per_record +=
        2 * waiting.changelog_bytes_per_record + page.changelog_bytes_per_record +
        2 * page.changelog_bytes_per_record / fan + BODY_WRITES * set->heavy_count * piece_bytes;
}

const struct mr_windowing_kind mr_windowing_sliding = {
    .open = sliding_open,
    .row = sliding_row,
    .advance = sliding_advance,
};
