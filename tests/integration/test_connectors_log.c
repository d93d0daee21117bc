/* tests/integration/test_connectors_log.c — reading to the end and claim-style writing on a real
 * Kafka: behind open and hanging transactions, behind trailing markers. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

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

struct seen {
    uint32_t count;
    int64_t last_offset;
    char last[16];
};

static enum mr_status see(void *argument, const struct mr_log_message *message,
                          struct mr_error *unused)
{
    (void)unused;
    struct seen *seen = argument;
    seen->count++;
    seen->last_offset = message->offset;
    snprintf(seen->last, sizeof(seen->last), "%.*s", (int)message->value.size,
             (const char *)message->value.data);
    return MR_OK;
}

static struct mr_log_producer *hang(const char *id, const char *topic, const char *value)
{
    struct mr_log_producer *producer = support_producer(kafka, id, NULL);
    struct mr_log_record record = support_record(topic, 0, value);
    REQUIRE(kafka->ops->producer_begin(producer, &error));
    REQUIRE(kafka->ops->producer_send(producer, &record, 1, &error));
    REQUIRE(kafka->ops->producer_flush(producer, &error));
    return producer;
}

static void test_an_open_transaction_is_waited_for(void **state)
{
    (void)state;
    const char *topic = support_topic(kafka, 1);
    support_write(kafka, topic, 0, 1, 2);
    struct mr_log_producer *open = hang(support_name("open"), topic, "late");
    support_write(kafka, topic, 0, 100, 1); /* committed, but behind the open one */
    struct seen seen = {0};
    int64_t end = -1;
    assert_int_equal(mr_log_read_to_end(kafka, topic, 0, 0, see, &seen, 700, &end, &error),
                     MR_TIMEOUT);
    assert_int_equal(error.recovery, MR_RECOVERY_RETRY);
    assert_int_equal(seen.count, 2);
    REQUIRE(kafka->ops->producer_commit(open, &error));
    kafka->ops->producer_destroy(open);
    seen = (struct seen){0};
    REQUIRE(mr_log_read_to_end(kafka, topic, 0, 0, see, &seen, SUPPORT_WAIT_MS, &end, &error));
    assert_int_equal(seen.count, 4);
    assert_string_equal(seen.last, "100");
}

/* The record that decides comes after reading has begun: a reader that stops at the first end of
 * partition misses it. */
static void *commit_late(void *argument)
{
    mr_clock_sleep_ms(1000);
    struct mr_error late_error;
    enum mr_status status = kafka->ops->producer_commit(argument, &late_error);
    return status == MR_OK ? argument : NULL;
}

static void test_a_commit_during_the_reading_is_seen(void **state)
{
    (void)state;
    const char *topic = support_topic(kafka, 1);
    support_write(kafka, topic, 0, 1, 1);
    struct mr_log_producer *open = hang(support_name("open"), topic, "late");
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, commit_late, open), 0);
    struct seen seen = {0};
    int64_t end = -1;
    REQUIRE(mr_log_read_to_end(kafka, topic, 0, 0, see, &seen, SUPPORT_WAIT_MS, &end, &error));
    void *committed = NULL;
    pthread_join(thread, &committed);
    assert_non_null(committed);
    kafka->ops->producer_destroy(open);
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.last, "late");
    assert_int_equal(end, 4); /* 0: "1", 1: its marker, 2: "late", 3: its marker */
}

static void test_a_hanging_transaction_ends_with_its_fence(void **state)
{
    (void)state;
    const char *topic = support_topic(kafka, 1);
    const char *id = support_name("hanging");
    support_write(kafka, topic, 0, 1, 1);
    kafka->ops->producer_destroy(hang(id, topic, "never"));
    support_write(kafka, topic, 0, 2, 1);
    struct seen seen = {0};
    int64_t end = -1;
    assert_int_equal(mr_log_read_to_end(kafka, topic, 0, 0, see, &seen, 500, &end, &error),
                     MR_TIMEOUT);
    REQUIRE(mr_log_fence(kafka, id, SUPPORT_WAIT_MS, &error));
    seen = (struct seen){0};
    REQUIRE(mr_log_read_to_end(kafka, topic, 0, 0, see, &seen, SUPPORT_WAIT_MS, &end, &error));
    assert_int_equal(seen.count, 2);
    assert_string_equal(seen.last, "2");
}

