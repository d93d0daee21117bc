/* tests/unit/operators/test_window_session.c — sessions: by hand and beside a plain computation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/group_results.h"

static void records_less_than_the_pause_apart_are_one_session(void **state)
{
    MR_UNUSED(state);
    for (size_t i = 0; i < MR_ARRAY_COUNT(group_cells); i++) {
        struct harness harness;
        group_open(&harness, "window.aggregate", group_cells[i], ", window: {session: 10s}");
        group_feed(&harness, "a", 1000, 1);
        group_feed(&harness, "a", 10999, 2);
        group_feed(&harness, "a", 20999, 4); /* a pause of 10 s: another session */
        group_feed(&harness, "b", 5000, 8);
        harness_watermark(&harness, 14999);
        assert_int_equal(group_results_count, 0);
        harness_watermark(&harness, 20999);
        assert_int_equal(group_results_count, 2);
        group_expect(0, "b", 5000, 15000, 1, 8);
        group_expect(1, "a", 1000, 20999, 2, 3);
        harness_watermark(&harness, 40000);
        assert_int_equal(group_results_count, 3);
        group_expect(2, "a", 20999, 30999, 1, 4);
        harness_close(&harness);
    }
}

static void a_record_between_two_sessions_joins_them(void **state)
{
    MR_UNUSED(state);
    for (size_t i = 0; i < MR_ARRAY_COUNT(group_cells); i++) {
        struct harness harness;
        group_open(&harness, "window.aggregate", group_cells[i], ", window: {session: 10s}");
        group_feed(&harness, "a", 20000, 1);
        group_feed(&harness, "a", 5000, 2);
        harness_commit(&harness);
        harness_restore(&harness);
        group_feed(&harness, "a", 12000, 4);
        group_feed(&harness, "a", 3000, 8);
        harness_watermark(&harness, 100000);
        assert_int_equal(group_results_count, 1);
        group_expect(0, "a", 3000, 30000, 4, 15);
        harness_close(&harness);
    }
}

static void late_records_are_those_that_meet_no_open_session(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {session: 10s}, lateness: 5s");
    group_feed(&harness, "a", 1000, 1);
    harness_watermark(&harness, 15999);
    group_feed(&harness, "a", 500, 2); /* its own window ended, but it meets one that is open */
    group_feed(&harness, "b", 900, 2);
    assert_int_equal(harness.late_count, 1);
    harness_watermark(&harness, 16000);
    assert_int_equal(group_results_count, 1);
    group_expect(0, "a", 500, 11000, 2, 3);
    harness_close(&harness);
}

static void updates_and_periodic_results(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {session: 10s}, emit: update");
    group_feed(&harness, "a", 1000, 1);
    group_feed(&harness, "a", 4000, 2);
    harness_watermark(&harness, 100000);
    assert_int_equal(group_results_count, 2);
    group_expect(1, "a", 1000, 14000, 2, 3);
    harness_close(&harness);
    group_open(&harness, "window.aggregate", "",
               ", window: {session: 10s}, emit: periodic, emit_every: 2s");
    group_feed(&harness, "a", 1000, 1);
    group_feed(&harness, "a", 1500, 2);
    harness_watermark(&harness, 2000);
    assert_int_equal(group_results_count, 1);
    group_expect(0, "a", 1000, 11500, 2, 3);
    harness_watermark(&harness, 9000);
    assert_int_equal(group_results_count, 1);
    harness_watermark(&harness, 11500);
    assert_int_equal(group_results_count, 2);
    harness_close(&harness);
}

static void expect_retracted(uint32_t index, int64_t start_ms, int64_t end_ms, int64_t count,
                             double sum)
{
    group_expect(index, "a", start_ms, end_ms, count, sum);
    assert_true(group_results[index].retracted);
}

/* What is said of a begin that goes is taken back, with the same values, before what replaces it.
 */
static void begins_that_go_are_taken_back(void **state)
{
    MR_UNUSED(state);
    for (size_t i = 0; i < MR_ARRAY_COUNT(group_cells); i++) {
        struct harness harness;
        group_open(&harness, "window.aggregate", group_cells[i],
                   ", window: {session: 10s}, emit: update");
        group_feed(&harness, "a", 20000, 1);
        group_feed(&harness, "a", 5000, 2);
        harness_commit(&harness);
        harness_restore(&harness);
        group_feed(&harness, "a", 12000, 4); /* joins both: the first begin stays */
        assert_int_equal(group_results_count, 4);
        expect_retracted(2, 20000, 30000, 1, 1);
        group_expect(3, "a", 5000, 30000, 3, 7);
        assert_false(group_results[3].retracted);
        group_feed(&harness, "a", 3000, 8); /* an earlier begin */
        assert_int_equal(group_results_count, 6);
        expect_retracted(4, 5000, 30000, 3, 7);
        group_expect(5, "a", 3000, 30000, 4, 15);
        group_feed(&harness, "a", 31000, 16); /* a later end: the newest result counts */
        group_feed(&harness, "a", 29000, 32);
        expect_retracted(7, 31000, 41000, 1, 16);
        group_expect(8, "a", 3000, 41000, 6, 63);
        assert_int_equal(group_results_count, 9);
        harness_watermark(&harness, 100000);
        assert_int_equal(group_results_count, 9);
        harness_close(&harness);
    }
}

static void more_sessions_than_are_kept_are_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {session: 1s}");
    for (int64_t i = 0; i < 100; i++)
        group_feed(&harness, "a", i * 1000, 1);
    assert_true(harness.errors_count > 0 && harness.errors_count < 95);
    harness_watermark(&harness, 200000);
    assert_int_equal(group_results_count + harness.errors_count, 100);
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
    const struct group_result *a = left;
    const struct group_result *b = right;
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
        group_open(&harness, "window.aggregate", group_cells[seed % 2], ", window: {session: 1s}");
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
        qsort(group_results, group_results_count, sizeof(group_results[0]), compare_results);
        uint32_t next = 0;
        for (uint32_t i = 0; i < ROWS;) {
            struct group_result plain = {.start_ms = rows[i].event_time_ms};
            int64_t last = plain.start_ms;
            const struct mr_value key = rows[i].cells[0].value;
            for (; i < ROWS && rows[i].cells[0].value.text == key.text &&
                   rows[i].event_time_ms < last + 1000;
                 i++) {
                last = rows[i].event_time_ms;
                plain.count++;
                plain.sum += rows[i].cells[1].value.number;
            }
            group_expect(next++, (const char *)key.text, plain.start_ms, last + 1000, plain.count,
                         plain.sum);
        }
        assert_int_equal(next, group_results_count);
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
        cmocka_unit_test(begins_that_go_are_taken_back),
        cmocka_unit_test(more_sessions_than_are_kept_are_reported),
        cmocka_unit_test(random_rows_give_what_a_plain_computation_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
