/* operators/spc_i_mr.c — spc.i_mr: single values and their moving ranges.
 * Design: a kind of chart (operators/control_chart.h). The moving range is |x - the value before|;
 * sigma by it is MR / d2(2). The first record of a key has none. */
#include <math.h>

#include "base/assert.h"
#include "operators/chart_object.h"
#include "operators/registry.h"

static void measure(const struct mr_chart_rule_book *book, const struct mr_chart_sample *sample,
                    double previous, struct mr_chart_measure *measure)
{
    measure->location = sample->mean;
    measure->weight = 1;
    measure->spread = fabs(sample->mean - previous); /* NAN without one */
    measure->sigma = measure->spread / book->ranges[2].d2;
}

static double error_of(const struct mr_chart_rule_book *book,
                       const struct mr_chart_baseline *baseline, double weight)
{
    MR_UNUSED(book);
    MR_UNUSED(weight);
    return baseline->sigma;
}

static struct mr_range_constants spread(const struct mr_chart_rule_book *book, double weight)
{
    MR_UNUSED(weight);
    return book->ranges[2];
}

const struct mr_chart_kind mr_chart_kind_i_mr = {
    .has_spread = true,
    .needs_ranges = true,
    .least = 1,
    .most = 2,
    .value_text = "value",
    .spread_text = "moving range",
    .measure = measure,
    .error = error_of,
    .spread = spread,
};

static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    return mr_chart_open(self, open, &mr_chart_kind_i_mr, error);
}

static const struct mr_option_spec options[] = {
    MR_DETECTOR_OPTION_FIELD, MR_CHART_OPTION_SIGMAS, MR_CHART_OPTION_RULES,
    MR_CHART_OPTIONS,         {.name = NULL},
};

static const struct mr_output_field fields[] = {
    MR_CHART_MEMBERS("|value - center| in sigma; 0 in phase 1.", "The record's value."),
    MR_CHART_SPREAD_MEMBERS("The moving range: the distance from the key's value before; null for "
                            "the first."),
};

const struct mr_operator_type mr_operator_spc_i_mr = {
    .spec =
        {
            .name = "spc.i_mr",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Watches single values by a chart of values and moving ranges.",
            .description =
                "For processes that give one value at a time: each record is a point. sigma is "
                "estimated from moving ranges, the distances between neighbours, so that a slow "
                "drift within phase 1 does not widen the limits: xbar +- sigmas MRbar / d2(2) for "
                "the value, MRbar (1 +- sigmas d3(2) / d2(2)) for the moving range. Values that "
                "depend on their neighbours make sigma too small, and limits too narrow.\n\n"
                "Records count in the order in which they come, and as often as they come: take "
                "`sort` or `deduplicate` before where a source sends some late or again. A "
                "missing, infinite or larger number than 1e140 follows on_error and is no "
                "point.\n\n"
                "See docs/CONTROL_CHARTS.md for the two phases, rules and control records. State: "
                "some 100 bytes a key, in phase 1 and 1 KiB for each 32 points. Source: "
                "Montgomery, Introduction to Statistical Quality Control.",
            .options = options,
            .outputs = mr_chart_record_outputs,
            .outputs_count = MR_ARRAY_COUNT(mr_chart_record_outputs),
            .as_default = "spc",
            .added_fields = fields,
            .added_fields_count = MR_ARRAY_COUNT(fields),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION),
            .estimate = mr_chart_estimate,
            .check = mr_chart_check,
        },
    .instance_size = sizeof(struct mr_chart),
    .open = open,
    .process = mr_chart_process,
    .on_watermark = mr_chart_watermark,
    .close = mr_chart_close,
    .state_table = mr_chart_table,
    .describe_state = mr_chart_describe,
};
