/* operators/detect_iqr.c — detect.iqr: Tukey's fences over the key's last records. Window and
 * state: operators/order_detector.h.
 * Design: the score is the distance from the box in interquartile ranges, so that the threshold is
 * Tukey's factor: 1.5 for what is outside, and critical from 3 on, for what is far out.
 * When half of the window is equal the range may be 0 and says nothing about the others; the mean
 * absolute deviation takes its place then. */
#include <math.h>

#include "base/assert.h"
#include "operators/order_detector.h"
#include "operators/registry.h"
#include "operators/sorted_window.h"

enum iqr_own { IQR_FIRST, IQR_THIRD, IQR_RANGE, IQR_LOWER, IQR_UPPER, IQR_COUNT };

/* Interquartile range over mean absolute deviation, of a normal distribution. */
static const double range_per_mean_distance = 1.6906950787902988;

struct box {
    double first; /* quartiles */
    double third;
    double range; /* before the floor */
};

static struct box make_box(const double *sorted, uint32_t count)
{
    struct box box = {0};
    if (count == 0)
        return box;
    box.first = mr_sorted_window_quantile(sorted, count, 0.25);
    box.third = mr_sorted_window_quantile(sorted, count, 0.75);
    box.range = box.third - box.first;
    if (!(box.range > 0))
        box.range =
            range_per_mean_distance *
            mr_sorted_window_mean_distance(sorted, count, mr_sorted_window_median(sorted, count));
    return box;
}

static enum mr_status iqr_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct mr_order_detector *iqr = self;
    const struct mr_order_object *object = row->object;
    double value = row->values[0];
    enum mr_status status = mr_order_refresh(row, error);
    if (status != MR_OK)
        return status;
    struct box box = make_box(object->sorted, object->count);
    double range = box.range < iqr->scale_floor ? iqr->scale_floor : box.range;
    double beyond = value > box.third ? value - box.third : box.first - value;
    row->score = beyond > 0 ? beyond / range : 0;
    row->own[IQR_FIRST] = box.first;
    row->own[IQR_THIRD] = box.third;
    row->own[IQR_RANGE] = range;
    row->own[IQR_LOWER] = NAN;
    row->own[IQR_UPPER] = NAN;
    row->own[IQR_COUNT] = object->count;
    if (!mr_order_ready(self, object))
        return MR_OK;
    row->own[IQR_LOWER] = box.first - iqr->detector.threshold * range;
    row->own[IQR_UPPER] = box.third + iqr->detector.threshold * range;
    return MR_OK;
}

static void iqr_describe(const void *self, const struct mr_model_row *row,
                         struct mr_detector_finding *finding)
{
    const struct mr_order_detector *iqr = self;
    bool above = row->values[0] > row->own[IQR_THIRD];
    mr_detector_reason(finding,
                       "%s is %.6g, %.4g interquartile ranges of %.6g %s the %s quartile %.6g of "
                       "the last %.0f records; the threshold is %.6g",
                       iqr->detector.field_text, row->values[0], row->score, row->own[IQR_RANGE],
                       above ? "above" : "below", above ? "upper" : "lower",
                       row->own[above ? IQR_THIRD : IQR_FIRST], row->own[IQR_COUNT],
                       finding->threshold);
}

static const struct mr_model_type iqr_model = MR_ORDER_MODEL(iqr_score);

MR_DETECTOR_CODEC(iqr, iqr_model)

static const struct mr_detector_type iqr_detector = {
    .model = &iqr_model,
    .encode = iqr_encode,
    .decode = iqr_decode,
    .describe = iqr_describe,
};

static enum mr_status iqr_open(void *self, const struct mr_operator_open *open,
                               struct mr_error *error)
{
    return mr_order_open(self, open, &iqr_detector, error);
}

static void iqr_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&iqr_model, options, estimate);
}

static enum mr_status iqr_describe_state(const struct mr_state_object *object,
                                         struct mr_arena *arena,
                                         struct mr_state_description *description,
                                         struct mr_error *error)
{
    const double *numbers;
    uint32_t count;
    enum mr_status status =
        mr_order_describe_state(&iqr_model, object, arena, description, &numbers, &count, error);
    if (status != MR_OK || count == 0)
        return status;
    struct box box = make_box(numbers, count);
    mr_describe_member(description, "q1", mr_value_double(box.first));
    mr_describe_member(description, "q3", mr_value_double(box.third));
    return MR_OK;
}

static const struct mr_option_spec iqr_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD(
        "1.5", "Tukey's factor: a record is an anomaly when it lies more than so many "
               "interquartile ranges outside the quartiles. `lower` and `upper` go by this option, "
               "also with `calibrate`."),
    MR_DETECTOR_OPTION_WARMUP("30", 4, MR_ORDER_WINDOW_MAX),
    MR_DETECTOR_OPTIONS,
    MR_ORDER_OPTION_SCALE_FLOOR("An interquartile range below this, in the field's unit, counts "
                                "as this. A window of equal numbers makes it 0."),
    MR_ORDER_OPTION_WINDOW,
    {.name = NULL},
};

static const struct mr_output_field iqr_fields[] = {
    MR_DETECTOR_MEMBERS("Interquartile ranges beyond the nearer quartile, taken before the record "
                        "is learned; 0 between the quartiles."),
    {"q1", MR_TYPE_DOUBLE, "Lower quartile of the key's last records."},
    {"q3", MR_TYPE_DOUBLE, "Their upper quartile."},
    {"iqr", MR_TYPE_DOUBLE,
     "q3 - q1, at least the floor; where it is 0, 1.6907 times the mean absolute deviation from "
     "the median."},
    {"lower", MR_TYPE_DOUBLE, "The lower fence: q1 less `threshold` times iqr."},
    {"upper", MR_TYPE_DOUBLE, "The upper fence: q3 plus `threshold` times iqr."},
    {"count", MR_TYPE_INT, "How many records these are."},
};

const struct mr_operator_type mr_operator_detect_iqr = {
    .spec =
        {
            .name = "detect.iqr",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds numbers outside Tukey's fences of their key's last records.",
            .description =
                "The score is how far a value lies outside the quartiles of the last n records of "
                "the key, in interquartile ranges, taken before the record is learned; the fences "
                "are where it is `threshold`. With the defaults an anomaly beyond 1.5 is a "
                "warning, one from 3 on (Tukey's outer fence) critical. Quartiles are exact, as "
                "numpy.quantile's default (`linear`) defines them: at place (n - 1) / 4 of the "
                "sorted numbers, counted from 0, between two numbers in proportion.\n\n"
                "Both sides have their own quartile: use it for skewed values, where a distance "
                "from the middle would find one tail only. A quarter of the window may be "
                "anomalies on each side. Not for ranking records that are all normal: between the "
                "quartiles every score is 0; nor for strong trend or season.\n\n"
                "Numbers beyond +-1e140 are scored but not learned. State: 16 bytes per record of "
                "the window in the cache, 8 on disk, for each key; about 150 bytes of changelog "
                "per record beside the keys. Papers: Tukey, Exploratory Data Analysis (1977); "
                "Hyndman and Fan, Sample quantiles in statistical packages (1996), type 7.",
            .options = iqr_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = iqr_fields,
            .added_fields_count = MR_ARRAY_COUNT(iqr_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_ORDER_VERSION),
            .estimate = iqr_estimate,
            .check = mr_order_check,
        },
    .instance_size = sizeof(struct mr_order_detector),
    .open = iqr_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = mr_order_table,
    .describe_state = iqr_describe_state,
};
