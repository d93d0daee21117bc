/* tests/unit/worker/test_watermark.c — watermarks of rows and what they are made of. */
#include "worker/watermark.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ROWS = 6 };

static void test_a_held_watermark_is_lower_and_never_wraps(void **state)
{
    (void)state;
    assert_int_equal(mr_watermark_held(1000, 0), 1000);
    assert_int_equal(mr_watermark_held(1000, 300), 700);
    assert_int_equal(mr_watermark_held(0, 300), -300);
    assert_int_equal(mr_watermark_held(INT64_MIN, 300), INT64_MIN);
    assert_int_equal(mr_watermark_held(INT64_MAX, 300), INT64_MAX);
    assert_int_equal(mr_watermark_held(INT64_MIN + 100, 300), INT64_MIN + 1);
}

/* Rows 2 and 3 of six have failed. */
static void check_rows(const struct mr_watermark_run *given, const int64_t *expected)
{
    struct mr_watermark_run run = *given;
    static const int64_t times[ROWS] = {1000, 3000, 9000, 9000, 2000, 4000};
    static const uint16_t good[] = {0, 1, 4, 5};
    struct mr_arena arena;
    struct mr_batch batch;
    mr_arena_init(&arena, 4096);
    mr_batch_init(&batch, &arena, (struct mr_batch_shape){0}, ROWS);
    batch.rows_count = ROWS;
    for (uint32_t row = 0; row < ROWS; row++)
        batch.event_times_ms[row] = times[row];
    run.times_ms = batch.event_times_ms;
    mr_watermark_rows(&run, (struct mr_view){&batch, good, 4});
    for (uint32_t row = 0; row < ROWS; row++)
        assert_int_equal(batch.watermarks_ms[row], expected[row]);
    mr_arena_deinit(&arena);
}

static void test_a_row_sees_the_rows_in_front_of_it_only(void **state)
{
    (void)state;
    check_rows(&(struct mr_watermark_run){.task_ms = INT64_MIN,
                                          .others_ms = INT64_MAX,
                                          .highest_ms = INT64_MIN,
                                          .max_delay_ms = 500},
               (const int64_t[]){INT64_MIN, 500, 2500, 2500, 2500, 2500});
}

static void test_other_inputs_hold_and_the_tasks_own_never_falls(void **state)
{
    (void)state;
    check_rows(
        &(struct mr_watermark_run){
            .task_ms = 700, .others_ms = 2000, .highest_ms = 900, .max_delay_ms = 500},
        (const int64_t[]){700, 700, 2000, 2000, 2000, 2000});
    check_rows(
        &(struct mr_watermark_run){
            .task_ms = INT64_MIN, .others_ms = INT64_MIN, .highest_ms = 900, .max_delay_ms = 0},
        (const int64_t[]){INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN});
}

static struct mr_carried record_of(uint32_t upstream, int64_t watermark_ms)
{
    return (struct mr_carried){.watermark_ms = watermark_ms, .upstream = upstream};
}

static struct mr_carried mark_of(uint32_t upstream, int64_t watermark_ms, bool idle)
{
    return (struct mr_carried){
        .watermark_ms = watermark_ms, .upstream = upstream, .mark = true, .idle = idle};
}

static void take(struct mr_upstreams *upstreams, struct mr_carried carried)
{
    mr_upstreams_take(upstreams, &carried);
}

static void test_the_slowest_upstream_holds_the_watermark(void **state)
{
    struct mr_upstream items[3];
    struct mr_upstreams upstreams;
    uint32_t holder;
    (void)state;
    mr_upstreams_init(&upstreams, items, 3);
    assert_true(upstreams.lowest_ms == INT64_MIN);
    take(&upstreams, record_of(0, 100));
    take(&upstreams, record_of(1, 200));
    /* One that has said nothing holds it; so does one that only says that it is not idle. */
    assert_true(upstreams.lowest_ms == INT64_MIN);
    assert_true(mr_upstreams_holder(&upstreams, &holder));
    assert_int_equal(holder, 2);
    take(&upstreams, mark_of(2, 150, false));
    assert_int_equal(upstreams.lowest_ms, 100);
    assert_int_equal(upstreams.highest_ms, 200);
    take(&upstreams, record_of(0, 90)); /* never back */
    assert_int_equal(upstreams.lowest_ms, 100);
    take(&upstreams, record_of(0, 300));
    assert_int_equal(upstreams.lowest_ms, 150);
    assert_true(mr_upstreams_holder(&upstreams, &holder));
    assert_int_equal(holder, 2);
    take(&upstreams, record_of(3, 1000)); /* the plan has no such task */
    take(&upstreams, record_of(MR_UPSTREAM_UNKNOWN, 1000));
    assert_int_equal(upstreams.highest_ms, 300);
}

static void test_an_idle_upstream_holds_nobody_until_it_speaks(void **state)
{
    struct mr_upstream items[2];
    struct mr_upstreams upstreams;
    uint32_t holder;
    (void)state;
    mr_upstreams_init(&upstreams, items, 2);
    take(&upstreams, mark_of(0, INT64_MIN, true));
    take(&upstreams, record_of(1, 500));
    assert_int_equal(upstreams.lowest_ms, 500);
    take(&upstreams, mark_of(1, 600, true));
    assert_true(upstreams.lowest_ms == INT64_MAX);
    assert_int_equal(upstreams.highest_ms, 600);
    assert_false(mr_upstreams_holder(&upstreams, &holder));
    take(&upstreams, record_of(0, 400));
    assert_int_equal(upstreams.lowest_ms, 400);
    take(&upstreams, mark_of(1, 600, false));
    assert_int_equal(upstreams.lowest_ms, 400);
    take(&upstreams, record_of(0, 700));
    assert_int_equal(upstreams.lowest_ms, 600);
}

