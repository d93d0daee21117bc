/* tests/unit/operators/test_learned_timer.c — records by the clock, and fits: when they are made,
 * what they carry, parts and restarts, too few records. */
#include "operators/learned_timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *key, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: generate.copula, learn: in, key: %s, fields: [value], "
             "learn_batch: 50, reservoir: 16, %s}\n",
             key, options);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    harness->keeps_last = true;
}

static void learn(struct harness *harness, const char *key, uint32_t first, uint32_t count,
                  int64_t now_ms)
{
    harness->context.now_ms = now_ms;
    for (uint32_t number = first; number < first + count; number++) {
        struct mr_random random;
        mr_random_init(&random, 3, number);
        struct harness_row row =
            harness_row(number, key, mr_value_double((double)mr_random_below(&random, 101)));
        harness_feed(harness, 0, &row, 1);
    }
}

static void batches_come_by_the_rate(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "[k]", "rate: 100/s, batch_size: 20, min_records: 100, max_records: 70");
    learn(&harness, "a", 0, 90, 1000000);
    (void)harness_wall(&harness, 1000000);
    assert_int_equal(harness.emitted_count[0], 0);
    learn(&harness, "a", 90, 10, 1000000);
    assert_true(harness_wall(&harness, 1000000) == 1000200);
    assert_int_equal(harness.emitted_count[0], 20);
    assert_text(harness_field(&harness, 0, "_batch_id"), "batch-001");
    assert_text(harness_field(&harness, 0, "_generated_at"), "1970-01-01T00:16:40Z");
    (void)harness_wall(&harness, 1000199);
    assert_int_equal(harness.emitted_count[0], 20);
    /* What is late is made up for, each batch with its own time; and then it ends. */
    assert_true(harness_wall(&harness, 1000450) == 1000600);
    assert_int_equal(harness.emitted_count[0], 60);
    assert_text(harness_field(&harness, 0, "_batch_id"), "batch-003");
    assert_text(harness_field(&harness, 0, "_generated_at"), "1970-01-01T00:16:40.400Z");
    harness_commit(&harness);
    harness_restore(&harness);
    assert_true(harness_wall(&harness, 2000000) == INT64_MAX);
    assert_int_equal(harness.emitted_count[0], 70);
    assert_text(harness_field(&harness, 0, "_batch_id"), "batch-004");
    assert_text(harness_field(&harness, 0, "_generated_at"), "1970-01-01T00:16:40.600Z");
    learn(&harness, "a", 100, 100, 2000000);
    assert_true(harness_wall(&harness, 3000000) == INT64_MAX);
    assert_int_equal(harness.emitted_count[0], 70);
    harness_close(&harness);
}

/* The same bytes whole, in parts, and in parts with restarts between them. */
static void parts_do_not_show(void **state)
{
    MR_UNUSED(state);
    struct harness whole;
    struct harness parts;
    static const char options[] = "delay: 1s, batch_size: 700, min_records: 100, max_records: 5000";
    open(&whole, "[k]", options);
    open(&parts, "[k]", options);
    parts.in_parts = true;
    parts.crash_every = 3;
    learn(&whole, "a", 0, 100, 1000000);
    learn(&parts, "a", 0, 100, 1000000);
    for (int64_t now_ms = 1000000; now_ms <= 1010000; now_ms += 500) {
        (void)harness_wall(&whole, now_ms);
        (void)harness_wall(&parts, now_ms);
    }
    assert_int_equal(whole.emitted_count[0], 5000);
    assert_true(parts.parts_count > 3);
    assert_string_equal(harness_output(&whole, 0), harness_output(&parts, 0));
    harness_close(&whole);
    harness_close(&parts);
}

static void without_a_pace_all_is_made_at_once(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "[]", "max_records: 100000, include_metadata: false, min_records: 50");
    harness.quiet = true;
    learn(&harness, "a", 0, 50, 1000000);
    assert_true(harness_wall(&harness, 1000001) == INT64_MAX);
    assert_int_equal(harness.emitted_count[0], 100000);
    harness_close(&harness);
}

static void a_fit_learns_so_many_and_no_more(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct harness other;
    static const char options[] =
        "max_records: 100, fit: {max_records: 120, min_records: 100, timeout: 10s}";
    open(&harness, "[]", options);
    open(&other, "[]", options);
    (void)harness_wall(&harness, 1000000);
    (void)harness_wall(&other, 1000000);
    learn(&harness, "a", 0, 119, 1001000);
    (void)harness_wall(&harness, 1005000);
    assert_int_equal(harness.emitted_count[0], 0);
    learn(&harness, "a", 119, 1, 1006000);
    (void)harness_wall(&harness, 1006000);
    assert_int_equal(harness.emitted_count[0], 100);
    /* However many more there are, the model and what it makes are the same. */
    learn(&other, "a", 0, 500, 1006000);
    (void)harness_wall(&other, 1006000);
    assert_string_equal(harness_output(&harness, 0), harness_output(&other, 0));
    harness_close(&harness);
    harness_close(&other);
}

