/* operators/chart_options.c — what control charts say of themselves: the shared options and their
 * checks, outputs, the estimate of state, and what a stored object means. See control_chart.h. */
#include <math.h>

#include "base/assert.h"
#include "operators/alert.h"
#include "operators/chart_object.h"
#include "operators/estimate.h"

const char *const mr_chart_updates[] = {"none", "cumulative", "exponential", NULL};
const char *const mr_chart_learns[] = {"normal_only", "always", NULL};

static const char *const excludes[] = {"beyond_limits", "none", NULL};

const struct mr_option_spec mr_chart_subgroup_fields[] = {
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .minimum = 2,
     .maximum = 1e6,
     .help = "So many records of the key in a row."},
    {.name = "field",
     .type = MR_OPTION_PATH,
     .help = "Records in a row with the same value here; the next value closes the subgroup."},
    {.name = "window",
     .type = MR_OPTION_DURATION,
     .minimum = 1,
     .maximum = 366 * 86400e3,
     .help = "Records of so long a time, aligned to the epoch; the watermark closes it."},
    {.name = NULL},
};

const struct mr_option_spec mr_chart_limits_fields[] = {
    {.name = "cl",
     .type = MR_OPTION_NUMBER,
     .flags = MR_OPTION_REQUIRED,
     .minimum = -MR_DETECTOR_LEARNED_MAX,
     .maximum = MR_DETECTOR_LEARNED_MAX,
     .help = "The centre line, in the field's unit."},
    {.name = "sigma",
     .type = MR_OPTION_NUMBER,
     .minimum = 0,
     .maximum = MR_DETECTOR_LEARNED_MAX,
     .help = "The standard deviation of single values of the process; instead of ucl and lcl."},
    {.name = "ucl",
     .type = MR_OPTION_NUMBER,
     .minimum = -MR_DETECTOR_LEARNED_MAX,
     .maximum = MR_DETECTOR_LEARNED_MAX,
     .help = "The upper control limit of the plotted value."},
    {.name = "lcl",
     .type = MR_OPTION_NUMBER,
     .minimum = -MR_DETECTOR_LEARNED_MAX,
     .maximum = MR_DETECTOR_LEARNED_MAX,
     .help = "The lower control limit of the plotted value."},
    {.name = NULL},
};

const struct mr_option_spec mr_chart_target_fields[] = {
    {.name = "cl",
     .type = MR_OPTION_NUMBER,
     .flags = MR_OPTION_REQUIRED,
     .minimum = -MR_DETECTOR_LEARNED_MAX,
     .maximum = MR_DETECTOR_LEARNED_MAX,
     .help = "The target: the mean of the process in control, in the field's unit."},
    {.name = "sigma",
     .type = MR_OPTION_NUMBER,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 0,
     .maximum = MR_DETECTOR_LEARNED_MAX,
     .help = "The standard deviation of single values of the process."},
    {.name = NULL},
};

const struct mr_option_spec mr_chart_phase1_fields[] = {
    {.name = "subgroups",
     .type = MR_OPTION_INTEGER,
     .default_text = "25",
     .minimum = 2,
     .maximum = MR_CHART_PHASE1_MAX,
     .help = "How many points are estimated from; until then a key's state is learning."},
    {.name = "exclude",
     .type = MR_OPTION_CHOICE,
     .default_text = "beyond_limits",
     .choices = excludes,
     .help = "beyond_limits: points beyond the limits that all give are left out and the rest is "
             "estimated from again, until none is; at least half of the points stay. none: all "
             "count."},
    {.name = NULL},
};

const struct mr_output_spec mr_chart_record_outputs[2] = {
    {.name = "main", .help = "Every record, with the object `as` added."},
    {.name = "alerts",
     .help = "One alert record per point that breaks a rule.",
     .fields = mr_alert_fields,
     .fields_count = MR_ALERT_FIELDS_COUNT},
};

/* ---- Checks ---- */

enum mr_status mr_chart_check_subgroup(const struct mr_options *options, const char **option,
                                       struct mr_error *error)
{
    if (mr_option_specs_find(options->specs, "subgroup") < 0)
        return MR_OK;
    const struct mr_options *subgroup = mr_options_get(options, "subgroup")->objects;
    int kinds = mr_options_present(subgroup, "count") + mr_options_present(subgroup, "field") +
                mr_options_present(subgroup, "window");
    *option = "subgroup";
    if (kinds == 1)
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`subgroup` takes one of `count`, `field` and `window`: how many records make a "
                   "point, whose value does, or how long a time");
}

static bool counts_records(const struct mr_options *options)
{
    return mr_option_specs_find(options->specs, "subgroup") < 0 ||
           mr_options_present(mr_options_get(options, "subgroup")->objects, "count");
}