static void test_records_of_repartitions_see_what_stood_before_them(void **state)
{
    struct mr_upstream items[2];
    struct mr_upstreams upstreams;
    int64_t watermarks_ms[5];
    (void)state;
    mr_upstreams_init(&upstreams, items, 2);
    const struct mr_carried carried[] = {record_of(0, 100), record_of(1, 50), record_of(1, 120),
                                         mark_of(0, 900, true), mark_of(1, 900, true)};
    const struct mr_watermark_run run = {.task_ms = 60, .others_ms = 200};
    mr_upstreams_take_run(&upstreams, carried, 5, &run, watermarks_ms);
    static const int64_t expected[] = {60, 60, 100, 120, 200};
    for (uint32_t row = 0; row < 5; row++)
        assert_int_equal(watermarks_ms[row], expected[row]);
    assert_true(upstreams.lowest_ms == INT64_MAX);
}

static void test_upstreams_have_ended_when_all_say_so(void **state)
{
    struct mr_upstream items[2];
    struct mr_upstreams upstreams;
    struct mr_carried first = mark_of(0, 500, true);
    struct mr_carried second = mark_of(1, 600, true);
    (void)state;
    first.ended = true;
    second.ended = true;
    mr_upstreams_init(&upstreams, items, 0);
    assert_false(mr_upstreams_ended(&upstreams));
    mr_upstreams_init(&upstreams, items, 2);
    take(&upstreams, first);
    assert_false(mr_upstreams_ended(&upstreams));
    take(&upstreams, mark_of(1, 600, true)); /* only idle */
    assert_false(mr_upstreams_ended(&upstreams));
    take(&upstreams, second); /* neither its time nor that it is idle are news */
    assert_true(mr_upstreams_ended(&upstreams));
    assert_true(upstreams.lowest_ms == INT64_MAX);
    take(&upstreams, record_of(0, 700)); /* its source was set back */
    assert_false(mr_upstreams_ended(&upstreams));
}

/* All are idle for a moment within a run: the rows behind it know, as they would if they came
 * alone; then the one that is far behind speaks, and nothing falls. */
static void test_a_moment_of_silence_within_a_run_counts(void **state)
{
    struct mr_upstream items[2];
    struct mr_upstreams upstreams;
    int64_t watermarks_ms[5];
    (void)state;
    const struct mr_carried carried[] = {record_of(0, 100), record_of(1, 50), mark_of(0, 900, true),
                                         mark_of(1, 60, true), record_of(1, 70)};
    static const int64_t alone[] = {INT64_MIN, 50, 50, 900, 900};
    static const int64_t with_another[] = {INT64_MIN, 50, 50, 950, 950};
    for (int64_t last_ms = INT64_MIN;; last_ms = 950) {
        const struct mr_watermark_run run = {
            .task_ms = INT64_MIN, .others_ms = INT64_MAX, .last_ms = last_ms};
        mr_upstreams_init(&upstreams, items, 2);
        mr_upstreams_take_run(&upstreams, carried, 5, &run, watermarks_ms);
        for (uint32_t row = 0; row < 5; row++)
            assert_true(watermarks_ms[row] == (last_ms == INT64_MIN ? alone : with_another)[row]);
        if (last_ms == 950)
            break;
    }
    assert_int_equal(upstreams.lowest_ms, 70);
}

/* Cut anywhere, the run gives the same watermarks: the state between is all there is. */
static void test_cuts_do_not_change_what_rows_see(void **state)
{
    enum { COUNT = 200, UPSTREAMS = 5 };
    struct mr_carried carried[COUNT];
    int64_t whole[COUNT];
    int64_t cut[COUNT];
    struct mr_upstream items[UPSTREAMS];
    struct mr_upstreams upstreams;
    (void)state;
    for (uint32_t index = 0; index < COUNT; index++) {
        uint32_t upstream = index * 7 % UPSTREAMS;
        carried[index] = index % 11 == 10 ? mark_of(upstream, 10 * index, index % 3 == 0)
                                          : record_of(upstream, 10 * index - index * 13 % 90);
    }
    struct mr_watermark_run run = {
        .task_ms = INT64_MIN, .others_ms = INT64_MAX, .last_ms = INT64_MIN};
    mr_upstreams_init(&upstreams, items, UPSTREAMS);
    mr_upstreams_take_run(&upstreams, carried, COUNT, &run, whole);
    mr_upstreams_init(&upstreams, items, UPSTREAMS);
    for (uint32_t first = 0; first < COUNT;) {
        uint32_t count = 1 + first % 9;
        if (count > COUNT - first)
            count = COUNT - first;
        mr_upstreams_take_run(&upstreams, carried + first, count, &run, cut + first);
        first += count;
        run.task_ms = cut[first - 1];
    }
    for (uint32_t index = 0; index < COUNT; index++)
        assert_true(whole[index] == cut[index]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_held_watermark_is_lower_and_never_wraps),
        cmocka_unit_test(test_a_row_sees_the_rows_in_front_of_it_only),
        cmocka_unit_test(test_other_inputs_hold_and_the_tasks_own_never_falls),
        cmocka_unit_test(test_the_slowest_upstream_holds_the_watermark),
        cmocka_unit_test(test_an_idle_upstream_holds_nobody_until_it_speaks),
        cmocka_unit_test(test_upstreams_have_ended_when_all_say_so),
        cmocka_unit_test(test_records_of_repartitions_see_what_stood_before_them),
        cmocka_unit_test(test_a_moment_of_silence_within_a_run_counts),
        cmocka_unit_test(test_cuts_do_not_change_what_rows_see),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
