/* tests/unit/operators/test_chart_vector.c — what charts of several fields share: limits beside
 * scipy, fields that are tied, numbers at the edge, options, stored bytes. script/detectors --check
 * compares whole series with numpy. */
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

static void open(struct harness *harness, const char *type, const char *options)
{
    char text[512];
    offset = 0;
    snprintf(text, sizeof(text),
             "    - {name: op, type: %s, from: in, control: in2, key: [k], "
             "fields: [value, second, third], %s}\n",
             type, options);
    harness_open_sources(harness,
                         "    - {name: in, type: memory, key: [k]}\n"
                         "    - {name: in2, type: memory, key: [key]}\n",
                         text,
                         "    - {name: out, type: memory, from: op}\n"
                         "    - {name: alerts, type: memory, from: op.alerts}\n",
                         "op", 0, 1);
    harness->keeps_last = true;
}

static void assert_near(double found, double expected)
{
    if (!(fabs(found - expected) <= 1e-9 * fabs(expected)))
        fail_msg("%.17g, expected %.17g", found, expected);
}

static void limits(void **state)
{
    MR_UNUSED(state);
    /* Two fields, 20 subgroups of 10, alpha 0.001: 13.72 in Montgomery's example 11.1. */
    double reach = mr_vector_reach(2, 180, 0.001);
    assert_near(reach * (1 - 10.0 / 200), 13.720741594151821);
    assert_near(reach * (1 + 10.0 / 200), 15.165030183009907);
    assert_near(mr_vector_limit_of_records(3, 14, 0.05), 6.357087257519016);
    assert_near(mr_vector_reach(3, 13, 0.05) * (1 + 1.0 / 14), 13.627589064389541);
    assert_true(mr_vector_reach(5, 4, 0.01) == 1e300);
}

/* 25 points, the third of which is the sum of the others. */
static void fields_that_are_tied(void **state)
{
    MR_UNUSED(state);
    static const char *const types[] = {"spc.t2", "spc.mewma"};
    for (size_t type = 0; type < MR_ARRAY_COUNT(types); type++) {
        struct harness harness;
        open(&harness, types[type], "phase1: {exclude: none}");
        for (int round = 0; round < 25; round++)
            feed(&harness, round % 5, round % 7, round % 5 + round % 7);
        feed(&harness, 1, 2, 3);
        assert_text(harness_member(&harness, "state"), "armed");
        assert_false(harness_member(&harness, "is_anomaly").boolean);
        assert_true(harness_member(&harness, "value").number < 5);
        feed(&harness, 1, 2, 4);
        assert_true(harness_member(&harness, "is_anomaly").boolean);
        assert_true(harness_member(&harness, "value").number > 1000);
        harness_close(&harness);
    }
}

static void constant_and_huge_data(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "spc.t2", "baseline: cumulative, learn: always");
    for (int round = 0; round < 26; round++)
        feed(&harness, 7, -0.0, 5e-324);
    assert_true(harness_member(&harness, "value").number == 0);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, 7, 0, 1e-300);
    static const double odd[] = {1e140, -1e140, 5e-324, 0, 1};
    for (int round = 0; round < 125; round++) {
        feed(&harness, odd[round % 5], odd[round / 5 % 5], odd[round / 25]);
        assert_true(isfinite(harness_member(&harness, "value").number));
        struct mr_value contributions = harness_member(&harness, "contributions");
        for (uint32_t field = 0; field < 3; field++)
            assert_true(isfinite(contributions.entries[field].value.number));
    }
    assert_int_equal(harness.errors_count, 0);
    feed(&harness, 1e141, 0, 0);
    feed(&harness, 0, (double)NAN, 0);
    assert_int_equal(harness.errors_count, 2);
    harness_close(&harness);
}

/* Points beyond are left out, but never more than half, nor below two more than there are fields.
 */
