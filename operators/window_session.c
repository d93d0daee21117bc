/* operators/window_session.c — windows of records that are less than a pause apart.
 * Design: a key's open sessions are entries by time, at least the pause apart. A row begins one,
 * lengthens one or joins two. A group is due when its first session is to be closed, at the last
 * row's time + pause + lateness; a row that is a pause or more behind the last one therefore never
 * meets the session, whether that is closed already or not.
 * Results before the end are named by key and begin. Where a begin goes, because an earlier row
 * comes or two sessions join, the last result of it goes out once more as a retracted one. */
#include "operators/window_list.h"

#include "base/assert.h"

enum { SESSIONS_WANTED = 8 };

static int64_t end_of(const struct mr_windowing *windowing, const struct mr_window_entry *entry)
{
    return entry->last_ms + windowing->window.size_ms;
}

static void settle(struct mr_windowing *windowing, struct mr_window_list *list)
{
    const struct mr_window_entry *first = mr_window_list_at(windowing, list, 0);
    int64_t due_ms = end_of(windowing, first) + windowing->lateness_ms;
    mr_window_list_settle(windowing, list, list->tick_ms < due_ms ? list->tick_ms : due_ms);
}

static enum mr_status emit(struct mr_windowing *windowing, struct mr_operator_context *context,
                           struct mr_slice key, uint64_t hash, struct mr_window_list **list,
                           uint32_t index, struct mr_error *error)
{
    const struct mr_window_entry *entry = mr_window_list_at(windowing, *list, index);
    struct mr_aggregate_span span = {.start_ms = entry->first_ms,
                                     .end_ms = end_of(windowing, entry)};
    return mr_window_list_emit(windowing, context, key, hash, list, index, 1, &span, error);
}

/* The session at index is about to lose its begin: what was said of it does not hold. */
static enum mr_status retract(struct mr_windowing *windowing, struct mr_operator_context *context,
                              const struct mr_windowing_row *row, struct mr_window_list **list,
                              uint32_t index, struct mr_error *error)
{
    if (windowing->emit == MR_EMIT_CLOSE)
        return MR_OK;
    windowing->retracts = true;
    enum mr_status status = emit(windowing, context, row->key, row->hash, list, index, error);
    windowing->retracts = false;
    return status;
}

/* ---- Rows ---- */

/* Index of the first session that ends behind the time. */
static uint32_t position_of(const struct mr_windowing *windowing, struct mr_window_list *list,
                            int64_t time_ms)
{
    uint32_t index = mr_window_list_count(windowing, list);
    while (index > 0 && end_of(windowing, mr_window_list_at(windowing, list, index - 1)) > time_ms)
        index--;
    return index;
}

static bool reaches(const struct mr_windowing *windowing, struct mr_window_list *list,
                    uint32_t index, int64_t time_ms)
{
    return index < mr_window_list_count(windowing, list) &&
           mr_window_list_at(windowing, list, index)->first_ms - windowing->window.size_ms <
               time_ms;
}

/* Put the session behind index into the one at index. */
static enum mr_status join(struct mr_windowing *windowing, struct mr_operator_context *context,
                           const struct mr_windowing_row *row, struct mr_window_list **list,
                           uint32_t index, struct mr_error *error)
{
    int64_t last_ms = mr_window_list_at(windowing, *list, index + 1)->last_ms;
    enum mr_status status = retract(windowing, context, row, list, index + 1, error);
    if (status != MR_OK)
        return status;
    mr_arena_reset(&windowing->scratch);
    status = mr_window_list_merge(windowing, row->key, row->hash, list, index, 2, error);
    struct mr_window_entry *entry = mr_window_list_at(windowing, *list, index);
    entry->last_ms = last_ms;
    if (mr_windowing_is_refused(status)) { /* the later rows are left out, and that is said */
        struct mr_aggregate_span span = {entry->first_ms, end_of(windowing, entry)};
        mr_windowing_failed(windowing, context, row->key, &span, error->message);
        status = MR_OK;
    } else if (status == MR_OK) {
        status = mr_window_list_store(windowing, context, row->key, row->hash, list, index, error);
    }
    if (status == MR_OK)
        status =
            mr_window_list_drop(windowing, context, row->key, row->hash, list, index + 1, error);
    return status;
}

