/* operators/merge.c — merge: one stream of the records of several.
 * Design: a view of an input becomes a view of an alias of its batch: the same column arrays under
 * the numbering of the output's domain. No cell is copied. Records of one input keep their order;
 * between inputs the order is that of arrival. */
#include "operators/derive.h"

#include "base/assert.h"
#include "operators/registry.h"

struct merge {
    const struct mr_plan_node *node;
};

static enum mr_status merge_open(void *self, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    struct merge *merge = self;
    MR_UNUSED(error);
    merge->node = open->node;
    return MR_OK;
}

static enum mr_status merge_process(void *self, struct mr_operator_context *context, uint32_t port,
                                    struct mr_view view, struct mr_error *error)
{
    const struct merge *merge = self;
    MR_UNUSED(error);
    /* The alias brings its own arrays: a capacity of one row takes next to no memory. */
    struct mr_batch *output = mr_operator_batch_new(context, 0, view.batch, 1);
    mr_derive_alias(output, view.batch, &merge->node->inputs[port]);
    mr_operator_emit(context, 0, (struct mr_view){output, view.rows, view.rows_count});
    return MR_OK;
}

static void merge_close(void *self)
{
    MR_UNUSED(self);
}

static const struct mr_option_spec merge_options[] = {
    {.name = NULL},
};

static const struct mr_input_spec merge_inputs[] = {
    {.option = "inputs",
     .required = true,
     .help = "The streams to merge: a list of NAME or NAME.OUTPUT, at least two."},
    {.option = NULL},
};

static const struct mr_output_spec merge_outputs[] = {
    {.name = "main", .help = "The records of all inputs, unchanged."},
};

const struct mr_operator_type mr_operator_merge = {
    .spec =
        {
            .name = "merge",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_DERIVED_ROWS,
            .summary = "Makes one stream of the records of several.",
            .description =
                "Passes the records of all `inputs` on, unchanged. Records of one input keep their "
                "order; between inputs the order is that of arrival, so that a task with a merge "
                "does not replay identically by itself.\n\n"
                "A field that only some inputs have is missing in the records of the others. Use a "
                "join where records of two streams belong together. Keeps no state.",
            .options = merge_options,
            .inputs = merge_inputs,
            .outputs = merge_outputs,
            .outputs_count = 1,
        },
    .instance_size = sizeof(struct merge),
    .open = merge_open,
    .process = merge_process,
    .close = merge_close,
};
