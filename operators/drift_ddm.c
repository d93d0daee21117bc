/* operators/drift_ddm.c — drift.ddm: the error rate of a model has risen above the least it had.
 * Source: Gama, Medas, Castillo, Rodrigues, Learning with drift detection (SBIA 2004); equals river
 * 0.26 index for index.
 *
 *   p = errors / n,  s = sqrt(p (1 - p) / n)
 *   from n > warmup on: when p + s <= least p + least s, both become the least
 *   score = (p + s) / (least p + drift_level least s)
 *
 * Stored object, version 1 (little-endian):
 *   0  uint64 n          8  double p            16  double least p, below 0: none yet
 *  24  double least s   32  uint64 detections */
#include "operators/drift.h"

#include "base/assert.h"
#include "base/endian.h"
#include "operators/registry.h"

enum { DDM_VERSION = 1, DDM_BYTES = 40 };

static const char ddm_table[] = "test";

struct ddm_object {
    struct mr_drift_mean errors;
    double least; /* below 0: none yet */
    double least_sd;
    uint64_t detections;
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct ddm_object *entry = object;
    mr_put_u64le(output, entry->errors.count);
    mr_put_double_le(output + 8, entry->errors.mean);
    mr_put_double_le(output + 16, entry->least);
    mr_put_double_le(output + 24, entry->least_sd);
    mr_put_u64le(output + 32, entry->detections);
    return DDM_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct ddm_object *entry = object;
    if (version != DDM_VERSION || stored.size != DDM_BYTES)
        return false;
    entry->errors.count = mr_get_u64le(stored.data);
    entry->errors.mean = mr_get_double_le(stored.data + 8);
    entry->least = mr_get_double_le(stored.data + 16);
    entry->least_sd = mr_get_double_le(stored.data + 24);
    entry->detections = mr_get_u64le(stored.data + 32);
    return true;
}

/* The stream begins, for the first time or behind a drift. */
static void restart(struct ddm_object *entry)
{
    *entry = (struct ddm_object){.detections = entry->detections};
    entry->least = -1;
}

static void ddm_begin(const void *self, const struct mr_model_row *row, void *object)
{
    MR_UNUSED(self);
    MR_UNUSED(row);
    restart(object);
}

static bool ddm_ready(const void *self, const void *object)
{
    const struct mr_drift_ddm *ddm = self;
    const struct ddm_object *entry = object;
    return entry->errors.count >= ddm->warmup;
}

static enum mr_status ddm_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct mr_drift_ddm *ddm = self;
    struct ddm_object *entry = row->object;
    MR_UNUSED(error);
    mr_drift_mean_learn(&entry->errors, row->values[0]);
    double rate = entry->errors.mean;
    double variance = rate * (1 - rate) / (double)entry->errors.count;
    double sd = variance > 0 ? sqrt(variance) : 0; /* a rate one ulp above 1 gives less than 0 */
    row->score = 0;
    bool warning = false;
    if (entry->errors.count > ddm->warmup) {
        if (entry->least < 0 || rate + sd <= entry->least + entry->least_sd) {
            entry->least = rate;
            entry->least_sd = sd;
        }
        row->score = mr_drift_score(rate + sd, entry->least + ddm->drift_level * entry->least_sd);
        warning = rate + sd > entry->least + ddm->warning_level * entry->least_sd;
    }
    bool drift = row->score > 1;
    entry->detections += drift;
    row->own[MR_DRIFT_DDM_WARNING] = warning && !drift;
    row->own[MR_DRIFT_DDM_WIDTH] = (double)entry->errors.count;
    row->own[MR_DRIFT_DDM_ESTIMATION] = rate;
    row->own[MR_DRIFT_DDM_SD] = sd;
    row->own[MR_DRIFT_DDM_LEAST] = entry->least < 0 ? NAN : entry->least;
    row->own[MR_DRIFT_DDM_LEAST_SD] = entry->least < 0 ? NAN : entry->least_sd;
    row->own[MR_DRIFT_DDM_DETECTIONS] = (double)entry->detections;
    if (drift)
        restart(entry);
    return MR_OK;
}

const struct mr_model_type mr_drift_ddm_model = {
    .table = ddm_table,
    .version = DDM_VERSION,
    .object_size = sizeof(struct ddm_object),
    .encoded_size_max = DDM_BYTES,
    .encode = object_encode,
    .decode = object_decode,
    .begin = ddm_begin,
    .ready = ddm_ready,
    .learn = ddm_learn,
};

/* ---- The detector ---- */

static void ddm_describe(const void *self, const struct mr_model_row *row,
                         struct mr_detector_finding *finding)
{
    const struct mr_drift_ddm *ddm = self;
    mr_detector_reason(finding,
                       "the error rate of %s is %.6g (sd %.6g) over %.0f records; it was %.6g (sd "
                       "%.6g) at its least, and %.6g standard deviations above it are drift",
                       ddm->detector.field_text, row->own[MR_DRIFT_DDM_ESTIMATION],
                       row->own[MR_DRIFT_DDM_SD], row->own[MR_DRIFT_DDM_WIDTH],
                       row->own[MR_DRIFT_DDM_LEAST], row->own[MR_DRIFT_DDM_LEAST_SD],
                       ddm->drift_level);
}

