/* tests/unit/operators/test_window_blocks.c — totals of neighbouring cells: how many fit, long
 * windows over all levels beside a plain computation, and the same last digits after restores. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/window_blocks.h"
#include "tests/support/operator_harness.h"

static void pages_are_objects(void **state)
{
    MR_UNUSED(state);
    assert_int_equal(mr_window_blocks_fan(8), 16);
    assert_int_equal(mr_window_blocks_fan(MR_WINDOW_BLOCKS_CELL_BYTES), 4);
    for (uint32_t bytes = 8; bytes <= MR_WINDOW_BLOCKS_CELL_BYTES; bytes += 8) {
        assert_true(mr_window_blocks_page_bytes(bytes) <= MR_GROUP_OBJECT_BYTES_MAX);
        assert_true(bytes == 8 || mr_window_blocks_fan(bytes) <= mr_window_blocks_fan(bytes - 8));
    }
}

/* ---- Long windows ---- */

enum { ROWS = 6000 };

struct result {
    int64_t count;
    double sum;
    double deviation;
    int64_t first;
    int64_t last;
    double low;
};

struct results {
    uint32_t count;
    struct result items[ROWS];
};

static struct harness_row rows[ROWS];
static struct results all;
static struct results again;

static double number(struct mr_value value)
{
    double number = 0;
    (void)mr_value_as_double(value, &number);
    return number;
}

static void collect(void *argument, const struct harness *harness, uint32_t output,
                    struct mr_view view)
{
    struct results *results = argument;
    const uint32_t *slots = harness->plan->domains[harness->node->outputs[0].domain].field_slots;
    if (output != 0)
        return;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        struct mr_value **columns = view.batch->columns;
        uint32_t row = view.rows[index];
        assert_true(results->count < ROWS);
        /* In name order: a_first, b_last, c_low, count, spread, total. */
        results->items[results->count++] =
            (struct result){.first = (int64_t)number(columns[slots[4]][row]),
                            .last = (int64_t)number(columns[slots[5]][row]),
                            .low = number(columns[slots[6]][row]),
                            .count = columns[slots[7]][row].integer,
                            .deviation = number(columns[slots[8]][row]),
                            .sum = number(columns[slots[9]][row])};
    }
}

/* Values are whole numbers, or fractions whose sums depend on the order of adding. */
static void make_rows(bool whole)
{
    struct mr_random random;
    mr_random_init(&random, 5, 5);
    for (int64_t i = 0; i < ROWS; i++) {
        double value = (double)mr_random_below(&random, 100000);
        rows[i] = harness_row(i, "key", mr_value_double(whole ? value : value / 7));
        rows[i].event_time_ms = i;
        rows[i].watermark_ms = i;
    }
}

static void run(struct results *results, int64_t size_ms, const char *more, uint32_t cut,
                bool restores)
{
    struct harness harness;
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: window.aggregate, from: in, key: [k], "
             "window: {sliding: %dms}, aggregates: {a_first: first(value), b_last: last(value), "
             "c_low: min(value), count: count(), spread: stddev(value), total: sum(value)%s}}\n",
             (int)size_ms, more);
    harness_open(&harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    results->count = 0;
    harness.on_emit = collect;
    harness.on_emit_argument = results;
    harness.quiet = true;
    harness.row_watermarks = true;
    for (uint32_t i = 0; i < ROWS; i += cut) {
        harness_feed(&harness, 0, rows + i, cut < ROWS - i ? cut : ROWS - i);
        if (restores) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
    }
    harness_watermark(&harness, ROWS);
    assert_int_equal(harness.errors_count + harness.late_count, 0);
    assert_int_equal(results->count, ROWS);
    harness_close(&harness);
}

