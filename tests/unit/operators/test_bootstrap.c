/* tests/unit/operators/test_bootstrap.c — the sample of a bootstrap: which rows stay, what they
 * stand for, decay, and two samples as one. */
#include "operators/bootstrap.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"

enum { BLOCK = 100 };

static struct mr_bootstrap model;
static struct mr_bootstrap other;
static struct mr_bootstrap_work work;

static void open_all(uint32_t reservoir_rows, uint64_t seed)
{
    struct mr_copula_shape shape = {2, reservoir_rows, seed};
    mr_bootstrap_create(&model, &shape);
    shape.seed = seed + 1;
    mr_bootstrap_create(&other, &shape);
    mr_bootstrap_work_create(&work, 2);
}

static void close_all(void)
{
    mr_bootstrap_destroy(&model);
    mr_bootstrap_destroy(&other);
    mr_bootstrap_work_destroy(&work);
}

/* Rows (number, text) of first .. first + count - 1. */
static void learn(struct mr_bootstrap *learner, uint32_t first, uint32_t count, const char *text,
                  double decay_of_row)
{
    struct mr_value cells[2 * BLOCK];
    for (uint32_t done = 0; done < count; done += BLOCK) {
        uint32_t rows = count - done < BLOCK ? count - done : BLOCK;
        for (uint32_t row = 0; row < rows; row++) {
            cells[2 * row] = mr_value_double(first + done + row);
            cells[2 * row + 1] =
                text == NULL ? mr_value_null() : mr_value_string(mr_slice_text(text));
        }
        mr_bootstrap_learn(learner, &work, cells, rows, decay_of_row * rows);
    }
}

/* What the sample says about the weight of the rows with numbers in [from, to). */
static double weight_in(const struct mr_bootstrap *learner, double from, double to)
{
    double sum = 0;
    for (uint32_t row = 0; row < learner->kept; row++) {
        double number = mr_bootstrap_row_numbers(learner, row)[0];
        sum += number >= from && number < to ? mr_bootstrap_row_weight(learner, row) : 0;
    }
    return sum;
}

static void rows_stay_while_there_is_room(void **state)
{
    MR_UNUSED(state);
    open_all(300, 1);
    learn(&model, 0, 300, "a", 0);
    assert_int_equal(model.kept, 300);
    assert_true(model.threshold == 0);
    assert_true(weight_in(&model, 0, 300) == 300);
    assert_true(mr_bootstrap_effective_rows(&model) == 300);
    assert_true(model.columns[1].texts.weights[0] == 300);
    close_all();
}

/* The sample's estimate of the weight of a part of the rows, on average over seeds. */
static void sums_are_unbiased(void **state)
{
    MR_UNUSED(state);
    enum { SEEDS = 200 };
    double sum = 0;
    double all = 0;
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        open_all(64, 1000 + 10 * seed);
        learn(&model, 0, 2000, "a", 0);
        assert_int_equal(model.kept, 64);
        sum += weight_in(&model, 0, 500) / SEEDS;
        all += weight_in(&model, 0, 2000) / SEEDS;
        close_all();
    }
    /* Standard errors: of a part sqrt(500 * 2000 / 64) / sqrt(SEEDS) = 9. */
    assert_true(fabs(sum - 500) < 36);
    assert_true(fabs(all - 2000) < 72);
}

/* Half of the weight is that of the last half-life, whether all rows are kept or few. */
static void old_rows_fade(void **state)
{
    MR_UNUSED(state);
    static const uint32_t rooms[] = {4000, 200};
    for (size_t which = 0; which < MR_ARRAY_COUNT(rooms); which++) {
        double share = 0;
        for (uint64_t seed = 0; seed < 40; seed++) {
            open_all(rooms[which], seed);
            learn(&model, 0, 4000, "a", log(2) / 500);
            share += weight_in(&model, 3500, 4000) / weight_in(&model, 0, 4000) / 40;
            close_all();
        }
        assert_true(fabs(share - 0.5) < 0.05);
    }
    open_all(200, 1);
    learn(&model, 0, 4000, "a", log(2) / 500);
    assert_true(fabs(model.weight - 500 / log(2)) < 60);
    assert_true(fabs(mr_bootstrap_effective_rows(&model) - 2 * 500 / log(2)) < 120);
    close_all();
}

