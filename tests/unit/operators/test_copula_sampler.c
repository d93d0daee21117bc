/* tests/unit/operators/test_copula_sampler.c — rows drawn from a model: their distributions, seeds,
 * and cells. */
#include "operators/copula_sampler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/copula_rows.h"

enum { BLOCK = MR_COPULA_SAMPLE_ROWS, BLOCKS = 300 };

static struct copula_rows rows;
static struct copula_fixture fixture;
static struct mr_copula_sampler sampler;

static void open_all(uint32_t count)
{
    copula_rows_make(&rows, count, 14, 0);
    copula_fixture_open(&fixture, 1024);
    copula_fixture_learn(&fixture, &rows, 256, 0);
    struct mr_error error;
    mr_copula_sampler_create(&sampler, COPULA_ROWS_COLUMNS, NULL, 0);
    assert_int_equal(mr_copula_sampler_make(&sampler, &fixture.model, &fixture.work, &error),
                     MR_OK);
    assert_true(mr_copula_sampler_probability(&sampler) == 1);
}

static void close_all(void)
{
    mr_copula_sampler_destroy(&sampler);
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
}

/* A model that learns synthetic rows finds what the first one has. */
static void synthetic_rows_are_like_real_ones(void **state)
{
    MR_UNUSED(state);
    struct copula_fixture second;
    struct mr_arena arena;
    double numbers[COPULA_ROWS_COLUMNS * BLOCK];
    struct mr_value cells[COPULA_ROWS_COLUMNS * BLOCK];
    open_all(20000);
    copula_fixture_open(&second, 64);
    mr_arena_init(&arena, 1 << 16);
    for (uint32_t block = 0; block < BLOCKS; block++) {
        mr_copula_sample(&sampler, &fixture.model, 3, (uint64_t)block * BLOCK, BLOCK, numbers);
        for (uint32_t at = 0; at < COPULA_ROWS_COLUMNS * BLOCK; at++)
            cells[at] = mr_copula_cell(
                &fixture.model.columns[at % COPULA_ROWS_COLUMNS],
                numbers[at % COPULA_ROWS_COLUMNS * BLOCK + at / COPULA_ROWS_COLUMNS], 0, &arena);
        mr_copula_learn(&second.model, &second.work, cells, BLOCK, 0);
    }
    for (uint32_t one = 0; one < COPULA_ROWS_COLUMNS; one++) {
        assert_int_equal(second.model.columns[one].kind, fixture.model.columns[one].kind);
        double share = second.model.columns[one].missing / second.model.weight;
        double real = fixture.model.columns[one].missing / fixture.model.weight;
        assert_true(fabs(share - real) < 0.012);
        for (uint32_t other = 0; other < one; other++) {
            double r = copula_fixture_correlation(&fixture, one, other);
            double own = copula_fixture_correlation(&second, one, other);
            if (fabs(own - r) > (one == 5 && other == 4 ? 0.2 : 0.04))
                fail_msg("columns %u and %u have %g, not %g", one, other, own, r);
        }
    }
    mr_arena_deinit(&arena);
    copula_fixture_close(&second);
    close_all();
}

static void a_row_is_a_function_of_seed_and_number(void **state)
{
    MR_UNUSED(state);
    double together[COPULA_ROWS_COLUMNS * BLOCK];
    double alone[COPULA_ROWS_COLUMNS * BLOCK];
    open_all(1000);
    mr_copula_sample(&sampler, &fixture.model, 3, 100, BLOCK, together);
    bool differs = false;
    for (uint32_t row = 0; row < BLOCK; row++) {
        mr_copula_sample(&sampler, &fixture.model, 3, 100 + row, 1, alone);
        for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++)
            assert_memory_equal(&alone[column * BLOCK], &together[column * BLOCK + row],
                                sizeof(double));
        mr_copula_sample(&sampler, &fixture.model, 4, 100 + row, 1, alone);
        differs = differs || alone[0] != together[row];
    }
    assert_true(differs);
    close_all();
}

static void cells_look_like_what_was_learned(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    static struct mr_copula_column column;
    mr_arena_init(&arena, 1 << 12);
    column.kind = MR_COPULA_NUMBER;
    assert_true(mr_copula_cell(&column, 7, 0, &arena).number == 7);
    assert_int_equal(mr_copula_cell(&column, (double)NAN, 0, &arena).kind, MR_KIND_NULL);
    column.kind = MR_COPULA_DATE;
    struct mr_value cell = mr_copula_cell(&column, 20484, 0, &arena);
    assert_true(mr_slice_equal(mr_value_text(cell), mr_slice_text("2026-01-31")));
    cell = mr_copula_cell(&column, -1e100, 0, &arena);
    assert_true(mr_slice_equal(mr_value_text(cell), mr_slice_text("0001-01-01")));
    column.kind = MR_COPULA_TIME;
    cell = mr_copula_cell(&column, 86399, 0, &arena);
    assert_true(mr_slice_equal(mr_value_text(cell), mr_slice_text("1970-01-01T23:59:59Z")));
    column.decimals = 3;
    cell = mr_copula_cell(&column, 86399.25, 0, &arena);
    assert_true(mr_slice_equal(mr_value_text(cell), mr_slice_text("1970-01-01T23:59:59.250Z")));
    column.kind = MR_COPULA_TIMESTAMP;
    assert_true(mr_copula_cell(&column, 1.25, 0, &arena).integer == 1250000000);
    column.kind = MR_COPULA_IDENTIFIER;
    (void)mr_copula_text_number(&column.texts, mr_slice_text("order-77"));
    cell = mr_copula_cell(&column, 0, 42, &arena);
    assert_true(mr_slice_equal(mr_value_text(cell), mr_slice_text("order-000000000042")));
    column.texts.count = 0;
    (void)mr_copula_text_number(&column.texts, mr_slice_text("Miller"));
    cell = mr_copula_cell(&column, 0, 42, &arena);
    assert_true(mr_slice_equal(mr_value_text(cell), mr_slice_text("000000000042")));
    mr_arena_deinit(&arena);
}

static void an_empty_model_makes_missing_values(void **state)
{
    MR_UNUSED(state);
    double numbers[COPULA_ROWS_COLUMNS * BLOCK];
    open_all(0);
    mr_copula_sample(&sampler, &fixture.model, 3, 0, BLOCK, numbers);
    for (uint32_t at = 0; at < COPULA_ROWS_COLUMNS * BLOCK; at++)
        assert_true(isnan(numbers[at]));
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(synthetic_rows_are_like_real_ones),
        cmocka_unit_test(a_row_is_a_function_of_seed_and_number),
        cmocka_unit_test(cells_look_like_what_was_learned),
        cmocka_unit_test(an_empty_model_makes_missing_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
