/* operators/sample_overlay.h — rows of a model as a stream has them: what was seen beside their
 * distribution (sample_observed.h) laid over rows that were drawn without it.
 * Model: a number that varies with time was learned less its trend and seasons; a row gets those of
 * its own time back:
 *   value = drawn + trend (t - first record's time) + sum of amplitude sin(2 pi (t / period +
 * phase)) rounded to the digits that were seen and, without a trend, kept within the numbers that
 * were. The field of the event time holds t. Keys of which there are too many for a distribution
 * are made: rank k of n with a probability proportional to k^-exponent, by the row's number. What
 * is missing stays so, but for the event time. Conditions cannot be on such fields: what a row's
 * value is its time says. Drawn rows are changed in place; texts are in the arena. Pure; any
 * thread. */
#ifndef MR_OPERATORS_SAMPLE_OVERLAY_H
#define MR_OPERATORS_SAMPLE_OVERLAY_H

#include "operators/sample_observed.h"
#include "operators/zipf.h"

struct mr_sample_overlay {
    const struct mr_sample_observed *observed;
    struct mr_zipf zipf;
    uint32_t key_field;
    uint32_t time_field;
    uint32_t series_fields[MR_SAMPLE_FIELDS_MAX];
    bool is_active; /* it changes rows */
};

/* Both stay as long as the overlay. */
void mr_sample_overlay_init(struct mr_sample_overlay *overlay,
                            const struct mr_sample_observed *observed,
                            const struct mr_sample_facts *facts);

/* Why a field cannot have conditions: a sentence; NULL: it can. */
const char *mr_sample_overlay_of(const struct mr_sample_overlay *overlay, uint32_t field);

/* cells[field * stride + row] of rows first..first + rows_count - 1. times: by row; NULL: those of
 * a regular stream of the rate that was seen, which begins when that did. */
void mr_sample_overlay_apply(const struct mr_sample_overlay *overlay, uint64_t seed, uint64_t first,
                             uint32_t rows_count, const struct mr_sample_times *times,
                             struct mr_arena *arena, struct mr_value *cells, uint32_t stride);

/* What a series adds to a value at that time, behind a first record of origin_ms. */
double mr_sample_series_at(const struct mr_fit_series *series, int64_t time_ms, int64_t origin_ms);

#endif
