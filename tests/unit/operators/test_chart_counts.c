/* tests/unit/operators/test_chart_counts.c — counts and sizes that are none, empty samples, options
 * that exclude each other. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *type, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: %s, from: in, key: [k], field: value, %s}\n", type, options);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    harness->keeps_last = true;
}

static int64_t clock_ms = 1000;

static void feed(struct harness *harness, struct mr_value count, struct mr_value size)
{
    struct harness_row row = harness_row(++clock_ms, "a", count);
    row.cells[2] = (struct harness_cell){"units", size};
    harness_feed(harness, 0, &row, 1);
}

static void feed_numbers(struct harness *harness, double count, double size)
{
    feed(harness, mr_value_double(count), mr_value_double(size));
}

/* So many rows were reported, one with this sentence, and none came out. */
static void reported(struct harness *harness, uint64_t errors, const char *sentence)
{
    assert_int_equal(harness->errors_count, errors);
    assert_int_equal(harness->emitted_count[0], 0);
    if (strstr(harness_errors(harness), sentence) == NULL)
        fail_msg("no '%s' in: %s", sentence, harness_errors(harness));
}

static void counts_that_are_none(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "spc.p", "size: units");
    feed_numbers(&harness, -1, 10);
    reported(&harness, 1, "field value is -1, no count: a whole number from 0 to 1e15");
    feed_numbers(&harness, 2.5, 10);
    reported(&harness, 2, "field value is 2.5, no count");
    feed_numbers(&harness, 5e-324, 10);
    feed_numbers(&harness, 2e15, 1e15);
    reported(&harness, 4, "field value is 2e+15, no count");
    feed_numbers(&harness, 11, 10);
    reported(&harness, 5, "field value is 11, more than a sample of size 10 can have");
    feed_numbers(&harness, (double)NAN, 10);
    feed_numbers(&harness, (double)INFINITY, 10);
    feed(&harness, mr_value_string(mr_slice_text("3")), mr_value_int(10));
    feed(&harness, (struct mr_value){.kind = MR_KIND_ABSENT}, mr_value_int(10));
    reported(&harness, 9, "field value is missing");
    feed_numbers(&harness, 10, 10);
    assert_int_equal(harness_member(&harness, "point").integer, 1);
    harness_close(&harness);
}

static void sizes_that_are_none(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "spc.p", "size: units");
    feed_numbers(&harness, 1, 10.5);
    reported(&harness, 1,
             "field units is 10.5, no size of a sample: a whole number from 0 to 1e15");
    feed_numbers(&harness, 1, -10);
    feed_numbers(&harness, 1, 1e300);
    feed_numbers(&harness, 0, 5e-324);
    feed_numbers(&harness, 0, (double)NAN);
    feed_numbers(&harness, 0, (double)INFINITY);
    feed(&harness, mr_value_int(1), mr_value_string(mr_slice_text("ten")));
    reported(&harness, 7, "field units is string, no size of a sample");
    feed(&harness, mr_value_int(1), (struct mr_value){.kind = MR_KIND_ABSENT});
    reported(&harness, 8, "field units is missing");
    feed(&harness, mr_value_int(1), mr_value_error(mr_slice_text("not a double at byte 7")));
    reported(&harness, 9, "field units: not a double at byte 7");
    harness_close(&harness);
    open(&harness, "spc.u", "size: units");
    feed_numbers(&harness, 1, 1e-10);
    reported(&harness, 1, "no size of a sample: 0 or a number from 1e-9 to 1e15");
    feed_numbers(&harness, 1, 0);
    reported(&harness, 2, "field value is 1, more than a sample of size 0 can have");
    feed_numbers(&harness, 1, 0.5);
    assert_true(harness_member(&harness, "value").number == 2);
    harness_close(&harness);
}

