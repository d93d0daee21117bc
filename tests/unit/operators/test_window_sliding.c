/* tests/unit/operators/test_window_sliding.c — one result per record: by hand, and beside a plain
 * computation with records out of order, late ones, restores and other batch cuts. */
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

static void each_record_has_the_window_that_ends_with_it(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {sliding: 10s}");
    group_feed(&harness, "a", 11000, 4);
    group_feed(&harness, "a", 1000, 1); /* is just out of the window of 11000 */
    group_feed(&harness, "a", 1001, 2);
    group_feed(&harness, "b", 1001, 8);
    harness_watermark(&harness, 1001);
    assert_int_equal(group_results_count, 1);
    group_expect(0, "a", -8999, 1001, 1, 1);
    harness_watermark(&harness, 1002);
    assert_int_equal(group_results_count, 3);
    group_expect(1, "a", -8998, 1002, 2, 3);
    group_expect(2, "b", -8998, 1002, 1, 8);
    harness_watermark(&harness, 11000);
    assert_int_equal(group_results_count, 3);
    harness_watermark(&harness, 11001);
    assert_int_equal(group_results_count, 4);
    group_expect(3, "a", 1001, 11001, 2, 6);
    harness_close(&harness);
}

static void records_of_one_millisecond_see_each_other(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {sliding: 1ms}");
    group_feed(&harness, "a", 5, 1);
    group_feed(&harness, "a", 6, 2);
    harness_commit(&harness);
    harness_restore(&harness);
    group_feed(&harness, "a", 6, 4);
    harness_watermark(&harness, 100);
    assert_int_equal(group_results_count, 3);
    group_expect(0, "a", 5, 6, 1, 1);
    group_expect(1, "a", 6, 7, 2, 6);
    group_expect(2, "a", 6, 7, 2, 6);
    harness_close(&harness);
}

static void lateness_keeps_results_back(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {sliding: 10s}, lateness: 5s");
    group_feed(&harness, "a", 1000, 1);
    harness_watermark(&harness, 6000);
    assert_int_equal(group_results_count, 0);
    group_feed(&harness, "a", 1000, 2);
    group_feed(&harness, "a", 999, 4); /* late: what ends with it is closed */
    assert_int_equal(harness.late_count, 1);
    harness_watermark(&harness, 6001);
    assert_int_equal(group_results_count, 2);
    group_expect(0, "a", -8999, 1001, 2, 3);
    harness_close(&harness);
}

static void having_is_about_results(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {sliding: 10s}, having: size > 1");
    group_feed(&harness, "a", 1000, 1);
    group_feed(&harness, "a", 2000, 2);
    harness_watermark(&harness, 100000);
    assert_int_equal(group_results_count, 1);
    group_expect(0, "a", -7999, 2001, 2, 3);
    harness_close(&harness);
}

static void a_sum_beyond_its_type_is_that_window_s_failure(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {sliding: 40ms}");
    for (int64_t i = 0; i < 400; i++)
        group_feed(&harness, "a", i, i == 100 || i == 130 ? 1.7e308 : 1);
    harness_watermark(&harness, 100000);
    /* Both are in the windows that end with 130 .. 139. */
    assert_int_equal(harness.errors_count, 10);
    assert_int_equal(group_results_count, 390);
    for (uint32_t i = 0; i < group_results_count; i++) {
        int64_t time = (int64_t)i < 130 ? i : i + 10;
        assert_int_equal(group_results[i].end_ms, time + 1);
        assert_int_equal(group_results[i].count, time < 40 ? time + 1 : 40);
    }
    harness_close(&harness);
    group_open(&harness, "window.aggregate", "", ", window: {sliding: 40ms}");
    group_feed(&harness, "a", 1, 1.7e308);
    group_feed(&harness, "a", 1, 1.7e308); /* of one cell: the row itself fails */
    assert_int_equal(harness.errors_count, 1);
    harness_watermark(&harness, 100000);
    assert_int_equal(group_results_count, 1);
    harness_close(&harness);
}

/* A row that a body refuses leaves nothing behind, neither alone nor beside others of its
 * millisecond. */
static void a_row_that_a_body_refuses_is_not_there(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(
        &harness,
        "    - {name: op, type: window.aggregate, from: in, key: [k], window: {sliding: "
        "10s}, aggregates: {size: count(), total: sum(value), all: 'collect(k, 10, 8)'}}\n",
        "    - {name: out, type: memory, from: op}\n", "op");
    harness.on_emit = NULL;
    group_feed(&harness, "much too long", 5, 1);
    assert_int_equal(harness.errors_count, 1);
    harness_commit(&harness);
    assert_string_equal(harness_dump(&harness, &harness.plan_arena), "");
    group_feed(&harness, "a", 5, 1);
    harness_commit(&harness);
    assert_string_not_equal(harness_dump(&harness, &harness.plan_arena), "");
    harness_watermark(&harness, 100000);
    harness_commit(&harness);
    assert_string_equal(harness_dump(&harness, &harness.plan_arena), "");
    harness_close(&harness);
}

