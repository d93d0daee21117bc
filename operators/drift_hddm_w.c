/* operators/drift_hddm_w.c — drift.hddm_w: the weighted mean of the numbers since a cut point is
 * above (or below) that before it, by McDiarmid's bound. Source: Frias-Blanco and others, Online
 * and non-parametric drift detection methods based on Hoeffding's bounds (IEEE TKDE 27, 2015);
 * equals river 0.26 index for index.
 *
 *   a sample is an exponentially weighted mean m and b = sum of its squared weights:
 *   m = lambda x + (1 - lambda) m (the first number is m), b = lambda^2 + (1 - lambda)^2 b from 1
 *   the cut is moved to now when m + sqrt(b ln(1 / drift_confidence) / 2) of all is least: before
 *   it the sample of all until then, behind it a new one; for falls the other way round
 *   score = (m behind - m before) / sqrt((b behind + b before) ln(1 / drift_confidence) / 2)
 *
 * Stored object, version 1 (little-endian): uint64 n, uint64 detections, then double m, double b of
 * the samples all, before a rise, behind it, before a fall, behind it; then double least and double
 * most of the cut points, each with the value of an empty sample while there is none; b of an
 * empty sample is 1 and m is NaN. */
#include "operators/drift.h"

#include "base/assert.h"
#include "base/endian.h"
#include "operators/natural_log.h"
#include "operators/registry.h"

enum { HDDM_W_VERSION = 1, HDDM_W_SAMPLES = 5, HDDM_W_BYTES = 16 + 16 * HDDM_W_SAMPLES + 16 };

struct sample {
    double mean; /* NaN: no number yet */
    double bound;
};

enum sample_place { ALL, BEFORE_RISE, BEHIND_RISE, BEFORE_FALL, BEHIND_FALL };

static const char hddm_w_table[] = "test";

struct hddm_w_object {
    uint64_t count;
    uint64_t detections;
    struct sample samples[HDDM_W_SAMPLES];
    double least; /* of the cut for rises */
    double most;  /* of the cut for falls */
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct hddm_w_object *entry = object;
    mr_put_u64le(output, entry->count);
    mr_put_u64le(output + 8, entry->detections);
    output += 16;
    for (uint32_t index = 0; index < HDDM_W_SAMPLES; index++, output += 16) {
        mr_put_double_le(output, entry->samples[index].mean);
        mr_put_double_le(output + 8, entry->samples[index].bound);
    }
    mr_put_double_le(output, entry->least);
    mr_put_double_le(output + 8, entry->most);
    return HDDM_W_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct hddm_w_object *entry = object;
    if (version != HDDM_W_VERSION || stored.size != HDDM_W_BYTES)
        return false;
    const uint8_t *bytes = stored.data;
    entry->count = mr_get_u64le(bytes);
    entry->detections = mr_get_u64le(bytes + 8);
    bytes += 16;
    for (uint32_t index = 0; index < HDDM_W_SAMPLES; index++, bytes += 16) {
        entry->samples[index].mean = mr_get_double_le(bytes);
        entry->samples[index].bound = mr_get_double_le(bytes + 8);
    }
    entry->least = mr_get_double_le(bytes);
    entry->most = mr_get_double_le(bytes + 8);
    return true;
}

void mr_drift_hddm_w_prepare(struct mr_drift_hddm_w *hddm)
{
    hddm->drift_log = mr_natural_log(1.0 / hddm->drift_confidence);
    hddm->warning_log = mr_natural_log(1.0 / hddm->warning_confidence);
}

static const struct sample no_sample = {NAN, 1};

/* The stream begins, for the first time or behind a drift. */
static void restart(struct hddm_w_object *entry)
{
    *entry = (struct hddm_w_object){.detections = entry->detections};
    for (uint32_t index = 0; index < HDDM_W_SAMPLES; index++)
        entry->samples[index] = no_sample;
    entry->least = DBL_MAX;
    entry->most = -DBL_MAX;
}

static void hddm_w_begin(const void *self, const struct mr_model_row *row, void *object)
{
    MR_UNUSED(self);
    MR_UNUSED(row);
    restart(object);
}

static void sample_learn(const struct mr_drift_hddm_w *hddm, struct sample *sample, double number)
{
    double keep = 1 - hddm->lambda;
    sample->mean = isnan(sample->mean) ? number : hddm->lambda * number + keep * sample->mean;
    sample->bound = hddm->lambda * hddm->lambda + keep * keep * sample->bound;
}

static double mcdiarmid(double bound, double confidence_log)
{
    return sqrt(bound * confidence_log / 2);
}

