/* operators/detect_threshold.c — detect.threshold: a number above or below fixed limits.
 * Design: the score is how far the number is beyond the limit that it passed, in the field's unit,
 * and the object's `threshold` is 0, so that is_anomaly means score > threshold as for every
 * detector. The limit itself is in `limit`, and in the alert's `threshold`. No state. */
#include "operators/detector.h"

#include <math.h>

#include "base/assert.h"
#include "operators/registry.h"

enum threshold_own { THRESHOLD_LIMIT, THRESHOLD_SIDE };
enum threshold_side { SIDE_WITHIN, SIDE_ABOVE, SIDE_BELOW };

struct threshold {
    struct mr_detector detector;
    double above; /* +infinity: none */
    double below; /* -infinity: none */
    const char *severity;
};

static const char *const severities[] = {"info", "warning", "critical", NULL};

static const char *const sides[] = {"", "above", "below"};

/* The limit that value passed, else the nearer one. */
static double nearest_limit(const struct threshold *threshold, double value)
{
    if (value > threshold->above)
        return threshold->above;
    if (value < threshold->below)
        return threshold->below;
    return threshold->above - value <= value - threshold->below ? threshold->above
                                                                : threshold->below;
}

static enum mr_status threshold_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct threshold *threshold = self;
    MR_UNUSED(error);
    double value = row->values[0];
    row->score = 0;
    row->own[THRESHOLD_LIMIT] = nearest_limit(threshold, value);
    row->own[THRESHOLD_SIDE] = SIDE_WITHIN;
    if (value > threshold->above) {
        row->score = value - threshold->above;
        row->own[THRESHOLD_SIDE] = SIDE_ABOVE;
    } else if (value < threshold->below) {
        row->score = threshold->below - value;
        row->own[THRESHOLD_SIDE] = SIDE_BELOW;
    }
    return MR_OK;
}

static void threshold_describe(const void *self, const struct mr_model_row *row,
                               struct mr_detector_finding *finding)
{
    const struct threshold *threshold = self;
    double value = row->values[0];
    double limit = row->own[THRESHOLD_LIMIT];
    mr_detector_reason(finding, "%s is %.6g, %s the limit %.6g", threshold->detector.field_text,
                       value, value > limit ? "above" : "below", limit);
    finding->severity = threshold->severity;
    finding->metric_value = value;
    finding->threshold = limit;
}

static const struct mr_model_type threshold_model = {.score = threshold_score};

static const struct mr_detector_type threshold_detector = {
    .model = &threshold_model,
    .own_texts = {[THRESHOLD_SIDE] = sides},
    .describe = threshold_describe,
};

static enum mr_status threshold_open(void *self, const struct mr_operator_open *open,
                                     struct mr_error *error)
{
    struct threshold *threshold = self;
    const struct mr_options *options = &open->node->options;
    threshold->above =
        mr_options_present(options, "above") ? mr_options_number(options, "above") : INFINITY;
    threshold->below =
        mr_options_present(options, "below") ? mr_options_number(options, "below") : -INFINITY;
    threshold->severity = severities[mr_options_integer(options, "severity")];
    return mr_detector_open(&threshold->detector, open, &threshold_detector, error);
}

static enum mr_status threshold_check(const struct mr_options *options, const char **option,
                                      struct mr_error *error)
{
    bool above = mr_options_present(options, "above");
    bool below = mr_options_present(options, "below");
    *option = "above";
    if (!above && !below)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "detect.threshold needs `above`, `below` or both");
    if (above && below && mr_options_number(options, "below") > mr_options_number(options, "above"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`below` (%g) must not exceed `above` (%g): every number would be an "
                       "anomaly",
                       mr_options_number(options, "below"), mr_options_number(options, "above"));
    if (mr_options_integer(options, "on_missing") == MR_ON_MISSING_IMPUTE) {
        *option = "on_missing";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "detect.threshold keeps no state and knows no last number: say skip or "
                       "flag");
    }
    return mr_detector_check(options, option, error);
}

static const struct mr_option_spec threshold_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_ON_MISSING,
    {.name = "above",
     .type = MR_OPTION_NUMBER,
     .minimum = -1e300,
     .maximum = 1e300,
     .help = "Upper limit, in the field's unit: a number above it is an anomaly. Default: none."},
    {.name = "below",
     .type = MR_OPTION_NUMBER,
     .minimum = -1e300,
     .maximum = 1e300,
     .help = "Lower limit, in the field's unit: a number below it is an anomaly. Default: none."},
    {.name = "severity",
     .type = MR_OPTION_CHOICE,
     .default_text = "warning",
     .choices = severities,
     .help = "Severity of an anomaly."},
    {.name = NULL},
};

static const struct mr_output_field threshold_fields[] = {
    MR_DETECTOR_MEMBERS("How far the number is beyond the limit, in its unit; 0 within."),
    {"limit", MR_TYPE_DOUBLE, "The limit that was passed, otherwise the nearer one."},
    {"side", MR_TYPE_STRING, "above or below; empty within the limits."},
};

const struct mr_operator_type mr_operator_detect_threshold = {
    .spec =
        {
            .name = "detect.threshold",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_ADDS_FIELD,
            .summary = "Finds numbers above or below fixed limits.",
            .description =
                "A number above `above` or below `below` is an anomaly; a number equal to a limit "
                "is not. The score is the distance beyond the limit in the field's unit.\n\n"
                "For limits that are known beforehand: specifications, capacities, physical "
                "bounds. "
                "Where the normal level differs from key to key or moves, use detect.zscore or "
                "detect.robust_z. Keeps no state and needs no key.",
            .options = threshold_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = threshold_fields,
            .added_fields_count = MR_ARRAY_COUNT(threshold_fields),
            .check = threshold_check,
        },
    .instance_size = sizeof(struct threshold),
    .open = threshold_open,
    .process = mr_detector_process,
    .close = mr_detector_close,
};
