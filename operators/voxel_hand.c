/* operators/voxel_hand.c — see voxel_hand.h. */
#include "operators/voxel_hand.h"

#include "base/endian.h"
#include "base/hash.h"
#include "operators/window_time.h"

void mr_voxel_hand_init(struct mr_voxel_hand *hand, struct mr_voxel_store *store,
                        int64_t lateness_ms, int64_t timeout_ms, int64_t every_ms)
{
    *hand = (struct mr_voxel_hand){.store = store,
                                   .lateness_ms = lateness_ms,
                                   .timeout_ms = timeout_ms,
                                   .every_ms = every_ms,
                                   .next_ms = INT64_MAX};
    mr_arena_init(&hand->keys, 1 << 12);
}

void mr_voxel_hand_deinit(struct mr_voxel_hand *hand)
{
    mr_arena_deinit(&hand->keys);
}

static int64_t larger(int64_t left, int64_t right)
{
    return left > right ? left : right;
}

static int64_t smaller(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* When what ended at a point closes: later than the point's watermark, up to which all was told. */
static int64_t close_ms(const struct mr_voxel_hand *hand, const struct mr_voxel_point *point)
{
    int64_t end_ms = mr_window_clamp(point->event_time_ms) + hand->lateness_ms;
    return larger(end_ms, mr_window_clamp(point->now_ms)) + 1;
}

/* When a layer below the highest closes, that the point has opened again. */
static int64_t close_again_ms(const struct mr_voxel_hand *hand, const struct mr_voxel_point *point)
{
    int64_t last_ms = mr_window_clamp(close_ms(hand, point) - 1);
    return (mr_window_divide(last_ms, hand->every_ms) + 1) * hand->every_ms;
}

/* ---- Putting back ---- */

static enum mr_status put_layer(struct mr_voxel_hand *hand, struct mr_error *error)
{
    struct mr_table *table = hand->store->layers;
    void *object;
    void *slot;
    bool created;
    enum mr_status status =
        mr_table_get(table, hand->layer_key, hand->layer_hash, 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    bool moves = created || ((struct mr_voxel_layer *)object)->due_ms != hand->layer.due_ms;
    *(struct mr_voxel_layer *)object = hand->layer;
    if (moves)
        mr_table_schedule(table, object, hand->layer.due_ms);
    else
        mr_table_dirty(table, object);
    status = mr_table_slot(table, object, 0, true, &slot, error);
    if (status != MR_OK)
        return status;
    memcpy(slot, hand->cells, hand->store->signals_count * sizeof(*hand->cells));
    hand->has_layer = false;
    return MR_OK;
}

static enum mr_status put_totals(struct mr_voxel_hand *hand, struct mr_error *error)
{
    void *object;
    bool created;
    enum mr_status status = mr_table_get(hand->store->grids, hand->key, hand->hash,
                                         hand->totals.last_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    *(struct mr_voxel_totals *)object = hand->totals;
    mr_table_dirty(hand->store->grids, object);
    hand->has_totals = false;
    mr_arena_reset(&hand->keys);
    return MR_OK;
}

enum mr_status mr_voxel_hand_put(struct mr_voxel_hand *hand, struct mr_error *error)
{
    enum mr_status status = hand->has_layer ? put_layer(hand, error) : MR_OK;
    return status == MR_OK && hand->has_totals ? put_totals(hand, error) : status;
}

/* ---- Taking ---- */

static struct mr_slice layer_key(struct mr_voxel_hand *hand, uint32_t layer)
{
    uint8_t *bytes = mr_arena_take(&hand->keys, hand->key.size + MR_VOXEL_LAYER_KEY_BYTES);
    return mr_voxel_layer_key(bytes, hand->key, layer);
}

/* The point is the first of a higher layer: what was the highest may close. */
static enum mr_status end_highest(struct mr_voxel_hand *hand, const struct mr_voxel_point *point,
                                  struct mr_error *error)
{
    struct mr_slice key = layer_key(hand, hand->totals.highest);
    void *object = NULL;
    enum mr_status status = mr_table_find(hand->store->layers, key, mr_hash64(key), &object, error);
    if (status == MR_NOT_FOUND) /* dropped by the bounds of the state */
        return MR_OK;
    if (status != MR_OK)
        return status;
    struct mr_voxel_layer *layer = object;
    if (layer->is_open == 0 || layer->close_ms != INT64_MAX)
        return MR_OK;
    layer->close_ms = close_ms(hand, point);
    layer->due_ms = smaller(layer->close_ms, layer->due_ms);
    hand->next_ms = smaller(layer->due_ms, hand->next_ms);
    mr_table_schedule(hand->store->layers, layer, layer->due_ms);
    return MR_OK;
}

static enum mr_status take_totals(struct mr_voxel_hand *hand, const struct mr_voxel_point *point,
                                  struct mr_error *error)
{
    void *object;
    bool created;
    hand->key = mr_arena_copy(&hand->keys, point->key);
    hand->hash = mr_hash64(hand->key);
    enum mr_status status = mr_table_get(hand->store->grids, hand->key, hand->hash,
                                         point->event_time_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    hand->totals = *(const struct mr_voxel_totals *)object;
    hand->has_totals = true;
    return MR_OK;
}

static enum mr_status take_layer(struct mr_voxel_hand *hand, const struct mr_voxel_point *point,
                                 struct mr_error *error)
{
    struct mr_table *table = hand->store->layers;
    void *object = NULL;
    void *slot;
    hand->layer_key = layer_key(hand, point->layer);
    hand->layer_hash = mr_hash64(hand->layer_key);
    hand->number = point->layer;
    hand->layer = (struct mr_voxel_layer){0};
    memset(hand->cells, 0, sizeof(hand->cells));
    enum mr_status status = mr_table_find(table, hand->layer_key, hand->layer_hash, &object, error);
    bool created = status == MR_NOT_FOUND;
    if (status == MR_OK) {
        hand->layer = *(const struct mr_voxel_layer *)object;
        status = mr_table_slot(table, object, 0, false, &slot, error);
        if (status == MR_OK)
            memcpy(hand->cells, slot, hand->store->signals_count * sizeof(*hand->cells));
    }
    if (created)
        status = mr_voxel_store_epoch(hand->store, hand->layer_key, hand->layer_hash,
                                      &hand->layer.epoch, error);
    if (status != MR_OK)
        return status;
    if (hand->totals.layers == 0 || point->layer > hand->totals.highest)
        hand->totals.highest = point->layer;
    hand->totals.layers += created;
    hand->has_layer = true;
    return MR_OK;
}

enum mr_status mr_voxel_hand_take(struct mr_voxel_hand *hand, const struct mr_voxel_point *point,
                                  struct mr_error *error)
{
    bool same_key = hand->has_totals && mr_slice_equal(hand->key, point->key);
    if (same_key && hand->has_layer && hand->number == point->layer)
        return MR_OK;
    enum mr_status status = hand->has_layer ? put_layer(hand, error) : MR_OK;
    if (status == MR_OK && !same_key && hand->has_totals)
        status = put_totals(hand, error);
    if (status == MR_OK && !same_key)
        status = take_totals(hand, point, error);
    if (status == MR_OK && hand->totals.layers > 0 && point->layer > hand->totals.highest)
        status = end_highest(hand, point, error);
    return status == MR_OK ? take_layer(hand, point, error) : status;
}

/* ---- Adding ---- */

static void widen(int64_t *first_ms, int64_t *last_ms, bool any, int64_t time_ms)
{
    *first_ms = any ? smaller(*first_ms, time_ms) : time_ms;
    *last_ms = any ? larger(*last_ms, time_ms) : time_ms;
}

void mr_voxel_hand_add(struct mr_voxel_hand *hand, const struct mr_voxel_point *point, bool filled)
{
    struct mr_voxel_layer *layer = &hand->layer;
    struct mr_voxel_totals *totals = &hand->totals;
    widen(&totals->first_ms, &totals->last_ms, totals->points > 0, point->event_time_ms);
    widen(&layer->first_ms, &layer->last_ms, layer->points > 0, point->event_time_ms);
    totals->points++;
    totals->filled += filled;
    layer->points++;
    layer->filled += filled;
    for (uint32_t signal = 0; signal < hand->store->signals_count; signal++)
        if (!isnan(point->numbers[signal]))
            mr_voxel_cell_add(&hand->cells[signal], point->numbers[signal], point->event_time_ms);
    if (layer->is_open == 0) {
        layer->is_open = 1;
        layer->close_ms = hand->number < totals->highest ? close_again_ms(hand, point) : INT64_MAX;
    }
    int64_t silent_ms = mr_window_clamp(layer->last_ms) + hand->timeout_ms;
    layer->due_ms = smaller(layer->close_ms, larger(silent_ms, mr_window_clamp(point->now_ms)) + 1);
    hand->next_ms = smaller(layer->due_ms, hand->next_ms);
}
