/* operators/spc_xbar_r.c — spc.xbar_r: means and ranges of subgroups.
 * Design: a kind of chart (operators/control_chart.h).
 * sigma by a range is R / d2(n); unequal sizes average that, not the ranges. */
#include <math.h>

#include "base/assert.h"
#include "operators/alert.h"
#include "operators/chart_object.h"
#include "operators/registry.h"

static void measure(const struct mr_chart_rule_book *book, const struct mr_chart_sample *sample,
                    double previous, struct mr_chart_measure *measure)
{
    MR_UNUSED(previous);
    measure->location = sample->mean;
    measure->weight = (double)sample->count;
    measure->spread = sample->maximum - sample->minimum;
    measure->sigma = measure->spread / book->ranges[sample->count].d2;
}

static double error_of(const struct mr_chart_rule_book *book,
                       const struct mr_chart_baseline *baseline, double weight)
{
    MR_UNUSED(book);
    return baseline->sigma / sqrt(weight);
}

static struct mr_range_constants spread(const struct mr_chart_rule_book *book, double weight)
{
    return book->ranges[(uint32_t)weight];
}

static const struct mr_chart_kind kind = {
    .has_groups = true,
    .has_spread = true,
    .needs_ranges = true,
    .least = 2,
    .most = MR_CONTROL_SIZE_MAX,
    .value_text = "mean",
    .spread_text = "range",
    .measure = measure,
    .error = error_of,
    .spread = spread,
};

static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    return mr_chart_open(self, open, &kind, error);
}

static enum mr_status check(const struct mr_options *given, const char **option,
                            struct mr_error *error)
{
    const struct mr_options *subgroup = mr_options_get(given, "subgroup")->objects;
    *option = "subgroup";
    if (mr_options_integer(subgroup, "count") > MR_CONTROL_SIZE_MAX)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`subgroup`: the range of more than %d values says little: take spc.xbar_s",
                       MR_CONTROL_SIZE_MAX);
    return mr_chart_check(given, option, error);
}

static const struct mr_option_spec options[] = {
    MR_DETECTOR_OPTION_FIELD, MR_CHART_OPTION_SUBGROUP, MR_CHART_OPTION_SIGMAS,
    MR_CHART_OPTION_RULES,    MR_CHART_OPTIONS,         {.name = NULL},
};

static const struct mr_output_field fields[] = {
    MR_CHART_GROUP_FIELDS,
    MR_CHART_MEMBERS("|value - center| in standard errors of the mean; 0 in phase 1.",
                     "The mean of the subgroup."),
    MR_CHART_SPREAD_MEMBERS("Its range: largest less smallest value."),
};

static const struct mr_output_spec outputs[] = {MR_CHART_GROUP_OUTPUTS(fields)};

const struct mr_operator_type mr_operator_spc_xbar_r = {
    .spec =
        {
            .name = "spc.xbar_r",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS | MR_TYPE_CONTROLLED,
            .summary = "Watches means and ranges of subgroups by an x-bar and R chart.",
            .description =
                "The classical chart of a process that is measured a few times in a row: each "
                "subgroup makes a point, its mean, and its range tells how much the process varies "
                "within a subgroup. Limits stand at xbarbar +- sigmas Rbar / (d2 sqrt(n)) for the "
                "mean and at Rbar (1 +- sigmas d3 / d2) for the range, each by the subgroup's own "
                "size n. For subgroups of more than about ten take spc.xbar_s, for single records "
                "spc.i_mr."
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
                " Source: Shewhart (1931); Montgomery, Introduction to Statistical Quality "
                "Control.",
            .options = options,
            .outputs = outputs,
            .outputs_count = MR_ARRAY_COUNT(outputs),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION),
            .estimate = mr_chart_estimate,
            .check = check,
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
