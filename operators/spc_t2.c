/* operators/spc_t2.c — spc.t2: Hotelling's T2 of single records of several fields.
 * Design: a kind of operators/chart_vector.h, which has the mathematics. */
#include "base/assert.h"
#include "operators/chart_object.h"
#include "operators/chart_vector.h"
#include "operators/registry.h"

static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    return mr_vector_open(self, open, &mr_chart_kind_t2, error);
}

static const struct mr_option_spec options[] = {
    MR_VECTOR_OPTION_FIELDS,
    MR_VECTOR_OPTION_ALPHA,
    MR_VECTOR_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field fields[] = {
    MR_VECTOR_MEMBERS("Hotelling's T2 of the record; null in phase 1."),
};

const struct mr_operator_type mr_operator_spc_t2 = {
    .spec =
        {
            .name = "spc.t2",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Watches several fields together by Hotelling's T2 of each record.",
            .description =
                "One chart for fields that move together: T2 is the squared distance of a record "
                "from the mean, measured by the covariance, so that a pair of ordinary numbers "
                "that do not belong together is beyond the limit, which charts of the single "
                "fields do not see. The limit of a point is that of the F distribution for mean "
                "and covariance estimated from N records (of phase 1: of the beta distribution; of "
                "given `limits`: chi-square), so that a process in control is told in a share "
                "`alpha` of its points however small phase 1 was. contributions say by how much T2 "
                "would be smaller without each field: the largest is where to look first.\n\n"
                "Phase 1 takes at least two points more than there are fields, and 20 or more per "
                "field to find small shifts. For subgroups take spc.xbar_t2, for small lasting "
                "shifts spc.mewma; detect.mahalanobis is alike, without phases and for data that "
                "need not be normal. A record of which one number is missing, infinite or larger "
                "than 1e140 follows on_error and is no point. Fields that determine each other or "
                "do not vary are allowed: a record that breaks the tie has a huge T2.\n\n"
                "See docs/CONTROL_CHARTS.md for the two phases and control records. State of d "
                "fields: some 180 + 4 d (d + 3) bytes a key, in phase 1 and 8 (d + 1) bytes a "
                "point. With `baseline: cumulative` or exponential the limit is computed anew at "
                "each point, some 40 us. Papers: Hotelling, Multivariate quality control (1947); "
                "Tracy, Young and Mason, J. Quality Technology 24 (1992); Runger, Alt and "
                "Montgomery, Contributors to a multivariate SPC chart signal (1996).",
            .options = options,
            .outputs = mr_chart_record_outputs,
            .outputs_count = MR_ARRAY_COUNT(mr_chart_record_outputs),
            .as_default = "spc",
            .added_fields = fields,
            .added_fields_count = MR_ARRAY_COUNT(fields),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION),
            .estimate = mr_vector_estimate,
            .check = mr_vector_check,
        },
    .instance_size = sizeof(struct mr_vector_chart),
    .open = open,
    .process = mr_chart_process,
    .on_watermark = mr_chart_watermark,
    .close = mr_vector_close,
    .state_table = mr_chart_table,
    .describe_state = mr_chart_describe,
};
