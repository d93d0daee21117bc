/* tests/unit/connectors/test_kafka_config.c — which client settings are refused, and what is said.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connectors/kafka/internal.h"

static void expect_refused(const char *name, const char *value, const char *words)
{
    struct mr_error error = {0};
    if (mr_kafka_setting_check(name, value, &error) != MR_INVALID)
        fail_msg("%s=%s was not refused", name, value);
    assert_int_equal(error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    assert_non_null(strstr(error.message, name));
    if (strstr(error.message, words) == NULL)
        fail_msg("%s=%s: \"%s\" does not say \"%s\"", name, value, error.message, words);
}

static void expect_accepted(const char *name, const char *value)
{
    struct mr_error error = {0};
    if (mr_kafka_setting_check(name, value, &error) != MR_OK)
        fail_msg("%s=%s was refused: %s", name, value, error.message);
}

static void test_what_weakens_exactly_once_is_refused(void **state)
{
    (void)state;
    expect_refused("enable.idempotence", "false", "written twice");
    expect_refused("acks", "1", "in-sync replica");
    expect_refused("acks", "0", "in-sync replica");
    expect_refused("request.required.acks", "1", "in-sync replica");
    expect_refused("max.in.flight", "6", "in order");
    expect_refused("max.in.flight.requests.per.connection", "1000", "in order");
    expect_refused("max.in.flight", "0", "from 1 to 5");
    expect_refused("max.in.flight", "five", "whole number");
    expect_refused("retries", "0", "retry");
    expect_refused("message.send.max.retries", "0", "retry");
    expect_refused("transactional.id", "mine", "fences");
    expect_refused("transaction.timeout.ms", "1000", "commit interval");
    expect_refused("isolation.level", "read_uncommitted", "aborted");
    expect_refused("enable.auto.commit", "true", "same transaction");
    expect_refused("enable.auto.offset.store", "true", "same transaction");
    expect_refused("auto.offset.reset", "latest", "skip");
    expect_refused("auto.offset.reset", "earliest", "repeat");
    expect_refused("group.id", "mine", "group:");
    expect_refused("group.instance.id", "mine", "group:");
    expect_refused("queuing.strategy", "lifo", "order");
    expect_refused("bootstrap.servers", "elsewhere:9092", "--brokers");
    expect_refused("partitioner", "consistent", "murmur2");
    expect_refused("plugin.library.paths", "evil.so", "foreign code");
    expect_refused("debug", "all", "log");
    expect_refused("allow.auto.create.topics", "true", "create a topic");
}

static void test_names_are_compared_without_case(void **state)
{
    (void)state;
    expect_refused("ENABLE.IDEMPOTENCE", "false", "written twice");
    expect_refused("Acks", "1", "in-sync replica");
}

static void test_the_safe_values_are_accepted(void **state)
{
    (void)state;
    expect_accepted("enable.idempotence", "true");
    expect_accepted("acks", "all");
    expect_accepted("acks", "-1");
    expect_accepted("max.in.flight", "5");
    expect_accepted("retries", "3");
    expect_accepted("isolation.level", "read_committed");
    expect_accepted("enable.auto.commit", "false");
    expect_accepted("auto.offset.reset", "error");
    expect_accepted("linger.ms", "20");
    expect_accepted("compression.type", "zstd");
    expect_accepted("fetch.wait.max.ms", "10");
    expect_accepted("max.block.ms", "60000");
    expect_accepted("security.protocol", "SASL_SSL");
    expect_accepted("sasl.mechanism", "SCRAM-SHA-512");
    expect_accepted("sasl.password", "hunter2");
}

static void test_unknown_names_and_values(void **state)
{
    (void)state;
    expect_refused("linger", "5", "no client setting");
    expect_refused("linger.ms", "soon", "not accepted");
    expect_refused("compression.type", "rar", "not accepted");
    expect_refused("max.block.ms", "-1", "whole number");
}

static void test_secrets_are_not_repeated(void **state)
{
    (void)state;
    static const char *const names[] = {"ssl.key.pem", "ssl.keystore.password", "sasl.password"};
    for (size_t index = 0; index < 3; index++) {
        struct mr_error error = {0};
        if (mr_kafka_setting_check(names[index], "hunter2-is-secret", &error) == MR_OK)
            continue; /* librdkafka looks at some of them only when it connects */
        assert_null(strstr(error.message, "hunter2"));
    }
    struct mr_error error = {0};
    assert_int_equal(mr_kafka_setting_check("sasl.oauthbearer.client.secret\n", "hunter2", &error),
                     MR_INVALID);
    assert_null(strstr(error.message, "hunter2"));
}

static void test_a_log_checks_its_settings_and_talks_to_nobody(void **state)
{
    (void)state;
    struct mr_error error = {0};
    struct mr_log *log = NULL;
    const char *const good[] = {"security.protocol", "PLAINTEXT", NULL};
    const char *const bad[] = {"linger.ms", "5", "enable.idempotence", "false", NULL};
    assert_int_equal(
        mr_kafka_log_create(&(struct mr_kafka_log_open){.brokers = "localhost:1", .settings = bad},
                            &log, &error),
        MR_INVALID);
    assert_non_null(strstr(error.message, "enable.idempotence"));
    assert_int_equal(mr_kafka_log_create(&(struct mr_kafka_log_open){.brokers = ""}, &log, &error),
                     MR_INVALID);
    assert_int_equal(
        mr_kafka_log_create(&(struct mr_kafka_log_open){.brokers = "localhost:1", .settings = good},
                            &log, &error),
        MR_OK);
    assert_string_equal(log->ops->name, "kafka");
    const char *const refused[] = {"isolation.level", "read_uncommitted", NULL};
    struct mr_log_consumer *consumer = NULL;
    assert_int_equal(
        log->ops->consumer_create(log, &(struct mr_log_consumer_options){.settings = refused},
                                  &consumer, &error),
        MR_INVALID);
    struct mr_log_producer *producer = NULL;
    const char *const weak[] = {"acks", "1", NULL};
    assert_int_equal(log->ops->producer_create(log,
                                               &(struct mr_log_producer_options){.settings = weak},
                                               0, &producer, &error),
                     MR_INVALID);
    log->ops->close(log);
}

static void test_the_last_value_of_a_setting_wins(void **state)
{
    (void)state;
    const char *const settings[] = {"a", "1", "b", "2", "a", "3", NULL};
    assert_string_equal(mr_kafka_setting_find(settings, "a"), "3");
    assert_string_equal(mr_kafka_setting_find(settings, "b"), "2");
    assert_null(mr_kafka_setting_find(settings, "2"));
    assert_null(mr_kafka_setting_find(NULL, "a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_weakens_exactly_once_is_refused),
        cmocka_unit_test(test_names_are_compared_without_case),
        cmocka_unit_test(test_the_safe_values_are_accepted),
        cmocka_unit_test(test_unknown_names_and_values),
        cmocka_unit_test(test_secrets_are_not_repeated),
        cmocka_unit_test(test_a_log_checks_its_settings_and_talks_to_nobody),
        cmocka_unit_test(test_the_last_value_of_a_setting_wins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
