/* operators/window_blocks.c — see window_blocks.h. */
#include "operators/window_blocks.h"

#include <string.h>

#include "base/assert.h"
#include "operators/group_object.h"
#include "operators/window_pane.h"

enum { FAN_MIN = 4, FAN_MAX = 16, LEVELS_MAX = 28, LEVEL_SHIFT = 56 };

struct page {
    struct mr_group_object head;
    int64_t due_ms;
    int64_t born_ms;
    int64_t last_ms;
    uint32_t refused; /* bit i: entry i; bit FAN_MAX: the total */
    uint32_t suffixed;
    uint8_t cells[]; /* the total, then entries */
};

struct entry {
    int64_t time_ms;
    uint8_t cell[];
};

enum {
    PAGE_BYTES = sizeof(struct page),
    ENTRY_BYTES = sizeof(struct entry),
    TOTAL_BODY = 0, /* bodies of a page: the total's, then the entries' */
    FIRST_BODY = 1
};

_Static_assert(PAGE_BYTES + MR_WINDOW_BLOCKS_CELL_BYTES +
                       FAN_MIN * (ENTRY_BYTES + MR_WINDOW_BLOCKS_CELL_BYTES) <=
                   MR_GROUP_OBJECT_BYTES_MAX,
               "a page of the largest cells is an object");

static size_t page_bytes(uint32_t cell_bytes, uint32_t entries)
{
    return PAGE_BYTES + cell_bytes + (size_t)entries * (ENTRY_BYTES + cell_bytes);
}

uint32_t mr_window_blocks_fan(uint32_t cell_bytes)
{
    uint32_t fan = FAN_MAX;
    while (fan > FAN_MIN && page_bytes(cell_bytes, fan) > MR_GROUP_OBJECT_BYTES_MAX)
        fan /= 2;
    return fan;
}

size_t mr_window_blocks_page_bytes(uint32_t cell_bytes)
{
    return page_bytes(cell_bytes, mr_window_blocks_fan(cell_bytes));
}

uint32_t mr_window_blocks_page_bodies(uint32_t cell_bytes)
{
    return FIRST_BODY + mr_window_blocks_fan(cell_bytes);
}

enum mr_status mr_window_blocks_open(struct mr_windowing *windowing,
                                     const struct mr_operator_open *open, struct mr_error *error)
{
    uint32_t cell_bytes = windowing->set.cell_bytes;
    MR_ASSERT(cell_bytes <= MR_WINDOW_BLOCKS_CELL_BYTES);
    windowing->fan = mr_window_blocks_fan(cell_bytes);
    struct mr_table_spec spec;
    mr_windowing_table_spec(windowing, "blocks", &spec);
    spec.keys_max = 0; /* `max_keys` is about keys, not about pages of them */
    mr_group_object_spec(&spec, mr_group_object_bytes(mr_window_blocks_page_bytes(cell_bytes)));
    if (windowing->set.heavy_count > 0) {
        spec.slot_bytes = MR_AGGREGATE_SET_PIECE_BYTES;
        spec.slots_max = windowing->set.slots_max * mr_window_blocks_page_bodies(cell_bytes);
    }
    return mr_table_open(open->state, &spec, &windowing->blocks, error);
}

/* ---- Pages ---- */

static struct entry *entry_at(const struct mr_windowing *windowing, struct page *page,
                              uint64_t number)
{
    uint32_t cell_bytes = windowing->set.cell_bytes;
    uint32_t index = (uint32_t)(number % windowing->fan);
    void *entry = page->cells + cell_bytes + (size_t)index * (ENTRY_BYTES + cell_bytes);
    return entry;
}

/* Where a total or an entry of the page is: its cell, and its bodies. */
struct stored_cell {
    uint8_t *cell;
    struct mr_aggregate_place place;
};

static struct stored_cell stored_at(const struct mr_windowing *windowing, struct page *page,
                                    uint8_t *cell, uint32_t body)
{
    return (struct stored_cell){.cell = cell,
                                .place = {.table = windowing->blocks,
                                          .object = page,
                                          .entry = body,
                                          .entries = FIRST_BODY + windowing->fan}};
}

static struct stored_cell stored_total(const struct mr_windowing *windowing, struct page *page)
{
    return stored_at(windowing, page, page->cells, TOTAL_BODY);
}

