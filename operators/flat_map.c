/* operators/flat_map.c — flat_map: one record per element of a list.
 * Design: the pairs (input row, element) are walked once; each output batch of at most
 * MR_LIMIT_BATCH_ROWS rows gathers its columns by the row numbers (operators/derive.h) and gets the
 * elements in the column of `into`. The payload is shared by all rows of a record, the encoder
 * splices the element in. Because output batches are filled in input order, how the input is cut
 * into batches does not show in what comes out. */
#include "operators/derive.h"

#include <string.h>

#include "base/assert.h"
#include "operators/registry.h"

struct flat_map {
    const struct mr_plan_node *node;
    const char *field_text;
    uint32_t field_slot;
    uint32_t into_slot; /* in the output's domain */
};

static enum mr_status flat_map_open(void *self, const struct mr_operator_open *open,
                                    struct mr_error *error)
{
    struct flat_map *flat_map = self;
    MR_UNUSED(error);
    flat_map->node = open->node;
    flat_map->field_text = mr_options_text(&open->node->options, "field");
    flat_map->field_slot = mr_options_slot(&open->node->options, "field");
    MR_ASSERT(open->node->set_slots_count == 1);
    flat_map->into_slot = open->node->set_slots[0];
    return MR_OK;
}

/* Rows of the output batch that is being gathered. */
struct flat_map_chunk {
    uint16_t *rows; /* of the input, one per output row */
    struct mr_value *elements;
    uint32_t rows_count;
};

static void chunk_emit(const struct flat_map *flat_map, struct mr_operator_context *context,
                       const struct mr_batch *input, struct flat_map_chunk *chunk)
{
    if (chunk->rows_count == 0)
        return;
    struct mr_batch *output = mr_operator_batch_new(context, 0, input, chunk->rows_count);
    mr_derive_batch(output, input);
    mr_derive_rows(output, input, &flat_map->node->inputs[0], chunk->rows, chunk->rows_count);
    memcpy(mr_batch_column(output, flat_map->into_slot), chunk->elements,
           chunk->rows_count * sizeof(*chunk->elements));
    chunk->rows_count = 0;
    mr_operator_emit(context, 0, mr_batch_view(output));
}

static enum mr_status flat_map_process(void *self, struct mr_operator_context *context,
                                       uint32_t port, struct mr_view view, struct mr_error *error)
{
    const struct flat_map *flat_map = self;
    MR_UNUSED(port);
    MR_UNUSED(error);
    const struct mr_value *lists = mr_batch_column(view.batch, flat_map->field_slot);
    struct flat_map_chunk chunk = {
        .rows = mr_arena_take(context->arena, MR_LIMIT_BATCH_ROWS * sizeof(uint16_t)),
        .elements = mr_arena_take(context->arena, MR_LIMIT_BATCH_ROWS * sizeof(struct mr_value)),
    };
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint16_t row = view.rows[index];
        struct mr_value list = lists[row];
        if (list.kind == MR_KIND_ABSENT || list.kind == MR_KIND_NULL)
            continue;
        if (list.kind == MR_KIND_ERROR) {
            mr_operator_row_error(context, view.batch, row, "field %s: %.*s", flat_map->field_text,
                                  (int)list.size, (const char *)list.text);
            continue;
        }
        if (list.kind != MR_KIND_LIST) {
            mr_operator_row_error(context, view.batch, row, "field %s is %s, not a list",
                                  flat_map->field_text, mr_kind_name((enum mr_kind)list.kind));
            continue;
        }
        for (uint32_t element = 0; element < list.size; element++) {
            chunk.rows[chunk.rows_count] = row;
            chunk.elements[chunk.rows_count] = list.items[element];
            if (++chunk.rows_count == MR_LIMIT_BATCH_ROWS)
                chunk_emit(flat_map, context, view.batch, &chunk);
        }
    }
    chunk_emit(flat_map, context, view.batch, &chunk);
    return MR_OK;
}

static void flat_map_close(void *self)
{
    MR_UNUSED(self);
}

static const struct mr_option_spec flat_map_options[] = {
    {.name = "field",
     .type = MR_OPTION_PATH,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_LIST,
     .help = "The list: one record is made per element. A missing, null or empty list makes none; "
             "anything else than a list follows `on_error`."},
    {.name = "into",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "The top-level field that gets the element; it may be the list's own field."},
    {.name = NULL},
};

static const struct mr_output_spec flat_map_outputs[] = {
    {.name = "main", .help = "One record per element: the input's fields and the element."},
};

const struct mr_operator_type mr_operator_flat_map = {
    .spec =
        {
            .name = "flat_map",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_DERIVED_ROWS,
            .summary = "Makes one record per element of a list.",
            .description =
                "Each element of the list at `field` makes a record with all fields of the input "
                "record and the element in `into`, in the list's order. Event time, key and source "
                "position are the input's.\n\n"
                "Remove the list itself by a `map` behind it when it is not wanted in every "
                "record: "
                "otherwise a list of n elements is written n times. Keeps no state.",
            .options = flat_map_options,
            .outputs = flat_map_outputs,
            .outputs_count = 1,
        },
    .instance_size = sizeof(struct flat_map),
    .open = flat_map_open,
    .process = flat_map_process,
    .close = flat_map_close,
};
