/* tests/integration/test_kafka_cluster.c — brokers that are away: at start, for a while, in the
 * middle of a commit. The test stops, freezes and starts its own broker. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "tests/integration/kafka_support.h"

static struct mr_error error;

/* Port 1 of the loopback: nobody listens there. */
static void test_no_broker_at_all(void **state)
{
    (void)state;
    struct mr_log *kafka = NULL;
    REQUIRE(
        mr_kafka_log_create(&(struct mr_kafka_log_open){.brokers = "127.0.0.1:1"}, &kafka, &error));
    struct mr_log_producer *producer = NULL;
    const struct mr_log_producer_options options = {.transactional_id = "id",
                                                    .transaction_timeout_ms = 10000};
    uint64_t start_ms = mr_clock_monotonic_ms();
    assert_int_equal(kafka->ops->producer_create(kafka, &options, 1000, &producer, &error),
                     MR_TIMEOUT);
    assert_int_equal(error.recovery, MR_RECOVERY_RETRY);
    assert_true(mr_clock_monotonic_ms() - start_ms < 5000);
    struct mr_log_consumer *consumer = support_consumer(kafka, "any", 0, 0);
    uint64_t cpu_ns = mr_clock_process_cpu_ns();
    struct mr_error trouble;
    assert_int_equal(support_read(kafka, consumer, 1, 4000, &trouble), 0);
    assert_int_equal(trouble.status, MR_OK);
    uint64_t used_ms = (mr_clock_process_cpu_ns() - cpu_ns) / 1000000;
    print_message("waiting 4 s for a broker took %llu ms of CPU\n", (unsigned long long)used_ms);
    assert_true(used_ms < 400); /* no busy loop */
    kafka->ops->consumer_destroy(consumer);
    char id[MR_LOG_ID_SIZE];
    start_ms = mr_clock_monotonic_ms();
    assert_int_equal(kafka->ops->cluster_id(kafka, id, &error), MR_TIMEOUT);
    assert_int_equal(error.recovery, MR_RECOVERY_RETRY);
    assert_true(mr_clock_monotonic_ms() - start_ms < 20000);
    kafka->ops->close(kafka);
}

static void test_a_broker_that_goes_and_comes_back(void **state)
{
    (void)state;
    struct mr_error trouble;
    struct mr_log *kafka = support_log(NULL);
    const char *topic = support_topic(kafka, 1);
    support_write(kafka, topic, 0, 0, 100);
    struct mr_log_consumer *consumer = support_consumer(kafka, topic, 0, 0);
    assert_int_equal(support_read(kafka, consumer, 100, SUPPORT_WAIT_MS, &trouble), 100);
    support_kafka("stop --kill");
    assert_int_equal(support_read(kafka, consumer, 1, 5000, &trouble), 0);
    assert_int_equal(trouble.status, MR_OK); /* still waiting: not an error of the partition */
    char start[512];
    const char *options = getenv("KAFKA_OPTIONS"); /* as with_kafka gave them */
    snprintf(start, sizeof(start), "start --port %s %s", strrchr(support_brokers(), ':') + 1,
             options != NULL ? options : "");
    support_kafka(start);
    support_write(kafka, topic, 0, 100, 50);
    assert_int_equal(support_read(kafka, consumer, 50, SUPPORT_WAIT_MS, &trouble), 50);
    kafka->ops->consumer_destroy(consumer);
    kafka->ops->close(kafka);
}

/* 4 s in small steps: where the machine itself stands still for seconds, one long sleep would end
 * before the client had the time to give its request up. */
static void *thaw_later(void *argument)
{
    for (int step = 0; step < 80; step++)
        mr_clock_sleep_ms(50);
    kill(*(const int *)argument, SIGCONT);
    return NULL;
}

/* The broker stops answering while EndTxn is on its way: librdkafka repeats the request and reports
 * success in the end, but the first EndTxn could still arrive and end a later transaction
 * (KAFKA-17754). So commit must not say MR_OK. */
static void test_an_unclear_commit_is_not_a_commit(void **state)
{
    (void)state;
    static const char *const settings[] = {"socket.timeout.ms", "1000", NULL};
    struct mr_log *kafka = support_log(NULL);
    const char *topic = support_topic(kafka, 1);
    struct mr_log_producer *producer = support_producer(kafka, support_name("id"), settings);
    struct mr_log_record record = support_record(topic, 0, "x");
    REQUIRE(kafka->ops->producer_begin(producer, &error));
    REQUIRE(kafka->ops->producer_send(producer, &record, 1, &error));
    REQUIRE(kafka->ops->producer_flush(producer, &error));
    int pid = support_broker_pid();
    pthread_t thread;
    assert_int_equal(kill(pid, SIGSTOP), 0);
    assert_int_equal(pthread_create(&thread, NULL, thaw_later, &pid), 0);
    enum mr_status status = kafka->ops->producer_commit(producer, &error);
    pthread_join(thread, NULL);
    assert_int_not_equal(status, MR_OK);
    assert_int_equal(error.recovery, MR_RECOVERY_REINCARNATE);
    print_message("unclear commit: %s\n", error.message);
    kafka->ops->producer_destroy(producer);
    kafka->ops->close(kafka);
}

/* A transaction that is older than its time-out: the coordinator ends it, the owner is told. */
static void test_a_transaction_that_expired(void **state)
{
    (void)state;
    struct mr_log *kafka = support_log(NULL);
    const char *topic = support_topic(kafka, 1);
    const char *id = support_name("id");
    struct mr_log_producer *producer = NULL;
    const struct mr_log_producer_options options = {.transactional_id = id,
                                                    .transaction_timeout_ms = 1500};
    REQUIRE(kafka->ops->producer_create(kafka, &options, SUPPORT_WAIT_MS, &producer, &error));
    struct mr_log_record record = support_record(topic, 0, "x");
    REQUIRE(kafka->ops->producer_begin(producer, &error));
    REQUIRE(kafka->ops->producer_send(producer, &record, 1, &error));
    REQUIRE(kafka->ops->producer_flush(producer, &error));
    mr_clock_sleep_ms(5000); /* the broker looks every second, see KAFKA_OPTIONS */
    assert_int_not_equal(kafka->ops->producer_commit(producer, &error), MR_OK);
    assert_int_equal(error.recovery, MR_RECOVERY_REINCARNATE);
    kafka->ops->producer_destroy(producer);
    kafka->ops->close(kafka);
}

int main(void)
{
    support_brokers();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_broker_at_all),
        cmocka_unit_test(test_a_broker_that_goes_and_comes_back),
        cmocka_unit_test(test_an_unclear_commit_is_not_a_commit),
        cmocka_unit_test(test_a_transaction_that_expired),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
