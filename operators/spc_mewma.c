/* operators/spc_mewma.c — spc.mewma: the exponentially weighted moving average of several fields.
 * Design: a kind of operators/chart_vector.h; the limit is that of operators/mewma_limit.h. */
#include "base/assert.h"
#include "operators/chart_object.h"
#include "operators/chart_vector.h"
#include "operators/mewma_limit.h"
#include "operators/registry.h"

static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    return mr_vector_open(self, open, &mr_chart_kind_mewma, error);
}

static const struct mr_option_spec options[] = {
    MR_VECTOR_OPTION_FIELDS,
    {.name = "lambda",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0.1",
     .minimum = MR_MEWMA_LAMBDA_MIN,
     .maximum = 1,
     .help = "Weight of the newest record in the moving average: small finds small shifts."},
    {.name = "run_length",
     .type = MR_OPTION_NUMBER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "370",
     .minimum = 2,
     .maximum = MR_MEWMA_RUN_LENGTH_MAX,
     .help = "How many points of a process in control it takes on average until one is told: the "
             "limit is computed from it."},
    MR_VECTOR_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field fields[] = {
    MR_VECTOR_MEMBERS("T2 of the moving average with this record; null in phase 1."),
};

const struct mr_operator_type mr_operator_spc_mewma = {
    .spec =
        {
            .name = "spc.mewma",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds small lasting shifts of several fields together by a multivariate "
                       "EWMA chart.",
            .description =
                "Averages each key's records, field by field, with weights that fade, and measures "
                "the average by the covariance: z' = lambda (x - mean) + (1 - lambda) z, value = "
                "(2 - lambda) / lambda z' S^-1 z. Sees shifts of half a sigma to two, in any "
                "direction, much sooner than spc.t2; large ones of a single record later. Not an "
                "EWMA per field: one limit holds for all, and correlations count.\n\n"
                "The limit is computed from `run_length`, lambda and the number of fields by the "
                "integral equation of the run length, not looked up; it holds for known mean and "
                "covariance: estimated from a short phase 1 false alarms come sooner, so take "
                "hundreds of points, or `limits`. "
                "The average begins at the mean and goes on after an alarm. contributions say by "
                "how much the value would be smaller without each field. Phase 1 leaves out points "
                "whose own T2 is beyond the limit of 0.0027. A record of which one number is "
                "missing, infinite or larger than 1e140 follows on_error and is no point.\n\n"
                "See docs/CONTROL_CHARTS.md for the two phases and control records. State of d "
                "fields: some 180 + 4 d (d + 5) bytes a key, in phase 1 and 8 (d + 1) bytes a "
                "point. Opening takes some 20 ms, with lambda 0.01 a second. Papers: Lowry, "
                "Woodall, Champ and Rigdon, Technometrics 34 (1992); Rigdon, J. Statist. Comput. "
                "Simul. 52 (1995); Runger and Prabhu, J. Amer. Statist. Assoc. 91 (1996).",
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
