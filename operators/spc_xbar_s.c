/* operators/spc_xbar_s.c — spc.xbar_s: means and standard deviations of subgroups.
 * Design: a kind of chart (operators/control_chart.h).
 * sigma by a standard deviation is s / c4(n); unequal sizes average that. */
#include <math.h>

#include "base/assert.h"
#include "operators/alert.h"
#include "operators/chart_object.h"
#include "operators/registry.h"

static void measure(const struct mr_chart_rule_book *book, const struct mr_chart_sample *sample,
                    double previous, struct mr_chart_measure *measure)
{
    MR_UNUSED(previous);
    MR_UNUSED(book);
    uint64_t count = sample->count;
    measure->location = sample->mean;
    measure->weight = (double)count;
    measure->spread = sqrt(sample->squares / (double)(count - 1));
    measure->sigma = measure->spread / mr_control_c4((uint32_t)count);
}

static double error_of(const struct mr_chart_rule_book *book,
                       const struct mr_chart_baseline *baseline, double weight)
{
    MR_UNUSED(book);
    return baseline->sigma / sqrt(weight);
}

static struct mr_range_constants spread(const struct mr_chart_rule_book *book, double weight)
{
    MR_UNUSED(book);
    double c4 = mr_control_c4((uint32_t)weight);
    return (struct mr_range_constants){.d2 = c4, .d3 = sqrt(1 - c4 * c4)};
}

static const struct mr_chart_kind kind = {
    .has_groups = true,
    .has_spread = true,
    .needs_ranges = false,
    .least = 2,
    .most = 1000000,
    .value_text = "mean",
    .spread_text = "standard deviation",
    .measure = measure,
    .error = error_of,
    .spread = spread,
};

static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    return mr_chart_open(self, open, &kind, error);
}

static const struct mr_option_spec options[] = {
    MR_DETECTOR_OPTION_FIELD, MR_CHART_OPTION_SUBGROUP, MR_CHART_OPTION_SIGMAS,
    MR_CHART_OPTION_RULES,    MR_CHART_OPTIONS,         {.name = NULL},
};

static const struct mr_output_field fields[] = {
    MR_CHART_GROUP_FIELDS,
    MR_CHART_MEMBERS("|value - center| in standard errors of the mean; 0 in phase 1.",
                     "The mean of the subgroup."),
    MR_CHART_SPREAD_MEMBERS("Its standard deviation, with divisor n - 1."),
};

static const struct mr_output_spec outputs[] = {MR_CHART_GROUP_OUTPUTS(fields)};

const struct mr_operator_type mr_operator_spc_xbar_s = {
    .spec =
        {
            .name = "spc.xbar_s",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS | MR_TYPE_CONTROLLED,
            .summary =
                "Watches means and standard deviations of subgroups by an x-bar and s chart.",
            .description =
                "As spc.xbar_r, with the standard deviation of a subgroup in place of its range: "
                "better from about ten values on, and where sizes differ. Limits stand at xbarbar "
                "+- sigmas sbar / (c4 sqrt(n)) for the mean and at sbar (1 +- sigmas sqrt(1 - "
                "c4^2) / c4) for the standard deviation, each by the subgroup's own size n."
                "\n\n"
                "Subgroups are so many records (count), records in a row with one value of a field "
                "(field: the next value closes it), or all of a time (window: closed by the "
                "watermark, records behind it go to `late`). A subgroup of one record makes no "
                "point (state starved); a window without records makes no subgroup; a missing, "
                "infinite or larger number than 1e140 follows on_error and is in no subgroup. "
                "Records count as often as they come: take `deduplicate` before where a source "
                "sends some again.\n\n"
                "See docs/CONTROL_CHARTS.md for the two phases, rules and control records. State: "
                "some 150 bytes a key, in phase 1 and 1 KiB for each 32 points, and 100 bytes for "
                "each open window."
                " Source: Montgomery, Introduction to Statistical Quality Control.",
            .options = options,
            .outputs = outputs,
            .outputs_count = MR_ARRAY_COUNT(outputs),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION),
            .estimate = mr_chart_estimate,
            .check = mr_chart_check,
        },
    .instance_size = sizeof(struct mr_chart),
    .open = open,
    .process = mr_chart_process,
    .on_watermark = mr_chart_watermark,
    .reach = mr_chart_reach,
    .close = mr_chart_close,
    .state_table = mr_chart_table,
    .describe_state = mr_chart_describe,
};
