/* operators/synthetic_window.h — the scores of a window's sample of rows (synthetic_sample.h).
 * A field's kind is given, or shown by the real rows' values (the synthetic ones' where the real
 * ones have none): all booleans, all numbers, all timestamps; else a category. A value that is not
 * of its field's kind counts as missing.
 * Error: exact while neither side has more rows than are kept. Beyond, each distribution function
 * is within 1.63 / sqrt(kept) of that of all rows, 99 times of 100 (Kolmogorov), so that a
 * KSComplement is within the sum of both sides'; the same holds of each share of a category. */
#ifndef MR_OPERATORS_SYNTHETIC_WINDOW_H
#define MR_OPERATORS_SYNTHETIC_WINDOW_H

#include "operators/synthetic_sample.h"
#include "operators/synthetic_scores.h"

/* A field, as the options say. */
struct mr_synthetic_field {
    const char *name;
    bool is_declared; /* else kind is shown by the values */
    enum mr_synthetic_kind kind;
};

struct mr_synthetic_window {
    struct mr_synthetic_pair_of_tables tables;
    struct mr_synthetic_scores scores;
    struct mr_synthetic_privacy privacy; /* only with distances */
    double error;                        /* 0: exact */
};

/* Everything is in arena. */
void mr_synthetic_window_score(const struct mr_synthetic_sample *sample,
                               const struct mr_synthetic_field *fields, bool distances,
                               struct mr_arena *arena, struct mr_synthetic_window *window);

#endif
