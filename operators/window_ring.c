/* operators/window_ring.c — see window_ring.h.
 * Design: rows come nearly in order, so the list is searched from its end. */
#include "operators/window_ring.h"

#include <string.h>

#include "base/assert.h"
#include "operators/estimate.h"

enum { RING_BYTES = sizeof(struct mr_window_ring), NUMBER_BYTES = 8, PAGE_PANES = 64 };

static bool is_inline(const struct mr_windowing *windowing)
{
    return windowing->ring_inline;
}

static uint32_t stride(const struct mr_windowing *windowing)
{
    return NUMBER_BYTES + (is_inline(windowing) ? windowing->set.cell_bytes : NUMBER_BYTES);
}

/* As many entries as windows ask for: those of one, and of what comes before it is closed. */
static uint64_t entries_wanted(const struct mr_windowing *windowing)
{
    const struct mr_window_grid *grid = &windowing->grid;
    uint64_t panes =
        (uint64_t)(grid->panes + grid->step + windowing->lateness_ms / grid->pane_ms + 1);
    return is_inline(windowing) ? panes : panes / PAGE_PANES + 2;
}

size_t mr_window_ring_layout(struct mr_windowing *windowing)
{
    windowing->ring_inline = windowing->set.heavy_count == 0;
    uint64_t bytes = RING_BYTES + entries_wanted(windowing) * stride(windowing);
    if (windowing->ring_inline && bytes > MR_GROUP_OBJECT_BYTES_MAX) {
        windowing->ring_inline = false;
        bytes = RING_BYTES + entries_wanted(windowing) * stride(windowing);
    }
    if (bytes > MR_GROUP_OBJECT_BYTES_MAX) /* lateness over very many panes: those spill */
        bytes = MR_GROUP_OBJECT_BYTES_MAX;
    return mr_group_object_bytes((size_t)bytes);
}

enum mr_status mr_window_ring_open(struct mr_windowing *windowing,
                                   const struct mr_operator_open *open, struct mr_error *error)
{
    size_t object_bytes = mr_window_ring_layout(windowing);
    windowing->capacity = (uint32_t)((object_bytes - RING_BYTES) / stride(windowing));
    struct mr_table_spec spec;
    mr_windowing_table_spec(windowing, "groups", &spec);
    mr_group_object_spec(&spec, object_bytes);
    enum mr_status status = mr_table_open(open->state, &spec, &windowing->groups, error);
    return status == MR_OK ? mr_window_panes_open(windowing, open, error) : status;
}

void mr_windowing_aligned_estimate(const struct mr_window *window, int64_t lateness_ms,
                                   const struct mr_aggregate_set *set,
                                   struct mr_state_estimate *estimate)
{
    struct mr_windowing windowing = {.window = *window, .lateness_ms = lateness_ms, .set = *set};
    mr_window_grid_init(&windowing.grid, window);
    size_t group_bytes = mr_window_ring_layout(&windowing);
    struct mr_state_estimate pane = {0};
    mr_estimate_object(group_bytes, group_bytes, estimate);
    if (windowing.ring_inline)
        return;
    uint64_t panes = (uint64_t)windowing.grid.panes;
    mr_estimate_slots(sizeof(struct mr_window_pane) + set->cell_bytes,
                      sizeof(struct mr_window_pane) + set->cell_bytes,
                      set->heavy_count > 0 ? MR_AGGREGATE_SET_PIECE_BYTES : 0, set->heavy_count,
                      &pane);
    estimate->object_bytes += panes * pane.object_bytes;
    estimate->stored_bytes += panes * pane.stored_bytes;
    estimate->changelog_bytes_per_record += pane.changelog_bytes_per_record;
}

enum mr_status mr_window_ring_get(struct mr_windowing *windowing, struct mr_slice key,
                                  uint64_t hash, struct mr_window_ring **ring, bool *created,
                                  struct mr_error *error)
{
    void *object = NULL;
    enum mr_status status = mr_group_object_get(
        windowing->groups, key, hash, windowing->fingerprint, RING_BYTES, &object, created, error);
    *ring = object;
    if (status == MR_OK && *created) {
        (*ring)->due_ms = INT64_MAX;
        (*ring)->window = INT64_MAX;
        (*ring)->tick_ms = INT64_MAX;
    }
    return status;
}

/* ---- Entries ---- */

