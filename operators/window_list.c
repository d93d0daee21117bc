/* operators/window_list.c — see window_list.h. */
#include "operators/window_list.h"

#include <string.h>

#include "base/assert.h"
#include "operators/estimate.h"

enum { LIST_BYTES = sizeof(struct mr_window_list), ENTRY_BYTES = sizeof(struct mr_window_entry) };

_Static_assert(LIST_BYTES + MR_WINDOW_PARTS_MAX * ENTRY_BYTES <= MR_GROUP_OBJECT_BYTES_MAX,
               "a window of records that validate lets through fits a group");

static bool is_inline(const struct mr_windowing *windowing)
{
    return windowing->ring_inline;
}

static uint32_t stride(const struct mr_windowing *windowing)
{
    return ENTRY_BYTES + (is_inline(windowing) ? windowing->set.cell_bytes : 0);
}

void mr_window_list_layout(struct mr_windowing *windowing, uint32_t entries_min)
{
    windowing->ring_inline = windowing->set.heavy_count == 0;
    if (LIST_BYTES + (uint64_t)entries_min * stride(windowing) > MR_GROUP_OBJECT_BYTES_MAX)
        windowing->ring_inline = false;
}

bool mr_window_list_is_whole(const struct mr_windowing *windowing,
                             const struct mr_window_list *list)
{
    return list->head.size >= LIST_BYTES && (list->head.size - LIST_BYTES) % stride(windowing) == 0;
}

enum mr_status mr_window_list_open(struct mr_windowing *windowing,
                                   const struct mr_operator_open *open, uint32_t entries_min,
                                   uint32_t entries_wanted, struct mr_error *error)
{
    mr_window_list_layout(windowing, entries_min);
    uint64_t bytes = LIST_BYTES + (uint64_t)entries_min * stride(windowing);
    MR_ASSERT(bytes <= MR_GROUP_OBJECT_BYTES_MAX); /* MR_WINDOW_PARTS_MAX */
    uint64_t wanted = LIST_BYTES + (uint64_t)entries_wanted * stride(windowing);
    if (wanted > bytes)
        bytes = wanted < MR_GROUP_OBJECT_BYTES_MAX ? wanted : MR_GROUP_OBJECT_BYTES_MAX;
    size_t object_bytes = mr_group_object_bytes((size_t)bytes);
    windowing->capacity = (uint32_t)((object_bytes - LIST_BYTES) / stride(windowing));
    struct mr_table_spec spec;
    mr_windowing_table_spec(windowing, "groups", &spec);
    mr_group_object_spec(&spec, object_bytes);
    enum mr_status status = mr_table_open(open->state, &spec, &windowing->groups, error);
    if (status == MR_OK && !windowing->ring_inline)
        status = mr_window_panes_open(windowing, open, error);
    return status;
}

enum mr_status mr_window_list_get(struct mr_windowing *windowing, struct mr_slice key,
                                  uint64_t hash, struct mr_window_list **list, bool *created,
                                  struct mr_error *error)
{
    void *object = NULL;
    enum mr_status status = mr_group_object_get(
        windowing->groups, key, hash, windowing->fingerprint, LIST_BYTES, &object, created, error);
    *list = object;
    if (status == MR_OK && *created) {
        (*list)->due_ms = INT64_MIN;
        (*list)->tick_ms = INT64_MAX;
    }
    return status;
}

static enum mr_status find_again(struct mr_windowing *windowing, struct mr_slice key, uint64_t hash,
                                 struct mr_window_list **list, struct mr_error *error)
{
    void *object = NULL;
    enum mr_status status = mr_table_find(windowing->groups, key, hash, &object, error);
    MR_ASSERT(status != MR_NOT_FOUND);
    *list = object;
    return status;
}

/* ---- Entries ---- */

uint32_t mr_window_list_count(const struct mr_windowing *windowing,
                              const struct mr_window_list *list)
{
    return (list->head.size - LIST_BYTES) / stride(windowing);
}

struct mr_window_entry *mr_window_list_at(const struct mr_windowing *windowing,
                                          struct mr_window_list *list, uint32_t index)
{
    void *entry = list->entries + (size_t)index * stride(windowing);
    return entry;
}

struct mr_window_entry *mr_window_list_insert(const struct mr_windowing *windowing,
                                              struct mr_window_list *list, uint32_t index)
{
    uint32_t count = mr_window_list_count(windowing, list);
    MR_ASSERT(count < windowing->capacity && index <= count);
    struct mr_window_entry *entry = mr_window_list_at(windowing, list, index);
    memmove((uint8_t *)entry + stride(windowing), entry,
            (size_t)(count - index) * stride(windowing));
    memset(entry, 0, stride(windowing));
    list->head.size += stride(windowing);
    return entry;
}

