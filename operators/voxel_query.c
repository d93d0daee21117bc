/* operators/voxel_query.c — what queries show of a key's grid: its counts, and, when a layer, a box
 * or a time is asked for, the layer's statistics and the voxels.
 * Design: committed objects are read as voxel_store.h says; voxels follow each other by layer, then
 * block by block. Bounds: SHOWN_MAX voxels and READ_MAX blocks in an answer, which says when there
 * is more. */
#include "base/assert.h"
#include "operators/voxel_aggregate.h"

enum { SHOWN_MAX = 1000, READ_MAX = 65536, GATHERED_MAX = 256, LAYERS_MAX = 65536 };

/* An answer that is being made. */
struct querying {
    const struct mr_state_object *object; /* of the key's totals */
    const struct mr_plan_node *node;
    struct mr_arena *arena;
    struct mr_voxel_grid grid;
    const char *const *names;
    uint32_t signals_count;
    struct mr_voxel_range range;
    int64_t since_ms; /* event time; INT64_MIN: any */
    struct mr_voxel_block *block;
    struct mr_voxel_cell *cells;
    struct mr_value *voxels;
    uint32_t shown;
    uint32_t read;
    bool is_more;
};

/* What one scan gathers. */
struct gathered {
    struct querying *querying;
    uint32_t epoch; /* of blocks */
    struct mr_state_object items[GATHERED_MAX];
    uint32_t count;
    struct mr_slice next; /* where to go on; data NULL: there is no more */
    bool is_damaged;
};

struct layers {
    uint32_t *numbers;
    uint32_t *epochs;
    uint32_t count;
    bool is_full;
    bool is_damaged;
};

/* ---- Voxels ---- */

static struct mr_map_entry entry_of(const char *name, struct mr_value value)
{
    return (struct mr_map_entry){.key = mr_value_string(mr_slice_text(name)), .value = value};
}

static struct mr_value voxel_value(const struct querying *querying,
                                   const struct mr_voxel_index *first, uint32_t voxel)
{
    enum { MEMBERS = 7 };
    static const char *const indexes[] = {"ix", "iy", "layer"};
    static const char *const places[] = {"x", "y", "z"};
    struct mr_map_entry *entries = mr_arena_take(querying->arena, MEMBERS * sizeof(*entries));
    const uint32_t index[] = {first->axis[0] + voxel % MR_VOXEL_SIDE,
                              first->axis[1] + voxel / MR_VOXEL_SIDE, first->axis[2]};
    for (uint32_t axis = 0; axis < MR_VOXEL_AXES; axis++) {
        double centre = mr_voxel_grid_centre(&querying->grid, axis, index[axis]);
        entries[axis] = entry_of(indexes[axis], mr_value_int(index[axis]));
        entries[MR_VOXEL_AXES + axis] = entry_of(places[axis], mr_value_double(centre));
    }
    size_t bytes = querying->signals_count * sizeof(*querying->cells);
    struct mr_voxel_cell *cells = mr_arena_take(querying->arena, bytes);
    memcpy(cells, querying->cells, bytes);
    entries[MEMBERS - 1] =
        entry_of("signals", mr_voxel_signals_value(querying->arena, querying->names, cells,
                                                   querying->signals_count));
    return (struct mr_value){.kind = MR_KIND_MAP, .size = MEMBERS, .entries = entries};
}

/* A voxel's cells, into querying->cells. */
static enum mr_status read_cells(const struct querying *querying,
                                 const struct mr_state_object *object, uint32_t place,
                                 struct mr_error *error)
{
    size_t bytes = querying->signals_count * sizeof(*querying->cells);
    uint32_t first_cell;
    struct mr_slice slot;
    if (place == 1) {
        memcpy(querying->cells, querying->block->first, bytes);
        return MR_OK;
    }
    uint32_t number = mr_voxel_slot_of(querying->signals_count, place, &first_cell);
    enum mr_status status = mr_state_query_slot(object, number, &slot, error);
    if (status == MR_OK && slot.size == mr_voxel_slot_bytes(querying->signals_count))
        memcpy(querying->cells, slot.data + first_cell * sizeof(*querying->cells), bytes);
    else if (status == MR_OK || status == MR_NOT_FOUND)
        return mr_operator_not_described(error);
    return status;
}

