/* tests/unit/operators/test_spc_ewma.c — the moving average beside published values, and its run
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
             "    - {name: op, type: spc.ewma, from: in, key: [k], field: value, %s}\n", options);
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

/* NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.4; printed to two decimals. */
static void the_example_of_nist(void **state)
{
    MR_UNUSED(state);
    static const double values[] = {52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5,
                                    49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1};
    static const double averages[] = {50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75,
                                      49.85, 50.26, 50.33, 50.11, 49.36, 49.52, 50.05,
                                      49.38, 49.92, 50.73, 51.23, 51.94, 51.99};
    struct harness harness;
    open(&harness, "lambda: 0.3, steady: true, limits: {cl: 50, sigma: 2.0539}");
    double average = 50;
    for (size_t index = 0; index < MR_ARRAY_COUNT(values); index++) {
        feed(&harness, values[index]);
        average = 0.3 * values[index] + 0.7 * average;
        assert_true(fabs(member(&harness, "value") - average) < 1e-12);
        assert_true(fabs(member(&harness, "value") - averages[index]) < 0.0051);
        assert_false(harness_member(&harness, "is_anomaly").boolean);
    }
    assert_true(fabs(member(&harness, "upper") - 52.5884) < 1e-4);
    assert_true(fabs(member(&harness, "lower") - 47.4115) < 2e-4);
    assert_int_equal(harness.emitted_count[1], 0);
    harness_close(&harness);
}

/* The vector that the R package qcc publishes: standard errors 1, sqrt(1.25), sqrt(1.3125). */
static void limits_widen_at_first(void **state)
{
    MR_UNUSED(state);
    static const double values[] = {11, 13, 12};
    static const double averages[] = {10.5, 11.75, 11.875};
    static const double squares[] = {1, 1.25, 1.3125};
    struct harness harness;
    open(&harness, "lambda: 0.5, limits: {cl: 10, sigma: 2}");
    for (int index = 0; index < 3; index++) {
        feed(&harness, values[index]);
        assert_true(fabs(member(&harness, "value") - averages[index]) < 1e-12);
        assert_true(fabs(member(&harness, "upper") - 10 - 3 * sqrt(squares[index])) < 1e-12);
        harness_commit(&harness);
        harness_restore(&harness);
    }
    feed(&harness, 20);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_text(harness_member(&harness, "rules").items[0].entries[0].value, "limits");
    harness_close(&harness);
}

static void phase_one_by_moving_ranges(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "phase1: {subgroups: 20}, lambda: 1");
    for (int round = 0; round < 20; round++) {
        feed(&harness, round == 7 ? 1000 : 10 + round % 2);
        assert_text(harness_member(&harness, "state"), "learning");
        assert_int_equal(harness_member(&harness, "value").kind, MR_KIND_NULL);
    }
    feed(&harness, 11);
    /* 1000 is left out with its moving range; the one behind it, of a point within, stays. */
    assert_true(fabs(member(&harness, "center") - 199.0 / 19) < 0.05);
    assert_true(member(&harness, "value") == 11);
    harness_close(&harness);
}

static void run_lengths(void **state)
{
    MR_UNUSED(state);
    struct mr_chart_rule_book book = {
        .kind = &mr_chart_kind_ewma, .sigmas = 3, .parameters = {0.2, 1}};
    assert_true(is_near(run_length(&book, 0, 20000), 559.871));
    assert_true(is_near(run_length(&book, 0.5, 50000), 44.127));
    assert_true(is_near(run_length(&book, 1, 200000), 10.836));
    assert_true(is_near(run_length(&book, 2, 200000), 3.801));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_example_of_nist),
        cmocka_unit_test(limits_widen_at_first),
        cmocka_unit_test(phase_one_by_moving_ranges),
        cmocka_unit_test(run_lengths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
