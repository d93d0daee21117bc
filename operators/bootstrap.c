/* operators/bootstrap.c — see bootstrap.h.
 * Design: the row that goes next is on top of a heap, so that a row costs a comparison once most of
 * the rows that come do not stay. Decay rounds, and takes weights to 0 in the end: the heap is made
 * anew behind it, as it is when a model is read. */
#include "operators/bootstrap.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/tail.h"

void mr_bootstrap_create(struct mr_bootstrap *model, const struct mr_copula_shape *shape)
{
    size_t columns = shape->columns_count;
    MR_ASSERT(columns >= 1 && columns <= MR_COPULA_COLUMNS_MAX && shape->reservoir_rows >= 1);
    memset(model, 0, sizeof(*model));
    model->shape = *shape;
    model->columns = mr_memory_new(columns, sizeof(*model->columns));
    model->reservoir =
        mr_memory_new(shape->reservoir_rows * (columns + MR_BOOTSTRAP_ROW_HEAD), sizeof(double));
    model->heap = mr_memory_new(shape->reservoir_rows, sizeof(*model->heap));
}

void mr_bootstrap_destroy(struct mr_bootstrap *model)
{
    mr_memory_free(model->columns);
    mr_memory_free(model->reservoir);
    mr_memory_free(model->heap);
}

void mr_bootstrap_work_create(struct mr_bootstrap_work *work, uint32_t columns_count)
{
    work->numbers = mr_memory_new((size_t)columns_count * MR_COPULA_BLOCK_MAX, sizeof(double));
    work->texts = mr_memory_new((size_t)columns_count * MR_COPULA_TEXTS_MAX, sizeof(double));
}

void mr_bootstrap_work_destroy(struct mr_bootstrap_work *work)
{
    mr_memory_free(work->numbers);
    mr_memory_free(work->texts);
}

void mr_bootstrap_clear(struct mr_bootstrap *model)
{
    model->rows = 0;
    model->weight = 0;
    model->squares = 0;
    model->threshold = 0;
    model->kept = 0;
    memset(model->columns, 0, model->shape.columns_count * sizeof(*model->columns));
}

double mr_bootstrap_effective_rows(const struct mr_bootstrap *model)
{
    return model->squares > 0 ? model->weight * model->weight / model->squares : 0;
}

/* ---- The sample ---- */

static double *row_at(const struct mr_bootstrap *model, uint32_t index)
{
    return model->reservoir + (size_t)index * (model->shape.columns_count + MR_BOOTSTRAP_ROW_HEAD);
}

double mr_bootstrap_row_weight(const struct mr_bootstrap *model, uint32_t index)
{
    double weight = row_at(model, index)[0];
    return weight > model->threshold ? weight : model->threshold;
}

const double *mr_bootstrap_row_numbers(const struct mr_bootstrap *model, uint32_t index)
{
    return row_at(model, index) + MR_BOOTSTRAP_ROW_HEAD;
}

static double priority_of(const double *row)
{
    return row[0] / row[1];
}

/* It goes before the other. No two are equal: the same rows go after a restart. */
static bool goes_first(const struct mr_bootstrap *model, uint32_t index, uint32_t other)
{
    double priority = priority_of(row_at(model, index));
    double against = priority_of(row_at(model, other));
    return priority < against || (priority == against && index < other);
}

