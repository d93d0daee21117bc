/* operators/voxel_rows.c — see voxel_rows.h. */
#include "operators/voxel_rows.h"

#include "base/assert.h"
#include "base/hash.h"
#include "operators/group_key.h"

/* Most calls make few rows; a full batch is followed by a larger one. */
enum { ROWS_FIRST = 64, ROWS_FACTOR = 8 };

void mr_voxel_rows_open(struct mr_voxel_rows *rows, const struct mr_operator_open *open)
{
    const struct mr_plan_node *node = open->node;
    *rows = (struct mr_voxel_rows){
        .node = node, .partition = open->partition, .key_count = node->key.slots_count};
    MR_ASSERT(rows->key_count <= MR_VOXEL_KEY_FIELDS_MAX);
    for (uint32_t output = 0; output < MR_VOXEL_OWN_OUTPUTS; output++) {
        const struct mr_plan_domain *domain = &open->plan->domains[node->outputs[output].domain];
        uint32_t fields_count = node->type->outputs[output].fields_count;
        MR_ASSERT(domain->field_slots_count == rows->key_count + fields_count);
        rows->outputs[output] = (struct mr_voxel_output_rows){
            .slots = domain->field_slots,
            .fields_count = fields_count,
            .is_read = mr_operator_output_is_read(open->plan, node, output),
            .rows_next = ROWS_FIRST,
        };
        for (uint32_t field = 0; field < rows->key_count; field++)
            rows->key_types[field] = domain->field_types[field];
    }
}

static void emit(struct mr_voxel_rows *rows, struct mr_operator_context *context, uint32_t output)
{
    struct mr_batch *batch = rows->outputs[output].batch;
    rows->outputs[output].batch = NULL;
    mr_operator_emit(context, output, mr_batch_view(batch));
}

struct mr_arena *mr_voxel_rows_room(struct mr_voxel_rows *rows, struct mr_operator_context *context,
                                    enum mr_voxel_output output)
{
    struct mr_voxel_output_rows *own = &rows->outputs[output];
    if (own->batch != NULL && own->batch->rows_count == own->batch->rows_capacity)
        emit(rows, context, output);
    if (own->batch == NULL) {
        own->batch = mr_operator_batch_new(context, output, NULL, own->rows_next);
        own->batch->origin = (struct mr_origin){rows->node->name, rows->partition};
        own->rows_next *= ROWS_FACTOR;
        if (own->rows_next > MR_LIMIT_BATCH_ROWS)
            own->rows_next = MR_LIMIT_BATCH_ROWS;
    }
    return own->is_read ? own->batch->arena : NULL;
}

void mr_voxel_rows_add(struct mr_voxel_rows *rows, enum mr_voxel_output output, struct mr_slice key,
                       int64_t event_time_ms, const struct mr_value *fields)
{
    struct mr_voxel_output_rows *own = &rows->outputs[output];
    struct mr_batch *batch = own->batch;
    MR_ASSERT(batch != NULL && batch->rows_count < batch->rows_capacity);
    uint32_t row = batch->rows_count++;
    if (row == 0) /* names the rows, for ids and randomness behind */
        batch->sequence_first = mr_hash64_seeded(key, (uint64_t)event_time_ms);
    if (fields != NULL) {
        struct mr_value key_fields[MR_VOXEL_KEY_FIELDS_MAX];
        bool read =
            mr_group_key_read(key, rows->key_types, rows->key_count, batch->arena, key_fields);
        MR_ASSERT(read); /* made by mr_batch_key */
        const uint32_t *slot = own->slots;
        for (uint32_t field = 0; field < rows->key_count; field++)
            mr_batch_column(batch, *slot++)[row] = key_fields[field];
        for (uint32_t field = 0; field < own->fields_count; field++)
            mr_batch_column(batch, *slot++)[row] = fields[field];
    }
    batch->offsets[row] = -1;
    batch->timestamps_ms[row] = event_time_ms;
    batch->event_times_ms[row] = event_time_ms;
    batch->message_keys[row] = (struct mr_slice){0};
    batch->key_nulls[row] = true;
    batch->payloads[row] = mr_slice_text("{}");
    batch->payload_nulls[row] = false;
}

void mr_voxel_rows_end(struct mr_voxel_rows *rows, struct mr_operator_context *context)
{
    for (uint32_t output = 0; output < MR_VOXEL_OWN_OUTPUTS; output++) {
        if (rows->outputs[output].batch != NULL && rows->outputs[output].batch->rows_count > 0)
            emit(rows, context, output);
        rows->outputs[output].batch = NULL;
        rows->outputs[output].rows_next = ROWS_FIRST;
    }
}

/* ---- Statistics ---- */

static struct mr_map_entry entry_of(const char *name, struct mr_value value)
{
    return (struct mr_map_entry){.key = mr_value_string(mr_slice_text(name)), .value = value};
}

static struct mr_value cell_value(struct mr_arena *arena, const struct mr_voxel_cell *cell)
{
    enum { MEMBERS = 9 };
    struct mr_map_entry *entries = mr_arena_take(arena, MEMBERS * sizeof(*entries));
    struct mr_map_entry *next = entries;
    bool any = cell->count > 0;
    struct mr_value none = mr_value_null();
    *next++ = entry_of("n", mr_value_int((int64_t)cell->count));
    *next++ = entry_of("sum", mr_value_double(mr_voxel_cell_sum(cell)));
    *next++ = entry_of("mean", any ? mr_value_double(mr_voxel_cell_mean(cell)) : none);
    *next++ = entry_of("variance",
                       cell->count > 1 ? mr_value_double(mr_voxel_cell_variance(cell)) : none);
    *next++ = entry_of("min", any ? mr_value_double(cell->minimum) : none);
    *next++ = entry_of("max", any ? mr_value_double(cell->maximum) : none);
    *next++ = entry_of("last", any ? mr_value_double(cell->last) : none);
    *next++ = entry_of("first_time", any ? mr_value_int(cell->first_ms) : none);
    *next++ = entry_of("last_time", any ? mr_value_int(cell->last_ms) : none);
    MR_ASSERT(next == entries + MEMBERS);
    return (struct mr_value){.kind = MR_KIND_MAP, .size = MEMBERS, .entries = entries};
}

struct mr_value mr_voxel_signals_value(struct mr_arena *arena, const char *const *names,
                                       const struct mr_voxel_cell *cells, uint32_t signals_count)
{
    struct mr_map_entry *entries = mr_arena_take(arena, signals_count * sizeof(*entries));
    for (uint32_t signal = 0; signal < signals_count; signal++)
        entries[signal] = entry_of(names[signal], cell_value(arena, &cells[signal]));
    return (struct mr_value){.kind = MR_KIND_MAP, .size = signals_count, .entries = entries};
}