static void points_beyond_are_left_out(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_random random;
    mr_random_init(&random, 3, 1);
    open(&harness, "spc.t2", "phase1: {subgroups: 40}");
    for (int round = 0; round < 40; round++)
        feed(&harness, mr_random_normal(&random) + (round % 20 == 4 ? 30 : 0),
             mr_random_normal(&random), mr_random_normal(&random));
    feed(&harness, 5, 0, 0);
    assert_true(harness_member(&harness, "is_anomaly").boolean); /* sigma 7 with the two */
    struct mr_value contributions = harness_member(&harness, "contributions");
    assert_int_equal(contributions.size, 3);
    assert_true(contributions.entries[0].value.number > 10);
    assert_true(contributions.entries[1].value.number < 5);
    assert_non_null(strstr(harness_output(&harness, 1), "without value it would be"));
    harness_close(&harness);
}

static void refused(const char *type, const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text), "    - {name: op, type: %s, from: in, key: [k], %s}\n", type,
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    if (strstr(findings, sentence) == NULL)
        fail_msg("%s: found instead: %s", options, findings);
    mr_arena_deinit(&arena);
}

static void options_that_exclude_each_other(void **state)
{
    MR_UNUSED(state);
    static const char values[] = "fields: [a, b], limits: {values: [{cl: 1, sigma: 1}, "
                                 "{cl: 2, sigma: 1}]";
    char text[512];
    refused("spc.t2", "fields: [a, b, c], phase1: {subgroups: 4}",
            "a covariance of 3 fields takes 5 points at least");
    refused("spc.t2", "fields: [a, b], baseline: exponential, baseline_weight: 0.5",
            "only some 3 points count, too few for the covariance of 2 fields");
    refused("spc.mewma", "fields: [a, b], limits: {values: [{cl: 1, sigma: 1}]}",
            "there are 1 values for 2 fields");
    refused("spc.xbar_t2", "fields: [a], subgroup: {count: 3, window: 1s}", "takes one of `count`");
    snprintf(text, sizeof(text), "%s, correlations: [{first: a, second: c, is: 0.1}]}", values);
    refused("spc.t2", text, "a correlation is of 'a' and 'c': name two of `fields`");
    snprintf(text, sizeof(text), "%s, correlations: [{first: a, second: b, is: -1}]}", values);
    refused("spc.t2", text, "no fields have these correlations");
    snprintf(text, sizeof(text), "%s}, phase1: {subgroups: 9}", values);
    refused("spc.t2", text, "leave out `phase1`");
    snprintf(text, sizeof(text), "%s}, baseline: exponential", values);
    refused("spc.t2", text, "leave out `baseline`");
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    static const char *const types[] = {"spc.t2", "spc.mewma", "spc.xbar_t2"};
    static const char *const names[] = {"spc_t2_v1", "spc_mewma_v1", "spc_xbar_t2_v1"};
    for (size_t type = 0; type < MR_ARRAY_COUNT(types); type++) {
        struct harness harness;
        const char *options =
            type == 2 ? "subgroup: {count: 3}, phase1: {subgroups: 5}" : "phase1: {subgroups: 5}";
        int rows = type == 2 ? 20 : 7;
        open(&harness, types[type], options);
        for (int round = 0; round < rows; round++)
            feed(&harness, round % 4, round % 3, round * round % 5);
        harness_commit(&harness);
        harness_check_golden(&harness, names[type]);
        harness_close(&harness);
        open(&harness, types[type], options);
        harness_load_golden(&harness, names[type]);
        feed(&harness, 1, 1, 1);
        if (type == 2)
            assert_int_equal(harness_field(&harness, 0, "point").integer, 7);
        else
            assert_int_equal(harness_member(&harness, "point").integer, 8);
        harness_close(&harness);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limits),
        cmocka_unit_test(fields_that_are_tied),
        cmocka_unit_test(constant_and_huge_data),
        cmocka_unit_test(points_beyond_are_left_out),
        cmocka_unit_test(options_that_exclude_each_other),
        cmocka_unit_test(stored_bytes_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
