/* operators/group_output.c — see group_output.h. */
#include "operators/group_output.h"

#include "base/assert.h"
#include "base/hash.h"
#include "operators/group_key.h"

/* Most calls emit few rows; a full batch is followed by a larger one. */
enum { ROWS_FIRST = 64, ROWS_FACTOR = 8 };

/* NULL: the type has no such option. */
static const struct mr_option_value *option_of(const struct mr_plan_node *node, const char *name)
{
    return mr_option_specs_find(node->options.specs, name) < 0
               ? NULL
               : mr_options_get(&node->options, name);
}

void mr_group_output_init(struct mr_group_output *output, const struct mr_operator_open *open)
{
    mr_group_output_init_of(output, open, 0);
}

void mr_group_output_init_of(struct mr_group_output *output, const struct mr_operator_open *open,
                             uint32_t index)
{
    const struct mr_plan_node *node = open->node;
    const struct mr_plan_domain *domain = &open->plan->domains[node->outputs[index].domain];
    const struct mr_option_value *having = index > 0 ? NULL : option_of(node, "having");
    const struct mr_option_value *aggregates = index > 0 ? NULL : option_of(node, "aggregates");
    uint32_t fields_count = node->type->outputs[index].fields_count;
    *output = (struct mr_group_output){
        .node = node,
        .index = index,
        .slots = domain->field_slots,
        .key_count = node->key.slots_count,
        .fields_count = aggregates != NULL ? fields_count : MR_GROUP_TIMES_MAX,
        .aggregates_count =
            aggregates != NULL ? aggregates->count : fields_count - MR_GROUP_TIMES_MAX,
        .having = having != NULL && having->present ? having->programs[0] : NULL,
        .partition = open->partition,
        .rows_next = ROWS_FIRST,
    };
    MR_ASSERT(output->key_count <= MR_GROUP_KEY_FIELDS_MAX);
    MR_ASSERT(output->fields_count <= MR_GROUP_FIELDS_MAX);
    MR_ASSERT(domain->field_slots_count ==
              output->key_count + output->fields_count + output->aggregates_count);
    for (uint32_t i = 0; i < output->key_count; i++)
        output->key_types[i] = domain->field_types[i];
}

static void emit(struct mr_group_output *output, struct mr_operator_context *context)
{
    struct mr_batch *batch = output->batch;
    output->batch = NULL;
    struct mr_view view = mr_batch_view(batch);
    if (output->having != NULL) {
        struct mr_value *verdicts =
            mr_arena_take(context->arena, batch->rows_count * sizeof(*verdicts));
        uint16_t *rows = mr_arena_take(context->arena, batch->rows_count * sizeof(*rows));
        mr_program_run(output->having, context->evaluator, view, context->now_ms, verdicts);
        uint32_t count = 0;
        for (uint32_t row = 0; row < batch->rows_count; row++) {
            struct mr_value verdict = verdicts[row];
            if (verdict.kind == MR_KIND_BOOL && verdict.boolean)
                rows[count++] = (uint16_t)row;
            else if (verdict.kind != MR_KIND_BOOL)
                mr_operator_row_error(context, batch, row, "having: %.*s",
                                      verdict.kind == MR_KIND_ERROR ? (int)verdict.size : 13,
                                      verdict.kind == MR_KIND_ERROR ? (const char *)verdict.text
                                                                    : "is not a bool");
        }
        view = (struct mr_view){.batch = batch, .rows = rows, .rows_count = count};
    }
    mr_operator_emit(context, output->index, view);
}

struct mr_arena *mr_group_output_arena(struct mr_group_output *output,
                                       struct mr_operator_context *context)
{
    if (output->batch == NULL) {
        output->batch = mr_operator_batch_new(context, output->index, NULL, output->rows_next);
        output->batch->origin = (struct mr_origin){output->node->name, output->partition};
        output->rows_next *= ROWS_FACTOR;
        if (output->rows_next > MR_LIMIT_BATCH_ROWS)
            output->rows_next = MR_LIMIT_BATCH_ROWS;
    }
    return output->batch->arena;
}

/* Fill the batch's next row. */
static void fill(struct mr_group_output *output, const struct mr_group_row *given)
{
    struct mr_batch *batch = output->batch;
    MR_ASSERT(batch != NULL);
    uint32_t row = batch->rows_count++;
    struct mr_value fields[MR_GROUP_KEY_FIELDS_MAX];
    if (row == 0) /* names the rows, for ids and randomness behind */
        batch->sequence_first = mr_hash64_seeded(given->key, (uint64_t)given->event_time_ms);
    bool read =
        mr_group_key_read(given->key, output->key_types, output->key_count, batch->arena, fields);
    MR_ASSERT(read); /* made by mr_batch_key */
    const uint32_t *slot = output->slots;
    for (uint32_t i = 0; i < output->key_count; i++)
        mr_batch_column(batch, *slot++)[row] = fields[i];
    for (uint32_t i = 0; i < output->fields_count; i++)
        mr_batch_column(batch, *slot++)[row] =
            i < MR_GROUP_TIMES_MAX ? mr_value_int(given->times[i])
            : given->retracted     ? mr_value_bool(true)
                                   : (struct mr_value){.kind = MR_KIND_ABSENT};
    for (uint32_t i = 0; i < output->aggregates_count; i++)
        mr_batch_column(batch, *slot++)[row] = given->results[i];
    batch->offsets[row] = -1;
    batch->timestamps_ms[row] = given->event_time_ms;
    batch->event_times_ms[row] = given->event_time_ms;
    batch->message_keys[row] = (struct mr_slice){0};
    batch->key_nulls[row] = true;
    batch->payloads[row] = mr_slice_text("{}");
    batch->payload_nulls[row] = false;
}

void mr_group_output_row(struct mr_group_output *output, struct mr_operator_context *context,
                         const struct mr_group_row *row)
{
    fill(output, row);
    if (output->batch->rows_count == output->batch->rows_capacity)
        emit(output, context);
}

void mr_group_output_failed(struct mr_group_output *output, struct mr_operator_context *context,
                            const struct mr_group_row *row, const char *message)
{
    fill(output, row);
    mr_operator_row_error(context, output->batch, output->batch->rows_count - 1, "%s", message);
    output->batch->rows_count--;
}

void mr_group_output_end(struct mr_group_output *output, struct mr_operator_context *context)
{
    if (output->batch != NULL && output->batch->rows_count > 0)
        emit(output, context);
    output->batch = NULL;
    output->rows_next = ROWS_FIRST;
}
