/* operators/spc_capability.c — spc.capability: how well a process fits between its limits.
 * Design: a kind of chart with numbers (operators/chart_numbers.h) whose subgroups are studies; the
 * mathematics are those of operators/capability.h. Numbers of an open study, enum number: what
 * within-sigma is estimated from, the rational subgroup that is not complete, and what is beyond
 * the limits. There is no phase 1 and no baseline. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "operators/alert.h"
#include "operators/capability.h"
#include "operators/chart_numbers.h"
#include "operators/chart_object.h"
#include "operators/registry.h"

enum number {
    SPREADS,       /* sum of ranges, standard deviations or moving ranges */
    SPREADS_COUNT, /* of them */
    PART_COUNT,    /* values of the rational subgroup that is open */
    PART_MEAN,
    PART_SQUARES, /* sum of squared deviations */
    PART_MINIMUM,
    PART_MAXIMUM,
    LAST, /* the value before */
    OUTSIDE,
    NUMBERS_COUNT
};

enum within { BY_MOVING_RANGE, BY_RANGE, BY_DEVIATION };

struct capability {
    struct mr_chart chart;
    enum within within;
    double size;                         /* of a rational subgroup */
    struct mr_range_constants constants; /* of a spread at sigma 1 */
    struct mr_capability_study limits;   /* lower, upper, target and confidence */
    double minimum;
    bool judges_overall; /* by ppk */
    double *results;     /* of the study in hand */
    double room[MR_CAPABILITY_RESULTS_COUNT];
};

static const struct capability *capability_of(const struct mr_chart *chart)
{
    return (const struct capability *)(const void *)chart;
}

/* ---- Studies ---- */

static void add_to_part(const struct capability *capability, double *numbers, double value)
{
    bool is_first = !(numbers[PART_COUNT] > 0);
    if (is_first) {
        numbers[PART_MEAN] = 0;
        numbers[PART_SQUARES] = 0;
        numbers[PART_MINIMUM] = value;
        numbers[PART_MAXIMUM] = value;
    }
    double deviation = value - numbers[PART_MEAN];
    numbers[PART_COUNT] += 1;
    numbers[PART_MEAN] += deviation / numbers[PART_COUNT];
    numbers[PART_SQUARES] += deviation * (value - numbers[PART_MEAN]);
    numbers[PART_MINIMUM] = fmin(numbers[PART_MINIMUM], value);
    numbers[PART_MAXIMUM] = fmax(numbers[PART_MAXIMUM], value);
    if (numbers[PART_COUNT] < capability->size)
        return;
    numbers[SPREADS] += capability->within == BY_RANGE
                            ? numbers[PART_MAXIMUM] - numbers[PART_MINIMUM]
                            : sqrt(numbers[PART_SQUARES] / (capability->size - 1));
    numbers[SPREADS_COUNT] += 1;
    numbers[PART_COUNT] = 0;
}

static void add(const struct mr_chart *chart, const struct mr_chart_sample *sample, double *numbers,
                const double *values)
{
    const struct capability *capability = capability_of(chart);
    double value = values[0];
    if (value < capability->limits.lower || value > capability->limits.upper)
        numbers[OUTSIDE] += 1;
    if (capability->within != BY_MOVING_RANGE) {
        add_to_part(capability, numbers, value);
        return;
    }
    if (sample->count > 1) {
        numbers[SPREADS] += fabs(value - numbers[LAST]);
        numbers[SPREADS_COUNT] += 1;
    }
    numbers[LAST] = value;
}

