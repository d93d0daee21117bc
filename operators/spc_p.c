/* operators/spc_p.c — spc.p: the share of items that are found bad, of samples of any sizes.
 * Design: a kind of chart of counts (operators/chart_counts.h). */
#include "base/assert.h"
#include "operators/chart_counts.h"
#include "operators/chart_object.h"
#include "operators/registry.h"

static const struct mr_chart_kind kind = {
    .counts = MR_COUNTS_ITEMS,
    .least = 1,
    .most = 2,
    .value_text = "share",
    .measure = mr_chart_count_measure,
    .error = mr_chart_share_error,
};

static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    return mr_chart_counts_open(self, open, &kind, error);
}

static const struct mr_option_spec options[] = {
    MR_CHART_OPTION_COUNT("How many items of the sample were found bad."),
    MR_CHART_OPTION_SIZE("How many items the record's sample has."),
    MR_CHART_OPTION_SAMPLE_SIZE,
    MR_CHART_OPTION_SIGMAS,
    MR_CHART_OPTION_RULES,
    MR_CHART_OPTIONS_COUNTS(mr_chart_share_limits),
    {.name = NULL},
};

static const struct mr_output_field fields[] = {
    MR_CHART_MEMBERS("|value - center| in standard errors of a sample of that size; 0 in phase 1.",
                     "field / size: the share of bad items."),
};

const struct mr_operator_type mr_operator_spc_p = {
    .spec =
        {
            .name = "spc.p",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Watches the share of bad items of samples by a p chart.",
            .description =
                "Each record is a sample: of `size` items (or always `sample_size`) `field` were "
                "found bad. The centre line is all bad items over all items of phase 1, or given; "
                "limits stand at p +- sigmas sqrt(p (1 - p) / n), by each sample's own size n, "
                "and within 0 and 1. For records of single items put a window.aggregate before, "
                "with the count of all and of bad ones. Where sizes hardly differ spc.np shows "
                "the same as numbers of items.\n\nLimits hold where items are bad independently "
                "of each other. Choose samples so large that some bad items are in most of them; "
                "with few, limits are off the wanted rate, and the lower one is 0 and tells "
                "nothing.\n\nRecords count in the order in which they come, and as often as they "
                "come: take `sort` or `deduplicate` before where a source sends some late or "
                "again. A count that is negative, no whole number, above the size or above 1e15 "
                "follows on_error, as does such a size; a sample of size 0 makes no point (state "
                "starved).\n\nSee docs/CONTROL_CHARTS.md for the two phases, rules and control "
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
