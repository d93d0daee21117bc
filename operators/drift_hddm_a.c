/* operators/drift_hddm_a.c — drift.hddm_a: the mean of numbers between 0 and 1 has risen (or
 * fallen) since the cut point where it was least (most), by Hoeffding's bound for averages.
 * Source: Frias-Blanco and others, Online and non-parametric drift detection methods based on
 * Hoeffding's bounds (IEEE TKDE 27, 2015); equals river 0.26 index for index.
 *
 *   z is the mean of all n numbers; the cut x keeps z and n from when z + e(n) was least,
 *   e(n) = sqrt(ln(1 / drift_confidence) / 2n); the other cut from when z - e(n) was most
 *   score = (z - x) / sqrt((n - n_x) / (2 n_x n) ln(2 / drift_confidence)), 0 where n = n_x
 *
 * Stored object, version 1 (little-endian):
 *   0  uint64 n   8  double z   16  uint64 n_x   24  double x
 *  32  uint64 and 40  double, of the other cut   48  uint64 detections */
#include "operators/drift.h"

#include "base/assert.h"
#include "base/endian.h"
#include "operators/natural_log.h"
#include "operators/registry.h"

enum { HDDM_A_VERSION = 1, HDDM_A_BYTES = 56 };

static const char hddm_a_table[] = "test";

struct hddm_a_object {
    struct mr_drift_mean all;
    struct mr_drift_mean low;  /* the cut that a rise is measured from */
    struct mr_drift_mean high; /* the cut that a fall is measured from */
    uint64_t detections;
};

static void mean_encode(const struct mr_drift_mean *mean, uint8_t *output)
{
    mr_put_u64le(output, mean->count);
    mr_put_double_le(output + 8, mean->mean);
}

static struct mr_drift_mean mean_decode(const uint8_t *stored)
{
    return (struct mr_drift_mean){mr_get_u64le(stored), mr_get_double_le(stored + 8)};
}

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct hddm_a_object *entry = object;
    mean_encode(&entry->all, output);
    mean_encode(&entry->low, output + 16);
    mean_encode(&entry->high, output + 32);
    mr_put_u64le(output + 48, entry->detections);
    return HDDM_A_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct hddm_a_object *entry = object;
    if (version != HDDM_A_VERSION || stored.size != HDDM_A_BYTES)
        return false;
    entry->all = mean_decode(stored.data);
    entry->low = mean_decode(stored.data + 16);
    entry->high = mean_decode(stored.data + 32);
    entry->detections = mr_get_u64le(stored.data + 48);
    return true;
}

void mr_drift_hddm_a_prepare(struct mr_drift_hddm_a *hddm)
{
    hddm->cut_log = mr_natural_log(1.0 / hddm->drift_confidence);
    hddm->drift_log = mr_natural_log(2.0 / hddm->drift_confidence);
    hddm->warning_log = mr_natural_log(2.0 / hddm->warning_confidence);
}

static void hddm_a_begin(const void *self, const struct mr_model_row *row, void *object)
{
    MR_UNUSED(self);
    MR_UNUSED(row);
    MR_UNUSED(object); /* zeroed is the beginning */
}

/* Hoeffding's bound of a mean of count numbers. */
static double mean_bound(const struct mr_drift_hddm_a *hddm, uint64_t count)
{
    return sqrt(1.0 / (2.0 * (double)count) * hddm->cut_log);
}

static void move_cuts(const struct mr_drift_hddm_a *hddm, struct hddm_a_object *entry)
{
    double bound = mean_bound(hddm, entry->all.count);
    if (entry->low.count == 0 ||
        entry->low.mean + mean_bound(hddm, entry->low.count) >= entry->all.mean + bound)
        entry->low = entry->all;
    if (entry->high.count == 0 ||
        entry->high.mean - mean_bound(hddm, entry->high.count) <= entry->all.mean - bound)
        entry->high = entry->all;
}

/* How far a mean may be from that at the cut, by confidence. 0: the cut is now. */
static double cut_bound(const struct hddm_a_object *entry, const struct mr_drift_mean *cut,
                        double confidence_log)
{
    if (cut->count == entry->all.count)
        return 0;
    double count = (double)entry->all.count;
    double spread = (count - (double)cut->count) / (double)cut->count * (1.0 / count);
    return sqrt(spread / 2 * confidence_log);
}

/* A change that reaches its bound is drift too: the score is above 1 then. */
static double cut_score(double change, double bound)
{
    if (bound == 0)
        return 0;
    return change == bound ? 1 + DBL_EPSILON : mr_drift_score(change, bound);
}

static enum mr_status hddm_a_learn(void *self, struct mr_model_row *row, struct mr_error *error)
{
    const struct mr_drift_hddm_a *hddm = self;
    struct hddm_a_object *entry = row->object;
    MR_UNUSED(error);
    mr_drift_mean_learn(&entry->all, row->values[0]);
    move_cuts(hddm, entry);
    double rise = entry->all.mean - entry->low.mean;
    row->score = cut_score(rise, cut_bound(entry, &entry->low, hddm->drift_log));
    bool drift = row->score > 1;
    bool warning = !drift && cut_score(rise, cut_bound(entry, &entry->low, hddm->warning_log)) > 1;
    if (hddm->two_sided) {
        double fall = entry->high.mean - entry->all.mean;
        double score = cut_score(fall, cut_bound(entry, &entry->high, hddm->drift_log));
        if (score > 1)
            drift = true;
        else if (cut_score(fall, cut_bound(entry, &entry->high, hddm->warning_log)) > 1)
            warning = true;
        row->score = score > row->score ? score : row->score;
    }
    entry->detections += drift;
    row->own[MR_DRIFT_HDDM_WARNING] = warning;
    row->own[MR_DRIFT_HDDM_WIDTH] = (double)entry->all.count;
    row->own[MR_DRIFT_HDDM_ESTIMATION] = entry->all.mean;
    row->own[MR_DRIFT_HDDM_DETECTIONS] = (double)entry->detections;
    if (drift)
        *entry = (struct hddm_a_object){.detections = entry->detections};
    return MR_OK;
}

