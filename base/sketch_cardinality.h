/* base/sketch_cardinality.h — about how many different values there were: HyperLogLog.
 * Sources: Flajolet, Fusy, Gandouet, Meunier, HyperLogLog: the analysis of a near-optimal
 * cardinality estimation algorithm (2007); Heule, Nunkesser, Hall, HyperLogLog in practice (2013),
 * for the sparse form; Ertl, New cardinality estimation algorithms for HyperLogLog sketches (2017),
 * for an estimate without tables and without a bias at small numbers.
 * Error: exact up to 30 values (but for equal hashes), then a standard error of
 * 1.04 / 2^(precision / 2): 1.6 % with 12, 0.4 % with 16; 99 of 100 estimates are within 2.6 times
 * that. Bytes: a head of 128, and 2^precision behind 30 values.
 * Merge: exact, whatever the grouping: the bytes are those of one pass over all values.
 * Parameters: precision. */
#ifndef MR_BASE_SKETCH_CARDINALITY_H
#define MR_BASE_SKETCH_CARDINALITY_H

#include "base/sketch.h"

enum {
    MR_SKETCH_CARDINALITY_HEAD_BYTES = 128,
    MR_SKETCH_CARDINALITY_PRECISION_MIN = 8,
    MR_SKETCH_CARDINALITY_PRECISION_MAX = 16
};

struct mr_sketch mr_sketch_cardinality(uint32_t precision, uint32_t piece_bytes);
/* hash: of the value, of 64 bits, all of them good. */
enum mr_status mr_sketch_cardinality_add(const struct mr_sketch *sketch, uint8_t *head,
                                         struct mr_sketch_body *body, uint64_t hash,
                                         struct mr_error *error) MR_NODISCARD;
enum mr_status mr_sketch_cardinality_merge(const struct mr_sketch *sketch, uint8_t *head,
                                           struct mr_sketch_body *body, const uint8_t *other_head,
                                           struct mr_sketch_body *other_body,
                                           struct mr_error *error) MR_NODISCARD;
enum mr_status mr_sketch_cardinality_estimate(const struct mr_sketch *sketch, const uint8_t *head,
                                              struct mr_sketch_body *body, int64_t *values,
                                              struct mr_error *error) MR_NODISCARD;

#endif
