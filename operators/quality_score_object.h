/* operators/quality_score_object.h — what quality.score stores of a key beside its rings.
 * Stored object, version 1 (little-endian):
 *   0   uint64  records of the key       8   int64  latest event time, ms
 *   16  int64   event time of the last alert, ms   24  uint64 episodes below the threshold
 *   32  double  lowest score of the episode        40  uint8 flags: 1 alerted, 2 an episode is open
 *   41  uint32  of the window: outliers, duplicates, marked records
 *   53  10 times: uint32 numbers in the ring, uint32 next position: 8 fields, identities, marks */
#ifndef MR_OPERATORS_QUALITY_SCORE_OBJECT_H
#define MR_OPERATORS_QUALITY_SCORE_OBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

enum {
    MR_QUALITY_SCORE_VERSION = 1,
    MR_QUALITY_SCORE_FIELDS_MAX = 8,
    MR_QUALITY_SCORE_IDENTITIES = MR_QUALITY_SCORE_FIELDS_MAX, /* rings behind those of fields */
    MR_QUALITY_SCORE_MARKS,
    MR_QUALITY_SCORE_RINGS_MAX,
    MR_QUALITY_SCORE_BYTES = 53 + 8 * MR_QUALITY_SCORE_RINGS_MAX,
    MR_QUALITY_SCORE_WINDOW_MAX = 2000
};

struct mr_quality_score_object {
    uint64_t records;
    int64_t latest_ms;
    int64_t alerted_ms;
    uint64_t episodes;
    double lowest;
    bool alerted;
    bool open;
    uint32_t outliers;
    uint32_t duplicates;
    uint32_t marked;
    uint32_t counts[MR_QUALITY_SCORE_RINGS_MAX];
    uint32_t positions[MR_QUALITY_SCORE_RINGS_MAX];
};

size_t mr_quality_score_encode(const void *object, uint8_t *output);
bool mr_quality_score_decode(void *object, uint32_t version, struct mr_slice stored);
/* The share of the window's records that are not marked; 1 without any. */
double mr_quality_score_of(const struct mr_quality_score_object *entry);

#endif
