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

#define NEXT_TO 0.0015 /* less than what bins are wide */

enum { BLOCK = MR_COPULA_SAMPLE_ROWS, ROWS = 20000, DRAWS_MAX = 2000000 };

static struct copula_rows rows;
static struct copula_fixture fixture;
static double kept[2][COPULA_ROWS_COLUMNS][ROWS]; /* by conditions, by rejection */

static bool meets(const struct mr_copula_condition *condition, double number)
{
    const struct mr_copula_column *column = &fixture.model.columns[condition->column];
    double unit = condition->is_instant ? 86400000 : 1; /* of dates */
    double lowest = condition->lowest / unit;
    double highest = condition->highest / unit;
    struct mr_copula_members members;
    if (isnan(number))
        return false;
    if (column->kind != MR_COPULA_TEXT && column->kind != MR_COPULA_BOOLEAN &&
        mr_copula_condition_members(condition, column, &members) && members.count > 0)
        return mr_copula_members_nearest(&members, number) == number;
    if (condition->texts_count == 0)
        return (number > lowest || (number == lowest && !condition->lowest_is_out)) &&
               (number < highest || (number == highest && !condition->highest_is_out));
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
    /* One row in a hundred, and so among others. */
    static const char *const one_percent[] = {"one percent"};
    struct mr_copula_condition text[] = {any_of(2, one_percent, 1), range(1, 30, 60)};
    check(text, 1);
    check(text, 2);
}

/* Days 10 to 17 of March 2026 in column 5; alone, and with a range. */
static void dates(void **state)
{
    MR_UNUSED(state);
    const double march_ms = 1772323200000;
    const double day_ms = 86400000;
    struct mr_copula_condition asked[] = {range(5, march_ms + 9 * day_ms, march_ms + 17 * day_ms),
                                          range(1, 38, 55)};
    asked[0].is_instant = true;
    asked[0].highest_is_out = true;
    check(asked, 2);
    for (uint32_t row = 0; row < ROWS; row++) {
        double day = kept[0][5][row] - march_ms / day_ms;
        assert_true(day >= 9 && day <= 16 && floor(day) == day);
    }
    check(asked, 1);
    /* From within a day on: the next one. */
    asked[0].lowest += 1000;
    check(asked, 1);
    assert_true(kept[0][5][0] - march_ms / day_ms == 10);
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
                    const char *sentence);

static struct mr_copula_condition one_of(uint32_t column, const double *numbers, uint32_t count)
{
    return (struct mr_copula_condition){
        .column = column, .name = "f", .numbers = numbers, .numbers_count = count};
}

/* Whole numbers, numbers with decimals and dates, as numbers and as texts; some that never were. */
static void sets_of_numbers(void **state)
{
    MR_UNUSED(state);
    static const double ages[] = {52, 31, 40, 41, 52, 1000, 40.5};
    static const double decimals[] = {0.31, -0.62, 0.05, 1.18, -0.11, 0.5, 0.21, 0.22, 0.6, 0.9};
    static const char *const age_texts[] = {"31", "4e1", "41.0", "52"};
    static const char *const days[] = {"2026-03-12", "2026-03-20T00:00:00Z", "2026-02-25"};
    struct mr_copula_condition whole[] = {one_of(1, ages, 7), any_of(2, ends, 2)};
    struct mr_copula_condition texts = any_of(1, age_texts, 4);
    struct mr_copula_condition both[] = {one_of(4, decimals, 10), range(1, 45, 70)};
    struct mr_copula_condition dates_of[] = {any_of(5, days, 3), range(1, 38, 55)};
    check(whole, 2);
    check(&texts, 1);
    check(both, 2);
    check(dates_of, 2);
}

/* Which of the numbers is next to it; count: none. */
static uint32_t near_which(const double *numbers, uint32_t count, double number)
{
    uint32_t at = 0;
    while (at < count && fabs(number - numbers[at]) > NEXT_TO)
        at++;
    return at;
}

/* Of rows drawn without conditions those near one of the numbers and within the others: to
 * kept[1], and how many are near each. Returns how many there are. */
static uint32_t reject_near(const double *numbers, uint32_t numbers_count,
                            const struct mr_copula_condition *others, uint32_t others_count,
                            double *found)
{
    struct mr_copula_sampler sampler;
    struct mr_error error;
    double cells[COPULA_ROWS_COLUMNS * BLOCK];
    uint32_t made = 0;
    mr_copula_sampler_create(&sampler, COPULA_ROWS_COLUMNS, NULL, 0);
    assert_int_equal(mr_copula_sampler_make(&sampler, &fixture.model, &fixture.work, &error),
                     MR_OK);
    for (uint64_t first = 0; first < DRAWS_MAX && made < ROWS; first += BLOCK) {
        mr_copula_sample(&sampler, &fixture.model, 3, first, BLOCK, cells);
        for (uint32_t row = 0; row < BLOCK && made < ROWS; row++) {
            uint32_t at = near_which(numbers, numbers_count, cells[row]);
            bool fits = at < numbers_count;
            for (uint32_t other = 0; fits && other < others_count; other++)
                fits = meets(&others[other], cells[others[other].column * BLOCK + row]);
            if (!fits)
                continue;
            found[at]++;
            for (uint32_t column = 0; column < COPULA_ROWS_COLUMNS; column++)
                kept[1][column][made] = cells[column * BLOCK + row];
            made++;
        }
    }
    mr_copula_sampler_destroy(&sampler);
    return made;
}