void mr_window_list_remove(const struct mr_windowing *windowing, struct mr_window_list *list,
                           uint32_t index)
{
    uint32_t count = mr_window_list_count(windowing, list);
    uint8_t *entry = list->entries + (size_t)index * stride(windowing);
    memmove(entry, entry + stride(windowing), (size_t)(count - index - 1) * stride(windowing));
    list->head.size -= stride(windowing);
}

/* ---- Cells ---- */

static enum mr_status get_pane(struct mr_windowing *windowing, struct mr_arena *arena,
                               struct mr_slice key, int64_t number, struct mr_window_pane **pane,
                               struct mr_error *error)
{
    struct mr_window_pane_key pane_key = mr_window_pane_key(arena, key, number);
    bool created;
    enum mr_status status = mr_window_pane_get(windowing, &pane_key, pane, &created, error);
    if (status == MR_OK && created) {
        (*pane)->due_ms = INT64_MAX; /* goes with its entry */
        mr_table_schedule(windowing->panes, *pane, INT64_MAX);
    }
    return status;
}

enum mr_status mr_window_list_add(struct mr_windowing *windowing,
                                  struct mr_operator_context *context,
                                  const struct mr_windowing_row *row, struct mr_window_list **list,
                                  uint32_t index, enum mr_windowing_fate *fate,
                                  struct mr_error *error)
{
    struct mr_window_entry *entry = mr_window_list_at(windowing, *list, index);
    bool failed = false;
    enum mr_status status;
    if (is_inline(windowing)) {
        status = mr_aggregate_set_add(&windowing->set, row->columns, row->row, row->time_ms,
                                      entry->cell, NULL, &failed, error);
    } else {
        struct mr_window_pane *pane;
        int64_t number = entry->number;
        mr_window_list_settle(windowing, *list, (*list)->due_ms); /* it exists from here on */
        status = get_pane(windowing, context->arena, row->key, number, &pane, error);
        if (status != MR_OK)
            return status;
        struct mr_aggregate_place place = mr_window_pane_place(windowing, pane);
        status = mr_aggregate_set_add(&windowing->set, row->columns, row->row, row->time_ms,
                                      pane->cell, &place, &failed, error);
        if (status == MR_OK && !failed)
            mr_table_dirty(windowing->panes, pane);
        struct mr_error again;
        if (status == MR_OK)
            status = find_again(windowing, row->key, row->hash, list, failed ? &again : error);
    }
    *fate = failed ? MR_ROW_FAILED : MR_ROW_TAKEN;
    return status;
}

enum mr_status mr_window_list_merge(struct mr_windowing *windowing, struct mr_slice key,
                                    uint64_t hash, struct mr_window_list **list, uint32_t index,
                                    uint32_t count, struct mr_error *error)
{
    mr_aggregate_set_begin(&windowing->set, &windowing->scratch, windowing->merged);
    enum mr_status status = MR_OK;
    for (uint32_t i = index; i < index + count && status == MR_OK; i++) {
        const struct mr_window_entry *entry = mr_window_list_at(windowing, *list, i);
        if (is_inline(windowing)) {
            status = mr_aggregate_set_merge(&windowing->set, windowing->merged, entry->cell, NULL,
                                            error);
            continue;
        }
        struct mr_window_pane *pane;
        status = get_pane(windowing, &windowing->scratch, key, entry->number, &pane, error);
        if (status != MR_OK)
            return status;
        struct mr_aggregate_place place = mr_window_pane_place(windowing, pane);
        enum mr_status merged =
            mr_aggregate_set_merge(&windowing->set, windowing->merged, pane->cell, &place, error);
        struct mr_error again;
        status = find_again(windowing, key, hash, list, merged == MR_OK ? error : &again);
        if (status == MR_OK)
            status = merged;
    }
    return status;
}

enum mr_status mr_window_list_emit(struct mr_windowing *windowing,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   uint64_t hash, struct mr_window_list **list, uint32_t index,
                                   uint32_t count, const struct mr_aggregate_span *span,
                                   struct mr_error *error)
{
    enum mr_status status;
    if (count == 1 && is_inline(windowing)) {
        const struct mr_window_entry *entry = mr_window_list_at(windowing, *list, index);
        status = mr_windowing_result(windowing, context, key, span, entry->cell, NULL, error);
        return status == MR_OK ? find_again(windowing, key, hash, list, error) : status;
    }
    mr_arena_reset(&windowing->scratch);
    status = mr_window_list_merge(windowing, key, hash, list, index, count, error);
    if (mr_windowing_is_refused(status)) {
        mr_windowing_failed(windowing, context, key, span, error->message);
        status = MR_OK;
    } else if (status == MR_OK) {
        status = mr_windowing_result(windowing, context, key, span, NULL, NULL, error);
    }
    return status == MR_OK ? find_again(windowing, key, hash, list, error) : status;
}

