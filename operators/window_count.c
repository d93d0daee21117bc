/* operators/window_count.c — windows of the last n records of a key, every m records.
 * Design: records are counted per key and go, in the order of arrival, into parts of the greatest
 * common divisor of n and m records; a result merges the parts of the last n. The first results
 * have fewer records. Time plays no part: no record is late, and a key is kept until state.ttl
 * ends. */
#include "operators/window_list.h"

#include "base/assert.h"

static int64_t part_size(const struct mr_window *window)
{
    int64_t left = window->count;
    int64_t right = window->every_count;
    while (right != 0) {
        int64_t rest = left % right;
        left = right;
        right = rest;
    }
    return left;
}

static int64_t part_of(const struct mr_windowing *windowing)
{
    return part_size(&windowing->window);
}

uint32_t mr_windowing_count_parts(const struct mr_window *window)
{
    return window->count / (uint32_t)part_size(window);
}

static void settle(struct mr_windowing *windowing, struct mr_window_list *list, int64_t time_ms)
{
    int64_t due_ms = INT64_MAX;
    if (windowing->node->state_ttl_ms > 0)
        due_ms = mr_window_clamp(time_ms) + windowing->node->state_ttl_ms;
    bool is_set = list->due_ms != INT64_MIN && list->due_ms != INT64_MAX;
    if (is_set && due_ms < list->due_ms) /* times never go back */
        due_ms = list->due_ms;
    mr_window_list_settle(windowing, list, due_ms);
}

static enum mr_status emit(struct mr_windowing *windowing, struct mr_operator_context *context,
                           const struct mr_windowing_row *row, struct mr_window_list **list,
                           struct mr_error *error)
{
    uint32_t count = mr_window_list_count(windowing, *list);
    const struct mr_window_entry *entry = mr_window_list_at(windowing, *list, 0);
    struct mr_aggregate_span span = {entry->first_ms, entry->last_ms + 1};
    for (uint32_t i = 1; i < count; i++) {
        entry = mr_window_list_at(windowing, *list, i);
        if (entry->first_ms < span.start_ms)
            span.start_ms = entry->first_ms;
        if (entry->last_ms >= span.end_ms)
            span.end_ms = entry->last_ms + 1;
    }
    return mr_window_list_emit(windowing, context, row->key, row->hash, list, 0, count, &span,
                               error);
}

/* Parts that the next result does not need. */
static enum mr_status drop_old(struct mr_windowing *windowing, struct mr_operator_context *context,
                               const struct mr_windowing_row *row, struct mr_window_list **list,
                               struct mr_error *error)
{
    int64_t kept_from = (*list)->counter + windowing->window.every_count - windowing->window.count;
    enum mr_status status = MR_OK;
    while (status == MR_OK && mr_window_list_count(windowing, *list) > 0 &&
           (mr_window_list_at(windowing, *list, 0)->number + 1) * part_of(windowing) <= kept_from)
        status = mr_window_list_drop(windowing, context, row->key, row->hash, list, 0, error);
    return status;
}

static enum mr_status count_row(struct mr_windowing *windowing, struct mr_operator_context *context,
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
    int64_t number = list->counter / part_of(windowing);
    uint32_t count = mr_window_list_count(windowing, list);
    bool made = count == 0 || mr_window_list_at(windowing, list, count - 1)->number != number;
    if (made) {
        struct mr_window_entry *entry = mr_window_list_insert(windowing, list, count++);
        *entry = (struct mr_window_entry){time_ms, time_ms, number};
    }
    status = mr_window_list_add(windowing, context, row, &list, count - 1, fate, error);
    if (status != MR_OK)
        return status;
    if (*fate == MR_ROW_FAILED)
        return made ? mr_window_list_undo(windowing, context, row, list, count - 1, created)
                    : MR_OK;
    struct mr_window_entry *entry = mr_window_list_at(windowing, list, count - 1);
    entry->first_ms = time_ms < entry->first_ms ? time_ms : entry->first_ms;
    entry->last_ms = time_ms > entry->last_ms ? time_ms : entry->last_ms;
    list->counter++;
    settle(windowing, list, time_ms);
    if (list->counter % windowing->window.every_count != 0)
        return MR_OK;
    status = emit(windowing, context, row, &list, error);
    return status == MR_OK ? drop_old(windowing, context, row, &list, error) : status;
}

enum mr_status mr_windowing_forget(struct mr_windowing *windowing,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   uint64_t hash, struct mr_window_list *list,
                                   struct mr_error *error)
{
    enum mr_status status = MR_OK;
    if (list->head.fingerprint == windowing->fingerprint)
        while (status == MR_OK && mr_window_list_count(windowing, list) > 0)
            status = mr_window_list_drop(windowing, context, key, hash, &list, 0, error);
    return status == MR_OK ? mr_table_remove(windowing->groups, key, hash, error) : status;
}

static enum mr_status count_advance(struct mr_windowing *windowing,
                                    struct mr_operator_context *context, int64_t now_ms,
                                    struct mr_error *error)
{
    windowing->next_ms = now_ms == INT64_MAX ? now_ms : now_ms + 1;
    if (windowing->node->state_ttl_ms == 0)
        return MR_OK;
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
        struct mr_slice key = mr_arena_copy(&windowing->keys, borrowed);
        status = mr_windowing_forget(windowing, context, key, hash, object, error);
        if (status != MR_OK)
            return status;
        if (mr_windowing_stops(windowing, context))
            return MR_AGAIN;
    }
}

static enum mr_status count_open(struct mr_windowing *windowing,
                                 const struct mr_operator_open *open, struct mr_error *error)
{
    uint32_t parts = mr_windowing_count_parts(&windowing->window);
    return mr_window_list_open(windowing, open, parts, parts, error);
}

const struct mr_windowing_kind mr_windowing_count = {
    .open = count_open,
    .row = count_row,
    .advance = count_advance,
};
