/* bench/micro_copula.c — rows per CPU second that a copula and a bootstrap learn and make: 15 and
 * 55 mixed columns (skewed numbers, whole numbers, five texts, booleans, two decimals; of 15
 * columns three miss 5 % of their values). Without decoding, encoding and state; making a row is
 * its cells as well. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "operators/bootstrap_sampler.h"
#include "operators/copula_sampler.h"

enum { LEARNED = 102400, MADE = 512000, BLOCK = 256, MAKES = 100 };

static struct mr_value cell_of(uint32_t column, double z, bool misses, struct mr_random *random)
{
    static const char *const texts[] = {"alpha", "beta", "gamma", "delta", "epsilon"};
    switch (column % 5) {
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
    default:
        break;
    }
    if (misses && mr_random_double(random) < 0.05)
        return mr_value_null();
    return mr_value_double(round(z * 100) / 100);
}

static struct mr_value *make_rows(uint32_t columns)
{
    struct mr_value *cells = mr_memory_new((size_t)LEARNED * columns, sizeof(*cells));
    struct mr_random random;
    mr_random_init(&random, 7, 0);
    for (size_t row = 0; row < LEARNED; row++) {
        double common = mr_random_normal(&random);
        for (uint32_t column = 0; column < columns; column++)
            cells[row * columns + column] = cell_of(
                column, 0.6 * common + 0.8 * mr_random_normal(&random), columns < 30, &random);
    }
    return cells;
}

static double seconds_since(uint64_t begun_ns)
{
    return (double)(mr_clock_thread_cpu_ns() - begun_ns) / 1e9;
}

static double learn(struct mr_copula *model, struct mr_copula_work *work,
                    const struct mr_value *cells)
{
    uint64_t begun_ns = mr_clock_thread_cpu_ns();
    for (size_t row = 0; row < LEARNED; row += BLOCK)
        mr_copula_learn(model, work, cells + row * model->shape.columns_count, BLOCK,
                        BLOCK * 1.05e-4);
    return LEARNED / seconds_since(begun_ns);
}

static double make(struct mr_copula_sampler *sampler, const struct mr_copula *model)
{
    uint32_t columns = model->shape.columns_count;
    double *numbers = mr_memory_new((size_t)columns * MR_COPULA_SAMPLE_ROWS, sizeof(*numbers));
    struct mr_value *row_cells =
        mr_memory_new((size_t)columns * MR_COPULA_SAMPLE_ROWS, sizeof(*row_cells));
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 20);
    uint64_t begun_ns = mr_clock_thread_cpu_ns();
    for (uint64_t row = 0; row < MADE; row += MR_COPULA_SAMPLE_ROWS) {
        mr_copula_sample(sampler, model, 3, row, MR_COPULA_SAMPLE_ROWS, numbers);
        for (size_t at = 0; at < (size_t)columns * MR_COPULA_SAMPLE_ROWS; at++)
            row_cells[at] = mr_copula_cell(&model->columns[at / MR_COPULA_SAMPLE_ROWS], numbers[at],
                                           row, &arena);
        mr_arena_reset(&arena);
    }
    double rate = MADE / seconds_since(begun_ns);
    mr_arena_deinit(&arena);
    mr_memory_free(numbers);
    mr_memory_free(row_cells);
    return rate;
}

static void measure(uint32_t columns)
{
    struct mr_copula_shape shape = {.columns_count = columns, .reservoir_rows = 1024, .seed = 1};
    struct mr_copula model;
    struct mr_copula_work work;
    struct mr_copula_sampler sampler;
    struct mr_error error;
    struct mr_value *cells = make_rows(columns);
    mr_copula_create(&model, &shape);
    mr_copula_work_create(&work, columns);
    mr_copula_sampler_create(&sampler, columns, NULL, 0);
    double learned = learn(&model, &work, cells);
    uint64_t begun_ns = mr_clock_thread_cpu_ns();
    for (int times = 0; times < MAKES; times++)
        if (mr_copula_sampler_make(&sampler, &model, &work, &error) != MR_OK)
            exit(EXIT_FAILURE);
    double make_us = seconds_since(begun_ns) / MAKES * 1e6;
    double made = make(&sampler, &model);
    printf("%2u columns: learned %.0f rows/s, made %.0f rows/s, the sampler anew in %.0f us\n",
           columns, learned, made, make_us);
    mr_copula_sampler_destroy(&sampler);
    mr_copula_work_destroy(&work);
    mr_copula_destroy(&model);
    mr_memory_free(cells);
}

/* What a bootstrap of a reservoir takes: to learn a row, to make a sampler anew (once behind each
 * block that was learned, where rows are made), and to make a row. */
static void measure_bootstrap(uint32_t columns, uint32_t reservoir)
{
    struct mr_copula_shape shape = {.columns_count = columns, .reservoir_rows = reservoir};
    struct mr_bootstrap_work work;
    struct mr_bootstrap model;
    struct mr_bootstrap_sampler sampler;
    struct mr_error error;
    struct mr_value *cells = make_rows(columns);
    double *numbers = mr_memory_new((size_t)columns * MR_COPULA_SAMPLE_ROWS, sizeof(*numbers));
    mr_bootstrap_create(&model, &shape);
    mr_bootstrap_work_create(&work, columns);
    mr_bootstrap_sampler_create(&sampler, &shape, (struct mr_bootstrap_noise){.bandwidth = -1});
    uint64_t begun_ns = mr_clock_thread_cpu_ns();
    for (uint32_t row = 0; row < LEARNED; row += BLOCK)
        mr_bootstrap_learn(&model, &work, cells + (size_t)row * columns, BLOCK, 0.001);
    double learned = LEARNED / seconds_since(begun_ns);
    begun_ns = mr_clock_thread_cpu_ns();
    for (int make = 0; make < MAKES; make++)
        if (mr_bootstrap_sampler_make(&sampler, &model, NULL, 0, &error) != MR_OK)
            exit(1);
    double make_ms = 1e3 * seconds_since(begun_ns) / MAKES;
    begun_ns = mr_clock_thread_cpu_ns();
    for (uint32_t row = 0; row < MADE; row += MR_COPULA_SAMPLE_ROWS)
        mr_bootstrap_sample(&sampler, &model, 1, row, MR_COPULA_SAMPLE_ROWS, numbers);
    printf("bootstrap, %2u columns, %4u rows: learned %9.0f rows/s, sampler made in %7.3f ms, made "
           "%9.0f rows/s\n",
           columns, reservoir, learned, make_ms, MADE / seconds_since(begun_ns));
    mr_bootstrap_sampler_destroy(&sampler);
    mr_bootstrap_work_destroy(&work);
    mr_bootstrap_destroy(&model);
    mr_memory_free(numbers);
    mr_memory_free(cells);
}

int main(void)
{
    measure(15);
    measure(55);
    measure_bootstrap(15, 1024);
    measure_bootstrap(15, 8192);
    measure_bootstrap(55, 1024);
    measure_bootstrap(55, 8192);
    return 0;
}
