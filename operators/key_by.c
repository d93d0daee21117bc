/* operators/key_by.c — key_by: group the stream by other fields from here on.
 * Design: the work is the planner's and the worker's: where the input's key differs they put a
 * repartition topic in front. What arrives here is already in the right task and passes as it is.
 */
#include "operators/operator.h"

#include "base/assert.h"
#include "operators/registry.h"

struct key_by {
    const struct mr_plan_node *node;
};

static enum mr_status key_by_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct key_by *key_by = self;
    MR_UNUSED(error);
    key_by->node = open->node;
    return MR_OK;
}

static enum mr_status key_by_process(void *self, struct mr_operator_context *context, uint32_t port,
                                     struct mr_view view, struct mr_error *error)
{
    MR_UNUSED(self);
    MR_UNUSED(port);
    MR_UNUSED(error);
    mr_operator_emit(context, 0, view);
    return MR_OK;
}

static void key_by_close(void *self)
{
    MR_UNUSED(self);
}

static const struct mr_option_spec key_by_options[] = {
    {.name = NULL},
};

static const struct mr_output_spec key_by_outputs[] = {
    {.name = "main", .help = "Every record, unchanged, in the task of its new key."},
};

const struct mr_operator_type mr_operator_key_by = {
    .spec =
        {
            .name = "key_by",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_REPARTITION,
            .summary = "Groups the stream by other fields from here on.",
            .description =
                "Records with equal values of `key` are processed by the same task, in order, "
                "behind this operator. Where the input is not yet grouped so, the records pass "
                "through a repartition topic; `millrace plan` shows it.\n\n"
                "Operators with a `key` of their own repartition by themselves: key_by is for a "
                "grouping that several of them share. Keeps no state.",
            .options = key_by_options,
            .outputs = key_by_outputs,
            .outputs_count = 1,
        },
    .instance_size = sizeof(struct key_by),
    .open = key_by_open,
    .process = key_by_process,
    .close = key_by_close,
};
