/* The log itself: ids, limits of creation, statistics. What logs have in common is in the
 * conformance suite. */
#include "tests/unit/connectors/memory_helpers.h"

static void test_each_log_is_another_cluster(void **state)
{
    MR_UNUSED(state);
    struct mr_log *first = helper_log(0, 0);
    struct mr_log *second = helper_log(0, 0);
    struct mr_error error;
    char first_id[MR_LOG_ID_SIZE];
    char second_id[MR_LOG_ID_SIZE];
    assert_int_equal(first->ops->cluster_id(first, first_id, &error), MR_OK);
    assert_int_equal(second->ops->cluster_id(second, second_id, &error), MR_OK);
    assert_string_not_equal(first_id, second_id);
    assert_string_equal(first->ops->name, "memory");
    first->ops->close(first);
    second->ops->close(second);
}

static void test_partition_counts(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_error error;
    struct mr_log_topic_create create = {.name = "t", .partitions_count = 0};
    assert_int_equal(log->ops->topic_create(log, &create, &error), MR_INVALID);
    create.partitions_count = MR_LIMIT_PARTITIONS + 1;
    assert_int_equal(log->ops->topic_create(log, &create, &error), MR_INVALID);
    create.partitions_count = MR_LIMIT_PARTITIONS;
    assert_int_equal(log->ops->topic_create(log, &create, &error), MR_OK);
    assert_int_equal(log->ops->topic_grow(log, "t", MR_LIMIT_PARTITIONS + 1, &error), MR_INVALID);
    int64_t offset = -1;
    assert_int_equal(
        log->ops->offset_find(log, "t", MR_LIMIT_PARTITIONS, MR_LOG_OFFSET_LATEST, &offset, &error),
        MR_NOT_FOUND);
    assert_int_equal(log->ops->topic_delete(log, "none", &error), MR_NOT_FOUND);
    log->ops->close(log);
}

static void delete_each(void *argument, const char *name)
{
    struct mr_log *log = argument;
    struct mr_error error;
    assert_int_equal(log->ops->topic_delete(log, name, &error), MR_OK);
}

static void test_topics_may_go_while_they_are_listed(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_error error;
    helper_topic(log, "a", 1, MR_LOG_CLEANUP_DELETE, 0);
    helper_topic(log, "b", 1, MR_LOG_CLEANUP_COMPACT, 0);
    assert_int_equal(log->ops->topics_list(log, delete_each, log, &error), MR_OK);
    assert_int_equal(helper_statistics(log, NULL).topics_count, 0);
    log->ops->close(log);
}

static void test_statistics_sum_topics_up(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    helper_topic(log, "a", 2, MR_LOG_CLEANUP_DELETE, 0);
    helper_topic(log, "b", 1, MR_LOG_CLEANUP_DELETE, 0);
    helper_write(log, "a", 1, 10, 40);
    helper_write(log, "b", 0, 5, 40);
    assert_int_equal(helper_statistics(log, "a").records_count, 10);
    assert_int_equal(helper_statistics(log, NULL).records_count, 15);
    assert_int_equal(helper_statistics(log, NULL).topics_count, 2);
    assert_int_equal(helper_statistics(log, NULL).pending_bytes, 15 * 64);
    assert_int_equal(helper_statistics(log, "none").topics_count, 0);
    log->ops->close(log);
}

static void test_default_limits(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_error error;
    struct mr_log_topic topic;
    helper_topic(log, "t", 1, MR_LOG_CLEANUP_COMPACT, 0);
    assert_int_equal(log->ops->topic_describe(log, "t", &topic, &error), MR_OK);
    assert_int_equal(topic.message_bytes_max, 1048588);
    assert_int_equal(topic.delete_retention_ms, 600000);
    assert_int_equal(((struct mr_memory_log *)log)->topic_bytes_max, 64 << 20);
    log->ops->close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_log_is_another_cluster),
        cmocka_unit_test(test_partition_counts),
        cmocka_unit_test(test_topics_may_go_while_they_are_listed),
        cmocka_unit_test(test_statistics_sum_topics_up),
        cmocka_unit_test(test_default_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
