/* operators/aggregate_running.c — aggregate: sums per key without a window.
 * Design: the table; what is done with rows is in windowing.c and window_running.c.
 * Stored: see window_list.h, window_pane.h. */
#include "operators/group_object.h"
#include "operators/registry.h"
#include "operators/windowing.h"

static const char *const emits[] = {"update", "periodic", NULL};

static const char groups_table[] = "groups";

static bool is_periodic(const struct mr_options *options)
{
    return mr_options_integer(options, "emit") == 1;
}

static struct mr_operator_reach running_reach(const struct mr_plan_node *node)
{
    if (!is_periodic(&node->options))
        return (struct mr_operator_reach){0};
    return (struct mr_operator_reach){.open_ms = mr_options_integer(&node->options, "emit_every")};
}

static void running_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    const struct mr_option_value *aggregates = mr_options_get(options, "aggregates");
    struct mr_aggregate_set set;
    struct mr_error error;
    if (aggregates->calls == NULL || mr_aggregate_set_init(&set, aggregates, &error) != MR_OK)
        set = (struct mr_aggregate_set){.cell_bytes = MR_AGGREGATE_SET_CELL_BYTES};
    mr_windowing_list_estimate(NULL, &set, estimate);
}

static enum mr_status running_check(const struct mr_options *options, const char **option,
                                    struct mr_error *error)
{
    *option = is_periodic(options) ? "emit" : "emit_every";
    if (is_periodic(options) == mr_options_present(options, "emit_every"))
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   is_periodic(options)
                       ? "emit: periodic needs `emit_every`, the time between results"
                       : "'emit_every' has no meaning without emit: periodic");
}

static const struct mr_option_spec running_options[] = {
    {.name = "emit",
     .type = MR_OPTION_CHOICE,
     .default_text = "update",
     .choices = emits,
     .help = "update: one result for each record. periodic: one every `emit_every` for each key "
             "that has changed."},
    {.name = "emit_every",
     .type = MR_OPTION_DURATION,
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "Time between results of emit: periodic, as the watermark tells it."},
    {.name = "aggregates",
     .type = MR_OPTION_AGGREGATES,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = MR_AGGREGATE_SET_MAX,
     .help = "What is computed of a key's records: a field of the result each, as in "
             "{rows: count(), mean: avg(value), p99: 'quantile(value, 0.99)'}."},
    {.name = "having",
     .type = MR_OPTION_EXPRESSION,
     .flags = MR_OPTION_OF_OUTPUT,
     .help = "A CEL condition over the result's fields: results for which it is false are "
             "dropped."},
    {.name = NULL},
};

static const struct mr_output_spec running_outputs[] = {
    {.name = "main",
     .help = "One record per change of a key: the key's fields and one per aggregate. Its event "
             "time is that of the record, or the time of the periodic result."},
};

const struct mr_operator_type mr_operator_aggregate = {
    .spec =
        {
            .name = "aggregate",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS,
            .summary = "Sums up all records of each key, from the first on.",
            .description =
                "Counts, sums, averages and what else `aggregates` asks for, over all records that "
                "a `key` ever had, in the order of arrival: one result for each record, or for "
                "each key that has changed every `emit_every`. No record is late.\n\n"
                "A key is kept for ever unless `state.ttl` says how long after its last record it "
                "is forgotten: give a key that ends, such as a day, or a ttl. For results per "
                "window of time use `window.aggregate`.",
            .options = running_options,
            .outputs = running_outputs,
            .outputs_count = 1,
            .state_version = MR_GROUP_OBJECT_VERSION,
            .estimate = running_estimate,
            .check = running_check,
            .check_bound = mr_aggregate_set_check,
        },
    .instance_size = sizeof(struct mr_windowing),
    .open = mr_windowing_open,
    .process = mr_windowing_process,
    .on_watermark = mr_windowing_watermark,
    .horizon = mr_windowing_horizon,
    .reach = running_reach,
    .close = mr_windowing_close,
    .state_table = groups_table,
    .describe_state = mr_windowing_describe,
};