/* How far the mean of `later` is above that of `earlier`, in units of what confidence allows. */
static double rise_score(const struct sample *earlier, const struct sample *later,
                         double confidence_log)
{
    if (isnan(earlier->mean) || isnan(later->mean))
        return 0;
    return mr_drift_score(later->mean - earlier->mean,
                          mcdiarmid(earlier->bound + later->bound, confidence_log));
}

static void move_rise_cut(const struct mr_drift_hddm_w *hddm, struct hddm_w_object *entry,
                          double number)
{
    const struct sample *all = &entry->samples[ALL];
    double above = all->mean + mcdiarmid(all->bound, hddm->drift_log);
    if (above < entry->least) {
        entry->least = above;
        entry->samples[BEFORE_RISE] = *all;
        entry->samples[BEHIND_RISE] = no_sample;
    } else {
        sample_learn(hddm, &entry->samples[BEHIND_RISE], number);
    }
}

static void move_fall_cut(const struct mr_drift_hddm_w *hddm, struct hddm_w_object *entry,
                          double number)
{
    const struct sample *all = &entry->samples[ALL];
    double below = all->mean - mcdiarmid(all->bound, hddm->drift_log);
    if (below > entry->most) {
        entry->most = below;
        entry->samples[BEFORE_FALL] = *all;
        entry->samples[BEHIND_FALL] = no_sample;
    } else {
        sample_learn(hddm, &entry->samples[BEHIND_FALL], number);
    }
}

static enum mr_status hddm_w_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct mr_drift_hddm_w *hddm = self;
    struct hddm_w_object *entry = row->object;
    const struct sample *samples = entry->samples;
    MR_UNUSED(error);
    entry->count++;
    sample_learn(hddm, &entry->samples[ALL], row->values[0]);
    move_rise_cut(hddm, entry, row->values[0]);
    move_fall_cut(hddm, entry, row->values[0]);
    row->score = rise_score(&samples[BEFORE_RISE], &samples[BEHIND_RISE], hddm->drift_log);
    bool drift = row->score > 1;
    bool warning =
        !drift && rise_score(&samples[BEFORE_RISE], &samples[BEHIND_RISE], hddm->warning_log) > 1;
    if (hddm->two_sided) { /* a fall: before it the mean is higher */
        double score = rise_score(&samples[BEHIND_FALL], &samples[BEFORE_FALL], hddm->drift_log);
        if (score > 1)
            drift = true;
        else if (rise_score(&samples[BEHIND_FALL], &samples[BEFORE_FALL], hddm->warning_log) > 1)
            warning = true;
        row->score = score > row->score ? score : row->score;
    }
    entry->detections += drift;
    row->own[MR_DRIFT_HDDM_WARNING] = warning;
    row->own[MR_DRIFT_HDDM_WIDTH] = (double)entry->count;
    row->own[MR_DRIFT_HDDM_ESTIMATION] = samples[ALL].mean;
    row->own[MR_DRIFT_HDDM_DETECTIONS] = (double)entry->detections;
    if (drift)
        restart(entry);
    return MR_OK;
}

const struct mr_model_type mr_drift_hddm_w_model = {
    .table = hddm_w_table,
    .version = HDDM_W_VERSION,
    .object_size = sizeof(struct hddm_w_object),
    .encoded_size_max = HDDM_W_BYTES,
    .encode = object_encode,
    .decode = object_decode,
    .begin = hddm_w_begin,
    .learn = hddm_w_learn,
};

/* ---- The detector ---- */

static void hddm_w_describe(const void *self, const struct mr_model_row *row,
                            struct mr_detector_finding *finding)
{
    const struct mr_drift_hddm_w *hddm = self;
    mr_detector_reason(finding,
                       "%s is %.6g; the weighted mean of %.0f records is %.6g, and its change "
                       "since the cut is %.4g times what chance explains with confidence %.6g",
                       hddm->detector.field_text, row->values[0], row->own[MR_DRIFT_HDDM_WIDTH],
                       row->own[MR_DRIFT_HDDM_ESTIMATION], row->score, hddm->drift_confidence);
}

MR_DETECTOR_CODEC(hddm_w, mr_drift_hddm_w_model)

static const struct mr_detector_type hddm_w_detector = {
    .model = &mr_drift_hddm_w_model,
    .encode = hddm_w_encode,
    .decode = hddm_w_decode,
    .describe = hddm_w_describe,
    .range = MR_RANGE_SHARE,
};

