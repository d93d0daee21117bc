/* operators/window_describe.c — what queries show of a key's windows: those that are open, from the
 * earliest on, and what their aggregates are so far.
 * Design: the group's object is read as the operator would read it. Cells that lie in objects of
 * their own (functions with bodies, windows of very many panes) are not read: of those windows the
 * times are shown. Limit: SHOWN_MAX windows. */
#include <string.h>

#include "base/assert.h"
#include "operators/window_list.h"
#include "operators/window_ring.h"

enum { SHOWN_MAX = 50, TIMES_COUNT = 2 };

/* A description that is being made. */
struct describing {
    struct mr_windowing *windowing;
    struct mr_arena *arena;
    struct mr_aggregate_merged *merged;
    struct mr_error *error;
};

static void begin(struct describing *describing)
{
    mr_aggregate_set_begin(&describing->windowing->set, describing->arena, describing->merged);
}

/* Merge a cell; *status keeps the first failure. */
static void add(struct describing *describing, const uint8_t *cell, enum mr_status *status)
{
    if (*status == MR_OK && cell != NULL)
        *status = mr_aggregate_set_merge(&describing->windowing->set, describing->merged, cell,
                                         NULL, describing->error);
}

static void name_value(struct mr_map_entry *entry, const char *name, struct mr_value value)
{
    *entry = (struct mr_map_entry){.key = mr_value_string(mr_slice_text(name)), .value = value};
}

/* A window's times, and what was merged of it: null where a function refuses. has_values: its
 * cells were there. */
static struct mr_value window_value(struct describing *describing, int64_t start_ms, int64_t end_ms,
                                    bool has_values, enum mr_status status)
{
    const struct mr_aggregate_set *set = &describing->windowing->set;
    const struct mr_aggregate_span span = {start_ms, end_ms};
    struct mr_map_entry *entries =
        mr_arena_new(describing->arena, TIMES_COUNT + set->count, sizeof(*entries));
    struct mr_value results[MR_AGGREGATE_SET_MAX] = {0};
    uint32_t count = 0;
    name_value(&entries[count++], "window_start", mr_value_int(start_ms));
    name_value(&entries[count++], "window_end", mr_value_int(end_ms));
    if (has_values && status == MR_OK)
        status = mr_aggregate_set_merged_results(set, describing->merged, &span, describing->arena,
                                                 results, describing->error);
    for (uint32_t i = 0; has_values && i < set->count; i++)
        name_value(&entries[count++], set->items[i].call->name,
                   status == MR_OK ? results[i] : mr_value_null());
    return (struct mr_value){.kind = MR_KIND_MAP, .size = count, .entries = entries};
}

static void show_windows(struct mr_state_description *description, struct mr_value *windows,
                         uint32_t count)
{
    mr_describe_member(description, "windows",
                       (struct mr_value){.kind = MR_KIND_LIST, .size = count, .items = windows});
}

/* ---- Tumbling and hopping ---- */

static struct mr_value aligned_window(struct describing *describing, struct mr_window_ring *ring,
                                      int64_t window)
{
    const struct mr_windowing *windowing = describing->windowing;
    const struct mr_window_grid *grid = &windowing->grid;
    enum mr_status status = MR_OK;
    int64_t pane = window * grid->step;
    int64_t end = pane + grid->panes;
    uint8_t *cell;
    begin(describing);
    while (mr_window_ring_next(windowing, ring, pane, &pane, &cell) && pane < end) {
        add(describing, cell, &status);
        pane++;
    }
    return window_value(describing, mr_window_start_ms(grid, window),
                        mr_window_end_ms(grid, window), windowing->ring_inline, status);
}

static bool describe_aligned(struct describing *describing, struct mr_window_ring *ring,
                             struct mr_state_description *description)
{
    struct mr_windowing *windowing = describing->windowing;
    mr_window_grid_init(&windowing->grid, &windowing->window);
    (void)mr_window_ring_layout(windowing);
    if (!mr_window_ring_is_whole(windowing, ring))
        return false;
    struct mr_value *windows = mr_arena_new(describing->arena, SHOWN_MAX, sizeof(*windows));
    uint32_t count = 0;
    int64_t window = ring->window;
    int64_t pane = INT64_MIN;
    uint8_t *cell;
    while (count < SHOWN_MAX && mr_window_ring_next(windowing, ring, pane, &pane, &cell)) {
        if (mr_window_first(&windowing->grid, pane) > window || window == INT64_MAX)
            window = mr_window_first(&windowing->grid, pane);
        windows[count++] = aligned_window(describing, ring, window);
        window++;
        pane = window * windowing->grid.step;
    }
    show_windows(description, windows, count);
    return true;
}

/* ---- Lists of entries ---- */

