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

enum { HDDM_A_VERSION = 1, HDDM_A_BYTES = 56 };

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
    .table = "test",
    .version = HDDM_A_VERSION,
    .object_size = sizeof(struct hddm_a_object),
    .encoded_size_max = HDDM_A_BYTES,
    .encode = object_encode,
    .decode = object_decode,
    .begin = hddm_a_begin,
    .learn = hddm_a_learn,
};
