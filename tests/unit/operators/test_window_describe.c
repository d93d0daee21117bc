/* tests/unit/operators/test_window_describe.c — what queries show of a key's windows, of each kind,
 * from committed state; and that another operator's bytes are not shown as this one's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "record/json_write.h"
#include "tests/support/group_results.h"

struct asked {
    struct harness *harness;
    const struct mr_plan_node *node;
    struct mr_state_description description;
};

static enum mr_status describe(void *argument, const struct mr_state_object *object,
                               struct mr_error *error)
{
    struct asked *asked = argument;
    asked->description = (struct mr_state_description){.node = asked->node};
    return asked->harness->type->describe_state(object, &asked->harness->plan_arena,
                                                &asked->description, error);
}

static enum mr_status query(struct asked *asked, const char *key)
{
    struct mr_error error = {0};
    int64_t offset;
    struct harness *harness = asked->harness;
    const struct mr_state_query query = {.operator_name = harness->node->name,
                                         .table_name = harness->type->state_table,
                                         .key = mr_slice_text(key),
                                         .visit = describe,
                                         .argument = asked};
    return mr_state_query(harness->state, &query, &harness->plan_arena, &offset, &error);
}

/* Commit, and compare what is shown of the key but for its last member, the bytes. */
static void shows(struct harness *harness, const char *key, const char *expected)
{
    struct asked asked = {.harness = harness, .node = harness->node};
    harness_commit(harness);
    assert_int_equal(query(&asked, key), MR_OK);
    asked.description.members_count--;
    struct mr_value value = mr_description_value(&asked.description);
    uint8_t *text =
        mr_arena_take(&harness->plan_arena, mr_json_write_bound(value) + MR_JSON_WRITE_SLACK);
    uint8_t *end = mr_json_write(text, value);
    assert_non_null(end);
    *end = 0;
    assert_string_equal((const char *)text, expected);
}

static void tumbling_windows_show_what_they_have(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {tumbling: 1s}, lateness: 5s");
    group_feed(&harness, "a", 1500, 2);
    group_feed(&harness, "a", 3100, 8);
    group_feed(&harness, "a", 1900, 4);
    shows(&harness, "a",
          "{\"due\":\"1970-01-01T00:00:07Z\",\"windows\":["
          "{\"window_start\":1000,\"window_end\":2000,\"size\":2,\"total\":6},"
          "{\"window_start\":3000,\"window_end\":4000,\"size\":1,\"total\":8}]}");
    harness_close(&harness);
}

static void hopping_windows_are_merged(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {hopping: 2s, every: 1s}");
    group_feed(&harness, "a", 1500, 2);
    group_feed(&harness, "a", 2500, 8);
    shows(&harness, "a",
          "{\"due\":\"1970-01-01T00:00:02Z\",\"windows\":["
          "{\"window_start\":0,\"window_end\":2000,\"size\":1,\"total\":2},"
          "{\"window_start\":1000,\"window_end\":3000,\"size\":2,\"total\":10},"
          "{\"window_start\":2000,\"window_end\":4000,\"size\":1,\"total\":8}]}");
    harness_watermark(&harness, 2000); /* what is closed is not shown */
    shows(&harness, "a",
          "{\"due\":\"1970-01-01T00:00:03Z\",\"windows\":["
          "{\"window_start\":1000,\"window_end\":3000,\"size\":2,\"total\":10},"
          "{\"window_start\":2000,\"window_end\":4000,\"size\":1,\"total\":8}]}");
    harness_close(&harness);
}

static void cells_elsewhere_leave_the_times(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", ", zz: count_distinct(value)",
               ", window: {tumbling: 1s}");
    group_feed(&harness, "a", 1500, 2);
    group_feed(&harness, "a", 3100, 8);
    shows(&harness, "a",
          "{\"due\":\"1970-01-01T00:00:02Z\",\"windows\":["
          "{\"window_start\":1000,\"window_end\":2000},"
          "{\"window_start\":3000,\"window_end\":4000}]}");
    harness_close(&harness);
}

static void many_windows_are_cut(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct asked asked = {.harness = &harness};
    group_open(&harness, "window.aggregate", "", ", window: {hopping: 100s, every: 1s}");
    asked.node = harness.node;
    group_feed(&harness, "a", 200500, 2);
    harness_commit(&harness);
    assert_int_equal(query(&asked, "a"), MR_OK);
    assert_int_equal(asked.description.members[1].value.size, 50);
    harness_close(&harness);
}

static void sessions_counts_and_sums_show_theirs(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {session: 1s}");
    group_feed(&harness, "a", 1500, 2);
    group_feed(&harness, "a", 2000, 1);
    group_feed(&harness, "a", 4000, 8);
    shows(&harness, "a",
          "{\"due\":\"1970-01-01T00:00:03Z\",\"windows\":["
          "{\"window_start\":1500,\"window_end\":3000,\"size\":2,\"total\":3},"
          "{\"window_start\":4000,\"window_end\":5000,\"size\":1,\"total\":8}]}");
    harness_close(&harness);
    group_open(&harness, "window.aggregate", "", ", window: {count: 4, every: 2}");
    for (int64_t i = 0; i < 5; i++)
        group_feed(&harness, "a", 1000 + i, 1);
    shows(&harness, "a",
          "{\"due\":9223372036854775807,\"windows\":["
          "{\"window_start\":1002,\"window_end\":1005,\"size\":3,\"total\":3}]}");
    harness_close(&harness);
    group_open(&harness, "aggregate", "", "");
    group_feed(&harness, "a", 1500, 2);
    group_feed(&harness, "a", 900, 1);
    shows(&harness, "a",
          "{\"due\":9223372036854775807,\"windows\":["
          "{\"window_start\":900,\"window_end\":1501,\"size\":2,\"total\":3}]}");
    harness_close(&harness);
}

static void sliding_windows_say_how_many_records_they_keep(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    group_open(&harness, "window.aggregate", "", ", window: {sliding: 1s}");
    group_feed(&harness, "a", 1500, 2);
    group_feed(&harness, "a", 1600, 2);
    harness_watermark(&harness, 1700);
    shows(&harness, "a",
          "{\"due\":\"1970-01-01T00:00:02.500Z\",\"records\":2,"
          "\"latest\":\"1970-01-01T00:00:01.600Z\"}");
    harness_close(&harness);
}

/* Bytes that other options have made are not read as these. */
static void other_options_are_told_apart(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct harness other;
    group_open(&other, "window.aggregate", "", ", window: {tumbling: 2s}");
    group_open(&harness, "window.aggregate", "", ", window: {tumbling: 1s}");
    group_feed(&harness, "a", 1500, 2);
    harness_commit(&harness);
    struct asked asked = {.harness = &harness, .node = other.node};
    assert_int_equal(query(&asked, "a"), MR_CORRUPT);
    asked.node = harness.node;
    assert_int_equal(query(&asked, "a"), MR_OK);
    harness_close(&harness);
    harness_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tumbling_windows_show_what_they_have),
        cmocka_unit_test(hopping_windows_are_merged),
        cmocka_unit_test(cells_elsewhere_leave_the_times),
        cmocka_unit_test(many_windows_are_cut),
        cmocka_unit_test(sessions_counts_and_sums_show_theirs),
        cmocka_unit_test(sliding_windows_say_how_many_records_they_keep),
        cmocka_unit_test(other_options_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