static void silence_gives_back_all_state(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {sliding: 1s}, lateness: 20ms");
    for (int64_t i = 0; i < 3000; i++) {
        group_feed(&harness, i % 3 == 0 ? "a" : "b", i, 1);
        harness_watermark(&harness, i);
        if (i % 100 == 0)
            harness_commit(&harness);
    }
    harness_watermark(&harness, 3020);
    assert_int_equal(group_results_count, 3000);
    group_expect(2999, "b", 2000, 3000, 667, 667);
    harness_watermark(&harness, 4019);
    harness_commit(&harness);
    assert_string_equal(harness_dump(&harness, &harness.plan_arena), "");
    harness_close(&harness);
}

/* ---- Beside a plain computation ---- */

enum { ROWS = 1500, KEYS = 4, SEEDS = 8, STEP_MS = 20, DELAY_MS = 3000 };

static struct harness_row rows[ROWS];
static struct group_result plain[ROWS];

struct variant {
    int64_t size_ms;
    int64_t lateness_ms;
    bool coarse; /* many records of one millisecond */
};

static const struct variant variants[] = {
    {400, 0, false}, {25000, 0, false}, {6000, 700, true}, {1, 0, true}};

static void make_rows(const struct variant *variant, uint64_t seed)
{
    static const char *const keys[KEYS] = {"a", "b", "c", "dd"};
    struct mr_random random;
    int64_t top_ms = INT64_MIN / 2;
    mr_random_init(&random, 7, seed);
    for (int64_t i = 0; i < ROWS; i++) {
        uint64_t key = mr_random_below(&random, 10);
        rows[i] = harness_row(i, keys[key < KEYS ? key : 0],
                              mr_value_double((double)mr_random_below(&random, 1000)));
        /* One in ten is later than the delay allows. */
        int64_t back = (int64_t)mr_random_below(&random, DELAY_MS);
        if (mr_random_below(&random, 10) == 0)
            back += 2 * DELAY_MS;
        rows[i].event_time_ms = STEP_MS * i - back - 20000;
        if (i > 900) /* a pause */
            rows[i].event_time_ms += 100000;
        if (variant->coarse)
            rows[i].event_time_ms -= rows[i].event_time_ms % 250;
        rows[i].watermark_ms = top_ms;
        if (rows[i].event_time_ms - DELAY_MS > top_ms)
            top_ms = rows[i].event_time_ms - DELAY_MS;
    }
}

static bool is_late(const struct variant *variant, const struct harness_row *row)
{
    return row->watermark_ms >= row->event_time_ms + 1 + variant->lateness_ms;
}

static int compare_results(const void *left, const void *right)
{
    const struct group_result *a = left;
    const struct group_result *b = right;
    int order = (a->end_ms > b->end_ms) - (a->end_ms < b->end_ms);
    return order != 0 ? order : strcmp(a->key, b->key);
}

static uint32_t compute(const struct variant *variant)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < ROWS; i++) {
        const struct mr_value *key = &rows[i].cells[0].value;
        int64_t time_ms = rows[i].event_time_ms;
        if (is_late(variant, &rows[i]))
            continue;
        struct group_result *result = &plain[count++];
        *result = (struct group_result){.start_ms = time_ms + 1 - variant->size_ms,
                                        .end_ms = time_ms + 1};
        snprintf(result->key, sizeof(result->key), "%s", key->text);
        for (uint32_t j = 0; j < ROWS; j++) {
            if (rows[j].cells[0].value.text != key->text || is_late(variant, &rows[j]) ||
                rows[j].event_time_ms > time_ms ||
                rows[j].event_time_ms <= time_ms - variant->size_ms)
                continue;
            result->count++;
            result->sum += rows[j].cells[1].value.number;
        }
    }
    qsort(plain, count, sizeof(plain[0]), compare_results);
    return count;
}

static void run(const struct variant *variant, const char *further, const char *more, uint32_t cut,
                bool restores)
{
    struct harness harness;
    struct mr_random random;
    char text[128];
    mr_random_init(&random, 9, cut);
    snprintf(text, sizeof(text), ", window: {sliding: %dms}, lateness: %dms%s",
             (int)variant->size_ms, (int)variant->lateness_ms, more);
    group_open(&harness, "window.aggregate", further, text);
    harness.row_watermarks = true;
    for (uint32_t i = 0; i < ROWS;) {
        uint32_t count = 1 + (uint32_t)mr_random_below(&random, cut);
        count = count < ROWS - i ? count : ROWS - i;
        harness_feed(&harness, 0, rows + i, count);
        i += count;
        if (restores && mr_random_below(&random, 3) == 0) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
    }
    harness_watermark(&harness, INT64_C(1) << 40);
    assert_int_equal(harness.errors_count, 0);
    harness_commit(&harness);
    assert_string_equal(harness_dump(&harness, &harness.plan_arena), "");
    harness_close(&harness);
}

