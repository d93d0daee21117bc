/* operators/drift_eddm.c — drift.eddm: the errors of a model come closer together than they did.
 * Source: Baena-Garcia, del Campo-Avila, Fidalgo, Bifet, Gavalda, Morales-Bueno, Early drift
 * detection method (2006); equals river 0.26 index for index.
 *
 *   at an error, d = records since the error before it: m and s are mean and standard deviation of
 *   all d, level = (m + 2 s) / most, where most is the largest m + 2 s since record `warmup`
 *   score = drift_level / level, from `warmup` errors on; between errors as at the last one
 *
 * Stored object, version 1 (little-endian):
 *   0  uint64 n                   8  uint64 n at the last error   16  uint64 errors
 *  24  double m                  32  double sum of squared deviations from m
 *  40  double most; below 0: none  48  uint64 detections           56  uint8 warning */
#include "operators/drift.h"

#include "base/assert.h"
#include "base/endian.h"
#include "operators/registry.h"

enum { EDDM_VERSION = 1, EDDM_BYTES = 57 };

static const char eddm_table[] = "test";

struct eddm_object {
    uint64_t count;
    uint64_t last_error;
    struct mr_drift_mean distance; /* its count is that of the errors */
    double squares;
    double most; /* below 0: none yet */
    uint64_t detections;
    bool warning;
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct eddm_object *entry = object;
    mr_put_u64le(output, entry->count);
    mr_put_u64le(output + 8, entry->last_error);
    mr_put_u64le(output + 16, entry->distance.count);
    mr_put_double_le(output + 24, entry->distance.mean);
    mr_put_double_le(output + 32, entry->squares);
    mr_put_double_le(output + 40, entry->most);
    mr_put_u64le(output + 48, entry->detections);
    output[56] = entry->warning;
    return EDDM_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct eddm_object *entry = object;
    if (version != EDDM_VERSION || stored.size != EDDM_BYTES)
        return false;
    entry->count = mr_get_u64le(stored.data);
    entry->last_error = mr_get_u64le(stored.data + 8);
    entry->distance.count = mr_get_u64le(stored.data + 16);
    entry->distance.mean = mr_get_double_le(stored.data + 24);
    entry->squares = mr_get_double_le(stored.data + 32);
    entry->most = mr_get_double_le(stored.data + 40);
    entry->detections = mr_get_u64le(stored.data + 48);
    entry->warning = stored.data[56] != 0;
    return true;
}

/* The stream begins, for the first time or behind a drift. */
static void restart(struct eddm_object *entry)
{
    *entry = (struct eddm_object){.detections = entry->detections};
    entry->most = -1;
}

static void eddm_begin(const void *self, const struct mr_model_row *row, void *object)
{
    MR_UNUSED(self);
    MR_UNUSED(row);
    restart(object);
}

static bool eddm_ready(const void *self, const void *object)
{
    const struct mr_drift_eddm *eddm = self;
    const struct eddm_object *entry = object;
    return entry->distance.count >= eddm->warmup;
}

static double distance_sd(const struct eddm_object *entry)
{
    if (entry->distance.count < 2)
        return 0;
    return sqrt(entry->squares / (double)(entry->distance.count - 1));
}

/* The share of the largest distance that is left; 1 while there is nothing to compare. It is a
 * function of what is stored, so that records between errors see the last error's. */
static double level_now(const struct mr_drift_eddm *eddm, const struct eddm_object *entry)
{
    if (entry->last_error <= eddm->warmup || entry->distance.count <= eddm->warmup)
        return 1;
    return (entry->distance.mean + 2 * distance_sd(entry)) / entry->most;
}

