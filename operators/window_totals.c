/* operators/window_totals.c — see window_totals.h.
 * Design: a tree per key, found by the key's hash among eight places. Level l of a tree has blocks
 * of 8^l panes in a ring of slots, each with the number of the block that it holds: what is behind
 * the window is overwritten by what comes. The ring has more slots than a window has blocks, so
 * that nothing is overwritten while it is in use. */
#include "operators/window_totals.h"

#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"

enum {
    SHIFT = 3, /* a block has 1 << SHIFT parts */
    LEVELS_MAX = 4,
    WAYS_MAX = 8,
    KEY_BYTES = 128, /* the trees of longer keys are of use for one result */
    KEY_LONG = KEY_BYTES + 1
};

/* Panes are beyond -2^60: with this they are positive, and multiples stay multiples. */
#define BIAS (INT64_C(1) << 61)
#define NO_BLOCK UINT64_MAX

struct tree {
    uint64_t used;
    int64_t end; /* panes from here on are in no total */
    uint32_t key_bytes;
    uint8_t key[KEY_BYTES];
    uint64_t blocks[]; /* per slot, level by level; behind them the cells in the same order */
};

struct level {
    uint32_t first; /* slot */
    uint32_t mask;
};

struct mr_window_totals {
    struct level levels[LEVELS_MAX + 1]; /* by level; 0 are the panes themselves */
    uint32_t levels_count;
    uint32_t slots_count;
    uint32_t cell_bytes;
    uint32_t ways;
    uint64_t sets_mask;
    uint64_t clock;
    size_t tree_bytes;
    uint64_t *hashes; /* of the trees, set by set; 0: free */
    uint8_t *trees;
};

static uint64_t power_above(uint64_t number)
{
    uint64_t power = 1;
    while (power < number)
        power *= 2;
    return power;
}

void mr_window_totals_open(struct mr_windowing *windowing)
{
    const struct mr_window_grid *grid = &windowing->grid;
    struct mr_window_totals sizes = {.cell_bytes = windowing->set.cell_bytes};
    if (windowing->ring_inline || windowing->set.heavy_count > 0 || grid->panes < 1 << SHIFT)
        return;
    for (uint32_t level = 1; level <= LEVELS_MAX && grid->panes >> (SHIFT * level) > 0; level++) {
        uint64_t slots = power_above((uint64_t)(grid->panes >> (SHIFT * level)) + 2);
        sizes.levels[level] = (struct level){sizes.slots_count, (uint32_t)slots - 1};
        sizes.slots_count += (uint32_t)slots;
        sizes.levels_count = level;
    }
    sizes.tree_bytes =
        sizeof(struct tree) + (size_t)sizes.slots_count * (sizeof(uint64_t) + sizes.cell_bytes);
    uint64_t trees = MR_WINDOW_TOTALS_BYTES / (sizes.tree_bytes + sizeof(uint64_t));
    MR_ASSERT(trees > 0);
    sizes.ways = trees < WAYS_MAX ? (uint32_t)trees : WAYS_MAX;
    uint64_t sets = power_above(trees / sizes.ways + 1) / 2;
    sizes.sets_mask = sets - 1;
    trees = sets * sizes.ways;
    struct mr_window_totals *totals =
        mr_memory_new(1, sizeof(*totals) + (size_t)trees * (sizes.tree_bytes + sizeof(uint64_t)));
    *totals = sizes;
    totals->hashes = (uint64_t *)(totals + 1);
    totals->trees = (uint8_t *)(totals->hashes + trees);
    windowing->totals = totals;
}

/* ---- Trees ---- */

static struct tree *tree_at(struct mr_window_totals *totals, uint64_t index)
{
    return (struct tree *)(totals->trees + (size_t)index * totals->tree_bytes);
}

static uint64_t set_of(const struct mr_window_totals *totals, uint64_t hash)
{
    return ((hash >> 32) & totals->sets_mask) * totals->ways;
}

/* The tree of a key; NULL: it has none. */
static struct tree *find(struct mr_window_totals *totals, struct mr_slice key, uint64_t hash)
{
    uint64_t first = set_of(totals, hash);
    for (uint64_t index = first; index < first + totals->ways; index++) {
        struct tree *tree = tree_at(totals, index);
        if (totals->hashes[index] == (hash | 1) && tree->key_bytes == key.size &&
            (key.size == 0 || memcmp(tree->key, key.data, key.size) == 0))
            return tree;
    }
    return NULL;
}

static void empty(const struct mr_window_totals *totals, struct tree *tree)
{
    memset(tree->blocks, 0xff, totals->slots_count * sizeof(tree->blocks[0]));
    tree->end = INT64_MIN;
}

/* The tree of a key, which may be a new one. */
static struct tree *claim(struct mr_window_totals *totals, struct mr_slice key, uint64_t hash)
{
    struct tree *tree = find(totals, key, hash);
    uint64_t first = set_of(totals, hash);
    uint64_t oldest = first;
    if (tree == NULL) {
        for (uint64_t index = first; index < first + totals->ways; index++)
            if (tree_at(totals, index)->used < tree_at(totals, oldest)->used)
                oldest = index;
        tree = tree_at(totals, oldest);
        totals->hashes[oldest] = hash | 1;
        tree->key_bytes = key.size <= KEY_BYTES ? (uint32_t)key.size : KEY_LONG;
        if (key.size > 0 && key.size <= KEY_BYTES)
            memcpy(tree->key, key.data, key.size);
        empty(totals, tree);
    }
    tree->used = ++totals->clock;
    return tree;
}

