/* tests/unit/operators/test_window_session.c — sessions: by hand and beside a plain computation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#define TYPE "window.aggregate"
#define WINDOWED true

#include "base/random.h"
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

static void records_less_than_the_pause_apart_are_one_session(void **state)
{
    MR_UNUSED(state);
    for (size_t i = 0; i < MR_ARRAY_COUNT(cells); i++) {
        struct harness harness;
        open(&harness, cells[i], ", window: {session: 10s}");
        feed(&harness, "a", 1000, 1);
        feed(&harness, "a", 10999, 2);
        feed(&harness, "a", 20999, 4); /* a pause of 10 s: another session */
        feed(&harness, "b", 5000, 8);
        harness_watermark(&harness, 14999);
        assert_int_equal(results_count, 0);
        harness_watermark(&harness, 20999);
        assert_int_equal(results_count, 2);
        expect(0, "b", 5000, 15000, 1, 8);
        expect(1, "a", 1000, 20999, 2, 3);
        harness_watermark(&harness, 40000);
        assert_int_equal(results_count, 3);
        expect(2, "a", 20999, 30999, 1, 4);
        harness_close(&harness);
    }
}

static void a_record_between_two_sessions_joins_them(void **state)
{
    MR_UNUSED(state);
    for (size_t i = 0; i < MR_ARRAY_COUNT(cells); i++) {
        struct harness harness;
        open(&harness, cells[i], ", window: {session: 10s}");
        feed(&harness, "a", 20000, 1);
        feed(&harness, "a", 5000, 2);
        harness_commit(&harness);
        harness_restore(&harness);
        feed(&harness, "a", 12000, 4);
        feed(&harness, "a", 3000, 8);
        harness_watermark(&harness, 100000);
        assert_int_equal(results_count, 1);
        expect(0, "a", 3000, 30000, 4, 15);
        harness_close(&harness);
    }
}

static void late_records_are_those_that_meet_no_open_session(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "", ", window: {session: 10s}, lateness: 5s");
    feed(&harness, "a", 1000, 1);
    harness_watermark(&harness, 15999);
    feed(&harness, "a", 500, 2); /* its own window ended, but it meets one that is open */
    feed(&harness, "b", 900, 2);
    assert_int_equal(harness.late_count, 1);
    harness_watermark(&harness, 16000);
    assert_int_equal(results_count, 1);
    expect(0, "a", 500, 11000, 2, 3);
    harness_close(&harness);
}

static void updates_and_periodic_results(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "", ", window: {session: 10s}, emit: update");
    feed(&harness, "a", 1000, 1);
    feed(&harness, "a", 4000, 2);
    harness_watermark(&harness, 100000);
    assert_int_equal(results_count, 2);
    expect(1, "a", 1000, 14000, 2, 3);
    harness_close(&harness);
    open(&harness, "", ", window: {session: 10s}, emit: periodic, emit_every: 2s");
    feed(&harness, "a", 1000, 1);
    feed(&harness, "a", 1500, 2);
    harness_watermark(&harness, 2000);
    assert_int_equal(results_count, 1);
    expect(0, "a", 1000, 11500, 2, 3);
    harness_watermark(&harness, 9000);
    assert_int_equal(results_count, 1);
    harness_watermark(&harness, 11500);
    assert_int_equal(results_count, 2);
    harness_close(&harness);
}

static void more_sessions_than_are_kept_are_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "", ", window: {session: 1s}");
    for (int64_t i = 0; i < 100; i++)
        feed(&harness, "a", i * 1000, 1);
    assert_true(harness.errors_count > 0 && harness.errors_count < 95);
    harness_watermark(&harness, 200000);
    assert_int_equal(results_count + harness.errors_count, 100);
    harness_close(&harness);
}

/* ---- Beside a plain computation ---- */

enum { ROWS = 2000, KEYS = 40 };

static struct harness_row rows[ROWS];

static int compare_rows(const void *left, const void *right)
{
    const struct harness_row *a = left;
    const struct harness_row *b = right;
    int order = strcmp((const char *)a->cells[0].value.text, (const char *)b->cells[0].value.text);
    return order != 0
               ? order
               : (a->event_time_ms > b->event_time_ms) - (a->event_time_ms < b->event_time_ms);
}

static int compare_results(const void *left, const void *right)
{
    const struct result *a = left;
    const struct result *b = right;
    int order = strcmp(a->key, b->key);
    return order != 0 ? order : (a->start_ms > b->start_ms) - (a->start_ms < b->start_ms);
}

static void random_rows_give_what_a_plain_computation_gives(void **state)
{
    MR_UNUSED(state);
    static char keys[KEYS][8];
    struct mr_random random;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct harness harness;
        mr_random_init(&random, 3, seed);
        open(&harness, cells[seed % 2], ", window: {session: 1s}");
        for (uint32_t i = 0; i < ROWS; i++) {
            char *key = keys[mr_random_below(&random, KEYS)];
            snprintf(key, sizeof(keys[0]), "k%02d", (int)((key - keys[0]) / 8));
            rows[i] = harness_row(i, key, mr_value_double((double)mr_random_below(&random, 100)));
            rows[i].event_time_ms = 20 * (int64_t)i - (int64_t)mr_random_below(&random, 3000);
        }
        for (uint32_t i = 0; i < ROWS;) {
            uint32_t count = 1 + (uint32_t)mr_random_below(&random, 200);
            count = count < ROWS - i ? count : ROWS - i;
            harness_feed(&harness, 0, rows + i, count);
            i += count;
            harness_watermark(&harness, 20 * (int64_t)i - 3020);
            if (seed > 1) {
                harness_commit(&harness);
                harness_restore(&harness);
            }
        }
        harness_watermark(&harness, 1000000);
        assert_int_equal(harness.late_count + harness.errors_count, 0);
        qsort(rows, ROWS, sizeof(rows[0]), compare_rows);
        qsort(results, results_count, sizeof(results[0]), compare_results);
        uint32_t next = 0;
        for (uint32_t i = 0; i < ROWS;) {
            struct result plain = {.start_ms = rows[i].event_time_ms};
            int64_t last = plain.start_ms;
            const struct mr_value key = rows[i].cells[0].value;
            for (; i < ROWS && rows[i].cells[0].value.text == key.text &&
                   rows[i].event_time_ms < last + 1000;
                 i++) {
                last = rows[i].event_time_ms;
                plain.count++;
                plain.sum += rows[i].cells[1].value.number;
            }
            expect(next++, (const char *)key.text, plain.start_ms, last + 1000, plain.count,
                   plain.sum);
        }
        assert_int_equal(next, results_count);
        harness_commit(&harness);
        assert_string_equal(harness_dump(&harness, &harness.plan_arena), "");
        harness_close(&harness);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_less_than_the_pause_apart_are_one_session),
        cmocka_unit_test(a_record_between_two_sessions_joins_them),
        cmocka_unit_test(late_records_are_those_that_meet_no_open_session),
        cmocka_unit_test(updates_and_periodic_results),
        cmocka_unit_test(more_sessions_than_are_kept_are_reported),
        cmocka_unit_test(random_rows_give_what_a_plain_computation_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
