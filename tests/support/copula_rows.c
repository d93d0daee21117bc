/* tests/support/copula_rows.c — see copula_rows.h. */
#include "tests/support/copula_rows.h"

#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/sample_model_copula.h"

static struct mr_value cell_of(uint32_t column, double z, double last_z, struct mr_arena *arena)
{
    static const char *const texts[] = {"alpha", "beta", "gamma", "delta", "epsilon"};
    switch (column) {
    case 0:
        return mr_value_double(exp(z));
    case 1:
        return mr_value_int((int64_t)floor(40 + 12 * z));
    case 2:
        return mr_value_string(mr_slice_text(texts[z < -1    ? 0
                                                   : z < 0   ? 1
                                                   : z < 0.5 ? 2
                                                   : z < 1.5 ? 3
                                                             : 4]));
    case 3:
        return mr_value_bool(z > 0.3);
    case 4:
        return last_z > 0.8 ? mr_value_null() : mr_value_double(round(z * 100) / 100);
    default:
        break;
    }
    char *text = mr_arena_take(arena, 16);
    int day = (int)floor(15 + 4 * z);
    day = day < 1 ? 1 : day > 28 ? 28 : day;
    snprintf(text, 16, "2026-03-%02d", day);
    return mr_value_string(mr_slice_text(text));
}

void copula_rows_make(struct copula_rows *rows, uint32_t count, uint64_t seed, double shift)
{
    MR_ASSERT(count <= COPULA_ROWS_MAX);
    mr_arena_init(&rows->arena, 1 << 16);
    rows->cells = mr_memory_new((size_t)count * COPULA_ROWS_COLUMNS, sizeof(*rows->cells));
    rows->count = count;
    struct mr_random random;
    mr_random_init(&random, seed, 0);
    for (uint32_t row = 0; row < count; row++) {
        double z[COPULA_ROWS_COLUMNS];
        double common = mr_random_normal(&random);
        for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++)
            z[column] = 0.8 * common + 0.6 * mr_random_normal(&random) + shift;
        for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++)
            rows->cells[(size_t)row * COPULA_ROWS_COLUMNS + column] =
                cell_of(column, z[column], z[COPULA_ROWS_COLUMNS - 1], &rows->arena);
    }
}

void copula_rows_free(struct copula_rows *rows)
{
    mr_memory_free(rows->cells);
    mr_arena_deinit(&rows->arena);
}

void copula_fixture_open(struct copula_fixture *fixture, uint32_t reservoir_rows)
{
    struct mr_copula_shape shape = {
        .columns_count = COPULA_ROWS_COLUMNS, .reservoir_rows = reservoir_rows, .seed = 5};
    mr_copula_create(&fixture->model, &shape);
    mr_copula_work_create(&fixture->work, COPULA_ROWS_COLUMNS);
}

void copula_fixture_close(struct copula_fixture *fixture)
{
    mr_copula_destroy(&fixture->model);
    mr_copula_work_destroy(&fixture->work);
}

void copula_fixture_learn(struct copula_fixture *fixture, const struct copula_rows *rows,
                          uint32_t block_rows, double decay_of_row)
{
    for (uint32_t row = 0; row < rows->count; row += block_rows) {
        uint32_t size = rows->count - row < block_rows ? rows->count - row : block_rows;
        mr_copula_learn(&fixture->model, &fixture->work,
                        rows->cells + (size_t)row * COPULA_ROWS_COLUMNS, size, decay_of_row * size);
    }
}

double copula_fixture_correlation(struct copula_fixture *fixture, uint32_t one, uint32_t other)
{
    uint32_t latents[2 * COPULA_ROWS_COLUMNS];
    double *matrix = fixture->work.matrix;
    uint32_t count = mr_copula_correlations(&fixture->model, latents, matrix);
    uint32_t first = count;
    uint32_t second = count;
    for (uint32_t at = 0; at < count; at++) {
        first = latents[at] == one ? at : first;
        second = latents[at] == other ? at : second;
    }
    MR_ASSERT(first < count && second < count);
    return matrix[(size_t)first * count + second];
}

void copula_fixture_document(struct copula_fixture *fixture, struct mr_buffer *output)
{
    static const char *const fields[COPULA_ROWS_COLUMNS] = {"a", "b", "c", "d", "e", "f"};
    struct mr_error error;
    enum mr_status status = mr_sample_copula_write(&fixture->model, &fixture->work, "people", 7,
                                                   fields, output, &error);
    MR_ASSERT(status == MR_OK);
}
