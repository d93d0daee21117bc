/* tests/unit/operators/test_quality_unit.c — tallies beside sums over all records, verdicts at
 * their bounds, sentences. */
#include "operators/quality_unit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"

enum { ROWS = 200 };

static struct mr_arena arena;
static struct mr_batch batch;
static struct mr_quality_findings findings;
static uint32_t counted[ROWS];
static uint32_t violated[ROWS];
static struct mr_quality_checks checks;
static struct mr_quality_unit *unit;

static void begin(void)
{
    const struct mr_batch_shape shape = {.slots_count = 1};
    mr_arena_init(&arena, 1 << 14);
    mr_batch_init(&batch, &arena, shape, ROWS);
    memset(counted, 0, sizeof(counted));
    memset(violated, 0, sizeof(violated));
    findings = (struct mr_quality_findings){.counted = counted, .violated = violated};
    checks = (struct mr_quality_checks){0};
    unit = mr_arena_new(&arena, 1, mr_quality_unit_size(MR_QUALITY_CHECKS_MAX));
}

static void end(void)
{
    mr_arena_deinit(&arena);
}

static struct mr_quality_check *add_check(enum mr_quality_expect expect, double minimum,
                                          double maximum)
{
    struct mr_quality_check *check = &checks.items[checks.count++];
    *check = (struct mr_quality_check){.name = "c",
                                       .expect = expect,
                                       .field = "value",
                                       .minimum = minimum,
                                       .maximum = maximum,
                                       .mostly = 1,
                                       .bounds = "from 1 to 2"};
    return check;
}

static void add_row(uint32_t row, double number, int64_t time_ms)
{
    mr_batch_column(&batch, 0)[row] = mr_value_double(number);
    batch.event_times_ms[row] = time_ms;
    mr_quality_unit_add(unit, &checks, &findings, &batch, row, 0);
}

static double observed(uint32_t index)
{
    double number;
    assert_true(mr_quality_unit_observed(unit, index, &checks.items[index], &number));
    return number;
}

static void tallies_are_those_of_two_passes(void **state)
{
    MR_UNUSED(state);
    struct mr_random random;
    double values[ROWS];
    double sum = 0;
    double squares = 0;
    begin();
    for (uint32_t expect = MR_EXPECT_ROW_COUNT; expect < MR_EXPECTS_COUNT; expect++)
        add_check((enum mr_quality_expect)expect, -INFINITY, INFINITY);
    mr_random_init(&random, 11, 0);
    for (uint32_t row = 0; row < ROWS; row++) {
        counted[row] = UINT32_MAX;
        values[row] = 1e6 + mr_random_normal(&random);
        sum += values[row];
        add_row(row, values[row], 1000 - (int64_t)row);
    }
    double least = values[0];
    double greatest = values[0];
    for (uint32_t row = 0; row < ROWS; row++) {
        squares += (values[row] - sum / ROWS) * (values[row] - sum / ROWS);
        least = values[row] < least ? values[row] : least;
        greatest = values[row] > greatest ? values[row] : greatest;
    }
    assert_true(observed(0) == ROWS);
    assert_true(fabs(observed(1) - sum / ROWS) < 1e-8);
    assert_true(fabs(observed(2) - sqrt(squares / (ROWS - 1))) < 1e-8);
    assert_true(observed(3) == least);
    assert_true(observed(4) == greatest);
    assert_int_equal(unit->first_ms, 1000 - (ROWS - 1));
    assert_int_equal(unit->last_ms, 1000);
    end();
}

static void nothing_to_compare_satisfies(void **state)
{
    MR_UNUSED(state);
    double number;
    begin();
    add_check(MR_EXPECT_MEAN, 1, 2);
    add_check(MR_EXPECT_STDEV, 1, 2);
    add_check(MR_EXPECT_BETWEEN, 1, 2);
    add_check(MR_EXPECT_ROW_COUNT, 1, 2);
    assert_false(mr_quality_unit_observed(unit, 0, &checks.items[0], &number));
    assert_int_equal(mr_quality_unit_judge(unit, &checks), 1u << 3);
    counted[0] = 3;
    add_row(0, 5e139, 0);
    assert_int_equal(mr_quality_unit_judge(unit, &checks), 1u << 0);
    assert_false(mr_quality_unit_observed(unit, 1, &checks.items[1], &number));
    end();
}

static void a_share_at_its_bound_satisfies(void **state)
{
    MR_UNUSED(state);
    for (uint32_t satisfied = 0; satisfied <= 100; satisfied++) {
        begin();
        add_check(MR_EXPECT_BETWEEN, 1, 2)->mostly = satisfied / 100.0;
        for (uint32_t row = 0; row < 100; row++) {
            counted[row] = 1;
            violated[row] = row >= satisfied;
            add_row(row, 1, 0);
        }
        assert_int_equal(mr_quality_unit_judge(unit, &checks), 0);
        violated[0] = 1; /* one more that does not */
        add_row(0, 1, 0);
        assert_int_equal(mr_quality_unit_judge(unit, &checks), satisfied > 0);
        end();
    }
}

static void the_first_offenders_are_remembered(void **state)
{
    MR_UNUSED(state);
    begin();
    add_check(MR_EXPECT_BETWEEN, 1, 2);
    for (uint32_t row = 0; row < 40; row++) {
        counted[row] = row % 5 != 4;
        violated[row] = row % 2;
        add_row(row, 1, 0);
    }
    const struct mr_quality_tally *tally = &unit->tallies[0];
    const uint32_t expected[MR_QUALITY_OFFENDERS_MAX] = {1, 3, 5, 7, 11, 13, 15, 17};
    assert_int_equal(tally->counted, 32);
    assert_int_equal(tally->violated, 16);
    assert_memory_equal(tally->offenders, expected, sizeof(expected));
    assert_string_equal(mr_quality_unit_why(unit, 0, &checks.items[0], &arena),
                        "16 of 32 records violate it");
    checks.items[0].mostly = 0.75;
    assert_string_equal(mr_quality_unit_why(unit, 0, &checks.items[0], &arena),
                        "16 of 32 records violate it: 0.5 satisfy it, where a share of 0.75 is "
                        "asked");
    end();
}

static void what_is_no_number_fails_a_mean(void **state)
{
    MR_UNUSED(state);
    begin();
    add_check(MR_EXPECT_MEAN, 1, 2);
    for (uint32_t row = 0; row < 4; row++) {
        counted[row] = 1;
        violated[row] = row == 2;
        add_row(row, row == 2 ? 1e200 : 1.5, 0);
    }
    assert_int_equal(mr_quality_unit_judge(unit, &checks), 1);
    assert_true(observed(0) == 1.5);
    assert_string_equal(mr_quality_unit_why(unit, 0, &checks.items[0], &arena),
                        "value is no number to compute with in 1 of 4 records");
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tallies_are_those_of_two_passes),
        cmocka_unit_test(nothing_to_compare_satisfies),
        cmocka_unit_test(a_share_at_its_bound_satisfies),
        cmocka_unit_test(the_first_offenders_are_remembered),
        cmocka_unit_test(what_is_no_number_fails_a_mean),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
