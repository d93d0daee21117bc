/* operators/detect_hampel.c — detect.hampel: Hampel's identifier, and his filter's output, over the
 * key's last records. Window and state: operators/order_detector.h.
 * Design: when more than half of the window is equal the median absolute deviation is 0 and says
 * nothing about the others; the mean absolute deviation takes its place then, as Iglewicz and
 * Hoaglin propose, so that a series which rests most of the time still has a scale. */
#include <math.h>

#include "base/assert.h"
#include "operators/order_detector.h"
#include "operators/registry.h"
#include "operators/sorted_window.h"

enum hampel_own {
    HAMPEL_MEDIAN,
    HAMPEL_SCALE,
    HAMPEL_LOWER,
    HAMPEL_UPPER,
    HAMPEL_FILTERED,
    HAMPEL_COUNT
};

/* For a normal distribution each of them times its factor is the standard deviation. */
static const double mad_factor = 1.4826;                      /* 1 / Phi^-1(3/4) */
static const double mean_distance_factor = 1.253314137315500; /* sqrt(pi / 2) */

/* Median and robust standard deviation before the floor. */
static double window_scale(const double *sorted, uint32_t count, double *median)
{
    *median = 0;
    if (count == 0)
        return 0;
    *median = mr_sorted_window_median(sorted, count);
    double mad = mr_sorted_window_mad(sorted, count, *median);
    if (mad > 0)
        return mad_factor * mad;
    return mean_distance_factor * mr_sorted_window_mean_distance(sorted, count, *median);
}

static enum mr_status hampel_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct mr_order_detector *hampel = self;
    const struct mr_order_object *object = row->object;
    enum mr_status status = mr_order_refresh(row, error);
    if (status != MR_OK)
        return status;
    double median;
    double scale = window_scale(object->sorted, object->count, &median);
    if (scale < hampel->scale_floor)
        scale = hampel->scale_floor;
    row->score = fabs(row->values[0] - median) / scale;
    row->own[HAMPEL_MEDIAN] = median;
    row->own[HAMPEL_SCALE] = scale;
    row->own[HAMPEL_LOWER] = NAN;
    row->own[HAMPEL_UPPER] = NAN;
    row->own[HAMPEL_FILTERED] = row->values[0];
    row->own[HAMPEL_COUNT] = object->count;
    if (!mr_order_ready(self, object))
        return MR_OK;
    double reach = hampel->detector.threshold * scale;
    row->own[HAMPEL_LOWER] = median - reach;
    row->own[HAMPEL_UPPER] = median + reach;
    if (row->score > hampel->detector.threshold)
        row->own[HAMPEL_FILTERED] = median;
    return MR_OK;
}

static void hampel_describe(const void *self, const struct mr_model_row *row,
                            struct mr_detector_finding *finding)
{
    const struct mr_order_detector *hampel = self;
    double value = row->values[0];
    double median = row->own[HAMPEL_MEDIAN];
    mr_detector_reason(finding,
                       "%s is %.6g, %.4g robust standard deviations of %.6g %s the median %.6g of "
                       "the last %.0f records; the threshold is %.6g",
                       hampel->detector.field_text, value, row->score, row->own[HAMPEL_SCALE],
                       value > median ? "above" : "below", median, row->own[HAMPEL_COUNT],
                       finding->threshold);
}

static const struct mr_model_type hampel_model = MR_ORDER_MODEL(hampel_score);

MR_DETECTOR_CODEC(hampel, hampel_model)

static const struct mr_detector_type hampel_detector = {
    .model = &hampel_model,
    .encode = hampel_encode,
    .decode = hampel_decode,
    .describe = hampel_describe,
};

static enum mr_status hampel_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    return mr_order_open(self, open, &hampel_detector, error);
}

static void hampel_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&hampel_model, options, estimate);
}

static enum mr_status hampel_describe_state(const struct mr_state_object *object,
                                            struct mr_arena *arena,
                                            struct mr_state_description *description,
                                            struct mr_error *error)
{
    const double *numbers;
    uint32_t count;
    enum mr_status status =
        mr_order_describe_state(&hampel_model, object, arena, description, &numbers, &count, error);
    if (status != MR_OK || count == 0)
        return status;
    double median;
    double scale = window_scale(numbers, count, &median);
    mr_describe_member(description, "median", mr_value_double(median));
    mr_describe_member(description, "scale", mr_value_double(scale));
    return MR_OK;
}

static const struct mr_option_spec hampel_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD(
        "3.0", "A record is an anomaly when its score, in robust standard deviations, is above "
               "this. `lower`, `upper` and `filtered` go by this option, also with `calibrate`."),
    MR_DETECTOR_OPTION_WARMUP("30", 2, MR_ORDER_WINDOW_MAX),
    MR_DETECTOR_OPTIONS,
    MR_ORDER_OPTION_SCALE_FLOOR("A robust standard deviation below this, in the field's unit, "
                                "counts as this. A window of equal numbers makes it 0."),
    MR_ORDER_OPTION_WINDOW,
    {.name = NULL},
};

static const struct mr_output_field hampel_fields[] = {
    MR_DETECTOR_MEMBERS("|value - median| / scale, taken before the record is learned."),
    {"median", MR_TYPE_DOUBLE, "Median of the key's last records."},
    {"scale", MR_TYPE_DOUBLE,
     "Their robust standard deviation, at least the floor: 1.4826 times the median absolute "
     "deviation; where that is 0, 1.2533 times the mean absolute deviation from the median."},
    {"lower", MR_TYPE_DOUBLE, "The median less `threshold` times the scale."},
    {"upper", MR_TYPE_DOUBLE, "The median plus `threshold` times the scale."},
    {"filtered", MR_TYPE_DOUBLE, "The value; of one beyond lower or upper the median."},
    {"count", MR_TYPE_INT, "How many records these are."},
};

const struct mr_operator_type mr_operator_detect_hampel = {
    .spec =
        {
            .name = "detect.hampel",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds numbers far from the median of their key's last records, and gives "
                       "the series without them.",
            .description =
                "Hampel's identifier: the score is the distance from the median of the last n "
                "records of the key in robust standard deviations, taken before the record is "
                "learned; `filtered` is the value with outliers replaced by the median. The window "
                "lies before the record, not around it: nothing is known of what comes. Median and "
                "deviations are exact.\n\n"
                "As detect.robust_z, but a series that rests at one value most of the time keeps a "
                "scale: the mean absolute deviation counts where the median one is 0, and only a "
                "window of equal numbers falls back to `scale_floor`. Use it to clean a series and "
                "to find single outliers. Not for levels that shift: half a window long each "
                "record is an outlier then; nor for strong trend or season.\n\n"
                "Numbers beyond +-1e140 are scored but not learned. State: 16 bytes per record of "
                "the window in the cache, 8 on disk, for each key; about 150 bytes of changelog "
                "per record beside the keys. Papers: Hampel, The influence curve and its role in "
                "robust estimation (1974); Davies and Gather, The identification of multiple "
                "outliers (1993); Iglewicz and Hoaglin, How to Detect and Handle Outliers (1993).",
            .options = hampel_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = hampel_fields,
            .added_fields_count = MR_ARRAY_COUNT(hampel_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_ORDER_VERSION),
            .estimate = hampel_estimate,
            .check = mr_order_check,
        },
    .instance_size = sizeof(struct mr_order_detector),
    .open = hampel_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = mr_order_table,
    .describe_state = hampel_describe_state,
};