static void judge(const struct mr_chart *chart, const struct mr_chart_numbered *given,
                  double *baseline, struct mr_chart_point *point)
{
    const struct capability *capability = capability_of(chart);
    const struct mr_chart_sample *sample = &given->sample;
    const double *numbers = given->numbers;
    double spreads = numbers[SPREADS_COUNT];
    struct mr_capability_study study = capability->limits;
    MR_UNUSED(baseline);
    study.count = (double)sample->count;
    study.mean = sample->mean;
    study.sigma_overall = sqrt(sample->squares / (study.count - 1));
    study.outside = numbers[OUTSIDE];
    study.sigma_within = (double)NAN;
    study.freedom_within = 1;
    if (spreads > 0) {
        study.sigma_within = numbers[SPREADS] / spreads / capability->constants.d2;
        study.freedom_within = capability->within == BY_MOVING_RANGE
                                   ? mr_capability_moving_freedom(spreads)
                                   : mr_capability_freedom(capability->constants, spreads);
    }
    double *results = capability->results;
    mr_capability(&study, results);
    double index = results[capability->judges_overall ? MR_CAPABILITY_PPK : MR_CAPABILITY_CPK];
    double minimum = capability->minimum;
    point->value = index;
    point->lines = (struct mr_chart_lines){minimum, minimum, minimum};
    point->beyond = index < minimum;
    point->distance = point->beyond ? -1 : 0;
    point->score = point->beyond ? minimum - index : 0;
    point->threshold = 0;
    point->more = results;
    point->text = mr_capability_rating(index);
    point->is_mild = index >= 1;
}

static void describe(const struct mr_chart *chart, uint64_t number,
                     const struct mr_chart_point *point, char *text, size_t size)
{
    const struct capability *capability = capability_of(chart);
    bool overall = capability->judges_overall;
    snprintf(text, size,
             "point %" PRIu64 ": the %s of %.100s is %.6g, below %.6g; the mean is %.10g, sigma "
             "%.10g, and some %.6g of a million are expected beyond the limits",
             number, overall ? "ppk" : "cpk", chart->field_text, point->value, capability->minimum,
             point->more[MR_CAPABILITY_MEAN],
             point->more[overall ? MR_CAPABILITY_SIGMA_OVERALL : MR_CAPABILITY_SIGMA_WITHIN],
             point->more[overall ? MR_CAPABILITY_PPM_OVERALL : MR_CAPABILITY_PPM_WITHIN]);
}

static const struct mr_chart_numbers numbers_of_studies = {
    .add = add,
    .judge = judge,
    .describe = describe,
};

static const struct mr_chart_kind kind = {
    .has_groups = true,
    .least = 2,
    .most = 1000000000,
    .value_text = "index",
    .limit_rule = "minimum",
    .own_count = MR_CAPABILITY_RESULTS_COUNT,
    .numbers = &numbers_of_studies,
};

/* ---- Options ---- */

static const char *const withins[] = {"moving_range", "range", "deviation", NULL};
static const char *const indices[] = {"cpk", "ppk", NULL};

static double number_or_none(const struct mr_options *options, const char *name)
{
    return mr_options_present(options, name) ? mr_options_number(options, name) : (double)NAN;
}

static enum mr_status open(void *self, const struct mr_operator_open *open, struct mr_error *error)
{
    struct capability *capability = self;
    const struct mr_options *options = &open->node->options;
    capability->results = capability->room;
    capability->chart.numbers.sample = NUMBERS_COUNT;
    capability->chart.is_running = mr_options_boolean(options, "running");
    capability->within = (enum within)mr_options_integer(options, "within");
    capability->size = (double)mr_options_integer(options, "within_size");
    capability->limits.lower = number_or_none(options, "lsl");
    capability->limits.upper = number_or_none(options, "usl");
    capability->limits.target = number_or_none(options, "target");
    capability->limits.confidence = mr_options_number(options, "confidence");
    capability->minimum = mr_options_number(options, "minimum");
    capability->judges_overall = mr_options_integer(options, "index") == 1;
    uint32_t size = capability->within == BY_MOVING_RANGE ? 2 : (uint32_t)capability->size;
    if (capability->within == BY_DEVIATION) {
        double c4 = mr_control_c4(size);
        capability->constants = (struct mr_range_constants){c4, sqrt(1 - c4 * c4)};
    } else {
        capability->constants = mr_control_range(size);
    }
    return mr_chart_open(&capability->chart, open, &kind, error);
}