static void random_rows_give_what_a_plain_computation_gives(void **state)
{
    MR_UNUSED(state);
    static const char *const further[] = {", zz: stddev(value)",
                                          ", zz: 'count_distinct(value, 2000)'",
                                          ", zz: 'collect(value, 20)', zy: median(value)"};
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        const struct variant *variant = &variants[seed % MR_ARRAY_COUNT(variants)];
        make_rows(variant, seed);
        uint32_t count = compute(variant);
        assert_true(count > ROWS / 2 && count < ROWS);
        run(variant, further[seed % 3], "", seed % 2 == 0 ? 300 : 17, seed >= 2);
        assert_int_equal(group_results_count, count);
        for (uint32_t i = 0; i < count; i++)
            group_expect(i, plain[i].key, plain[i].start_ms, plain[i].end_ms, plain[i].count,
                         plain[i].sum);
    }
}

/* What is there of a result is nothing that was not; the earliest ones are forgotten. */
static void a_full_table_forgets_what_is_oldest(void **state)
{
    MR_UNUSED(state);
    make_rows(&variants[1], 3);
    uint32_t count = compute(&variants[1]);
    run(&variants[1], ", zz: stddev(value)", ", state: {max_keys: 50}", 100, true);
    assert_true(group_results_count > 50 && group_results_count < count);
    for (uint32_t i = 0, j = 0; i < group_results_count; i++) {
        while (j < count && compare_results(&plain[j], &group_results[i]) < 0)
            j++;
        assert_true(j < count && compare_results(&plain[j], &group_results[i]) == 0);
        assert_true(group_results[i].count >= 1 && group_results[i].count <= plain[j].count);
    }
}

/* ---- Stored bytes, and what is refused ---- */

/* Cells that wait, two levels of pages, one of them with suffixes. */
static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {sliding: 10ms}");
    for (int64_t i = 0; i < 22; i++)
        group_feed(&harness, "a", 1700000000000 + i, (double)i);
    group_feed(&harness, "b", -5, 3);
    harness_watermark(&harness, 1700000000020);
    harness_commit(&harness);
    harness_check_golden(&harness, "window_sliding_v1");
    harness_close(&harness);
    group_open(&harness, "window.aggregate", "", ", window: {sliding: 10ms}");
    harness_load_golden(&harness, "window_sliding_v1");
    harness_watermark(&harness, 1700000000022);
    assert_int_equal(group_results_count, 2);
    group_expect(0, "a", 1700000000011, 1700000000021, 10, 155);
    group_expect(1, "a", 1700000000012, 1700000000022, 10, 165);
    harness_close(&harness);
}

static void what_sliding_windows_do_not_do_is_refused(void **state)
{
    MR_UNUSED(state);
    static const char *const refused[][2] = {
        {"aggregates: {high: 'max(k, 480)', low: 'min(k, 480)'}",
         "'op' (window.aggregate): the aggregates need 976 bytes per record, a sliding window "
         "keeps at most 768: divide them among several operators"},
        {"emit: update, aggregates: {size: count()}",
         "'op' (window.aggregate): 'emit' has no meaning for a sliding window: each record has one "
         "result, when the watermark has passed it"},
        {"emit: periodic, emit_every: 1s, aggregates: {size: count()}",
         "'op' (window.aggregate): 'emit' has no meaning for a sliding window"},
        {"emit_every: 1s, aggregates: {size: count()}",
         "'op' (window.aggregate): 'emit_every' has no meaning for a sliding window"},
        {"time: processing, aggregates: {size: count()}",
         "'op' (window.aggregate): a sliding window is told by event time: leave out time: "
         "processing"}};
    struct mr_arena arena;
    mr_arena_init(&arena, 64 << 10);
    for (size_t i = 0; i < MR_ARRAY_COUNT(refused); i++) {
        char text[512];
        snprintf(text, sizeof(text),
                 "    - {name: op, type: window.aggregate, from: in, key: [k], "
                 "window: {sliding: 10s}, %s}\n",
                 refused[i][0]);
        const char *findings =
            harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n", text,
                             "    - {name: out, type: memory, from: op}\n");
        if (strstr(findings, refused[i][1]) == NULL)
            fail_msg("%s: %s", refused[i][0], findings);
    }
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_record_has_the_window_that_ends_with_it),
        cmocka_unit_test(records_of_one_millisecond_see_each_other),
        cmocka_unit_test(lateness_keeps_results_back),
        cmocka_unit_test(having_is_about_results),
        cmocka_unit_test(a_sum_beyond_its_type_is_that_window_s_failure),
        cmocka_unit_test(a_row_that_a_body_refuses_is_not_there),
        cmocka_unit_test(silence_gives_back_all_state),
        cmocka_unit_test(random_rows_give_what_a_plain_computation_gives),
        cmocka_unit_test(a_full_table_forgets_what_is_oldest),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(what_sliding_windows_do_not_do_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
