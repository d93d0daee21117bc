/* operators/detect_ewma.c — detect.ewma: a control chart of the exponentially weighted moving
 * average against a mean and variance that follow slowly. Design: the level z follows the field
 * quickly (weight lambda), the baseline slowly (weight baseline_decay, or 1/n while fewer records
 * came, so that it begins as the plain mean). In a stable process z varies with sd * sqrt(lambda /
 * (2 - lambda)); the score is z's distance from the baseline in that unit, taken with the record in
 * z but not in the baseline. Sources: Roberts, Control chart tests based on geometric moving
 * averages (1959); MacGregor and Harris, The exponentially weighted moving variance (1993).
 *
 *   z'    = lambda x + (1 - lambda) z                  z of the first record is x
 *   score = |z' - mean| / (max(sd, floor) sqrt(lambda / (2 - lambda)))
 *   n     = n + 1,  a = max(1 / n, baseline_decay),  d = x - mean
 *   mean' = mean + a d,  variance' = (1 - a) (variance + a d^2)
 *
 * Stored object, version 1 (little-endian):
 *   0  uint64 n   8  double mean   16  double variance   24  double z */
#include "operators/detector.h"

#include <math.h>

#include "base/assert.h"
#include "base/endian.h"
#include "operators/estimate.h"
#include "operators/registry.h"

enum { EWMA_VERSION = 1, EWMA_BYTES = 32 };
enum ewma_own { EWMA_LEVEL, EWMA_MEAN, EWMA_SD, EWMA_COUNT };

static const char ewma_table[] = "chart";

struct ewma_object {
    uint64_t count;
    double mean;
    double variance;
    double level;
};

struct ewma {
    struct mr_detector detector;
    uint64_t warmup;
    double lambda;
    double level_scale; /* sqrt(lambda / (2 - lambda)) */
    double baseline_decay;
    double sd_floor;
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct ewma_object *entry = object;
    mr_put_u64le(output, entry->count);
    mr_put_double_le(output + 8, entry->mean);
    mr_put_double_le(output + 16, entry->variance);
    mr_put_double_le(output + 24, entry->level);
    return EWMA_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct ewma_object *entry = object;
    if (version != EWMA_VERSION || stored.size != EWMA_BYTES)
        return false;
    entry->count = mr_get_u64le(stored.data);
    entry->mean = mr_get_double_le(stored.data + 8);
    entry->variance = mr_get_double_le(stored.data + 16);
    entry->level = mr_get_double_le(stored.data + 24);
    return true;
}

