/* tests/unit/operators/test_copula_condition.c — rows that meet conditions beside those that are
 * left of many drawn without: their distributions, and how likely they are. */
#include "operators/copula_condition.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/support/copula_rows.h"

enum { BLOCK = MR_COPULA_SAMPLE_ROWS, ROWS = 20000, DRAWS_MAX = 2000000 };

static struct copula_rows rows;
static struct copula_fixture fixture;
static double kept[2][COPULA_ROWS_COLUMNS][ROWS]; /* by conditions, by rejection */

static bool meets(const struct mr_copula_condition *condition, double number)
{
    const struct mr_copula_column *column = &fixture.model.columns[condition->column];
    if (isnan(number))
        return false;
    if (condition->texts_count == 0)
        return (number > condition->lowest ||
                (number == condition->lowest && !condition->lowest_is_out)) &&
               (number < condition->highest ||
                (number == condition->highest && !condition->highest_is_out));
    for (uint32_t at = 0; at < condition->texts_count; at++) {
        struct mr_slice text = mr_slice_text(condition->texts[at]);
        if (column->kind == MR_COPULA_BOOLEAN
                ? mr_slice_equal(text, mr_slice_text(number > 0.5 ? "true" : "false"))
                : mr_copula_text_find(&column->texts, text) == number)
            return true;
    }
    return false;
}

/* Draw ROWS rows, of those that meet the conditions; returns the share that do. */
static double draw(const struct mr_copula_condition *conditions, uint32_t count, bool reject,
                   double *probability)
{
    struct mr_copula_sampler sampler;
    struct mr_error error;
    double numbers[COPULA_ROWS_COLUMNS * BLOCK];
    uint32_t found = 0;
    uint64_t drawn = 0;
    mr_copula_sampler_create(&sampler, COPULA_ROWS_COLUMNS, conditions, reject ? 0 : count);
    assert_int_equal(mr_copula_sampler_make(&sampler, &fixture.model, &fixture.work, &error),
                     MR_OK);
    *probability = mr_copula_sampler_probability(&sampler);
    while (found < ROWS && drawn < DRAWS_MAX) {
        mr_copula_sample(&sampler, &fixture.model, reject ? 1 : 2, drawn, BLOCK, numbers);
        drawn += BLOCK;
        for (uint32_t row = 0; row < BLOCK && found < ROWS; row++) {
            bool fits = true;
            for (uint32_t at = 0; at < count; at++)
                fits = fits && meets(&conditions[at], numbers[conditions[at].column * BLOCK + row]);
            assert_true(fits || reject);
            for (uint32_t column = 0; fits && column < COPULA_ROWS_COLUMNS; column++)
                kept[reject][column][found] = numbers[column * BLOCK + row];
            found += fits;
        }
    }
    assert_true(found >= ROWS / 2);
    for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS && found < ROWS; column++)
        for (uint32_t row = found; row < ROWS; row++)
            kept[reject][column][row] = kept[reject][column][row - found];
    mr_copula_sampler_destroy(&sampler);
    return (double)found / (double)drawn;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return (a > b) - (a < b);
}

/* Kolmogorov and Smirnov's distance of the two draws of a column; missing values come last. */
static double distance(uint32_t column)
{
    for (int which = 0; which < 2; which++) {
        for (uint32_t row = 0; row < ROWS; row++)
            if (isnan(kept[which][column][row]))
                kept[which][column][row] = (double)INFINITY;
        qsort(kept[which][column], ROWS, sizeof(double), compare);
    }
    double most = 0;
    uint32_t other = 0;
    for (uint32_t row = 0; row < ROWS; row++) {
        double number = kept[0][column][row];
        if (row + 1 < ROWS && kept[0][column][row + 1] == number)
            continue;
        while (other < ROWS && kept[1][column][other] <= number)
            other++;
        double off = fabs((double)(row + 1) - other) / ROWS;
        most = off > most ? off : most;
    }
    return most;
}

static void check(const struct mr_copula_condition *conditions, uint32_t count)
{
    double probability;
    double nothing;
    (void)draw(conditions, count, false, &probability);
    double share = draw(conditions, count, true, &nothing);
    assert_true(fabs(probability / share - 1) < 0.06);
    for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++) {
        double off = distance(column);
        if (off > 0.02)
            fail_msg("column %u is off by %g at probability %g", column, off, probability);
    }
}

static const char *const gamma_text[] = {"gamma"};
static const char *const ends[] = {"alpha", "epsilon", "unknown"};
static const char *const true_text[] = {"true"};

static struct mr_copula_condition range(uint32_t column, double lowest, double highest)
{
    return (struct mr_copula_condition){
        .column = column, .name = "f", .lowest = lowest, .highest = highest};
}

