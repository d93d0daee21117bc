/* tests/unit/coordinator/test_control_log.c — the control topic over the memory log: order, fences,
 * and what a reader knows when it has read to the end. */
#include "coordinator/control_log.h"

#include "connectors/connector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

struct fixture {
    struct mr_log *log;
    struct mr_control_log *first;
    struct mr_control_log *second;
    struct mr_error error;
};

struct seen {
    char text[256];
};

static enum mr_status visit(void *argument, struct mr_slice key, struct mr_slice value,
                            int64_t written_ms, struct mr_error *error)
{
    struct seen *seen = argument;
    size_t size = strlen(seen->text);
    (void)error;
    assert_true(written_ms > 0);
    (void)snprintf(seen->text + size, sizeof(seen->text) - size, "%.*s=%.*s;", (int)key.size,
                   (const char *)key.data, (int)value.size,
                   value.size == 0 ? "" : (const char *)value.data);
    return MR_OK;
}

static int set_up(void **state)
{
    static struct fixture fixture;
    const struct mr_memory_log_open open = {0};
    memset(&fixture, 0, sizeof(fixture));
    assert_int_equal(mr_memory_log_create(&open, &fixture.log, &fixture.error), MR_OK);
    struct mr_control_log_options options = {.log = fixture.log, .cluster = "c", .wait_ms = 1000};
    assert_int_equal(mr_control_log_open(&options, &fixture.first, &fixture.error), MR_OK);
    assert_int_equal(mr_control_log_open(&options, &fixture.second, &fixture.error), MR_OK);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    mr_control_log_close(fixture->first);
    mr_control_log_close(fixture->second);
    fixture->log->ops->close(fixture->log);
    return 0;
}

static enum mr_status write_one(struct fixture *fixture, struct mr_control_log *control,
                                const char *key, const char *value)
{
    const struct mr_core_record record = {.key = mr_slice_text(key), .value = mr_slice_text(value)};
    return mr_control_log_write(control, &record, 1, &fixture->error);
}

static void test_what_is_written_is_read_in_order(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {""};
    assert_int_equal(mr_control_log_initialise(fixture->first, &fixture->error), MR_OK);
    const struct mr_core_record records[] = {
        {.key = mr_slice_text("a"), .value = mr_slice_text("1")},
        {.key = mr_slice_text("b"), .value = mr_slice_text("2")}};
    assert_int_equal(mr_control_log_write(fixture->first, records, 2, &fixture->error), MR_OK);
    assert_int_equal(write_one(fixture, fixture->first, "a", ""), MR_OK); /* a tombstone */
    assert_int_equal(mr_control_log_read_to_end(fixture->second, visit, &seen, &fixture->error),
                     MR_OK);
    assert_string_equal(seen.text, "a=1;b=2;a=;");
    /* Following goes on behind it; nothing comes twice. */
    assert_int_equal(write_one(fixture, fixture->first, "c", "3"), MR_OK);
    seen.text[0] = '\0';
    for (int round = 0; round < 20 && seen.text[0] == '\0'; round++)
        assert_int_equal(mr_control_log_follow(fixture->second, 50, visit, &seen, &fixture->error),
                         MR_OK);
    assert_string_equal(seen.text, "c=3;");
    assert_int_equal(mr_control_log_read_to_end(fixture->second, visit, &seen, &fixture->error),
                     MR_OK);
    assert_string_equal(seen.text, "c=3;");
}

static void test_a_new_writer_ends_the_old_one(void **state)
{
    struct fixture *fixture = *state;
    struct seen seen = {""};
    assert_int_equal(mr_control_log_initialise(fixture->first, &fixture->error), MR_OK);
    assert_int_equal(write_one(fixture, fixture->first, "a", "1"), MR_OK);
    assert_int_equal(mr_control_log_initialise(fixture->second, &fixture->error), MR_OK);
    assert_int_equal(write_one(fixture, fixture->first, "a", "2"), MR_FENCED);
    /* It does not come back by itself. */
    assert_int_equal(write_one(fixture, fixture->first, "a", "3"), MR_CLOSED);
    assert_int_equal(write_one(fixture, fixture->second, "a", "4"), MR_OK);
    assert_int_equal(mr_control_log_read_to_end(fixture->second, visit, &seen, &fixture->error),
                     MR_OK);
    assert_string_equal(seen.text, "a=1;a=4;");
}

static void test_who_does_not_lead_does_not_write(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(write_one(fixture, fixture->first, "a", "1"), MR_CLOSED);
    assert_int_equal(mr_control_log_initialise(fixture->first, &fixture->error), MR_OK);
    mr_control_log_resign(fixture->first);
    assert_int_equal(write_one(fixture, fixture->first, "a", "1"), MR_CLOSED);
}

static void test_a_topic_with_more_partitions_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct mr_control_log *control = NULL;
    const struct mr_log_topic_create create = {
        .name = "other.control", .partitions_count = 3, .replication_factor = -1};
    assert_int_equal(fixture->log->ops->topic_create(fixture->log, &create, &fixture->error),
                     MR_OK);
    struct mr_control_log_options options = {
        .log = fixture->log, .cluster = "other", .wait_ms = 1000};
    assert_int_equal(mr_control_log_open(&options, &control, &fixture->error), MR_INVALID);
    assert_non_null(strstr(fixture->error.message, "has 3 partitions"));
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_what_is_written_is_read_in_order),
        CASE(test_a_new_writer_ends_the_old_one),
        CASE(test_who_does_not_lead_does_not_write),
        CASE(test_a_topic_with_more_partitions_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
