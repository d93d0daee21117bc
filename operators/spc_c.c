/* operators/spc_c.c — spc.c: the number of defects of samples that are all alike.
 * Design: a kind of chart of counts (operators/chart_counts.h); each sample is one unit. */
#include "base/assert.h"
#include "operators/chart_counts.h"
#include "operators/chart_object.h"
#include "operators/registry.h"

static const struct mr_chart_kind kind = {
    .counts = MR_COUNTS_DEFECTS,
    .least = 1,
    .most = 2,
    .value_text = "number",
    .measure = mr_chart_count_measure,
    .error = mr_chart_rate_error,
};

static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    return mr_chart_counts_open(self, open, &kind, error);
}

static const struct mr_option_spec options[] = {
    MR_CHART_OPTION_COUNT("How many defects the sample has."),
    MR_CHART_OPTION_SIGMAS,
    MR_CHART_OPTION_RULES,
    MR_CHART_OPTIONS_COUNTS(mr_chart_count_limits),
    {.name = NULL},
};

static const struct mr_output_field fields[] = {
    MR_CHART_MEMBERS("|value - center| in standard errors; 0 in phase 1.",
                     "The number of defects."),
};

const struct mr_operator_type mr_operator_spc_c = {
    .spec =
        {
            .name = "spc.c",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Watches the number of defects of samples of one size by a c chart.",
            .description =
                "Each record is a sample: one unit, or as much of something as always, of which "
                "`field` counts the defects; a unit may have many. The centre line c is their "
                "mean, limits stand at c +- sigmas sqrt(c) and not below 0. For samples of "
                "different sizes take spc.u, for items that are good or bad spc.p.\n\nLimits hold "
                "where defects come independently of each other (Poisson). Where they come in "
                "clusters, counts vary more and limits are too narrow: take spc.i_mr "
                "then.\n\nRecords count in the order in which they come, and as often as they "
                "come: take `sort` or `deduplicate` before where a source sends some late or "
                "again. A count that is negative, no whole number or above 1e15 follows "
                "on_error.\n\nSee docs/CONTROL_CHARTS.md for the two phases, rules and control "
                "records. State: some 100 bytes a key, in phase 1 and 1 KiB for each 32 points. "
                "Source: Montgomery, Introduction to Statistical Quality Control, chapter 7.",
            .options = options,
            .outputs = mr_chart_record_outputs,
            .outputs_count = MR_ARRAY_COUNT(mr_chart_record_outputs),
            .as_default = "spc",
            .added_fields = fields,
            .added_fields_count = MR_ARRAY_COUNT(fields),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION),
            .estimate = mr_chart_estimate,
            .check = mr_chart_counts_check,
        },
    .instance_size = sizeof(struct mr_chart),
    .open = open,
    .process = mr_chart_process,
    .on_watermark = mr_chart_watermark,
    .close = mr_chart_close,
    .state_table = mr_chart_table,
    .describe_state = mr_chart_describe,
};
