/* operators/synthetic_sample.h — the rows of a real and a synthetic stream that are kept of a
 * window: an aggregate function that no topology can write, for quality.synthetic.
 * Model: of each side the rows with the smallest keys are kept, up to a bound; a key is a hash of
 * what the row holds and of where it came from, so that this is a sample in which each row is as
 * likely as any other, without replacement (bottom-k sampling; Cohen and Kaplan, Summarizing data
 * using bottom-k sketches, 2007). Exact up to the bound. A merge keeps what one pass over all rows
 * would, in whatever order they come.
 * A text is kept as a hash of 64 bits: all that comparing needs.
 * Arguments: a list of a boolean (the row is synthetic) and the row's values, and its key, UINT.
 * Parameters: rows of a side, 1 to MR_SYNTHETIC_SAMPLE_ROWS_MAX; values of a row. The result is
 * bytes, which mr_synthetic_sample_read reads.
 * Stored, in this machine's order. Head: u64 rows of both sides. Body: piece 0: u64 rows [side],
 * u32 kept [side], u32 place of the greatest key [side], u64 greatest key [side]; per side pieces
 * of u64 keys; per side pieces of rows, of which each is u64 value [field], u8 kind [field], up to
 * a multiple of 8. */
#ifndef MR_OPERATORS_SYNTHETIC_SAMPLE_H
#define MR_OPERATORS_SYNTHETIC_SAMPLE_H

#include "operators/aggregate_function.h"

enum {
    MR_SYNTHETIC_SAMPLE_ROWS_MAX = 5000,
    MR_SYNTHETIC_SAMPLE_FIELDS_MAX = 31,
    MR_SYNTHETIC_SIDES = 2 /* real, synthetic */
};

enum mr_synthetic_value_kind {
    MR_SYNTHETIC_VALUE_MISSING, /* also what cannot be compared: lists, objects, NaN */
    MR_SYNTHETIC_VALUE_BOOL,    /* 0 or 1, a double like the numbers */
    MR_SYNTHETIC_VALUE_INT,
    MR_SYNTHETIC_VALUE_DOUBLE,
    MR_SYNTHETIC_VALUE_TIME, /* nanoseconds since the epoch, a double */
    MR_SYNTHETIC_VALUE_TEXT  /* a hash */
};

struct mr_synthetic_sample {
    uint64_t rows[MR_SYNTHETIC_SIDES]; /* that came */
    uint32_t kept[MR_SYNTHETIC_SIDES];
    uint32_t fields_count;
    /* [side][row * fields_count + field], rows ascending by key. */
    const uint64_t *values[MR_SYNTHETIC_SIDES];
    const uint8_t *kinds[MR_SYNTHETIC_SIDES];
};

extern const struct mr_aggregate_function mr_aggregate_synthetic_sample;

/* Take a result apart; borrows from its bytes. */
void mr_synthetic_sample_read(struct mr_value result, struct mr_synthetic_sample *sample);
/* The number of a kept value. */
double mr_synthetic_sample_number(uint64_t value);

#endif