static void learn_error(const struct mr_drift_eddm *eddm, struct eddm_object *entry)
{
    double distance = (double)(entry->count - entry->last_error);
    double before = entry->distance.mean;
    mr_drift_mean_learn(&entry->distance, distance);
    entry->squares += (distance - before) * (distance - entry->distance.mean);
    entry->last_error = entry->count;
    if (entry->count <= eddm->warmup)
        return;
    double reach = entry->distance.mean + 2 * distance_sd(entry);
    if (reach > entry->most) {
        entry->most = reach;
        return; /* a warning stays: the paper's level is not taken here */
    }
    if (entry->distance.count > eddm->warmup)
        entry->warning = reach / entry->most < eddm->warning_level;
}

static enum mr_status eddm_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct mr_drift_eddm *eddm = self;
    struct eddm_object *entry = row->object;
    MR_UNUSED(error);
    bool warned = entry->warning;
    entry->count++;
    if (row->values[0] == 1)
        learn_error(eddm, entry);
    bool judged = entry->last_error > eddm->warmup && entry->distance.count > eddm->warmup;
    row->score = judged ? mr_drift_score(eddm->drift_level, level_now(eddm, entry)) : 0;
    bool drift = row->score > 1;
    entry->detections += drift;
    row->own[MR_DRIFT_EDDM_WARNING] = drift ? warned : entry->warning;
    row->own[MR_DRIFT_EDDM_WIDTH] = (double)entry->count;
    row->own[MR_DRIFT_EDDM_ERRORS] = (double)entry->distance.count;
    row->own[MR_DRIFT_EDDM_ESTIMATION] = entry->distance.count == 0 ? NAN : entry->distance.mean;
    row->own[MR_DRIFT_EDDM_SD] = entry->distance.count == 0 ? NAN : distance_sd(entry);
    row->own[MR_DRIFT_EDDM_DETECTIONS] = (double)entry->detections;
    if (drift)
        restart(entry);
    return MR_OK;
}

const struct mr_model_type mr_drift_eddm_model = {
    .table = eddm_table,
    .version = EDDM_VERSION,
    .object_size = sizeof(struct eddm_object),
    .encoded_size_max = EDDM_BYTES,
    .encode = object_encode,
    .decode = object_decode,
    .begin = eddm_begin,
    .ready = eddm_ready,
    .learn = eddm_learn,
};

/* ---- The detector ---- */

static void eddm_describe(const void *self, const struct mr_model_row *row,
                          struct mr_detector_finding *finding)
{
    const struct mr_drift_eddm *eddm = self;
    mr_detector_reason(finding,
                       "the errors of %s are %.6g records apart (sd %.6g, %.0f errors in %.0f "
                       "records): that is below %.6g of the largest distance so far",
                       eddm->detector.field_text, row->own[MR_DRIFT_EDDM_ESTIMATION],
                       row->own[MR_DRIFT_EDDM_SD], row->own[MR_DRIFT_EDDM_ERRORS],
                       row->own[MR_DRIFT_EDDM_WIDTH], eddm->drift_level);
}

MR_DETECTOR_CODEC(eddm, mr_drift_eddm_model)

static const struct mr_detector_type eddm_detector = {
    .model = &mr_drift_eddm_model,
    .encode = eddm_encode,
    .decode = eddm_decode,
    .describe = eddm_describe,
    .range = MR_RANGE_BINARY,
};

static enum mr_status eddm_open(void *self, const struct mr_operator_open *open,
                                struct mr_error *error)
{
    struct mr_drift_eddm *eddm = self;
    const struct mr_options *options = &open->node->options;
    eddm->warmup = (uint64_t)mr_options_integer(options, "warm_start");
    eddm->warning_level = mr_options_number(options, "alpha");
    eddm->drift_level = mr_options_number(options, "beta");
    return mr_drift_open(&eddm->detector, open, &eddm_detector, error);
}

