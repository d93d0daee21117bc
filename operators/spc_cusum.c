/* operators/spc_cusum.c — spc.cusum: cumulative sums of deviations, on both sides.
 * Design: a kind of chart (operators/control_chart.h) whose points depend on those before.
 *
 *   z     = (x - center) / sigma
 *   high' = max(0, high + z - k)          begins at head * h
 *   low'  = min(0, low + z + k)           begins at -head * h
 *
 * The point is beyond when high > h or low < -h; with `restart` both sums begin anew behind it.
 * Sums stay within +-SUM_MAX, so that a process without variation keeps them finite. */
#include <math.h>

#include "base/assert.h"
#include "operators/chart_object.h"
#include "operators/registry.h"

enum parameter { SLACK, LIMIT, HEAD, RESTART };
enum statistic { HIGH, LOW };

#define SUM_MAX 1e200

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
    double slack = book->parameters[SLACK];
    double limit = book->parameters[LIMIT];
    double head = book->parameters[HEAD] * limit;
    double distance = mr_chart_distance(measure->location, baseline->center, baseline->sigma);
    distance = fmax(-SUM_MAX, fmin(SUM_MAX, distance));
    if (begins) {
        statistics[HIGH] = head;
        statistics[LOW] = -head;
    }
    double high = fmin(SUM_MAX, fmax(0, statistics[HIGH] + distance - slack));
    double low = fmax(-SUM_MAX, fmin(0, statistics[LOW] + distance + slack));
    bool beyond = high > limit || low < -limit;
    bool restarts = beyond && book->parameters[RESTART] != 0;
    double value = high >= -low ? high : low;
    statistics[HIGH] = restarts ? head : high;
    statistics[LOW] = restarts ? -head : low;
    *point = (struct mr_chart_point){
        .value = value,
        .lines = {0, -limit, limit},
        .distance = value,
        .beyond = beyond,
        .spread = (double)NAN,
        .own = {high, low},
    };
}

const struct mr_chart_kind mr_chart_kind_cusum = {
    .needs_ranges = true,
    .least = 1,
    .most = 2,
    .value_text = "cumulative sum",
    .limit_rule = "limits",
    .own_count = 2,
    .measure = measure,
    .error = error_of,
    .judge = judge,
};

static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    struct mr_chart *chart = self;
    const struct mr_options *given = &open->node->options;
    double *parameters = chart->book.parameters;
    parameters[SLACK] = mr_options_number(given, "k");
    parameters[LIMIT] = mr_options_number(given, "h");
    parameters[HEAD] = mr_options_number(given, "head");
    parameters[RESTART] = mr_options_boolean(given, "restart") ? 1 : 0;
    chart->book.sigmas = parameters[LIMIT];
    return mr_chart_open(chart, open, &mr_chart_kind_cusum, error);
}

static const struct mr_option_spec options[] = {
    MR_DETECTOR_OPTION_FIELD,
    {.name = "k",
     .type = MR_OPTION_NUMBER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0.5",
     .minimum = 0,
     .maximum = 100,
     .help = "The slack in sigma: half of the shift that is to be found soonest."},
    {.name = "h",
     .type = MR_OPTION_NUMBER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "5.0",
     .minimum = 0.01,
     .maximum = 1e6,
     .help = "The limit of the sums in sigma."},
    {.name = "head",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0",
     .minimum = 0,
     .maximum = 0.999,
     .help = "Fast initial response: where the sums begin, as a share of h; 0.5 finds at once what "
             "is off from the begin."},
    {.name = "restart",
     .type = MR_OPTION_BOOLEAN,
     .default_text = "false",
     .help = "Behind a point beyond the limits both sums begin anew, at the head (true), or go on "
             "(false)."},
    MR_CHART_OPTIONS_OF(mr_chart_target_fields),
    {.name = NULL},
};

static const struct mr_output_field fields[] = {
    MR_CHART_MEMBERS("The larger of the two sums without its sign, in sigma; 0 in phase 1.",
                     "The sum that is farther from 0; null in phase 1."),
    {"high", MR_TYPE_DOUBLE, "The sum of deviations upwards beyond k, in sigma; null in phase 1."},
    {"low", MR_TYPE_DOUBLE, "The same downwards, <= 0; null in phase 1."},
};

const struct mr_operator_type mr_operator_spc_cusum = {
    .spec =
        {
            .name = "spc.cusum",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds small lasting shifts by cumulative sums on both sides.",
            .description =
                "Sums up by how much each key's records deviate from the centre line, in sigma and "
                "less the slack `k`: a process in control brings the sums back to 0, a shift makes "
                "one of them grow until it passes `h`. With k 0.5 and h 5 a shift of one sigma is "
                "found after about ten points, and a process in control is told wrong about once "
                "in 465. The tabular form, on both sides, with fast initial response (`head`).\n\n"
                "Each record is a point, in the order in which records come; for means of "
                "subgroups "
                "put a window.aggregate before. Centre line and sigma are given by `limits`, or "
                "estimated in phase 1 as spc.i_mr does. A missing, infinite or larger number than "
                "1e140 follows on_error and is no point.\n\n"
                "See docs/CONTROL_CHARTS.md for the two phases and control records. State: some "
                "110 "
                "bytes a key, in phase 1 and 1 KiB for each 32 points. Papers: Page, Biometrika 41 "
                "(1954); Lucas and Crosier, Technometrics 24 (1982).",
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
