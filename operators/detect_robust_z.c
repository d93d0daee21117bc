/* operators/detect_robust_z.c — detect.robust_z: distance from the median of the key's last records
 * in units of their median absolute deviation. Window and state: operators/order_detector.h. */
#include <math.h>

#include "base/assert.h"
#include "operators/order_detector.h"
#include "operators/registry.h"
#include "operators/sorted_window.h"

enum robust_z_own { ROBUST_Z_MEDIAN, ROBUST_Z_MAD, ROBUST_Z_COUNT };

/* MAD times this estimates the standard deviation of a normal distribution: 1 / Phi^-1(3/4). */
static const double mad_scale = 1.4826;

static enum mr_status robust_z_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct mr_order_detector *robust_z = self;
    const struct mr_order_object *object = row->object;
    enum mr_status status = mr_order_refresh(row, error);
    if (status != MR_OK)
        return status;
    double median = 0;
    double mad = 0;
    if (object->count > 0) {
        median = mr_sorted_window_median(object->sorted, object->count);
        mad = mr_sorted_window_mad(object->sorted, object->count, median);
    }
    double scale = mad_scale * mad;
    row->score = fabs(row->values[0] - median) /
                 (scale < robust_z->scale_floor ? robust_z->scale_floor : scale);
    row->own[ROBUST_Z_MEDIAN] = median;
    row->own[ROBUST_Z_MAD] = mad;
    row->own[ROBUST_Z_COUNT] = object->count;
    return MR_OK;
}

static void robust_z_describe(const void *self, const struct mr_model_row *row,
                              struct mr_detector_finding *finding)
{
    const struct mr_order_detector *robust_z = self;
    double value = row->values[0];
    double median = row->own[ROBUST_Z_MEDIAN];
    mr_detector_reason(finding,
                       "%s is %.6g, %.4g robust standard deviations %s the median %.6g (median "
                       "absolute deviation %.6g) of the last %.0f records; the threshold is %.6g",
                       robust_z->detector.field_text, value, row->score,
                       value > median ? "above" : "below", median, row->own[ROBUST_Z_MAD],
                       row->own[ROBUST_Z_COUNT], finding->threshold);
}

static const struct mr_model_type robust_z_model = MR_ORDER_MODEL(robust_z_score);

MR_DETECTOR_CODEC(robust_z, robust_z_model)

static const struct mr_detector_type robust_z_detector = {
    .model = &robust_z_model,
    .encode = robust_z_encode,
    .decode = robust_z_decode,
    .describe = robust_z_describe,
};

static enum mr_status robust_z_open(void *self, const struct mr_operator_open *open,
                                    struct mr_error *error)
{
    return mr_order_open(self, open, &robust_z_detector, error);
}

static void robust_z_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&robust_z_model, options, estimate);
}

static enum mr_status robust_z_describe_state(const struct mr_state_object *object,
                                              struct mr_arena *arena,
                                              struct mr_state_description *description,
                                              struct mr_error *error)
{
    const double *numbers;
    uint32_t count;
    enum mr_status status = mr_order_describe_state(&robust_z_model, object, arena, description,
                                                    &numbers, &count, error);
    if (status != MR_OK || count == 0)
        return status;
    double median = mr_sorted_window_median(numbers, count);
    mr_describe_member(description, "median", mr_value_double(median));
    mr_describe_member(description, "mad",
                       mr_value_double(mr_sorted_window_mad(numbers, count, median)));
    return MR_OK;
}

static const struct mr_option_spec robust_z_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD(
        "3.5",
        "A record is an anomaly when its score, in robust standard deviations, is above this."),
    MR_DETECTOR_OPTION_WARMUP("30", 2, MR_ORDER_WINDOW_MAX),
    MR_DETECTOR_OPTIONS,
    MR_ORDER_OPTION_SCALE_FLOOR("1.4826 times the median absolute deviation below this, in the "
                                "field's unit, counts as "
                                "this. More than half of the window equal makes it 0."),
    MR_ORDER_OPTION_WINDOW,
    {.name = NULL},
};

static const struct mr_output_field robust_z_fields[] = {
    MR_DETECTOR_MEMBERS("|value - median| / (1.4826 mad), taken before it is learned."),
    {"median", MR_TYPE_DOUBLE, "Median of the key's last records."},
    {"mad", MR_TYPE_DOUBLE, "Median of their absolute distances from it, before the floor."},
    {"count", MR_TYPE_INT, "How many records these are."},
};

const struct mr_operator_type mr_operator_detect_robust_z = {
    .spec =
        {
            .name = "detect.robust_z",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds numbers far from the median of their key's last records.",
            .description =
                "The score is the distance from the median of the last n records of the key, in "
                "units of 1.4826 times their median absolute deviation, taken before the record is "
                "learned. Median and deviation are exact.\n\n"
                "Up to half of the window may be anomalies without hiding the others: use it where "
                "outliers are frequent or tails heavy. Not for values that are equal most of the "
                "time (the deviation is 0 then, and any change scores against the floor), and not "
                "where memory per key is short: use detect.zscore.\n\n"
                "Numbers beyond +-1e140 are scored but not learned. State: 16 bytes per record of "
                "the window in the cache, 8 on disk, for each key; about 128 bytes of changelog "
                "per "
                "record beside the keys. Paper: Iglewicz and Hoaglin, How to Detect and Handle "
                "Outliers (1993).",
            .options = robust_z_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = robust_z_fields,
            .added_fields_count = MR_ARRAY_COUNT(robust_z_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_ORDER_VERSION),
            .estimate = robust_z_estimate,
            .check = mr_order_check,
        },
    .instance_size = sizeof(struct mr_order_detector),
    .open = robust_z_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = mr_order_table,
    .describe_state = robust_z_describe_state,
};