enum mr_status mr_window_list_store(struct mr_windowing *windowing,
                                    struct mr_operator_context *context, struct mr_slice key,
                                    uint64_t hash, struct mr_window_list **list, uint32_t index,
                                    struct mr_error *error)
{
    struct mr_window_entry *entry = mr_window_list_at(windowing, *list, index);
    if (is_inline(windowing)) {
        memcpy(entry->cell, windowing->merged->cell, windowing->set.cell_bytes);
        return MR_OK;
    }
    struct mr_window_pane *pane;
    enum mr_status status = get_pane(windowing, context->arena, key, entry->number, &pane, error);
    if (status == MR_OK) {
        struct mr_aggregate_place place = mr_window_pane_place(windowing, pane);
        memcpy(pane->cell, windowing->merged->cell, windowing->set.cell_bytes);
        mr_table_dirty(windowing->panes, pane);
        status = mr_aggregate_set_store(&windowing->set, windowing->merged, &place, error);
    }
    return status == MR_OK ? find_again(windowing, key, hash, list, error) : status;
}

enum mr_status mr_window_list_drop(struct mr_windowing *windowing,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   uint64_t hash, struct mr_window_list **list, uint32_t index,
                                   struct mr_error *error)
{
    int64_t number = mr_window_list_at(windowing, *list, index)->number;
    mr_window_list_remove(windowing, *list, index);
    mr_table_dirty(windowing->groups, *list);
    if (is_inline(windowing))
        return MR_OK;
    struct mr_window_pane_key pane_key = mr_window_pane_key(context->arena, key, number);
    enum mr_status status = mr_table_remove(windowing->panes, pane_key.full, pane_key.hash, error);
    return status == MR_OK ? find_again(windowing, key, hash, list, error) : status;
}

enum mr_status mr_window_list_undo(struct mr_windowing *windowing,
                                   struct mr_operator_context *context,
                                   const struct mr_windowing_row *row, struct mr_window_list *list,
                                   uint32_t index, bool created)
{
    struct mr_error error;      /* the row's own sentence is kept */
    if (is_inline(windowing)) { /* nothing was made dirty */
        mr_window_list_remove(windowing, list, index);
        return MR_OK;
    }
    enum mr_status status =
        mr_window_list_drop(windowing, context, row->key, row->hash, &list, index, &error);
    if (status == MR_OK && created)
        status = mr_table_remove(windowing->groups, row->key, row->hash, &error);
    return status;
}

/* ---- Due times ---- */

void mr_window_list_settle(struct mr_windowing *windowing, struct mr_window_list *list,
                           int64_t due_ms)
{
    if (due_ms == INT64_MIN)
        due_ms = INT64_MAX;
    if (list->due_ms == due_ms) {
        mr_table_dirty(windowing->groups, list);
        return;
    }
    list->due_ms = due_ms;
    mr_table_schedule(windowing->groups, list, due_ms);
}

void mr_window_list_touch(const struct mr_windowing *windowing, struct mr_window_list *list,
                          int64_t time_ms)
{
    if (windowing->emit != MR_EMIT_PERIODIC || list->tick_ms != INT64_MAX)
        return;
    int64_t from_ms = windowing->now_ms == INT64_MIN ? time_ms : windowing->now_ms;
    list->tick_ms = (mr_window_divide(mr_window_clamp(from_ms), windowing->emit_every_ms) + 1) *
                    windowing->emit_every_ms;
}

void mr_windowing_list_estimate(const struct mr_window *window, const struct mr_aggregate_set *set,
                                struct mr_state_estimate *estimate)
{
    struct mr_windowing windowing = {.set = *set, .ring_inline = set->heavy_count == 0};
    uint32_t entries = 1;
    if (window != NULL && window->kind == MR_WINDOW_SESSION)
        entries = 2;
    else if (window != NULL)
        entries = mr_windowing_count_parts(window);
    size_t bytes = LIST_BYTES + (size_t)entries * stride(&windowing);
    struct mr_state_estimate pane = {0};
    mr_estimate_object(bytes, bytes, estimate);
    if (windowing.ring_inline)
        return;
    size_t pane_bytes = sizeof(struct mr_window_pane) + set->cell_bytes;
    mr_estimate_slots(pane_bytes, pane_bytes, MR_AGGREGATE_SET_PIECE_BYTES, set->heavy_count,
                      &pane);
    estimate->object_bytes += entries * pane.object_bytes;
    estimate->stored_bytes += entries * pane.stored_bytes;
    estimate->changelog_bytes_per_record += 2 * pane.changelog_bytes_per_record;
}
