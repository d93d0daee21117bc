/* tests/unit/operators/synthetic_fixture.h — small tables for the tests of synthetic_*.c. */
#ifndef MR_TESTS_UNIT_OPERATORS_SYNTHETIC_FIXTURE_H
#define MR_TESTS_UNIT_OPERATORS_SYNTHETIC_FIXTURE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "operators/synthetic_tables.h"

enum { FIXTURE_COLUMNS = 4 };

/* Columns are added one by one; all of a table have its rows. */
struct fixture {
    struct mr_arena arena;
    struct mr_synthetic_pair_of_tables tables;
    struct mr_synthetic_column columns[FIXTURE_COLUMNS];
    const double *numbers[2][FIXTURE_COLUMNS];
    const uint32_t *codes[2][FIXTURE_COLUMNS];
    enum mr_synthetic_type types[2][FIXTURE_COLUMNS];
};

static inline void fixture_open(struct fixture *fixture, uint32_t real_rows,
                                uint32_t synthetic_rows)
{
    *fixture = (struct fixture){0};
    mr_arena_init(&fixture->arena, 64 << 10);
    fixture->tables = (struct mr_synthetic_pair_of_tables){
        .columns = fixture->columns,
        .real = {real_rows, fixture->numbers[0], fixture->codes[0], fixture->types[0]},
        .synthetic = {synthetic_rows, fixture->numbers[1], fixture->codes[1], fixture->types[1]}};
}

static inline void fixture_close(struct fixture *fixture)
{
    mr_arena_deinit(&fixture->arena);
}

static inline struct mr_synthetic_column *
fixture_numbers(struct fixture *fixture, const double *real, const double *synthetic)
{
    uint32_t column = fixture->tables.columns_count++;
    fixture->numbers[0][column] = real;
    fixture->numbers[1][column] = synthetic;
    fixture->types[0][column] = fixture->types[1][column] = MR_SYNTHETIC_TYPE_DOUBLE;
    fixture->columns[column] = (struct mr_synthetic_column){.name = "n",
                                                            .kind = MR_SYNTHETIC_NUMERICAL,
                                                            .minimum = NAN,
                                                            .maximum = NAN,
                                                            .nullable = -1};
    return &fixture->columns[column];
}

static inline struct mr_synthetic_column *fixture_codes(struct fixture *fixture,
                                                        const uint32_t *real,
                                                        const uint32_t *synthetic,
                                                        uint32_t codes_count)
{
    uint32_t column = fixture->tables.columns_count++;
    fixture->codes[0][column] = real;
    fixture->codes[1][column] = synthetic;
    fixture->types[0][column] = fixture->types[1][column] = MR_SYNTHETIC_TYPE_TEXT;
    fixture->columns[column] = (struct mr_synthetic_column){.name = "c",
                                                            .kind = MR_SYNTHETIC_CATEGORICAL,
                                                            .codes_count = codes_count,
                                                            .minimum = NAN,
                                                            .maximum = NAN,
                                                            .nullable = -1};
    return &fixture->columns[column];
}

#define assert_near(figure, expected) assert_true(fabs((figure) - (expected)) < 1e-12)

#endif
