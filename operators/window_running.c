/* operators/window_running.c — sums without a window: one cell per key, which only grows.
 * Design: a list of one entry. emit: update says the result after each record; periodic says it
 * when the watermark passes the next multiple of emit_every, for keys that have changed. A key is
 * kept until state.ttl ends. */
#include "operators/window_list.h"

static void settle(struct mr_windowing *windowing, struct mr_window_list *list)
{
    int64_t due_ms = INT64_MAX;
    if (windowing->node->state_ttl_ms > 0)
        due_ms = mr_window_list_at(windowing, list, 0)->last_ms + windowing->node->state_ttl_ms;
    mr_window_list_settle(windowing, list, list->tick_ms < due_ms ? list->tick_ms : due_ms);
}

static enum mr_status emit(struct mr_windowing *windowing, struct mr_operator_context *context,
                           struct mr_slice key, uint64_t hash, struct mr_window_list **list,
                           int64_t end_ms, struct mr_error *error)
{
    const struct mr_window_entry *entry = mr_window_list_at(windowing, *list, 0);
    struct mr_aggregate_span span = {entry->first_ms, end_ms};
    return mr_window_list_emit(windowing, context, key, hash, list, 0, 1, &span, error);
}

static enum mr_status running_row(struct mr_windowing *windowing,
                                  struct mr_operator_context *context,
                                  const struct mr_windowing_row *row, enum mr_windowing_fate *fate,
                                  struct mr_error *error)
{
    struct mr_window_list *list;
    bool created;
    int64_t time_ms = mr_window_clamp(row->time_ms);
    enum mr_status status =
        mr_window_list_get(windowing, row->key, row->hash, &list, &created, error);
    if (status != MR_OK)
        return status;
    bool made = mr_window_list_count(windowing, list) == 0;
    if (made)
        *mr_window_list_insert(windowing, list, 0) = (struct mr_window_entry){time_ms, time_ms, 0};
    status = mr_window_list_add(windowing, context, row, &list, 0, fate, error);
    if (status != MR_OK)
        return status;
    if (*fate == MR_ROW_FAILED)
        return made ? mr_window_list_undo(windowing, context, row, list, 0, created) : MR_OK;
    struct mr_window_entry *entry = mr_window_list_at(windowing, list, 0);
    entry->first_ms = time_ms < entry->first_ms ? time_ms : entry->first_ms;
    entry->last_ms = time_ms > entry->last_ms ? time_ms : entry->last_ms;
    mr_window_list_touch(windowing, list, time_ms);
    settle(windowing, list);
    if (windowing->emit == MR_EMIT_PERIODIC)
        return MR_OK;
    return emit(windowing, context, row->key, row->hash, &list, time_ms + 1, error);
}

/* A periodic result is wanted, or the key's time to live has ended. */
static enum mr_status take(struct mr_windowing *windowing, struct mr_operator_context *context,
                           struct mr_slice key, uint64_t hash, struct mr_window_list *list,
                           struct mr_error *error)
{
    int64_t tick_ms = list->tick_ms;
    if (list->head.fingerprint != windowing->fingerprint || tick_ms != list->due_ms ||
        mr_window_list_count(windowing, list) == 0)
        return mr_windowing_forget(windowing, context, key, hash, list, error);
    list->tick_ms = INT64_MAX;
    settle(windowing, list);
    return emit(windowing, context, key, hash, &list, tick_ms, error);
}

static enum mr_status running_advance(struct mr_windowing *windowing,
                                      struct mr_operator_context *context, int64_t now_ms,
                                      struct mr_error *error)
{
    windowing->next_ms = now_ms == INT64_MAX ? now_ms : now_ms + 1;
    for (;;) {
        struct mr_slice borrowed;
        uint64_t hash;
        void *object = NULL;
        bool found;
        enum mr_status status =
            mr_table_next_due(windowing->groups, now_ms, &borrowed, &hash, &object, &found, error);
        if (status != MR_OK || !found)
            return status;
        mr_arena_reset(&windowing->keys);
        status = take(windowing, context, mr_arena_copy(&windowing->keys, borrowed), hash, object,
                      error);
        if (status != MR_OK)
            return status;
        if (mr_windowing_stops(windowing, context))
            return MR_AGAIN;
    }
}

static enum mr_status running_open(struct mr_windowing *windowing,
                                   const struct mr_operator_open *open, struct mr_error *error)
{
    return mr_window_list_open(windowing, open, 1, 1, error);
}

const struct mr_windowing_kind mr_windowing_running = {
    .open = running_open,
    .row = running_row,
    .advance = running_advance,
};