/* Weights that fall to nothing do not harm. */
static void a_steep_decay_leaves_the_newest(void **state)
{
    MR_UNUSED(state);
    open_all(150, 3);
    learn(&model, 0, 1000, "a", 100);
    assert_int_equal(model.kept, 150);
    assert_true(weight_in(&model, 900, 1000) == 100);
    assert_true(weight_in(&model, 0, 900) == 0);
    close_all();
}

static void models_merge(void **state)
{
    MR_UNUSED(state);
    double share = 0;
    for (uint64_t seed = 0; seed < 60; seed++) {
        open_all(64, 100 * seed);
        learn(&model, 0, 1000, "a", 0);
        learn(&other, 5000, 3000, "b", 0);
        mr_bootstrap_merge(&model, &work, &other);
        assert_int_equal(model.kept, 64);
        assert_int_equal(model.rows, 4000);
        assert_true(model.weight == 4000);
        assert_int_equal(model.columns[1].texts.count, 2);
        for (uint32_t row = 0; row < 64; row++) {
            const double *numbers = mr_bootstrap_row_numbers(&model, row);
            assert_true((numbers[0] >= 5000) == (numbers[1] == 1));
        }
        share += weight_in(&model, 0, 1000) / weight_in(&model, 0, 9000) / 60;
        close_all();
    }
    assert_true(fabs(share - 0.25) < 0.03);
}

/* Into one that knows nothing, and of a column whose kind is another. */
static void models_of_other_kinds_merge(void **state)
{
    MR_UNUSED(state);
    open_all(64, 1);
    learn(&other, 0, 50, "a", 0);
    mr_bootstrap_merge(&model, &work, &other);
    assert_int_equal(model.kept, 50);
    assert_int_equal(model.columns[1].kind, MR_COPULA_TEXT);
    learn(&model, 50, 10, NULL, 0);
    assert_true(model.columns[1].missing == 10);
    mr_bootstrap_clear(&other);
    learn(&other, 0, 4, "2026-01-01", 0);
    mr_bootstrap_merge(&model, &work, &other);
    assert_true(model.columns[1].missing == 14);
    assert_true(isnan(mr_bootstrap_row_numbers(&model, 63)[1]));
    close_all();
}

static void odd_numbers_are_missing(void **state)
{
    MR_UNUSED(state);
    static const double odd[] = {NAN, INFINITY, -INFINITY, 1e308, -0.0, 5e-324, 1e140};
    struct mr_value cells[2 * MR_ARRAY_COUNT(odd)] = {{0}};
    open_all(16, 1);
    for (size_t row = 0; row < MR_ARRAY_COUNT(odd); row++)
        cells[2 * row] = mr_value_double(odd[row]);
    mr_bootstrap_learn(&model, &work, cells, MR_ARRAY_COUNT(odd), 0);
    for (uint32_t row = 0; row < MR_ARRAY_COUNT(odd); row++)
        assert_true(isnan(mr_bootstrap_row_numbers(&model, row)[0]) == (row < 4));
    assert_false(signbit(mr_bootstrap_row_numbers(&model, 4)[0]));
    assert_true(model.columns[0].missing == 4);
    assert_int_equal(model.columns[1].kind, MR_COPULA_UNKNOWN);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_stay_while_there_is_room),
        cmocka_unit_test(sums_are_unbiased),
        cmocka_unit_test(old_rows_fade),
        cmocka_unit_test(a_steep_decay_leaves_the_newest),
        cmocka_unit_test(models_merge),
        cmocka_unit_test(models_of_other_kinds_merge),
        cmocka_unit_test(odd_numbers_are_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
