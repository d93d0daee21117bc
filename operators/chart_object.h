/* operators/chart_object.h — what a control chart keeps of a key, and its stored bytes.
 * Model: the table's object is the detectors' stage (operators/detector_stage.h: freeze, mute, and
 * as `seen` the number of points) and behind it this struct; together they are one stored value.
 * The points of phase 1 are in slots of MR_CHART_SLOT_POINTS, so that a record logs one slot.
 *
 * Stored chart, version 1 (little-endian), behind the stage:
 *   0  uint8 flags: enum mr_chart_flags   1  uint32 kept   5  uint32 excluded
 *   each if its flag is set, in this order:
 *   baseline  double center, sigma, weight, sigmas_count
 *   history   uint8 count, count marks, double last
 *   previous  double
 *   sample    uint64 count, double mean, squares, minimum, maximum, int64 first_ms, last_ms
 *   group     uint8 size, bytes
 *   statistics  2 doubles
 *   numbers   uint16 of a sample, uint16 of the baseline; doubles: those of the sample if the
 *             sample is there, those of the baseline if that is
 * A slot: MR_CHART_SLOT_POINTS times double location, weight, sigma, spread; NAN: none. Of kinds
 * with numbers: as many points as fit into MR_LIMIT_STATE_SLOT_BYTES, at most as many. */
#ifndef MR_OPERATORS_CHART_OBJECT_H
#define MR_OPERATORS_CHART_OBJECT_H

#include "operators/control_chart.h"

enum {
    MR_CHART_VERSION = 1,
    MR_CHART_SLOT_POINTS = 32,
    MR_CHART_SLOT_BYTES = MR_CHART_SLOT_POINTS * 4 * 8,
    MR_CHART_SAMPLE_BYTES = 7 * 8,
    MR_CHART_NUMBERS_MAX = 400, /* of sample and baseline together */
    MR_CHART_BYTES_MAX = 9 + 4 * 8 + (1 + MR_RULE_POINTS_MAX + 8) + 8 + MR_CHART_SAMPLE_BYTES +
                         (1 + MR_CHART_GROUP_BYTES) + 8 * MR_CHART_STATISTICS,
    MR_CHART_NUMBERS_HEAD_BYTES = 4
};

enum mr_chart_flags {
    MR_CHART_HAS_BASELINE = 1u << 0, /* phase 2 */
    MR_CHART_HAS_HISTORY = 1u << 1,
    MR_CHART_HAS_PREVIOUS = 1u << 2,
    MR_CHART_HAS_SAMPLE = 1u << 3, /* a subgroup is open */
    MR_CHART_HAS_GROUP = 1u << 4,
    MR_CHART_HAS_STATISTICS = 1u << 5, /* of kinds whose points depend on those before */
    MR_CHART_HAS_NUMBERS = 1u << 6,
    MR_CHART_FLAGS_ALL = 127,
    MR_CHART_FLAGS_KEPT = MR_CHART_HAS_BASELINE | MR_CHART_HAS_PREVIOUS | MR_CHART_HAS_STATISTICS
};

struct mr_chart_object {
    uint8_t flags; /* of FLAGS_KEPT; the others follow from the members */
    uint8_t group_size;
    uint32_t kept; /* points of phase 1 in the slots */
    uint32_t excluded;
    struct mr_chart_baseline baseline;
    struct mr_run_history history;
    double previous; /* the last record's value, of charts of single records */
    double statistics[MR_CHART_STATISTICS];
    struct mr_chart_sample sample;
    uint8_t group[MR_CHART_GROUP_BYTES]; /* what the open subgroup has in subgroup.field */
    uint16_t sample_numbers;
    uint16_t baseline_numbers;
    double numbers[]; /* of the open sample, then of the baseline */
};

/* What a window has of a key, of charts of subgroups by time. Stored: the sample, the numbers. */
struct mr_chart_window {
    struct mr_chart_sample sample;
    uint32_t numbers_count;
    double numbers[];
};

extern const struct mr_model_type mr_chart_model; /* for mr_stage_describe */

static inline double *mr_chart_baseline_numbers(struct mr_chart_object *object)
{
    return object->numbers + object->sample_numbers;
}

/* For the table. */
size_t mr_chart_object_encode(const void *object, uint8_t *output);
bool mr_chart_object_decode(void *object, uint32_t version, struct mr_slice stored);

static inline struct mr_chart_object *mr_chart_object_of(void *stage)
{
    return mr_stage_model(stage, MR_STAGE_WHOLE);
}

/* For the table of windows. */
size_t mr_chart_window_encode(const void *object, uint8_t *output);
bool mr_chart_window_decode(void *object, uint32_t version, struct mr_slice stored);

/* Of a point of phase 1, and how many are in a slot. */
uint32_t mr_chart_point_bytes(const struct mr_chart_counts_of *numbers);
uint32_t mr_chart_slot_points(const struct mr_chart_counts_of *numbers);
void mr_chart_slot_put_numbers(uint8_t *slot, uint32_t index, uint32_t count,
                               const double *numbers);
void mr_chart_slot_get_numbers(const uint8_t *slot, uint32_t index, uint32_t count,
                               double *numbers);

/* Point `index` of a slot. */
void mr_chart_slot_put(uint8_t *slot, uint32_t index, const struct mr_chart_measure *measure);
struct mr_chart_measure mr_chart_slot_get(const uint8_t *slot, uint32_t index);

#endif
