/* operators/copula_privacy.h — what rows drawn from a copula may not show of the rows that it has
 * learned.
 * Model: a guard stands between a model and its sampler. It makes a view of the columns in which
 * rare texts have no weight, extremes are cut off, and identifiers have no letters of real ones;
 * conditions and rows follow the view. And it judges rows that were drawn: one that equals a row
 * learned lately, or is closer to a kept one than kept rows are to each other, is to be drawn anew.
 *   copies     hashes (32 bits) of the newest rows, a ring; a row that was never learned is taken
 *              for one with probability 2^-32 times their number, which only costs another draw
 *   distance   mean over the columns: of numbers, dates and times the difference over the width of
 *              what was learned, at most 1; of texts and booleans 0 when equal, else 1; 1 when one
 *              alone is missing; identifiers are left out
 * What it does not do: the noise of differential privacy; texts, correlations and quantiles are
 * those of the real rows.
 * Memory: a guard that of the columns and 64 rows; copies 12 bytes a row at most. Threads: none of
 * its own. Pure; the same bits everywhere. */
#ifndef MR_OPERATORS_COPULA_PRIVACY_H
#define MR_OPERATORS_COPULA_PRIVACY_H

#include "operators/copula.h"

enum { MR_COPULA_COPIES_MAX = 1000000, MR_COPULA_DISTANCE_ROWS = 128 };

struct mr_copula_privacy {
    bool is_on;
    double rare_below;  /* texts and booleans of less weight are not made */
    double clip;        /* share of numbers beyond what is made, at each end */
    uint32_t no_copies; /* of how many of the newest rows; at most MR_COPULA_COPIES_MAX */
    double distance;    /* share of kept rows that are closer to another one; 0: not asked */
    uint32_t redraws;   /* of a row, at most */
};

/* ---- Copies ---- */

struct mr_copula_copies {
    uint32_t capacity;
    uint32_t count;
    uint32_t next;  /* place of the next one in the ring */
    uint32_t *ring; /* hashes, never 0 */
    uint32_t *set;  /* derived: the same by hash; 0: free */
    uint32_t mask;
};

/* Owner: the caller, until _destroy, which accepts a zeroed one. capacity: at least 1. */
void mr_copula_copies_create(struct mr_copula_copies *copies, uint32_t capacity);
void mr_copula_copies_destroy(struct mr_copula_copies *copies);
void mr_copula_copies_clear(struct mr_copula_copies *copies);
/* Remember a row; beyond the capacity the oldest one is forgotten. */
void mr_copula_copies_add(struct mr_copula_copies *copies, uint32_t hash);
bool mr_copula_copies_has(const struct mr_copula_copies *copies, uint32_t hash);
/* Bytes: uint32 count, uint32 next, the ring; little-endian. */
size_t mr_copula_copies_bytes(uint32_t capacity);
void mr_copula_copies_encode(const struct mr_copula_copies *copies, uint8_t *output);
bool mr_copula_copies_decode(struct mr_copula_copies *copies, const uint8_t *bytes);

/* The hash of a row of numbers[column * stride] of these columns, of identifiers nothing. False: it
 * has a text that is never made. */
bool mr_copula_row_hash(const struct mr_copula_column *columns, uint32_t columns_count,
                        const double *numbers, size_t stride, uint32_t *hash);

/* ---- The guard ---- */

struct mr_copula_guard {
    struct mr_copula_privacy privacy;
    const struct mr_copula_copies *copies; /* of the model; NULL: none */
    uint32_t columns_count;
    struct mr_copula_column *columns; /* the view */
    double *numbers;                  /* of rows drawn anew */
    double widths[MR_COPULA_COLUMNS_MAX];
    double least; /* columns_count times the least distance */
};

/* Owner: the caller, until _destroy, which accepts a zeroed one. rows: of one drawing. */
void mr_copula_guard_create(struct mr_copula_guard *guard, const struct mr_copula_privacy *privacy,
                            uint32_t columns_count, uint32_t rows);
void mr_copula_guard_destroy(struct mr_copula_guard *guard);
/* Follow the model as it is now. */
void mr_copula_guard_make(struct mr_copula_guard *guard, const struct mr_copula *model);
/* Take texts without weight out of the view, so that it can be written; rows drawn before have
 * other numbers. */
void mr_copula_guard_strip(struct mr_copula_guard *guard);
/* The row of numbers[column * stride], drawn from the model, may be shown. */
bool mr_copula_guard_allows(const struct mr_copula_guard *guard, const struct mr_copula *model,
                            const double *numbers, size_t stride);

#endif