static bool is_recent(const struct querying *querying)
{
    for (uint32_t signal = 0; signal < querying->signals_count; signal++)
        if (querying->cells[signal].count > 0 &&
            querying->cells[signal].last_ms >= querying->since_ms)
            return true;
    return false;
}

static bool decode(struct querying *querying, const struct mr_state_object *object)
{
    memset(querying->block, 0, mr_voxel_object_bytes(querying->signals_count));
    return mr_voxel_block_decode(querying->block, object->version, object->encoded,
                                 querying->signals_count);
}

static enum mr_status show_block(struct querying *querying, const struct mr_state_object *object,
                                 struct mr_error *error)
{
    struct mr_voxel_index first;
    mr_voxel_key_read(object->key, &first);
    if (!decode(querying, object))
        return mr_operator_not_described(error);
    uint64_t bits =
        mr_voxel_block_filled(querying->block) & mr_voxel_range_bits(&querying->range, &first);
    for (uint64_t rest = bits; rest != 0; rest &= rest - 1) {
        uint32_t voxel = (uint32_t)__builtin_ctzll(rest);
        enum mr_status status = read_cells(querying, object, querying->block->places[voxel], error);
        if (status != MR_OK)
            return status;
        if (!is_recent(querying))
            continue;
        if (querying->shown == SHOWN_MAX) {
            querying->is_more = true;
            return MR_OK;
        }
        querying->voxels[querying->shown++] = voxel_value(querying, &first, voxel);
    }
    return MR_OK;
}

static bool gather_block(void *argument, const struct mr_state_object *object)
{
    struct gathered *gathered = argument;
    struct querying *querying = gathered->querying;
    struct mr_voxel_index first;
    if (gathered->count == GATHERED_MAX || querying->read == READ_MAX) {
        gathered->next = mr_arena_copy(querying->arena, object->key);
        return false;
    }
    querying->read++;
    mr_voxel_key_read(object->key, &first);
    gathered->is_damaged = !decode(querying, object);
    if (gathered->is_damaged)
        return false;
    if (querying->block->epoch != gathered->epoch ||
        (mr_voxel_block_filled(querying->block) & mr_voxel_range_bits(&querying->range, &first)) ==
            0)
        return true;
    struct mr_state_object *copy = &gathered->items[gathered->count++];
    *copy = *object;
    copy->key = mr_arena_copy(querying->arena, object->key);
    copy->encoded = mr_arena_copy(querying->arena, object->encoded);
    return true;
}

/* The voxels of a layer. Values of slots cannot be read while a scan goes on: blocks are gathered
 * some at a time. */
static enum mr_status show_layer(struct querying *querying, uint32_t number, uint32_t epoch,
                                 struct mr_error *error)
{
    const struct mr_voxel_range *range = &querying->range;
    const struct mr_voxel_index from = {{range->first[0], range->first[1], number}};
    const struct mr_voxel_index to = {{range->last[0] + MR_VOXEL_SIDE, range->last[1], number}};
    size_t bytes = querying->object->key.size + MR_VOXEL_KEY_BYTES;
    struct gathered *gathered = mr_arena_new(querying->arena, 1, sizeof(*gathered));
    struct mr_state_query_range scan = {
        .operator_name = querying->node->name,
        .table_name = mr_voxel_blocks_table,
        .first =
            mr_voxel_block_key(mr_arena_take(querying->arena, bytes), querying->object->key, &from),
        .end =
            mr_voxel_block_key(mr_arena_take(querying->arena, bytes), querying->object->key, &to),
        .each = gather_block,
        .argument = gathered};
    enum mr_status status = MR_OK;
    while (status == MR_OK && scan.first.data != NULL && !querying->is_more) {
        *gathered = (struct gathered){.querying = querying, .epoch = epoch};
        status = mr_state_query_range(querying->object, &scan, error);
        if (status == MR_OK && gathered->is_damaged)
            return mr_operator_not_described(error);
        for (uint32_t item = 0; item < gathered->count && status == MR_OK && !querying->is_more;
             item++)
            status = show_block(querying, &gathered->items[item], error);
        scan.first = gathered->next;
        if (scan.first.data != NULL && querying->read == READ_MAX)
            querying->is_more = true;
    }
    return status;
}