static void windows_of_any_length_are_those_of_a_plain_computation(void **state)
{
    MR_UNUSED(state);
    static const int64_t sizes[] = {2, 15, 16, 17, 31, 33, 255, 256, 257, 4095, 4097, 5000};
    /* With a long text beside them pages have four entries. */
    static const char *const more[] = {"", ", z: max(string(value)), z2: min(string(value))"};
    make_rows(true);
    for (size_t i = 0; i < MR_ARRAY_COUNT(sizes); i++) {
        int64_t size = sizes[i];
        run(&all, size, more[i % 2], 4096, false);
        double sum = 0;
        for (int64_t row = 0; row < ROWS; row++) {
            const struct result *result = &all.items[row];
            int64_t first = row < size ? 0 : row - size + 1;
            sum += rows[row].cells[1].value.number;
            if (row >= size)
                sum -= rows[row - size].cells[1].value.number;
            assert_int_equal(result->count, row - first + 1);
            assert_true(result->sum == sum);
            assert_int_equal(result->first, (int64_t)rows[first].cells[1].value.number);
            assert_int_equal(result->last, (int64_t)rows[row].cells[1].value.number);
            double low = INFINITY;
            for (int64_t j = first; j <= row && row % 97 == 0; j++)
                low = fmin(low, rows[j].cells[1].value.number);
            assert_true(row % 97 != 0 || result->low == low);
        }
    }
}

static void restores_change_no_bit(void **state)
{
    MR_UNUSED(state);
    make_rows(false);
    for (int64_t size = 70; size < 5000; size = size * 3 + 1) {
        run(&all, size, "", 4096, false);
        run(&again, size, "", 61, true);
        assert_memory_equal(again.items, all.items, ROWS * sizeof(all.items[0]));
    }
}

/* ---- Functions that have bodies ---- */

enum { HEAVY_ROWS = 700, LIST_MOST = 5, VALUES = 60 };

/* By row: what is asked of its window. */
struct heavy_result {
    uint32_t listed;
    double list[LIST_MOST];
    int64_t distinct;
    int64_t approximately;
    double middle;
};

static struct heavy_result heavy_results[HEAVY_ROWS];
static uint32_t heavy_count;

static void collect_heavy(void *argument, const struct harness *harness, uint32_t output,
                          struct mr_view view)
{
    MR_UNUSED(argument);
    const uint32_t *slots = harness->plan->domains[harness->node->outputs[0].domain].field_slots;
    for (uint32_t index = 0; output == 0 && index < view.rows_count; index++) {
        struct mr_value **columns = view.batch->columns;
        uint32_t row = view.rows[index];
        assert_true(heavy_count < HEAVY_ROWS);
        /* In name order: a_list, b_distinct, c_approximately, d_middle. */
        struct heavy_result *result = &heavy_results[heavy_count++];
        struct mr_value list = columns[slots[4]][row];
        *result = (struct heavy_result){.listed = list.size,
                                        .distinct = columns[slots[5]][row].integer,
                                        .approximately = columns[slots[6]][row].integer,
                                        .middle = number(columns[slots[7]][row])};
        assert_true(list.kind == MR_KIND_LIST && list.size <= LIST_MOST);
        for (uint32_t item = 0; item < list.size; item++)
            result->list[item] = number(list.items[item]);
    }
}

/* Rows of one key, a millisecond between two each; the middle has a pause, so that a key's cells
 * begin anew. */
static void make_heavy_rows(void)
{
    struct mr_random random;
    mr_random_init(&random, 5, 6);
    for (int64_t i = 0; i < HEAVY_ROWS; i++) {
        rows[i] = harness_row(i, "key", mr_value_double((double)mr_random_below(&random, VALUES)));
        rows[i].event_time_ms = i < HEAVY_ROWS / 2 ? i : i + 10000;
        rows[i].watermark_ms = rows[i].event_time_ms;
    }
}

