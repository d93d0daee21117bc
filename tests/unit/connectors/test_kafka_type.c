/* tests/unit/connectors/test_kafka_type.c — the checks of `kafka` sources and sinks, and their
 * options as client settings. Options are built by hand, as the topology's parser would leave them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connectors/kafka/internal.h"
#include "connectors/kafka/kafka.h"

enum { OPTIONS_MAX = 16 };

struct built {
    struct mr_option_value values[OPTIONS_MAX];
    struct mr_options options;
};

static void build(struct built *built, const struct mr_option_spec *specs)
{
    memset(built, 0, sizeof(*built));
    built->options = (struct mr_options){
        .specs = specs, .count = mr_option_specs_count(specs), .values = built->values};
    assert_true(built->options.count <= OPTIONS_MAX);
}

static struct mr_option_value *give(struct built *built, const char *name)
{
    int index = mr_option_specs_find(built->options.specs, name);
    assert_true(index >= 0);
    built->values[index].given = true;
    built->values[index].present = true;
    return &built->values[index];
}

static enum mr_status check(const struct mr_type_spec *type, struct built *built,
                            const char **option, struct mr_error *error)
{
    *error = (struct mr_error){0};
    *option = NULL;
    return type->check(&built->options, option, error);
}

static void expect_refused(const struct mr_type_spec *type, struct built *built,
                           const char *expected_option, const char *words)
{
    struct mr_error error;
    const char *option = NULL;
    assert_int_equal(check(type, built, &option, &error), MR_INVALID);
    assert_string_equal(option, expected_option);
    if (strstr(error.message, words) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", error.message, words);
}

static void expect_accepted(const struct mr_type_spec *type, struct built *built)
{
    struct mr_error error;
    const char *option = NULL;
    if (check(type, built, &option, &error) != MR_OK)
        fail_msg("refused: %s", error.message);
}

static void test_exactly_one_way_to_name_topics(void **state)
{
    (void)state;
    struct built built;
    build(&built, mr_kafka_source_spec.options);
    expect_refused(&mr_kafka_source_spec, &built, "topic", "Exactly one");
    give(&built, "topic")->text = "readings";
    expect_accepted(&mr_kafka_source_spec, &built);
    give(&built, "pattern")->text = "readings-.*";
    expect_refused(&mr_kafka_source_spec, &built, "pattern", "Exactly one");
    build(&built, mr_kafka_source_spec.options);
    give(&built, "pattern")->text = "readings-(";
    expect_refused(&mr_kafka_source_spec, &built, "pattern", "regular expression");
    give(&built, "pattern")->text = "readings-[0-9]+";
    expect_accepted(&mr_kafka_source_spec, &built);
}

static void test_lists_of_topics(void **state)
{
    (void)state;
    struct built built;
    static const char *const good[] = {"a", "b"};
    static const char *const twice[] = {"a", "b", "a"};
    static const char *const bad[] = {"a", "b c"};
    build(&built, mr_kafka_source_spec.options);
    struct mr_option_value *topics = give(&built, "topics");
    expect_refused(&mr_kafka_source_spec, &built, "topics", "empty");
    topics->count = 2;
    topics->texts = good;
    expect_accepted(&mr_kafka_source_spec, &built);
    topics->texts = bad;
    expect_refused(&mr_kafka_source_spec, &built, "topics", "'b c'");
    topics->count = 3;
    topics->texts = twice;
    expect_refused(&mr_kafka_source_spec, &built, "topics", "twice");
}

static void test_topic_names(void **state)
{
    (void)state;
    static const char *const bad[] = {"", ".", "..", "a/b", "é", "a b"};
    struct built built;
    build(&built, mr_kafka_source_spec.options);
    struct mr_option_value *topic = give(&built, "topic");
    for (size_t index = 0; index < sizeof(bad) / sizeof(bad[0]); index++) {
        topic->text = bad[index];
        expect_refused(&mr_kafka_source_spec, &built, "topic", "no topic name");
    }
    char name[251];
    memset(name, 'x', sizeof(name));
    name[250] = '\0';
    topic->text = name;
    expect_refused(&mr_kafka_source_spec, &built, "topic", "no topic name");
    name[249] = '\0';
    expect_accepted(&mr_kafka_source_spec, &built);
}

static void test_start_and_its_timestamp_belong_together(void **state)
{
    (void)state;
    struct built built;
    build(&built, mr_kafka_source_spec.options);
    give(&built, "topic")->text = "t";
    give(&built, "start")->integer = MR_KAFKA_START_TIMESTAMP;
    expect_refused(&mr_kafka_source_spec, &built, "start_timestamp", "needs");
    give(&built, "start_timestamp")->integer = 1;
    expect_accepted(&mr_kafka_source_spec, &built);
    give(&built, "start")->integer = MR_KAFKA_START_COMMITTED;
    expect_refused(&mr_kafka_source_spec, &built, "start_timestamp", "only used");
    int start = mr_option_specs_find(mr_kafka_source_spec.options, "start");
    const char *const *choices = mr_kafka_source_spec.options[start].choices;
    assert_string_equal(choices[MR_KAFKA_START_EARLIEST], "earliest");
    assert_string_equal(choices[MR_KAFKA_START_LATEST], "latest");
    assert_string_equal(choices[MR_KAFKA_START_TIMESTAMP], "timestamp");
    assert_string_equal(choices[MR_KAFKA_START_COMMITTED], "committed");
    assert_null(choices[MR_KAFKA_START_COMMITTED + 1]);
}

static void test_consumer_settings(void **state)
{
    (void)state;
    static const char *const names[] = {"fetch.wait.max.ms", "isolation.level"};
    static const char *const texts[] = {"20", "read_uncommitted"};
    struct built built;
    build(&built, mr_kafka_source_spec.options);
    give(&built, "topic")->text = "t";
    struct mr_option_value *consumer = give(&built, "consumer");
    consumer->names = names;
    consumer->texts = texts;
    consumer->count = 1;
    expect_accepted(&mr_kafka_source_spec, &built);
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    const char *const *pairs = mr_kafka_source_settings(&built.options, &arena);
    assert_string_equal(pairs[0], "fetch.wait.max.ms");
    assert_string_equal(pairs[1], "20");
    assert_null(pairs[2]);
    consumer->count = 2;
    expect_refused(&mr_kafka_source_spec, &built, "consumer", "isolation.level");
    consumer->count = 0;
    assert_null(mr_kafka_source_settings(&built.options, &arena)[0]);
    mr_arena_deinit(&arena);
}

static const struct mr_option_spec *fields_of(const char *name)
{
    int index = mr_option_specs_find(mr_kafka_sink_spec.options, name);
    assert_true(index >= 0);
    return mr_kafka_sink_spec.options[index].fields;
}

static void test_producer_settings(void **state)
{
    (void)state;
    struct built sink;
    struct built producer;
    build(&sink, mr_kafka_sink_spec.options);
    give(&sink, "topic")->text = "t";
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    expect_accepted(&mr_kafka_sink_spec, &sink);
    assert_null(mr_kafka_sink_settings(&sink.options, &arena)[0]);
    build(&producer, fields_of("producer"));
    give(&producer, "acks")->text = "all";
    give(&producer, "retries")->integer = 7;
    give(&producer, "linger")->integer = 20;
    give(&producer, "compression")->text = "zstd";
    give(&producer, "max_block")->integer = 1500;
    give(&producer, "buffer_memory")->integer = 1 << 20;
    give(&sink, "producer")->objects = &producer.options;
    expect_accepted(&mr_kafka_sink_spec, &sink);
    const char *const *pairs = mr_kafka_sink_settings(&sink.options, &arena);
    assert_string_equal(mr_kafka_setting_find(pairs, "acks"), "all");
    assert_string_equal(mr_kafka_setting_find(pairs, "retries"), "7");
    assert_string_equal(mr_kafka_setting_find(pairs, "linger.ms"), "20");
    assert_string_equal(mr_kafka_setting_find(pairs, "compression.type"), "zstd");
    assert_string_equal(mr_kafka_setting_find(pairs, "max.block.ms"), "1500");
    struct mr_error error = {0};
    assert_int_equal(mr_kafka_settings_check(pairs, &error), MR_OK);
    give(&producer, "acks")->text = "1";
    expect_refused(&mr_kafka_sink_spec, &sink, "producer", "in-sync replica");
    mr_arena_deinit(&arena);
}

static void test_topic_creation(void **state)
{
    (void)state;
    struct built sink;
    struct built create;
    build(&sink, mr_kafka_sink_spec.options);
    give(&sink, "topic")->text = "t";
    build(&create, fields_of("create_topic"));
    give(&create, "partitions")->integer = 4;
    give(&create, "replication_factor")->integer = 0;
    give(&sink, "create_topic")->objects = &create.options;
    expect_refused(&mr_kafka_sink_spec, &sink, "create_topic", "replication_factor");
    give(&create, "replication_factor")->integer = -1;
    expect_accepted(&mr_kafka_sink_spec, &sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exactly_one_way_to_name_topics),
        cmocka_unit_test(test_lists_of_topics),
        cmocka_unit_test(test_topic_names),
        cmocka_unit_test(test_start_and_its_timestamp_belong_together),
        cmocka_unit_test(test_consumer_settings),
        cmocka_unit_test(test_producer_settings),
        cmocka_unit_test(test_topic_creation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
