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
static void check_rows(const struct mr_watermark_run *run, const int64_t *expected)
{
    static const int64_t times[ROWS] = {1000, 3000, 9000, 9000, 2000, 4000};
    static const uint16_t good[] = {0, 1, 4, 5};
    struct mr_arena arena;
    struct mr_batch batch;
    mr_arena_init(&arena, 4096);
    mr_batch_init(&batch, &arena, (struct mr_batch_shape){0}, ROWS);
    batch.rows_count = ROWS;
    for (uint32_t row = 0; row < ROWS; row++)
        batch.event_times_ms[row] = times[row];
    mr_watermark_rows(run, (struct mr_view){&batch, good, 4});
    for (uint32_t row = 0; row < ROWS; row++)
        assert_int_equal(batch.watermarks_ms[row], expected[row]);
    mr_arena_deinit(&arena);
}

static void test_a_row_sees_the_rows_in_front_of_it_only(void **state)
{
    (void)state;
    check_rows(&(struct mr_watermark_run){.task_ms = INT64_MIN,
                                          .others_ms = INT64_MAX,
                                          .highest_event_ms = INT64_MIN,
                                          .max_delay_ms = 500},
               (const int64_t[]){INT64_MIN, 500, 2500, 2500, 2500, 2500});
}

static void test_other_inputs_hold_and_the_tasks_own_never_falls(void **state)
{
    (void)state;
    check_rows(
        &(struct mr_watermark_run){
            .task_ms = 700, .others_ms = 2000, .highest_event_ms = 900, .max_delay_ms = 500},
        (const int64_t[]){700, 700, 2000, 2000, 2000, 2000});
    check_rows(&(struct mr_watermark_run){.task_ms = INT64_MIN,
                                          .others_ms = INT64_MIN,
                                          .highest_event_ms = 900,
                                          .max_delay_ms = 0},
               (const int64_t[]){INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_held_watermark_is_lower_and_never_wraps),
        cmocka_unit_test(test_a_row_sees_the_rows_in_front_of_it_only),
        cmocka_unit_test(test_other_inputs_hold_and_the_tasks_own_never_falls),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