static enum mr_status ewma_describe_state(const struct mr_state_object *object,
                                          struct mr_arena *arena,
                                          struct mr_state_description *description,
                                          struct mr_error *error)
{
    MR_UNUSED(arena);
    struct ewma_object entry;
    if (!object_decode(&entry, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_member(description, "count", mr_value_uint(entry.count));
    mr_describe_member(description, "level", mr_value_double(entry.level));
    mr_describe_member(description, "mean", mr_value_double(entry.mean));
    mr_describe_member(description, "sd", mr_value_double(sqrt(entry.variance)));
    return MR_OK;
}

static enum mr_status ewma_open(void *self, const struct mr_operator_open *open,
                                struct mr_error *error)
{
    struct ewma *ewma = self;
    const struct mr_options *options = &open->node->options;
    ewma->warmup = (uint64_t)mr_options_integer(options, "warmup");
    ewma->lambda = mr_options_number(options, "lambda");
    ewma->level_scale = sqrt(ewma->lambda / (2 - ewma->lambda));
    ewma->baseline_decay = mr_options_number(options, "baseline_decay");
    ewma->sd_floor = mr_options_number(options, "sd_floor");
    struct mr_table_spec spec = {
        .name = ewma_table,
        .version = EWMA_VERSION,
        .object_size = sizeof(struct ewma_object),
        .encode = object_encode,
        .encoded_size_max = EWMA_BYTES,
        .decode = object_decode,
    };
    return mr_detector_open(&ewma->detector, open, &spec, error);
}

static void ewma_learn(const struct ewma *ewma, struct ewma_object *object, double value,
                       double level)
{
    object->level = level;
    object->count++;
    double weight = 1 / (double)object->count;
    if (weight < ewma->baseline_decay)
        weight = ewma->baseline_decay;
    double deviation = value - object->mean;
    object->mean += weight * deviation;
    object->variance = (1 - weight) * (object->variance + weight * deviation * deviation);
}

static void ewma_describe(const void *self, const struct mr_detector_rows *rows, uint32_t row,
                          double value, struct mr_detector_finding *finding)
{
    const struct ewma *ewma = self;
    const struct mr_detector *detector = &ewma->detector;
    double level = mr_detector_column(detector, rows, EWMA_LEVEL)[row].number;
    double mean = mr_detector_column(detector, rows, EWMA_MEAN)[row].number;
    double sd = mr_detector_column(detector, rows, EWMA_SD)[row].number;
    mr_detector_reason(finding,
                       "%s is %.6g; its moving average %.6g is %.4g sigma %s the baseline %.6g (sd "
                       "%.6g); the limit is %.6g",
                       detector->field_text, value, level, finding->metric_value,
                       level > mean ? "above" : "below", mean, sd, detector->threshold);
}

static enum mr_status ewma_process(void *self, struct mr_operator_context *context, uint32_t port,
                                   struct mr_view view, struct mr_error *error)
{
    struct ewma *ewma = self;
    MR_UNUSED(port);
    struct mr_detector_rows rows;
    mr_detector_begin(&ewma->detector, context, view, &rows);
    struct mr_value *levels = mr_detector_column(&ewma->detector, &rows, EWMA_LEVEL);
    struct mr_value *means = mr_detector_column(&ewma->detector, &rows, EWMA_MEAN);
    struct mr_value *sds = mr_detector_column(&ewma->detector, &rows, EWMA_SD);
    struct mr_value *counts = mr_detector_column(&ewma->detector, &rows, EWMA_COUNT);
    for (uint32_t index = 0; index < rows.view.rows_count; index++) {
        uint32_t row = rows.view.rows[index];
        mr_detector_prefetch(&ewma->detector, &rows, index);
        void *found;
        bool created;
        enum mr_status status =
            mr_table_get(ewma->detector.table, rows.keys[row], rows.hashes[index],
                         view.batch->event_times_ms[row], &found, &created, error);
        if (status != MR_OK)
            return status;
        struct ewma_object *object = found;
        double value = rows.values[index];
        double sd = sqrt(object->variance);
        double level =
            object->count == 0 ? value : ewma->lambda * value + (1 - ewma->lambda) * object->level;
        double score = 0;
        if (object->count >= ewma->warmup)
            score = fabs(level - object->mean) /
                    ((sd < ewma->sd_floor ? ewma->sd_floor : sd) * ewma->level_scale);
        levels[row] = mr_value_double(level);
        means[row] = mr_value_double(object->mean);
        sds[row] = mr_value_double(sd);
        counts[row] = mr_value_int((int64_t)object->count);
        mr_detector_score(&ewma->detector, &rows, row, score);
        if (fabs(value) > MR_DETECTOR_LEARNED_MAX)
            continue;
        ewma_learn(ewma, object, value, level);
        mr_table_dirty(ewma->detector.table, object);
    }
    mr_detector_finish(&ewma->detector, context, &rows, ewma, ewma_describe);
    return MR_OK;
}

static enum mr_status ewma_watermark(void *self, struct mr_operator_context *context,
                                     struct mr_error *error)
{
    struct ewma *ewma = self;
    return mr_detector_expire(&ewma->detector, context, error);
}

static void ewma_close(void *self)
{
    MR_UNUSED(self); /* the table belongs to the state */
}

static void ewma_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    MR_UNUSED(options);
    mr_estimate_object(sizeof(struct ewma_object), EWMA_BYTES, estimate);
}

static enum mr_status ewma_check(const struct mr_options *options, const char **option,
                                 struct mr_error *error)
{
    if (mr_options_number(options, "baseline_decay") < mr_options_number(options, "lambda"))
        return MR_OK;
    *option = "baseline_decay";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`baseline_decay` (%g) must be below `lambda` (%g): the baseline has to follow "
                   "more slowly than the level that is compared with it",
                   mr_options_number(options, "baseline_decay"),
                   mr_options_number(options, "lambda"));
}