static enum mr_status hddm_w_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct mr_drift_hddm_w *hddm = self;
    const struct mr_options *options = &open->node->options;
    hddm->drift_confidence = mr_options_number(options, "drift_confidence");
    hddm->warning_confidence = mr_options_number(options, "warning_confidence");
    hddm->lambda = mr_options_number(options, "lambda");
    hddm->two_sided = mr_options_boolean(options, "two_sided_test");
    mr_drift_hddm_w_prepare(hddm);
    return mr_drift_open(&hddm->detector, open, &hddm_w_detector, error);
}

static enum mr_status hddm_w_describe_state(const struct mr_state_object *object,
                                            struct mr_arena *arena,
                                            struct mr_state_description *description,
                                            struct mr_error *error)
{
    MR_UNUSED(arena);
    struct hddm_w_object entry = {0};
    if (!mr_stage_describe(&mr_drift_hddm_w_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "width", mr_value_uint(entry.count));
    if (entry.count > 0)
        mr_describe_member(description, "estimation", mr_value_double(entry.samples[ALL].mean));
    mr_describe_member(description, "n_detections", mr_value_uint(entry.detections));
    return MR_OK;
}

static void hddm_w_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&mr_drift_hddm_w_model, options, estimate);
}

static enum mr_status hddm_w_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    double warning = mr_options_number(options, "warning_confidence");
    double drift = mr_options_number(options, "drift_confidence");
    if (warning >= drift)
        return mr_detector_check(options, option, error);
    *option = "warning_confidence";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`warning_confidence` (%g) must not be below `drift_confidence` (%g): a "
                   "warning comes before the drift",
                   warning, drift);
}

static const struct mr_option_spec hddm_w_options[] = {
    MR_DRIFT_OPTION_SHARES,
    {.name = "drift_confidence",
     .type = MR_OPTION_SHARE,
     .default_text = "0.001",
     .minimum = 1e-300,
     .maximum = 0.999,
     .help = "How likely chance alone makes a change that counts as drift, at most."},
    {.name = "warning_confidence",
     .type = MR_OPTION_SHARE,
     .default_text = "0.005",
     .minimum = 1e-300,
     .maximum = 0.999,
     .help = "How likely chance alone makes a change that is a warning, at most."},
    {.name = "two_sided_test",
     .type = MR_OPTION_BOOLEAN,
     .default_text = "false",
     .help = "Falls of the mean are drift too, not only rises."},
    {.name = "lambda",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "0.05",
     .minimum = 1e-6,
     .maximum = 1,
     .help = "Weight of the newest record (river: lambda_val): large finds sudden, small gradual "
             "changes."},
    MR_DRIFT_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field hddm_w_fields[] = {
    MR_DRIFT_MEMBERS,
    {"warning", MR_TYPE_BOOL, "Short of drift, but beyond the warning level."},
    {"width", MR_TYPE_INT, "Records since the last drift, this one included."},
    {"estimation", MR_TYPE_DOUBLE, "Their exponentially weighted mean."},
    {"n_detections", MR_TYPE_INT, "Drifts of the key so far."},
};

const struct mr_operator_type mr_operator_drift_hddm_w = {
    .spec =
        {
            .name = "drift.hddm_w",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds a change of a weighted mean between 0 and 1 by McDiarmid's bound.",
            .description =
                "Keeps for each key the exponentially weighted mean of all records up to the "
                "point where it was surely least, and of those since. The score is how much "
                "higher the second is, over what McDiarmid's bound allows at "
                "`drift_confidence`; with `two_sided_test` also the same for falls.\n\n"
                "Finds gradual changes of an error rate or any other share sooner than "
                "drift.hddm_a, and depends more on its weight `lambda`. Not for numbers outside "
                "of 0 to 1: scale them, or use drift.adwin.\n\n"
                "The field is a number from 0 to 1, or false or true; other numbers are "
                "reported. Judges each record with that record in it; the one after a drift "
                "begins a new stream. Index for index equal to river 0.26, whose names the "
                "options have; `n_detections` counts on where river begins anew. Logarithms are "
                "computed by our own function: the same bits on every machine. State: 121 bytes "
                "a key; changelog: these and the key per record. Paper: Frias-Blanco and "
                "others, IEEE TKDE 27 (2015).",
            .options = hddm_w_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "drift",
            .added_fields = hddm_w_fields,
            .added_fields_count = MR_ARRAY_COUNT(hddm_w_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(HDDM_W_VERSION),
            .estimate = hddm_w_estimate,
            .check = hddm_w_check,
        },
    .instance_size = sizeof(struct mr_drift_hddm_w),
    .open = hddm_w_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = hddm_w_table,
    .describe_state = hddm_w_describe_state,
};