static void run_heavy(int64_t size_ms, const char *distinct, uint32_t cut, bool restores,
                      uint32_t errors)
{
    struct harness harness;
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: window.aggregate, from: in, key: [k], "
             "window: {sliding: %dms}, aggregates: {a_list: 'collect(value, 5)', b_distinct: '%s', "
             "c_approximately: approx_count_distinct(value), d_middle: median(value)}}\n",
             (int)size_ms, distinct);
    harness_open(&harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    heavy_count = 0;
    harness.on_emit = collect_heavy;
    harness.quiet = true;
    harness.row_watermarks = true;
    for (uint32_t i = 0; i < HEAVY_ROWS; i += cut) {
        harness_feed(&harness, 0, rows + i, cut < HEAVY_ROWS - i ? cut : HEAVY_ROWS - i);
        if (restores) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
    }
    harness_watermark(&harness, HEAVY_ROWS + 10000);
    assert_int_equal(harness.errors_count, errors);
    assert_int_equal(heavy_count + errors, HEAVY_ROWS);
    harness_watermark(&harness, HEAVY_ROWS + 10000 + size_ms * 2);
    harness_commit(&harness);
    assert_string_equal(harness_dump(&harness, &harness.plan_arena), "");
    harness_close(&harness);
}

/* The plain window of a row. */
static void assert_heavy(int64_t row, int64_t size_ms, const struct heavy_result *result)
{
    bool seen[VALUES] = {false};
    int64_t distinct = 0;
    uint32_t listed = 0;
    uint32_t below = 0;
    uint32_t at_most = 0;
    uint32_t count = 0;
    for (int64_t i = 0; i <= row; i++) {
        double value = rows[i].cells[1].value.number;
        if (rows[i].event_time_ms <= rows[row].event_time_ms - size_ms)
            continue;
        distinct += !seen[(int)value];
        seen[(int)value] = true;
        if (listed < LIST_MOST)
            assert_true(result->list[listed++] == value);
        count++;
        below += value < result->middle / 1.009;
        at_most += value <= result->middle * 1.009;
    }
    assert_int_equal(result->listed, listed);
    assert_int_equal(result->distinct, distinct);
    assert_true(llabs(result->approximately - distinct) <= 3);
    assert_true(2 * at_most >= count && 2 * below <= count);
}

static void bodies_are_merged_too(void **state)
{
    MR_UNUSED(state);
    static const int64_t sizes[] = {1, 2, 16, 17, 40, 257, 340};
    static struct heavy_result once[HEAVY_ROWS];
    make_heavy_rows();
    for (size_t i = 0; i < MR_ARRAY_COUNT(sizes); i++) {
        run_heavy(sizes[i], "count_distinct(value)", HEAVY_ROWS, false, 0);
        for (int64_t row = 0; row < HEAVY_ROWS; row++)
            assert_heavy(row, sizes[i], &heavy_results[row]);
        memcpy(once, heavy_results, sizeof(once));
        run_heavy(sizes[i], "count_distinct(value)", 61, true, 0);
        assert_memory_equal(heavy_results, once, sizeof(once));
    }
}

/* Windows with more distinct values than a body takes fail, and no other. */
static void a_body_that_is_full_is_that_window_s_failure(void **state)
{
    MR_UNUSED(state);
    enum { SIZE_MS = 40, MOST = 28 };
    make_heavy_rows();
    uint32_t errors = 0;
    for (int64_t row = 0; row < HEAVY_ROWS; row++) {
        bool seen[VALUES] = {false};
        uint32_t distinct = 0;
        for (int64_t i = 0; i <= row; i++)
            if (rows[i].event_time_ms > rows[row].event_time_ms - SIZE_MS) {
                int value = (int)rows[i].cells[1].value.number;
                distinct += !seen[value];
                seen[value] = true;
            }
        errors += distinct > MOST;
    }
    assert_true(errors > 20 && errors < HEAVY_ROWS - 20);
    run_heavy(SIZE_MS, "count_distinct(value, 28)", 100, false, errors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_objects),
        cmocka_unit_test(windows_of_any_length_are_those_of_a_plain_computation),
        cmocka_unit_test(restores_change_no_bit),
        cmocka_unit_test(bodies_are_merged_too),
        cmocka_unit_test(a_body_that_is_full_is_that_window_s_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
