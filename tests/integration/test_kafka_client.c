/* tests/integration/test_kafka_client.c — logins, against a broker that asks for one (SASL PLAIN).
 */
#include <stdio.h>

#include "base/clock.h"
#include "tests/integration/kafka_support.h"

static const char *const good[] = {
    "security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", "PLAIN", "sasl.username",
    "millrace",          "sasl.password",  "right",          NULL};
static const char *const bad[] = {
    "security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", "PLAIN", "sasl.username",
    "millrace",          "sasl.password",  "wr0ng-secret",   NULL};

static struct mr_error error;

static void test_the_right_password(void **state)
{
    (void)state;
    struct mr_error trouble;
    struct mr_log *kafka = support_log(good);
    const char *topic = support_topic(kafka, 1);
    support_write(kafka, topic, 0, 0, 10);
    struct mr_log_consumer *consumer = support_consumer(kafka, topic, 0, 0);
    assert_int_equal(support_read(kafka, consumer, 10, SUPPORT_WAIT_MS, &trouble), 10);
    kafka->ops->consumer_destroy(consumer);
    kafka->ops->close(kafka);
}

/* The sentence says that it is the login, does not hold the password, and comes at once. */
static void expect_refusal(const struct mr_error *refusal, uint64_t start_ms)
{
    assert_int_equal(refusal->status, MR_INVALID);
    assert_int_equal(refusal->recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    assert_non_null(strstr(refusal->message, "credentials"));
    assert_null(strstr(refusal->message, "wr0ng-secret"));
    assert_true(mr_clock_monotonic_ms() - start_ms < 10000);
}

static void test_a_wrong_password(void **state)
{
    (void)state;
    struct mr_log *kafka = support_log(bad);
    char id[MR_LOG_ID_SIZE];
    uint64_t start_ms = mr_clock_monotonic_ms();
    assert_int_not_equal(kafka->ops->cluster_id(kafka, id, &error), MR_OK);
    expect_refusal(&error, start_ms);
    struct mr_log_producer *producer = NULL;
    const struct mr_log_producer_options options = {.transactional_id = "id",
                                                    .transaction_timeout_ms = 10000};
    start_ms = mr_clock_monotonic_ms();
    assert_int_not_equal(
        kafka->ops->producer_create(kafka, &options, SUPPORT_WAIT_MS, &producer, &error), MR_OK);
    expect_refusal(&error, start_ms);
    struct mr_log_consumer *consumer = support_consumer(kafka, "any", 0, 0);
    struct mr_error trouble;
    start_ms = mr_clock_monotonic_ms();
    assert_int_equal(support_read(kafka, consumer, 1, SUPPORT_WAIT_MS, &trouble), 0);
    expect_refusal(&trouble, start_ms);
    kafka->ops->consumer_destroy(consumer);
    kafka->ops->close(kafka);
}

/* No login at all, to a broker that wants one: nothing answers, which is a time-out, not a hang. */
static void test_no_login(void **state)
{
    (void)state;
    struct mr_log *kafka = support_log(NULL);
    struct mr_log_producer *producer = NULL;
    const struct mr_log_producer_options options = {.transactional_id = "id",
                                                    .transaction_timeout_ms = 10000};
    assert_int_equal(kafka->ops->producer_create(kafka, &options, 1500, &producer, &error),
                     MR_TIMEOUT);
    assert_int_equal(error.recovery, MR_RECOVERY_RETRY);
    kafka->ops->close(kafka);
}

int main(void)
{
    support_brokers();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_right_password),
        cmocka_unit_test(test_a_wrong_password),
        cmocka_unit_test(test_no_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
