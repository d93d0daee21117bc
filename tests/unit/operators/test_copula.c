/* tests/unit/operators/test_copula.c — what a model has learned of rows whose copula is known. */
#include "operators/copula.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/copula_rows.h"

static struct copula_rows rows;
static struct copula_fixture fixture;

static void check_correlations(double bound)
{
    for (uint32_t one = 0; one < COPULA_ROWS_COLUMNS; one++)
        for (uint32_t other = 0; other < one; other++) {
            double r = copula_fixture_correlation(&fixture, one, other);
            /* Column 4 is missing where the last one is high: it sees a part of the rows only. */
            double allowed = one == 5 && other == 4 ? 0.25 : one == 4 || other == 4 ? 0.15 : bound;
            if (fabs(r - COPULA_ROWS_CORRELATION) > allowed)
                fail_msg("columns %u and %u have %g", one, other, r);
        }
}

static void correlations_are_those_of_the_latents(void **state)
{
    MR_UNUSED(state);
    copula_rows_make(&rows, 20000, 1, 0);
    copula_fixture_open(&fixture, 1024);
    copula_fixture_learn(&fixture, &rows, 256, 1e-4);
    check_correlations(0.03);
    /* Whether column 4 is missing goes along with the others. */
    double r = copula_fixture_correlation(&fixture, COPULA_ROWS_COLUMNS + 4, 5);
    assert_true(r > 0.9);
    r = copula_fixture_correlation(&fixture, COPULA_ROWS_COLUMNS + 4, 0);
    assert_true(fabs(r - COPULA_ROWS_CORRELATION) < 0.05);
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
}

static void weights_decay(void **state)
{
    MR_UNUSED(state);
    copula_rows_make(&rows, 20000, 2, 0);
    copula_fixture_open(&fixture, 64);
    copula_fixture_learn(&fixture, &rows, 100, 1e-3);
    /* A block at a time: its rows weigh alike. */
    assert_true(fabs(fixture.model.weight - 100 / (1 - exp(-0.1))) < 1e-3);
    assert_true(mr_copula_effective_rows(&fixture.model) > 1900);
    assert_true(mr_copula_effective_rows(&fixture.model) < 2100);
    assert_int_equal(fixture.model.kept, 64);
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
}

/* Distributions that move far at once: half of what was known is gone after a half-life, and the
 * correlations survive. */
static void a_shift_is_followed(void **state)
{
    MR_UNUSED(state);
    struct copula_rows shifted;
    copula_rows_make(&rows, 12800, 3, 0);
    copula_rows_make(&shifted, 6400, 4, 6);
    copula_fixture_open(&fixture, 1024);
    double decay = log(2) / 1280;
    copula_fixture_learn(&fixture, &rows, 128, decay);
    uint32_t all = shifted.count;
    shifted.count = 1280;
    copula_fixture_learn(&fixture, &shifted, 128, decay);
    /* exp(z) of a latent around 6 is above 20, of one around 0 below. */
    double from;
    double to;
    const struct mr_marginal_map *map = &fixture.model.columns[0].map;
    assert_true(mr_marginal_interval(map, -1, 20, &from, &to));
    double share = 0.5 * erfc(-to / sqrt(2));
    assert_true(fabs(share - 0.5) < 0.03);
    copula_fixture_learn(&fixture, &shifted, 128, decay);
    shifted.count = all;
    copula_fixture_learn(&fixture, &shifted, 128, decay);
    assert_true(mr_marginal_interval(map, -1, 20, &from, &to));
    assert_true(0.5 * erfc(-to / sqrt(2)) < 0.02);
    double r = copula_fixture_correlation(&fixture, 0, 1);
    assert_true(fabs(r - COPULA_ROWS_CORRELATION) < 0.08);
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
    copula_rows_free(&shifted);
}

static void nothing_and_constants_are_learned(void **state)
{
    MR_UNUSED(state);
    struct mr_value cells[COPULA_ROWS_COLUMNS];
    for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++)
        cells[column] = column < 2 ? mr_value_double(column == 0 ? 3.5 : 1e308) : mr_value_null();
    copula_fixture_open(&fixture, 16);
    for (int times = 0; times < 40; times++)
        mr_copula_learn(&fixture.model, &fixture.work, cells, 1, 0.01);
    uint32_t latents[2 * COPULA_ROWS_COLUMNS];
    assert_int_equal(mr_copula_correlations(&fixture.model, latents, fixture.work.matrix), 0);
    assert_int_equal(fixture.model.columns[0].kind, MR_COPULA_NUMBER);
    assert_int_equal(fixture.model.columns[1].kind, MR_COPULA_UNKNOWN);
    mr_copula_clear(&fixture.model);
    assert_true(mr_copula_effective_rows(&fixture.model) == 0);
    copula_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(correlations_are_those_of_the_latents),
        cmocka_unit_test(weights_decay),
        cmocka_unit_test(a_shift_is_followed),
        cmocka_unit_test(nothing_and_constants_are_learned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
