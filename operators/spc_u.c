/* operators/spc_u.c — spc.u: defects per unit, of samples of any sizes.
 * Design: a kind of chart of counts (operators/chart_counts.h). */
#include "base/assert.h"
#include "operators/chart_counts.h"
#include "operators/chart_object.h"
#include "operators/registry.h"

static const struct mr_chart_kind kind = {
    .counts = MR_COUNTS_DEFECTS,
    .least = 1,
    .most = 2,
    .value_text = "rate",
    .measure = mr_chart_count_measure,
    .error = mr_chart_rate_error,
};

static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    return mr_chart_counts_open(self, open, &kind, error);
}

static const struct mr_option_spec options[] = {
    MR_CHART_OPTION_COUNT("How many defects the sample has."),
    MR_CHART_OPTION_SIZE("How many units the record's sample has, also parts of one: 9.5."),
    {.name = "sample_size",
     .type = MR_OPTION_NUMBER,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = MR_UNITS_MIN,
     .maximum = MR_COUNT_MAX,
     .help = "How many units each sample has; instead of size."},
    MR_CHART_OPTION_SIGMAS,
    MR_CHART_OPTION_RULES,
    MR_CHART_OPTIONS_COUNTS(mr_chart_count_limits),
    {.name = NULL},
};

static const struct mr_output_field fields[] = {
    MR_CHART_MEMBERS("|value - center| in standard errors of a sample of that size; 0 in phase 1.",
                     "field / size: defects per unit."),
};

const struct mr_operator_type mr_operator_spc_u = {
    .spec =
        {
            .name = "spc.u",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Watches defects per unit of samples by a u chart.",
            .description =
                "Each record is a sample: on `size` units (or always `sample_size`; pieces, "
                "metres, hours, also parts of one) `field` defects were found. The centre line u "
                "is all defects over all units of phase 1, or given; limits stand at u +- sigmas "
                "sqrt(u / n), by each sample's own size n, and not below 0.\n\nLimits hold where "
                "defects come independently of each other (Poisson). Where they come in clusters, "
                "rates vary more and limits are too narrow: take spc.i_mr then.\n\nRecords count "
                "in the order in which they come, and as often as they come: take `sort` or "
                "`deduplicate` before where a source sends some late or again. A count that is "
                "negative, no whole number or above 1e15 follows on_error, as does a size that is "
                "negative, below 1e-9 or above 1e15, and a defect on no units; a sample of size 0 "
                "makes no point (state starved).\n\nSee docs/CONTROL_CHARTS.md for the two "
                "phases, rules and control records. State: some 100 bytes a key, in phase 1 and 1 "
                "KiB for each 32 points. Source: Montgomery, Introduction to Statistical Quality "
                "Control, chapter 7.",
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
