/* operators/learned_rows.c — see learned_rows.h. */
#include "operators/learned_rows.h"

#include "base/assert.h"
#include "operators/group_key.h"

void mr_learned_rows_bind(struct mr_learned_rows *rows, const struct mr_plan *plan,
                          const struct mr_plan_node *node, uint32_t output,
                          const struct mr_learned_kind *kind)
{
    const struct mr_plan_domain *domain = &plan->domains[node->outputs[output].domain];
    rows->kind = kind;
    rows->slots = domain->field_slots;
    rows->types = domain->field_types;
    rows->keys_count = node->key.slots_count;
    rows->columns_count = mr_options_get(&node->options, "fields")->count;
    MR_ASSERT(domain->field_slots_count >= rows->keys_count + rows->columns_count);
    MR_ASSERT(rows->keys_count <= MR_LEARNED_KEY_FIELDS_MAX);
    rows->others_count = domain->field_slots_count - rows->keys_count - rows->columns_count;
}

void mr_learned_rows_bind_others(struct mr_learned_rows *rows, const struct mr_plan *plan,
                                 const struct mr_plan_node *node, uint32_t output)
{
    const struct mr_plan_domain *domain = &plan->domains[node->outputs[output].domain];
    *rows =
        (struct mr_learned_rows){.slots = domain->field_slots,
                                 .types = domain->field_types,
                                 .keys_count = node->key.slots_count,
                                 .others_count = domain->field_slots_count - node->key.slots_count};
    MR_ASSERT(rows->keys_count <= MR_LEARNED_KEY_FIELDS_MAX);
}

struct mr_value *mr_learned_rows_other(const struct mr_learned_rows *rows, struct mr_batch *batch,
                                       uint32_t index)
{
    MR_ASSERT(index < rows->others_count);
    return mr_batch_column(batch, rows->slots[rows->keys_count + rows->columns_count + index]);
}

static void fill_key(const struct mr_learned_rows *rows, struct mr_batch *batch,
                     struct mr_slice key, uint32_t rows_count)
{
    struct mr_value fields[MR_LEARNED_KEY_FIELDS_MAX];
    if (rows->keys_count == 0)
        return;
    bool read = mr_group_key_read(key, rows->types, rows->keys_count, batch->arena, fields);
    MR_ASSERT(read); /* made by mr_batch_key */
    for (uint32_t index = 0; index < rows->keys_count; index++) {
        struct mr_value *cells = mr_batch_column(batch, rows->slots[index]) + batch->rows_count;
        for (uint32_t row = 0; row < rows_count; row++)
            cells[row] = fields[index];
    }
}

static void stamp(struct mr_batch *batch, uint32_t row, int64_t time_ms)
{
    batch->offsets[row] = -1;
    batch->timestamps_ms[row] = time_ms;
    batch->event_times_ms[row] = time_ms;
    batch->message_keys[row] = (struct mr_slice){0};
    batch->key_nulls[row] = true;
    batch->payloads[row] = mr_slice_text("{}");
    batch->payload_nulls[row] = false;
}

uint32_t mr_learned_rows_add(const struct mr_learned_rows *rows, struct mr_batch *batch,
                             struct mr_slice key, int64_t time_ms)
{
    MR_ASSERT(batch->rows_count < batch->rows_capacity);
    fill_key(rows, batch, key, 1);
    stamp(batch, batch->rows_count, time_ms);
    return batch->rows_count++;
}

/* Numbers are doubles, as undeclared ones of records are, unless the schema says int. */
static struct mr_value whole(struct mr_value cell)
{
    if (cell.kind != MR_KIND_DOUBLE)
        return cell;
    double bounded = cell.number < -0x1p62 ? -0x1p62 : cell.number;
    return mr_value_int((int64_t)(bounded > 0x1p62 ? 0x1p62 : bounded));
}

/* Close the gaps that refused rows leave. kept: which are there now. Returns how many. */
static uint32_t keep_allowed(uint64_t refused, uint32_t rows_count, struct mr_value *const *columns,
                             uint32_t columns_count, uint32_t *kept)
{
    uint32_t made = 0;
    for (uint32_t row = 0; row < rows_count; row++)
        if ((refused >> row & 1) == 0)
            kept[made++] = row;
    for (uint32_t column = 0; column < columns_count && made < rows_count; column++)
        for (uint32_t row = 0; row < made; row++)
            columns[column][row] = columns[column][kept[row]];
    return made;
}

uint32_t mr_learned_rows_draw(const struct mr_learned_rows *rows, struct mr_batch *batch,
                              struct mr_slice key, const struct mr_learned_expanded *expanded,
                              void *sampler, uint64_t first, uint32_t rows_count,
                              const int64_t *times_ms)
{
    struct mr_value *columns[MR_LEARNED_COLUMNS_MAX];
    MR_ASSERT(rows_count <= MR_LEARNED_DRAW_MAX);
    MR_ASSERT(rows_count <= batch->rows_capacity - batch->rows_count);
    fill_key(rows, batch, key, rows_count);
    for (uint32_t column = 0; column < rows->columns_count; column++)
        columns[column] =
            mr_batch_column(batch, rows->slots[rows->keys_count + column]) + batch->rows_count;
    rows->kind->draw(sampler, expanded->model, expanded->seed, first, rows_count, batch->arena,
                     columns);
    uint32_t kept[MR_LEARNED_DRAW_MAX];
    uint64_t refused = rows->kind->refused == NULL ? 0 : rows->kind->refused(sampler);
    uint32_t made = keep_allowed(refused, rows_count, columns, rows->columns_count, kept);
    for (uint32_t column = 0; column < rows->columns_count; column++)
        if (rows->types[rows->keys_count + column] == MR_TYPE_INT)
            for (uint32_t row = 0; row < made; row++)
                columns[column][row] = whole(columns[column][row]);
    for (uint32_t row = 0; row < made; row++)
        stamp(batch, batch->rows_count + row, times_ms[kept[row]]);
    batch->rows_count += made;
    return made;
}
