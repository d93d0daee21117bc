/* tests/unit/operators/test_spc_xbar_t2.c — T2 of subgroups: sizes, windows, the covariance within.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
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
    snprintf(text, sizeof(text), "    - {name: op, type: spc.xbar_t2, from: in, key: [k], %s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static double number(const struct harness *harness, const char *name)
{
    return harness_field(harness, 0, name).number;
}

/* Known limits: T2 is n times that of the mean. A subgroup of one record makes no point. */
static void sizes_may_differ(void **state)
{
    MR_UNUSED(state);
    static const int sizes[] = {4, 2, 1, 3};
    struct harness harness;
    open(&harness, "fields: [value, second], subgroup: {field: third}, "
                   "limits: {values: [{cl: 0, sigma: 1}, {cl: 0, sigma: 2}]}");
    for (int group = 0; group < 4; group++)
        for (int index = 0; index < sizes[group]; index++) {
            feed(&harness, 1, 2, group);
            if (index > 0 || group == 0)
                continue;
            int size = sizes[group - 1];
            assert_int_equal(harness_field(&harness, 0, "size").integer, size);
            assert_text(harness_field(&harness, 0, "state"), size == 1 ? "starved" : "armed");
            if (size > 1)
                assert_true(fabs(number(&harness, "value") - 2 * size) < 1e-12);
            else
                assert_int_equal(harness_field(&harness, 0, "value").kind, MR_KIND_NULL);
            assert_int_equal(harness_field(&harness, 0, "contributions").size, size == 1 ? 0 : 2);
        }
    assert_int_equal(harness.emitted_count[0], 3);
    harness_close(&harness);
}

/* What moves from subgroup to subgroup is not in the covariance. Over restarts, with a subgroup
 * open. */
static void the_covariance_is_that_within(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "fields: [value, second], subgroup: {count: 4}, phase1: {subgroups: 6, "
                   "exclude: none}");
    for (int round = 0; round < 28; round++) {
        int place = round % 4;
        double level = round < 24 ? (round / 4 % 2) * 10 : 5;
        feed(&harness, level + (place < 2 ? -1 : 1), place % 2 == 0 ? -3 : 3, 0);
        harness_commit(&harness);
        harness_restore(&harness);
    }
    assert_text(harness_field(&harness, 0, "state"), "armed");
    assert_true(number(&harness, "value") < 1e-20); /* in the middle of all */
    /* Within: variances 4/3 and 12, no covariance. */
    for (int place = 0; place < 4; place++)
        feed(&harness, 7, 0, 0);
    assert_true(fabs(number(&harness, "value") - 4 * 4 / (4.0 / 3)) < 1e-9);
    assert_true(fabs(number(&harness, "upper") - 21.112574575820137) < 1e-9);
    assert_int_equal(harness_field(&harness, 0, "point").integer, 8);
    harness_close(&harness);
}

static void windows(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "fields: [value, second], subgroup: {window: 3s}, "
                   "limits: {values: [{cl: 0, sigma: 1}, {cl: 0, sigma: 1}]}");
    for (int round = 0; round < 8; round++) /* at 1 s to 8 s */
        feed(&harness, round, -round, 0);
    harness_commit(&harness);
    harness_restore(&harness);
    assert_int_equal(harness.emitted_count[0], 0);
    harness_watermark(&harness, 6000);
    assert_int_equal(harness.emitted_count[0], 2);
    assert_int_equal(harness_field(&harness, 0, "window_start").integer, 3000);
    assert_true(fabs(number(&harness, "value") - 3 * 2 * 9) < 1e-12); /* means of 2, 3, 4 */
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_may_differ),
        cmocka_unit_test(the_covariance_is_that_within),
        cmocka_unit_test(windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