static struct stored_cell stored_entry(const struct mr_windowing *windowing, struct page *page,
                                       uint64_t number)
{
    return stored_at(windowing, page, entry_at(windowing, page, number)->cell,
                     FIRST_BODY + (uint32_t)(number % windowing->fan));
}

static bool is_refused(const struct mr_windowing *windowing, const struct page *page,
                       uint64_t number)
{
    return (page->refused >> (number % windowing->fan) & 1) != 0;
}

static bool is_total_refused(const struct page *page)
{
    return (page->refused >> FAN_MAX & 1) != 0;
}

static struct mr_window_pane_key page_key(struct mr_windowing *windowing, struct mr_slice key,
                                          uint32_t level, uint64_t number)
{
    MR_ASSERT(level < LEVELS_MAX && number >> LEVEL_SHIFT == 0);
    return mr_window_pane_key(&windowing->scratch, key,
                              (int64_t)((uint64_t)level << LEVEL_SHIFT | number));
}

/* NULL: nothing is kept of it. */
static enum mr_status find_page(struct mr_windowing *windowing, struct mr_slice key,
                                const struct mr_window_span *span, uint32_t level, uint64_t number,
                                struct page **page, struct mr_error *error)
{
    struct mr_window_pane_key full = page_key(windowing, key, level, number);
    void *object = NULL;
    enum mr_status status = mr_table_find(windowing->blocks, full.full, full.hash, &object, error);
    *page = status == MR_OK ? object : NULL;
    if (*page != NULL &&
        ((*page)->head.fingerprint != windowing->fingerprint || (*page)->born_ms != span->born_ms))
        *page = NULL;
    return status == MR_NOT_FOUND ? MR_OK : status;
}

/* When no open window reaches a cell of time_ms any more. */
static int64_t useless_ms(const struct mr_windowing *windowing, int64_t time_ms)
{
    return time_ms + windowing->window.size_ms + windowing->lateness_ms;
}

/* A refused merge is remembered, not reported: results say it. */
static enum mr_status remember(enum mr_status status, bool *refused)
{
    *refused = mr_windowing_is_refused(status);
    return *refused ? MR_OK : status;
}

/* Merge two cells of a page. */
static enum mr_status merge_within(struct mr_windowing *windowing, const struct stored_cell *into,
                                   const struct stored_cell *other, bool *refused,
                                   struct mr_error *error)
{
    if (*refused)
        return MR_OK;
    return remember(mr_aggregate_set_join(&windowing->set, into->cell, &into->place, other->cell,
                                          &other->place, error),
                    refused);
}

/* Merge a cell of a page into windowing->merged. */
static enum mr_status merge_out(struct mr_windowing *windowing, struct stored_cell other,
                                bool *refused, struct mr_error *error)
{
    if (*refused)
        return MR_OK;
    return remember(
        mr_aggregate_set_merge(&windowing->set, windowing->merged, other.cell, &other.place, error),
        refused);
}

/* ---- Appending ---- */

/* The page for an entry, which may be a new one. */
static enum mr_status get_page(struct mr_windowing *windowing, struct mr_slice key,
                               const struct mr_window_span *span, uint32_t level, uint64_t number,
                               struct page **page, struct mr_error *error)
{
    struct mr_window_pane_key full = page_key(windowing, key, level, number);
    uint32_t head_size = (uint32_t)page_bytes(windowing->set.cell_bytes, 0);
    void *object = NULL;
    bool created;
    enum mr_status status =
        mr_group_object_get(windowing->blocks, full.full, full.hash, windowing->fingerprint,
                            head_size, &object, &created, error);
    *page = object;
    if (status != MR_OK || (!created && (*page)->born_ms == span->born_ms))
        return status;
    if (!created) { /* of another life, with its bodies */
        status = mr_table_remove(windowing->blocks, full.full, full.hash, error);
        if (status == MR_OK)
            status =
                mr_group_object_get(windowing->blocks, full.full, full.hash, windowing->fingerprint,
                                    head_size, &object, &created, error);
        if (status != MR_OK)
            return status;
        *page = object;
    }
    **page = (struct page){.head = {.fingerprint = windowing->fingerprint, .size = head_size},
                           .due_ms = useless_ms(windowing, span->last_ms),
                           .born_ms = span->born_ms};
    mr_table_schedule(windowing->blocks, *page, (*page)->due_ms);
    return MR_OK;
}

/* Put windowing->merged into its page as an entry. *full: the page's total, then in merged, is an
 * entry of the next level. */
