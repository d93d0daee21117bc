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

enum { DDM_VERSION = 1, DDM_BYTES = 40 };

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
    .table = "test",
    .version = DDM_VERSION,
    .object_size = sizeof(struct ddm_object),
    .encoded_size_max = DDM_BYTES,
    .encode = object_encode,
    .decode = object_decode,
    .begin = ddm_begin,
    .ready = ddm_ready,
    .learn = ddm_learn,
};
