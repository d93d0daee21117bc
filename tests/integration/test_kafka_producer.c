/* tests/integration/test_kafka_producer.c — what producers do with records that are too large,
 * late, refused or too many, and with topics that are not there. */
#include <inttypes.h>
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
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

static void test_a_record_that_is_too_large(void **state)
{
    (void)state;
    const char *topic = support_topic(kafka, 1);
    size_t size = 2 << 20;
    uint8_t *value = mr_memory_new(1, size);
    struct mr_log_producer *producer = support_producer(kafka, support_name("id"), NULL);
    struct mr_log_record record = support_record(topic, 0, "");
    record.value = mr_slice_from(value, size);
    REQUIRE(kafka->ops->producer_begin(producer, &error));
    enum mr_status status = kafka->ops->producer_send(producer, &record, 1, &error);
    if (status == MR_OK)
        status = kafka->ops->producer_commit(producer, &error);
    assert_int_equal(status, MR_LIMIT);
    assert_int_equal(error.recovery, MR_RECOVERY_REINCARNATE);
    assert_non_null(strstr(error.message, "max.message.bytes"));
    kafka->ops->producer_destroy(producer);
    mr_memory_free(value);
}

static void test_topics_and_partitions_that_are_not_there(void **state)
{
    (void)state;
    const char *nowhere = support_name("nowhere");
    const char *topic = support_topic(kafka, 2);
    struct mr_log_producer *producer = support_producer(kafka, NULL, NULL);
    struct mr_log_record record = support_record(nowhere, 0, "x");
    uint64_t start_ms = mr_clock_monotonic_ms();
    assert_int_equal(kafka->ops->producer_send(producer, &record, 1, &error), MR_NOT_FOUND);
    assert_non_null(strstr(error.message, nowhere));
    assert_int_equal(error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    record = support_record(topic, 2, "x");
    assert_int_equal(kafka->ops->producer_send(producer, &record, 1, &error), MR_NOT_FOUND);
    record = support_record(topic, -1, "x");
    assert_int_equal(kafka->ops->producer_send(producer, &record, 1, &error), MR_NOT_FOUND);
    assert_true(mr_clock_monotonic_ms() - start_ms <
                10000); /* told at once, not after a time-out */
    kafka->ops->producer_destroy(producer);
}

/* A small queue: send waits for room, and no record overtakes another. */
static void test_a_full_queue_blocks_and_keeps_the_order(void **state)
{
    (void)state;
    enum { RECORDS = 60000, VALUE_BYTES = 100, CHUNK = 5000 };
    const char *topic = support_topic(kafka, 2);
    struct mr_log_producer *producer = NULL;
    const struct mr_log_producer_options options = {.transactional_id = support_name("id"),
                                                    .transaction_timeout_ms = 30000,
                                                    .queued_bytes_max = 1};
    REQUIRE(kafka->ops->producer_create(kafka, &options, SUPPORT_WAIT_MS, &producer, &error));
    char *values = mr_memory_new(RECORDS, VALUE_BYTES);
    static struct mr_log_record records[CHUNK];
    REQUIRE(kafka->ops->producer_begin(producer, &error));
    for (uint32_t index = 0; index < RECORDS; index++) {
        char *value = values + (size_t)index * VALUE_BYTES;
        snprintf(value, VALUE_BYTES, "%099" PRIu32, index);
        records[index % CHUNK] = support_record(topic, (int32_t)(index % 2), value);
        if (index % CHUNK == CHUNK - 1)
            REQUIRE(kafka->ops->producer_send(producer, records, CHUNK, &error));
    }
    REQUIRE(kafka->ops->producer_commit(producer, &error));
    kafka->ops->producer_destroy(producer);
    for (int32_t partition = 0; partition < 2; partition++) {
        struct mr_log_consumer *consumer = support_consumer(kafka, topic, partition, 0);
        uint32_t seen_count = 0;
        while (seen_count < RECORDS / 2) {
            struct mr_log_fetch fetch;
            if (kafka->ops->consumer_poll(consumer, 1000, 10000, &fetch, &error) != MR_OK)
                fail_msg("nothing after %u records", seen_count);
            for (uint32_t index = 0; index < fetch.messages_count; index++, seen_count++)
                assert_int_equal(strtol((const char *)fetch.messages[index].value.data, NULL, 10),
                                 (long)seen_count * 2 + partition);
            kafka->ops->fetch_release(consumer, &fetch);
        }
        kafka->ops->consumer_destroy(consumer);
    }
    mr_memory_free(values);
}

/* Destroying with everything still in the queue frees the values (AddressSanitizer looks), commits
 * nothing, and does not wait. */
static void test_destroy_lets_go_of_the_values(void **state)
{
    (void)state;
    enum { RECORDS = 20000 };
    const char *topic = support_topic(kafka, 1);
    const char *id = support_name("id");
    char *values = mr_memory_new(RECORDS, 16);
    struct mr_log_record *records = mr_memory_new(RECORDS, sizeof(*records));
    for (uint32_t index = 0; index < RECORDS; index++) {
        snprintf(values + (size_t)index * 16, 16, "%" PRIu32, index);
        records[index] = support_record(topic, 0, values + (size_t)index * 16);
    }
    struct mr_log_producer *producer = support_producer(kafka, id, NULL);
    REQUIRE(kafka->ops->producer_begin(producer, &error));
    REQUIRE(kafka->ops->producer_send(producer, records, RECORDS, &error));
    uint64_t start_ms = mr_clock_monotonic_ms();
    kafka->ops->producer_destroy(producer);
    uint64_t took_ms = mr_clock_monotonic_ms() - start_ms;
    memset(values, '!', (size_t)RECORDS * 16);
    mr_memory_free(values);
    mr_memory_free(records);
    print_message("destroy of a producer with %d records took %" PRIu64 " ms\n", RECORDS, took_ms);
    assert_true(took_ms < 3000);
    REQUIRE(mr_log_fence(kafka, id, SUPPORT_WAIT_MS, &error));
    support_write(kafka, topic, 0, 7, 1);
    struct mr_error trouble;
    struct mr_log_consumer *consumer = support_consumer(kafka, topic, 0, 0);
    assert_int_equal(support_read(kafka, consumer, 2, 2000, &trouble), 1);
    kafka->ops->consumer_destroy(consumer);
}

/* The first record of a producer is not late, neither in a batch nor with headers and timestamp. */
static void test_the_first_record_is_not_late(void **state)
{
    (void)state;
    const char *topic = support_topic(kafka, 1);
    const struct mr_header header = {.name = "h", .value = mr_slice_text("v")};
    const struct mr_headers headers = {.items = &header, .count = 1};
    for (uint32_t with_headers = 0; with_headers < 2; with_headers++) {
        struct mr_log_producer *producer = support_producer(kafka, NULL, NULL);
        struct mr_log_record record = support_record(topic, 0, "first");
        if (with_headers == 1) {
            record.headers = &headers;
            record.timestamp_ms = mr_clock_wall_ms();
        }
        uint64_t start_ms = mr_clock_monotonic_ms();
        REQUIRE(kafka->ops->producer_send(producer, &record, 1, &error));
        REQUIRE(kafka->ops->producer_flush(producer, &error));
        uint64_t took_ms = mr_clock_monotonic_ms() - start_ms;
        print_message("first record %s headers: %" PRIu64 " ms\n",
                      with_headers ? "with" : "without", took_ms);
        assert_true(took_ms < 700);
        kafka->ops->producer_destroy(producer);
    }
}

static void test_max_block_bounds_the_wait(void **state)
{
    (void)state;
    static const char *const settings[] = {"max.block.ms", "200", "linger.ms", "3000", NULL};
    const char *topic = support_topic(kafka, 1);
    struct mr_log_producer *producer = NULL;
    const struct mr_log_producer_options options = {.queued_bytes_max = 1, .settings = settings};
    REQUIRE(kafka->ops->producer_create(kafka, &options, SUPPORT_WAIT_MS, &producer, &error));
    uint8_t *value = mr_memory_new(1, 600 << 10);
    struct mr_log_record records[] = {support_record(topic, 0, ""), support_record(topic, 0, "")};
    records[0].value = mr_slice_from(value, 600 << 10);
    records[1].value = records[0].value;
    /* The first fits in the queue of 1 MiB and lingers there; the second finds no room. */
    assert_int_equal(kafka->ops->producer_send(producer, records, 2, &error), MR_TIMEOUT);
    assert_int_equal(error.recovery, MR_RECOVERY_REINCARNATE);
    kafka->ops->producer_destroy(producer);
    mr_memory_free(value);
}

/* librdkafka's murmur2 partitioner is tested against Java's; ours must agree with it. */
static void test_partitions_agree_with_murmur2(void **state)
{
    (void)state;
    for (uint32_t index = 0; index < 5000; index++) {
        char key[32];
        int size = snprintf(key, sizeof(key), "%.*s%" PRIu32, (int)(index % 7), "sensor", index);
        int32_t partitions = (int32_t)(index % 31 + 1);
        assert_int_equal(
            mr_hash_partition(mr_slice_from(key, (size_t)size), partitions),
            rd_kafka_msg_partitioner_murmur2(NULL, key, (size_t)size, partitions, NULL, NULL));
    }
}

int run_producer_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_that_is_too_large),
        cmocka_unit_test(test_topics_and_partitions_that_are_not_there),
        cmocka_unit_test(test_a_full_queue_blocks_and_keeps_the_order),
        cmocka_unit_test(test_destroy_lets_go_of_the_values),
        cmocka_unit_test(test_the_first_record_is_not_late),
        cmocka_unit_test(test_max_block_bounds_the_wait),
        cmocka_unit_test(test_partitions_agree_with_murmur2),
    };
    return cmocka_run_group_tests_name("kafka producer", tests, start, stop);
}
