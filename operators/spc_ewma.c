/* operators/spc_ewma.c — spc.ewma: the exponentially weighted moving average between its limits.
 * Design: a kind of chart (operators/control_chart.h) whose points depend on those before.
 *
 *   z'    = lambda x + (1 - lambda) z          z begins at the centre line
 *   error = sigma sqrt(lambda / (2 - lambda) (1 - (1 - lambda)^(2 i)))     of the i-th point
 *
 * Statistics: z, and (1 - lambda)^(2 i), which `steady: true` takes as 0 from the begin. */
#include <math.h>

#include "base/assert.h"
#include "operators/chart_object.h"
#include "operators/registry.h"

enum parameter { LAMBDA, STEADY };
enum statistic { LEVEL, FADED };

static void measure(const struct mr_chart_rule_book *book, const struct mr_chart_sample *sample,
                    double previous, struct mr_chart_measure *measure)
{
    measure->location = sample->mean;
    measure->weight = 1;
    measure->spread = (double)NAN;
    measure->sigma = fabs(sample->mean - previous) / book->ranges[2].d2; /* NAN without one */
}

static double error_of(const struct mr_chart_rule_book *book,
                       const struct mr_chart_baseline *baseline, double weight)
{
    MR_UNUSED(book);
    MR_UNUSED(weight);
    return baseline->sigma;
}

static void judge(const struct mr_chart_rule_book *book, const struct mr_chart_baseline *baseline,
                  const struct mr_chart_measure *measure, bool begins,
                  double statistics[MR_CHART_STATISTICS], struct mr_chart_point *point)
{
    double lambda = book->parameters[LAMBDA];
    double center = baseline->center;
    if (begins) {
        statistics[LEVEL] = center;
        statistics[FADED] = book->parameters[STEADY] != 0 ? 0 : 1;
    }
    statistics[LEVEL] = lambda * measure->location + (1 - lambda) * statistics[LEVEL];
    statistics[FADED] *= (1 - lambda) * (1 - lambda);
    double error = baseline->sigma * sqrt(lambda / (2 - lambda) * (1 - statistics[FADED]));
    double reach = book->sigmas * error;
    *point = (struct mr_chart_point){
        .value = statistics[LEVEL],
        .lines = {center, center - reach, center + reach},
        .distance = mr_chart_distance(statistics[LEVEL], center, error),
        .spread = (double)NAN,
    };
    point->beyond = point->value > point->lines.upper || point->value < point->lines.lower;
}

const struct mr_chart_kind mr_chart_kind_ewma = {
    .needs_ranges = true,
    .least = 1,
    .most = 2,
    .value_text = "moving average",
    .limit_rule = "limits",
    .measure = measure,
    .error = error_of,
    .judge = judge,
};

static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    struct mr_chart *chart = self;
    const struct mr_options *given = &open->node->options;
    chart->book.parameters[LAMBDA] = mr_options_number(given, "lambda");
    chart->book.parameters[STEADY] = mr_options_boolean(given, "steady") ? 1 : 0;
    return mr_chart_open(chart, open, &mr_chart_kind_ewma, error);
}

static const struct mr_option_spec options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_CHART_OPTION_SIGMAS,
    {.name = "lambda",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0.2",
     .minimum = 1e-6,
     .maximum = 1,
     .help = "Weight of the newest record in the moving average: small finds small shifts."},
    {.name = "steady",
     .type = MR_OPTION_BOOLEAN,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "false",
     .help = "Limits are the steady ones from the first point on (true), or narrower at first, as "
             "the average varies less then (false)."},
    MR_CHART_OPTIONS_OF(mr_chart_target_fields),
    {.name = NULL},
};

static const struct mr_output_field fields[] = {
    MR_CHART_MEMBERS("|value - center| in standard errors of the moving average; 0 in phase 1.",
                     "The moving average with this record; null in phase 1."),
};

const struct mr_operator_type mr_operator_spc_ewma = {
    .spec =
        {
            .name = "spc.ewma",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds small lasting shifts by an EWMA chart with fixed limits.",
            .description =
                "Averages each key's records with weights that fade and compares the average with "
                "limits at `sigmas` of its standard errors around the centre line: sees shifts of "
                "half a sigma to two much sooner than limits of single values do. With lambda 0.2 "
                "and sigmas 3 a process in control is told wrong about once in 560 points. "
                "detect.ewma is alike, with a baseline that always follows slowly.\n\n"
                "Each record is a point, in the order in which records come; for means of "
                "subgroups "
                "put a window.aggregate before. Centre line and sigma are given by `limits`, or "
                "estimated in phase 1 as spc.i_mr does. A missing, infinite or larger number than "
                "1e140 follows on_error and is no point.\n\n"
                "See docs/CONTROL_CHARTS.md for the two phases and control records. State: some "
                "110 "
                "bytes a key, in phase 1 and 1 KiB for each 32 points. Papers: Roberts, "
                "Technometrics 1 (1959); Lucas and Saccucci, Technometrics 32 (1990).",
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
