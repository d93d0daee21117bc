/* tests/unit/operators/test_window_count.c — windows of the last records of a key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#define TYPE "window.aggregate"
#define WINDOWED true

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

static void every_so_many_records_there_is_a_result(void **state)
{
    MR_UNUSED(state);
    for (size_t i = 0; i < MR_ARRAY_COUNT(cells); i++) {
        struct harness harness;
        open(&harness, cells[i], ", window: {count: 3}");
        for (int64_t row = 0; row < 7; row++) {
            feed(&harness, "a", 1000 * row, (double)row);
            feed(&harness, row == 5 ? "b" : "c", 10, 1);
            harness_commit(&harness);
            harness_restore(&harness);
        }
        assert_int_equal(results_count, 4);
        expect(0, "a", 0, 2001, 3, 0 + 1 + 2);
        expect(1, "c", 10, 11, 3, 3);
        expect(2, "a", 3000, 5001, 3, 3 + 4 + 5);
        expect(3, "c", 10, 11, 3, 3);
        harness_close(&harness);
    }
}

static void windows_overlap(void **state)
{
    MR_UNUSED(state);
    static const int64_t windows[][2] = {{10, 4}, {10, 10}, {6, 1}, {9, 6}, {4, 2}};
    for (size_t i = 0; i < 2 * MR_ARRAY_COUNT(windows); i++) {
        int64_t size = windows[i / 2][0];
        int64_t every = windows[i / 2][1];
        struct harness harness;
        char more[64];
        snprintf(more, sizeof(more), ", window: {count: %d, every: %d}", (int)size, (int)every);
        open(&harness, cells[i % 2], more);
        for (int64_t row = 0; row < 100; row++)
            feed(&harness, "a", row, (double)row);
        assert_int_equal(results_count, 100 / every);
        for (uint32_t result = 0; result < results_count; result++) {
            int64_t end = (result + 1) * every;
            int64_t start = end < size ? 0 : end - size;
            double sum = 0;
            for (int64_t row = start; row < end; row++)
                sum += (double)row;
            expect(result, "a", start, end, end - start, sum);
        }
        harness_close(&harness);
    }
}

static void keys_are_forgotten_by_time(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, cells[1], ", window: {count: 2}, state: {ttl: 10s}");
    feed(&harness, "a", 1000, 1);
    harness_watermark(&harness, 10999);
    feed(&harness, "b", 10000, 1);
    harness_watermark(&harness, 11000);
    feed(&harness, "a", 12000, 1);
    assert_int_equal(results_count, 0);
    feed(&harness, "b", 12000, 1);
    assert_int_equal(results_count, 1);
    harness_watermark(&harness, 100000);
    harness_commit(&harness);
    assert_string_equal(harness_dump(&harness, &harness.plan_arena), "");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_so_many_records_there_is_a_result),
        cmocka_unit_test(windows_overlap),
        cmocka_unit_test(keys_are_forgotten_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
