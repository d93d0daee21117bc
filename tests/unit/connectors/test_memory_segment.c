/* Segments: their pool, and what a record looks like in one. */
#include "tests/unit/connectors/memory_helpers.h"

#include "base/memory.h"

static void test_sizes_and_pool(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_memory_log *memory = (struct mr_memory_log *)log;
    struct mr_memory_segment *small = mr_memory_segment_take(memory, 0, 100);
    struct mr_memory_segment *fitting = mr_memory_segment_take(memory, 0, 20000);
    struct mr_memory_segment *large = mr_memory_segment_take(memory, 0, 3 << 20);
    assert_int_equal(small->capacity, 16 << 10);
    assert_int_equal(fitting->capacity, 32 << 10);
    assert_int_equal(large->capacity, 3 << 20);
    mr_memory_segment_retain(small);
    mr_memory_segment_release(memory, small);
    assert_int_equal(memory->pool_bytes, 0);
    small->bytes_used = 99;
    mr_memory_segment_release(memory, small);
    mr_memory_segment_release(memory, fitting);
    mr_memory_segment_release(memory, large);
    /* The odd size is not kept; the others come back, clean. */
    assert_int_equal(memory->pool_bytes, 48 << 10);
    struct mr_memory_segment *again = mr_memory_segment_take(memory, 0, 1);
    assert_ptr_equal(again, small);
    assert_int_equal(again->bytes_used, 0);
    mr_memory_segment_release(memory, again);
    log->ops->close(log);
}

static void test_pool_is_bounded(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_memory_log *memory = (struct mr_memory_log *)log;
    struct mr_memory_segment *segments[40];
    for (uint32_t i = 0; i < 40; i++)
        segments[i] = mr_memory_segment_take(memory, MR_MEMORY_SEGMENT_CLASSES - 1, 1);
    for (uint32_t i = 0; i < 40; i++)
        mr_memory_segment_release(memory, segments[i]);
    assert_int_equal(memory->pool_bytes, MR_MEMORY_POOL_BYTES_MAX);
    log->ops->close(log);
}

static void test_records(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_memory_log *memory = (struct mr_memory_log *)log;
    struct mr_memory_segment *segment = mr_memory_segment_take(memory, 0, 1000);
    struct mr_memory_segment *copy = mr_memory_segment_take(memory, 0, 1000);
    struct mr_header item = {"h", mr_slice_text("12")};
    struct mr_headers headers = {.items = &item, .count = 1};
    struct mr_log_record record = {.key = mr_slice_text("key"),
                                   .value = mr_slice_text("value"),
                                   .timestamp_ms = -1,
                                   .headers = &headers};
    size_t size = mr_memory_record_size(&record);
    assert_int_equal(size % 8, 0);
    mr_memory_record_append(segment, &record, size, 77);
    record.value_null = true;
    record.timestamp_ms = 5;
    mr_memory_record_append(segment, &record, mr_memory_record_size(&record), 88);
    assert_int_equal(segment->records_count, 2);
    assert_int_equal(segment->timestamp_ms_max, 77);
    const struct mr_memory_record *first = mr_memory_segment_record(segment, 0);
    assert_int_equal(mr_memory_stored_size(first), size);
    assert_int_equal(first->timestamp_ms, 77);
    assert_true(mr_slice_equal(mr_memory_stored_key(first), mr_slice_text("key")));
    assert_true(mr_slice_equal(mr_memory_stored_value(first), mr_slice_text("value")));
    const struct mr_memory_record *second = mr_memory_segment_record(segment, size);
    assert_int_equal(mr_memory_tombstone_sent_ms(second), 88);
    assert_int_equal(mr_memory_stored_value(second).size, 0);
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    struct mr_headers read = mr_memory_stored_headers(second, &arena);
    assert_int_equal(read.count, 1);
    assert_string_equal(read.items[0].name, "h");
    assert_true(mr_slice_equal(read.items[0].value, mr_slice_text("12")));
    mr_arena_deinit(&arena);
    copy->base_offset = 100;
    mr_memory_record_copy(copy, second, 1000);
    assert_int_equal(copy->end_offset, 1001);
    assert_int_equal(mr_memory_segment_record(copy, 0)->offset_delta, 900);
    mr_memory_segment_release(memory, segment);
    mr_memory_segment_release(memory, copy);
    log->ops->close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes_and_pool),
        cmocka_unit_test(test_pool_is_bounded),
        cmocka_unit_test(test_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