/* ---- Layers ---- */

static bool gather_layer(void *argument, const struct mr_state_object *object)
{
    struct layers *layers = argument;
    struct mr_voxel_layer layer;
    struct mr_voxel_index index;
    layers->is_full = layers->count == LAYERS_MAX;
    layers->is_damaged = !mr_voxel_layer_decode(&layer, object->version, object->encoded);
    if (layers->is_full || layers->is_damaged)
        return false;
    mr_voxel_key_read(object->key, &index);
    layers->numbers[layers->count] = index.axis[2];
    layers->epochs[layers->count++] = layer.epoch;
    return true;
}

static enum mr_status show_voxels(struct querying *querying, struct mr_error *error)
{
    size_t bytes = querying->object->key.size + MR_VOXEL_LAYER_KEY_BYTES;
    struct mr_slice key = querying->object->key;
    struct layers layers = {
        .numbers = mr_arena_take(querying->arena, LAYERS_MAX * sizeof(*layers.numbers)),
        .epochs = mr_arena_take(querying->arena, LAYERS_MAX * sizeof(*layers.epochs))};
    const struct mr_state_query_range scan = {
        .operator_name = querying->node->name,
        .table_name = mr_voxel_layers_table,
        .first = mr_voxel_layer_key(mr_arena_take(querying->arena, bytes), key,
                                    querying->range.first[2]),
        .end = mr_voxel_layer_key(mr_arena_take(querying->arena, bytes), key,
                                  querying->range.last[2] + 1),
        .each = gather_layer,
        .argument = &layers};
    enum mr_status status = mr_state_query_range(querying->object, &scan, error);
    if (status == MR_OK && layers.is_damaged)
        return mr_operator_not_described(error);
    querying->is_more = layers.is_full;
    for (uint32_t item = 0; item < layers.count && status == MR_OK; item++) {
        if (querying->shown == SHOWN_MAX || querying->read == READ_MAX)
            querying->is_more = true;
        if (querying->is_more)
            break;
        status = show_layer(querying, layers.numbers[item], layers.epochs[item], error);
    }
    return status;
}

/* The statistics of one layer. */
static enum mr_status describe_layer(void *argument, const struct mr_state_object *object,
                                     struct mr_error *error)
{
    struct mr_state_description *shown = argument;
    struct mr_voxel_layer layer;
    struct mr_slice slot;
    const struct mr_option_value *signals = mr_options_get(&shown->node->options, "signals");
    size_t bytes = signals->count * sizeof(struct mr_voxel_cell);
    struct mr_voxel_cell *cells = mr_arena_take(object->arena, bytes);
    shown->members_count = 0;
    if (!mr_voxel_layer_decode(&layer, object->version, object->encoded))
        return mr_operator_not_described(error);
    enum mr_status status = mr_state_query_slot(object, 0, &slot, error);
    if (status == MR_NOT_FOUND || (status == MR_OK && slot.size != bytes))
        return mr_operator_not_described(error);
    if (status != MR_OK)
        return status;
    memcpy(cells, slot.data, bytes);
    mr_describe_member(shown, "points", mr_value_int((int64_t)layer.points));
    mr_describe_member(shown, "filled", mr_value_int((int64_t)layer.filled));
    mr_describe_time(shown, "first_time", layer.first_ms);
    mr_describe_time(shown, "last_time", layer.last_ms);
    mr_describe_member(shown, "open", mr_value_bool(layer.is_open != 0));
    mr_describe_member(shown, "closings", mr_value_int(layer.closings));
    mr_describe_member(
        shown, "signals",
        mr_voxel_signals_value(object->arena, signals->texts, cells, signals->count));
    return MR_OK;
}

