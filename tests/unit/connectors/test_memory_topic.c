/* Partitions as queues of segments: append, copy, seek, advance. */
#include "tests/unit/connectors/memory_helpers.h"

static struct mr_memory_partition *partition_of(struct mr_log *log)
{
    return ((struct mr_memory_log *)log)->topics[0]->partitions[0];
}

static void test_small_transactions_share_a_segment(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    helper_topic(log, "t", 1, MR_LOG_CLEANUP_DELETE, -1);
    for (uint32_t i = 0; i < 100; i++)
        assert_int_equal(helper_write(log, "t", 0, 1, 64), i);
    assert_int_equal(partition_of(log)->count, 1);
    assert_int_equal(partition_of(log)->used_bytes, 100 * (24 + 64));
    /* A large one is handed over, and the next small one goes behind it. */
    helper_write(log, "t", 0, 2000, 64);
    uint32_t count = partition_of(log)->count;
    assert_true(count > 1);
    assert_int_equal(helper_write(log, "t", 0, 1, 64), 2100);
    assert_true(partition_of(log)->count <= count + 1);
    assert_int_equal(partition_of(log)->end_offset, 2101);
    log->ops->close(log);
}

static void test_seek_finds_the_segment(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    helper_topic(log, "t", 1, MR_LOG_CLEANUP_DELETE, -1);
    for (uint32_t i = 0; i < 10; i++)
        helper_write(log, "t", 0, 1000, 64);
    const struct mr_memory_partition *partition = partition_of(log);
    assert_true(partition->count > 5);
    for (int64_t offset = 0; offset < 10000; offset += 97) {
        uint32_t index = mr_memory_partition_seek(partition, offset);
        const struct mr_memory_segment *segment = mr_memory_partition_segment(partition, index);
        assert_true(segment->base_offset <= offset && offset < segment->end_offset);
    }
    assert_int_equal(mr_memory_partition_seek(partition, 10000), partition->count);
    log->ops->close(log);
}

static void test_advance_counts_to_the_byte(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_error error;
    helper_topic(log, "t", 1, MR_LOG_CLEANUP_DELETE, -1);
    for (uint32_t i = 0; i < 10; i++)
        helper_write(log, "t", 0, 1000, 40);
    for (int64_t offset = 1; offset <= 10000; offset += 303) {
        assert_int_equal(log->ops->records_delete(log, "t", 0, offset, &error), MR_OK);
        assert_int_equal(helper_statistics(log, "t").pending_bytes, (10000 - offset) * 64);
        assert_int_equal(helper_statistics(log, "t").records_count, 10000 - offset);
    }
    assert_int_equal(log->ops->records_delete(log, "t", 0, 10000, &error), MR_OK);
    assert_int_equal(partition_of(log)->count, 0);
    assert_int_equal(helper_statistics(log, "t").memory_bytes, 0);
    assert_int_equal(log->ops->records_delete(log, "t", 0, 10001, &error), MR_INVALID);
    assert_int_equal(helper_write(log, "t", 0, 1, 1), 10000);
    log->ops->close(log);
}

static void test_a_busy_queue_does_not_grow(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_error error;
    helper_topic(log, "t", 1, MR_LOG_CLEANUP_DELETE, -1);
    for (uint32_t i = 0; i < 300; i++) {
        int64_t last = helper_write(log, "t", 0, 100, 1000);
        assert_int_equal(
            log->ops->records_delete(log, "t", 0, last - 250 < 0 ? 0 : last - 250, &error), MR_OK);
    }
    assert_true(partition_of(log)->capacity <= 64);
    log->ops->close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_small_transactions_share_a_segment),
        cmocka_unit_test(test_seek_finds_the_segment),
        cmocka_unit_test(test_advance_counts_to_the_byte),
        cmocka_unit_test(test_a_busy_queue_does_not_grow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
