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

enum { EDDM_VERSION = 1, EDDM_BYTES = 57 };

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
    .table = "test",
    .version = EDDM_VERSION,
    .object_size = sizeof(struct eddm_object),
    .encoded_size_max = EDDM_BYTES,
    .encode = object_encode,
    .decode = object_decode,
    .begin = eddm_begin,
    .ready = eddm_ready,
    .learn = eddm_learn,
};
