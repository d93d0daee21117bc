/* tests/unit/operators/test_arrival.c — event times: regular, with jitter, of a Poisson process. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/arrival.h"

enum { POSITIONS = 50 * MR_ARRIVAL_BLOCK, STEP_MS = 1000, PARTITIONS = 3 };

static const struct mr_generator generator = {.partition = 1,
                                              .partitions_count = PARTITIONS,
                                              .end_position = INT64_MAX,
                                              .start_ms = 1700000000000,
                                              .step_ms = STEP_MS};

static int64_t regular_ms(int64_t position)
{
    return generator.start_ms + (position * PARTITIONS + 1) * STEP_MS;
}

static void times_never_go_back(void **state)
{
    MR_UNUSED(state);
    for (int kind = 0; mr_arrival_kinds[kind] != NULL; kind++) {
        struct mr_arrival arrival;
        mr_arrival_init(&arrival, &generator, (enum mr_arrival_kind)kind, 4);
        int64_t before_ms = INT64_MIN;
        for (int64_t position = 0; position < POSITIONS; position++) {
            int64_t time_ms = mr_arrival_time_ms(&arrival, position);
            assert_true(time_ms >= before_ms);
            before_ms = time_ms;
            int64_t off_ms = time_ms - regular_ms(position);
            if (kind == MR_ARRIVAL_REGULAR)
                assert_int_equal(off_ms, 0);
            if (kind == MR_ARRIVAL_JITTER)
                assert_in_range(off_ms, 0, PARTITIONS * STEP_MS - 1);
        }
        assert_true(before_ms - regular_ms(POSITIONS) < 0);
    }
}

/* Gaps of a Poisson process: standard deviation = mean, and e^-1 of them longer than the mean. */
static void gaps_are_those_of_a_poisson_process(void **state)
{
    MR_UNUSED(state);
    struct mr_arrival arrival;
    mr_arrival_init(&arrival, &generator, MR_ARRIVAL_POISSON, 4);
    double squares = 0;
    uint32_t longer = 0;
    const double mean_ms = PARTITIONS * STEP_MS;
    for (int64_t position = 1; position < POSITIONS; position++) {
        double gap_ms = (double)(mr_arrival_time_ms(&arrival, position) -
                                 mr_arrival_time_ms(&arrival, position - 1));
        squares += (gap_ms - mean_ms) * (gap_ms - mean_ms);
        longer += gap_ms > mean_ms;
    }
    assert_true(fabs(sqrt(squares / POSITIONS) / mean_ms - 1) < 0.02);
    assert_true(fabs((double)longer / POSITIONS - exp(-1)) < 5 * 0.5 / sqrt(POSITIONS));
}

static void who_asks_first_does_not_matter(void **state)
{
    MR_UNUSED(state);
    for (int kind = 0; mr_arrival_kinds[kind] != NULL; kind++) {
        struct mr_arrival forward;
        struct mr_arrival anyhow;
        struct mr_random random;
        static int64_t times_ms[5 * MR_ARRIVAL_BLOCK];
        mr_arrival_init(&forward, &generator, (enum mr_arrival_kind)kind, 4);
        mr_arrival_init(&anyhow, &generator, (enum mr_arrival_kind)kind, 4);
        for (int64_t position = 0; position < 5 * MR_ARRIVAL_BLOCK; position++)
            times_ms[position] = mr_arrival_time_ms(&forward, position);
        mr_random_init(&random, 1, 1);
        for (int index = 0; index < 300; index++) {
            int64_t position = (int64_t)mr_random_below(&random, 5 * MR_ARRIVAL_BLOCK);
            assert_int_equal(mr_arrival_time_ms(&anyhow, position), times_ms[position]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_never_go_back),
        cmocka_unit_test(gaps_are_those_of_a_poisson_process),
        cmocka_unit_test(who_asks_first_does_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