static const struct mr_option_spec ewma_options[] = {
    {.name = "field",
     .type = MR_OPTION_PATH,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_NUMERIC,
     .help = "The number to watch."},
    {.name = "threshold",
     .type = MR_OPTION_NUMBER,
     .default_text = "3.0",
     .minimum = 0,
     .maximum = 1e300,
     .help =
         "The control limit L in sigma of the moving average: above it a record is an anomaly."},
    {.name = "critical_ratio",
     .type = MR_OPTION_NUMBER,
     .default_text = "2.0",
     .minimum = 1,
     .maximum = 1e6,
     .help = "An anomaly is critical, not warning, from this many times the threshold on."},
    {.name = "warmup",
     .type = MR_OPTION_INTEGER,
     .default_text = "30",
     .minimum = 2,
     .maximum = 1e6,
     .help = "Records of a key that are only learned: their score is 0."},
    {.name = "lambda",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0.2",
     .minimum = 1e-6,
     .maximum = 1,
     .help = "Weight of the newest record in the moving average: small finds small shifts, 1 looks "
             "at single records."},
    {.name = "baseline_decay",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0.01",
     .minimum = 0,
     .maximum = 0.5,
     .help =
         "Weight of the newest record in the baseline's mean and variance, at least 1/n for the "
         "n-th; 0 weighs all records alike. A lasting shift becomes normal after about its "
         "inverse."},
    {.name = "sd_floor",
     .type = MR_OPTION_NUMBER,
     .default_text = "1e-9",
     .minimum = 1e-300,
     .maximum = 1e300,
     .help = "A standard deviation below this, in the field's unit, counts as this."},
    {.name = NULL},
};

static const struct mr_output_field ewma_fields[] = {
    {"score", MR_TYPE_DOUBLE, "|level - mean| in sigma of the moving average."},
    {"threshold", MR_TYPE_DOUBLE, "The option `threshold`: the control limit."},
    {"is_anomaly", MR_TYPE_BOOL, "True when the score is above the threshold."},
    {"severity", MR_TYPE_STRING, "info, warning or critical."},
    {"reason", MR_TYPE_STRING, "For anomalies a sentence with the numbers, otherwise empty."},
    {"detector", MR_TYPE_STRING, "detect.ewma."},
    {"level", MR_TYPE_DOUBLE, "The moving average with this record."},
    {"mean", MR_TYPE_DOUBLE, "The baseline: weighted mean of the key's earlier records."},
    {"sd", MR_TYPE_DOUBLE, "Their weighted standard deviation, before the floor."},
    {"count", MR_TYPE_INT, "How many earlier records there are."},
};

const struct mr_operator_type mr_operator_detect_ewma = {
    .spec =
        {
            .name = "detect.ewma",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds small lasting shifts by a moving-average control chart.",
            .description =
                "Follows the field of each key with an exponentially weighted moving average and "
                "compares it with a baseline that follows slowly. The score is the distance in "
                "sigma of the moving average, so that `threshold` is the control limit L of an "
                "EWMA "
                "chart.\n\n"
                "Finds shifts of half a standard deviation and more that last for some records, "
                "where a z-score sees nothing. A single spike raises it for a few records. Not for "
                "values with a trend faster than the baseline, and not for independent spikes: use "
                "detect.zscore.\n\n"
                "Numbers beyond +-1e140 are scored but not learned. State: 32 bytes a key. Papers: "
                "Roberts, Technometrics 1 (1959); MacGregor and Harris, Journal of Quality "
                "Technology 25 (1993).",
            .options = ewma_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = ewma_fields,
            .added_fields_count = MR_ARRAY_COUNT(ewma_fields),
            .state_version = EWMA_VERSION,
            .estimate = ewma_estimate,
            .check = ewma_check,
        },
    .instance_size = sizeof(struct ewma),
    .open = ewma_open,
    .process = ewma_process,
    .on_watermark = ewma_watermark,
    .close = ewma_close,
    .state_table = ewma_table,
    .describe_state = ewma_describe_state,
};
