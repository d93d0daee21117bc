/* operators/map.c — map: compute, remove, keep and rename top-level fields.
 * Design: only `set` is work per record: each expression fills the column that the planner gave it.
 * What is removed, kept and renamed is part of the layout (record/layout.h), known when the
 * topology is planned; the encoder applies it. All expressions see the record as it came in. */
#include "operators/condition.h"

#include "base/assert.h"
#include "operators/registry.h"

struct map {
    const struct mr_plan_node *node;
    const struct mr_option_value *set;
};

static enum mr_status map_open(void *self, const struct mr_operator_open *open,
                               struct mr_error *error)
{
    struct map *map = self;
    MR_UNUSED(error);
    map->node = open->node;
    map->set = mr_options_get(&open->node->options, "set");
    MR_ASSERT(open->node->set_slots_count == map->set->count);
    return MR_OK;
}

static enum mr_status map_process(void *self, struct mr_operator_context *context, uint32_t port,
                                  struct mr_view view, struct mr_error *error)
{
    const struct map *map = self;
    MR_UNUSED(port);
    MR_UNUSED(error);
    for (uint32_t index = 0; index < map->set->count && view.rows_count > 0; index++) {
        struct mr_value *column = mr_batch_column(view.batch, map->node->set_slots[index]);
        view = mr_condition_compute(context, map->set->programs[index], map->set->names[index],
                                    view, column);
    }
    mr_operator_emit(context, 0, view);
    return MR_OK;
}

static void map_close(void *self)
{
    MR_UNUSED(self);
}

static enum mr_status map_check(const struct mr_options *options, const char **option,
                                struct mr_error *error)
{
    if (!mr_options_present(options, "set") && !mr_options_present(options, "remove") &&
        !mr_options_present(options, "keep") && !mr_options_present(options, "rename")) {
        *option = "set";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a map needs at least one of `set`, `remove`, `keep` and `rename`");
    }
    if (mr_options_present(options, "keep") && mr_options_present(options, "remove")) {
        *option = "remove";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`keep` already removes every other field: give `keep` or `remove`, "
                       "not both");
    }
    return MR_OK;
}

static const struct mr_option_spec map_options[] = {
    {.name = "set",
     .type = MR_OPTION_EXPRESSIONS,
     .help = "Fields to add or replace: a mapping of top-level field name to CEL expression. All "
             "expressions see the record as it came in."},
    {.name = "remove",
     .type = MR_OPTION_NAMES,
     .help = "Top-level fields to remove, applied after `set`; a field that is not there is no "
             "error."},
    {.name = "keep",
     .type = MR_OPTION_NAMES,
     .help = "Top-level fields to keep, applied after `set`; every other field is removed."},
    {.name = "rename",
     .type = MR_OPTION_NAME_MAP,
     .help = "Top-level fields to rename, a mapping of old name to new name, applied last."},
    {.name = NULL},
};

static const struct mr_output_spec map_outputs[] = {
    {.name = "main", .help = "Every record, with its fields changed."},
};

const struct mr_operator_type mr_operator_map = {
    .spec =
        {
            .name = "map",
            .role = MR_ROLE_OPERATOR,
            .summary = "Computes, removes, keeps and renames top-level fields.",
            .description =
                "Applies `set`, then `remove` or `keep`, then `rename`. Added fields are written "
                "in "
                "name order; fields that nobody touches keep their bytes.\n\n"
                "A record on which an expression fails follows `on_error` and does not pass. Use "
                "map to compute what another operator's `field` shall read. Keeps no state.",
            .options = map_options,
            .outputs = map_outputs,
            .outputs_count = 1,
            .check = map_check,
        },
    .instance_size = sizeof(struct map),
    .open = map_open,
    .process = map_process,
    .close = map_close,
};