MR_DETECTOR_CODEC(ddm, mr_drift_ddm_model)

static const struct mr_detector_type ddm_detector = {
    .model = &mr_drift_ddm_model,
    .encode = ddm_encode,
    .decode = ddm_decode,
    .describe = ddm_describe,
    .range = MR_RANGE_BINARY,
};

static enum mr_status ddm_open(void *self, const struct mr_operator_open *open,
                               struct mr_error *error)
{
    struct mr_drift_ddm *ddm = self;
    const struct mr_options *options = &open->node->options;
    ddm->warmup = (uint64_t)mr_options_integer(options, "warm_start");
    ddm->warning_level = mr_options_number(options, "warning_threshold");
    ddm->drift_level = mr_options_number(options, "drift_threshold");
    return mr_drift_open(&ddm->detector, open, &ddm_detector, error);
}

static enum mr_status ddm_describe_state(const struct mr_state_object *object,
                                         struct mr_arena *arena,
                                         struct mr_state_description *description,
                                         struct mr_error *error)
{
    MR_UNUSED(arena);
    struct ddm_object entry = {0};
    if (!mr_stage_describe(&mr_drift_ddm_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "width", mr_value_uint(entry.errors.count));
    mr_describe_member(description, "estimation", mr_value_double(entry.errors.mean));
    if (entry.least >= 0) {
        mr_describe_member(description, "least", mr_value_double(entry.least));
        mr_describe_member(description, "least_sd", mr_value_double(entry.least_sd));
    }
    mr_describe_member(description, "n_detections", mr_value_uint(entry.detections));
    return MR_OK;
}

static void ddm_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&mr_drift_ddm_model, options, estimate);
}

static enum mr_status ddm_check(const struct mr_options *options, const char **option,
                                struct mr_error *error)
{
    double warning = mr_options_number(options, "warning_threshold");
    double drift = mr_options_number(options, "drift_threshold");
    if (warning <= drift)
        return mr_detector_check(options, option, error);
    *option = "warning_threshold";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`warning_threshold` (%g) must not be above `drift_threshold` (%g): a warning "
                   "comes before the drift",
                   warning, drift);
}

static const struct mr_option_spec ddm_options[] = {
    MR_DRIFT_OPTION_ERRORS,
    {.name = "warning_threshold",
     .type = MR_OPTION_NUMBER,
     .default_text = "2.0",
     .minimum = 0,
     .maximum = 1e6,
     .help = "Standard deviations above the least error rate from which it warns."},
    {.name = "drift_threshold",
     .type = MR_OPTION_NUMBER,
     .default_text = "3.0",
     .minimum = 0,
     .maximum = 1e6,
     .help = "Standard deviations above the least error rate from which it is drift."},
    {.name = "warm_start",
     .type = MR_OPTION_INTEGER,
     .default_text = "30",
     .minimum = 1,
     .maximum = 1e6,
     .help = "Records that are only learned: their score is 0."},
    MR_DRIFT_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field ddm_fields[] = {
    MR_DRIFT_MEMBERS,
    {"warning", MR_TYPE_BOOL, "Short of drift, but beyond the warning level."},
    {"width", MR_TYPE_INT, "Records since the last drift, this one included."},
    {"estimation", MR_TYPE_DOUBLE, "Share of errors among them."},
    {"sd", MR_TYPE_DOUBLE, "Its standard deviation."},
    {"least", MR_TYPE_DOUBLE, "The error rate when rate and sd together were least."},
    {"least_sd", MR_TYPE_DOUBLE, "Its standard deviation then."},
    {"n_detections", MR_TYPE_INT, "Drifts of the key so far."},
};

const struct mr_operator_type mr_operator_drift_ddm = {
    .spec =
        {
            .name = "drift.ddm",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds that the error rate of a model has risen.",
            .description =
                "Follows the error rate of a model for each key, and remembers when rate and "
                "standard deviation together were least. The score is (rate + sd) / (least rate "
                "+ `drift_threshold` least sd).\n\n"
                "Finds sudden rises of the error rate. Slow ones become part of the rate: use "
                "drift.eddm or drift.hddm_a. A key without any error in its first `warm_start` "
                "records drifts at its first error, with the largest score there is. Falls are "
                "not found.\n\n"
                "The field is 0 or 1, false or true; other numbers are reported. Judges each "
                "record with that record in it; the one after a drift begins a new stream. "
                "Index for index equal to river 0.26, whose names the options have; "
                "`n_detections` counts on where river begins anew. Of libm only sqrt decides: "
                "the same bits on every machine. State: 49 bytes a key; changelog: these and "
                "the key per record. Paper: Gama, Medas, Castillo, Rodrigues, Learning with "
                "Drift Detection (SBIA 2004).",
            .options = ddm_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "drift",
            .added_fields = ddm_fields,
            .added_fields_count = MR_ARRAY_COUNT(ddm_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(DDM_VERSION),
            .estimate = ddm_estimate,
            .check = ddm_check,
        },
    .instance_size = sizeof(struct mr_drift_ddm),
    .open = ddm_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = ddm_table,
    .describe_state = ddm_describe_state,
};
