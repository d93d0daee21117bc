/* tests/support/copula_rows.h — rows whose copula is known, and a model that has learned them.
 * Model: six columns, each a way from its own latent: 0 exp(z), 1 a whole number 40 + 12 z, 2 one
 * of five texts, 3 a boolean, 4 a number of two decimals that is missing where column 5's latent is
 * above 0.8, 5 a date. Any two latents have the correlation COPULA_ROWS_CORRELATION. */
#ifndef MR_TESTS_SUPPORT_COPULA_ROWS_H
#define MR_TESTS_SUPPORT_COPULA_ROWS_H

#include "base/buffer.h"
#include "operators/copula_sampler.h"

enum { COPULA_ROWS_COLUMNS = 6, COPULA_ROWS_MAX = 20000 };

#define COPULA_ROWS_CORRELATION 0.64

struct copula_rows {
    struct mr_arena arena;
    struct mr_value *cells;
    uint32_t count;
};

struct copula_fixture {
    struct mr_copula model;
    struct mr_copula_work work;
};

/* shift is added to every latent. */
void copula_rows_make(struct copula_rows *rows, uint32_t count, uint64_t seed, double shift);
void copula_rows_free(struct copula_rows *rows);

/* A model with a reservoir; it learns the rows in blocks. */
void copula_fixture_open(struct copula_fixture *fixture, uint32_t reservoir_rows);
void copula_fixture_close(struct copula_fixture *fixture);
void copula_fixture_learn(struct copula_fixture *fixture, const struct copula_rows *rows,
                          uint32_t block_rows, double decay_of_row);
/* The model as a document (sample_model_copula.h) appended to output: version 7 of "people", with
 * the fields a, b, c, d, e, f. */
void copula_fixture_document(struct copula_fixture *fixture, struct mr_buffer *output);
/* The correlation of two latents. */
double copula_fixture_correlation(struct copula_fixture *fixture, uint32_t one, uint32_t other);

#endif
