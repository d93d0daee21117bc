/* tests/integration/test_kafka_offsets.c — the end of a partition, deleted records, mirrored
 * offsets. */
#include <librdkafka/rdkafka.h>

#include "base/clock.h"
#include "tests/integration/kafka_support.h"

static struct mr_log *kafka;
static struct mr_error error;

static int start(void **state)
{
    (void)state;
    kafka = support_log(NULL);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kafka->ops->close(kafka);
    return 0;
}

static int64_t find(const char *topic, int64_t at)
{
    int64_t offset = -9;
    REQUIRE(kafka->ops->offset_find(kafka, topic, 0, at, &offset, &error));
    return offset;
}

static void test_the_end_lies_behind_open_transactions_and_markers(void **state)
{
    (void)state;
    const char *topic = support_topic(kafka, 1);
    assert_int_equal(find(topic, MR_LOG_OFFSET_LATEST), 0);
    struct mr_log_producer *producer = support_producer(kafka, support_name("id"), NULL);
    struct mr_log_record record = support_record(topic, 0, "open");
    REQUIRE(kafka->ops->producer_begin(producer, &error));
    REQUIRE(kafka->ops->producer_send(producer, &record, 1, &error));
    REQUIRE(kafka->ops->producer_flush(producer, &error));
    assert_int_equal(find(topic, MR_LOG_OFFSET_LATEST), 1);
    REQUIRE(kafka->ops->producer_commit(producer, &error));
    kafka->ops->producer_destroy(producer);
    /* The marker is written a moment after the commit is answered. */
    uint64_t deadline_ms = mr_clock_monotonic_ms() + SUPPORT_WAIT_MS;
    while (find(topic, MR_LOG_OFFSET_LATEST) != 2 && mr_clock_monotonic_ms() < deadline_ms)
        mr_clock_sleep_ms(5);
    assert_int_equal(find(topic, MR_LOG_OFFSET_LATEST), 2);
    assert_int_equal(find(topic, MR_LOG_OFFSET_EARLIEST), 0);
    assert_int_equal(find(topic, mr_clock_wall_ms() + 100000), 2); /* none so late: the end */
    assert_int_equal(find(topic, 0), 0);
}

static void test_offsets_of_what_is_not_there(void **state)
{
    (void)state;
    int64_t offset = -9;
    const char *topic = support_topic(kafka, 1);
    assert_int_equal(
        kafka->ops->offset_find(kafka, topic, 5, MR_LOG_OFFSET_LATEST, &offset, &error),
        MR_NOT_FOUND);
    assert_int_equal(kafka->ops->offset_find(kafka, support_name("nowhere"), 0,
                                             MR_LOG_OFFSET_LATEST, &offset, &error),
                     MR_NOT_FOUND);
    assert_int_equal(kafka->ops->records_delete(kafka, topic, 0, 100, &error), MR_CORRUPT);
    assert_int_not_equal(kafka->ops->records_delete(kafka, topic, 7, 0, &error), MR_OK);
}

static int64_t committed(const char *group, const char *topic, int32_t partition)
{
    char text[256];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", support_brokers(), text, sizeof(text));
    rd_kafka_conf_set(conf, "group.id", group, text, sizeof(text));
    rd_kafka_t *handle = rd_kafka_new(RD_KAFKA_CONSUMER, conf, text, sizeof(text));
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition);
    assert_int_equal(rd_kafka_committed(handle, list, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    int64_t offset = list->elems[0].offset;
    rd_kafka_topic_partition_list_destroy(list);
    rd_kafka_destroy(handle);
    return offset;
}

static void test_mirrored_offsets(void **state)
{
    (void)state;
    const char *topic = support_topic(kafka, 3);
    const char *group = support_name("group");
    struct mr_log_assignment offsets[] = {{.topic = topic, .partition = 0, .offset = 11},
                                          {.topic = topic, .partition = 2, .offset = 22},
                                          {.topic = topic, .partition = 1, .offset = -2}};
    /* The first commit of a cluster creates __consumer_offsets, which takes a moment. */
    uint64_t deadline_ms = mr_clock_monotonic_ms() + SUPPORT_WAIT_MS;
    while (kafka->ops->offsets_mirror(kafka, group, offsets, 3, &error) != MR_OK) {
        if (error.recovery != MR_RECOVERY_RETRY || mr_clock_monotonic_ms() > deadline_ms)
            fail_msg("mirror: %s", error.message);
        mr_clock_sleep_ms(200);
    }
    assert_int_equal(committed(group, topic, 0), 11);
    assert_int_equal(committed(group, topic, 2), 22);
    assert_int_equal(committed(group, topic, 1), RD_KAFKA_OFFSET_INVALID);
    offsets[0].offset = 5; /* back, after a reset */
    REQUIRE(kafka->ops->offsets_mirror(kafka, group, offsets, 1, &error));
    assert_int_equal(committed(group, topic, 0), 5);
    REQUIRE(kafka->ops->offsets_mirror(kafka, group, offsets, 0, &error));
}

int run_offsets_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_end_lies_behind_open_transactions_and_markers),
        cmocka_unit_test(test_offsets_of_what_is_not_there),
        cmocka_unit_test(test_mirrored_offsets),
    };
    return cmocka_run_group_tests_name("kafka offsets", tests, start, stop);
}
