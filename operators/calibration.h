/* operators/calibration.h — a detector's threshold from its own scores: conformal over the last n,
 * or extreme value by SPOT (option `calibrate`).
 *   conformal  p = (1 + #{scores >= s}) / (n + 1) over the key's last n scores, anomalies included
 *              (left out they would pull the threshold down step by step); an anomaly has p <=
 * rate, so the threshold is the (floor(rate (n + 1)))-th largest of them. spot       the first
 * `init` scores give a level that the share `level` of them is below; the last `excesses` scores
 * above it (anomalies left out) a tail (operators/tail.h), and that the threshold that a share of
 * `rate` exceeds. Siffer et al., KDD 2017. Until enough scores are there the detector's fixed
 * threshold counts. State: a table of its own, `calibration`; the ring of numbers is in slots
 * (value_ring.h), what follows from it (sorted numbers, the tail) is made when an object is loaded.
 *
 * Stored object, version 1 (little-endian):
 *   0 uint8 kind  1 uint32 capacity  5 uint32 numbers in the ring  9 uint32 next position
 *   13 uint64 scores  21 uint64 scores above the level  29 double level
 * Slots: scores (conformal; spot until `init` are there), then excesses. */
#ifndef MR_OPERATORS_CALIBRATION_H
#define MR_OPERATORS_CALIBRATION_H

#include "operators/operator.h"

enum { MR_CALIBRATION_RING_MAX = 1900 };

enum mr_calibration_kind { MR_CALIBRATION_NONE, MR_CALIBRATION_CONFORMAL, MR_CALIBRATION_SPOT };

struct mr_calibration {
    struct mr_table *table;
    enum mr_calibration_kind kind;
    uint32_t capacity; /* of the ring */
    uint32_t init;
    uint32_t excesses;
    double level;
    double rate;
};

struct mr_calibration_result {
    bool is_calibrated; /* else the others mean nothing */
    double threshold;
    double p_value; /* NAN: below the level */
};

/* Options of `calibrate`. */
extern const struct mr_option_spec mr_calibration_fields[];

/* options: of the operator; the kind is NONE without `calibrate`. */
enum mr_status mr_calibration_open(struct mr_calibration *calibration,
                                   const struct mr_operator_open *open,
                                   struct mr_error *error) MR_NODISCARD;
enum mr_status mr_calibration_check(const struct mr_options *options, const char **option,
                                    struct mr_error *error) MR_NODISCARD;
/* Add what the table takes to estimate. */
void mr_calibration_estimate(const struct mr_options *options, struct mr_state_estimate *estimate);

/* One score of a key. */
struct mr_calibration_score {
    struct mr_slice key;
    uint64_t hash;
    int64_t event_time_ms;
    double score; /* finite, >= 0 */
    bool learns;
};

/* Judge a score by those before it, then learn it when it says so. Objects of other tables are no
 * longer valid afterwards. arena: for scratch memory, once for a key. */
enum mr_status mr_calibration_judge(const struct mr_calibration *calibration,
                                    const struct mr_calibration_score *score,
                                    struct mr_arena *arena, struct mr_calibration_result *result,
                                    struct mr_error *error) MR_NODISCARD;
/* Forget a key. */
enum mr_status mr_calibration_reset(const struct mr_calibration *calibration, struct mr_slice key,
                                    uint64_t hash, struct mr_error *error) MR_NODISCARD;

#endif