static void a_fit_ends_with_its_time(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "[]", "max_records: 100, fit: {min_records: 30, timeout: 10s}");
    assert_true(harness_wall(&harness, 1000000) == 1010000);
    learn(&harness, "a", 0, 40, 1001000);
    (void)harness_wall(&harness, 1009999);
    assert_int_equal(harness.emitted_count[0], 0);
    (void)harness_wall(&harness, 1010000);
    assert_int_equal(harness.emitted_count[0], 100);
    harness_close(&harness);
    /* With `ratio`: each record earns its own from then on. */
    open(&harness, "[k]", "ratio: 2, fit: {min_records: 60, timeout: 10s}");
    learn(&harness, "a", 0, 70, 1000000);
    assert_int_equal(harness.emitted_count[0], 0);
    (void)harness_wall(&harness, 1010000);
    learn(&harness, "a", 70, 5, 1010000);
    assert_int_equal(harness.emitted_count[0], 10);
    harness_close(&harness);
}

static void too_few_records_stop_the_topology(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_error error;
    bool called;
    open(&harness, "[]", "rate: 10/s, fit: {min_records: 100, timeout: 10s}");
    (void)harness_wall(&harness, 1000000);
    learn(&harness, "a", 0, 60, 1001000);
    harness.context.now_ms = 1010000;
    assert_int_equal(mr_operator_wall(harness.operator_instance, &harness.context, &called, &error),
                     MR_INVALID);
    assert_int_equal(error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    assert_non_null(strstr(error.message, "the fit of \"op\" (generate.copula) has 60 records of "
                                          "the stream after 10 s, and needs 100"));
    harness_close(&harness);
}

/* As the pipeline tells it. */
static void end_ports(struct harness *harness, uint64_t ports)
{
    harness->context.ended_ports = ports;
    mr_operator_wake(&harness->context, 1001000);
}

static void a_fit_ends_with_what_it_learns_from(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_error error;
    bool called;
    static const char options[] = "max_records: 100, fit: {min_records: 30, timeout: 1h}";
    open(&harness, "[]", options);
    (void)harness_wall(&harness, 1000000);
    learn(&harness, "a", 0, 40, 1001000);
    end_ports(&harness, 2); /* another port */
    (void)harness_wall(&harness, 1001000);
    assert_int_equal(harness.emitted_count[0], 0);
    end_ports(&harness, 1);
    (void)harness_wall(&harness, 1001000);
    assert_int_equal(harness.emitted_count[0], 100);
    harness_close(&harness);
    open(&harness, "[]", options);
    (void)harness_wall(&harness, 1000000);
    learn(&harness, "a", 0, 20, 1001000);
    end_ports(&harness, 1);
    harness.context.now_ms = 1001000;
    assert_int_equal(mr_operator_wall(harness.operator_instance, &harness.context, &called, &error),
                     MR_INVALID);
    assert_int_equal(error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    assert_non_null(strstr(error.message, "has 20 records of the stream at the end of what it "
                                          "learns from, and needs 30"));
    harness_close(&harness);
    /* Of each key. */
    open(&harness, "[k]", "ratio: 2, fit: {min_records: 10, timeout: 1h}");
    learn(&harness, "a", 0, 20, 1000000);
    learn(&harness, "b", 0, 15, 1000000);
    end_ports(&harness, 1);
    (void)harness_wall(&harness, 1001000);
    learn(&harness, "a", 20, 5, 1002000);
    learn(&harness, "b", 20, 5, 1002000);
    assert_int_equal(harness.emitted_count[0], 20);
    harness_close(&harness);
}

static void impossible_conditions_wait(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "[k]",
         "max_records: 10, min_records: 50, conditions: [{field: value, gt: 150}]");
    learn(&harness, "a", 0, 50, 1000000);
    assert_true(harness_wall(&harness, 1000000) == INT64_MAX);
    assert_int_equal(harness.emitted_count[0], 0);
    for (uint32_t number = 50; number < 100; number++) {
        struct harness_row row = harness_row(number, "a", mr_value_double(200));
        harness_feed(&harness, 0, &row, 1);
    }
    (void)harness_wall(&harness, 1000000);
    assert_int_equal(harness.emitted_count[0], 10);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_come_by_the_rate),
        cmocka_unit_test(parts_do_not_show),
        cmocka_unit_test(without_a_pace_all_is_made_at_once),
        cmocka_unit_test(a_fit_learns_so_many_and_no_more),
        cmocka_unit_test(a_fit_ends_with_its_time),
        cmocka_unit_test(too_few_records_stop_the_topology),
        cmocka_unit_test(a_fit_ends_with_what_it_learns_from),
        cmocka_unit_test(impossible_conditions_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