static enum mr_status eddm_describe_state(const struct mr_state_object *object,
                                          struct mr_arena *arena,
                                          struct mr_state_description *description,
                                          struct mr_error *error)
{
    MR_UNUSED(arena);
    struct eddm_object entry = {0};
    if (!mr_stage_describe(&mr_drift_eddm_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "width", mr_value_uint(entry.count));
    mr_describe_member(description, "errors", mr_value_uint(entry.distance.count));
    if (entry.distance.count > 0)
        mr_describe_member(description, "estimation", mr_value_double(entry.distance.mean));
    mr_describe_member(description, "warning", mr_value_bool(entry.warning));
    mr_describe_member(description, "n_detections", mr_value_uint(entry.detections));
    return MR_OK;
}

static void eddm_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&mr_drift_eddm_model, options, estimate);
}

static enum mr_status eddm_check(const struct mr_options *options, const char **option,
                                 struct mr_error *error)
{
    double warning = mr_options_number(options, "alpha");
    double drift = mr_options_number(options, "beta");
    if (warning >= drift)
        return mr_detector_check(options, option, error);
    *option = "alpha";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`alpha` (%g) must not be below `beta` (%g): a warning comes before the drift",
                   warning, drift);
}

static const struct mr_option_spec eddm_options[] = {
    MR_DRIFT_OPTION_ERRORS,
    {.name = "alpha",
     .type = MR_OPTION_SHARE,
     .default_text = "0.95",
     .minimum = 1e-6,
     .maximum = 1,
     .help = "Share of the largest distance below which it warns."},
    {.name = "beta",
     .type = MR_OPTION_SHARE,
     .default_text = "0.9",
     .minimum = 1e-6,
     .maximum = 1,
     .help = "Share of the largest distance below which it is drift."},
    {.name = "warm_start",
     .type = MR_OPTION_INTEGER,
     .default_text = "30",
     .minimum = 0,
     .maximum = 1e6,
     .help = "Errors that are only learned: the score is 0 until then."},
    MR_DRIFT_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field eddm_fields[] = {
    MR_DRIFT_MEMBERS,
    {"warning", MR_TYPE_BOOL, "Short of drift, but beyond the warning level."},
    {"width", MR_TYPE_INT, "Records since the last drift, this one included."},
    {"errors", MR_TYPE_INT, "How many of them are errors."},
    {"estimation", MR_TYPE_DOUBLE, "Mean distance between errors, in records."},
    {"sd", MR_TYPE_DOUBLE, "Its standard deviation."},
    {"n_detections", MR_TYPE_INT, "Drifts of the key so far."},
};

const struct mr_operator_type mr_operator_drift_eddm = {
    .spec =
        {
            .name = "drift.eddm",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds that the errors of a model come closer together.",
            .description =
                "Follows for each key how many records lie between one error of a model and the "
                "next: m is their mean and s their standard deviation. The score is `beta` over "
                "the share that m + 2 s is of the largest it was; between errors it stays.\n\n"
                "Finds gradual rises of the error rate, where drift.ddm is late. It alarms "
                "often: with the defaults also on steady streams; lower `alpha` and `beta` (0.8 "
                "and 0.75) where that is too much. Not for falls of the error rate, and not "
                "where errors come periodically.\n\n"
                "The field is 0 or 1, false or true; other numbers are reported. Judges each "
                "record with that record in it; the one after a drift begins a new stream. "
                "Index for index equal to river 0.26, whose names the options have; "
                "`n_detections` counts on where river begins anew. Of libm only sqrt decides: "
                "the same bits on every machine. State: 66 bytes a key; changelog: these and "
                "the key per record. Paper: Baena-Garcia and others, Early Drift Detection "
                "Method (2006).",
            .options = eddm_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "drift",
            .added_fields = eddm_fields,
            .added_fields_count = MR_ARRAY_COUNT(eddm_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(EDDM_VERSION),
            .estimate = eddm_estimate,
            .check = eddm_check,
        },
    .instance_size = sizeof(struct mr_drift_eddm),
    .open = eddm_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = eddm_table,
    .describe_state = eddm_describe_state,
};
