/* operators/filter.c — filter: let the records through for which a condition is true.
 * Design: the view is narrowed; no cell is touched. */
#include "operators/condition.h"

#include "base/assert.h"
#include "operators/registry.h"

struct filter {
    const struct mr_program *where;
};

static enum mr_status filter_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct filter *filter = self;
    MR_UNUSED(error);
    filter->where = mr_options_program(&open->node->options, "where");
    return MR_OK;
}

static enum mr_status filter_process(void *self, struct mr_operator_context *context, uint32_t port,
                                     struct mr_view view, struct mr_error *error)
{
    const struct filter *filter = self;
    MR_UNUSED(port);
    MR_UNUSED(error);
    struct mr_view matched;
    struct mr_view others;
    mr_condition_split(context, filter->where, "where", view, &matched, &others);
    mr_operator_emit(context, 0, matched);
    return MR_OK;
}

static void filter_close(void *self)
{
    MR_UNUSED(self);
}

static const struct mr_option_spec filter_options[] = {
    {.name = "where",
     .type = MR_OPTION_EXPRESSION,
     .flags = MR_OPTION_REQUIRED,
     .help = "A CEL condition over the record's fields; the record passes when it is true."},
    {.name = NULL},
};

static const struct mr_output_spec filter_outputs[] = {
    {.name = "main", .help = "The records for which `where` is true, unchanged."},
};

const struct mr_operator_type mr_operator_filter = {
    .spec =
        {
            .name = "filter",
            .role = MR_ROLE_OPERATOR,
            .summary = "Lets the records through for which a condition is true.",
            .description =
                "Evaluates `where` on each record and drops those for which it is false; they are "
                "counted as dropped. A record on which the condition fails (a missing field "
                "without "
                "has(), a division by zero) follows `on_error`.\n\n"
                "A sink has a `where` of its own: a filter in front of a single sink is not "
                "needed. "
                "Use `branch` when the other records are wanted too. Keeps no state.",
            .options = filter_options,
            .outputs = filter_outputs,
            .outputs_count = 1,
        },
    .instance_size = sizeof(struct filter),
    .open = filter_open,
    .process = filter_process,
    .close = filter_close,
};