static enum mr_status check(const struct mr_options *options, const char **option,
                            struct mr_error *error)
{
    enum mr_status status = mr_chart_check_subgroup(options, option, error);
    if (status != MR_OK)
        return status;
    double lower = number_or_none(options, "lsl");
    double upper = number_or_none(options, "usl");
    double target = number_or_none(options, "target");
    *option = "lsl";
    if (isnan(lower) && isnan(upper))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "give `lsl`, `usl` or both: the limits that values are allowed to have");
    if (lower >= upper)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`lsl` (%g) must be below `usl` (%g)", lower, upper);
    *option = "target";
    if (target <= lower || target >= upper)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`target` (%g) must be within the limits", target);
    *option = "running";
    const struct mr_options *subgroup = mr_options_get(options, "subgroup")->objects;
    if (mr_options_boolean(options, "running") && mr_options_present(subgroup, "window"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`running` takes `subgroup: {count}` or {field}: windows of one key may be "
                       "open side by side");
    *option = "within_size";
    if (mr_options_get(options, "within_size")->given &&
        mr_options_integer(options, "within") == BY_MOVING_RANGE)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`within_size` is of `within: range` and `deviation`: moving ranges are of "
                       "two neighbours");
    return MR_OK;
}

static void estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    const struct mr_chart_counts_of numbers = {.sample = NUMBERS_COUNT};
    mr_chart_estimate_numbers(options, &numbers, estimate);
}

#define OPTION_LIMIT(option_name, option_help)                                                     \
    {                                                                                              \
        .name = (option_name), .type = MR_OPTION_NUMBER, .flags = MR_OPTION_STATE_BOUND,           \
        .minimum = -MR_DETECTOR_LEARNED_MAX, .maximum = MR_DETECTOR_LEARNED_MAX,                   \
        .help = (option_help)                                                                      \
    }

static const struct mr_option_spec options[] = {
    MR_DETECTOR_OPTION_FIELD,
    {.name = "subgroup",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .fields = mr_chart_subgroup_fields,
     .help = "Which records make one study: exactly one of count, field and window."},
    {.name = "running",
     .type = MR_OPTION_BOOLEAN,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "false",
     .help = "A study that is told goes on: the next is of all records since the begin."},
    OPTION_LIMIT("lsl", "The lower specification limit, in the field's unit; lsl, usl or both."),
    OPTION_LIMIT("usl", "The upper specification limit, in the field's unit."),
    {.name = "target",
     .type = MR_OPTION_NUMBER,
     .minimum = -MR_DETECTOR_LEARNED_MAX,
     .maximum = MR_DETECTOR_LEARNED_MAX,
     .help = "The value that is wanted, for cpm."},
    {.name = "within",
     .type = MR_OPTION_CHOICE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "moving_range",
     .choices = withins,
     .help = "What sigma within comes from: moving ranges of neighbours (over d2), or ranges (over "
             "d2) or standard deviations (over c4) of `within_size` records in a row."},
    {.name = "within_size",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "5",
     .minimum = 2,
     .maximum = MR_CONTROL_SIZE_MAX,
     .help = "So many records in a row, taken under the same conditions, vary by sigma within."},
    {.name = "index",
     .type = MR_OPTION_CHOICE,
     .default_text = "cpk",
     .choices = indices,
     .help = "Which index is rated and compared with `minimum`."},
    {.name = "minimum",
     .type = MR_OPTION_NUMBER,
     .default_text = "1.33",
     .minimum = 0,
     .maximum = 1000,
     .help = "A study whose index is below this is told: critical below 1, else a warning."},
    {.name = "confidence",
     .type = MR_OPTION_SHARE,
     .default_text = "0.95",
     .minimum = 0.5,
     .maximum = 0.9999,
     .help = "How often the bounds of the indices hold the true ones, from both sides."},
    {.name = NULL},
};

#define BOUNDS(of_index)                                                                           \
    {of_index "_lower", MR_TYPE_DOUBLE, "The lower bound of " of_index "."},                       \
    {                                                                                              \
        of_index "_upper", MR_TYPE_DOUBLE, "The upper bound of " of_index "."                      \
    }

