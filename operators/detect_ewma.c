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
 * Stored model, version 1 (little-endian), behind the stage (operators/detector_stage.h):
 *   0  uint64 n   8  double mean   16  double variance   24  double z */
#include "operators/detector.h"

#include <math.h>

#include "base/assert.h"
#include "base/endian.h"
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

/* ---- The model ---- */

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

static bool ewma_ready(const void *self, const void *object)
{
    const struct ewma *ewma = self;
    const struct ewma_object *entry = object;
    return entry->count >= ewma->warmup;
}

static enum mr_status ewma_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct ewma *ewma = self;
    const struct ewma_object *object = row->object;
    MR_UNUSED(error);
    double value = row->values[0];
    double sd = sqrt(object->variance);
    double level =
        object->count == 0 ? value : ewma->lambda * value + (1 - ewma->lambda) * object->level;
    row->score = fabs(level - object->mean) /
                 ((sd < ewma->sd_floor ? ewma->sd_floor : sd) * ewma->level_scale);
    row->own[EWMA_LEVEL] = level;
    row->own[EWMA_MEAN] = object->mean;
    row->own[EWMA_SD] = sd;
    row->own[EWMA_COUNT] = (double)object->count;
    return MR_OK;
}

static enum mr_status ewma_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct ewma *ewma = self;
    struct ewma_object *object = row->object;
    MR_UNUSED(error);
    object->level = row->own[EWMA_LEVEL];
    object->count++;
    double weight = 1 / (double)object->count;
    if (weight < ewma->baseline_decay)
        weight = ewma->baseline_decay;
    double deviation = row->values[0] - object->mean;
    object->mean += weight * deviation;
    object->variance = (1 - weight) * (object->variance + weight * deviation * deviation);
    return MR_OK;
}

static const struct mr_model_type ewma_model = {
    .table = ewma_table,
    .version = EWMA_VERSION,
    .object_size = sizeof(struct ewma_object),
    .encoded_size_max = EWMA_BYTES,
    .encode = object_encode,
    .decode = object_decode,
    .ready = ewma_ready,
    .score = ewma_score,
    .learn = ewma_learn,
};

/* ---- The detector ---- */

static void ewma_describe(const void *self, const struct mr_model_row *row,
                          struct mr_detector_finding *finding)
{
    const struct ewma *ewma = self;
    double level = row->own[EWMA_LEVEL];
    double mean = row->own[EWMA_MEAN];
    mr_detector_reason(finding,
                       "%s is %.6g; its moving average %.6g is %.4g sigma %s the baseline %.6g (sd "
                       "%.6g); the limit is %.6g",
                       ewma->detector.field_text, row->values[0], level, row->score,
                       level > mean ? "above" : "below", mean, row->own[EWMA_SD],
                       finding->threshold);
}

MR_DETECTOR_CODEC(ewma, ewma_model)

static const struct mr_detector_type ewma_detector = {
    .model = &ewma_model,
    .encode = ewma_encode,
    .decode = ewma_decode,
    .describe = ewma_describe,
};

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
    return mr_detector_open(&ewma->detector, open, &ewma_detector, error);
}

static enum mr_status ewma_describe_state(const struct mr_state_object *object,
                                          struct mr_arena *arena,
                                          struct mr_state_description *description,
                                          struct mr_error *error)
{
    MR_UNUSED(arena);
    struct ewma_object entry = {0};
    if (!mr_stage_describe(&ewma_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "count", mr_value_uint(entry.count));
    mr_describe_member(description, "level", mr_value_double(entry.level));
    mr_describe_member(description, "mean", mr_value_double(entry.mean));
    mr_describe_member(description, "sd", mr_value_double(sqrt(entry.variance)));
    return MR_OK;
}

static void ewma_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&ewma_model, options, estimate);
}

static enum mr_status ewma_check(const struct mr_options *options, const char **option,
                                 struct mr_error *error)
{
    if (mr_options_number(options, "baseline_decay") < mr_options_number(options, "lambda"))
        return mr_detector_check(options, option, error);
    *option = "baseline_decay";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`baseline_decay` (%g) must be below `lambda` (%g): the baseline has to follow "
                   "more slowly than the level that is compared with it",
                   mr_options_number(options, "baseline_decay"),
                   mr_options_number(options, "lambda"));
}

static const struct mr_option_spec ewma_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD(
        "3.0",
        "The control limit L in sigma of the moving average: above it a record is an anomaly."),
    MR_DETECTOR_OPTION_WARMUP("30", 2, 1e6),
    MR_DETECTOR_OPTIONS,
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
    MR_DETECTOR_MEMBERS("|level - mean| in sigma of the moving average."),
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
                "Numbers beyond +-1e140 are scored but not learned. State: 41 bytes a key. Papers: "
                "Roberts, Technometrics 1 (1959); MacGregor and Harris, Journal of Quality "
                "Technology 25 (1993).",
            .options = ewma_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = ewma_fields,
            .added_fields_count = MR_ARRAY_COUNT(ewma_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(EWMA_VERSION),
            .estimate = ewma_estimate,
            .check = ewma_check,
        },
    .instance_size = sizeof(struct ewma),
    .open = ewma_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = ewma_table,
    .describe_state = ewma_describe_state,
};
