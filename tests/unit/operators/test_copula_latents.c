/* tests/unit/operators/test_copula_latents.c — attenuation, the reservoir and rebuilding. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/copula_rows.h"

static struct copula_rows rows;
static struct copula_fixture fixture;

/* Texts whose order says nothing are ordered so that they go along with the numbers. */
static void texts_get_an_order(void **state)
{
    MR_UNUSED(state);
    static const char *const expected[] = {"alpha", "beta", "gamma", "delta", "epsilon"};
    copula_rows_make(&rows, 1000, 6, 0);
    copula_fixture_open(&fixture, 1024);
    copula_fixture_learn(&fixture, &rows, 100, 0);
    const struct mr_copula_texts *texts = &fixture.model.columns[2].texts;
    assert_int_equal(texts->count, 5);
    bool rises = strncmp((const char *)texts->bytes[texts->order[0]], "alpha", 5) == 0;
    for (uint32_t rank = 0; rank < 5; rank++) {
        const char *text = expected[rises ? rank : 4 - rank];
        assert_memory_equal(texts->bytes[texts->order[rank]], text, strlen(text));
    }
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
}

static void the_reservoir_is_a_fair_sample(void **state)
{
    MR_UNUSED(state);
    copula_rows_make(&rows, 20000, 7, 0);
    for (uint32_t row = 0; row < rows.count; row++) /* a number that says which row */
        rows.cells[(size_t)row * COPULA_ROWS_COLUMNS] = mr_value_double(row);
    copula_fixture_open(&fixture, 1000);
    copula_fixture_learn(&fixture, &rows, 256, 0);
    assert_int_equal(fixture.model.kept, 1000);
    double sum = 0;
    bool seen[COPULA_ROWS_MAX] = {false};
    for (uint32_t row = 0; row < 1000; row++) {
        double number = fixture.model.reservoir[row * (COPULA_ROWS_COLUMNS + 1) + 1];
        assert_false(seen[(uint32_t)number]);
        seen[(uint32_t)number] = true;
        sum += number;
    }
    /* Its mean is 10000 +- 183. */
    assert_true(fabs(sum / 1000 - 10000) < 700);
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
}

static void the_reservoir_prefers_new_rows(void **state)
{
    MR_UNUSED(state);
    copula_rows_make(&rows, 20000, 8, 0);
    for (uint32_t row = 0; row < rows.count; row++)
        rows.cells[(size_t)row * COPULA_ROWS_COLUMNS] = mr_value_double(row);
    copula_fixture_open(&fixture, 200);
    copula_fixture_learn(&fixture, &rows, 100, 1.0 / 2000);
    double sum = 0;
    for (uint32_t row = 0; row < 200; row++)
        sum += fixture.model.reservoir[row * (COPULA_ROWS_COLUMNS + 1) + 1];
    /* Ages are exponential with mean 2000, a little more without replacement. */
    assert_true(fabs(20000 - sum / 200 - 2100) < 700);
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
}

static void the_same_column_twice_has_correlation_one(void **state)
{
    MR_UNUSED(state);
    copula_rows_make(&rows, 2000, 9, 0);
    for (uint32_t row = 0; row < rows.count; row++) {
        struct mr_value *cells = rows.cells + (size_t)row * COPULA_ROWS_COLUMNS;
        cells[1] = cells[0];
        cells[4] = mr_value_bool(!cells[3].boolean);
    }
    copula_fixture_open(&fixture, 64);
    copula_fixture_learn(&fixture, &rows, 256, 0);
    assert_true(copula_fixture_correlation(&fixture, 0, 1) > 0.9999);
    assert_true(copula_fixture_correlation(&fixture, 3, 4) < -0.99);
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_get_an_order),
        cmocka_unit_test(the_reservoir_is_a_fair_sample),
        cmocka_unit_test(the_reservoir_prefers_new_rows),
        cmocka_unit_test(the_same_column_twice_has_correlation_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