static void test_trailing_markers_and_aborted_records(void **state)
{
    (void)state;
    const char *topic = support_topic(kafka, 1);
    struct seen seen = {0};
    int64_t end = -1;
    int64_t high = -1;
    support_write(kafka, topic, 0, 1, 3);
    for (uint32_t turn = 0; turn < 3; turn++) {
        const char *id = support_name("aborted");
        kafka->ops->producer_destroy(hang(id, topic, "aborted"));
        REQUIRE(mr_log_fence(kafka, id, SUPPORT_WAIT_MS, &error));
    }
    REQUIRE(kafka->ops->offset_find(kafka, topic, 0, MR_LOG_OFFSET_LATEST, &high, &error));
    REQUIRE(mr_log_read_to_end(kafka, topic, 0, 0, see, &seen, SUPPORT_WAIT_MS, &end, &error));
    assert_int_equal(seen.count, 3);
    assert_int_equal(seen.last_offset, 2);
    assert_int_equal(end, high);
    assert_int_equal(high, 10); /* 3 records, a marker, 3 x (aborted record, marker) */
    /* Only markers and aborted records in between: nothing is visited, the end is reached. */
    seen = (struct seen){0};
    REQUIRE(mr_log_read_to_end(kafka, topic, 0, 3, see, &seen, SUPPORT_WAIT_MS, &end, &error));
    assert_int_equal(seen.count, 0);
    assert_int_equal(end, high);
}

static void test_offsets_outside_the_log(void **state)
{
    (void)state;
    const char *topic = support_topic(kafka, 1);
    struct seen seen = {0};
    int64_t end = -1;
    support_write(kafka, topic, 0, 1, 10);
    assert_int_equal(mr_log_read_to_end(kafka, topic, 0, 500, see, &seen, 5000, &end, &error),
                     MR_CORRUPT);
    REQUIRE(kafka->ops->records_delete(kafka, topic, 0, 5, &error));
    assert_int_equal(mr_log_read_to_end(kafka, topic, 0, 2, see, &seen, 5000, &end, &error),
                     MR_CORRUPT);
    assert_int_equal(seen.count, 0);
    assert_int_equal(
        mr_log_read_to_end(kafka, support_name("nowhere"), 0, 0, see, &seen, 5000, &end, &error),
        MR_NOT_FOUND);
}

static int by_number(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* As a claim does it: initialise, write, commit, and read the partition to its end. Printed only.
 */
static void test_duration_of_a_claim(void **state)
{
    (void)state;
    enum { TURNS = 15 };
    double write_ms[TURNS];
    double read_ms[TURNS];
    const char *topic = support_topic(kafka, 1);
    const char *id = support_name("claim");
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        struct seen seen = {0};
        int64_t end = -1;
        struct mr_log_record record = support_record(topic, 0, "mine");
        uint64_t start_ns = mr_clock_monotonic_ns();
        REQUIRE(mr_log_write_once(kafka, id, &record, 1, SUPPORT_WAIT_MS, &error));
        uint64_t written_ns = mr_clock_monotonic_ns();
        REQUIRE(mr_log_read_to_end(kafka, topic, 0, 0, see, &seen, SUPPORT_WAIT_MS, &end, &error));
        write_ms[turn] = (double)(written_ns - start_ns) / 1e6;
        read_ms[turn] = (double)(mr_clock_monotonic_ns() - written_ns) / 1e6;
        assert_int_equal(seen.count, turn + 1);
    }
    qsort(write_ms, TURNS, sizeof(double), by_number);
    qsort(read_ms, TURNS, sizeof(double), by_number);
    print_message("claim: write %.1f ms (median of %d, destroy included; fastest %.1f), read to "
                  "the end %.1f ms (fastest %.1f)\n",
                  write_ms[TURNS / 2], TURNS, write_ms[0], read_ms[TURNS / 2], read_ms[0]);
}

int run_log_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_open_transaction_is_waited_for),
        cmocka_unit_test(test_a_commit_during_the_reading_is_seen),
        cmocka_unit_test(test_a_hanging_transaction_ends_with_its_fence),
        cmocka_unit_test(test_trailing_markers_and_aborted_records),
        cmocka_unit_test(test_offsets_outside_the_log),
        cmocka_unit_test(test_duration_of_a_claim),
    };
    return cmocka_run_group_tests_name("log on kafka", tests, start, stop);
}