static uint64_t block_of(int64_t pane, uint32_t level)
{
    return (uint64_t)(pane + BIAS) >> (SHIFT * level);
}

static uint32_t slot_of(const struct mr_window_totals *totals, uint64_t block, uint32_t level)
{
    return totals->levels[level].first + (uint32_t)(block & totals->levels[level].mask);
}

/* ---- Forgetting ---- */

void mr_window_totals_changed(struct mr_windowing *windowing, struct mr_slice key, uint64_t hash,
                              int64_t pane)
{
    struct mr_window_totals *totals = windowing->totals;
    struct tree *tree = totals == NULL ? NULL : find(totals, key, hash);
    if (tree == NULL || pane >= tree->end)
        return;
    for (uint32_t level = 1; level <= totals->levels_count; level++) {
        uint64_t block = block_of(pane, level);
        uint32_t slot = slot_of(totals, block, level);
        if (tree->blocks[slot] == block)
            tree->blocks[slot] = NO_BLOCK;
    }
}

void mr_window_totals_forget(struct mr_windowing *windowing, struct mr_slice key, uint64_t hash)
{
    struct tree *tree = windowing->totals == NULL ? NULL : find(windowing->totals, key, hash);
    if (tree != NULL)
        empty(windowing->totals, tree);
}

void mr_window_totals_forget_all(struct mr_windowing *windowing)
{
    struct mr_window_totals *totals = windowing->totals;
    if (totals != NULL)
        memset(totals->hashes, 0,
               (size_t)(totals->sets_mask + 1) * totals->ways * sizeof(totals->hashes[0]));
}

/* ---- Merging ---- */

struct merging {
    struct mr_windowing *windowing;
    struct mr_window_totals *totals;
    struct mr_window_ring *ring;
    struct mr_slice key;
    struct tree *tree;
};

static int64_t panes_of(uint32_t level)
{
    return INT64_C(1) << (SHIFT * level);
}

static enum mr_status add_block(struct merging *merging, uint32_t level, int64_t first,
                                uint8_t *into, struct mr_error *error);

/* The total of a block, in its slot. */
static enum mr_status total_of(struct merging *merging, uint32_t level, int64_t first,
                               uint8_t **cell, struct mr_error *error)
{
    struct mr_window_totals *totals = merging->totals;
    struct tree *tree = merging->tree;
    uint64_t block = block_of(first, level);
    uint32_t slot = slot_of(totals, block, level);
    uint8_t *cells = (uint8_t *)(tree->blocks + totals->slots_count);
    *cell = cells + (size_t)slot * totals->cell_bytes;
    if (tree->blocks[slot] == block)
        return MR_OK;
    tree->blocks[slot] = NO_BLOCK;
    memset(*cell, 0, totals->cell_bytes);
    int64_t end = first + panes_of(level);
    enum mr_status status = MR_OK;
    for (int64_t part = first; part < end && status == MR_OK; part += panes_of(level - 1))
        status = add_block(merging, level - 1, part, *cell, error);
    if (status != MR_OK)
        return status;
    tree->blocks[slot] = block;
    if (tree->end < end)
        tree->end = end;
    return MR_OK;
}

/* Merge a block, or a pane (level 0), into a cell. At most LEVELS_MAX deep. */
static enum mr_status add_block(struct merging *merging, uint32_t level, int64_t first,
                                uint8_t *into, struct mr_error *error)
{
    struct mr_windowing *windowing = merging->windowing;
    int64_t live;
    uint8_t *cell;
    if (!mr_window_ring_next(windowing, merging->ring, first, &live, &cell) ||
        live >= first + panes_of(level))
        return MR_OK;
    enum mr_status status;
    if (level > 0) {
        status = total_of(merging, level, first, &cell, error);
    } else {
        struct mr_window_pane *pane;
        status = mr_window_pane_find(windowing, merging->key, first, &pane, error);
        cell = pane == NULL ? NULL : pane->cell;
    }
    if (status != MR_OK || cell == NULL)
        return status;
    return mr_aggregate_set_join(&windowing->set, into, NULL, cell, NULL, error);
}

enum mr_status mr_window_totals_merge(struct mr_windowing *windowing, struct mr_window_ring *ring,
                                      struct mr_slice key, int64_t first, int64_t end,
                                      struct mr_error *error)
{
    struct mr_window_totals *totals = windowing->totals;
    struct merging merging = {.windowing = windowing,
                              .totals = totals,
                              .ring = ring,
                              .key = key,
                              .tree = claim(totals, key, mr_hash64(key))};
    enum mr_status status = MR_OK;
    while (first < end && status == MR_OK) {
        uint32_t level = 0;
        while (level < totals->levels_count &&
               ((uint64_t)(first + BIAS) & (uint64_t)(panes_of(level + 1) - 1)) == 0 &&
               first + panes_of(level + 1) <= end)
            level++;
        status = add_block(&merging, level, first, windowing->merged->cell, error);
        first += panes_of(level);
    }
    return status;
}