static enum mr_status put_entry(struct mr_windowing *windowing, struct mr_slice key,
                                const struct mr_window_span *span, uint32_t level, uint64_t number,
                                bool *refused, bool *full, struct mr_error *error)
{
    uint32_t cell_bytes = windowing->set.cell_bytes;
    uint32_t fan = windowing->fan;
    struct page *page;
    enum mr_status status = get_page(windowing, key, span, level, number / fan, &page, error);
    if (status != MR_OK)
        return status;
    struct stored_cell entry = stored_entry(windowing, page, number);
    struct stored_cell total = stored_total(windowing, page);
    entry_at(windowing, page, number)->time_ms = span->last_ms;
    memcpy(entry.cell, windowing->merged->cell, cell_bytes);
    if (*refused)
        page->refused |= 1u << (number % fan);
    page->head.size = (uint32_t)page_bytes(cell_bytes, (uint32_t)(number % fan) + 1);
    page->last_ms = span->last_ms;
    bool total_refused = *refused || is_total_refused(page);
    status = mr_aggregate_set_store(&windowing->set, windowing->merged, &entry.place, error);
    if (status == MR_OK)
        status = merge_within(windowing, &total, &entry, &total_refused, error);
    if (status != MR_OK)
        return status;
    if (total_refused)
        page->refused |= 1u << FAN_MAX;
    *full = number % fan == fan - 1;
    *refused = total_refused;
    mr_table_dirty(windowing->blocks, page);
    return *full ? mr_aggregate_set_load(&windowing->set, &windowing->scratch, windowing->merged,
                                         total.cell, &total.place, error)
                 : MR_OK;
}

enum mr_status mr_window_blocks_append(struct mr_windowing *windowing, struct mr_slice key,
                                       struct mr_window_span *span, int64_t time_ms,
                                       struct mr_error *error)
{
    if (span->first == span->end)
        *span = (struct mr_window_span){.born_ms = time_ms};
    span->last_ms = time_ms;
    uint64_t number = span->end++;
    bool refused = false;
    bool full = true;
    enum mr_status status = MR_OK;
    for (uint32_t level = 0; status == MR_OK && full; level++) {
        status = put_entry(windowing, key, span, level, number, &refused, &full, error);
        number /= windowing->fan;
    }
    return status;
}

/* ---- Leaving ---- */

enum mr_status mr_window_blocks_leave(struct mr_windowing *windowing, struct mr_slice key,
                                      struct mr_window_span *span, int64_t time_ms,
                                      struct mr_error *error)
{
    uint32_t fan = windowing->fan;
    if (span->last_ms <= time_ms)
        span->first = span->end;
    while (span->first < span->end) {
        struct page *page;
        uint64_t end = (span->first / fan + 1) * fan;
        if (end > span->end)
            end = span->end;
        enum mr_status status = find_page(windowing, key, span, 0, span->first / fan, &page, error);
        if (status != MR_OK)
            return status;
        if (page == NULL || page->last_ms <= time_ms) {
            span->first = end;
            continue;
        }
        while (entry_at(windowing, page, span->first)->time_ms <= time_ms)
            span->first++; /* stops at the page's last one */
        return MR_OK;
    }
    return MR_OK;
}

/* ---- Windows ---- */

/* The entries of one level that a window may need. */
struct range {
    uint64_t first;
    uint64_t end;
};

static void make_suffixes(struct mr_windowing *windowing, struct page *page, enum mr_status *status,
                          struct mr_error *error)
{
    uint32_t fan = windowing->fan;
    bool refused = is_refused(windowing, page, fan - 1);
    for (uint32_t index = fan - 1; index > 0 && *status == MR_OK; index--) {
        refused = refused || is_refused(windowing, page, index - 1);
        struct stored_cell into = stored_entry(windowing, page, index - 1);
        struct stored_cell other = stored_entry(windowing, page, index);
        *status = merge_within(windowing, &into, &other, &refused, error);
        if (refused)
            page->refused |= 1u << (index - 1);
    }
    page->suffixed = 1;
    mr_table_dirty(windowing->blocks, page);
}