static void sift_down(struct mr_bootstrap *model, uint32_t at)
{
    uint32_t *heap = model->heap;
    uint32_t moving = heap[at];
    for (uint32_t child = 2 * at + 1; child < model->kept; child = 2 * at + 1) {
        if (child + 1 < model->kept && goes_first(model, heap[child + 1], heap[child]))
            child++;
        if (goes_first(model, moving, heap[child]))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

void mr_bootstrap_heap_make(struct mr_bootstrap *model)
{
    for (uint32_t row = 0; row < model->kept; row++)
        model->heap[row] = row;
    for (uint32_t at = model->kept / 2; at-- > 0;)
        sift_down(model, at);
}

static void raise_threshold(struct mr_bootstrap *model, double priority)
{
    if (priority > model->threshold)
        model->threshold = priority;
}

static void keep_row(struct mr_bootstrap *model, double weight, double u, const double *numbers,
                     size_t stride)
{
    uint32_t index = model->kept;
    bool is_full = model->kept == model->shape.reservoir_rows;
    if (is_full) {
        index = model->heap[0];
        double least = priority_of(row_at(model, index));
        if (weight / u <= least) {
            raise_threshold(model, weight / u);
            return;
        }
        raise_threshold(model, least);
    }
    double *row = row_at(model, index);
    row[0] = weight;
    row[1] = u;
    for (uint32_t column = 0; column < model->shape.columns_count; column++)
        row[MR_BOOTSTRAP_ROW_HEAD + column] = numbers[column * stride];
    if (is_full) {
        sift_down(model, 0);
    } else if (++model->kept == model->shape.reservoir_rows) {
        mr_bootstrap_heap_make(model);
    }
}

/* ---- Learning ---- */

static void decay_model(struct mr_bootstrap *model, double factor)
{
    model->weight *= factor;
    model->squares *= factor * factor;
    model->threshold *= factor;
    for (uint32_t row = 0; row < model->kept; row++)
        row_at(model, row)[0] *= factor;
    for (uint32_t index = 0; index < model->shape.columns_count; index++) {
        struct mr_copula_column *column = &model->columns[index];
        column->missing *= factor;
        for (uint32_t text = 0; text < column->texts.count; text++)
            column->texts.weights[text] *= factor;
    }
    if (model->kept == model->shape.reservoir_rows)
        mr_bootstrap_heap_make(model);
}

static void count_column(struct mr_copula_column *column, const double *numbers,
                         uint32_t rows_count)
{
    for (uint32_t row = 0; row < rows_count; row++) {
        if (isnan(numbers[row]))
            column->missing += 1;
        else if (column->kind == MR_COPULA_TEXT && numbers[row] < MR_COPULA_RARE)
            column->texts.weights[(uint32_t)numbers[row]] += 1;
    }
}

void mr_bootstrap_learn(struct mr_bootstrap *model, struct mr_bootstrap_work *work,
                        const struct mr_value *cells, uint32_t rows_count, double decay)
{
    MR_ASSERT(rows_count >= 1 && rows_count <= MR_COPULA_BLOCK_MAX && decay >= 0);
    uint32_t columns_count = model->shape.columns_count;
    if (decay > 0)
        decay_model(model, mr_tail_exponential(-decay));
    model->weight += rows_count;
    model->squares += rows_count;
    for (uint32_t index = 0; index < columns_count; index++) {
        double *numbers = work->numbers + (size_t)index * MR_COPULA_BLOCK_MAX;
        mr_copula_column_numbers(&model->columns[index], cells + index, columns_count, rows_count,
                                 numbers);
        count_column(&model->columns[index], numbers, rows_count);
    }
    struct mr_random random;
    mr_random_init(&random, model->shape.seed, model->rows);
    for (uint32_t row = 0; row < rows_count; row++)
        keep_row(model, 1, 1 - mr_random_double(&random), work->numbers + row, MR_COPULA_BLOCK_MAX);
    model->rows += rows_count;
}

/* ---- Merging ---- */

/* texts: of the other's texts the numbers here. */
static void merge_column(struct mr_copula_column *column, const struct mr_copula_column *other,
                         double other_weight, double *texts)
{
    if (column->kind == MR_COPULA_UNKNOWN)
        column->kind = other->kind;
    if (column->kind != other->kind) {
        column->missing += other_weight;
        return;
    }
    column->missing += other->missing;
    column->decimals = column->decimals > other->decimals ? column->decimals : other->decimals;
    for (uint32_t text = 0; text < other->texts.count; text++) {
        struct mr_slice bytes = mr_slice_from(other->texts.bytes[text], other->texts.sizes[text]);
        bool is_example = column->kind == MR_COPULA_IDENTIFIER && column->texts.count > 0;
        texts[text] = is_example ? 0 : mr_copula_text_number(&column->texts, bytes);
        if (texts[text] < MR_COPULA_RARE)
            column->texts.weights[(uint32_t)texts[text]] += other->texts.weights[text];
    }
}

void mr_bootstrap_merge(struct mr_bootstrap *model, struct mr_bootstrap_work *work,
                        const struct mr_bootstrap *other)
{
    uint32_t columns_count = model->shape.columns_count;
    MR_ASSERT(columns_count == other->shape.columns_count);
    double numbers[MR_COPULA_COLUMNS_MAX];
    for (uint32_t index = 0; index < columns_count; index++)
        merge_column(&model->columns[index], &other->columns[index], other->weight,
                     work->texts + (size_t)index * MR_COPULA_TEXTS_MAX);
    model->weight += other->weight;
    model->squares += other->squares;
    model->rows += other->rows;
    raise_threshold(model, other->threshold);
    for (uint32_t row = 0; row < other->kept; row++) {
        const double *from = row_at(other, row);
        for (uint32_t index = 0; index < columns_count; index++) {
            const struct mr_copula_column *column = &model->columns[index];
            double number = from[MR_BOOTSTRAP_ROW_HEAD + index];
            numbers[index] = number;
            if (column->kind != other->columns[index].kind)
                numbers[index] = NAN;
            else if (column->kind == MR_COPULA_TEXT && number < MR_COPULA_RARE)
                numbers[index] =
                    work->texts[(size_t)index * MR_COPULA_TEXTS_MAX + (uint32_t)number];
        }
        keep_row(model, from[0], from[1], numbers, 1);
    }
}
