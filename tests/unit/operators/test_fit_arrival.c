/* tests/unit/operators/test_fit_arrival.c — arrivals that generate.timeseries makes are told by
 * their kind and rate. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/fit_arrival.h"

enum { COUNT = 4096, STEP_MS = 250 };

static const struct mr_generator generator = {.partitions_count = 1,
                                              .end_position = INT64_MAX,
                                              .start_ms = 1700000000000,
                                              .step_ms = STEP_MS};
static int64_t times_ms[COUNT];

static void kinds_and_rates_are_found(void **state)
{
    MR_UNUSED(state);
    static const double variations[] = {0, 0.40825, 1};
    for (int kind = 0; mr_arrival_kinds[kind] != NULL; kind++) {
        struct mr_arrival arrival;
        struct mr_fit_arrival found;
        mr_arrival_init(&arrival, &generator, (enum mr_arrival_kind)kind, 7);
        for (int64_t position = 0; position < COUNT; position++)
            times_ms[position] = mr_arrival_time_ms(&arrival, position);
        mr_fit_arrival(times_ms, COUNT, &found);
        assert_int_equal(found.kind, kind);
        assert_int_equal(found.gaps, COUNT - 1);
        assert_true(fabs(found.rate - 4) < 0.01);
        assert_true(fabs(found.variation - variations[kind]) < 0.03);
    }
}

static void milliseconds_do_not_make_regular_ones_random(void **state)
{
    MR_UNUSED(state);
    static const double rates[] = {300, 700, 3000};
    for (size_t at = 0; at < MR_ARRAY_COUNT(rates); at++)
        for (int kind = MR_ARRIVAL_REGULAR; kind <= MR_ARRIVAL_POISSON; kind++) {
            struct mr_generator fast = {.partitions_count = 1,
                                        .end_position = INT64_MAX,
                                        .start_ms = 1700000000000,
                                        .rate = rates[at]};
            struct mr_arrival arrival;
            struct mr_fit_arrival found;
            mr_arrival_init(&arrival, &fast, (enum mr_arrival_kind)kind, 3);
            for (int64_t position = 0; position < COUNT; position++)
                times_ms[position] = mr_arrival_time_ms(&arrival, position);
            mr_fit_arrival(times_ms, COUNT, &found);
            assert_int_equal(found.kind == MR_ARRIVAL_POISSON, kind == MR_ARRIVAL_POISSON);
            assert_true(fabs(found.rate / rates[at] - 1) < 0.01);
            assert_true(kind != MR_ARRIVAL_POISSON || fabs(found.variation - 1) < 0.15);
        }
}

static void bursts_are_more_than_poisson(void **state)
{
    MR_UNUSED(state);
    struct mr_fit_arrival found;
    for (int at = 0; at < COUNT; at++)
        times_ms[at] = at / 64 * 64000;
    mr_fit_arrival(times_ms, COUNT, &found);
    assert_int_equal(found.kind, MR_ARRIVAL_POISSON);
    assert_true(found.variation > 7 && found.variation < 9);
}

static void little_is_nothing(void **state)
{
    MR_UNUSED(state);
    static const int64_t same[] = {5, 5, 5};
    static const int64_t ends[] = {INT64_MIN + 1, INT64_MAX};
    struct mr_fit_arrival found;
    mr_fit_arrival(same, 0, &found);
    assert_int_equal(found.gaps, 0);
    mr_fit_arrival(same, 1, &found);
    assert_int_equal(found.gaps, 0);
    mr_fit_arrival(same, 3, &found);
    assert_int_equal(found.gaps, 2);
    assert_true(found.rate == 0 && found.variation == 0);
    mr_fit_arrival(ends, 2, &found);
    assert_true(found.rate > 0 && found.variation == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_and_rates_are_found),
        cmocka_unit_test(milliseconds_do_not_make_regular_ones_random),
        cmocka_unit_test(bursts_are_more_than_poisson),
        cmocka_unit_test(little_is_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