/* Numbers of a continuous column: what is drawn near them by rejection, each as often as it is
 * likely; alone, and with ranges that the numbers go along with unequally. */
static void several_numbers_of_many(void **state)
{
    MR_UNUSED(state);
    static const double numbers[] = {0.4, 1.5, 4, 0.9};
    struct mr_copula_condition asked[] = {one_of(0, numbers, 4), range(1, 45, 60),
                                          range(4, -0.5, 3)};
    for (uint32_t count = 1; count <= 3; count += 2) {
        double found[4] = {0};
        double expected[4] = {0};
        double probability;
        (void)draw(asked, count, false, &probability);
        assert_true(count == 1 ? probability == 1 : probability > 0.05 && probability < 0.8);
        for (uint32_t row = 0; row < ROWS; row++)
            for (uint32_t at = 0; at < 4; at++)
                found[at] += kept[0][0][row] == numbers[at];
        uint32_t made = reject_near(numbers, 4, asked + 1, count - 1, expected);
        double allowed = 3 * sqrt(0.25 / made) + 0.005;
        assert_true(made > ROWS / 50);
        for (uint32_t at = 0; at < 4; at++)
            if (fabs(found[at] / ROWS - expected[at] / made) > allowed)
                fail_msg("%g has a share of %g, %g is wanted, %u conditions", numbers[at],
                         found[at] / ROWS, expected[at] / made, count);
    }
}

/* Two sets: each choice of two numbers by the density of both. */
static void two_sets_of_points(void **state)
{
    MR_UNUSED(state);
    static const double many[MR_COPULA_VALUES_MAX] = {1, 2, 3};
    double numbers[MR_COPULA_VALUES_MAX];
    struct mr_copula_condition asked[] = {one_of(0, numbers, MR_COPULA_VALUES_MAX),
                                          one_of(4, many, 3)};
    double probability;
    for (uint32_t at = 0; at < MR_COPULA_VALUES_MAX; at++)
        numbers[at] = 0.1 + at * 0.037;
    (void)draw(asked, 2, false, &probability);
    assert_true(probability > 0 && probability < 1);
    uint8_t kind_decimals = fixture.model.columns[4].decimals;
    fixture.model.columns[4].decimals = MR_COPULA_DECIMALS_MAX + 1; /* any number: points, too */
    mr_copula_map_columns(&fixture.model);
    asked[0].numbers_count = 4;
    (void)draw(asked, 2, false, &probability);
    asked[0].numbers_count = MR_COPULA_VALUES_MAX;
    bool is_refused = refused(asked, 2, "more than 128 combinations");
    fixture.model.columns[4].decimals = kind_decimals;
    mr_copula_map_columns(&fixture.model);
    assert_true(is_refused);
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
    assert_true(refused(&condition, 1, "it has numbers, as '21'"));
    condition = any_of(5, unknown, 1);
    assert_true(refused(&condition, 1, "it has dates or times, as '2026-01-28'"));
    condition = range(2, 0, 1);
    assert_true(refused(&condition, 1, "it has no numbers"));
    condition = range(1, 45, 60);
    condition.is_instant = true;
    assert_true(refused(&condition, 1, "it is no date or time"));
    fixture.model.columns[4].kind = MR_COPULA_IDENTIFIER;
    condition = range(4, 0, 1);
    assert_true(refused(&condition, 1, "it is an identifier, which is made anew"));
    fixture.model.columns[4].kind = MR_COPULA_NUMBER;
    /* Ends of the columns that never come together. */
    struct mr_copula_condition apart[] = {range(0, 30, (double)INFINITY), range(1, -1000, -2),
                                          range(4, -100, -3.2)};
    assert_true(refused(apart, 3, "impossible together"));
}

static int open_fixture(void **state)
{
    MR_UNUSED(state);
    copula_rows_make(&rows, 20000, 15, 0);
    for (uint32_t row = 0; row < rows.count; row++) {
        struct mr_value *cells = rows.cells + (size_t)row * COPULA_ROWS_COLUMNS;
        if (cells[0].number > 10.2)
            cells[2] = mr_value_string(mr_slice_text("one percent"));
    }
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
        cmocka_unit_test(dates),
        cmocka_unit_test(one_number_of_many),
        cmocka_unit_test(sets_of_numbers),
        cmocka_unit_test(several_numbers_of_many),
        cmocka_unit_test(two_sets_of_points),
        cmocka_unit_test(impossible_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