static enum mr_status show_one_layer(struct querying *querying,
                                     struct mr_state_description *description,
                                     struct mr_error *error)
{
    struct mr_state_description *shown = mr_arena_new(querying->arena, 1, sizeof(*shown));
    size_t bytes = querying->object->key.size + MR_VOXEL_LAYER_KEY_BYTES;
    int64_t changelog_offset;
    shown->node = querying->node;
    const struct mr_state_query query = {
        .operator_name = querying->node->name,
        .table_name = mr_voxel_layers_table,
        .key = mr_voxel_layer_key(mr_arena_take(querying->arena, bytes), querying->object->key,
                                  querying->range.first[2]),
        .visit = describe_layer,
        .argument = shown};
    enum mr_status status =
        mr_state_query(querying->object->state, &query, querying->arena, &changelog_offset, error);
    if (status != MR_OK && status != MR_NOT_FOUND)
        return status;
    mr_describe_member(description, "layer",
                       status == MR_OK ? mr_description_value(shown) : mr_value_null());
    return MR_OK;
}

/* ---- All ---- */

/* The voxels that are asked for; false: the place is nowhere in the grid. */
static bool read_range(struct querying *querying, const struct mr_state_place *place)
{
    struct mr_voxel_range *range = &querying->range;
    mr_voxel_grid_whole(&querying->grid, range);
    if (place->has_box && !mr_voxel_grid_range(&querying->grid, place->from, place->to, range))
        return false;
    if (!place->has_layer)
        return true;
    if (place->layer < range->first[2] || place->layer > range->last[2])
        return false;
    range->first[2] = range->last[2] = (uint32_t)place->layer;
    return true;
}

static enum mr_status describe_places(struct querying *querying, int64_t last_ms,
                                      struct mr_state_description *description,
                                      struct mr_error *error)
{
    if (!read_range(querying, &description->place))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "the place that is asked for is not in the grid");
    querying->since_ms = INT64_MIN;
    if (description->since_ms > 0 && last_ms >= INT64_MIN + description->since_ms)
        querying->since_ms = last_ms - description->since_ms;
    querying->block =
        mr_arena_take(querying->arena, mr_voxel_object_bytes(querying->signals_count));
    querying->cells =
        mr_arena_take(querying->arena, querying->signals_count * sizeof(*querying->cells));
    querying->voxels = mr_arena_take(querying->arena, SHOWN_MAX * sizeof(*querying->voxels));
    enum mr_status status = MR_OK;
    if (description->place.has_layer)
        status = show_one_layer(querying, description, error);
    if (status == MR_OK)
        status = show_voxels(querying, error);
    if (status != MR_OK)
        return status;
    mr_describe_member(description, "voxels",
                       (struct mr_value){.kind = MR_KIND_LIST,
                                         .size = querying->shown,
                                         .items = querying->voxels});
    mr_describe_member(description, "more", mr_value_bool(querying->is_more));
    return MR_OK;
}

enum mr_status mr_voxels_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                  struct mr_state_description *description, struct mr_error *error)
{
    struct mr_voxel_totals totals;
    const char *option;
    const struct mr_option_value *signals = mr_options_get(&description->node->options, "signals");
    struct querying querying = {.object = object,
                                .node = description->node,
                                .arena = arena,
                                .names = signals->texts,
                                .signals_count = signals->count};
    if (!mr_voxel_totals_decode(&totals, object->version, object->encoded))
        return mr_operator_not_described(error);
    enum mr_status status =
        mr_voxel_grid_read(&querying.grid, &description->node->options, &option, error);
    if (status != MR_OK)
        return status;
    int64_t total = mr_voxel_grid_total(&querying.grid);
    mr_describe_member(description, "points", mr_value_int((int64_t)totals.points));
    mr_describe_member(description, "filled", mr_value_int((int64_t)totals.filled));
    mr_describe_member(description, "total", mr_value_int(total));
    mr_describe_member(description, "fill_ratio",
                       mr_value_double((double)totals.filled / (double)total));
    mr_describe_member(description, "layers", mr_value_int(totals.layers));
    mr_describe_member(description, "highest_layer", mr_value_int(totals.highest));
    mr_describe_time(description, "first_time", totals.first_ms);
    mr_describe_time(description, "last_time", totals.last_ms);
    if (!description->place.has_layer && !description->place.has_box && description->since_ms == 0)
        return MR_OK;
    return describe_places(&querying, totals.last_ms, description, error);
}
