/* tests/unit/operators/test_spc_np.c — numbers of bad items, beside a published chart. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

/* Cans of frozen orange juice of 50 that leak: 30 samples, and 24 after a change of the machine
 * (Montgomery, Introduction to Statistical Quality Control, chapter 7). */
static const int leaking[] = {12, 15, 8,  10, 4,  7,  16, 9,  14, 10, 5, 6, 17, 12, 22, 8, 10, 5,
                              13, 11, 20, 18, 24, 15, 9,  12, 7,  13, 9, 6, 9,  6,  12, 5, 6,  4,
                              6,  3,  7,  6,  2,  4,  3,  6,  5,  4,  8, 5, 6,  7,  5,  6, 3,  5};

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: spc.np, from: in, key: [k], field: value%s}\n", options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static double member(const struct harness *harness, const char *name)
{
    return harness_member(harness, name).number;
}

static bool is_near(double found, double expected, double tolerance)
{
    return fabs(found - expected) <= tolerance;
}

static void feed(struct harness *harness, double count, double size)
{
    static int64_t offset;
    struct harness_row row = harness_row(++offset, "a", mr_value_double(count));
    row.cells[2] = (struct harness_cell){"units", mr_value_double(size)};
    harness_feed(harness, 0, &row, 1);
}

/* 2.62 to 20.51 around 11.567, as published. */
static void the_orange_juice(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", sample_size: 50, phase1: {subgroups: 30, exclude: none}");
    for (int index = 0; index < 54; index++) {
        feed(&harness, leaking[index], 0);
        assert_true(member(&harness, "value") == leaking[index]);
    }
    assert_true(is_near(member(&harness, "center"), 347.0 / 30, 1e-12));
    assert_true(is_near(member(&harness, "lower"), 2.62, 5e-3));
    assert_true(is_near(member(&harness, "upper"), 20.51, 5e-3));
    feed(&harness, 20, 0);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, 21, 0);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_non_null(strstr(harness_output(&harness, 1), "the number of value is 21, above"));
    harness_close(&harness);
}

/* Values are the counts, though 1 / 49 * 49 is none; lines are those of the sample's size. */
static void sizes_that_differ(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", size: units, phase1: {subgroups: 100, exclude: none}");
    for (int size = 1; size <= 100; size++) {
        feed(&harness, size / 3 + 1, size);
        assert_true(member(&harness, "value") == size / 3 + 1);
    }
    feed(&harness, 999999999999999, 1e15);
    assert_true(member(&harness, "value") == 999999999999999);
    double bad = 0;
    for (int size = 1; size <= 100; size++)
        bad += size / 3 + 1;
    double p = bad / 5050;
    feed(&harness, 60, 75);
    assert_true(is_near(member(&harness, "center"), 75 * p, 1e-9));
    assert_true(is_near(member(&harness, "upper"), 75 * p + 3 * sqrt(75 * p * (1 - p)), 1e-9));
    assert_true(is_near(member(&harness, "lower"), 75 * p - 3 * sqrt(75 * p * (1 - p)), 1e-9));
    feed(&harness, 2, 2);
    assert_true(member(&harness, "upper") == 2 && member(&harness, "lower") == 0);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    harness_close(&harness);
}

static void given_limits(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", sample_size: 50, limits: {cl: 10}");
    feed(&harness, 10, 0);
    assert_true(is_near(member(&harness, "center"), 10, 1e-12));
    assert_true(is_near(member(&harness, "upper"), 10 + 3 * sqrt(8), 1e-12));
    harness_close(&harness);
    open(&harness, ", sample_size: 50, limits: {cl: 10, lcl: 4, ucl: 13}");
    feed(&harness, 12, 0);
    assert_true(member(&harness, "score") == 2 && member(&harness, "center") == 10);
    feed(&harness, 14, 0);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, 3, 0);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    harness_close(&harness);
}

static void refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text),
             "    - {name: op, type: spc.np, from: in, key: [k], field: value, %s}\n", options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    if (strstr(findings, sentence) == NULL)
        fail_msg("%s: found instead: %s", options, findings);
    mr_arena_deinit(&arena);
}

static void limits_that_cannot_be(void **state)
{
    MR_UNUSED(state);
    refused("size: units, limits: {cl: 5}", "of samples of one size: say `sample_size`");
    refused("sample_size: 50, limits: {cl: 51}", "at most `sample_size` (50)");
    refused("sample_size: 50, limits: {cl: 5, lcl: 1, ucl: 51}", "at most `sample_size` (50)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_orange_juice),
        cmocka_unit_test(sizes_that_differ),
        cmocka_unit_test(given_limits),
        cmocka_unit_test(limits_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
