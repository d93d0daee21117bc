/* Limits at admission: nothing with a reader is dropped, nothing stops for good. */
#include "tests/unit/connectors/memory_helpers.h"

#include "base/clock.h"

enum { LIMIT = 256 << 10 };

static void test_unread_topic_keeps_its_newest_and_counts(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(LIMIT, 0);
    helper_topic(log, "sink", 2, MR_LOG_CLEANUP_DELETE, 0);
    for (uint32_t i = 0; i < 200; i++) {
        helper_write(log, "sink", (int32_t)(i % 2), 100, 100);
        assert_false(log->ops->over_limit(log, "sink"));
    }
    struct mr_memory_log_statistics statistics = helper_statistics(log, "sink");
    assert_true(statistics.memory_bytes <= LIMIT);
    assert_true(statistics.dropped_records > 0);
    assert_int_equal(statistics.dropped_records + statistics.records_count, 20000);
    /* The newest is what was kept. */
    struct mr_error error;
    int64_t start = -1;
    assert_int_equal(log->ops->offset_find(log, "sink", 1, MR_LOG_OFFSET_EARLIEST, &start, &error),
                     MR_OK);
    assert_true(start > 0 && start < 10000);
    log->ops->close(log);
}

static void test_transaction_above_the_limit_is_taken_whole(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(LIMIT, 0);
    helper_topic(log, "read", 1, MR_LOG_CLEANUP_DELETE, 0);
    helper_passed(log, "read", 0, "r", 0);
    assert_false(log->ops->over_limit(log, "read"));
    int64_t last = helper_write(log, "read", 0, 10000, 100);
    assert_int_equal(last, 9999);
    assert_true(log->ops->over_limit(log, "read"));
    assert_int_equal(helper_statistics(log, "read").records_count, 10000);
    assert_int_equal(helper_statistics(log, "read").dropped_records, 0);
    helper_passed(log, "read", 0, "r", last + 1);
    assert_false(log->ops->over_limit(log, "read"));
    assert_int_equal(helper_statistics(log, "read").memory_bytes, 0);
    log->ops->close(log);
}

static void test_records_leave_when_the_slowest_reader_has_passed(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(LIMIT, 0);
    helper_topic(log, "read", 1, MR_LOG_CLEANUP_DELETE, 0);
    helper_passed(log, "read", 0, "fast", 0);
    helper_passed(log, "read", 0, "slow", 0);
    helper_write(log, "read", 0, 10000, 100);
    helper_passed(log, "read", 0, "fast", 10000);
    assert_int_equal(helper_statistics(log, "read").records_count, 10000);
    assert_true(log->ops->over_limit(log, "read"));
    helper_passed(log, "read", 0, "slow", 9000);
    assert_int_equal(helper_statistics(log, "read").records_count, 1000);
    assert_int_equal(helper_statistics(log, "read").pending_bytes, 1000 * 128);
    assert_false(log->ops->over_limit(log, "read"));
    /* Going back is no progress, and what left stays away. */
    helper_passed(log, "read", 0, "slow", 10);
    assert_int_equal(helper_statistics(log, "read").records_count, 1000);
    /* The slow one leaves for good. */
    helper_passed(log, "read", 0, "slow", -1);
    assert_int_equal(helper_statistics(log, "read").records_count, 0);
    log->ops->close(log);
}

static void test_reader_counts_for_partitions_it_has_not_named(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(LIMIT, 0);
    helper_topic(log, "read", 2, MR_LOG_CLEANUP_DELETE, 0);
    helper_passed(log, "read", 0, "r", 0);
    helper_write(log, "read", 1, 10000, 100);
    assert_int_equal(helper_statistics(log, "read").dropped_records, 0);
    assert_true(log->ops->over_limit(log, "read"));
    /* Without its last reader it is an unread topic. */
    helper_passed(log, "read", 0, "r", -1);
    assert_true(helper_statistics(log, "read").dropped_records > 0);
    assert_true(helper_statistics(log, "read").memory_bytes <= LIMIT);
    assert_false(log->ops->over_limit(log, "read"));
    log->ops->close(log);
}

static void test_many_partitions_that_are_passed_are_not_over(void **state)
{
    MR_UNUSED(state);
    /* The last segments of 64 partitions alone would be over the limit. */
    struct mr_log *log = helper_log(LIMIT, 0);
    helper_topic(log, "read", 64, MR_LOG_CLEANUP_DELETE, 0);
    helper_passed(log, "read", 0, "r", 0);
    for (int32_t partition = 0; partition < 64; partition++) {
        helper_write(log, "read", partition, 60, 100);
        helper_passed(log, "read", partition, "r", 59);
    }
    assert_int_equal(helper_statistics(log, "read").records_count, 64);
    assert_false(log->ops->over_limit(log, "read"));
    log->ops->close(log);
}

static void test_repartition_topic_is_freed_by_records_delete(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(LIMIT, 0);
    struct mr_error error;
    helper_topic(log, "repartition", 1, MR_LOG_CLEANUP_DELETE, -1);
    helper_write(log, "repartition", 0, 10000, 100);
    assert_int_equal(helper_statistics(log, "repartition").dropped_records, 0);
    assert_true(log->ops->over_limit(log, "repartition"));
    assert_int_equal(log->ops->records_delete(log, "repartition", 0, 9999, &error), MR_OK);
    assert_false(log->ops->over_limit(log, "repartition"));
    assert_int_equal(helper_statistics(log, "repartition").records_count, 1);
    log->ops->close(log);
}