static struct mr_copula_condition any_of(uint32_t column, const char *const *texts, uint32_t count)
{
    return (struct mr_copula_condition){
        .column = column, .name = "f", .texts = texts, .texts_count = count};
}

static void one_condition(void **state)
{
    MR_UNUSED(state);
    struct mr_copula_condition condition = range(1, 45, 60);
    check(&condition, 1);
    condition.lowest_is_out = true;
    condition.highest_is_out = true;
    check(&condition, 1);
    condition = range(1, 50, 50); /* one whole number */
    check(&condition, 1);
    condition = range(0, 3, (double)INFINITY);
    check(&condition, 1);
    condition = any_of(2, gamma_text, 1);
    check(&condition, 1);
    condition = any_of(2, ends, 3);
    check(&condition, 1);
}

static void several_conditions(void **state)
{
    MR_UNUSED(state);
    struct mr_copula_condition ranges[] = {range(0, 1, 4), range(1, 50, 70)};
    struct mr_copula_condition mixed[] = {range(1, 38, 55), any_of(2, ends, 2)};
    struct mr_copula_condition three[] = {range(4, 0, 0.5), any_of(3, true_text, 1),
                                          range(1, -(double)INFINITY, 45)};
    check(ranges, 2);
    check(mixed, 2);
    check(three, 3);
}

/* A range of one row in fifty, and a text that hardly goes along with the other condition. */
static void rare_conditions(void **state)
{
    MR_UNUSED(state);
    struct mr_copula_condition rare[] = {range(0, 7.4, (double)INFINITY)};
    check(rare, 1);
    static const char *const epsilon[] = {"epsilon"};
    struct mr_copula_condition both[] = {any_of(2, epsilon, 1), range(1, -1000, 45)};
    check(both, 2);
}

/* A number of a continuous column: what is drawn near it by rejection. */
static void one_number_of_many(void **state)
{
    MR_UNUSED(state);
    double probability;
    double nothing;
    struct mr_copula_condition point = range(0, 1.5, 1.5);
    struct mr_copula_condition near_by = range(0, 1.45, 1.55);
    (void)draw(&point, 1, false, &probability);
    assert_true(probability == 1);
    for (uint32_t row = 0; row < ROWS; row++)
        assert_true(kept[0][0][row] == 1.5);
    (void)draw(&near_by, 1, true, &nothing);
    for (uint32_t column = 1; column < COPULA_ROWS_COLUMNS; column++)
        assert_true(distance(column) < 0.02);
}

static bool refused(const struct mr_copula_condition *conditions, uint32_t count,
                    const char *sentence)
{
    struct mr_copula_sampler sampler;
    struct mr_error error = {0};
    mr_copula_sampler_create(&sampler, COPULA_ROWS_COLUMNS, conditions, count);
    enum mr_status status = mr_copula_sampler_make(&sampler, &fixture.model, &fixture.work, &error);
    mr_copula_sampler_destroy(&sampler);
    return status == MR_INVALID && strstr(error.message, sentence) != NULL;
}

static void impossible_ones_are_refused(void **state)
{
    MR_UNUSED(state);
    static const char *const unknown[] = {"unknown"};
    struct mr_copula_condition condition = range(1, 1000, 2000);
    assert_true(refused(&condition, 1, "no such value was learned"));
    condition = range(1, 50.2, 50.8); /* whole numbers only */
    assert_true(refused(&condition, 1, "no such value was learned"));
    condition = any_of(2, unknown, 1);
    assert_true(refused(&condition, 1, "no such value was learned"));
    condition = any_of(0, unknown, 1);
    assert_true(refused(&condition, 1, "it has no texts"));
    condition = range(2, 0, 1);
    assert_true(refused(&condition, 1, "it has no numbers"));
    /* Ends of the columns that never come together. */
    struct mr_copula_condition apart[] = {range(0, 30, (double)INFINITY), range(1, -1000, -2),
                                          range(4, -100, -3.2)};
    assert_true(refused(apart, 3, "impossible together"));
}

static int open_fixture(void **state)
{
    MR_UNUSED(state);
    copula_rows_make(&rows, 20000, 15, 0);
    copula_fixture_open(&fixture, 1024);
    copula_fixture_learn(&fixture, &rows, 256, 0);
    return 0;
}

static int close_fixture(void **state)
{
    MR_UNUSED(state);
    copula_fixture_close(&fixture);
    copula_rows_free(&rows);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_condition),
        cmocka_unit_test(several_conditions),
        cmocka_unit_test(rare_conditions),
        cmocka_unit_test(one_number_of_many),
        cmocka_unit_test(impossible_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