/* Nothing was looked at: no point, and neither runs nor phase 1 see it. */
static void empty_samples(void **state)
{
    MR_UNUSED(state);
    static const char *const types[] = {"spc.p", "spc.np", "spc.u"};
    for (size_t index = 0; index < MR_ARRAY_COUNT(types); index++) {
        struct harness harness;
        open(&harness, types[index], "size: units, phase1: {subgroups: 2}");
        feed_numbers(&harness, 0, 0);
        assert_text(harness_member(&harness, "state"), "starved");
        assert_int_equal(harness_member(&harness, "point").kind, MR_KIND_NULL);
        assert_int_equal(harness_member(&harness, "value").kind, MR_KIND_NULL);
        assert_true(harness_member(&harness, "score").number == 0);
        feed_numbers(&harness, 3, 10);
        feed_numbers(&harness, -0.0, -0.0);
        assert_text(harness_member(&harness, "state"), "starved");
        feed_numbers(&harness, 5, 10);
        assert_text(harness_member(&harness, "state"), "learning");
        assert_int_equal(harness_member(&harness, "point").integer, 2);
        feed_numbers(&harness, 0, 0);
        assert_text(harness_member(&harness, "state"), "starved");
        assert_int_equal(harness_member(&harness, "center").kind, MR_KIND_NULL);
        feed_numbers(&harness, 4, 10);
        assert_text(harness_member(&harness, "state"), "armed");
        assert_true(harness_member(&harness, "score").number < 1e-12);
        assert_int_equal(harness.errors_count, 0);
        harness_close(&harness);
    }
}

static void runs_go_over_empty_samples(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "spc.p", "size: units, limits: {cl: 0.5}, rules: [we4]");
    for (int index = 0; index < 8; index++) {
        assert_int_equal(harness.emitted_count[0], 2 * index);
        feed_numbers(&harness, 0, 0);
        feed_numbers(&harness, 6, 10);
        assert_int_equal(harness_member(&harness, "is_anomaly").boolean, index == 7);
    }
    harness_close(&harness);
}

static void refused(const char *type, const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text), "    - {name: op, type: %s, from: in, key: [k], field: value%s}\n",
             type, options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    if (strstr(findings, sentence) == NULL)
        fail_msg("%s: found instead: %s", options, findings);
    mr_arena_deinit(&arena);
}

static void options_that_exclude_each_other(void **state)
{
    MR_UNUSED(state);
    refused("spc.p", "", "say either `size`, the field with the size of each sample");
    refused("spc.u", ", size: units, sample_size: 3", "say either `size`");
    refused("spc.p", ", sample_size: 0", "sample_size");
    refused("spc.p", ", sample_size: 2.5", "sample_size");
    refused("spc.u", ", sample_size: 0", "sample_size");
    refused("spc.c", ", sample_size: 3", "sample_size");
    refused("spc.p", ", size: units, limits: {cl: 0.5, lcl: 0, ucl: 1}",
            "of one size: leave them out");
    refused("spc.p", ", size: units, limits: {cl: 1.5}", "cl");
    refused("spc.c", ", limits: {cl: 5, ucl: 9}", "takes cl alone, or cl with both");
    refused("spc.c", ", limits: {cl: 5, sigma: 1}", "sigma");
    refused("spc.c", ", limits: {cl: 5, lcl: 5, ucl: 9}", "must be below cl");
    refused("spc.c", ", limits: {cl: 5, lcl: 1, ucl: 9}, baseline: exponential",
            "leave them out, or `baseline: none`");
    refused("spc.c", ", limits: {cl: 5}, baseline: cumulative", "how many points are behind them");
    refused("spc.c", ", limits: {cl: 5}, phase1: {subgroups: 9}", "leave out `phase1`");
    refused("spc.c", ", subgroup: {count: 5}", "subgroup");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_that_are_none),
        cmocka_unit_test(sizes_that_are_none),
        cmocka_unit_test(empty_samples),
        cmocka_unit_test(runs_go_over_empty_samples),
        cmocka_unit_test(options_that_exclude_each_other),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
