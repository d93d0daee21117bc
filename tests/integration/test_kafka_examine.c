/* tests/integration/test_kafka_examine.c — what `doctor` learns of a real cluster. */
#include "connectors/kafka/examine.h"

#include "tests/integration/kafka_support.h"

static struct mr_log *kafka;
static struct mr_arena arena;
static struct mr_error error;

static int start(void **state)
{
    (void)state;
    kafka = support_log(NULL);
    mr_arena_init(&arena, 4096);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    kafka->ops->close(kafka);
    mr_arena_deinit(&arena);
    return 0;
}

static void test_brokers_and_their_settings(void **state)
{
    (void)state;
    const struct mr_kafka_broker *brokers = NULL;
    uint32_t count = 0;
    struct mr_kafka_settings settings;
    REQUIRE(mr_kafka_brokers(kafka, &arena, &brokers, &count, &error));
    assert_int_equal(count, 1);
    assert_string_equal(brokers[0].address, support_brokers());
    REQUIRE(mr_kafka_broker_settings(kafka, brokers[0].id, &arena, &settings, &error));
    assert_string_equal(
        mr_kafka_settings_value(&settings, "transaction.partition.verification.enable"), "true");
    assert_string_equal(mr_kafka_settings_value(&settings, "transaction.state.log.min.isr"), "1");
    assert_null(mr_kafka_settings_value(&settings, "ssl.keystore.password")); /* a secret */
    assert_null(mr_kafka_settings_value(&settings, "no.such.setting"));
}

static void test_topic(void **state)
{
    (void)state;
    struct mr_kafka_topic_view view;
    struct mr_kafka_settings settings;
    const char *name = support_topic(kafka, 3);
    REQUIRE(mr_kafka_topic_view(kafka, name, &view, &error));
    assert_int_equal(view.partitions_count, 3);
    assert_int_equal(view.replicas_min, 1);
    assert_int_equal(view.in_sync_min, 1);
    /* Without an authorizer everything is allowed. */
    uint64_t all = MR_KAFKA_READ | MR_KAFKA_WRITE | MR_KAFKA_CREATE | MR_KAFKA_DELETE |
                   MR_KAFKA_DESCRIBE | MR_KAFKA_DESCRIBE_CONFIGS;
    assert_true((view.allowed & all) == all);
    REQUIRE(mr_kafka_topic_settings(kafka, name, &arena, &settings, &error));
    assert_string_equal(mr_kafka_settings_value(&settings, "min.insync.replicas"), "1");
    assert_int_equal(mr_kafka_topic_view(kafka, support_name("nowhere"), &view, &error),
                     MR_NOT_FOUND);
}

int run_examine_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_brokers_and_their_settings),
        cmocka_unit_test(test_topic),
    };
    return cmocka_run_group_tests_name("examine", tests, start, stop);
}
