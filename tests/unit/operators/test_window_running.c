/* tests/unit/operators/test_window_running.c — sums without a window. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#define TYPE "aggregate"
#define WINDOWED false

#include "tests/support/operator_harness.h"

enum { RESULTS_MAX = 8000 };

struct result {
    char key[16];
    int64_t start_ms;
    int64_t end_ms;
    int64_t count;
    double sum;
};

static struct result results[RESULTS_MAX];
static uint32_t results_count;

static void collect(void *argument, const struct harness *harness, uint32_t output,
                    struct mr_view view)
{
    MR_UNUSED(argument);
    const struct mr_plan_domain *domain = &harness->plan->domains[harness->node->outputs[0].domain];
    const uint32_t *slots = domain->field_slots;
    if (output != 0)
        return;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        assert_true(results_count < RESULTS_MAX);
        struct result *result = &results[results_count++];
        struct mr_value key = view.batch->columns[slots[0]][row];
        snprintf(result->key, sizeof(result->key), "%.*s", (int)key.size, (const char *)key.text);
        uint32_t aggregates = WINDOWED ? 3 : 1; /* size, total */
        result->start_ms = WINDOWED ? view.batch->columns[slots[1]][row].integer : 0;
        result->end_ms =
            WINDOWED ? view.batch->columns[slots[2]][row].integer : view.batch->event_times_ms[row];
        result->count = view.batch->columns[slots[aggregates]][row].integer;
        assert_true(
            mr_value_as_double(view.batch->columns[slots[aggregates + 1]][row], &result->sum));
    }
}

static void expect(uint32_t index, const char *key, int64_t start_ms, int64_t end_ms, int64_t count,
                   double sum)
{
    assert_true(index < results_count);
    assert_string_equal(results[index].key, key);
    assert_int_equal(results[index].start_ms, start_ms);
    assert_int_equal(results[index].end_ms, end_ms);
    assert_int_equal(results[index].count, count);
    assert_true(results[index].sum == sum);
}

static void open(struct harness *harness, const char *further, const char *more)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: " TYPE ", from: in, key: [k], "
             "aggregates: {size: count(), total: sum(value)%s}%s}\n",
             further, more);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    harness->on_emit = collect;
    harness->quiet = true;
    results_count = 0;
}

static void feed(struct harness *harness, const char *key, int64_t time_ms, double value)
{
    struct harness_row row = harness_row(time_ms, key, mr_value_double(value));
    row.event_time_ms = time_ms;
    harness_feed(harness, 0, &row, 1);
}
static const char *const cells[] = {"", ", zz: count_distinct(value)"};

static void each_record_makes_a_result(void **state)
{
    MR_UNUSED(state);
    for (size_t i = 0; i < MR_ARRAY_COUNT(cells); i++) {
        struct harness harness;
        open(&harness, cells[i], ", having: size != 2");
        feed(&harness, "a", 1000, 1);
        feed(&harness, "b", 2000, 10);
        feed(&harness, "a", 500, 2);
        harness_commit(&harness);
        harness_restore(&harness);
        feed(&harness, "a", 3000, 4);
        assert_int_equal(results_count, 3);
        expect(0, "a", 0, 1000, 1, 1);
        expect(1, "b", 0, 2000, 1, 10);
        expect(2, "a", 0, 3000, 3, 7);
        harness_close(&harness);
    }
}

static void periodic_results_are_of_keys_that_changed(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "", ", emit: periodic, emit_every: 10s");
    feed(&harness, "b", 1000, 1);
    feed(&harness, "a", 2000, 2);
    feed(&harness, "a", 3000, 4);
    harness_watermark(&harness, 9999);
    assert_int_equal(results_count, 0);
    harness_watermark(&harness, 10000);
    assert_int_equal(results_count, 2);
    expect(0, "a", 0, 9999, 2, 6);
    expect(1, "b", 0, 9999, 1, 1);
    feed(&harness, "b", 12000, 1);
    harness_watermark(&harness, 30000);
    assert_int_equal(results_count, 3);
    expect(2, "b", 0, 19999, 2, 2);
    harness_close(&harness);
}

static void a_key_lives_as_long_as_it_is_said(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "", ", state: {ttl: 10s}");
    feed(&harness, "a", 1000, 1);
    feed(&harness, "a", 5000, 1);
    harness_watermark(&harness, 14999);
    feed(&harness, "a", 4000, 1);
    expect(2, "a", 0, 4000, 3, 3);
    harness_watermark(&harness, 15000);
    feed(&harness, "a", 16000, 1);
    expect(3, "a", 0, 16000, 1, 1);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_makes_a_result),
        cmocka_unit_test(periodic_results_are_of_keys_that_changed),
        cmocka_unit_test(a_key_lives_as_long_as_it_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
