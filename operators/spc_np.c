/* operators/spc_np.c — spc.np: the number of items that are found bad.
 * Design: a kind of chart of counts (operators/chart_counts.h): shares as spc.p has them, plotted
 * as numbers, with lines for the sample's size. */
#include "base/assert.h"
#include "operators/chart_counts.h"
#include "operators/chart_object.h"
#include "operators/registry.h"

static const struct mr_chart_kind kind = {
    .counts = MR_COUNTS_ITEMS,
    .is_total = true,
    .least = 1,
    .most = 2,
    .value_text = "number",
    .measure = mr_chart_count_measure,
    .error = mr_chart_share_error,
};

/* The book has shares. */
static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    struct mr_chart *chart = self;
    enum mr_status status = mr_chart_counts_open(chart, open, &kind, error);
    chart->book.given.center /= chart->sample_size;
    return status;
}

static enum mr_status check(const struct mr_options *given, const char **option,
                            struct mr_error *error)
{
    enum mr_status status = mr_chart_counts_check(given, option, error);
    if (status != MR_OK || !mr_options_present(given, "limits"))
        return status;
    const struct mr_options *limits = mr_options_get(given, "limits")->objects;
    double all = (double)mr_options_integer(given, "sample_size");
    *option = "limits";
    if (mr_options_present(given, "size"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits` are numbers of items, of samples of one size: say `sample_size`, "
                       "or take spc.p, whose limits are shares");
    if (mr_options_number(limits, "cl") > all || mr_options_number(limits, "ucl") > all)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits`: cl and ucl are at most `sample_size` (%g)", all);
    return MR_OK;
}

static const struct mr_option_spec options[] = {
    MR_CHART_OPTION_COUNT("How many items of the sample were found bad."),
    MR_CHART_OPTION_SIZE("How many items the record's sample has."),
    MR_CHART_OPTION_SAMPLE_SIZE,
    MR_CHART_OPTION_SIGMAS,
    MR_CHART_OPTION_RULES,
    MR_CHART_OPTIONS_COUNTS(mr_chart_count_limits),
    {.name = NULL},
};

static const struct mr_output_field fields[] = {
    MR_CHART_MEMBERS("|value - center| in standard errors of a sample of that size; 0 in phase 1.",
                     "The number of bad items."),
};

const struct mr_operator_type mr_operator_spc_np = {
    .spec =
        {
            .name = "spc.np",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Watches the number of bad items of samples by an np chart.",
            .description =
                "As spc.p, with the number of bad items in place of their share: limits stand at "
                "n p +- sigmas sqrt(n p (1 - p)), within 0 and n, where p is all bad items over "
                "all items of phase 1, or follows from the given centre line. With `size` the "
                "centre line moves with each sample's size n, and so do values; spc.p is easier "
                "to read then, and rules about rising and falling points mean more.\n\nRecords "
                "count in the order in which they come, and as often as they come: take `sort` or "
                "`deduplicate` before where a source sends some late or again. A count that is "
                "negative, no whole number, above the size or above 1e15 follows on_error, as "
                "does such a size; a sample of size 0 makes no point (state starved).\n\nSee "
                "docs/CONTROL_CHARTS.md for the two phases, rules and control records. State: "
                "some 100 bytes a key, in phase 1 and 1 KiB for each 32 points. Source: "
                "Montgomery, Introduction to Statistical Quality Control, chapter 7.",
            .options = options,
            .outputs = mr_chart_record_outputs,
            .outputs_count = MR_ARRAY_COUNT(mr_chart_record_outputs),
            .as_default = "spc",
            .added_fields = fields,
            .added_fields_count = MR_ARRAY_COUNT(fields),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION),
            .estimate = mr_chart_estimate,
            .check = check,
        },
    .instance_size = sizeof(struct mr_chart),
    .open = open,
    .process = mr_chart_process,
    .on_watermark = mr_chart_watermark,
    .close = mr_chart_close,
    .state_table = mr_chart_table,
    .describe_state = mr_chart_describe,
};
