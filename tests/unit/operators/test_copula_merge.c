/* tests/unit/operators/test_copula_merge.c — two models as one beside one model of all rows. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/copula_rows.h"

static struct copula_rows rows;
static struct copula_rows others;
static struct copula_fixture fixture;
static struct copula_fixture other;

static void open_both(uint32_t count, uint32_t other_count, double shift)
{
    copula_rows_make(&rows, count, 12, 0);
    copula_rows_make(&others, other_count, 13, shift);
    copula_fixture_open(&fixture, 1024);
    copula_fixture_open(&other, 1024);
    copula_fixture_learn(&fixture, &rows, 256, 1e-5);
    copula_fixture_learn(&other, &others, 256, 1e-5);
}

static void close_both(void)
{
    copula_fixture_close(&fixture);
    copula_fixture_close(&other);
    copula_rows_free(&rows);
    copula_rows_free(&others);
}

static void models_of_one_stream_add_up(void **state)
{
    MR_UNUSED(state);
    open_both(8000, 12000, 0);
    double weight = fixture.model.weight + other.model.weight;
    mr_copula_merge(&fixture.model, &fixture.work, &other.model);
    assert_int_equal(fixture.model.rows, 20000);
    assert_true(fabs(fixture.model.weight - weight) < 1e-9);
    assert_true(fabs(copula_fixture_correlation(&fixture, 0, 1) - COPULA_ROWS_CORRELATION) < 0.03);
    assert_true(fabs(copula_fixture_correlation(&fixture, 2, 3) - COPULA_ROWS_CORRELATION) < 0.03);
    const struct mr_copula_texts *texts = &fixture.model.columns[2].texts;
    assert_int_equal(texts->count, 5);
    close_both();
}

static void models_of_different_streams_share_their_rows(void **state)
{
    MR_UNUSED(state);
    open_both(4000, 4000, 4);
    mr_copula_merge(&fixture.model, &fixture.work, &other.model);
    /* Two clouds on one line: the common correlation is nearly 1. */
    assert_true(copula_fixture_correlation(&fixture, 0, 1) > 0.85);
    assert_int_equal(fixture.model.kept, 1024);
    close_both();
}

static void an_empty_model_takes_all(void **state)
{
    MR_UNUSED(state);
    open_both(0, 3000, 0);
    mr_copula_merge(&fixture.model, &fixture.work, &other.model);
    assert_int_equal(fixture.model.rows, 3000);
    double r = copula_fixture_correlation(&other, 0, 1);
    assert_true(fabs(copula_fixture_correlation(&fixture, 0, 1) - r) < 0.06);
    double weight = fixture.model.weight;
    mr_copula_clear(&other.model);
    mr_copula_merge(&fixture.model, &fixture.work, &other.model);
    assert_true(fixture.model.weight == weight);
    close_both();
}

static void another_kind_counts_as_missing(void **state)
{
    MR_UNUSED(state);
    open_both(512, 1, 0);
    for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++)
        others.cells[column] = mr_value_string(mr_slice_text("2026-01-01T00:00:00Z"));
    mr_copula_clear(&other.model);
    copula_fixture_learn(&other, &others, 1, 0);
    double missing = fixture.model.columns[0].missing;
    mr_copula_merge(&fixture.model, &fixture.work, &other.model);
    assert_true(fixture.model.columns[0].missing == missing + 1);
    assert_int_equal(fixture.model.columns[0].kind, MR_COPULA_NUMBER);
    close_both();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(models_of_one_stream_add_up),
        cmocka_unit_test(models_of_different_streams_share_their_rows),
        cmocka_unit_test(an_empty_model_takes_all),
        cmocka_unit_test(another_kind_counts_as_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