bool mr_window_ring_is_whole(const struct mr_windowing *windowing,
                             const struct mr_window_ring *ring)
{
    return ring->head.size >= RING_BYTES && (ring->head.size - RING_BYTES) % stride(windowing) == 0;
}

uint32_t mr_window_ring_entries(const struct mr_windowing *windowing,
                                const struct mr_window_ring *ring)
{
    return (ring->head.size - RING_BYTES) / stride(windowing);
}

static uint8_t *entry_at(const struct mr_windowing *windowing, struct mr_window_ring *ring,
                         uint32_t index)
{
    return ring->entries + (size_t)index * stride(windowing);
}

static int64_t number_of(const uint8_t *entry)
{
    int64_t number;
    memcpy(&number, entry, sizeof(number));
    return number;
}

static uint64_t bits_of(const uint8_t *entry)
{
    uint64_t bits;
    memcpy(&bits, entry + NUMBER_BYTES, sizeof(bits));
    return bits;
}

static void set_bits(uint8_t *entry, uint64_t bits)
{
    memcpy(entry + NUMBER_BYTES, &bits, sizeof(bits));
}

static int64_t page_of(int64_t pane)
{
    return mr_window_divide(pane, PAGE_PANES);
}

static uint64_t bit_of(int64_t pane)
{
    return UINT64_C(1) << (pane - page_of(pane) * PAGE_PANES);
}

/* Index of the first entry whose number is not below. */
static uint32_t position_of(const struct mr_windowing *windowing, struct mr_window_ring *ring,
                            int64_t number)
{
    uint32_t index = mr_window_ring_entries(windowing, ring);
    while (index > 0 && number_of(entry_at(windowing, ring, index - 1)) >= number)
        index--;
    return index;
}

static void remove_entries(const struct mr_windowing *windowing, struct mr_window_ring *ring,
                           uint32_t first, uint32_t count)
{
    uint8_t *start = entry_at(windowing, ring, first);
    uint8_t *rest = entry_at(windowing, ring, first + count);
    uint8_t *end = (uint8_t *)ring + ring->head.size;
    memmove(start, rest, (size_t)(end - rest));
    ring->head.size -= count * stride(windowing);
}

bool mr_window_ring_next(const struct mr_windowing *windowing, struct mr_window_ring *ring,
                         int64_t pane, int64_t *found, uint8_t **cell)
{
    uint32_t count = mr_window_ring_entries(windowing, ring);
    *cell = NULL;
    uint32_t index = position_of(windowing, ring, is_inline(windowing) ? pane : page_of(pane));
    if (is_inline(windowing)) {
        if (index == count)
            return false;
        uint8_t *entry = entry_at(windowing, ring, index);
        *found = number_of(entry);
        *cell = entry + NUMBER_BYTES;
        return true;
    }
    for (; index < count; index++) {
        const uint8_t *entry = entry_at(windowing, ring, index);
        uint64_t bits = bits_of(entry);
        if (number_of(entry) == page_of(pane))
            bits &= ~(bit_of(pane) - 1);
        if (bits == 0)
            continue;
        *found = number_of(entry) * PAGE_PANES + __builtin_ctzll(bits);
        return true;
    }
    return false;
}

void mr_window_ring_drop(const struct mr_windowing *windowing, struct mr_window_ring *ring,
                         int64_t pane)
{
    uint32_t index = position_of(windowing, ring, is_inline(windowing) ? pane : page_of(pane));
    remove_entries(windowing, ring, 0, index);
    if (is_inline(windowing) || mr_window_ring_entries(windowing, ring) == 0)
        return;
    uint8_t *entry = entry_at(windowing, ring, 0);
    if (number_of(entry) != page_of(pane))
        return;
    uint64_t bits = bits_of(entry) & ~(bit_of(pane) - 1);
    set_bits(entry, bits);
    if (bits == 0)
        remove_entries(windowing, ring, 0, 1);
}

