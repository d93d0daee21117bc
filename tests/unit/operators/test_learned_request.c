/* tests/unit/operators/test_learned_request.c — what a request record says, in both dialects. */
#include "operators/learned_request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "record/json_value.h"
#include "tests/support/request_fixture.h"

struct reading {
    struct request_fixture fixture;
    struct mr_arena arena;
};

static void reading_open(struct reading *reading)
{
    request_fixture_open(&reading->fixture, "");
    mr_arena_init(&reading->arena, 1 << 14);
}

static void reading_close(struct reading *reading)
{
    mr_arena_deinit(&reading->arena);
    request_fixture_close(&reading->fixture);
}

/* The fields in the order of enum mr_request_field; a JSON list. */
static enum mr_status read(struct reading *reading, const char *json, struct mr_request *request,
                           struct mr_error *error)
{
    const struct mr_plan_node *node = reading->fixture.harness.node;
    struct mr_value list;
    struct mr_batch batch;
    const uint32_t domain = node->inputs[1].domain;
    assert_int_equal(mr_json_parse(mr_slice_text(json), NULL, &reading->arena, &list, error),
                     MR_OK);
    assert_int_equal(list.size, MR_REQUEST_FIELDS_COUNT);
    mr_batch_init(&batch, &reading->arena, reading->fixture.harness.plan->domains[domain].shape, 1);
    batch.rows_count = 1;
    for (uint32_t field = 0; field < list.size; field++)
        mr_batch_column(&batch, node->requests->slots[field])[0] = list.items[field];
    return mr_request_read(node, &batch, 0, &reading->arena, request, error);
}

static void requests_are_read(void **state)
{
    MR_UNUSED(state);
    struct reading reading;
    struct mr_request request;
    struct mr_error error = {0};
    reading_open(&reading);
    assert_int_equal(
        read(&reading,
             "[\"generate\", 100, null, null, 7, {\"age\": {\"gte\": 21}, \"b\": true}, "
             "\"r-1\", \"answers\", false]",
             &request, &error),
        MR_OK);
    assert_int_equal(request.action, MR_REQUEST_GENERATE);
    assert_true(request.samples == 100 && request.batch_size == 7 && !request.has_metadata);
    assert_true(mr_slice_equal(mr_value_text(request.id), mr_slice_text("r-1")));
    assert_true(mr_slice_equal(request.reply_topic, mr_slice_text("answers")));
    assert_true(
        mr_slice_equal(request.conditions, mr_slice_text("{\"age\":{\"gte\":21},\"b\":true}")));
    assert_int_equal(
        read(&reading, "[null, null, 5, null, null, {}, 7, null, null]", &request, &error), MR_OK);
    assert_true(request.samples == 5 && request.batch_size == MR_REQUEST_BATCH_DEFAULT);
    assert_true(request.has_metadata && request.conditions.size == 0);
    assert_true(request.id.kind == MR_KIND_DOUBLE && request.id.number == 7);
    assert_int_equal(read(&reading, "[\"stream\", null, null, 10, 100, null, null, null, null]",
                          &request, &error),
                     MR_OK);
    assert_true(request.samples == 1000 && request.batch_size == 100);
    assert_int_equal(read(&reading, "[\"stats\", null, null, null, null, null, null, null, null]",
                          &request, &error),
                     MR_OK);
    assert_int_equal(request.action, MR_REQUEST_STATS);
    reading_close(&reading);
}

static void odd_requests_are_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *json;
        const char *sentence;
    } cases[] = {
        {"[7, 1, null, null, null, null, null, null, null]", "action is no generate"},
        {"[null, 1, 2, null, null, null, null, null, null]", "n_samples and count differ"},
        {"[null, 1e10, null, null, null, null, null, null, null]", "n_samples is no whole number"},
        {"[null, \"5\", null, null, null, null, null, null, null]", "n_samples is no whole"},
        {"[\"generate\", null, null, 5, null, null, null, null, null]", "does not say how many"},
        {"[\"stream\", null, null, 1e9, 100000, null, null, null, null]", "wants more than"},
        {"[null, 1, null, null, 100001, null, null, null, null]", "batch_size is no whole"},
        {"[null, 1, null, null, null, [1], null, null, null]", "conditions is no object"},
        {"[null, 1, null, null, null, null, [1], null, null]", "request_id is no number"},
        {"[null, 1, null, null, null, null, null, \"\", null]", "reply_topic is no name"},
        {"[null, 1, null, null, null, null, null, null, 1]", "include_metadata is no boolean"},
    };
    struct reading reading;
    reading_open(&reading);
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct mr_request request;
        struct mr_error error = {0};
        assert_int_equal(read(&reading, cases[index].json, &request, &error), MR_INVALID);
        if (strstr(error.message, cases[index].sentence) == NULL)
            fail_msg("%s: %s", cases[index].json, error.message);
    }
    reading_close(&reading);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_read),
        cmocka_unit_test(odd_requests_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
