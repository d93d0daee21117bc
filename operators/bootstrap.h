/* operators/bootstrap.h — a sample of a stream's rows from which new ones are made: the smoothed
 * bootstrap, in bounded memory.
 * Why beside operators/copula.h: a row of the sample has all that its fields have to do with each
 * other, also what correlations cannot say (a ring, clusters, a field that another one decides).
 * The price: new records lie near real ones.
 * Model:
 *   column   its kind, texts and decimals, told and kept as a copula's (copula.h); distributions
 *            are not kept
 *   row      a number per column, missing: NaN; its weight, which decays, and u, even in (0, 1]
 *   sample   the rows with the greatest weight / u (Duffield, Lund and Thorup, Priority sampling
 *            for estimation of arbitrary subset sums, J. ACM 54, 2007). threshold is the greatest
 *            one of those that had to go; a row stands for max(weight, threshold) of the stream,
 *            which makes the sum over any rows of the sample unbiased. While all rows fit it is
 *            their weight
 * A block is the unit of decay and of learning, so that the result depends on the rows alone and
 * not on how they arrive.
 * Limits: those of copula.h: 64 columns, 128 texts of at most 64 bytes each, +-1e140.
 * Memory: of d columns and a reservoir of R rows: 20000 d + 8 R (d + 2.5) bytes. Threads: none of
 * its own. Plain arithmetic in a fixed order: the same bits everywhere. */
#ifndef MR_OPERATORS_BOOTSTRAP_H
#define MR_OPERATORS_BOOTSTRAP_H

#include "operators/copula.h"

enum { MR_BOOTSTRAP_ROW_HEAD = 2 /* doubles in front of a row's numbers */ };

struct mr_bootstrap {
    struct mr_copula_shape shape;
    uint64_t rows;    /* learned */
    double weight;    /* of all rows */
    double squares;   /* of the rows' weights */
    double threshold; /* 0: no row had to go */
    uint32_t kept;
    struct mr_copula_column *columns;
    double *reservoir; /* reservoir_rows of weight, u and d numbers */
    uint32_t *heap;    /* derived: of the rows kept, the least weight / u first */
};

/* Memory that learning needs, for models of up to columns_count columns. */
struct mr_bootstrap_work {
    double *numbers; /* d columns of MR_COPULA_BLOCK_MAX */
    double *texts;   /* d * MR_COPULA_TEXTS_MAX */
};

/* Owner: the caller, until _destroy, which accepts one that was never created (zeroed). */
void mr_bootstrap_create(struct mr_bootstrap *model, const struct mr_copula_shape *shape);
void mr_bootstrap_destroy(struct mr_bootstrap *model);
void mr_bootstrap_work_create(struct mr_bootstrap_work *work, uint32_t columns_count);
void mr_bootstrap_work_destroy(struct mr_bootstrap_work *work);
/* Forget everything. */
void mr_bootstrap_clear(struct mr_bootstrap *model);

/* Learn a block of 1..MR_COPULA_BLOCK_MAX rows: cells[row * d + column]; kinds other than numbers,
 * booleans, strings and timestamps count as missing. decay >= 0: what was learned before loses the
 * factor e^-decay. */
void mr_bootstrap_learn(struct mr_bootstrap *model, struct mr_bootstrap_work *work,
                        const struct mr_value *cells, uint32_t rows_count, double decay);
/* As many rows of weight 1 as tell as much. */
double mr_bootstrap_effective_rows(const struct mr_bootstrap *model);
/* Take what another model of as many columns, with another seed, has learned; its rows count with
 * their weights. A column whose kind is another there counts as missing in those rows. */
void mr_bootstrap_merge(struct mr_bootstrap *model, struct mr_bootstrap_work *work,
                        const struct mr_bootstrap *other);

/* Weight and numbers of a row of the sample; index below kept. */
double mr_bootstrap_row_weight(const struct mr_bootstrap *model, uint32_t index);
const double *mr_bootstrap_row_numbers(const struct mr_bootstrap *model, uint32_t index);

/* Bytes of the model: at most mr_bootstrap_bytes_max of its shape. */
size_t mr_bootstrap_bytes_max(const struct mr_copula_shape *shape);
size_t mr_bootstrap_encode(const struct mr_bootstrap *model, uint8_t *output);
/* False: not bytes of a model of this shape; the model is then empty. */
bool mr_bootstrap_decode(struct mr_bootstrap *model, struct mr_slice bytes);

/* Between the files of the bootstrap: order the rows that were put into the reservoir. */
void mr_bootstrap_heap_make(struct mr_bootstrap *model);

#endif