/* The range's entries in the full page where it begins. */
static enum mr_status merge_left(struct mr_windowing *windowing, struct mr_slice key,
                                 const struct mr_window_span *span, uint32_t level,
                                 const struct range *range, bool *refused, struct mr_error *error)
{
    struct page *page;
    enum mr_status status =
        find_page(windowing, key, span, level, range->first / windowing->fan, &page, error);
    if (status != MR_OK || page == NULL)
        return status;
    if (page->suffixed == 0)
        make_suffixes(windowing, page, &status, error);
    *refused = *refused || is_refused(windowing, page, range->first);
    return status != MR_OK
               ? status
               : merge_out(windowing, stored_entry(windowing, page, range->first), refused, error);
}

/* All entries of the range, which are in the page that is being filled. */
static enum mr_status merge_inner(struct mr_windowing *windowing, struct mr_slice key,
                                  const struct mr_window_span *span, uint32_t level,
                                  const struct range *range, bool *refused, struct mr_error *error)
{
    struct page *page = NULL;
    enum mr_status status = MR_OK;
    if (range->first < range->end)
        status =
            find_page(windowing, key, span, level, range->first / windowing->fan, &page, error);
    for (uint64_t i = range->first; i < range->end && page != NULL && status == MR_OK; i++) {
        *refused = *refused || is_refused(windowing, page, i);
        status = merge_out(windowing, stored_entry(windowing, page, i), refused, error);
    }
    return status;
}

/* The total of the page that is being filled. */
static enum mr_status merge_right(struct mr_windowing *windowing, struct mr_slice key,
                                  const struct mr_window_span *span, uint32_t level,
                                  const struct range *range, bool *refused, struct mr_error *error)
{
    struct page *page;
    if (range->end % windowing->fan == 0)
        return MR_OK;
    enum mr_status status =
        find_page(windowing, key, span, level, range->end / windowing->fan, &page, error);
    if (status != MR_OK || page == NULL)
        return status;
    *refused = *refused || is_total_refused(page);
    return merge_out(windowing, stored_total(windowing, page), refused, error);
}

enum mr_status mr_window_blocks_merge(struct mr_windowing *windowing, struct mr_slice key,
                                      const struct mr_window_span *span, struct mr_error *error)
{
    struct range ranges[LEVELS_MAX] = {{span->first, span->end}};
    uint32_t fan = windowing->fan;
    uint32_t level = 0;
    bool refused = false;
    enum mr_status status = MR_OK;
    mr_aggregate_set_begin(&windowing->set, &windowing->scratch, windowing->merged);
    while (status == MR_OK && ranges[level].first / fan < ranges[level].end / fan) {
        status = merge_left(windowing, key, span, level, &ranges[level], &refused, error);
        ranges[level + 1] = (struct range){ranges[level].first / fan + 1, ranges[level].end / fan};
        level++;
    }
    if (status == MR_OK)
        status = merge_inner(windowing, key, span, level, &ranges[level], &refused, error);
    while (status == MR_OK && level-- > 0)
        status = merge_right(windowing, key, span, level, &ranges[level], &refused, error);
    if (status == MR_OK && refused)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "a sum over a part of it is beyond its type (write sum(double(x)) for a "
                       "rounded one)%s",
                       windowing->set.heavy_count == 0
                           ? ""
                           : ", or it has more distinct values than count_distinct is told to take "
                             "(raise its parameter `max`, or use approx_count_distinct)");
    return status;
}

/* ---- Expiry ---- */

enum mr_status mr_window_blocks_expire(struct mr_windowing *windowing,
                                       struct mr_operator_context *context, int64_t now_ms,
                                       struct mr_error *error)
{
    for (;;) {
        struct mr_slice key;
        uint64_t hash;
        void *object = NULL;
        bool found;
        mr_arena_reset(&windowing->keys);
        enum mr_status status =
            mr_table_next_due(windowing->blocks, now_ms, &key, &hash, &object, &found, error);
        if (status != MR_OK || !found)
            return status;
        struct page *page = object;
        int64_t due_ms = INT64_MIN;
        if (page->head.fingerprint == windowing->fingerprint)
            due_ms = useless_ms(windowing, page->last_ms);
        if (due_ms > now_ms) {
            page->due_ms = due_ms;
            mr_table_schedule(windowing->blocks, page, due_ms);
            continue;
        }
        /* The key's bytes are the object's: they go with it. */
        key = mr_arena_copy(&windowing->keys, key);
        status = mr_table_remove(windowing->blocks, key, hash, error);
        if (status != MR_OK)
            return status;
        if (mr_windowing_stops(windowing, context))
            return MR_AGAIN;
    }
}
