/* tests/integration/test_kafka_admin.c — topics on a real cluster, beyond what every log must do.
 */
#include <stdio.h>

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

static void test_settings_of_topics(void **state)
{
    (void)state;
    struct mr_log_topic topic;
    const char *compacted = support_name("compacted");
    REQUIRE(
        kafka->ops->topic_create(kafka,
                                 &(struct mr_log_topic_create){.name = compacted,
                                                               .partitions_count = 2,
                                                               .replication_factor = 1,
                                                               .cleanup = MR_LOG_CLEANUP_COMPACT},
                                 &error));
    REQUIRE(kafka->ops->topic_describe(kafka, compacted, &topic, &error));
    assert_int_equal(topic.delete_retention_ms, 604800000);
    assert_int_equal(topic.message_bytes_max, 1048588);
    assert_int_equal(topic.partitions_count, 2);
}

static void test_growing(void **state)
{
    (void)state;
    struct mr_log_topic before;
    struct mr_log_topic after;
    const char *name = support_topic(kafka, 1);
    support_write(kafka, name, 0, 0, 1);
    REQUIRE(kafka->ops->topic_describe(kafka, name, &before, &error));
    REQUIRE(kafka->ops->topic_grow(kafka, name, 3, &error));
    REQUIRE(kafka->ops->topic_grow(kafka, name, 2, &error)); /* has as many: nothing to do */
    REQUIRE(kafka->ops->topic_describe(kafka, name, &after, &error));
    assert_int_equal(after.partitions_count, 3);
    assert_string_equal(before.topic_id, after.topic_id);
    support_write(kafka, name, 2, 0, 1);
    assert_int_equal(kafka->ops->topic_grow(kafka, support_name("nowhere"), 2, &error),
                     MR_NOT_FOUND);
}

static void test_refused_topics(void **state)
{
    (void)state;
    struct mr_log_topic_create create = {
        .name = support_name("topic"), .partitions_count = 1, .replication_factor = 3};
    assert_int_equal(kafka->ops->topic_create(kafka, &create, &error), MR_INVALID);
    assert_int_equal(error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    assert_non_null(strstr(error.message, "number of brokers"));
    create = (struct mr_log_topic_create){
        .name = "no/such", .partitions_count = 1, .replication_factor = 1};
    assert_int_equal(kafka->ops->topic_create(kafka, &create, &error), MR_INVALID);
    create.name = support_name("topic");
    create.partitions_count = 0;
    assert_int_equal(kafka->ops->topic_create(kafka, &create, &error), MR_INVALID);
}

static void test_deleting_what_is_not_there(void **state)
{
    (void)state;
    const char *name = support_name("nowhere");
    assert_int_equal(kafka->ops->topic_delete(kafka, name, &error), MR_NOT_FOUND);
    assert_non_null(strstr(error.message, name));
}

int run_admin_tests(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_of_topics),
        cmocka_unit_test(test_growing),
        cmocka_unit_test(test_refused_topics),
        cmocka_unit_test(test_deleting_what_is_not_there),
    };
    return cmocka_run_group_tests_name("kafka admin", tests, start, stop);
}
