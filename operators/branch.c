/* operators/branch.c — branch: send each record to the first branch whose condition is true.
 * Design: each condition runs over the rows that no earlier branch took, so that a record costs as
 * many evaluations as it takes to place it. Views of one batch go out; no cell is touched. */
#include "operators/condition.h"

#include <string.h>

#include "base/assert.h"
#include "operators/registry.h"

struct branch_way {
    const struct mr_program *where;
    const char *name;
    uint32_t output;
};

struct branch {
    struct branch_way ways[MR_LIMIT_OPERATOR_OUTPUTS];
    uint32_t ways_count;
    uint32_t rest_output;
};

static uint32_t output_find(const struct mr_plan_node *node, const char *name)
{
    for (uint32_t index = 0; index < node->outputs_count; index++)
        if (strcmp(node->outputs[index].name, name) == 0)
            return index;
    return UINT32_MAX;
}

static enum mr_status branch_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct branch *branch = self;
    MR_UNUSED(error);
    const struct mr_option_value *branches = mr_options_get(&open->node->options, "branches");
    MR_ASSERT(branches->count < MR_LIMIT_OPERATOR_OUTPUTS);
    branch->ways_count = branches->count;
    for (uint32_t index = 0; index < branches->count; index++) {
        struct branch_way *way = &branch->ways[index];
        way->name = mr_options_text(&branches->objects[index], "name");
        way->where = mr_options_program(&branches->objects[index], "where");
        way->output = output_find(open->node, way->name);
        MR_ASSERT(way->output != UINT32_MAX);
    }
    branch->rest_output = output_find(open->node, "rest");
    MR_ASSERT(branch->rest_output != UINT32_MAX);
    return MR_OK;
}

static enum mr_status branch_process(void *self, struct mr_operator_context *context, uint32_t port,
                                     struct mr_view view, struct mr_error *error)
{
    const struct branch *branch = self;
    MR_UNUSED(port);
    MR_UNUSED(error);
    for (uint32_t index = 0; index < branch->ways_count && view.rows_count > 0; index++) {
        const struct branch_way *way = &branch->ways[index];
        struct mr_view matched;
        struct mr_view others;
        mr_condition_split(context, way->where, way->name, view, &matched, &others);
        mr_operator_emit(context, way->output, matched);
        view = others;
    }
    mr_operator_emit(context, branch->rest_output, view);
    return MR_OK;
}

static void branch_close(void *self)
{
    MR_UNUSED(self);
}

static enum mr_status branch_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    const struct mr_option_value *branches = mr_options_get(options, "branches");
    *option = "branches";
    for (uint32_t index = 0; index < branches->count; index++) {
        const char *name = mr_options_text(&branches->objects[index], "name");
        if (name == NULL)
            continue;
        if (strcmp(name, "rest") == 0)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "a branch cannot be named \"rest\": that is the output of the records "
                           "that no branch takes");
        for (uint32_t other = 0; other < index; other++) {
            const char *earlier = mr_options_text(&branches->objects[other], "name");
            if (earlier != NULL && strcmp(earlier, name) == 0)
                return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                               "two branches are named \"%s\"", name);
        }
    }
    return MR_OK;
}

static const struct mr_option_spec branch_fields[] = {
    {.name = "name",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "The branch's name: readers say `from: OPERATOR.NAME`."},
    {.name = "where",
     .type = MR_OPTION_EXPRESSION,
     .flags = MR_OPTION_REQUIRED,
     .help = "A CEL condition; the first branch for which it is true takes the record."},
    {.name = NULL},
};

static const struct mr_option_spec branch_options[] = {
    {.name = "branches",
     .type = MR_OPTION_OBJECTS,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = MR_LIMIT_OPERATOR_OUTPUTS - 1,
     .fields = branch_fields,
     .help = "The branches, 1 to 63, in the order in which they are tried."},
    {.name = NULL},
};

const struct mr_operator_type mr_operator_branch = {
    .spec =
        {
            .name = "branch",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_DYNAMIC_OUTPUTS,
            .summary = "Sends each record to the first branch whose condition is true.",
            .description =
                "Has one output per entry of `branches`, and `rest` for the records that no branch "
                "takes. A record goes to exactly one output. A record on which a condition fails "
                "before a branch took it follows `on_error`.\n\n"
                "Use `filter` when only one way is wanted, and several readers of one output when "
                "a "
                "record shall go more than one way. Keeps no state.",
            .options = branch_options,
            .check = branch_check,
        },
    .instance_size = sizeof(struct branch),
    .open = branch_open,
    .process = branch_process,
    .close = branch_close,
};
