/* tests/integration/test_kafka_consumer.c — topics that vanish or come back as others, partitions
 * that are added again, large records. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
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

static void create(const char *topic)
{
    REQUIRE(kafka->ops->topic_create(kafka,
                                     &(struct mr_log_topic_create){.name = topic,
                                                                   .partitions_count = 1,
                                                                   .replication_factor = 1},
                                     &error));
}

static void test_a_topic_that_is_not_there(void **state)
{
    (void)state;
    struct mr_error trouble;
    struct mr_log_consumer *consumer = support_consumer(kafka, support_name("nowhere"), 0, 0);
    assert_int_equal(support_read(kafka, consumer, 1, SUPPORT_WAIT_MS, &trouble), 0);
    assert_int_equal(trouble.status, MR_NOT_FOUND);
    assert_int_equal(trouble.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    kafka->ops->consumer_destroy(consumer);
}

/* The new topic is longer than the old one, so that going on at the old offset would find records.
 */
static void test_a_topic_that_was_created_anew(void **state)
{
    (void)state;
    struct mr_error trouble;
    const char *topic = support_name("topic");
    create(topic);
    support_write(kafka, topic, 0, 0, 50);
    struct mr_log_consumer *consumer = support_consumer(kafka, topic, 0, 0);
    assert_int_equal(support_read(kafka, consumer, 50, SUPPORT_WAIT_MS, &trouble), 50);
    REQUIRE(kafka->ops->topic_delete(kafka, topic, &error));
    struct mr_log_topic described;
    uint64_t deadline_ms = mr_clock_monotonic_ms() + SUPPORT_WAIT_MS;
    while (kafka->ops->topic_describe(kafka, topic, &described, &error) != MR_NOT_FOUND &&
           mr_clock_monotonic_ms() < deadline_ms)
        mr_clock_sleep_ms(20);
    create(topic);
    support_write(kafka, topic, 0, 1000, 500);
    /* That it is gone may be told first. */
    deadline_ms = mr_clock_monotonic_ms() + SUPPORT_WAIT_MS;
    do {
        assert_int_equal(support_read(kafka, consumer, 1, SUPPORT_WAIT_MS, &trouble), 0);
        assert_int_equal(trouble.status, MR_NOT_FOUND);
        assert_int_equal(trouble.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    } while (strstr(trouble.message, "created anew") == NULL &&
             mr_clock_monotonic_ms() < deadline_ms);
    assert_non_null(strstr(trouble.message, "created anew"));
    /* It stays so: nothing of the new topic is ever delivered by this consumer. */
    assert_int_equal(support_read(kafka, consumer, 1, 2000, &trouble), 0);
    const struct mr_log_assignment again = {.topic = topic, .offset = 0};
    REQUIRE(kafka->ops->consumer_remove(consumer, &again, 1, &error));
    REQUIRE(kafka->ops->consumer_add(consumer, &again, 1, &error));
    assert_int_equal(support_read(kafka, consumer, 1, 2000, &trouble), 0);
    assert_int_equal(trouble.status, MR_NOT_FOUND);
    kafka->ops->consumer_destroy(consumer);
}

/* A replay: the same partition again, at a lower offset, with the fetched records of its first life
 * still in the queue. */
static void test_adding_again_starts_where_it_is_told(void **state)
{
    (void)state;
    const char *topic = support_topic(kafka, 1);
    support_write(kafka, topic, 0, 0, 3000);
    struct mr_log_consumer *consumer = support_consumer(kafka, topic, 0, 1000);
    for (int64_t offset = 900; offset >= 0; offset -= 100) {
        struct mr_log_fetch fetch;
        REQUIRE(kafka->ops->consumer_poll(consumer, 10, SUPPORT_WAIT_MS, &fetch, &error));
        kafka->ops->fetch_release(consumer, &fetch);
        const struct mr_log_assignment again = {.topic = topic, .offset = offset};
        REQUIRE(kafka->ops->consumer_remove(consumer, &again, 1, &error));
        REQUIRE(kafka->ops->consumer_add(consumer, &again, 1, &error));
        for (int64_t expected = offset; expected < offset + 20;) {
            REQUIRE(kafka->ops->consumer_poll(consumer, 7, SUPPORT_WAIT_MS, &fetch, &error));
            for (uint32_t index = 0; index < fetch.messages_count; index++, expected++)
                assert_int_equal(fetch.messages[index].offset, expected);
            kafka->ops->fetch_release(consumer, &fetch);
        }
    }
    kafka->ops->consumer_destroy(consumer);
}

/* Records larger than what a fetch asks for, with a small queue. */
static void test_large_records(void **state)
{
    (void)state;
    enum { RECORDS = 12, VALUE_BYTES = 1000000 };
    const char *topic = support_topic(kafka, 1);
    uint8_t *value = mr_memory_new(1, VALUE_BYTES);
    struct mr_log_record records[RECORDS];
    for (uint32_t index = 0; index < RECORDS; index++) {
        records[index] = support_record(topic, 0, "");
        records[index].value = mr_slice_from(value, VALUE_BYTES);
    }
    REQUIRE(
        mr_log_write_once(kafka, support_name("id"), records, RECORDS, SUPPORT_WAIT_MS, &error));
    /* Also with less room than librdkafka needs, and with more than it accepts. */
    const uint64_t room_bytes[] = {1, UINT64_C(8) << 30};
    for (size_t index = 0; index < MR_ARRAY_COUNT(room_bytes); index++) {
        struct mr_log_consumer *consumer = NULL;
        const struct mr_log_consumer_options options = {.queued_bytes_max = room_bytes[index]};
        REQUIRE(kafka->ops->consumer_create(kafka, &options, &consumer, &error));
        const struct mr_log_assignment assignment = {.topic = topic};
        REQUIRE(kafka->ops->consumer_add(consumer, &assignment, 1, &error));
        struct mr_error trouble;
        assert_int_equal(support_read(kafka, consumer, RECORDS, SUPPORT_WAIT_MS, &trouble),
                         RECORDS);
        kafka->ops->consumer_destroy(consumer);
    }
    mr_memory_free(value);
}

static void test_what_is_not_assigned(void **state)
{
    (void)state;
    const char *topic = support_topic(kafka, 2);
    struct mr_log_consumer *consumer = support_consumer(kafka, topic, 0, 0);
    const struct mr_log_assignment both[] = {{.topic = topic, .partition = 1},
                                             {.topic = topic, .partition = 0}};
    /* The second is read already: the first is not kept either. */
    assert_int_equal(kafka->ops->consumer_add(consumer, both, 2, &error), MR_INVALID);
    assert_int_equal(kafka->ops->consumer_remove(consumer, both, 1, &error), MR_NOT_FOUND);
    assert_int_equal(kafka->ops->consumer_pause(consumer, topic, 1, true, &error), MR_NOT_FOUND);
    kafka->ops->consumer_destroy(consumer);
}

int run_consumer_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_topic_that_is_not_there),
        cmocka_unit_test(test_a_topic_that_was_created_anew),
        cmocka_unit_test(test_adding_again_starts_where_it_is_told),
        cmocka_unit_test(test_large_records),
        cmocka_unit_test(test_what_is_not_assigned),
    };
    return cmocka_run_group_tests_name("kafka consumer", tests, start, stop);
}