enum mr_window_room mr_window_ring_room(const struct mr_windowing *windowing,
                                        struct mr_window_ring *ring, int64_t pane, uint8_t **cell)
{
    int64_t number = is_inline(windowing) ? pane : page_of(pane);
    uint32_t count = mr_window_ring_entries(windowing, ring);
    uint32_t index = position_of(windowing, ring, number);
    uint8_t *entry = entry_at(windowing, ring, index);
    bool present = index < count && number_of(entry) == number;
    *cell = NULL;
    if (!present && count == windowing->capacity)
        return index == count ? MR_ROOM_BEHIND : MR_ROOM_FULL;
    if (!present) {
        memmove(entry + stride(windowing), entry,
                (size_t)((uint8_t *)ring + ring->head.size - entry));
        memset(entry, 0, stride(windowing));
        memcpy(entry, &number, sizeof(number));
        ring->head.size += stride(windowing);
    }
    if (is_inline(windowing)) {
        *cell = entry + NUMBER_BYTES;
        return present ? MR_ROOM_FOUND : MR_ROOM_MADE;
    }
    bool live = (bits_of(entry) & bit_of(pane)) != 0;
    set_bits(entry, bits_of(entry) | bit_of(pane));
    return live ? MR_ROOM_FOUND : MR_ROOM_MADE;
}

void mr_window_ring_undo(const struct mr_windowing *windowing, struct mr_window_ring *ring,
                         int64_t pane)
{
    uint32_t index = position_of(windowing, ring, is_inline(windowing) ? pane : page_of(pane));
    uint8_t *entry = entry_at(windowing, ring, index);
    if (!is_inline(windowing)) {
        set_bits(entry, bits_of(entry) & ~bit_of(pane));
        if (bits_of(entry) != 0)
            return;
    }
    remove_entries(windowing, ring, index, 1);
}

/* ---- Spilling ---- */

enum mr_status mr_window_ring_join(struct mr_windowing *windowing,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   int64_t pane, uint8_t *cell, const uint8_t *other,
                                   struct mr_error *error)
{
    const struct mr_window_grid *grid = &windowing->grid;
    uint8_t joined[MR_AGGREGATE_SET_CELL_BYTES];
    memcpy(joined, cell, windowing->set.cell_bytes);
    enum mr_status status =
        mr_aggregate_set_join(&windowing->set, joined, NULL, other, NULL, error);
    if (mr_windowing_is_refused(status)) {
        int64_t window = mr_window_first(grid, pane);
        struct mr_aggregate_span span = {mr_window_start_ms(grid, window),
                                         mr_window_end_ms(grid, window)};
        mr_windowing_failed(windowing, context, key, &span, error->message);
        return MR_OK;
    }
    if (status == MR_OK)
        memcpy(cell, joined, windowing->set.cell_bytes);
    return status;
}

static enum mr_status spill_inline(struct mr_windowing *windowing,
                                   struct mr_operator_context *context,
                                   const struct mr_window_pane_key *key, const uint8_t *cell,
                                   struct mr_error *error)
{
    struct mr_window_pane *pane;
    bool created;
    enum mr_status status = mr_window_pane_get(windowing, key, &pane, &created, error);
    if (status == MR_OK)
        status =
            mr_window_ring_join(windowing, context, key->key, key->pane, pane->cell, cell, error);
    if (status == MR_OK)
        mr_window_pane_settle(windowing, key, pane, true);
    return status;
}

static enum mr_status spill_held(struct mr_windowing *windowing,
                                 const struct mr_window_pane_key *key, struct mr_error *error)
{
    struct mr_window_pane *pane;
    bool created;
    enum mr_status status = mr_window_pane_get(windowing, key, &pane, &created, error);
    if (status == MR_OK && !created)
        mr_window_pane_settle(windowing, key, pane, true);
    return status;
}

enum mr_status mr_window_ring_spill(struct mr_windowing *windowing,
                                    struct mr_operator_context *context,
                                    struct mr_window_ring *ring, struct mr_slice key,
                                    struct mr_error *error)
{
    uint8_t copy[NUMBER_BYTES + MR_AGGREGATE_SET_CELL_BYTES];
    uint32_t last = mr_window_ring_entries(windowing, ring) - 1;
    memcpy(copy, entry_at(windowing, ring, last), stride(windowing));
    remove_entries(windowing, ring, last, 1);
    mr_table_dirty(windowing->groups, ring);
    if (is_inline(windowing)) {
        struct mr_window_pane_key pane = mr_window_pane_key(context->arena, key, number_of(copy));
        return spill_inline(windowing, context, &pane, copy + NUMBER_BYTES, error);
    }
    enum mr_status status = MR_OK;
    for (uint64_t bits = bits_of(copy); bits != 0 && status == MR_OK; bits &= bits - 1) {
        struct mr_window_pane_key pane = mr_window_pane_key(
            context->arena, key, number_of(copy) * PAGE_PANES + __builtin_ctzll(bits));
        status = spill_held(windowing, &pane, error);
    }
    return status;
}
