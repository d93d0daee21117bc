/* tests/unit/operators/test_spc_cusum.c — cumulative sums beside a published vector, and their run
 * lengths beside a Markov chain (tests/support/control_reference.py run-lengths). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/control_chart.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: spc.cusum, from: in, key: [k], field: value, %s}\n", options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static void feed(struct harness *harness, double value)
{
    static int64_t offset;
    struct harness_row row = harness_row(++offset, "a", mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
}

static double member(const struct harness *harness, const char *name)
{
    return harness_member(harness, name).number;
}

/* Mean number of points until one is beyond the limits, of a process that is off by shift sigma. */
static double run_length(const struct mr_chart_rule_book *book, double shift, uint32_t runs)
{
    const struct mr_chart_baseline baseline = {.sigma = 1};
    struct mr_random random;
    uint64_t points = 0;
    mr_random_init(&random, 20, 1);
    for (uint32_t run = 0; run < runs; run++) {
        double statistics[MR_CHART_STATISTICS] = {0};
        struct mr_chart_point point = {0};
        for (uint32_t step = 0; !point.beyond; step++) {
            struct mr_chart_measure measure = {.location = shift + mr_random_normal(&random),
                                               .weight = 1};
            book->kind->judge(book, &baseline, &measure, step == 0, statistics, &point);
            points++;
        }
    }
    return (double)points / runs;
}

static bool is_near(double found, double expected)
{
    if (fabs(found / expected - 1) < 0.02)
        return true;
    print_error("the mean run length is %g, not %g\n", found, expected);
    return false;
}

/* The vector that the R package qcc publishes. */
static void the_sums(void **state)
{
    MR_UNUSED(state);
    static const double values[] = {1.5, .5, .6, -1.5, -.5, -.8};
    static const double high[] = {1, 1, 1.1, 0, 0, 0};
    static const double low[] = {0, 0, 0, -1, -1, -1.3};
    struct harness harness;
    open(&harness, "k: 0.5, h: 1, limits: {cl: 0, sigma: 1}");
    for (int index = 0; index < 6; index++) {
        feed(&harness, values[index]);
        assert_true(fabs(member(&harness, "high") - high[index]) < 1e-12);
        assert_true(fabs(member(&harness, "low") - low[index]) < 1e-12);
        /* A sum on the limit is not beyond it. */
        assert_int_equal(harness_member(&harness, "is_anomaly").boolean, index == 2 || index == 5);
        harness_commit(&harness);
        harness_restore(&harness);
    }
    assert_true(fabs(member(&harness, "value") + 1.3) < 1e-12);
    assert_true(member(&harness, "lower") == -1 && member(&harness, "center") == 0);
    harness_close(&harness);
}

static void a_head_start_and_a_new_one(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "k: 0.5, h: 4, head: 0.5, restart: true, limits: {cl: 10, sigma: 2}");
    feed(&harness, 12);
    assert_true(member(&harness, "high") == 2.5 && member(&harness, "low") == -0.5);
    feed(&harness, 16);
    assert_true(member(&harness, "high") == 5);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, 10);
    assert_true(member(&harness, "high") == 1.5 && member(&harness, "low") == -1.5);
    harness_close(&harness);
}

static void a_process_without_variation(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "phase1: {subgroups: 5}");
    for (int round = 0; round < 10; round++)
        feed(&harness, 3);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    for (int round = 0; round < 5; round++)
        feed(&harness, round % 2 == 0 ? 1e140 : -1e140);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_true(isfinite(member(&harness, "high")) && isfinite(member(&harness, "low")));
    harness_close(&harness);
}

static void run_lengths(void **state)
{
    MR_UNUSED(state);
    struct mr_chart_rule_book book = {
        .kind = &mr_chart_kind_cusum, .sigmas = 5, .parameters = {0.5, 5, 0, 0}};
    assert_true(is_near(run_length(&book, 0, 20000), 465.443));
    assert_true(is_near(run_length(&book, 1, 200000), 10.376));
    assert_true(is_near(run_length(&book, 2, 200000), 4.009));
    book.parameters[2] = 0.5;
    assert_true(is_near(run_length(&book, 0, 20000), 430.390));
    assert_true(is_near(run_length(&book, 1, 200000), 6.347));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sums),
        cmocka_unit_test(a_head_start_and_a_new_one),
        cmocka_unit_test(a_process_without_variation),
        cmocka_unit_test(run_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