const struct mr_model_type mr_drift_hddm_a_model = {
    .table = hddm_a_table,
    .version = HDDM_A_VERSION,
    .object_size = sizeof(struct hddm_a_object),
    .encoded_size_max = HDDM_A_BYTES,
    .encode = object_encode,
    .decode = object_decode,
    .begin = hddm_a_begin,
    .learn = hddm_a_learn,
};

/* ---- The detector ---- */

static void hddm_a_describe(const void *self, const struct mr_model_row *row,
                            struct mr_detector_finding *finding)
{
    const struct mr_drift_hddm_a *hddm = self;
    mr_detector_reason(finding,
                       "%s is %.6g; the mean of %.0f records is %.6g, and its change "
                       "since the cut is %.4g times what chance explains with confidence %.6g",
                       hddm->detector.field_text, row->values[0], row->own[MR_DRIFT_HDDM_WIDTH],
                       row->own[MR_DRIFT_HDDM_ESTIMATION], row->score, hddm->drift_confidence);
}

MR_DETECTOR_CODEC(hddm_a, mr_drift_hddm_a_model)

static const struct mr_detector_type hddm_a_detector = {
    .model = &mr_drift_hddm_a_model,
    .encode = hddm_a_encode,
    .decode = hddm_a_decode,
    .describe = hddm_a_describe,
    .range = MR_RANGE_SHARE,
};

static enum mr_status hddm_a_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct mr_drift_hddm_a *hddm = self;
    const struct mr_options *options = &open->node->options;
    hddm->drift_confidence = mr_options_number(options, "drift_confidence");
    hddm->warning_confidence = mr_options_number(options, "warning_confidence");
    hddm->two_sided = mr_options_boolean(options, "two_sided_test");
    mr_drift_hddm_a_prepare(hddm);
    return mr_drift_open(&hddm->detector, open, &hddm_a_detector, error);
}

static enum mr_status hddm_a_describe_state(const struct mr_state_object *object,
                                            struct mr_arena *arena,
                                            struct mr_state_description *description,
                                            struct mr_error *error)
{
    MR_UNUSED(arena);
    struct hddm_a_object entry = {0};
    if (!mr_stage_describe(&mr_drift_hddm_a_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "width", mr_value_uint(entry.all.count));
    mr_describe_member(description, "estimation", mr_value_double(entry.all.mean));
    mr_describe_member(description, "n_detections", mr_value_uint(entry.detections));
    return MR_OK;
}

static void hddm_a_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&mr_drift_hddm_a_model, options, estimate);
}

static enum mr_status hddm_a_check(const struct mr_options *options, const char **option,
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

static const struct mr_option_spec hddm_a_options[] = {
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
    MR_DRIFT_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field hddm_a_fields[] = {
    MR_DRIFT_MEMBERS,
    {"warning", MR_TYPE_BOOL, "Short of drift, but beyond the warning level."},
    {"width", MR_TYPE_INT, "Records since the last drift, this one included."},
    {"estimation", MR_TYPE_DOUBLE, "Their mean."},
    {"n_detections", MR_TYPE_INT, "Drifts of the key so far."},
};

const struct mr_operator_type mr_operator_drift_hddm_a = {
    .spec =
        {
            .name = "drift.hddm_a",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary =
                "Finds a change of a mean between 0 and 1 by Hoeffding's bound for averages.",
            .description =
                "Follows the mean of each key since the last drift, and keeps the point where "
                "it was surely least. The score is how far the mean has risen since, over what "
                "Hoeffding's bound allows at `drift_confidence`; with `two_sided_test` also how "
                "far it has fallen since it was surely largest.\n\n"
                "Finds sudden changes of an error rate or any other share, with a bound on "
                "false alarms that needs no distribution. Gradual changes are found sooner by "
                "drift.hddm_w. Not for numbers outside of 0 to 1: scale them, or use "
                "drift.adwin.\n\n"
                "The field is a number from 0 to 1, or false or true; other numbers are "
                "reported. Judges each record with that record in it; the one after a drift "
                "begins a new stream. Index for index equal to river 0.26, whose names the "
                "options have; `n_detections` counts on where river begins anew. Logarithms are "
                "computed by our own function: the same bits on every machine. A change that "
                "just reaches its bound is drift: its score is the least number above 1. State: "
                "65 bytes a key; changelog: these and the key per record. Paper: Frias-Blanco "
                "and others, IEEE TKDE 27 (2015).",
            .options = hddm_a_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "drift",
            .added_fields = hddm_a_fields,
            .added_fields_count = MR_ARRAY_COUNT(hddm_a_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(HDDM_A_VERSION),
            .estimate = hddm_a_estimate,
            .check = hddm_a_check,
        },
    .instance_size = sizeof(struct mr_drift_hddm_a),
    .open = hddm_a_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = hddm_a_table,
    .describe_state = hddm_a_describe_state,
};