static enum mr_status begin(struct mr_windowing *windowing, struct mr_window_list *list,
                            uint32_t index, int64_t time_ms, enum mr_windowing_fate *fate,
                            struct mr_error *error)
{
    *fate = MR_ROW_LATE;
    if (windowing->now_ms >= time_ms + windowing->window.size_ms + windowing->lateness_ms)
        return MR_OK;
    *fate = MR_ROW_FAILED;
    if (mr_window_list_count(windowing, list) == windowing->capacity) {
        (void)MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                      "the key has %u open sessions already, which is the most that are kept: the "
                      "watermark is far behind",
                      windowing->capacity);
        return MR_OK;
    }
    struct mr_window_entry *entry = mr_window_list_insert(windowing, list, index);
    *entry = (struct mr_window_entry){.first_ms = time_ms, .last_ms = time_ms};
    if (!windowing->ring_inline) /* only objects of their own have a name */
        entry->number = ++list->counter;
    *fate = MR_ROW_TAKEN;
    return MR_OK;
}

static enum mr_status session_row(struct mr_windowing *windowing,
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
    uint32_t index = position_of(windowing, list, time_ms);
    bool found = reaches(windowing, list, index, time_ms);
    *fate = MR_ROW_TAKEN;
    if (!found)
        status = begin(windowing, list, index, time_ms, fate, error);
    if (status != MR_OK || *fate != MR_ROW_TAKEN)
        return status;
    if (created && !windowing->ring_inline)
        settle(windowing, list);
    bool begins = found && time_ms < mr_window_list_at(windowing, list, index)->first_ms;
    if (begins)
        status = retract(windowing, context, row, &list, index, error);
    if (status != MR_OK)
        return status;
    status = mr_window_list_add(windowing, context, row, &list, index, fate, error);
    if (status != MR_OK)
        return status;
    if (*fate == MR_ROW_FAILED && begins && windowing->emit != MR_EMIT_CLOSE) /* it stays */
        return emit(windowing, context, row->key, row->hash, &list, index, error);
    if (*fate == MR_ROW_FAILED)
        return found ? MR_OK : mr_window_list_undo(windowing, context, row, list, index, created);
    struct mr_window_entry *entry = mr_window_list_at(windowing, list, index);
    entry->first_ms = time_ms < entry->first_ms ? time_ms : entry->first_ms;
    entry->last_ms = time_ms > entry->last_ms ? time_ms : entry->last_ms;
    mr_window_list_touch(windowing, list, time_ms);
    settle(windowing, list);
    if (reaches(windowing, list, index + 1, time_ms)) {
        status = join(windowing, context, row, &list, index, error);
        if (status != MR_OK)
            return status;
        settle(windowing, list);
    }
    if (windowing->emit == MR_EMIT_UPDATE)
        status = emit(windowing, context, row->key, row->hash, &list, index, error);
    return status;
}

/* ---- What is due ---- */

static enum mr_status close_first(struct mr_windowing *windowing,
                                  struct mr_operator_context *context, struct mr_slice key,
                                  uint64_t hash, struct mr_window_list *list,
                                  struct mr_error *error)
{
    enum mr_status status = MR_OK;
    if (windowing->emit != MR_EMIT_UPDATE)
        status = emit(windowing, context, key, hash, &list, 0, error);
    if (status == MR_OK)
        status = mr_window_list_drop(windowing, context, key, hash, &list, 0, error);
    if (status != MR_OK)
        return status;
    if (mr_window_list_count(windowing, list) == 0)
        return mr_table_remove(windowing->groups, key, hash, error);
    settle(windowing, list);
    return MR_OK;
}

static enum mr_status emit_all(struct mr_windowing *windowing, struct mr_operator_context *context,
                               struct mr_slice key, uint64_t hash, struct mr_window_list *list,
                               struct mr_error *error)
{
    list->tick_ms = INT64_MAX;
    settle(windowing, list);
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; status == MR_OK && i < mr_window_list_count(windowing, list); i++)
        status = emit(windowing, context, key, hash, &list, i, error);
    return status;
}

static enum mr_status session_advance(struct mr_windowing *windowing,
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
        /* The key's bytes are the object's: they go with it. */
        mr_arena_reset(&windowing->keys);
        struct mr_slice key = mr_arena_copy(&windowing->keys, borrowed);
        struct mr_window_list *list = object;
        if (list->head.fingerprint != windowing->fingerprint)
            status = mr_table_remove(windowing->groups, key, hash, error);
        else if (list->tick_ms <= now_ms && list->tick_ms == list->due_ms)
            status = emit_all(windowing, context, key, hash, list, error);
        else
            status = close_first(windowing, context, key, hash, list, error);
        if (status != MR_OK)
            return status;
        if (mr_windowing_stops(windowing, context))
            return MR_AGAIN;
    }
}

static enum mr_status session_open(struct mr_windowing *windowing,
                                   const struct mr_operator_open *open, struct mr_error *error)
{
    return mr_window_list_open(windowing, open, 1, SESSIONS_WANTED, error);
}

const struct mr_windowing_kind mr_windowing_session = {
    .open = session_open,
    .row = session_row,
    .advance = session_advance,
};