static const struct mr_output_field fields[] = {
    MR_CHART_GROUP_FIELDS,
    MR_CHART_MEMBERS_OF("By how much the index is below `minimum`; 0 where it is not.",
                        "0: an index below `minimum` is told.", "The index: cpk, or ppk."),
    {"mean", MR_TYPE_DOUBLE, "The mean of the study."},
    {"sigma_within", MR_TYPE_DOUBLE, "Sigma by `within`; null where the records are too few."},
    {"sigma_overall", MR_TYPE_DOUBLE, "The standard deviation of all values, divisor n - 1."},
    {"cp", MR_TYPE_DOUBLE, "(usl - lsl) / 6 sigma within; null with one limit."},
    {"cpl", MR_TYPE_DOUBLE, "(mean - lsl) / 3 sigma within; null without lsl."},
    {"cpu", MR_TYPE_DOUBLE, "(usl - mean) / 3 sigma within; null without usl."},
    {"cpk", MR_TYPE_DOUBLE, "The smaller one of cpl and cpu."},
    {"pp", MR_TYPE_DOUBLE, "As cp, by sigma overall."},
    {"ppl", MR_TYPE_DOUBLE, "As cpl, by sigma overall."},
    {"ppu", MR_TYPE_DOUBLE, "As cpu, by sigma overall."},
    {"ppk", MR_TYPE_DOUBLE, "As cpk, by sigma overall."},
    {"cpm", MR_TYPE_DOUBLE, "As pp, by the distances from `target`; null without one."},
    BOUNDS("cp"),
    BOUNDS("cpk"),
    BOUNDS("pp"),
    BOUNDS("ppk"),
    {"ppm_observed", MR_TYPE_DOUBLE, "Values beyond the limits, of a million."},
    {"ppm_within", MR_TYPE_DOUBLE, "As many as a normal process with sigma within has there."},
    {"ppm_overall", MR_TYPE_DOUBLE, "As many as one with sigma overall has there."},
    {"rating", MR_TYPE_STRING,
     "excellent (an index from 1.67 on), adequate (1.33), marginal (1), inadequate, or unknown "
     "where there is none; null for starved."},
};

static const struct mr_output_spec outputs[] = {MR_CHART_GROUP_OUTPUTS(fields)};

const struct mr_operator_type mr_operator_spc_capability = {
    .spec =
        {
            .name = "spc.capability",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ROW_WATERMARKS | MR_TYPE_CONTROLLED,
            .summary = "Tells how well a process fits between its specification limits: Cp, Cpk, "
                       "Pp, Ppk, Cpm, parts per million, rating.",
            .description =
                "Each study makes a record: so many records of a key (count), those in a row with "
                "one value of a field (field), or those of a time (window: closed by the "
                "watermark, records behind it go to `late`); with `running` each study is of all "
                "records since the key's begin. Indices are told by the variation of neighbours "
                "(cp..., what the process could do) and of all values (pp..., what it does), with "
                "bounds of a confidence level: cp and pp by chi-square, cpk and ppk by Bissell's "
                "approximation. Parts per million beyond the limits are counted, and expected of a "
                "normal process. A study whose index is below `minimum` goes to `alerts`.\n\n"
                "The indices mean something for a process in control and nearly normal values "
                "only: put a chart (spc.i_mr, spc.xbar_r) beside it. Records are taken in the "
                "order in which they come; of `within: range` and deviation a last group of fewer "
                "than `within_size` records counts for sigma overall only. A study of one record "
                "makes none (state starved); a missing, infinite or larger number than 1e140 "
                "follows on_error and is in no study. Values that do not vary have indices of "
                "1e9, or -1e9 beyond a limit, and 0 on it; no index is larger. Records count as "
                "often as they come: take `deduplicate` before where a source sends some "
                "again.\n\n"
                "See docs/CONTROL_CHARTS.md; of control records mute and reset mean something. "
                "State: some 300 bytes a key, and 130 bytes for each open window. Sources: Kane, "
                "J. Quality Technology 18 (1986); Bissell, Applied Statistics 39 (1990); "
                "Montgomery, Introduction to Statistical Quality Control, chapter 8.",
            .options = options,
            .outputs = outputs,
            .outputs_count = MR_ARRAY_COUNT(outputs),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION),
            .estimate = estimate,
            .check = check,
        },
    .instance_size = sizeof(struct capability),
    .open = open,
    .process = mr_chart_process,
    .on_watermark = mr_chart_watermark,
    .reach = mr_chart_reach,
    .close = mr_chart_close,
    .state_table = mr_chart_table,
    .describe_state = mr_chart_describe,
};
