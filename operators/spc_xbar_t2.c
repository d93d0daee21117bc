/* operators/spc_xbar_t2.c — spc.xbar_t2: Hotelling's T2 of the means of subgroups of several
 * fields. Design: a kind of operators/chart_vector.h, which has the mathematics. */
#include "base/assert.h"
#include "operators/alert.h"
#include "operators/chart_object.h"
#include "operators/chart_vector.h"
#include "operators/registry.h"

static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    return mr_vector_open(self, open, &mr_chart_kind_xbar_t2, error);
}

static const struct mr_option_spec options[] = {
    MR_VECTOR_OPTION_FIELDS, MR_CHART_OPTION_SUBGROUP, MR_VECTOR_OPTION_ALPHA,
    MR_VECTOR_OPTIONS,       {.name = NULL},
};

static const struct mr_output_field fields[] = {
    MR_CHART_GROUP_FIELDS,
    MR_VECTOR_MEMBERS("Hotelling's T2 of the subgroup's means; null in phase 1."),
};

static const struct mr_output_spec outputs[] = {MR_CHART_GROUP_OUTPUTS(fields)};

const struct mr_operator_type mr_operator_spc_xbar_t2 = {
    .spec =
        {
            .name = "spc.xbar_t2",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS | MR_TYPE_CONTROLLED,
            .summary =
                "Watches the means of several fields together by Hotelling's T2 of subgroups.",
            .description =
                "As spc.t2, with a point per subgroup: T2 = n (mean - center)' S^-1 (mean - "
                "center), where S is the covariance within the subgroups of phase 1, pooled, so "
                "that what moves from subgroup to subgroup is told and not part of the limits. The "
                "limit follows from the F distribution, by the subgroup's own size; of given "
                "`limits` it is chi-square.\n\n"
                "Subgroups are so many records (count), records in a row with one value of a field "
                "(field: the next value closes it), or all of a time (window: closed by the "
                "watermark, records behind it go to `late`). A subgroup of one record makes no "
                "point (state starved); a window without records makes no subgroup; a record of "
                "which one number is missing, infinite or larger than 1e140 follows on_error and "
                "is in no subgroup. Whether the covariance itself changed is not watched: put "
                "spc.xbar_s on the fields beside it.\n\n"
                "See docs/CONTROL_CHARTS.md for the two phases and control records. State of d "
                "fields: some 250 + 8 d (d + 3) bytes a key, in phase 1 and 8 + 4 d (d + 3) bytes "
                "a "
                "point, and as many for each open window. Source: Hotelling, Multivariate quality "
                "control (1947); Montgomery, Introduction to Statistical Quality Control.",
            .options = options,
            .outputs = outputs,
            .outputs_count = MR_ARRAY_COUNT(outputs),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION),
            .estimate = mr_vector_estimate,
            .check = mr_vector_check,
        },
    .instance_size = sizeof(struct mr_vector_chart),
    .open = open,
    .process = mr_chart_process,
    .on_watermark = mr_chart_watermark,
    .reach = mr_chart_reach,
    .close = mr_vector_close,
    .state_table = mr_chart_table,
    .describe_state = mr_chart_describe,
};
