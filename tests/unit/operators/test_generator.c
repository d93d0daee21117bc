/* tests/unit/operators/test_generator.c — whose records, when, and at which event time. */
#include "operators/generator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"

static struct mr_generator make(int64_t partition, int64_t partitions_count)
{
    return (struct mr_generator){.partition = partition,
                                 .partitions_count = partitions_count,
                                 .end_position = INT64_MAX,
                                 .start_ms = 1000,
                                 .step_ms = 1};
}

static void an_unbounded_rate_fills_every_batch(void **state)
{
    MR_UNUSED(state);
    struct mr_generator generator = make(0, 1);
    generator.end_position = 10;
    uint32_t rows = 0;
    int64_t due_ms = 0;
    assert_int_equal(mr_generator_due(&generator, 0, 5, 8, &rows, &due_ms), MR_OK);
    assert_int_equal(rows, 8);
    assert_int_equal(mr_generator_due(&generator, 8, 5, 8, &rows, &due_ms), MR_OK);
    assert_int_equal(rows, 2);
    assert_int_equal(mr_generator_due(&generator, 10, 5, 8, &rows, &due_ms), MR_END);
}

static void a_rate_is_kept_and_divided_among_partitions(void **state)
{
    MR_UNUSED(state);
    struct mr_generator generator = make(1, 2);
    generator.rate = 1000; /* 500 a second for this partition: one every 2 ms */
    uint32_t rows = 0;
    int64_t due_ms = 0;
    int64_t position = 40; /* a restart: the pace begins here */
    assert_int_equal(mr_generator_due(&generator, position, 7000, 100, &rows, &due_ms), MR_OK);
    assert_int_equal(rows, 1);
    position += 1;
    assert_int_equal(mr_generator_due(&generator, position, 7001, 100, &rows, &due_ms), MR_AGAIN);
    assert_int_equal(due_ms, 7002);
    assert_int_equal(mr_generator_due(&generator, position, due_ms, 100, &rows, &due_ms), MR_OK);
    assert_int_equal(rows, 1);
    /* One second later 500 more are due; a batch takes what it has room for. */
    assert_int_equal(mr_generator_due(&generator, position, 8000, 100, &rows, &due_ms), MR_OK);
    assert_int_equal(rows, 100);
    assert_int_equal(mr_generator_due(&generator, position, 8000, 4096, &rows, &due_ms), MR_OK);
    assert_int_equal(rows, 500);
}

static void every_due_time_is_met(void **state)
{
    MR_UNUSED(state);
    struct mr_generator generator = make(0, 1);
    generator.rate = 333.3;
    int64_t now_ms = 0;
    int64_t position = 0;
    while (now_ms < 100000) {
        uint32_t rows = 0;
        int64_t due_ms = 0;
        enum mr_status status =
            mr_generator_due(&generator, position, now_ms, 4096, &rows, &due_ms);
        if (status == MR_OK) {
            position += rows;
            continue;
        }
        assert_int_equal(status, MR_AGAIN);
        assert_true(due_ms > now_ms);
        now_ms = due_ms;
    }
    assert_in_range(position, 33330, 33335);
}

static void event_time_is_a_function_of_the_number(void **state)
{
    MR_UNUSED(state);
    struct mr_generator generator = make(2, 3);
    assert_int_equal(mr_generator_index(&generator, 5), 17);
    assert_int_equal(mr_generator_time_ms(&generator, 17), 1017);
    generator.step_ms = 0;
    generator.rate = 2000;
    assert_int_equal(mr_generator_time_ms(&generator, 0), 1000);
    assert_int_equal(mr_generator_time_ms(&generator, 17), 1008);
    assert_int_equal(mr_generator_time_ms(&generator, 2000), 2000);
    /* No overflow, and never back. */
    generator.rate = 1e-3;
    assert_int_equal(mr_generator_time_ms(&generator, INT64_MAX / 2), (int64_t)1 << 60);
    generator.step_ms = 86400000;
    assert_int_equal(mr_generator_time_ms(&generator, INT64_MAX / 2), (int64_t)1 << 60);
    assert_int_equal(mr_generator_time_ms(&generator, 2), 172801000);
}

static void rows_have_all_but_their_fields(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    const struct mr_plan_node node = {.name = "numbers"};
    struct mr_generator generator = make(1, 3);
    generator.node = &node;
    struct mr_batch batch;
    mr_batch_init(&batch, &arena, (struct mr_batch_shape){.slots_count = 1}, 4);
    mr_generator_rows(&generator, &batch, 10, 3);
    assert_int_equal(batch.rows_count, 3);
    assert_string_equal(batch.origin.topic, "numbers");
    assert_int_equal(batch.origin.partition, 1);
    assert_int_equal(batch.offsets[2], 12);
    assert_int_equal(batch.event_times_ms[2], 1037);
    assert_int_equal(batch.timestamps_ms[2], 1037);
    assert_true(batch.key_nulls[2] && !batch.payload_nulls[2]);
    assert_true(mr_slice_equal(batch.payloads[2], mr_slice_text("{}")));
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unbounded_rate_fills_every_batch),
        cmocka_unit_test(a_rate_is_kept_and_divided_among_partitions),
        cmocka_unit_test(every_due_time_is_met),
        cmocka_unit_test(event_time_is_a_function_of_the_number),
        cmocka_unit_test(rows_have_all_but_their_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