static void test_compacted_topic_is_never_over_nor_dropped(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(16 << 10, 0);
    helper_topic(log, "changelog", 1, MR_LOG_CLEANUP_COMPACT, 0);
    char key[16];
    for (uint32_t i = 0; i < 2000; i++) {
        (void)snprintf(key, sizeof(key), "key-%u", i);
        helper_put(log, "changelog", key, "value");
    }
    helper_passed(log, "changelog", 0, "r", 2000);
    assert_false(log->ops->over_limit(log, "changelog"));
    assert_int_equal(helper_statistics(log, "changelog").records_count, 2000);
    log->ops->close(log);
}

/* A cycle: the task that reads "a" writes "b" and the task that reads "b" writes "a"; both are over
 * their limits, so neither source may be polled. Every two records that are read make one. */
static void test_cycle_over_its_limits_drains(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(16 << 10, 0);
    const char *topics[] = {"a", "b"};
    int64_t next[2] = {0};
    int64_t end[2] = {400, 400};
    for (uint32_t i = 0; i < 2; i++) {
        helper_topic(log, topics[i], 1, MR_LOG_CLEANUP_DELETE, 0);
        helper_passed(log, topics[i], 0, "task", 0);
        helper_write(log, topics[i], 0, 400, 100);
        assert_true(log->ops->over_limit(log, topics[i]));
    }
    uint64_t deadline_ms = mr_clock_monotonic_ms() + 20000;
    while ((next[0] < end[0] || next[1] < end[1]) && mr_clock_monotonic_ms() < deadline_ms) {
        mr_clock_sleep_ms(5);
        for (uint32_t i = 0; i < 2; i++) {
            if (log->ops->over_limit(log, topics[1 - i]) || next[i] == end[i])
                continue;
            int64_t taken = end[i] - next[i] < 200 ? end[i] - next[i] : 200;
            if (taken / 2 > 0)
                end[1 - i] = helper_write(log, topics[1 - i], 0, (uint32_t)taken / 2, 100) + 1;
            next[i] += taken;
            helper_passed(log, topics[i], 0, "task", next[i]);
        }
    }
    assert_int_equal(next[0], end[0]);
    assert_int_equal(next[1], end[1]);
    assert_true(helper_statistics(log, NULL).let_through_count > 0);
    log->ops->close(log);
}

static void test_reader_that_stands_still_costs_a_trickle(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(16 << 10, 0);
    helper_topic(log, "read", 1, MR_LOG_CLEANUP_DELETE, 0);
    helper_passed(log, "read", 0, "stuck", 0);
    helper_write(log, "read", 0, 1000, 100);
    uint32_t let_through = 0;
    uint64_t start_ms = mr_clock_monotonic_ms();
    while (mr_clock_monotonic_ms() - start_ms < 1500) {
        let_through += log->ops->over_limit(log, "read") ? 0 : 1;
        mr_clock_sleep_ms(1);
    }
    assert_true(let_through >= 1);
    assert_true(let_through <= 500 / MR_MEMORY_LET_THROUGH_MS + 2);
    /* As soon as it moves, the limit holds again. */
    helper_passed(log, "read", 0, "stuck", 1);
    assert_true(log->ops->over_limit(log, "read"));
    assert_true(log->ops->over_limit(log, "read"));
    log->ops->close(log);
}

static void test_errors(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(LIMIT, 0);
    struct mr_error error;
    helper_topic(log, "read", 1, MR_LOG_CLEANUP_DELETE, 0);
    assert_int_equal(log->ops->readers_passed(log, "none", 0, "r", 0, &error), MR_NOT_FOUND);
    assert_int_equal(log->ops->readers_passed(log, "read", 1, "r", 0, &error), MR_NOT_FOUND);
    assert_int_equal(log->ops->readers_passed(log, "read", 0, "r", 1, &error), MR_INVALID);
    assert_int_equal(log->ops->readers_passed(log, "read", 0, "r", -2, &error), MR_INVALID);
    /* Leaving without having come is fine. */
    assert_int_equal(log->ops->readers_passed(log, "read", 0, "r", -1, &error), MR_OK);
    assert_false(log->ops->over_limit(log, "none"));
    log->ops->close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unread_topic_keeps_its_newest_and_counts),
        cmocka_unit_test(test_transaction_above_the_limit_is_taken_whole),
        cmocka_unit_test(test_records_leave_when_the_slowest_reader_has_passed),
        cmocka_unit_test(test_reader_counts_for_partitions_it_has_not_named),
        cmocka_unit_test(test_many_partitions_that_are_passed_are_not_over),
        cmocka_unit_test(test_repartition_topic_is_freed_by_records_delete),
        cmocka_unit_test(test_compacted_topic_is_never_over_nor_dropped),
        cmocka_unit_test(test_cycle_over_its_limits_drains),
        cmocka_unit_test(test_reader_that_stands_still_costs_a_trickle),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
