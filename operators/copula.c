/* operators/copula.c — see copula.h: a model's life, and the order in which a block is learned.
 * Design: distributions learn a block before its rows are scored, so that a row is never beyond
 * what is known. While the reservoir holds every row the moments are made anew from it, so that
 * rows scored by young distributions do not stay: until then learning equals a batch fit. */
#include "operators/copula.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/tail.h"

void mr_copula_create(struct mr_copula *model, const struct mr_copula_shape *shape)
{
    size_t columns = shape->columns_count;
    MR_ASSERT(columns >= 1 && columns <= MR_COPULA_COLUMNS_MAX && shape->reservoir_rows >= 1);
    memset(model, 0, sizeof(*model));
    model->shape = *shape;
    model->columns = mr_memory_new(columns, sizeof(*model->columns));
    model->moments = mr_memory_new(mr_copula_triangle(2 * columns, 0), sizeof(double));
    model->means = mr_memory_new(2 * columns, sizeof(double));
    model->missing_together = mr_memory_new(mr_copula_triangle(columns, 0), sizeof(double));
    model->reservoir = mr_memory_new(shape->reservoir_rows * (columns + 1), sizeof(double));
    model->latents = mr_memory_new(2 * columns, sizeof(*model->latents));
    model->heap = mr_memory_new(shape->reservoir_rows, sizeof(*model->heap));
}

void mr_copula_destroy(struct mr_copula *model)
{
    mr_memory_free(model->columns);
    mr_memory_free(model->moments);
    mr_memory_free(model->means);
    mr_memory_free(model->missing_together);
    mr_memory_free(model->reservoir);
    mr_memory_free(model->latents);
    mr_memory_free(model->heap);
}

void mr_copula_work_create(struct mr_copula_work *work, uint32_t columns_count)
{
    size_t latents = 2 * (size_t)columns_count;
    work->numbers = mr_memory_new((size_t)columns_count * MR_COPULA_BLOCK_MAX, sizeof(double));
    work->scores = mr_memory_new(latents * MR_COPULA_BLOCK_MAX, sizeof(double));
    work->sorted = mr_memory_new(MR_COPULA_BLOCK_MAX, sizeof(double));
    work->row = mr_memory_new(latents, sizeof(double));
    work->matrix = mr_memory_new(latents * latents, sizeof(double));
    work->scratch = mr_memory_new(latents * (2 * latents + 1), sizeof(double));
    work->sums = mr_memory_new((size_t)columns_count * MR_COPULA_TEXTS_MAX, sizeof(double));
}

void mr_copula_work_destroy(struct mr_copula_work *work)
{
    mr_memory_free(work->numbers);
    mr_memory_free(work->scores);
    mr_memory_free(work->sorted);
    mr_memory_free(work->row);
    mr_memory_free(work->matrix);
    mr_memory_free(work->scratch);
    mr_memory_free(work->sums);
}

void mr_copula_clear(struct mr_copula *model)
{
    size_t columns = model->shape.columns_count;
    model->rows = 0;
    model->weight = 0;
    model->squares = 0;
    model->age = 0;
    model->kept = 0;
    memset(model->columns, 0, columns * sizeof(*model->columns));
    memset(model->moments, 0, mr_copula_triangle(2 * columns, 0) * sizeof(double));
    memset(model->means, 0, 2 * columns * sizeof(double));
    memset(model->missing_together, 0, mr_copula_triangle(columns, 0) * sizeof(double));
    memset(model->latents, 0, 2 * columns * sizeof(*model->latents));
}

double mr_copula_effective_rows(const struct mr_copula *model)
{
    return model->squares > 0 ? model->weight * model->weight / model->squares : 0;
}

bool mr_copula_learn(struct mr_copula *model, struct mr_copula_work *work,
                     const struct mr_value *cells, uint32_t rows_count, double decay)
{
    MR_ASSERT(rows_count >= 1 && rows_count <= MR_COPULA_BLOCK_MAX && decay >= 0);
    double factor = mr_tail_exponential(-decay);
    model->weight = model->weight * factor + rows_count;
    model->squares = model->squares * factor * factor + rows_count;
    model->age += decay;
    mr_copula_learn_columns(model, work, cells, rows_count, factor);
    mr_copula_map_columns(model);
    mr_copula_map_latents(model);
    model->rows += rows_count;
    mr_copula_keep_rows(model, work, rows_count);
    if (model->rows <= model->shape.reservoir_rows) {
        mr_copula_rebuild(model, work);
        return false;
    }
    mr_copula_learn_latents(model, work, rows_count, factor);
    bool has_moved = mr_copula_has_moved(model);
    if (has_moved)
        mr_copula_rebuild(model, work);
    return has_moved;
}
