/* operators/drift_page_hinkley.c — drift.page_hinkley: a cumulative sum of the deviations from the
 * running mean that moves away from its own extreme. Source: Page, Continuous inspection schemes
 * (Biometrika 41, 1954); with forgetting, and with the constants of river 0.26, which it equals
 * index for index.
 *
 *   mean  = mean + (x - mean) / n,  d = x - mean
 *   up    = forgetting up + d - delta,    least = min(least, up)
 *   down  = forgetting down + d + delta,  most = max(most, down)         most begins with -1
 *   score = max(up - least, most - down) / threshold        0 for the first warmup - 1 records
 *
 * Stored object, version 1 (little-endian):
 *   0  uint64 n        8  double mean   16  double up     24  double down
 *  32  double least   40  double most   48  uint64 detections */
#include "operators/drift.h"

#include "base/assert.h"
#include "base/endian.h"

enum { PAGE_HINKLEY_VERSION = 1, PAGE_HINKLEY_BYTES = 56 };

struct page_hinkley_object {
    struct mr_drift_mean mean;
    double up;
    double down;
    double least;
    double most;
    uint64_t detections;
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct page_hinkley_object *entry = object;
    mr_put_u64le(output, entry->mean.count);
    mr_put_double_le(output + 8, entry->mean.mean);
    mr_put_double_le(output + 16, entry->up);
    mr_put_double_le(output + 24, entry->down);
    mr_put_double_le(output + 32, entry->least);
    mr_put_double_le(output + 40, entry->most);
    mr_put_u64le(output + 48, entry->detections);
    return PAGE_HINKLEY_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct page_hinkley_object *entry = object;
    if (version != PAGE_HINKLEY_VERSION || stored.size != PAGE_HINKLEY_BYTES)
        return false;
    entry->mean.count = mr_get_u64le(stored.data);
    entry->mean.mean = mr_get_double_le(stored.data + 8);
    entry->up = mr_get_double_le(stored.data + 16);
    entry->down = mr_get_double_le(stored.data + 24);
    entry->least = mr_get_double_le(stored.data + 32);
    entry->most = mr_get_double_le(stored.data + 40);
    entry->detections = mr_get_u64le(stored.data + 48);
    return true;
}

/* The stream begins, for the first time or behind a drift. */
static void restart(struct page_hinkley_object *entry)
{
    *entry = (struct page_hinkley_object){.detections = entry->detections};
    entry->least = DBL_MAX;
    entry->most = -1;
}

static void page_hinkley_begin(const void *self, const struct mr_model_row *row, void *object)
{
    MR_UNUSED(self);
    MR_UNUSED(row);
    restart(object);
}

static bool page_hinkley_ready(const void *self, const void *object)
{
    const struct mr_drift_page_hinkley *test = self;
    const struct page_hinkley_object *entry = object;
    return entry->mean.count + 1 >= test->warmup;
}

static enum mr_status page_hinkley_learn(void *self, struct mr_model_row *row,
                                         struct mr_error *error)
{
    const struct mr_drift_page_hinkley *test = self;
    struct page_hinkley_object *entry = row->object;
    MR_UNUSED(error);
    mr_drift_mean_learn(&entry->mean, row->values[0]);
    double deviation = row->values[0] - entry->mean.mean;
    entry->up = test->forgetting * entry->up + deviation - test->delta;
    entry->down = test->forgetting * entry->down + deviation + test->delta;
    entry->least = entry->up < entry->least ? entry->up : entry->least;
    entry->most = entry->down > entry->most ? entry->down : entry->most;
    double increase = entry->up - entry->least;
    double decrease = entry->most - entry->down;
    double statistic = test->up ? increase : 0;
    if (test->down && decrease > statistic)
        statistic = decrease;
    row->score = 0;
    if (entry->mean.count >= test->warmup)
        row->score = mr_drift_score(statistic, test->limit);
    if (row->score > 1)
        entry->detections++;
    row->own[MR_DRIFT_PAGE_HINKLEY_WIDTH] = (double)entry->mean.count;
    row->own[MR_DRIFT_PAGE_HINKLEY_ESTIMATION] = entry->mean.mean;
    row->own[MR_DRIFT_PAGE_HINKLEY_INCREASE] = increase;
    row->own[MR_DRIFT_PAGE_HINKLEY_DECREASE] = decrease;
    row->own[MR_DRIFT_PAGE_HINKLEY_DETECTIONS] = (double)entry->detections;
    if (row->score > 1)
        restart(entry);
    return MR_OK;
}

const struct mr_model_type mr_drift_page_hinkley_model = {
    .table = "test",
    .version = PAGE_HINKLEY_VERSION,
    .object_size = sizeof(struct page_hinkley_object),
    .encoded_size_max = PAGE_HINKLEY_BYTES,
    .encode = object_encode,
    .decode = object_decode,
    .begin = page_hinkley_begin,
    .ready = page_hinkley_ready,
    .learn = page_hinkley_learn,
};
