/* operators/copula_sampler.h — rows drawn from a copula.
 * Model: made anew from a model when it has learned. Row n is a function of (seed, n) and of the
 * model: its own sequence of uniform numbers becomes normal ones, the factor of the correlations
 * makes latents of them, and each column's map a number. So rows come in any order and number.
 * Memory: (2 d)^2 doubles of the factor, and MR_COPULA_SAMPLE_ROWS rows of 2 d latents. Threads:
 * none of its own. Pure; the same bits everywhere. */
#ifndef MR_OPERATORS_COPULA_SAMPLER_H
#define MR_OPERATORS_COPULA_SAMPLER_H

#include "operators/copula_condition.h"
#include "operators/copula_privacy.h"

enum { MR_COPULA_SAMPLE_ROWS = 64 };

struct mr_copula_sampler {
    uint32_t columns_count;
    uint32_t count;    /* latents that vary */
    uint32_t *latents; /* which */
    double *factor;    /* count x count, lower */
    double *normals;   /* count x MR_COPULA_SAMPLE_ROWS */
    double *values;    /* 2 d x MR_COPULA_SAMPLE_ROWS, by latent: 0 of one that does not vary */
    bool is_repaired;  /* the correlations were indefinite */
    uint64_t redrawn;  /* rows that the guard had drawn anew, since it was created */
    const struct mr_copula_condition *conditions;
    uint32_t conditions_count;
    struct mr_copula_boxes *boxes; /* NULL without conditions */
    struct mr_copula_guard *guard; /* NULL: rows may show anything */
};

/* Owner: the caller, until _destroy, which accepts a zeroed one. conditions: at most
 * MR_COPULA_CONDITIONS_MAX, of different columns, which all rows meet; borrowed. */
void mr_copula_sampler_create(struct mr_copula_sampler *sampler, uint32_t columns_count,
                              const struct mr_copula_condition *conditions,
                              uint32_t conditions_count);
void mr_copula_sampler_destroy(struct mr_copula_sampler *sampler);
/* Before it is made: rows are to keep to this; sampler->guard->copies may be set before each
 * _make. */
void mr_copula_sampler_guard(struct mr_copula_sampler *sampler,
                             const struct mr_copula_privacy *privacy);
/* Follow the model as it is now. MR_INVALID with a sentence: the conditions are impossible. */
enum mr_status mr_copula_sampler_make(struct mr_copula_sampler *sampler,
                                      const struct mr_copula *model, struct mr_copula_work *work,
                                      struct mr_error *error) MR_NODISCARD;
/* The same with correlations that the caller has put into work->matrix, with sampler->latents and
 * ->count as mr_copula_correlations makes them. */
enum mr_status mr_copula_sampler_bind(struct mr_copula_sampler *sampler,
                                      const struct mr_copula *model, struct mr_copula_work *work,
                                      struct mr_error *error) MR_NODISCARD;
/* How likely a row of the model meets the conditions; 1 without any. */
double mr_copula_sampler_probability(const struct mr_copula_sampler *sampler);
/* Rows first to first + rows_count - 1, at most MR_COPULA_SAMPLE_ROWS, of the model that the
 * sampler was made of: numbers[column * MR_COPULA_SAMPLE_ROWS + row]; NaN: missing. Of a text the
 * number is its place in mr_copula_texts; of an identifier any. */
void mr_copula_sample(struct mr_copula_sampler *sampler, const struct mr_copula *model,
                      uint64_t seed, uint64_t first, uint32_t rows_count, double *numbers);
/* The columns that cells are made of: the model's, or what the guard leaves of them. */
const struct mr_copula_column *mr_copula_sampler_columns(const struct mr_copula_sampler *sampler,
                                                         const struct mr_copula *model);
/* The same as mr_copula_sample, under the guard: a row that may not be shown is drawn anew, at most
 * `redraws` times. Returns the rows that could not be made, by bits; their numbers are NaN. */
uint64_t mr_copula_sample_guarded(struct mr_copula_sampler *sampler, const struct mr_copula *model,
                                  uint64_t seed, uint64_t first, uint32_t rows_count,
                                  double *numbers);
/* The cell of a column's number. text: what an identifier ends in, unique to the row. Texts live in
 * arena or in the model: until it learns. */
struct mr_value mr_copula_cell(const struct mr_copula_column *column, double number, uint64_t row,
                               struct mr_arena *arena);
/* The cells of a column's numbers, rows_count of them from row `first` on. */
void mr_copula_cells(const struct mr_copula_column *column, const double *numbers, uint64_t first,
                     uint32_t rows_count, struct mr_arena *arena, struct mr_value *cells);
/* The same with all texts in arena, so that they outlive what the model learns next. */
void mr_copula_cells_kept(const struct mr_copula_column *column, const double *numbers,
                          uint64_t first, uint32_t rows_count, struct mr_arena *arena,
                          struct mr_value *cells);

#endif