static enum mr_status check_fixed(const struct mr_options *options, const struct mr_options *limits,
                                  struct mr_error *error)
{
    double center = mr_options_number(limits, "cl");
    double upper = mr_options_number(limits, "ucl");
    double lower = mr_options_number(limits, "lcl");
    if (!(lower < center && center < upper))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits`: lcl (%g) must be below cl (%g), and ucl (%g) above it", lower,
                       center, upper);
    if (!counts_records(options))
        return MR_FAIL(
            error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
            "`limits`: ucl and lcl hold for subgroups of one size: say sigma instead, or "
            "`subgroup: {count}`");
    if (mr_options_integer(options, "baseline") != MR_CHART_UPDATE_NONE)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits`: ucl and lcl cannot follow the process: %s, or `baseline: none`",
                       mr_option_specs_find(limits->specs, "sigma") >= 0 ? "say sigma instead"
                                                                         : "leave them out");
    return MR_OK;
}

static enum mr_status check_limits(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    if (!mr_options_present(options, "limits"))
        return MR_OK;
    const struct mr_options *limits = mr_options_get(options, "limits")->objects;
    bool has_lines = mr_option_specs_find(limits->specs, "ucl") >= 0;
    bool has_upper = has_lines && mr_options_present(limits, "ucl");
    bool has_lower = has_lines && mr_options_present(limits, "lcl");
    bool takes_sigma = mr_option_specs_find(limits->specs, "sigma") >= 0;
    *option = "limits";
    if (mr_options_present(options, "phase1"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits` are given, so nothing is estimated: leave out `phase1`");
    if (has_upper != has_lower && !takes_sigma)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits` takes cl alone, or cl with both of ucl and lcl");
    if (takes_sigma && (has_upper != has_lower || has_upper == mr_options_present(limits, "sigma")))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits` takes cl, and either sigma or both of ucl and lcl");
    if (mr_options_integer(options, "baseline") == MR_CHART_UPDATE_CUMULATIVE)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits` do not say how many points are behind them, so their mean with "
                       "later ones is not defined: say `baseline: exponential` or none");
    return has_upper ? check_fixed(options, limits, error) : MR_OK;
}

static enum mr_status check_rules(const struct mr_options *options, const char **option,
                                  struct mr_error *error)
{
    if (mr_option_specs_find(options->specs, "rules") < 0)
        return MR_OK;
    const struct mr_option_value *rules = mr_options_get(options, "rules");
    *option = "rules";
    for (uint32_t index = 0; index < rules->count; index++)
        if (mr_run_rules_named(mr_slice_text(rules->texts[index])) == 0)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "`rules`: there is no rule '%s'; there are we1 to we4, nelson1 to "
                           "nelson8, western_electric and nelson",
                           rules->texts[index]);
    return MR_OK;
}

enum mr_status mr_chart_check(const struct mr_options *options, const char **option,
                              struct mr_error *error)
{
    enum mr_status status = mr_chart_check_subgroup(options, option, error);
    if (status == MR_OK)
        status = check_limits(options, option, error);
    return status == MR_OK ? check_rules(options, option, error) : status;
}

/* ---- State ---- */

void mr_chart_estimate_numbers(const struct mr_options *options,
                               const struct mr_chart_counts_of *numbers,
                               struct mr_state_estimate *estimate)
{
    uint32_t points = MR_CHART_PHASE1_DEFAULT;
    if (mr_option_specs_find(options->specs, "phase1") < 0 || mr_options_present(options, "limits"))
        points = 0;
    else if (mr_options_present(options, "phase1"))
        points =
            (uint32_t)mr_options_integer(mr_options_get(options, "phase1")->objects, "subgroups");
    uint32_t slot_points = mr_chart_slot_points(numbers);
    size_t more = (numbers->sample + numbers->baseline) * sizeof(double);
    mr_estimate_slots(sizeof(struct mr_detector_stage) + sizeof(struct mr_chart_object) + more,
                      MR_STAGE_BYTES_MIN + MR_CHART_BYTES_MAX + more,
                      (size_t)slot_points * mr_chart_point_bytes(numbers),
                      (points + slot_points - 1) / slot_points, estimate);
}

void mr_chart_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    const struct mr_chart_counts_of numbers = {0};
    mr_chart_estimate_numbers(options, &numbers, estimate);
}

enum mr_status mr_chart_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                 struct mr_state_description *description, struct mr_error *error)
{
    struct mr_chart_object *chart =
        mr_arena_new(arena, 1, sizeof(*chart) + MR_CHART_NUMBERS_MAX * sizeof(double));
    if (!mr_stage_describe(&mr_chart_model, object, chart, description))
        return mr_operator_not_described(error);
    bool has_numbers = chart->sample_numbers + chart->baseline_numbers > 0;
    if ((chart->flags & MR_CHART_HAS_BASELINE) != 0 && !has_numbers) {
        mr_describe_member(description, "center", mr_value_double(chart->baseline.center));
        if (chart->baseline.sigmas_count > 0 || chart->baseline.sigma > 0) /* counts have none */
            mr_describe_member(description, "sigma", mr_value_double(chart->baseline.sigma));
    }
    mr_describe_member(description, "phase1_points", mr_value_uint(chart->kept));
    mr_describe_member(description, "phase1_excluded", mr_value_uint(chart->excluded));
    if (chart->sample.count > 0)
        mr_describe_member(description, "open_records", mr_value_uint(chart->sample.count));
    return MR_OK;
}
