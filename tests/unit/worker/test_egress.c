/* tests/unit/worker/test_egress.c — rows to records of a running lane: computed topics, records
 * that are too large, dead letters with their place, and what on_error asks for. */
#include "worker/egress.h"

#include "base/memory.h"

#include "tests/unit/worker/lane_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MESSAGE_BYTES = 1048588 }; /* what a topic takes by default */

#define TOPOLOGY(sink)                                                                             \
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"               \
    "  commit_interval: 50ms\n"                                                                    \
    "  sources:\n    - {name: a, type: kafka, topic: in, format: json}\n"                          \
    "  sinks:\n    - {name: results, type: kafka, from: a, " sink "}\n"

static const struct mr_lane_topic topics[] = {
    {"in", 1}, {"out", 1}, {"out-1", 1}, {"other", 1}, {"t.dead-letters", 1}};

static void open_fixture(struct mr_lane_fixture *fixture, const char *topology)
{
    mr_lane_fixture_open(fixture, topology, topics, sizeof(topics) / sizeof(topics[0]));
}

static uint32_t count_of(struct mr_lane_fixture *fixture, const char *topic)
{
    uint32_t count;
    (void)mr_lane_fixture_read(fixture, topic, 0, &count);
    return count;
}

static void process(struct mr_lane_fixture *fixture)
{
    mr_lane_fixture_start(fixture);
    mr_lane_fixture_settle(fixture);
    mr_lane_fixture_stop(fixture);
}

static const char *header_of(const struct mr_lane_record *record, const char *name,
                             struct mr_arena *arena)
{
    for (uint32_t index = 0; index < record->headers.count; index++)
        if (strcmp(record->headers.items[index].name, name) == 0)
            return mr_arena_format(arena, "%.*s", (int)record->headers.items[index].value.size,
                                   (const char *)record->headers.items[index].value.data);
    return NULL;
}

/* A record names its topic: only what topic_allow lists, not what the engine writes besides. */
static void test_computed_topics_are_checked(void **state)
{
    struct mr_lane_fixture fixture;
    (void)state;
    open_fixture(&fixture, TOPOLOGY("topic_from: to, topic_allow: ['out*']"));
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"to\":\"out-1\"}");
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"to\":\"out\"}");
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"to\":\"other\"}");
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"to\":\"t.dead-letters\"}");
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"to\":\"out-nowhere\"}");
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"to\":7}");
    process(&fixture);
    assert_int_equal(count_of(&fixture, "out"), 1);
    assert_int_equal(count_of(&fixture, "out-1"), 1);
    assert_int_equal(count_of(&fixture, "other"), 0);
    uint32_t count;
    struct mr_lane_record *letters = mr_lane_fixture_read(&fixture, "t.dead-letters", 0, &count);
    assert_int_equal(count, 4);
    static const char *const causes[] = {"topic_allow", "topic_allow", "does not exist",
                                         "no topic name"};
    for (uint32_t index = 0; index < count; index++) {
        const char *cause = header_of(&letters[index], "millrace.cause", &fixture.arena);
        assert_non_null(cause);
        if (strstr(cause, causes[index]) == NULL)
            fail_msg("letter %u: %s", index, cause);
        assert_string_equal(header_of(&letters[index], "millrace.operator", &fixture.arena),
                            "results");
        assert_string_equal(header_of(&letters[index], "millrace.topic", &fixture.arena), "in");
        assert_int_equal(
            strtol(header_of(&letters[index], "millrace.offset", &fixture.arena), NULL, 10),
            index + 2);
    }
    mr_lane_fixture_close(&fixture);
}

/* Patterns that list everything do not open what the engine and Kafka keep. */
static void test_internal_topics_are_refused(void **state)
{
    static const char *const named[] = {"__consumer_offsets", "c.claims", "t.dead-letters"};
    struct mr_lane_fixture fixture;
    (void)state;
    open_fixture(&fixture, TOPOLOGY("topic_from: to, topic_allow: ['*']"));
    for (size_t index = 0; index < sizeof(named) / sizeof(named[0]); index++) {
        char value[64];
        snprintf(value, sizeof(value), "{\"to\":\"%s\"}", named[index]);
        mr_lane_fixture_write(&fixture, "in", 0, NULL, value);
    }
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"to\":\"out\"}");
    process(&fixture);
    assert_int_equal(count_of(&fixture, "out"), 1);
    uint32_t count;
    struct mr_lane_record *letters = mr_lane_fixture_read(&fixture, "t.dead-letters", 0, &count);
    assert_int_equal(count, 3);
    for (uint32_t index = 0; index < count; index++) {
        char expected[160];
        const char *cause = header_of(&letters[index], "millrace.cause", &fixture.arena);
        snprintf(expected, sizeof(expected), "topic_from gave \"%s\", an internal topic",
                 named[index]);
        assert_non_null(cause);
        if (strstr(cause, expected) == NULL)
            fail_msg("letter %u: %s", index, cause);
    }
    mr_lane_fixture_close(&fixture);
}

/* One byte more than fits is that record's error; its letter is cut and says so. */
static void test_too_large_records_are_cut_letters(void **state)
{
    struct mr_lane_fixture fixture;
    (void)state;
    open_fixture(&fixture, TOPOLOGY("topic: out"));
    size_t size = MESSAGE_BYTES - 20;
    char *value = mr_memory_new(size + 1, 1);
    memset(value, 'x', size);
    memcpy(value, "{\"v\":\"", 6);
    memcpy(value + size - 2, "\"}", 2);
    mr_lane_fixture_write(&fixture, "in", 0, NULL, value);
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"v\":\"small\"}");
    process(&fixture);
    assert_int_equal(count_of(&fixture, "out"), 1);
    uint32_t count;
    struct mr_lane_record *letters = mr_lane_fixture_read(&fixture, "t.dead-letters", 0, &count);
    assert_int_equal(count, 1);
    assert_string_equal(header_of(&letters[0], "millrace.truncated", &fixture.arena), "true");
    assert_true(strlen(letters[0].value) < size);
    assert_memory_equal(letters[0].value, value, strlen(letters[0].value));
    mr_memory_free(value);
    mr_lane_fixture_close(&fixture);
}

static void test_on_error_skip_and_fail(void **state)
{
    struct mr_lane_fixture fixture;
    (void)state;
    open_fixture(&fixture, TOPOLOGY("topic: out, where: 'v > 1.0', on_error: skip"));
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"v\":\"text\"}");
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"v\":1}");
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"v\":2}");
    process(&fixture);
    assert_int_equal(count_of(&fixture, "out"), 1);
    assert_int_equal(count_of(&fixture, "t.dead-letters"), 0);
    mr_lane_fixture_close(&fixture);

    open_fixture(&fixture, TOPOLOGY("topic: out, where: 'v > 1.0', on_error: fail"));
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"v\":2}");
    mr_lane_fixture_write(&fixture, "in", 0, NULL, "{\"v\":\"text\"}");
    mr_lane_fixture_start(&fixture);
    mr_lane_fixture_settle(&fixture);
    assert_true(atomic_load(&fixture.running->failed));
    assert_non_null(strstr(fixture.running->error.message, "in[0]@1"));
    mr_lane_fixture_stop(&fixture);
    assert_int_equal(count_of(&fixture, "out"), 0); /* of the failed transaction: nothing */
    mr_lane_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_computed_topics_are_checked),
        cmocka_unit_test(test_internal_topics_are_refused),
        cmocka_unit_test(test_too_large_records_are_cut_letters),
        cmocka_unit_test(test_on_error_skip_and_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
