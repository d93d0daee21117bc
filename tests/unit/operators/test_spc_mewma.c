/* tests/unit/operators/test_spc_mewma.c — the multivariate EWMA by hand, and its run length by
 * simulation of the kind's own code (tools/run_lengths.c does that with more runs). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/chart_vector.h"
#include "operators/mewma_limit.h"
#include "tests/support/operator_harness.h"

static int64_t offset;

static void feed(struct harness *harness, double value, double second, double third)
{
    struct harness_row row = {.offset = ++offset,
                              .event_time_ms = 1000 * offset,
                              .cells = {{"k", mr_value_string(mr_slice_text("a"))},
                                        {"value", mr_value_double(value)},
                                        {"second", mr_value_double(second)},
                                        {"third", mr_value_double(third)}}};
    harness_feed(harness, 0, &row, 1);
}

static void open(struct harness *harness, const char *options)
{
    char text[512];
    offset = 0;
    snprintf(text, sizeof(text), "    - {name: op, type: spc.mewma, from: in, key: [k], %s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static const char known[] = "fields: [value, second], lambda: 0.25, run_length: 200, "
                            "limits: {values: [{cl: 5, sigma: 2}, {cl: 0, sigma: 1}]}";

/* T2 = (2 - lambda) / lambda |z|^2, over restarts. */
static void by_hand(void **state)
{
    MR_UNUSED(state);
    static const double values[][2] = {{7, 0.5}, {3, 1}, {9, -2}, {5, 0}, {11, 3}, {11, 3}};
    struct harness harness;
    double first = 0;
    double second = 0;
    open(&harness, known);
    for (size_t row = 0; row < MR_ARRAY_COUNT(values); row++) {
        feed(&harness, values[row][0], values[row][1], 0);
        first = 0.25 * (values[row][0] - 5) / 2 + 0.75 * first;
        second = 0.25 * values[row][1] + 0.75 * second;
        double value = 7 * (first * first + second * second);
        assert_true(fabs(harness_member(&harness, "value").number - value) < 1e-12);
        assert_int_equal(harness_member(&harness, "is_anomaly").boolean,
                         value > harness_member(&harness, "upper").number);
        struct mr_value contributions = harness_member(&harness, "contributions");
        assert_true(fabs(contributions.entries[0].value.number - 7 * first * first) < 1e-12);
        harness_commit(&harness);
        harness_restore(&harness);
    }
    assert_true(fabs(harness_member(&harness, "upper").number - mr_mewma_limit(2, 0.25, 200)) == 0);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_int_equal(harness.emitted_count[1], 1);
    harness_close(&harness);
}

/* 20,000 runs of a process in control: within 2 % of what was asked for. */
static void run_length(void **state)
{
    MR_UNUSED(state);
    enum { RUNS = 20000, FIELDS = 2 };
    double scratch[(FIELDS + 2) * (FIELDS + 2)];
    double moments[5];
    double given[5] = {0, 0, 1, 0, 1};
    double contributions[FIELDS];
    struct mr_vector_chart vector = {.chart = {.fields_count = FIELDS},
                                     .lambda = 0.1,
                                     .limit = mr_mewma_limit(FIELDS, 0.1, 50),
                                     .scratch = scratch,
                                     .moments = moments,
                                     .given = given,
                                     .contributions = contributions};
    struct mr_random random;
    uint64_t points = 0;
    vector.chart.book.kind = &mr_chart_kind_mewma;
    mr_random_init(&random, 11, 1);
    for (int run = 0; run < RUNS; run++) {
        double baseline[MR_VECTOR_HEAD + 5 + FIELDS] = {0};
        double values[FIELDS];
        struct mr_chart_point point = {0};
        const struct mr_chart_numbered sample = {{.count = 1}, values};
        for (mr_chart_kind_mewma.numbers->begin(&vector.chart, baseline); !point.beyond; points++) {
            values[0] = mr_random_normal(&random);
            values[1] = mr_random_normal(&random);
            mr_chart_kind_mewma.numbers->judge(&vector.chart, &sample, baseline, &point);
        }
    }
    if (fabs((double)points / RUNS / 50 - 1) > 0.02)
        fail_msg("the mean run length is %g, not 50", (double)points / RUNS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by_hand),
        cmocka_unit_test(run_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
