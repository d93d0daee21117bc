/* What the conformance suite does not ask of consumers: misuse, deleted topics, fairness. */
#include "tests/unit/connectors/memory_helpers.h"

static struct mr_log_consumer *consumer_of(struct mr_log *log)
{
    struct mr_error error;
    struct mr_log_consumer *consumer = NULL;
    struct mr_log_consumer_options options = {0};
    assert_int_equal(log->ops->consumer_create(log, &options, &consumer, &error), MR_OK);
    return consumer;
}

static void test_misuse(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_error error;
    helper_topic(log, "t", 2, MR_LOG_CLEANUP_DELETE, -1);
    struct mr_log_consumer *consumer = consumer_of(log);
    struct mr_log_assignment both[] = {{.topic = "t"}, {.topic = "t", .partition = 5}};
    /* All or nothing. */
    assert_int_equal(log->ops->consumer_add(consumer, both, 2, &error), MR_NOT_FOUND);
    assert_int_equal(log->ops->consumer_remove(consumer, both, 1, &error), MR_NOT_FOUND);
    assert_int_equal(log->ops->consumer_pause(consumer, "t", 0, true, &error), MR_NOT_FOUND);
    assert_int_equal(log->ops->consumer_add(consumer, both, 1, &error), MR_OK);
    assert_int_equal(log->ops->consumer_add(consumer, both, 1, &error), MR_INVALID);
    both[0].topic = "none";
    assert_int_equal(log->ops->consumer_add(consumer, both, 1, &error), MR_NOT_FOUND);
    struct mr_log_fetch fetch;
    assert_int_equal(log->ops->consumer_poll(consumer, 1, 0, &fetch, &error), MR_AGAIN);
    log->ops->fetch_release(consumer, &fetch); /* of nothing: fine */
    log->ops->consumer_destroy(consumer);
    log->ops->consumer_destroy(NULL);
    log->ops->close(log);
}

static void test_deleted_topic_is_an_error_told_once(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_error error;
    helper_topic(log, "t", 2, MR_LOG_CLEANUP_DELETE, -1);
    helper_topic(log, "u", 1, MR_LOG_CLEANUP_DELETE, -1);
    struct mr_log_consumer *consumer = consumer_of(log);
    struct mr_log_assignment all[] = {{.topic = "t", .tag = 1},
                                      {.topic = "t", .partition = 1, .tag = 2},
                                      {.topic = "u", .tag = 3}};
    assert_int_equal(log->ops->consumer_add(consumer, all, 3, &error), MR_OK);
    helper_write(log, "t", 0, 5, 10);
    helper_write(log, "u", 0, 5, 10);
    assert_int_equal(log->ops->topic_delete(log, "t", &error), MR_OK);
    helper_topic(log, "t", 2, MR_LOG_CLEANUP_DELETE, -1); /* another topic of that name */
    helper_write(log, "t", 0, 5, 10);
    uint32_t records[4] = {0};
    uint32_t errors[4] = {0};
    struct mr_log_fetch fetch;
    while (log->ops->consumer_poll(consumer, 100, 0, &fetch, &error) == MR_OK) {
        uint32_t errors_of_fetch = 0;
        for (uint32_t i = 0; i < fetch.messages_count; i++) {
            bool failed = fetch.messages[i].event == MR_LOG_PARTITION_ERROR;
            errors_of_fetch += failed;
            (failed ? errors : records)[fetch.messages[i].tag]++;
        }
        assert_true(errors_of_fetch <= 1);
        if (errors_of_fetch == 1)
            assert_non_null(strstr(fetch.error.message, "deleted"));
        log->ops->fetch_release(consumer, &fetch);
    }
    assert_int_equal(records[1] + records[2], 0);
    assert_int_equal(records[3], 5);
    assert_int_equal(errors[1], 1);
    assert_int_equal(errors[2], 1);
    log->ops->consumer_destroy(consumer);
    log->ops->close(log);
}

static void test_partitions_take_turns(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_error error;
    helper_topic(log, "t", 3, MR_LOG_CLEANUP_DELETE, -1);
    struct mr_log_consumer *consumer = consumer_of(log);
    for (uint32_t i = 0; i < 3; i++) {
        struct mr_log_assignment one = {.topic = "t", .partition = (int32_t)i, .tag = i};
        helper_write(log, "t", (int32_t)i, 1000, 10);
        assert_int_equal(log->ops->consumer_add(consumer, &one, 1, &error), MR_OK);
    }
    uint32_t counts[3] = {0};
    for (uint32_t i = 0; i < 6; i++) {
        struct mr_log_fetch fetch;
        assert_int_equal(log->ops->consumer_poll(consumer, 100, 0, &fetch, &error), MR_OK);
        for (uint32_t at = 0; at < fetch.messages_count; at++)
            counts[fetch.messages[at].tag]++;
        log->ops->fetch_release(consumer, &fetch);
    }
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(counts[i], 200);
    log->ops->consumer_destroy(consumer);
    log->ops->close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_deleted_topic_is_an_error_told_once),
        cmocka_unit_test(test_partitions_take_turns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