static const uint8_t *cell_of(const struct mr_windowing *windowing,
                              const struct mr_window_entry *entry)
{
    return windowing->ring_inline ? entry->cell : NULL;
}

static void describe_sessions(struct describing *describing, struct mr_window_list *list,
                              struct mr_state_description *description)
{
    const struct mr_windowing *windowing = describing->windowing;
    struct mr_value *windows = mr_arena_new(describing->arena, SHOWN_MAX, sizeof(*windows));
    uint32_t count = mr_window_list_count(windowing, list);
    for (uint32_t i = 0; i < count && i < SHOWN_MAX; i++) {
        const struct mr_window_entry *entry = mr_window_list_at(windowing, list, i);
        enum mr_status status = MR_OK;
        begin(describing);
        add(describing, cell_of(windowing, entry), &status);
        windows[i] =
            window_value(describing, entry->first_ms, entry->last_ms + windowing->window.size_ms,
                         windowing->ring_inline, status);
    }
    show_windows(description, windows, count < SHOWN_MAX ? count : SHOWN_MAX);
}

/* All entries together: the last n records, or the sum without a window. */
static void describe_whole(struct describing *describing, struct mr_window_list *list,
                           struct mr_state_description *description)
{
    const struct mr_windowing *windowing = describing->windowing;
    uint32_t count = mr_window_list_count(windowing, list);
    int64_t first_ms = INT64_MAX;
    int64_t last_ms = INT64_MIN;
    enum mr_status status = MR_OK;
    begin(describing);
    for (uint32_t i = 0; i < count; i++) {
        const struct mr_window_entry *entry = mr_window_list_at(windowing, list, i);
        first_ms = entry->first_ms < first_ms ? entry->first_ms : first_ms;
        last_ms = entry->last_ms > last_ms ? entry->last_ms : last_ms;
        add(describing, cell_of(windowing, entry), &status);
    }
    struct mr_value *windows = mr_arena_new(describing->arena, 1, sizeof(*windows));
    if (count > 0)
        *windows = window_value(describing, first_ms, last_ms + 1, windowing->ring_inline, status);
    show_windows(description, windows, count > 0);
}

static bool describe_list(struct describing *describing, struct mr_window_list *list,
                          struct mr_state_description *description)
{
    struct mr_windowing *windowing = describing->windowing;
    bool counted = windowing->kind == &mr_windowing_count;
    mr_window_list_layout(windowing, counted ? mr_windowing_count_parts(&windowing->window) : 1);
    if (!mr_window_list_is_whole(windowing, list))
        return false;
    if (windowing->kind == &mr_windowing_session)
        describe_sessions(describing, list, description);
    else
        describe_whole(describing, list, description);
    return true;
}

/* ---- All ---- */

static bool describe_group(struct describing *describing, void *object,
                           struct mr_state_description *description)
{
    const struct mr_windowing_kind *kind = describing->windowing->kind;
    if (kind == &mr_windowing_sliding)
        return mr_windowing_sliding_describe(object, description);
    return kind == &mr_windowing_aligned ? describe_aligned(describing, object, description)
                                         : describe_list(describing, object, description);
}

enum mr_status mr_windowing_describe_as(struct mr_windowing *windowing,
                                        const struct mr_state_object *object,
                                        struct mr_arena *arena,
                                        struct mr_state_description *description,
                                        struct mr_error *error)
{
    struct describing describing = {.windowing = windowing,
                                    .arena = arena,
                                    .merged = mr_arena_new(arena, 1, sizeof(*describing.merged)),
                                    .error = error};
    struct mr_group_object head;
    if (object->version != MR_GROUP_OBJECT_VERSION || object->encoded.size < sizeof(head))
        return mr_operator_not_described(error);
    enum mr_status status = mr_windowing_read(describing.windowing, description->node, error);
    if (status != MR_OK)
        return status;
    memcpy(&head, object->encoded.data, sizeof(head));
    if (head.fingerprint != describing.windowing->fingerprint || head.size != object->encoded.size)
        return mr_operator_not_described(error);
    /* The bytes of the store need not be aligned, nor as many as the smallest object. */
    uint8_t *copy = mr_arena_new(arena, MR_GROUP_OBJECT_BYTES_MAX, 1);
    if (head.size > MR_GROUP_OBJECT_BYTES_MAX)
        return mr_operator_not_described(error);
    memcpy(copy, object->encoded.data, head.size);
    mr_describe_time(description, "due", object->due_ms);
    if (!describe_group(&describing, copy, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "bytes", mr_value_uint(object->encoded.size));
    return MR_OK;
}

enum mr_status mr_windowing_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                     struct mr_state_description *description,
                                     struct mr_error *error)
{
    struct mr_windowing *windowing = mr_arena_new(arena, 1, sizeof(*windowing));
    return mr_windowing_describe_as(windowing, object, arena, description, error);
}
